//! Tables with text in them: learned from, scored, explained and evaluated.

use std::fs;

use serde_json::Value;

use crate::real::data;
use crate::{args, cip, rows};

/// Customers of whom those with a monthly contract leave, mostly; `reseller` is rare, and some contracts are not known.
fn customers(rows: u64) -> String {
    let mut text = String::from("customer;contract;zone;months;left\n");
    for row in 0..rows {
        let mixed = (row + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let contract = match mixed % 20 {
            0 => "",
            1..10 => "Month-to-month",
            10..15 => "One year",
            _ if row % 500 == 3 => "reseller",
            _ => "Two year",
        };
        let left = contract.starts_with('M') && mixed / 20 % 5 > 0 || mixed / 20 % 9 == 0;
        let answer = if left { "Yes" } else { "No" };
        text.push_str(&format!("C{row};{contract};{};{};{answer}\n", mixed / 7 % 4, mixed / 100 % 60));
    }
    text
}

#[test]
fn text_is_learned_from_and_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("t.csv"), customers(3_000)).unwrap();
    let train = |out: &str, more: &[&str]| {
        let list =
            args!["train", at("t.csv"), "--label", "left", "--id", "customer", "--trees", "20"].to_vec();
        let more = more.iter().map(Into::into);
        cip(list.into_iter().chain(more).chain(args!["--out", at(out), "--json"])).ok().json()
    };
    let found = train("m.json", &["--categorical", "zone", "--threads", "1"]);
    assert_eq!(
        found["categories"],
        serde_json::json!({"contract": ["Month-to-month", "One year", "Two year"], "zone": ["0", "1", "2", "3"]})
    );
    train("again.json", &["--categorical", "zone", "--threads", "2"]);
    assert!(fs::read(at("m.json")).unwrap() == fs::read(at("again.json")).unwrap());
    let auc = |found: &Value| found["metrics"]["auc"].as_f64().unwrap();
    assert!(auc(&found) > auc(&train("without.json", &["--exclude", "contract"])) + 0.2);
    assert!(fs::read_to_string(at("m.card.md")).unwrap().contains("Month-to-month, One year, Two year"));

    let evaluated =
        cip(args!["evaluate", at("t.csv"), "--model", at("m.json"), "--label", "left", "--json"]).ok().json();
    assert!(evaluated["auc"].as_f64().unwrap() > 0.8, "{evaluated}");

    // A new contract, one that was rare, one that nobody knows, and a zone that was never there.
    let new =
        "customer;contract;zone;months\nA;Month-to-month;0;3\nB;Five years;1;3\nC;reseller;1;3\nD;;9;3\n";
    fs::write(at("new.csv"), new).unwrap();
    let scored = cip(args![
        "score",
        at("new.csv"),
        "--model",
        at("m.json"),
        "--id",
        "customer",
        "--explain",
        "--out",
        at("s.parquet"),
        "--json"
    ]);
    let scored = scored.ok().json();
    assert_eq!(rows(&at("s.parquet")), 4);
    let best = scored["best"].as_array().unwrap();
    let of = |id: &str| best.iter().find(|row| row["id"] == id).unwrap();
    assert_eq!((of("A")["row"].as_u64(), best[0]["id"].as_str()), (Some(0), Some("A")));
    assert_eq!(of("B")["margin"], of("C")["margin"]);
    let value = |id: &str| {
        let reasons = of(id)["reasons"].as_array().unwrap();
        reasons.iter().find(|reason| reason["feature"] == "contract").map(|reason| reason["value"].clone())
    };
    assert_eq!((value("A"), value("B")), (Some("Month-to-month".into()), Some("(other)".into())));
    assert_eq!(value("D"), Some(Value::Null));

    let explain = args![
        "explain",
        at("t.csv"),
        "--model",
        at("m.json"),
        "--id",
        "customer",
        "--customer",
        "C1",
        "--dependence",
        "contract",
        "--interactions",
        "20",
        "--out",
        at("why")
    ];
    cip(explain).ok();
    let read = |name: &str| fs::read_to_string(at("why").join(name)).unwrap();
    assert!(read("dependence-1.svg").contains(">Month-to-month<"));
    assert!(read("customer-1.svg").contains("contract=") && read("explanation.md").contains("| contract | "));

    let drift = args!["drift", at("t.csv"), at("t.csv"), "--model", at("m.json"), "--json"];
    cip(drift).ok();
    fs::write(at("numbers.csv"), "customer,contract,zone,months\nA,1.5,0,3\n").unwrap();
    cip(args!["score", at("numbers.csv"), "--model", at("m.json"), "--out", at("no.parquet")])
        .fails(1, "feature `contract` is 1.5 in row 0 (from 0), expected a whole number for its category");
    let text = args!["train", at("t.csv"), "--label", "contract", "--id", "customer", "--out", at("no.json")];
    cip(text).fails(1, "label `contract` is");
}

/// Telecom customers and web sessions: their texts tell more than their numbers do alone.
#[test]
fn the_texts_of_real_tables_are_worth_learning_from() {
    let folder = tempfile::tempdir().unwrap();
    let auc = |file: &std::path::Path, more: &[&str]| {
        let list =
            args!["train", file, "--trees", "40", "--leaves", "8", "--out", folder.path().join("m.json")];
        let found =
            cip(list.into_iter().chain(more.iter().map(Into::into)).chain(args!["--json"])).ok().json();
        found["metrics"]["auc"].as_f64().unwrap()
    };
    let numbers = ["--columns", "SeniorCitizen,tenure,MonthlyCharges,TotalCharges"];
    for (name, options, without) in [
        ("telco_churn.csv", &["--label", "Churn", "--id", "customerID"][..], &numbers[..]),
        ("online_shoppers_intention.csv", &["--label", "Revenue"], &["--exclude", "Month,VisitorType"]),
    ] {
        let Some(file) = data(name) else { return };
        let (with, without) = (auc(&file, options), auc(&file, &[options, without].concat()));
        assert!(with > without + 0.01, "{name}: {with} {without}");
    }
}

#[test]
fn a_mistyped_number_that_makes_its_column_text_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("t.csv"), customers(1_000) + "C1000;One year;1;1O;No\n").unwrap();
    let train = |more: &[&str]| {
        let list =
            args!["train", at("t.csv"), "--label", "left", "--id", "customer", "--trees", "5"].to_vec();
        let more = more.iter().map(Into::into);
        cip(list.into_iter().chain(more).chain(args!["--out", at("m.json")])).ok()
    };
    let told = train(&[]).stdout;
    assert!(told.contains("learned as text, with so many categories: contract (3), months ("), "{told}");
    assert!(told.contains("warning: `months` is learned as text, and its categories are numbers"), "{told}");
    assert_eq!(train(&["--json"]).json()["numbers_as_text"], serde_json::json!(["months"]));
    assert!(!train(&["--categorical", "months"]).stdout.contains("warning: `months`"));
}
