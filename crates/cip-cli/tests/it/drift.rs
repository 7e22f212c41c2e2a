//! `cip drift`, as a person uses it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::real::data;
use crate::{Noise, args, cip};

/// A table of shoppers, of whom some have no spend; with `shift` they spend more and have another plan.
fn shoppers(rows: u64, seed: u64, shift: u64) -> String {
    let mut noise = Noise(seed);
    let mut text = String::from("user_id,spend,plan,member,score\n");
    for user in 0..rows {
        let spend = noise.below(4_000) + shift * 1_500;
        let spend =
            if noise.below(10) == 0 { String::new() } else { format!("{}.{:02}", spend / 100, spend % 100) };
        let plan = ["basic", "plus", "family", "trial"][(noise.below(3) + shift) as usize];
        let score = noise.below(1_000);
        text.push_str(&format!("{user},{spend},{plan},{},0.{score:03}\n", noise.below(5) == 0));
    }
    text
}

fn write(folder: &Path) {
    fs::write(folder.join("may.csv"), shoppers(3_000, 1, 0)).unwrap();
    fs::write(folder.join("june.csv"), shoppers(2_000, 2, 0)).unwrap();
    fs::write(folder.join("july.csv"), shoppers(2_000, 3, 1)).unwrap();
}

fn verdicts(json: &Value) -> Vec<(&str, &str)> {
    let features = json["features"].as_array().unwrap().iter();
    features
        .map(|feature| (feature["name"].as_str().unwrap(), feature["verdict"].as_str().unwrap()))
        .collect()
}

#[test]
fn two_tables_are_compared_by_every_convention() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let at = |name: &str| folder.path().join(name);
    let drift = |current: &str, more: &[&str]| {
        let list = args!["drift", at("may.csv"), at(current), "--json"];
        cip(list.into_iter().chain(more.iter().map(std::ffi::OsString::from))).ok().json()
    };
    let same = drift("june.csv", &["--score", "score"]);
    assert_eq!((&same["format"], &same["verdict"]), (&"cip-drift".into(), &"stable".into()));
    assert_eq!(verdicts(&same), [("spend", "stable"), ("plan", "stable"), ("member", "stable")]);
    let changed = drift("july.csv", &["--score", "score"]);
    assert_eq!(verdicts(&changed), [("spend", "large"), ("plan", "large"), ("member", "stable")]);
    assert_eq!(changed["prediction"]["verdict"], "stable");
    let auc = |table: &str| changed["performance"][table]["roc_auc"].as_f64().unwrap();
    assert!((auc("reference") - 5.0 / 6.0).abs() < 0.02 && (auc("current") - 5.0 / 6.0).abs() < 0.02);
    for preset in ["evidently", "nannyml"] {
        let changed = drift("july.csv", &["--preset", preset, "--exclude", "score"]);
        assert_eq!(
            verdicts(&changed),
            [("spend", "large"), ("plan", "large"), ("member", "stable")],
            "{preset}"
        );
    }
    assert_eq!(verdicts(&drift("july.csv", &["--columns", "member"])), [("member", "stable")]);
    assert_eq!(drift("july.csv", &["--threads", "1", "--score", "score"]), changed);
}

#[test]
fn the_page_needs_no_other_file_and_says_what_the_text_says() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let at = |name: &str| folder.path().join(name);
    let page = at("drift.html");
    let outcome = cip(args!["drift", at("may.csv"), at("july.csv"), "--score", "score", "--out", page]).ok();
    assert!(outcome.stdout.contains("large: 2 of 3 features drift"), "{}", outcome.stdout);
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.contains("<h1>Drift: large: 2 of 3 features drift</h1>"), "{html}");
    assert!(html.contains("plan: large, new values (1) in"), "{html}");
    assert_eq!(html.matches("<svg").count(), 5, "an overview, the prediction and three features");
    assert!(!html.contains("src=") && !html.contains("href=") && !html.contains("NaN"));
}

#[test]
fn a_model_says_what_it_leans_on_and_what_it_still_achieves() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let labelled = |seed: u64, more: u64| {
        let mut noise = Noise(seed);
        let mut text = String::from("user_id,views,noise,bought\n");
        for user in 0..3_000 {
            let views = noise.below(40) + more;
            text.push_str(&format!("{user},{views},{},{}\n", noise.below(9), views + noise.below(9) > 40));
        }
        text
    };
    fs::write(at("may.csv"), labelled(1, 0)).unwrap();
    fs::write(at("june.csv"), labelled(2, 15)).unwrap();
    let model = at("model.json");
    cip(args!["train", at("may.csv"), "--label", "bought", "--trees", "20", "--out", model]).ok();
    let found = cip(args!["drift", at("may.csv"), at("june.csv"), "--model", model, "--json"]).ok().json();
    assert_eq!(verdicts(&found), [("views", "large"), ("noise", "stable")]);
    assert!(found["importance_drifted"].as_f64().unwrap() > 0.8, "{found}");
    let rate = |table: &str| found["performance"][table]["positive_rate"].as_f64().unwrap();
    assert!(rate("current") > 3.0 * rate("reference"), "{found}");
    assert_eq!(
        (&found["prediction"]["name"], &found["prediction"]["verdict"]),
        (&"model score".into(), &"large".into())
    );
    fs::write(at("few.csv"), "user_id,views\n1,2\n").unwrap();
    cip(args!["drift", at("may.csv"), at("few.csv"), "--model", model]).fails(1, "noise");
}

#[test]
fn what_cannot_be_compared_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let at = |name: &str| folder.path().join(name);
    fs::write(at("empty.csv"), "user_id,spend,plan\n").unwrap();
    let page = at("drift.html");
    let drift = |current: &str, more: &[&str]| {
        let list = args!["drift", at("may.csv"), at(current), "--out", page];
        cip(list.into_iter().chain(more.iter().map(std::ffi::OsString::from)))
    };
    drift("empty.csv", &[]).fails(1, "the current table has no rows");
    drift("june.csv", &["--exclude", "level"]).fails(1, "level");
    drift("june.csv", &["--score", "plan"]).fails(1, "is no column of numbers");
    drift("june.csv", &["--alpha", "2"]).fails(2, "the level is 2, expected a number between 0 and 1");
    drift("june.csv", &["--threshold", "NaN"]).fails(2, "the threshold of scores is NaN");
    drift("june.csv", &["--memory", "1MiB"]).fails(1, "drift needs at least");
    assert!(!page.exists());
    // A label that the current table has not yet is left out, and an id that one has not is none there.
    fs::write(at("plain.csv"), "spend\n1\n2\n").unwrap();
    let found = cip(args!["drift", at("may.csv"), at("plain.csv"), "--exclude", "score,member", "--json"])
        .ok()
        .json();
    assert_eq!(found["columns"]["gone"], serde_json::json!(["plan"]));
}

#[test]
fn a_sketch_stands_for_the_reference() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let at = |name: &str| folder.path().join(name);
    let drift = |reference: &str, more: &[&str]| {
        let list = args!["drift", at(reference), at("july.csv"), "--json"];
        let mut found = cip(list.into_iter().chain(more.iter().map(std::ffi::OsString::from))).ok().json();
        found["reference"] = Value::Null;
        found
    };
    let sketch = at("may.json");
    let whole = drift("may.csv", &["--score", "score", "--reference-sketch", sketch.to_str().unwrap()]);
    assert_eq!(drift("may.json", &["--score", "score"]), whole);
    // What is left out of the table is left out of the sketch.
    assert_eq!(
        verdicts(&drift("may.json", &["--exclude", "plan,score"])),
        [("spend", "large"), ("member", "stable")]
    );
    assert_eq!(verdicts(&drift("may.json", &["--columns", "member"])), [("member", "stable")]);
    let bytes = fs::read(&sketch).unwrap();
    drift("may.csv", &["--score", "score", "--reference-sketch", sketch.to_str().unwrap(), "--threads", "1"]);
    assert!(bytes == fs::read(&sketch).unwrap(), "the sketch depends on the threads");
    fs::write(at("old.json"), String::from_utf8(bytes).unwrap().replacen("sketch-1", "sketch-0", 1)).unwrap();
    cip(args!["drift", at("old.json"), at("july.csv")])
        .fails(1, "the sketch has the format `cip-drift-sketch-0`");
    cip(args!["drift", at("may.csv"), at("july.csv"), "--reference-sketch", at("june.csv")])
        .fails(1, "june.csv");
    cip(args!["drift", sketch, at("july.csv"), "--exclude", "level"]).fails(1, "level");
}

/// Visits of two months, with the statistics of SciPy 1.17.1 (`ks_2samp`, `wasserstein_distance`).
#[test]
fn two_months_of_shoppers_are_as_far_apart_as_scipy_says() {
    let Some(file) = data("online_shoppers_intention.csv") else { return };
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(file).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let month = |name: &str| {
        let rows: Vec<&str> = rows.lines().filter(|row| row.split(';').nth(10) == Some(name)).collect();
        let path = folder.path().join(format!("{name}.csv"));
        fs::write(&path, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
        path
    };
    let found =
        cip(args!["drift", month("May"), month("Nov"), "--exclude", "Month,Revenue", "--json"]).ok().json();
    assert_eq!((&found["reference_rows"], &found["current_rows"]), (&3_364.into(), &2_998.into()));
    for (name, ks, p_value, wasserstein) in [
        ("ProductRelated_Duration", 0.172_760_238_890_929_26, 8.656_090_141_307_443e-42, 786.113_288_936_871),
        ("ExitRates", 0.139_792_362_565_927_8, 1.798_259_824_632_854e-27, 0.010_647_334_060_076_317),
    ] {
        let features = found["features"].as_array().unwrap();
        let distances = &features.iter().find(|feature| feature["name"] == name).unwrap()["distances"];
        let close = |field: &str, expected: f64, relative: f64| {
            let value = distances[field].as_f64().unwrap();
            assert!((value / expected - 1.0).abs() < relative, "{name} {field}: {value} {expected}");
        };
        close("kolmogorov_smirnov", ks, 1e-12);
        close("kolmogorov_smirnov_p_value", p_value, 1e-7);
        close("wasserstein", wasserstein, 1e-9);
    }
}
