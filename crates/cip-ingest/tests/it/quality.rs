//! The table of what contracts found: the reports that the store keeps, row for row.

use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, UInt32Type};
use arrow_array::{Array, RecordBatch};
use cip_core::table;
use cip_ingest::{Compaction, Contract, Ingest, IngestError, QualityHistory};
use cip_store::{EventStore, read_table};
use proptest::prelude::*;

use crate::{HEADER, rees46};

const CONTRACT: &str = "name = 'shop'
[[expectations]]
name = 'known'
expect = 'accepted_values'
column = 'event_type'
values = ['view', 'cart']
action = 'quarantine'
[[expectations]]
name = 'priced'
expect = 'range'
column = 'price'
above = 0
action = 'warn'
[[expectations]]
name = 'once'
expect = 'unique'
columns = ['user_id', 'event_time']
action = 'drop'
[[expectations]]
name = 'some'
expect = 'row_count'
min = 3
action = 'warn'
[[expectations]]
name = 'branded'
expect = 'null_rate'
column = 'brand'
max = 0.5
action = 'warn'
";

fn record() -> impl Strategy<Value = String> {
    let kind = prop_oneof![4 => Just("view"), 1 => Just("look")];
    let good =
        (0u32..6, kind, -1i32..3, 0u32..3, any::<bool>()).prop_map(|(second, kind, price, user, brand)| {
            let brand = if brand { "aqua" } else { "" };
            format!("2019-10-01 00:00:{second:02} UTC,{kind},1,2,,{brand},{price},{user},")
        });
    prop_oneof![9 => good, 1 => Just("cut".to_owned())]
}

fn write_day(folder: &Path, day: usize, records: &[String]) -> PathBuf {
    let file = folder.join(format!("day-{day}.csv"));
    let own = format!("2019-10-02 00:00:00 UTC,view,{day},2,,,1,9,");
    std::fs::write(&file, format!("{HEADER}\n{}\n{own}\n", records.join("\n"))).unwrap();
    file
}

/// A row of the table as it should be, by the report as the manifest has it.
fn expected(commit: u32, number: usize, report: &serde_json::Value) -> Vec<Vec<String>> {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::Null => "-".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let of_expectation = |found: &serde_json::Value| {
        let columns: Vec<String> = found["columns"].as_array().unwrap().iter().map(text).collect();
        let [checked, failed] = ["checked", "violations"].map(|name| found[name].as_u64().unwrap());
        let mut row = vec![commit.to_string(), number.to_string()];
        row.extend(["contract", "bronze", "silver", "gold"].map(|name| text(&report[name])));
        row.extend(["name", "expect"].map(|name| text(&found[name])));
        row.push(if columns.is_empty() { "-".to_owned() } else { columns.join(", ") });
        let counts =
            ["action", "checked", "nulls", "passed", "violations", "warned", "dropped", "quarantined"];
        row.extend(counts.map(|name| text(&found[name])));
        row.push(if checked > 0 { (failed as f64 / checked as f64).to_string() } else { "-".to_owned() });
        row.push(text(&found["observed"]));
        row.push(if found["holds"] == true { "holds" } else { "violated" }.to_owned());
        row
    };
    report["expectations"].as_array().unwrap().iter().map(of_expectation).collect()
}

fn lines(batch: &RecordBatch) -> Vec<Vec<String>> {
    assert_eq!(batch.schema().fields(), table::quality().fields());
    let text = |array: &dyn Array, row: usize| {
        if array.is_null(row) {
            return "-".to_owned();
        }
        if let Some(texts) = array.as_string_opt::<i32>() {
            texts.value(row).to_owned()
        } else if let Some(texts) = array.as_dictionary_opt::<Int32Type>() {
            texts.values().as_string::<i32>().value(texts.keys().value(row) as usize).to_owned()
        } else if let Some(counts) = array.as_primitive_opt::<Int64Type>() {
            counts.value(row).to_string()
        } else if let Some(numbers) = array.as_primitive_opt::<UInt32Type>() {
            numbers.value(row).to_string()
        } else {
            array.as_primitive::<Float64Type>().value(row).to_string()
        }
    };
    let row = |row| batch.columns().iter().map(|column| text(column.as_ref(), row)).collect();
    (0..batch.num_rows()).map(row).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_table_says_what_the_manifest_says(
        days in proptest::collection::vec((proptest::collection::vec(record(), 0..20), any::<bool>()), 1..4),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        let plain = Ingest::new(rees46());
        let contracted = plain.clone().with_contract(Contract::from_toml(CONTRACT).unwrap());
        for (day, (records, under_contract)) in days.iter().enumerate() {
            let ingest = if *under_contract { &contracted } else { &plain };
            ingest.append(&[write_day(folder.path(), day, records)], &store, &mut |_| ()).unwrap();
        }
        let check = |store: &EventStore| {
            let mut rows = Vec::new();
            for commit in &store.manifest().commits {
                for (index, kept) in commit.quality.iter().enumerate() {
                    rows.extend(expected(commit.id, index + 1, &kept["report"]));
                }
            }
            let path = folder.path().join("quality.parquet");
            let history = QualityHistory::of(store).unwrap();
            assert_eq!(history.write(&path).unwrap(), rows.len() as u64);
            let written: Vec<_> = read_table(&path).unwrap().flat_map(|batch| lines(&batch.unwrap())).collect();
            assert_eq!(written, rows);
            assert_eq!(lines(&history.record_batch().unwrap()), rows);
            rows.len()
        };
        let reports = days.iter().filter(|(_, under_contract)| *under_contract).count();
        prop_assert_eq!(check(&EventStore::open(&store).unwrap()), 5 * reports);
        let (compacted, _) = Compaction::new().run(&store, &mut |_| ()).unwrap();
        prop_assert_eq!(check(&compacted), 5 * reports);
        let history = QualityHistory::of(&compacted).unwrap();
        let places: Vec<_> = history.reports().iter().map(|kept| (kept.commit, kept.number)).collect();
        prop_assert_eq!(places, (1..=reports as u32).map(|number| (1, number)).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_no_report_is_refused_with_its_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let contract = Contract::from_toml(CONTRACT).unwrap();
    let file = write_day(folder.path(), 0, &[]);
    Ingest::new(rees46()).with_contract(contract).run(&[file], &store, &mut |_| ()).unwrap();
    let path = store.join("manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    manifest["commits"][0]["quality"][0]["report"]["gold"] = "much".into();
    std::fs::write(&path, manifest.to_string()).unwrap();
    let error = QualityHistory::of(&EventStore::open(&store).unwrap()).unwrap_err();
    assert!(matches!(error, IngestError::Report { commit: 1, .. }));
    assert!(
        error.to_string().starts_with("commit 1 keeps a quality report that cannot be read: "),
        "{error}"
    );
}
