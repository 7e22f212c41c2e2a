//! The public files that `CIP_DATA` points to; skipped, saying so, where it is unset.

use std::path::PathBuf;

use cip_core::MemoryBudget;
use cip_ingest::{
    Action, Compaction, Contract, Expectation, Ingest, LengthUnit, QualityReport, SourceMapping,
};
use cip_store::EventStore;

use crate::contracts::rejects;
use crate::{event_lines, rees46};

#[expect(clippy::print_stdout, reason = "a test that skips says so")]
fn data(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("CIP_DATA") else {
        println!("skipped: CIP_DATA is not set, so there is no {name}");
        return None;
    };
    Some(PathBuf::from(folder).join(name))
}

/// Counts of the head of the October 2019 clickstream, recomputed from the file with standard text tools.
#[test]
fn the_store_clickstream_is_read_to_the_last_whole_row() {
    let Some(file) = data("rees46_2019-Oct-head.csv") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (store, report) = Ingest::new(rees46())
        .run(std::slice::from_ref(&file), &folder.path().join("store"), &mut |_| ())
        .unwrap();
    assert_eq!(report.account.rows, 17_435);
    assert_eq!(report.account.events, 17_434);
    assert_eq!(report.account.rejects.iter().collect::<Vec<_>>(), [(&"field_count".to_owned(), &1)]);
    let statistics = store.statistics(MemoryBudget::from_mib(64)).unwrap();
    assert_eq!(statistics.users, 4_504);
    assert_eq!(statistics.source_sessions, 5_066);
    assert_eq!(statistics.session_codes, 5_067, "one session id is shared by two users");
    assert_eq!(statistics.products, 6_493);
    store.verify().unwrap();

    let reject = store.rejects().unwrap().unwrap().next().unwrap().unwrap();
    let number = |name: &str| {
        use arrow_array::cast::AsArray;
        reject.column_by_name(name).unwrap().as_primitive::<arrow_array::types::UInt64Type>().value(0)
    };
    assert_eq!(number("line"), 17_436);
    assert_eq!(number("byte_end"), std::fs::metadata(&file).unwrap().len());

    // Nothing but the order is changed: the same rows by a plain reading of the file.
    let text = std::fs::read_to_string(&file).unwrap();
    let mut expected: Vec<(i64, String, usize, String)> = text
        .lines()
        .enumerate()
        .skip(1)
        .take(17_434)
        .map(|(line, text)| {
            let f: Vec<&str> = text.trim_end_matches('\r').split(',').collect();
            let time: cip_core::Timestamp = f[0].replace(" UTC", "Z").replace(' ', "T").parse().unwrap();
            let cents = f[6].replace('.', "").parse::<i64>().unwrap();
            let event = format!(
                "{},{},{},{},{},{},{},{cents},{},rees46_2019-Oct-head.csv",
                f[7],
                time.micros(),
                f[1],
                f[2],
                f[3],
                f[4],
                f[5],
                f[8]
            );
            (f[7].parse().unwrap(), time.to_string(), line, event)
        })
        .collect();
    expected.sort();
    let expected: Vec<String> = expected.into_iter().map(|(_, _, _, event)| event).collect();
    assert_eq!(event_lines(&store), expected);
}

#[test]
fn a_year_of_daily_retail_files_adds_up() {
    let Some(source) = data("online_retail_daily") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mapping = SourceMapping::built_in("online-retail").unwrap();
    let (store, report) =
        Ingest::new(mapping).run(&[source], &folder.path().join("store"), &mut |_| ()).unwrap();
    assert_eq!(report.files, 305);
    assert_eq!(report.account.rows, 541_909);
    assert_eq!(report.account.events, 541_909);
    let commit = &store.manifest().commits[0];
    assert_eq!(commit.events_without_user, 135_080);
    assert_eq!(commit.users, 4_372);
    store.verify().unwrap();
}

/// What each expectation counted: checked, nulls, violations, warned, dropped, quarantined.
fn counts(report: &QualityReport) -> Vec<(&str, [u64; 6])> {
    let counts = report.expectations.iter().map(|found| {
        let counts =
            [found.checked, found.nulls, found.violations, found.warned, found.dropped, found.quarantined];
        (found.name.as_str(), counts)
    });
    counts.collect()
}

/// Counts by DuckDB 2.0.1 over the same files, read as text: `InvoiceNo like 'C%'`, `length(InvoiceNo)`,
/// `regexp_full_match(StockCode, …)`, `cast(Quantity as bigint) <= 0`, `cast(UnitPrice as decimal(18, 3)) < 0`, each by
/// itself, and the first of them that is true.
#[test]
fn the_retail_contract_finds_what_a_database_finds() {
    let Some(source) = data("online_retail_daily") else { return };
    let folder = tempfile::tempdir().unwrap();
    let run = |contract: Contract| {
        let ingest = Ingest::new(SourceMapping::built_in("online-retail").unwrap()).with_contract(contract);
        ingest.run(std::slice::from_ref(&source), &folder.path().join("store"), &mut |_| ()).unwrap()
    };
    let (store, report) = run(Contract::built_in("retail").unwrap());
    let quality = report.quality.unwrap();
    assert_eq!((quality.bronze, quality.silver, quality.gold), (541_909, 531_282, 531_282));
    assert_eq!(
        counts(&quality),
        [
            ("cancellation", [541_909, 0, 9_288, 0, 9_288, 0]),
            ("date_given", [541_909, 0, 0, 0, 0, 0]),
            ("invoice_length", [541_909, 0, 0, 0, 0, 0]),
            ("stock_code_known", [541_909, 0, 1, 0, 0, 1]),
            ("quantity_positive", [541_909, 0, 10_624, 0, 0, 1_336]),
            ("price_not_negative", [541_909, 0, 2, 0, 0, 2]),
        ]
    );
    assert_eq!(report.account.drops["cancellation"], 9_288);
    assert_eq!((report.account.rejects["regex"], report.account.rejects["range"]), (1, 1_338));
    let rejects = rejects(&store);
    assert_eq!(rejects.len(), 1_339);
    let code = rejects.iter().find(|reject| reject.reason == "regex").unwrap();
    assert!(
        code.detail.starts_with("stock_code_known: `m` is not as expected: matching [0-9]{5}"),
        "{code:?}"
    );
    let adjustment = rejects.iter().find(|reject| reject.column.as_deref() == Some("UnitPrice")).unwrap();
    assert_eq!(adjustment.detail, "price_not_negative: `-11062.060` is not as expected: >= 0");
    store.verify().unwrap();

    // `count(*)` without `select distinct InvoiceNo, StockCode, Quantity, UnitPrice, InvoiceDate`; rows without a customer;
    // the newest event is of 2011-12-09 12:50:00.
    let contract = Contract::builder("more")
        .with_expectation(Expectation::unique(
            "line",
            &["order_id", "product_id", "quantity", "price", "event_time"],
            Action::Quarantine,
        ))
        .with_expectation(Expectation::null_rate("customer", "user_id", Action::Warn).with_max(0.2))
        .with_expectation(Expectation::freshness("fresh", "12h", Action::Fail))
        .with_expectation(Expectation::not_null("described", "description", Action::Warn))
        .build()
        .unwrap();
    let quality = run(contract.with_as_of("2011-12-10".parse().unwrap())).1.quality.unwrap();
    assert_eq!(quality.silver, 541_909 - 5_270);
    assert_eq!(counts(&quality)[0], ("line", [541_909, 0, 5_270, 0, 0, 5_270]));
    assert_eq!(quality.expectations[2].observed.as_deref(), Some("2011-12-09T12:50:00Z"));
    assert_eq!(quality.expectations[3].violations, 1_454);
    assert!(!quality.expectations[1].holds && quality.expectations[2].holds);
}

/// Counts by DuckDB 2.0.1 over the same file, read as text without its last row, which is cut: of each condition by itself, and
/// of rows without the distinct ones.
#[test]
fn the_commerce_contract_finds_what_a_database_finds() {
    let Some(file) = data("rees46_2019-Oct-head.csv") else { return };
    let folder = tempfile::tempdir().unwrap();
    let run = |contract: Contract| {
        let ingest = Ingest::new(rees46()).with_contract(contract);
        let done = ingest.run(std::slice::from_ref(&file), &folder.path().join("store"), &mut |_| ());
        done.unwrap().1.quality.unwrap()
    };
    let quality = run(Contract::built_in("commerce").unwrap());
    assert_eq!((quality.bronze, quality.silver, quality.gold), (17_435, 17_434, 17_434));
    assert!(quality.expectations.iter().all(|found| found.holds && found.checked == 17_434));

    let warn = Action::Warn;
    let event = ["event_time", "event_type", "product_id", "user_id", "source_session"];
    let contract = Contract::builder("more")
        .with_expectation(Expectation::range("for_nothing", "price", warn).with_above(0))
        .with_expectation(Expectation::length("short", "brand", LengthUnit::Characters, warn).with_min(3))
        .with_expectation(Expectation::regex("dotted", "category_code", "[a-z_]+([.][a-z_]+)*", warn))
        .with_expectation(Expectation::accepted_values("big", "brand", ["samsung", "apple", "xiaomi"], warn))
        .with_expectation(
            Expectation::range("early", "category_id", warn).with_max(2_053_013_560_000_000_000_i64),
        )
        .with_expectation(Expectation::unique("event", &event, Action::Drop))
        .build()
        .unwrap();
    let quality = run(contract);
    assert_eq!(quality.silver, 17_434 - 5);
    let found: Vec<_> = quality.expectations.iter().map(|found| (found.nulls, found.violations)).collect();
    assert_eq!(found, [(0, 19), (2_477, 517), (5_746, 0), (2_477, 10_032), (0, 5_534), (0, 5)]);
}

/// The 305 daily files of a shop in ten commits: sessions of customers, orders and ties go over the borders.
#[test]
fn a_year_of_daily_retail_files_in_ten_commits_is_one() {
    let Some(days) = data("online_retail_daily") else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&days).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_string_lossy().contains(".csv"));
    files.sort();
    assert_eq!(files.len(), 305);
    let ingest = Ingest::new(SourceMapping::built_in("online-retail").unwrap());
    let (whole, _) = ingest.run(&files, &at("whole"), &mut |_| ()).unwrap();
    // Every tenth file a commit, the last commit first: all of them span the whole year.
    for commit in (0..10).rev() {
        let of_commit: Vec<PathBuf> = files.iter().skip(commit).step_by(10).cloned().collect();
        let (_, report) = ingest.append(&of_commit, &at("commits"), &mut |_| ()).unwrap();
        assert_eq!((report.files, report.files_taken), (of_commit.len(), 0));
    }
    let commits = EventStore::open(&at("commits")).unwrap();
    let counts = |store: &EventStore| {
        let counted = store.statistics(MemoryBudget::from_mib(64)).unwrap();
        (counted.events, counted.users, counted.events_without_user, counted.products)
    };
    assert_eq!(counts(&commits), counts(&whole));
    assert_eq!(commits.manifest().account(), whole.manifest().account());
    Compaction::new().run(&at("commits"), &mut |_| ()).unwrap();
    assert!(crate::bytes_of(&at("commits")) == crate::bytes_of(&at("whole")));
}

/// Rows of both files, and the sum of the dollars in the master, recomputed from the files with standard text tools.
#[test]
fn cdnow_is_read_with_and_without_its_header() {
    for (name, rows) in [("CDNOW_master.txt", 69_659), ("CDNOW_sample.txt", 6_919)] {
        let Some(file) = data(name) else { return };
        let folder = tempfile::tempdir().unwrap();
        let mapping = SourceMapping::built_in("cdnow").unwrap();
        let target = folder.path().join("store");
        let (store, report) = Ingest::new(mapping).run(&[file], &target, &mut |_| ()).unwrap();
        assert_eq!((report.account.rows, report.account.events), (rows, rows));
        let users = store.statistics(MemoryBudget::from_mib(64)).unwrap().users;
        assert_eq!(users, if rows == 6_919 { 2_357 } else { 23_570 });
    }
}
