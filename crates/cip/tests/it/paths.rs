//! The paths of a store are those of its rows, on any number of threads.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZeroUsize;

use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::{Float64Type, Int64Type};
use cip::line::Line;
use cip::sessionize::{PathScope, Paths};
use proptest::prelude::*;

use crate::laws::{ingest, many_rows, row};
use crate::source::{Kind, Row};
use crate::{batches, threads};

/// A path, its sessions, users, conversions, and how often it was taken.
type Taken = (Vec<String>, [i64; 3], u64);

/// Up to three steps, repeats as one, from the start or up to a target.
fn oracle(kind: Kind, rows: &[Row], scope: PathScope, target: Option<&str>) -> Vec<Taken> {
    let narrow: Vec<Row> = rows.iter().map(|row| kind.narrow(row)).collect();
    let mut users: BTreeMap<u8, Vec<&Row>> = BTreeMap::new();
    for row in &narrow {
        if let Some(user) = row.user {
            users.entry(user).or_default().push(row);
        }
    }
    let mut found: BTreeMap<Vec<String>, (i64, BTreeSet<u8>, i64, u64)> = BTreeMap::new();
    for (user, mut rows) in users {
        rows.sort_by_key(|row| row.time);
        let sessions: Vec<&[&Row]> = rows.chunk_by(|a, b| b.time - a.time <= 1_800).collect();
        let units = match scope {
            PathScope::User => vec![(&rows[..], sessions.len() as i64)],
            PathScope::Session => sessions.into_iter().map(|session| (session, 1)).collect(),
        };
        for (unit, sessions) in units {
            let mut kinds: Vec<String> = unit.iter().map(|row| row.kind.to_owned()).collect();
            let buys = kinds.iter().any(|kind| kind == "purchase");
            kinds.dedup();
            let end = match target {
                Some(target) => kinds.iter().position(|kind| kind == target).map(|place| place + 1),
                None => Some(kinds.len().min(3)),
            };
            let Some(end) = end else { continue };
            let count = found.entry(kinds[end.saturating_sub(3)..end].to_vec()).or_default();
            count.0 += sessions;
            count.1.insert(user);
            count.2 += i64::from(buys);
            count.3 += 1;
        }
    }
    let mut found: Vec<_> = found
        .into_iter()
        .map(|(path, (sessions, users, buys, taken))| (path, [sessions, users.len() as i64, buys], taken))
        .collect();
    found.sort_by_key(|(.., taken)| Reverse(*taken));
    found
}

fn check(kind: Kind, rows: &[Row], scope: PathScope, target: Option<&str>, top: usize) {
    let (folder, store) = ingest(kind, rows);
    let mut paths = Paths::new(3).unwrap().with_scope(scope);
    if let Some(target) = target {
        paths = paths.with_target(target).unwrap();
    }
    let expected = oracle(kind, rows, scope, target);
    let all: u64 = expected.iter().map(|(.., taken)| taken).sum();
    let written = [1, 3].map(|n| {
        let path = folder.path().join(format!("paths{n}.parquet"));
        let line = Line::new(&store).with_threads(threads(n));
        let counts = line.write_paths(&paths, top, &path).unwrap();
        assert_eq!((counts.different(), counts.with_path()), (expected.len(), all));
        let mut kept = expected.iter().take(top);
        for table in batches(&path) {
            for row in 0..table.num_rows() {
                let (steps, numbers, taken) = kept.next().unwrap();
                let column = |name: &str| table.column_by_name(name).unwrap();
                let int = |name: &str| column(name).as_primitive::<Int64Type>().value(row);
                let float = |name: &str| column(name).as_primitive::<Float64Type>().value(row);
                let path = column("path").as_list::<i32>().value(row);
                assert!(path.as_string::<i32>().iter().flatten().eq(steps.iter().map(String::as_str)));
                assert_eq!(["sessions", "users", "conversions"].map(int), *numbers);
                assert_eq!(int("steps"), steps.len() as i64);
                let (share, rate) = (*taken as f64 / all as f64, numbers[2] as f64 / *taken as f64);
                assert_eq!([float("share"), float("conversion_rate")], [share, rate]);
            }
        }
        assert!(kept.next().is_none(), "rows are missing");
        fs::read(path).unwrap()
    });
    assert!(written[0] == written[1], "what is written depends on the threads");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_paths_are_those_of_the_definition(
        kind in prop_oneof![Just(Kind::Clicks), Just(Kind::Till)],
        rows in proptest::collection::vec(row(), 1..150),
        scope in prop_oneof![Just(PathScope::User), Just(PathScope::Session)],
        target in prop_oneof![Just(None), Just(Some("purchase")), Just(Some("cart"))],
        top in prop_oneof![Just(usize::MAX), 0usize..4],
    ) {
        check(kind, &rows, scope, target, top);
    }
}

#[test]
fn users_of_several_row_groups_are_counted_once() {
    check(Kind::Clicks, &many_rows(), PathScope::Session, None, usize::MAX);
}

#[test]
fn more_paths_than_may_be_kept_leave_the_old_file() {
    let (folder, store) = ingest(Kind::Clicks, &many_rows()[..2_000]);
    let path = folder.path().join("paths.parquet");
    Line::new(&store).write_paths(&Paths::default(), 9, &path).unwrap();
    let old = fs::read(&path).unwrap();
    let paths = Paths::default().with_max_paths(NonZeroUsize::MIN);
    for n in [1, 3] {
        let line = Line::new(&store).with_threads(threads(n));
        let error = line.write_paths(&paths, 9, &path).unwrap_err().to_string();
        assert!(error.starts_with("there are more than 1 different paths of up to 5 steps"), "{error}");
    }
    assert!(fs::read(path).unwrap() == old);
}
