//! Rows that share what they say of a product, and rows that say it each for itself, become the same store.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{Action, Expectation};

const HEADER: &str =
    "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n";
/// The same columns, but with those of a product in another order.
const OTHER_HEADER: &str =
    "event_time,event_type,brand,product_id,category_id,category_code,price,user_id,user_session\n";

fn bytes_of(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(bytes_of(&path));
        } else {
            files.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    files
}

/// Ingests files of these texts both ways; returns the report and whether what products share had room.
fn both_ways(texts: &[String], ingest: &Ingest) -> (Result<IngestReport, String>, bool) {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = (0..texts.len()).map(|n| folder.path().join(format!("{n}.csv"))).collect();
    files.iter().zip(texts).for_each(|(file, text)| std::fs::write(file, text).unwrap());
    let sources: Arc<[Source]> = find_sources(&files, &Stores::default()).unwrap().into();
    let rules = ingest.rules(Extent::Whole).unwrap();
    let plan = ingest.plan(rules.as_deref(), &sources).unwrap();
    let target = folder.path().join("store");
    let run = |attribute_use| {
        let done = ingest.run_with(attribute_use, rules.as_ref(), &sources, &plan, &target, &mut |_| ());
        (done.map(|done| done.map(|(_, report)| report)), bytes_of(folder.path()))
    };
    let (alone, expected) = run(AttributeUse::InEachRow);
    let alone = alone.map(Option::unwrap).map_err(|error| error.to_string());
    let mut all_fit = true;
    for attribute_use in [AttributeUse::Offers, AttributeUse::Products] {
        let (shared, found) = run(attribute_use);
        match shared.map_err(|error| error.to_string()) {
            Ok(None) => {
                all_fit = false;
                continue;
            }
            Ok(Some(shared)) => assert_eq!(Ok(&shared), alone.as_ref()),
            Err(error) => assert_eq!(Err(error), alone.as_ref().map(|_| ()).map_err(String::clone)),
        }
        assert!(expected == found, "the stores differ: {attribute_use:?}");
    }
    (alone, all_fit)
}

fn ingest() -> Ingest {
    Ingest::new(SourceMapping::built_in("rees46").unwrap())
}

/// A contract of what products share, and of rows that repeat it.
fn contract() -> Contract {
    let parts = Contract::builder("shared")
        .with_expectation(Expectation::not_null("category", "category_id", Action::Warn))
        .with_expectation(Expectation::regex("code", "category_code", "a[^1]?|a,.*", Action::Drop))
        .with_expectation(Expectation::accepted_values(
            "brand",
            "brand",
            ["a0", "a1", "a,\"1"],
            Action::Quarantine,
        ))
        .with_expectation(
            Expectation::range("low", "category_id", Action::Warn).with_max(2_053_013_555_631_882_652_i64),
        )
        .with_expectation(Expectation::range("dear", "price", Action::Drop).with_max(2))
        .with_expectation(Expectation::range("known", "product_id", Action::Quarantine).with_max(3))
        .with_expectation(Expectation::null_rate("nulls", "brand", Action::Warn).with_max(0.1))
        .with_expectation(Expectation::unique(
            "once",
            &["brand", "category_id", "user_id", "price"],
            Action::Quarantine,
        ));
    parts.build().unwrap()
}

/// A row, with the brand in one of two places; some say the same in quotes, some are wrong.
fn row(brand_first: bool) -> impl Strategy<Value = String> {
    let category = prop_oneof![
        8 => (0..4).prop_map(|n| format!("205301355563188265{n}")),
        1 => Just(String::new()),
        1 => Just("x".to_owned()),
    ];
    let name = || {
        prop_oneof![
            6 => (0..3).prop_map(|n| format!("a{n}")),
            1 => Just(String::new()),
            1 => Just("\"a1\"".to_owned()),
            1 => Just("\"a,\"\"1\"".to_owned()),
            1 => Just("a very long name of something that is made of more than sixty-four bytes".to_owned()),
        ]
    };
    let end = prop_oneof![9 => Just("\n"), 1 => Just("\r\n")];
    (0u32..60, 1u32..5, category, name(), name(), 1u32..4, 1u32..9, end).prop_map(
        move |(second, product, category, code, brand, price, user, end)| {
            let attributes = if brand_first {
                format!("{brand},{product},{category},{code}")
            } else {
                format!("{product},{category},{code},{brand}")
            };
            format!("2019-10-01 00:00:{second:02} UTC,view,{attributes},{price}.50,{user},{end}")
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn shared_attributes_make_the_same_store(
        plain in proptest::collection::vec(row(false), 1..60),
        other in proptest::collection::vec(row(true), 0..30),
        workers in 1usize..3,
        chunk in 60usize..900,
        agreed: bool,
    ) {
        let ingest = if agreed { ingest().with_contract(contract()) } else { ingest() };
        let ingest = ingest
            .with_threads(NonZeroUsize::new(workers).unwrap())
            .with_chunk_bytes(NonZeroUsize::new(chunk).unwrap());
        let texts = [HEADER.to_owned() + &plain.concat(), OTHER_HEADER.to_owned() + &other.concat()];
        let (_, fits) = both_ways(&texts, &ingest);
        prop_assert!(fits);
    }
}

#[test]
fn more_attributes_than_there_is_room_for_are_kept_by_each_row() {
    let rows: String = (0..140_000)
        .map(|n| format!("2019-10-01 00:00:00 UTC,view,{n},{n},,b,1.00,{},\n", n % 900))
        .collect();
    let budget = MemoryBudget::from_mib(112);
    let ingest = ingest().with_memory(budget).with_threads(NonZeroUsize::MIN);
    let texts = [HEADER.to_owned() + &rows];
    let (report, fits) = both_ways(&texts, &ingest);
    assert!(!fits, "the test wants more attributes");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("0.csv");
    std::fs::write(&file, &texts[0]).unwrap();
    let (store, again) = ingest.run(&[file], &folder.path().join("store"), &mut |_| ()).unwrap();
    assert_eq!(Ok(again), report);
    assert_eq!(store.manifest().account().events, 140_000);
}
