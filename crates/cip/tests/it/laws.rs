//! For any rows, the tables are those of the definition, on any number of threads.

use std::fs;
use std::time::Duration;

use cip::core::{TimeRange, Timestamp};
use cip::features::Features;
use cip::ingest::Ingest;
use cip::line::{Line, LineError};
use cip::rfm::Rfm;
use cip::sessionize::SessionRule;
use cip::store::EventStore;
use proptest::prelude::*;

use crate::oracle::{customers, known, read_customers, read_known, read_sessions, sessions, totals};
use crate::source::{Kind, Row};
use crate::{batches, threads};

pub(crate) fn row() -> impl Strategy<Value = Row> {
    (
        proptest::option::weighted(0.85, 0u8..8),
        // Gaps about the timeouts, ties, and days that pass.
        (0u32..4, 0u32..8, 0u32..4),
        prop_oneof![3 => Just("view"), 1 => Just("cart"), 1 => Just("remove_from_cart"), 3 => Just("purchase"), 1 => Just("wish")],
        0u8..5,
        proptest::option::weighted(0.8, 0u32..2_000),
        -2i8..5,
        proptest::option::weighted(0.7, 0u8..6),
    )
        .prop_map(|(user, (day, step, second), kind, product, price, quantity, order)| Row {
            user,
            time: day * 86_400 + 23 * 3_600 + step * 899 + second,
            kind,
            product,
            price,
            quantity,
            order,
        })
}

pub(crate) fn ingest(kind: Kind, rows: &[Row]) -> (tempfile::TempDir, EventStore) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    fs::write(&file, kind.csv(rows)).unwrap();
    let (store, report) =
        Ingest::new(kind.mapping()).run(&[file], &folder.path().join("store"), &mut |_| ()).unwrap();
    assert_eq!(report.account.events, rows.len() as u64, "{:?}", report.account);
    (folder, store)
}

/// Writes the tables of users on 1 and on 3 threads and compares them with the oracle's.
fn check(kind: Kind, rows: &[Row], timeout: u32, as_of_day: u32) {
    let (folder, store) = ingest(kind, rows);
    let rule = SessionRule::new(Duration::from_secs(timeout.into())).unwrap();
    let day = |day: u32| -> Timestamp { format!("2019-10-{:02}", day + 1).parse().unwrap() };
    let (as_of, until_day) = (day(as_of_day), as_of_day + 1);
    let rfm = Rfm::new(as_of, store.schema()).unwrap();
    let features = Features::new(TimeRange::new(day(0), as_of).unwrap(), store.schema()).unwrap();
    let features = features.with_label_until(day(until_day)).unwrap();
    let written = [1, 3].map(|n| {
        let line = Line::new(&store).with_threads(threads(n));
        let [facts, scores, users] =
            ["s", "r", "f"].map(|name| folder.path().join(format!("{name}{n}.parquet")));
        let told = line.write_sessions(rule.clone(), &facts).unwrap();
        let scored = line.write_rfm(&rfm, &scores).unwrap();

        let expected = sessions(kind, timeout, rows);
        assert_eq!(read_sessions(&batches(&facts)), expected);
        let found = customers(kind, as_of_day, rows);
        assert_eq!(read_customers(&batches(&scores)), found);
        assert_eq!(scored.len(), found.len());

        let (sessions, events, purchases, duration, revenue) = totals(&expected);
        assert_eq!((told.sessions, told.events, told.purchases), (sessions, events as u64, purchases as u64));
        assert_eq!((told.duration_seconds, told.revenue), (duration.into(), revenue));
        let unknown = rows.iter().filter(|row| kind.narrow(row).user.is_none()).count();
        assert_eq!(told.skipped_events, unknown as u64);

        let told = line.write_features(&features, &users).unwrap();
        let found = known(kind, [as_of_day, until_day], rows);
        assert_eq!(read_known(&batches(&users)), found);
        let positives = found.iter().filter(|user| user.label == 1).count();
        assert_eq!((told.users, told.positives), (found.len() as u64, Some(positives as u64)));
        let unknown =
            rows.iter().filter(|row| kind.narrow(row).user.is_none() && row.time < until_day * 86_400);
        assert_eq!(told.skipped_events, unknown.count() as u64);
        [facts, scores, users].map(|path| fs::read(path).unwrap())
    });
    assert!(written[0] == written[1], "the bytes depend on the threads");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_tables_are_those_of_the_definition(
        kind in prop_oneof![Just(Kind::Clicks), Just(Kind::Till)],
        rows in proptest::collection::vec(row(), 1..150),
        timeout in prop_oneof![Just(1_800u32), Just(899), Just(1)],
        as_of_day in 1u32..7,
    ) {
        check(kind, &rows, timeout, as_of_day);
    }
}

/// Several row groups, and one user who fills more than one of them.
#[test]
fn a_user_of_several_row_groups_is_one_user() {
    check(Kind::Clicks, &many_rows(), 1_800, 15);
}

/// Rows of several row groups; half of them are those of user 77.
pub(crate) fn many_rows() -> Vec<Row> {
    (0..420_000u32)
        .map(|n| {
            let mixed = n.wrapping_mul(2_654_435_761);
            Row {
                user: Some(if n % 2 == 0 { 77 } else { (mixed >> 24) as u8 }),
                time: (mixed >> 4) % (20 * 86_400),
                kind: ["view", "cart", "purchase", "remove_from_cart"][(mixed >> 13) as usize % 4],
                product: (mixed >> 8) as u8,
                price: (n % 7 != 0).then_some(n % 10_000),
                quantity: 1,
                order: None,
            }
        })
        .collect()
}

#[test]
fn what_the_store_lacks_is_named_and_no_table_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("events.csv"), folder.path().join("t.parquet"));
    fs::write(&file, "t,e\n2019-10-01,view\n").unwrap();
    let mapping = cip::ingest::SourceMapping::from_toml(
        "name = \"bare\"\n[columns]\nevent_time = { from = \"t\", type = \"timestamp\" }\nevent_type = { from = \"e\", type = \"dictionary\" }\n",
    )
    .unwrap();
    let (store, _) = Ingest::new(mapping).run(&[file], &folder.path().join("store"), &mut |_| ()).unwrap();
    let error = Line::new(&store).write_sessions(SessionRule::default(), &out).unwrap_err();
    assert!(matches!(error, LineError::Core(_)) && error.to_string().contains("user_id"), "{error}");
    assert!(Rfm::new("2019-11-01".parse().unwrap(), store.schema()).is_err());
    assert!(!out.exists());
    assert_eq!(Line::new(&store).write_rejects(&out).unwrap(), 0);
}
