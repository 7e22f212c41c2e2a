//! `cip clv`: models of what customers buy and spend, from summaries and from stores.

use std::fs;
use std::path::Path;

use cip::arrow_array::RecordBatch;
use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::{Float64Type, Int64Type};
use cip::store::read_table;

use crate::real::data;
use crate::{args, bytes_of, cip, peak};

/// The CDNOW sample's triples, in weeks with two decimals as those that the published estimates were made from, and how many
/// customers have each.
fn triples() -> String {
    let rows = include_str!("../../../cip-rfm/tests/data/cdnow_repeats.csv");
    let mut text = "frequency,recency,T,customers\n".to_owned();
    for line in rows.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let values: Vec<u32> = line.split(',').map(|value| value.parse().unwrap()).collect();
        let weeks = |days: u32| f64::from(days) / 7.0;
        let (recency, age) = (weeks(values[1]), weeks(values[2]));
        text.push_str(&format!("{},{recency:.2},{age:.2},{}\n", values[0], values[3]));
    }
    text
}

fn batches(path: &Path) -> Vec<RecordBatch> {
    read_table(path).unwrap().map(Result::unwrap).collect()
}

fn numbers(batches: &[RecordBatch], name: &str) -> Vec<Option<f64>> {
    let column = |batch: &RecordBatch| {
        batch.column_by_name(name).unwrap().as_primitive::<Float64Type>().iter().collect::<Vec<_>>()
    };
    batches.iter().flat_map(column).collect()
}

fn counts(batches: &[RecordBatch], name: &str) -> Vec<i64> {
    let column = |batch: &RecordBatch| {
        batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec()
    };
    batches.iter().flat_map(column).collect()
}

#[test]
fn a_summary_gives_the_published_estimates() {
    let folder = tempfile::tempdir().unwrap();
    let (summary, out) = (folder.path().join("summary.csv"), folder.path().join("v.parquet"));
    fs::write(&summary, triples()).unwrap();
    let published = [
        ("bgnbd", vec![("r", 0.24259), ("alpha", 4.41353), ("a", 0.79289), ("b", 2.42576)], -9_582.425_56),
        ("mbgnbd", vec![("r", 0.52484), ("alpha", 6.18299), ("a", 0.89136), ("b", 1.61400)], -9_582.132_68),
        (
            "paretonbd",
            vec![("r", 0.5533), ("alpha", 10.5776), ("s", 0.6062), ("beta", 11.6679)],
            -9_594.973_93,
        ),
    ];
    for (model, parameters, log_likelihood) in published {
        let said =
            cip(args!["clv", summary, "--model", model, "--weight", "customers", "--out", out, "--json"]);
        let said = said.ok().json();
        assert_eq!(
            (&said["customers"], &said["distinct"], &said["horizon"]),
            (&2_357.into(), &1_016.into(), &52.into())
        );
        for (name, value) in &parameters {
            let found = said["params"][name].as_f64().unwrap();
            assert!((found - value).abs() < 1e-4, "{model} {name} {found}");
            assert!(said["standard_errors"][name].as_f64().unwrap() > 0.0);
        }
        assert_eq!(said["params"].as_object().unwrap().len(), 4);
        assert!((said["log_likelihood"].as_f64().unwrap() - log_likelihood).abs() < 1e-4, "{said}");
        let batch = batches(&out);
        let names: Vec<_> = batch[0].schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(
            names,
            [
                "user_id",
                "frequency",
                "recency",
                "T",
                "p_alive",
                "expected_purchases",
                "expected_spend",
                "clv",
                "monetary_value"
            ]
        );
        assert_eq!(counts(&batch, "frequency").len(), 1_016);
        assert!(numbers(&batch, "p_alive").iter().all(|p| (0.0..=1.0).contains(&p.unwrap())));
        assert!(numbers(&batch, "clv").iter().all(Option::is_none), "nothing is known of spend");
    }
}

#[test]
fn ids_spend_and_the_order_of_rows_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (summary, out) = (folder.path().join("summary.csv"), folder.path().join("v.parquet"));
    // Every triple once, whose spend is none of its own.
    let triples = triples();
    let mut text = "who,T,recency,frequency,monetary_value\n".to_owned();
    let mut rows = 0;
    for line in triples.lines().skip(1) {
        let values: Vec<&str> = line.split(',').collect();
        let spend = 10 + rows * 7 % 40;
        text.push_str(&format!("c{},{},{},{},{spend}.50\n", 9_999 - rows, values[2], values[1], values[0]));
        rows += 1;
    }
    fs::write(&summary, text).unwrap();
    let run = |more: &[&str]| {
        let mut all: Vec<String> =
            ["clv", summary.to_str().unwrap(), "--id", "who", "--json"].map(str::to_owned).to_vec();
        all.extend(more.iter().map(|arg| (*arg).to_owned()));
        cip(all)
    };
    let said = run(&["--model", "bgnbd", "--horizon", "10", "--out", out.to_str().unwrap()]).ok().json();
    let batch = batches(&out);
    let users = batch[0].column(0).as_string::<i32>();
    assert_eq!((users.value(0), users.value(rows - 1)), ("c9999", "c8984"));
    let frequency = counts(&batch, "frequency");
    let (expected, spend, value) =
        (numbers(&batch, "expected_purchases"), numbers(&batch, "expected_spend"), numbers(&batch, "clv"));
    let mean = said["spend"]["expected_spend"].as_f64().unwrap();
    for row in 0..rows {
        assert_eq!(value[row].unwrap(), expected[row].unwrap() * spend[row].unwrap(), "undiscounted");
        assert!(frequency[row] > 0 || spend[row] == Some(mean), "of no repeat the mean is expected");
    }
    let sum: f64 = value.iter().map(|value| value.unwrap()).sum();
    assert!((said["clv"].as_f64().unwrap() - sum).abs() < 1e-9 * sum);
    let discounted = run(&["--model", "bgnbd", "--horizon", "10", "--discount-rate", "0.01"]).ok().json();
    let share = discounted["clv"].as_f64().unwrap() / sum;
    assert!(0.9 < share && share < 1.0, "{share}");
    // The spend alone needs no times, and the first purchase may count.
    let alone = run(&["--model", "gammagamma"]).ok().json();
    assert_eq!(alone["params"], said["spend"]["params"]);
    assert_eq!((&alone["alive"], &alone["clv"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    let all = run(&["--model", "gammagamma", "--first-purchase", "include"]).ok().json();
    assert_eq!(all["customers"], rows);
    assert!(alone["customers"].as_u64().unwrap() < rows as u64);
    let repeaters = run(&["--model", "bgnbd", "--single-buyers", "drop"]).ok().json();
    assert_eq!(repeaters["customers"], alone["customers"]);
}

/// The high-end customers of Fader and Hardie (2007): who renewed how often of seven times.
#[test]
fn contracts_are_renewed_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let (summary, out) = (folder.path().join("summary.csv"), folder.path().join("v.parquet"));
    let left = [1_000, 869, 743, 653, 593, 551, 517, 491, 0];
    let rows: String = left
        .windows(2)
        .enumerate()
        .map(|(renewals, pair)| format!("{renewals},7,{},20\n", pair[0] - pair[1]))
        .collect();
    fs::write(&summary, format!("frequency,T,n,monetary_value\n{rows}")).unwrap();
    let said = cip(args![
        "clv",
        summary,
        "--model",
        "sbg",
        "--weight",
        "n",
        "--horizon",
        "5",
        "--out",
        out,
        "--json"
    ]);
    let said = said.ok().json();
    let published = |name: &str| format!("{:.3}", said["params"][name].as_f64().unwrap());
    assert_eq!((published("alpha").as_str(), published("beta").as_str()), ("0.668", "3.806"));
    assert_eq!(said["alive"], 491.0);
    let batch = batches(&out);
    let (alive, expected) = (numbers(&batch, "p_alive"), numbers(&batch, "expected_purchases"));
    assert_eq!((alive[6], expected[6], alive[7]), (Some(0.0), Some(0.0), Some(1.0)));
    assert!((numbers(&batch, "clv")[7].unwrap() - 20.0 * expected[7].unwrap()).abs() < 1e-12);
}

#[test]
fn what_no_model_can_be_of_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let summary = folder.path().join("summary.csv");
    let refuse = |text: &str, code: i32, what: &str, more: &[&str]| {
        fs::write(&summary, text).unwrap();
        let mut all: Vec<String> =
            ["clv", summary.to_str().unwrap(), "--model", "bgnbd"].map(str::to_owned).to_vec();
        all.extend(more.iter().map(|arg| (*arg).to_owned()));
        cip(all).fails(code, what);
    };
    let header = "frequency,recency,T\n";
    let row = |row: &str| format!("{header}1,2,3\n{row}\n");
    refuse(
        &row("1,4,3"),
        1,
        "summary.csv row 2: `frequency`: a customer has frequency 1, recency 4 and T 3",
        &[],
    );
    refuse(&row("1.5,2,3"), 1, "row 2: `frequency`: it is 1.5, expected a whole number of 0 or more", &[]);
    refuse(&row("-1,2,3"), 1, "row 2: `frequency`: it is -1", &[]);
    refuse(&row("1,NaN,3"), 1, "row 2: `recency`: it is NaN, expected a finite number", &[]);
    refuse(&row("1,2,"), 1, "row 2: `T`: it is missing", &[]);
    refuse(header, 1, "none of 0 customers has a repeat purchase", &[]);
    refuse("frequency,T\n1,2\n", 1, "recency", &[]);
    refuse(
        &row("0,0,3"),
        2,
        "--as-of, --calibrate-until, --unit and --currency go with a store",
        &["--unit", "day"],
    );
    refuse(&row("0,0,3"), 2, "the horizon is 0 periods, expected 1 to 10000", &["--horizon", "0"]);
    refuse(&row("0,0,3"), 2, "the discount rate a period is -1", &["--discount-rate=-1"]);
    refuse(&row("0,0,3"), 2, "a weight is 0, expected a finite number above 0", &["--weight", "recency"]);
    cip(args!["clv", folder.path(), "--model", "sbg"]).fails(2, "--model sbg needs a summary");
}

/// Of 800,000 customers the histories alone would take more than the budget.
#[test]
fn more_customers_than_fit_in_memory_are_read_twice() {
    const BUDGET: u64 = 64 << 20;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let triples = triples();
    let (header, rows) = triples.split_once('\n').unwrap();
    fs::write(at("many.csv"), format!("{header}\n{}", rows.repeat(800))).unwrap();
    let run = |memory: &str, threads: &str| {
        let out = at("v.parquet");
        let (said, peak) = peak(&args![
            "clv",
            at("many.csv"),
            "--model",
            "mbgnbd",
            "--out",
            out,
            "--json",
            "--memory",
            memory,
            "--threads",
            threads
        ]);
        (said.ok().stdout, fs::read(out).unwrap(), peak)
    };
    let (said, bytes, peak_bytes) = run("64MiB", "1");
    assert!(0 < peak_bytes && peak_bytes < BUDGET, "{peak_bytes} bytes");
    let (same, expected, _) = run("1GiB", "2");
    assert!(said == same && bytes == expected, "the budget or the threads change the answer");
    assert_eq!(crate::rows(&at("v.parquet")), 812_800);

    // No two are alike.
    let rows: String = (0..400_000).map(|row| format!("1,{row}.5,400000\n")).collect();
    fs::write(at("all.csv"), format!("frequency,recency,T\n{rows}")).unwrap();
    let args = args!["clv", at("all.csv"), "--model", "bgnbd", "--memory", "64MiB"];
    let (refused, peak_bytes) = peak(&args);
    // 56 MiB, and 48 bytes of each.
    refused.fails(
        1,
        "the histories of 400000 customers differ too much for 64MiB of memory: give --memory 74.4MiB",
    );
    assert!(0 < peak_bytes && peak_bytes < BUDGET, "{peak_bytes} bytes");
    cip(args!["clv", at("all.csv"), "--model", "bgnbd", "--memory", "63MiB"])
        .fails(1, "a model of the customers of a table needs at least 64MiB of memory");
}

/// Fader and Hardie's CDNOW sample, from its purchases: the estimates are those of exact times.
#[test]
fn the_cdnow_sample_is_calibrated_and_held_out() {
    let Some(file) = data("CDNOW_sample.txt") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (folder.path().join("store"), folder.path().join("v.parquet"));
    cip(args!["ingest", file, "--mapping", "cdnow", "--out", store]).ok();
    let run = |threads: &str, memory: &str| {
        let (run, peak) = peak(&args![
            "clv",
            store,
            "--memory",
            memory,
            "--model",
            "bgnbd",
            "--calibrate-until",
            "1997-10-01",
            "--horizon",
            "39",
            "--out",
            out,
            "--threads",
            threads,
            "--json"
        ]);
        assert!(0 < peak && peak < 64 << 20, "{peak} bytes");
        (run.ok().stdout, bytes_of(folder.path())[Path::new("v.parquet")].clone())
    };
    let (said, bytes) = run("1", "64MiB");
    assert_eq!(
        run("2", "512MiB"),
        (said.clone(), bytes),
        "the same for any number of threads, and any budget"
    );
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    for (name, published) in [("r", "0.243"), ("alpha", "4.414"), ("a", "0.793"), ("b", "2.426")] {
        assert_eq!(format!("{:.3}", said["params"][name].as_f64().unwrap()), published);
    }
    // With two decimals, as it is published, it is -9582.4256.
    assert!((said["log_likelihood"].as_f64().unwrap() + 9_582.429_2).abs() < 1e-4, "{said}");
    assert_eq!((&said["distinct"], &said["spend"]["customers"]), (&1_016.into(), &946.into()));
    // Counted from the file: purchases on other days of 39 weeks from 1 October 1997.
    assert_eq!((&said["hold_out"]["time"], &said["hold_out"]["purchases"]), (&39.0.into(), &1_882.into()));
    let expected = said["hold_out"]["expected"].as_f64().unwrap();
    assert!((expected - said["expected_purchases"].as_f64().unwrap()).abs() < 1e-6);
    let batch = batches(&out);
    assert_eq!(counts(&batch, "holdout_frequency").iter().sum::<i64>(), 1_882);
    // Fader and Hardie (2013) tell 24.65, 18.91 and, of one without a repeat, 35.17; the second and the third change places by id.
    let spend = numbers(&batch, "expected_spend");
    for (found, published) in spend.iter().zip([24.65, 35.17, 18.91]) {
        assert!((found.unwrap() - published).abs() < 0.1, "{found:?} {published}");
    }
}

/// The walk-through of the R package BTYD: what customers of 0, 1, … 7 and more repeats bought in the 39 weeks that followed, and what the
/// Pareto/NBD model expected.
#[test]
fn the_cdnow_sample_is_held_out_as_btyd_does() {
    let Some(file) = data("CDNOW_sample.txt") else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    cip(args!["ingest", file, "--mapping", "cdnow", "--out", store]).ok();
    let said = cip(args!["clv", store, "--model", "paretonbd", "--calibrate-until", "1997-10-01", "--json"]);
    let said = said.ok().json();
    let groups = said["hold_out"]["by_frequency"].as_array().unwrap();
    let bins = [1_411, 439, 214, 100, 62, 38, 29, 64];
    let actual = [0.237, 0.697, 1.393, 1.560, 2.532, 2.947, 3.862, 6.359];
    let expected = [0.138, 0.600, 1.196, 1.714, 2.399, 2.907, 3.819, 6.403];
    assert_eq!(groups.len(), bins.len());
    for (at, group) in groups.iter().enumerate() {
        let mean = |name: &str| group[name].as_f64().unwrap() / group["customers"].as_f64().unwrap();
        assert_eq!(group["customers"], bins[at]);
        assert_eq!(format!("{:.3}", mean("purchases")), format!("{:.3}", actual[at]));
        // Its estimates stop before the maximum: beta is 11.656, here 11.671.
        assert!((mean("expected") - expected[at]).abs() < 1.5e-3, "{at}: {}", mean("expected"));
    }
}
