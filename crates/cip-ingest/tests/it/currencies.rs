//! Events by currency: the manifest says how many there are in each, whatever happens to the store.

use std::path::{Path, PathBuf};

use cip_ingest::{ChangedFiles, Compaction, Erasure, Ingest, IngestError, MappingError, SourceMapping};
use cip_store::{CurrencyCount, CurrencyCounts, EventStore, StoreError};
use proptest::prelude::*;

use crate::{bytes_of, threads};

const CURRENCIES: [&str; 4] = ["EUR", "USD", "eur", ""];

/// A record of a shop that sells abroad.
#[derive(Debug, Clone)]
struct Sale {
    user: u32,
    second: u32,
    currency: &'static str,
    /// Hundredths; none is an empty field.
    price: Option<u32>,
    /// Whether its time can be read by the mapping, or only by the mended one.
    late: bool,
}

fn sale() -> impl Strategy<Value = Sale> {
    let currency = proptest::sample::select(&CURRENCIES[..]);
    (0u32..5, 0u32..9, currency, proptest::option::of(0u32..500), proptest::bool::weighted(0.1))
        .prop_map(|(user, second, currency, price, late)| Sale { user, second, currency, price, late })
}

/// `column` names the column of times: `t` has some that are none, `t2` has none of these.
fn mapping(column: &str) -> SourceMapping {
    SourceMapping::from_toml(&format!(
        "name = 'abroad'\n[columns]\nevent_time = {{ from = '{column}', type = 'timestamp' }}\n\
         event_type = {{ constant = 'purchase', type = 'dictionary' }}\n\
         user_id = {{ from = 'u', type = 'int64' }}\n\
         price = {{ from = 'p', type = 'money', scale = 2, nullable = true }}\n\
         currency = {{ from = 'c', type = 'dictionary', nullable = true }}\n"
    ))
    .unwrap()
}

fn write_day(folder: &Path, day: usize, sales: &[Sale]) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    let line = |Sale { user, second, currency, price, late }: &Sale| {
        let time = format!("2019-10-01 00:00:{second:02}");
        let price = price.map_or_else(String::new, |cents| format!("{}.{:02}", cents / 100, cents % 100));
        format!("{},{time},{user},{price},{currency}\n", if *late { "late" } else { &time })
    };
    // A record of its own makes the bytes of every day others.
    let own = Sale { user: 90 + day as u32, second: 0, currency: "EUR", price: Some(1), late: false };
    let file = folder.join(format!("day-{day}.csv"));
    let lines: String = sales.iter().chain([&own]).map(line).collect();
    std::fs::write(&file, format!("t,t2,u,p,c\n{lines}")).unwrap();
    file
}

/// Counts by the definition, with the own record of each day.
fn counted<'a>(days: impl IntoIterator<Item = &'a [Sale]>, counts: impl Fn(&Sale) -> bool) -> CurrencyCounts {
    let mut all: Vec<CurrencyCount> = Vec::new();
    for sales in days {
        let own = Sale { user: 90, second: 0, currency: "EUR", price: Some(1), late: false };
        for sale in sales.iter().chain([&own]).filter(|sale| counts(sale)) {
            all.push(CurrencyCount {
                currency: Some(sale.currency.to_owned()).filter(|currency| !currency.is_empty()),
                events: 1,
                amounts: u64::from(sale.price.is_some()),
            });
        }
    }
    all.into()
}

/// What the manifest says, after what it says was held to the events themselves.
fn said(store: &EventStore) -> CurrencyCounts {
    for source in store.manifest().sources() {
        assert_eq!(source.currencies.as_ref().unwrap().events(), source.account.events, "{}", source.name);
    }
    let said = store.currencies().unwrap().unwrap();
    for count in said.counts() {
        let Some(currency) = count.currency else { continue };
        let scan = store.scan(&["user_id"]).with_currency(&currency).unwrap();
        let batches = scan.partitions().into_iter().flat_map(|part| part.batches().unwrap());
        let events: usize = batches.map(|events| events.unwrap().len()).sum();
        assert_eq!((events as u64, said.events_in(&currency)), (count.events, count.events));
        assert_eq!(store.events_of_other_currencies(&currency).unwrap(), said.events() - count.events);
    }
    said
}

/// Takes the counts out of a manifest, as it was written before there were any.
fn make_old(store: &Path) {
    let path = store.join("manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for commit in manifest["commits"].as_array_mut().unwrap() {
        for source in commit["sources"].as_array_mut().unwrap() {
            source.as_object_mut().unwrap().remove("currencies").unwrap();
        }
    }
    std::fs::write(&path, serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_counts_are_those_of_the_events_through_all_that_a_store_may_meet(
        days in proptest::collection::vec((proptest::collection::vec(sale(), 0..20), 0usize..3), 1..5),
        changed in proptest::option::of(proptest::collection::vec(sale(), 0..20)),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut sales: Vec<Vec<Sale>> = days.iter().map(|(sales, _)| sales.clone()).collect();
        let ingest = Ingest::new(mapping("t")).with_threads(threads(2));
        let mut files: Vec<PathBuf> =
            sales.iter().enumerate().map(|(day, sales)| write_day(&at("days"), day, sales)).collect();
        for commit in 0..3 {
            let of_commit: Vec<PathBuf> = files.iter().zip(&days)
                .filter(|(_, day)| day.1 == commit)
                .map(|(file, _)| file.clone())
                .collect();
            if !of_commit.is_empty() {
                ingest.append(&of_commit, &at("store"), &mut |_| ()).unwrap();
            }
        }
        if let Some(changed) = changed {
            sales[0] = changed;
            sales[0].push(Sale { user: 4, second: 8, currency: "USD", price: None, late: false });
            files[0] = write_day(&at("changed"), 0, &sales[0]);
            ingest.clone()
                .with_changed_files(ChangedFiles::Replace)
                .append(&files[..1], &at("store"), &mut |_| ())
                .unwrap();
        }
        let of = |sales: &[Vec<Sale>], counts: &dyn Fn(&Sale) -> bool| {
            counted(sales.iter().map(Vec::as_slice), counts)
        };
        let store = EventStore::open(&at("store")).unwrap();
        let expected = of(&sales, &|sale| !sale.late);
        prop_assert_eq!(&said(&store), &expected);
        let amounts = expected.counts().filter(|count| count.amounts > 0).count();
        prop_assert_eq!(store.check_one_currency().is_err(), amounts > 1);

        // What is not in the manifest is read.
        let kept = std::fs::read(at("store").join("manifest.json")).unwrap();
        make_old(&at("store"));
        let old = EventStore::open(&at("store")).unwrap();
        prop_assert_eq!(old.currencies().unwrap().unwrap(), expected);
        std::fs::write(at("store").join("manifest.json"), kept).unwrap();

        // Rejects that become events are counted as well.
        let (replayed, _) = Ingest::new(mapping("t2")).replay(&at("store"), &mut |_| ()).unwrap();
        prop_assert_eq!(&said(&replayed), &of(&sales, &|_| true));

        // Who is erased is not counted any more.
        let (erased, _) = Erasure::new(["3"]).run(&at("store")).unwrap();
        let left = of(&sales, &|sale| sale.user != 3);
        prop_assert_eq!(&said(&erased), &left);

        // A compacted store says the same, and one ingest of all files says it in the same bytes.
        let (compacted, _) = Compaction::new().run(&at("store"), &mut |_| ()).unwrap();
        prop_assert_eq!(&said(&compacted), &left);
        let (whole, _) = Ingest::new(mapping("t2")).run(&files, &at("whole"), &mut |_| ()).unwrap();
        prop_assert_eq!(&said(&whole), &of(&sales, &|_| true));
        if sales.iter().flatten().all(|sale| sale.user != 3) {
            prop_assert_eq!(bytes_of(&at("store")), bytes_of(&at("whole")));
        }
    }
}

fn store_of(folder: &Path, sales: &[Sale]) -> EventStore {
    let file = write_day(&folder.join("days"), 0, sales);
    Ingest::new(mapping("t")).run(&[file], &folder.join("store"), &mut |_| ()).unwrap().0
}

fn sold(currency: &'static str, price: Option<u32>) -> Sale {
    Sale { user: 1, second: 1, currency, price, late: false }
}

#[test]
fn amounts_in_two_currencies_are_mixed_and_events_without_an_amount_are_not() {
    for (sales, mixed) in [
        (vec![], None),
        (vec![sold("EUR", Some(100)), sold("EUR", None)], None),
        (vec![sold("USD", None), sold("", None)], None),
        (
            vec![sold("USD", Some(0))],
            Some("`EUR` (1 events, all with an amount), `USD` (1 events, all with an amount)"),
        ),
        // In which currency is it?
        (
            vec![sold("", Some(5))],
            Some("`EUR` (1 events, all with an amount), none named (1 events, all with an amount)"),
        ),
        // Letters count: nobody knows what the source means by them.
        (
            vec![sold("eur", Some(5)), sold("eur", None)],
            Some("`EUR` (1 events, all with an amount), `eur` (2 events, 1 with an amount)"),
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = store_of(folder.path(), &sales);
        match (store.check_one_currency(), mixed) {
            (Ok(()), None) => {}
            (Err(StoreError::MixedCurrencies { found, .. }), Some(said)) => {
                assert_eq!(found.to_string(), said);
            }
            (found, _) => panic!("{sales:?}: {found:?}"),
        }
    }
}

#[test]
fn a_second_currency_may_come_with_a_later_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_of(folder.path(), &[sold("EUR", Some(1))]);
    store.check_one_currency().unwrap();
    let file = write_day(&folder.path().join("days"), 1, &[sold("USD", Some(2))]);
    let (store, _) = Ingest::new(mapping("t")).append(&[file], store.path(), &mut |_| ()).unwrap();
    let error = store.check_one_currency().unwrap_err().to_string();
    assert!(error.ends_with("read one with --currency, such as --currency EUR"), "{error}");
    assert_eq!(store.events_of_other_currencies("USD").unwrap(), 3);
}

#[test]
fn a_currency_that_is_not_there_is_refused_with_those_that_are() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_of(folder.path(), &[]);
    let error = store.events_of_other_currencies("GBP").unwrap_err().to_string();
    assert!(
        error.contains("no event in the currency `GBP`: expected one of its own (`EUR` (1 events"),
        "{error}"
    );

    let (_folder, without, _) =
        crate::ingest_text(format!("{}\n2019-10-01,view,1,2,,,3,4,\n", crate::HEADER)).unwrap();
    assert_eq!(without.currencies().unwrap(), None);
    without.check_one_currency().unwrap();
    assert!(without.manifest().sources().all(|source| source.currencies.is_none()));
    let error = without.events_of_other_currencies("EUR").unwrap_err().to_string();
    assert!(error.contains("expected one of its own (none)"), "{error}");
    let error = without.scan(&["price"]).with_currency("EUR").unwrap_err().to_string();
    assert!(error.contains("column `currency` is missing"), "{error}");
}

#[test]
fn a_currency_is_a_text_that_repeats() {
    let toml = "name = 'x'\n[columns]\nevent_time = { from = 't', type = 'timestamp' }\n\
                event_type = { from = 'e', type = 'dictionary' }\ncurrency = { from = 'c', type = 'utf8' }\n";
    let error: MappingError = SourceMapping::from_toml(toml).unwrap_err();
    let error = IngestError::from(error).to_string();
    assert!(
        error.contains("column `currency` is mapped as Utf8, but the store keeps it as Dictionary"),
        "{error}"
    );
}
