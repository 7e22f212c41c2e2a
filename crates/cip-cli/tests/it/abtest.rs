//! `cip assign` and `cip abtest`: an effect that is there is found, one that is not is not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cip::abtest::Experiment;
use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::{Int32Type, Int64Type};
use cip::core::IdRef;
use cip::store::read_table;
use serde_json::{Value, json};

use crate::real::data;
use crate::{args, cip, folder_of_store};

const CHECKOUT: &str = "name = \"checkout\"\nassignment = \"md5_parity\"\n\
                        effect = { from = \"cart\", to = \"purchase\", share = 0.05 }\n";

const HASH: &str = "name = \"price\"\nassignment = \"weighted_hash\"\nseed = \"price-1\"\n\
                    arms = [{ name = \"as is\", weight = 8 }, { name = \"low\", weight = 1 }, { name = \"high\", weight = 1 }]\n";

#[track_caller]
fn close(found: &Value, expected: f64, unit: f64) {
    let found = found.as_f64().unwrap();
    assert!((found - expected).abs() <= 0.51 * unit, "{found} is not {expected}");
}

fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = files.iter().map(|(name, text)| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    });
    let paths = paths.collect();
    (folder, paths)
}

/// Recomputed from the raw data of Cookie Cats in plain Python: retention of players by the level of a gate.
#[test]
fn cookie_cats_gives_its_published_numbers() {
    let Some(file) = data("cookie_cats.csv") else { return };
    let report = |outcome: &str, srm_alpha: &str| {
        cip(args![
            "abtest",
            file,
            "--variant",
            "version",
            "--outcome",
            outcome,
            "--unit",
            "userid",
            "--control",
            "gate_30",
            "--srm-alpha",
            srm_alpha,
            "--json"
        ])
        .ok()
        .json()
    };
    let day_1 = report("retention_1", "0.001");
    assert_eq!(
        day_1["arms"][0],
        json!({ "arm": "gate_30", "n": 44_700, "successes": 20_034, "mean": 20_034.0 / 44_700.0 })
    );
    assert_eq!((&day_1["arms"][1]["n"], &day_1["arms"][1]["successes"]), (&json!(45_489), &json!(20_119)));
    close(&day_1["chi2"], 3.182_963_7, 1e-7);
    assert_eq!(day_1["df"].to_string(), "1");
    close(&day_1["p_value"], 0.074_409_7, 1e-7);
    close(&day_1["p_value_yates"], 0.075_504_8, 1e-7);
    close(&day_1["srm_p_value"], 0.008_608_0, 1e-7);
    assert_eq!((&day_1["verdict"], &day_1["warnings"]), (&json!("no_difference"), &json!([])));
    let day_7 = report("retention_7", "0.001");
    close(&day_7["chi2"], 10.013_167_3, 1e-7);
    close(&day_7["p_value"], 0.001_554_25, 1e-8);
    close(&day_7["p_value_yates"], 0.001_600_57, 1e-8);
    close(&day_7["difference"], -0.008_201_3, 1e-7);
    close(&day_7["ci_low"], -0.013_281_6, 1e-7);
    close(&day_7["ci_high"], -0.003_121_0, 1e-7);
    assert_eq!((&day_7["verdict"], &day_7["control"]), (&json!("worse"), &json!("gate_30")));
    // At the usual level the sample ratio is a mismatch.
    let flagged = report("retention_7", "0.01");
    assert_eq!(flagged["verdict"], "untrustworthy");
    assert!(flagged["warnings"][0].as_str().unwrap().contains("expected shares of units"));
    let rounds = report("sum_gamerounds", "0.001");
    assert!(
        rounds["t"].is_number() && rounds["chi2"].is_null() && rounds["arms"][0].get("successes").is_none()
    );
    // Of two arms neither of which is called control, the first by name is, and that is said.
    let said = cip(args!["abtest", file, "--variant", "version", "--outcome", "retention_1"]).ok();
    assert!(said.stderr.contains("`gate_30` is taken as the control"), "{}", said.stderr);
    assert!(said.stdout.contains("gate_40 - gate_30: -0.59 percentage points, -1.3%"), "{}", said.stdout);
    assert!(said.stdout.contains("untrustworthy: the arms have not the numbers"), "{}", said.stdout);
}

/// Recomputed from the raw data of Hillstrom's e-mail test in plain Python.
#[test]
fn three_arms_are_each_compared_with_the_control() {
    let Some(file) = data("hillstrom.csv") else { return };
    let report = |outcome: &str| {
        cip(args![
            "abtest",
            file,
            "--variant",
            "segment",
            "--outcome",
            outcome,
            "--control",
            "No E-Mail",
            "--json"
        ])
        .ok()
        .json()
    };
    let visit = report("visit");
    close(&visit["chi2"], 504.460_669_0, 1e-7);
    assert_eq!((&visit["df"], &visit["verdict"]), (&json!(2), &json!("better")));
    assert!(visit["difference"].is_null());
    let arms: Vec<_> = visit["comparisons"].as_array().unwrap().iter().map(|found| &found["arm"]).collect();
    assert_eq!(arms, ["Mens E-Mail", "Womens E-Mail"]);
    let spend = report("spend");
    close(&spend["comparisons"][0]["difference"], 0.769_827, 1e-6);
    close(&spend["comparisons"][0]["statistic"], 5.300_140_4, 1e-7);
    close(&spend["comparisons"][1]["difference"], 0.424_412, 1e-6);
    cip(args!["abtest", file, "--variant", "segment", "--outcome", "visit"]).fails(
        2,
        "`segment` has no arm named `control`: name one with --control: `Mens E-Mail`, `No E-Mail`, `Womens E-Mail`",
    );
}

/// Generates a shop of two million events, and ingests it with the experiment.
fn tagged_shop(folder: &Path, with_effect: bool) -> PathBuf {
    let (files, store, experiment) = (folder.join("files"), folder.join("store"), folder.join("e.toml"));
    fs::write(&experiment, CHECKOUT).unwrap();
    let shop = args!["generate", files, "--events", "2e6", "--seed", "7"];
    let effect = args!["--experiment", experiment];
    cip(shop.iter().chain(effect.iter().take(if with_effect { 2 } else { 0 }))).ok();
    cip(args!["ingest", files, "--mapping", "rees46", "--out", store, "--experiment", experiment]).ok();
    fs::remove_dir_all(files).unwrap();
    store
}

#[test]
fn the_effect_of_a_generated_experiment_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = tagged_shop(folder.path(), true);
    let experiment = folder.path().join("e.toml");
    let assigned =
        cip(args!["abtest", store, "--experiment", experiment, "--metric", "purchase", "--json"]).ok().json();
    assert_eq!(assigned["verdict"], "better");
    assert!(assigned["p_value"].as_f64().unwrap() < 0.001, "{assigned}");
    assert!(assigned["srm_p_value"].as_f64().unwrap() > 0.01, "{assigned}");
    assert_eq!(assigned["warnings"], json!([]));
    // What the ingest recorded says the same, on any number of threads.
    for threads in ["1", "3"] {
        let recorded =
            cip(args!["abtest", store, "--metric", "purchase", "--json", "--threads", threads]).ok().json();
        assert_eq!(recorded, assigned);
    }
    let info = cip(args!["info", store, "--json"]).ok().json();
    assert_eq!(info["experiment"]["name"], "checkout");
    let units: u64 = assigned["arms"].as_array().unwrap().iter().map(|arm| arm["n"].as_u64().unwrap()).sum();
    assert_eq!(info["users"], units);
    let info = cip(args!["info", store]).ok();
    assert!(info.stdout.contains("checkout (control, treatment)"), "{}", info.stdout);
    // Half the time has fewer users; nothing is before the first day.
    let until =
        cip(args!["abtest", store, "--metric", "purchase", "--until", "2019-11-01", "--json"]).ok().json();
    assert!(until["arms"][0]["n"].as_u64() < assigned["arms"][0]["n"].as_u64());
    cip(args!["abtest", store, "--metric", "purchase", "--until", "2019-10-01"])
        .fails(1, "no arm has any units");
}

#[test]
fn where_there_is_no_effect_none_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = tagged_shop(folder.path(), false);
    let report = cip(args!["abtest", store, "--metric", "purchase", "--json"]).ok().json();
    assert_eq!(report["verdict"], "no_difference");
    assert!(report["p_value"].as_f64().unwrap() > 0.05, "{report}");
}

#[test]
fn every_row_gets_the_arm_of_its_id_in_the_order_of_the_table() {
    let ids: Vec<i64> = (0..20_000).map(|row| row * 7_919 % 5_000).collect();
    let text: String = ids.iter().map(|id| format!("{id},x\n")).collect();
    let (folder, paths) = folder(&[("ids.csv", &format!("who,note\n{text}")), ("e.toml", HASH)]);
    let out = folder.path().join("arms.parquet");
    let run = args!["assign", paths[0], "--experiment", paths[1], "--id", "who", "--out", out, "--json"];
    let said = cip(&run).ok().json();
    let experiment = Experiment::from_toml(HASH).unwrap();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut row = 0;
    for batch in read_table(&out).unwrap() {
        let batch = batch.unwrap();
        let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, ["who", "experiment_group"]);
        let who = batch.column(0).as_primitive::<Int64Type>();
        let groups = batch.column(1).as_dictionary::<Int32Type>();
        for index in 0..batch.num_rows() {
            assert_eq!(who.value(index), ids[row]);
            let arm = groups.values().as_string::<i32>().value(groups.keys().value(index) as usize);
            assert_eq!(Some(arm), experiment.assign(IdRef::Int64(ids[row])));
            *counts.entry(experiment.assign(IdRef::Int64(ids[row])).unwrap()).or_default() += 1;
            row += 1;
        }
    }
    assert_eq!((row, &said["rows"]), (20_000, &json!(20_000)));
    for arm in said["arms"].as_array().unwrap() {
        assert_eq!(arm["n"], counts[arm["arm"].as_str().unwrap()]);
    }
    assert_eq!(said["arms"][0]["expected_share"], 0.8);
    assert!(said["srm_p_value"].is_number());
    // What was assigned is a table to assign again, and text ids are other ids only in their type.
    let again = folder.path().join("again.parquet");
    cip(args!["assign", out, "--experiment", paths[1], "--id", "who", "--out", again]).ok();
    assert!(fs::read(&again).unwrap() == fs::read(&out).unwrap());
    cip(args!["assign", out, "--experiment", paths[1], "--id", "who", "--out", out])
        .fails(2, ", which it is made of");
    cip(args!["assign", paths[0], "--experiment", paths[1], "--out", again])
        .fails(1, "no column `user_id`: it has `who`, `note`");
}

#[test]
fn ids_that_are_none_are_refused_with_their_row() {
    let (folder, paths) = folder(&[
        ("null.csv", "user_id,x\n1,a\n,a\n"),
        ("float.csv", "user_id\n17850.0\n17851.5\n"),
        ("none.csv", "user_id\n"),
        ("e.toml", CHECKOUT),
    ]);
    let out = folder.path().join("arms.parquet");
    let assign = |table: &Path| cip(args!["assign", table, "--experiment", paths[3], "--out", out, "--json"]);
    assign(&paths[0]).fails(1, "null.csv row 2: `user_id`: an id is missing: drop the rows without one");
    assign(&paths[1]).fails(1, "float.csv: column `user_id` is Float64, expected integers or text");
    assert!(!out.exists());
    let said = assign(&paths[2]).ok().json();
    assert_eq!((&said["rows"], &said["srm_p_value"]), (&json!(0), &Value::Null));
    assert!(out.exists());
}

#[test]
fn outcomes_and_arms_of_any_type_are_read() {
    let (_folder, paths) = folder(&[(
        "t.csv",
        "unit,arm,on,flag,won,spent\n1,control,0,false,TRUE,1.5\n2,control,0,false,FALSE,0\n3,b,1,true,TRUE,2\n\
         4,b,1,true,TRUE,0.25\n5,control,0,false,FALSE,0\n6,b,1,true,FALSE,1\n",
    )]);
    let report = |variant: &str, outcome: &str| {
        cip(args!["abtest", paths[0], "--variant", variant, "--outcome", outcome, "--unit", "unit", "--json"])
            .ok()
    };
    let by_text = report("arm", "won");
    assert_eq!(by_text.stderr, "");
    let by_text = by_text.json();
    for (variant, names) in [("on", ["0", "1"]), ("flag", ["false", "true"])] {
        let found = report(variant, "won").json();
        assert_eq!(found["difference"], by_text["difference"]);
        assert_eq!(
            [&found["arms"][0]["arm"], &found["arms"][1]["arm"]],
            names.map(|name| json!(name)).each_ref()
        );
    }
    close(&report("arm", "spent").json()["difference"], 1.083_333 - 0.5, 1e-6);
    let weighted = ["--weights", "control=9,b=1", "--control", "b", "--alpha", "0.1"];
    let mut run = args!["abtest", paths[0], "--variant", "arm", "--outcome", "won", "--json"].to_vec();
    run.extend(weighted.map(Into::into));
    let weighted = cip(&run).ok().json();
    assert!(weighted["srm_p_value"].as_f64() < by_text["srm_p_value"].as_f64());
    close(&weighted["difference"], -by_text["difference"].as_f64().unwrap(), 1e-12);
}

#[test]
fn what_is_missing_contradictory_or_void_is_told() {
    let (_folder, paths) = folder(&[
        ("t.csv", "u,arm,won,text\n1,a,1,x\n2,,0,y\n2,b,,z\n"),
        ("twice.csv", "u,arm,won\n1,a,1\n2,b,0\n1,b,0\n"),
        ("one.csv", "arm,won\na,1\na,0\n"),
        ("nan.csv", "arm,won\na,1\nb,NaN\n"),
        ("e.toml", CHECKOUT),
    ]);
    let abtest = |table: &Path, more: &[&str]| {
        let mut run = args!["abtest", table, "--json"].to_vec();
        run.extend(more.iter().map(Into::into));
        cip(&run)
    };
    let columns = ["--variant", "arm", "--outcome", "won"];
    let with = |more: &[&'static str]| [&columns[..], more].concat();
    abtest(&paths[0], &columns)
        .fails(1, "t.csv row 2: `arm`: there is no value: drop such rows, or fill them");
    abtest(&paths[0], &["--variant", "u", "--outcome", "won"])
        .fails(1, "t.csv row 3: `won`: there is no value");
    abtest(&paths[0], &["--variant", "u", "--outcome", "text"])
        .fails(1, "column `text` is Utf8, expected booleans or numbers");
    abtest(&paths[0], &["--variant", "arm"]).fails(2, "a table needs --variant and --outcome");
    abtest(&paths[0], &["--variant", "x", "--outcome", "won"])
        .fails(1, "no column `x`: it has `u`, `arm`, `won`, `text`");
    abtest(&paths[1], &with(&["--unit", "u"]))
        .fails(1, "twice.csv row 3: `u`: 1 occurs before, expected one row a unit");
    abtest(&paths[2], &columns).fails(1, "1 arm(s), expected two or more");
    abtest(&paths[3], &columns).fails(1, "nan.csv row 2: `won`: NaN is not a finite number");
    abtest(&paths[1], &with(&["--control", "c"])).fails(1, "no arm is named `c`, found `a`, `b`");
    abtest(&paths[1], &with(&["--weights", "a=1,b=-1"])).fails(2, "the weight of arm `b` is -1");
    abtest(&paths[1], &with(&["--alpha", "5"])).fails(2, "alpha is 5, expected more than 0 and less than 1");
    abtest(&paths[1], &with(&["--metric", "purchase"])).fails(2, "--metric goes with a store: leave it out");
    abtest(&paths[1].with_file_name("absent.csv"), &[]).fails(1, "cannot read");

    let (_store_folder, store) = folder_of_store(200);
    let experiment = paths[4].to_str().unwrap();
    abtest(&store, &["--metric", "purchase"]).fails(2, "the events of");
    abtest(&store, &["--experiment", experiment]).fails(2, "a store needs --metric");
    abtest(&store, &["--metric", "purchase", "--variant", "x"]).fails(2, "--variant goes with a table");
    abtest(
        &store,
        &[
            "--metric",
            "purchase",
            "--experiment",
            experiment,
            "--from",
            "2019-11-01",
            "--until",
            "2019-10-01",
        ],
    )
    .fails(2, "");
    abtest(&store, &["--metric", "purchase", "--experiment", experiment]).ok();
    let (file, out) = (store.with_file_name("events.csv"), store.with_file_name("out"));
    cip(args!["run", file, "--mapping", "rees46", "--experiment", experiment, "--out", out]).ok();
    abtest(&out.join("store"), &["--metric", "purchase"]).ok();
    // An event type that never happens is no success of anybody.
    let never = abtest(&store, &["--metric", "refund", "--experiment", experiment]).ok().json();
    assert_eq!(never["verdict"], "no_difference");
}

/// A thousand units an arm and day for a week: a covariate, two segments, and an effect of 1 on a noise of 10.
fn spendings() -> String {
    let mut text = "arm,spend,before,country,seen\n".to_owned();
    for unit in 0..14_000_i64 {
        let noise = |factor: i64| (unit * factor % 10_007) as f64 / 10_007.0 - 0.5;
        let before = 50.0 + 30.0 * noise(7_919);
        let (treated, day) = (unit / 7 % 2 == 1, unit % 7);
        let spend = before + 10.0 * noise(104_729) + if treated { 1.0 } else { 0.0 };
        let (arm, country) = (if treated { "b" } else { "a" }, if unit % 3 == 0 { "ee" } else { "se" });
        text.push_str(&format!("{arm},{spend:.4},{before:.4},{country},2019-10-0{}\n", day + 1));
    }
    text
}

#[test]
fn a_table_is_looked_at_in_every_way_and_written_and_drawn() {
    let (folder, paths) = folder(&[("t.csv", &spendings())]);
    let (out, chart) = (folder.path().join("effects.parquet"), folder.path().join("effects.html"));
    let with = |more: &[&str]| {
        let table = paths[0].to_str().unwrap();
        cip([&["abtest", table, "--variant", "arm", "--outcome", "spend"], more].concat())
    };
    let plain = with(&["--json"]).ok().json();
    let more = [
        "--covariate",
        "before",
        "--segment",
        "country",
        "--day",
        "seen",
        "--sequential",
        "--tuning",
        "14000",
        "--bayesian",
        "--correction",
        "holm",
        "--non-inferiority",
        "0.5",
        "--equivalence",
        "2",
        "--winsorise",
        "0.99",
        "--out",
        out.to_str().unwrap(),
        "--chart",
        chart.to_str().unwrap(),
    ];
    let found = with(&[&more[..], &["--json"]].concat()).ok().json();
    let (arm, before) = (&found["findings"][0], &plain["findings"][0]);
    let error = |of: &Value| of["absolute"]["standard_error"].as_f64().unwrap();
    assert!(error(arm) < 0.4 * error(before), "{arm}");
    assert!((arm["absolute"]["effect"].as_f64().unwrap() - 1.0).abs() < 0.2, "{arm}");
    assert!(found["variance_explained"].as_f64().unwrap() > 0.8, "{found}");
    assert_eq!((&found["verdict"], &arm["verdict"]), (&json!("better"), &json!("better")));
    assert!(
        arm["sequential"]["p_value"].as_f64().unwrap() < 0.05
            && arm["belief"]["chance_to_win"].as_f64().unwrap() > 0.99
    );
    assert_eq!(
        (&arm["non_inferiority"]["holds"], &arm["equivalence"]["holds"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(arm["segments"]["segments"].as_array().unwrap().len(), 2);
    assert_eq!(arm["days"].as_array().unwrap().len(), 7);
    let kinds: Vec<_> =
        found["checks"].as_array().unwrap().iter().map(|check| check["kind"].as_str().unwrap()).collect();
    let by_group = "sample_ratio_by_group";
    assert_eq!(kinds, ["sample_ratio", "novelty", "weekday_pattern", "outliers", by_group, by_group]);
    assert!(
        found["checks"].as_array().unwrap().iter().all(|check| check["status"] == "passed"),
        "{}",
        found["checks"]
    );
    // All, relative, sequential, two segments and seven days.
    assert_eq!(crate::rows(&out), 12);
    let page = fs::read_to_string(&chart).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.matches("<svg").count() == 4, "{page}");
    assert!(!page.contains("src=") && page.contains("spend: an arm is better"));
    // The same bytes again.
    let bytes = [&out, &chart].map(|path| fs::read(path).unwrap());
    let said = with(&more).ok().stdout;
    assert_eq!(bytes, [&out, &chart].map(|path| fs::read(path).unwrap()));
    for part in [
        "covariate before: slope",
        "adjusted +",
        "at any time [",
        "chance to win",
        "not worse by 0.5",
        "segments differ with",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

#[test]
fn options_of_tables_are_checked() {
    let (_folder, paths) = folder(&[("t.csv", "arm,x,z\na,1,\na,2,3\nb,3,4\nb,5,6\n")]);
    let table = paths[0].to_str().unwrap();
    let with = |more: &[&str]| cip([&["abtest", table, "--variant", "arm", "--outcome", "x"], more].concat());
    with(&["--covariate", "z"]).fails(1, "t.csv row 1: `z`: there is no value");
    with(&["--segment", "z"]).fails(1, "t.csv row 1: `z`: there is no value");
    with(&["--non-inferiority", "0"]).fails(2, "the margin is 0, expected a positive number");
    with(&["--winsorise", "0.4"]).fails(2, "the share is 0.4, expected more than 0.5");
    with(&["--tuning", "100"]).fails(2, "--sequential");
    with(&["--sequential", "--tuning", "0"]).fails(2, "the tuning parameter is 0");
    with(&["--day", "x"]).fails(1, "expected dates, timestamps, or text");
}

#[test]
fn ids_that_take_no_part_have_no_arm() {
    let ids: String = (0..1_000).map(|id| format!("{id}\n")).collect();
    let (folder, paths) = folder(&[
        ("ids.csv", &format!("user_id\n{ids}")),
        (
            "e.toml",
            "name = \"x\"\nhash = \"xxh3\"\nseed = \"s\"\ncoverage = 0.3\noverrides = { 7 = \"treatment\" }\n",
        ),
    ]);
    let out = folder.path().join("arms.parquet");
    let found = cip(args!["assign", paths[0], "--experiment", paths[1], "--out", out, "--json"]).ok().json();
    let (left_out, n) = (
        found["left_out"].as_u64().unwrap(),
        found["arms"][0]["n"].as_u64().unwrap() + found["arms"][1]["n"].as_u64().unwrap(),
    );
    assert!(left_out + n == 1_000 && (620..780).contains(&left_out), "{found}");
    let nulls: usize =
        cip::store::read_table(&out).unwrap().map(|batch| batch.unwrap().column(1).null_count()).sum();
    assert_eq!(nulls as u64, left_out);
}

#[test]
fn an_experiment_brings_its_metric_its_time_and_its_guardrails() {
    let (folder, store) = folder_of_store(600);
    let path = folder.path().join("e.toml");
    let document = "name = \"x\"\nhash = \"growthbook_v2\"\nseed = \"s\"\nmetrics = [\"view\"]\nalpha = 0.2\n\
                    guardrails = [{ metric = \"view\", margin = 0.9 }, { metric = \"cart\", margin = 0.000001 }]\n";
    fs::write(&path, document).unwrap();
    let found = cip(args!["abtest", store, "--experiment", path, "--json"]).ok().json();
    assert_eq!(found["metric"], "view");
    let guardrails = found["guardrails"].as_array().unwrap();
    let told: Vec<_> = guardrails
        .iter()
        .map(|of| (of["metric"].as_str().unwrap(), of["holds"].as_bool().unwrap()))
        .collect();
    assert_eq!(told[0], ("view", true));
    assert_eq!((told.len(), told[1].0), (2, "cart"));
    let kinds: Vec<_> = found["checks"].as_array().unwrap().iter().map(|check| &check["kind"]).collect();
    assert_eq!(kinds, ["sample_ratio", "several_arms", "sample_ratio_by_group"]);
    let said = cip(args!["abtest", store, "--experiment", path, "--metric", "cart"]).ok().stdout;
    assert!(said.contains("80% confidence") && said.contains("guardrail view, treatment: "), "{said}");
    // Nothing happened before the experiment began.
    fs::write(&path, document.replace("alpha", "start = \"2100-01-01\"\nalpha")).unwrap();
    cip(args!["abtest", store, "--experiment", path]).fails(1, "no arm has any units");
}
