//! Money of a store with several currencies: refused, or read one currency at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cip::basket::{Baskets, Pairs};
use cip::core::{MemoryBudget, TimeRange};
use cip::features::{Feature, Features};
use cip::ingest::{Ingest, SourceMapping};
use cip::line::{Line, LineError};
use cip::rfm::Rfm;
use cip::sessionize::{Funnel, SessionRule};
use cip::store::{EventStore, StoreError};
use proptest::prelude::*;

use crate::laws::row;
use crate::source::Row;
use crate::threads;

const CURRENCIES: [&str; 3] = ["EUR", "USD", ""];

fn mapping() -> SourceMapping {
    SourceMapping::from_toml(
        "name = 'abroad'\n[columns]\nevent_time = { from = 't', type = 'timestamp' }\n\
         event_type = { from = 'e', type = 'dictionary' }\nuser_id = { from = 'u', type = 'int64' }\n\
         product_id = { from = 'p', type = 'int64' }\norder_id = { from = 'o', type = 'int64', nullable = true }\n\
         price = { from = 'm', type = 'money', scale = 2, nullable = true }\n\
         currency = { from = 'c', type = 'dictionary', nullable = true }\n",
    )
    .unwrap()
}

fn ingest(folder: &Path, files: &[Vec<(Row, &str)>]) -> EventStore {
    fs::create_dir_all(folder).unwrap();
    let store = folder.join("store");
    for (n, rows) in files.iter().enumerate() {
        let mut text = "t,e,u,p,o,m,c\n".to_owned();
        for (row, currency) in rows {
            let time = format!(
                "2019-10-{:02} {:02}:{:02}:00",
                row.time / 86_400 + 1,
                row.time / 3_600 % 24,
                row.time / 60 % 60
            );
            let price =
                row.price.map_or_else(String::new, |cents| format!("{}.{:02}", cents / 100, cents % 100));
            let order = row.order.map_or_else(String::new, |order| order.to_string());
            let user = row.user.unwrap_or_default();
            text.push_str(&format!(
                "{time},{},{user},{},{order},{price},{currency}\n",
                row.kind, row.product
            ));
        }
        let file: PathBuf = folder.join(format!("{n}.csv"));
        fs::write(&file, format!("{text}{}", "\n".repeat(n))).unwrap();
        Ingest::new(mapping()).append(&[file], &store, &mut |_| ()).unwrap();
    }
    EventStore::open(&store).unwrap()
}

/// A table that is made of a store: its bytes, or why it could not be written, and whether it has money.
struct Made {
    name: &'static str,
    table: Result<Vec<u8>, LineError>,
    money: bool,
}

/// Every table that is made of a store.
fn tables(line: Line<'_>, store: &EventStore, path: &Path) -> Vec<Made> {
    let day = |day: &str| format!("2019-10-{day}").parse().unwrap();
    let features = Features::new(TimeRange::new(day("01"), day("03")).unwrap(), store.schema()).unwrap();
    let counts = features.clone().with_columns(&[Feature::Views, Feature::ActiveDays]).unwrap();
    let rfm = Rfm::new(day("04"), store.schema()).unwrap();
    let baskets = Baskets::new(store.schema(), MemoryBudget::from_mib(64)).unwrap();
    let funnel = Funnel::new(["view", "cart", "purchase"], Duration::from_secs(86_400)).unwrap();
    let mut made = Vec::new();
    let mut keep = |name, written: Result<(), LineError>, money| {
        made.push(Made { name, table: written.map(|()| fs::read(path).unwrap()), money });
    };
    keep("sessions", line.write_sessions(SessionRule::default(), path).map(drop), true);
    keep("rfm", line.write_rfm(&rfm, path).map(drop), true);
    keep("features", line.write_features(&features, path).map(drop), true);
    keep("counts", line.write_features(&counts, path).map(drop), false);
    keep("pairs", line.write_pairs(&baskets, Pairs::new(1).unwrap(), path).map(drop), false);
    keep("funnel", line.write_funnel(&funnel, path).map(drop), false);
    made
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_currency_of_a_mixed_store_gives_what_a_store_of_it_alone_gives(
        files in proptest::collection::vec(
            proptest::collection::vec((row(), proptest::sample::select(&CURRENCIES[..])), 1..30), 1..4),
        threads_used in 1usize..4,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.parquet");
        let store = ingest(&folder.path().join("mixed"), &files);
        let line = Line::new(&store).with_threads(threads(threads_used));
        prop_assert_eq!(line.events_of_other_currencies(), None);
        let all: Vec<_> = files.iter().flatten().collect();
        let with_amounts = |code: &str| all.iter().any(|(row, currency)| *currency == code && row.price.is_some());
        let mixed = CURRENCIES.iter().filter(|code| with_amounts(code)).count() > 1;
        for Made { name, table, money } in tables(line, &store, &path) {
            match table {
                Err(LineError::Store(StoreError::MixedCurrencies { .. })) => prop_assert!(mixed && money, "{}", name),
                other => prop_assert!(other.is_ok() && !(mixed && money), "{}", name),
            }
        }
        for code in ["EUR", "USD"] {
            let events = all.iter().filter(|(_, currency)| *currency == code).count();
            if events == 0 {
                let error = line.with_currency(code).unwrap_err();
                let unknown = matches!(error, LineError::Store(StoreError::UnknownCurrency { .. }));
                prop_assert!(unknown, "{}", error);
                continue;
            }
            let line = line.with_currency(code).unwrap();
            prop_assert_eq!(line.events_of_other_currencies(), Some((all.len() - events) as u64));
            let of_code = |rows: &Vec<(Row, &'static str)>| -> Vec<(Row, &'static str)> {
                rows.iter().filter(|(_, currency)| *currency == code).cloned().collect()
            };
            let alone: Vec<_> = files.iter().map(of_code).filter(|rows| !rows.is_empty()).collect();
            let alone = ingest(&folder.path().join(code), &alone);
            let expected = tables(Line::new(&alone), &alone, &path);
            for (found, expected) in tables(line, &store, &path).into_iter().zip(expected) {
                prop_assert!(found.table.unwrap() == expected.table.unwrap(), "{} of {} differs", found.name, code);
            }
        }
    }
}

#[test]
fn a_table_that_is_refused_leaves_the_old_one() {
    let sold = |currency| {
        let row = Row {
            user: Some(1),
            time: 60,
            kind: "purchase",
            product: 1,
            price: Some(5),
            quantity: 1,
            order: None,
        };
        (row, currency)
    };
    let folder = tempfile::tempdir().unwrap();
    let store = ingest(folder.path(), &[vec![sold("EUR"), sold("EUR"), sold("USD"), sold("")]]);
    let path = folder.path().join("sessions.parquet");
    Line::new(&store).with_currency("EUR").unwrap().write_sessions(SessionRule::default(), &path).unwrap();
    let old = fs::read(&path).unwrap();
    let error = Line::new(&store).write_sessions(SessionRule::default(), &path).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "has amounts in several currencies, which are never summed: `EUR` (2 events, all with an amount), \
             `USD` (1 events, all with an amount), none named (1 events, all with an amount); \
             read one with --currency, such as --currency EUR"
        ),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), old);
}
