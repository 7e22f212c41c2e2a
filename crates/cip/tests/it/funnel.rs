//! The funnel of a store is that of its rows, on any number of threads.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::{Int64Type, TimestampMicrosecondType};
use cip::arrow_array::{Array, RecordBatch};
use cip::core::IdColumn;
use cip::ingest::{Ingest, SourceMapping};
use cip::line::Line;
use cip::sessionize::{Funnel, FunnelScope};
use proptest::prelude::*;

use crate::laws::{ingest, many_rows, row};
use crate::source::{Kind, Row, customer};
use crate::{batches, threads};

const STEPS: [&str; 3] = ["view", "cart", "purchase"];

/// The user, and the seconds since 2019-10-01 of each step reached.
type Reached = (String, Vec<i64>);

/// Rows of a session or a user, in the order of the file where times are equal.
fn best(rows: &[&Row], within: u32) -> Vec<i64> {
    let mut best = Vec::new();
    for (place, start) in rows.iter().enumerate().filter(|(_, row)| row.kind == STEPS[0]) {
        let mut times = vec![i64::from(start.time)];
        for row in rows[place + 1..].iter().take_while(|row| row.time - start.time <= within) {
            if STEPS.get(times.len()) == Some(&row.kind) {
                times.push(row.time.into());
            }
        }
        if times.len() > best.len() {
            best = times;
        }
    }
    best
}

fn oracle(kind: Kind, rows: &[Row], within: u32, scope: FunnelScope) -> (Vec<Reached>, [u64; 2]) {
    let narrow: Vec<Row> = rows.iter().map(|row| kind.narrow(row)).collect();
    let mut users: BTreeMap<u8, Vec<&Row>> = BTreeMap::new();
    for row in &narrow {
        if let Some(user) = row.user {
            users.entry(user).or_default().push(row);
        }
    }
    let (mut found, mut carts) = (Vec::new(), [0, 0]);
    for (user, mut rows) in users {
        rows.sort_by_key(|row| row.time);
        let sessions: Vec<&[&Row]> = rows.chunk_by(|a, b| b.time - a.time <= 1_800).collect();
        for session in &sessions {
            if session.iter().any(|row| row.kind == "cart") {
                carts[0] += 1;
                carts[1] += u64::from(session.iter().all(|row| row.kind != "purchase"));
            }
        }
        let stretches = match scope {
            FunnelScope::User => vec![&rows[..]],
            FunnelScope::Session => sessions,
        };
        let mut furthest = Vec::new();
        for stretch in stretches {
            let times = best(stretch, within);
            if times.len() > furthest.len() {
                furthest = times;
            }
        }
        if !furthest.is_empty() {
            let user = match kind {
                Kind::Clicks => user.to_string(),
                Kind::Till => customer(user),
            };
            found.push((user, furthest));
        }
    }
    (found, carts)
}

fn read(tables: &[RecordBatch]) -> Vec<Reached> {
    let mut found = Vec::new();
    for table in tables {
        let column = |name: &str| table.column_by_name(name).unwrap();
        let users = IdColumn::try_new("user_id", column("user_id")).unwrap();
        let first = column("first_step_time").as_primitive::<TimestampMicrosecondType>();
        for row in 0..table.num_rows() {
            let first = first.value(row) / 1_000_000 - 1_569_888_000;
            let later =
                [2, 3].map(|step| column(&format!("step_{step}_seconds")).as_primitive::<Int64Type>());
            let later =
                later.into_iter().filter(|times| times.is_valid(row)).map(|times| first + times.value(row));
            let times: Vec<i64> = [first].into_iter().chain(later).collect();
            assert_eq!(column("steps_reached").as_primitive::<Int64Type>().value(row), times.len() as i64);
            found.push((users.get(row).unwrap().to_string(), times));
        }
    }
    found
}

fn check(kind: Kind, rows: &[Row], within: u32, scope: FunnelScope) {
    let (folder, store) = ingest(kind, rows);
    let funnel = Funnel::new(STEPS, Duration::from_secs(within.into())).unwrap().with_scope(scope);
    let (expected, [cart_sessions, abandoned]) = oracle(kind, rows, within, scope);
    let written = [1, 3].map(|n| {
        let path = folder.path().join(format!("funnel{n}.parquet"));
        let totals = Line::new(&store).with_threads(threads(n)).write_funnel(&funnel, &path).unwrap();
        assert_eq!(read(&batches(&path)), expected);
        for step in totals.steps() {
            let users = expected.iter().filter(|(_, times)| times.len() >= step.step).count();
            assert_eq!((step.users, step.event_type), (users as u64, Some(STEPS[step.step - 1])));
        }
        let carts = totals.abandonment().total();
        assert_eq!((carts.cart_sessions, carts.abandoned), (cart_sessions, abandoned));
        let unknown = rows.iter().filter(|row| kind.narrow(row).user.is_none()).count();
        assert_eq!(totals.skipped_events(), unknown as u64);
        (fs::read(path).unwrap(), totals)
    });
    assert!(written[0] == written[1], "what is written depends on the threads");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_funnel_is_that_of_the_definition(
        kind in prop_oneof![Just(Kind::Clicks), Just(Kind::Till)],
        rows in proptest::collection::vec(row(), 1..150),
        within in prop_oneof![Just(86_400u32), Just(899), Just(1)],
        scope in prop_oneof![Just(FunnelScope::User), Just(FunnelScope::Session)],
    ) {
        check(kind, &rows, within, scope);
    }
}

#[test]
fn a_store_without_users_has_no_funnel() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("events.csv"), folder.path().join("f.parquet"));
    fs::write(&file, "t,e\n2019-10-01,view\n").unwrap();
    let mapping = SourceMapping::from_toml(
        "name = \"bare\"\n[columns]\nevent_time = { from = \"t\", type = \"timestamp\" }\nevent_type = { from = \"e\", type = \"dictionary\" }\n",
    );
    let (store, _) =
        Ingest::new(mapping.unwrap()).run(&[file], &folder.path().join("store"), &mut |_| ()).unwrap();
    let funnel = Funnel::new(STEPS, Duration::from_secs(60)).unwrap();
    let error = Line::new(&store).write_funnel(&funnel, &out).unwrap_err().to_string();
    assert!(error.starts_with("column `user_id` is missing"), "{error}");
    assert!(!out.exists());
}

#[test]
fn users_of_several_row_groups_have_one_row() {
    check(Kind::Clicks, &many_rows(), 30, FunnelScope::User);
}
