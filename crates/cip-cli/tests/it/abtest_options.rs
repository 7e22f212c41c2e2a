//! `cip abtest TABLE`: ratios, clusters, quantiles, resampling, tests, looks, strata, and the memory that they may take.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{Outcome, cip, folder_of_store};

/// The middle of the two weeks that the store has.
const FROM: &str = "2019-10-08";

/// 4,000 users with one to three sessions each: arm b clicks more often.
fn sessions() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let mut text = "user,arm,clicks,views,before,views_before,country,seen,won\n".to_owned();
    for user in 0..4_000_u64 {
        let arm = if user % 2 == 0 { "control" } else { "b" };
        for session in 0..=user % 3 {
            let noise = (user * 7_919 + session * 104_729) % 1_000;
            let views = 1 + noise % 9;
            let clicks = views * (noise / 10) / 100 + u64::from(arm == "b" && noise % 3 == 0);
            let won = u64::from(noise < if arm == "b" { 130 } else { 100 });
            let country = if user % 5 < 2 { "ee" } else { "se" };
            text.push_str(&format!(
                "{user},{arm},{clicks},{views},{},{},{country},2019-10-0{}T12:00:00Z,{won}\n",
                clicks + noise % 2,
                views + noise % 3,
                1 + user / 2 % 7,
            ));
        }
    }
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn abtest(path: &std::path::Path, outcome: &str, more: &[&str]) -> Outcome {
    let table = path.to_str().unwrap();
    cip([&["abtest", table, "--variant", "arm", "--outcome", outcome], more].concat())
}

fn number(of: &Value) -> f64 {
    of.as_f64().unwrap_or_else(|| panic!("{of} is no number"))
}

#[test]
fn ratios_of_clusters_are_less_certain_than_those_of_rows_and_a_covariate_helps() {
    let (folder, path) = sessions();
    let ratio = |more: &[&str]| {
        let all = [&["--denominator", "views", "--json"], more].concat();
        abtest(&path, "clicks", &all).ok().json()
    };
    let (rows, users) = (ratio(&[]), ratio(&["--cluster", "user"]));
    assert_eq!((&rows["metric_kind"], &users["metric_kind"]), (&json!("ratio"), &json!("ratio")));
    assert_eq!((&users["arms"][0]["n"], &users["arms"][1]["n"]), (&json!(2_000), &json!(2_000)));
    // The same ratio: clusters change how certain it is alone.
    assert_eq!(rows["arms"][0]["mean"], users["arms"][0]["mean"]);
    assert!((number(&rows["difference"]) - number(&users["difference"])).abs() < 1e-12);
    let error = |of: &Value| number(&of["findings"][0]["absolute"]["standard_error"]);
    assert!(error(&rows) != error(&users));
    let adjusted =
        ratio(&["--cluster", "user", "--covariate", "before", "--covariate-denominator", "views_before"]);
    assert!(error(&adjusted) < 0.7 * error(&users), "{adjusted}");
    assert!(number(&adjusted["variance_explained"]) > 0.5);
    let whole = ratio(&["--cluster", "user", "--segment", "country", "--day", "seen"]);
    let arm = &whole["findings"][0];
    assert_eq!(arm["segments"]["segments"].as_array().unwrap().len(), 2);
    assert_eq!(arm["days"].as_array().unwrap().len(), 7);
    // A cluster in two arms counts in none.
    let text = fs::read_to_string(&path).unwrap();
    fs::write(folder.path().join("both.csv"), format!("{text}0,b,1,1,1,1,ee,2019-10-01T12:00:00Z,0\n"))
        .unwrap();
    let both =
        abtest(&folder.path().join("both.csv"), "clicks", &["--cluster", "user", "--json"]).ok().json();
    assert_eq!(both["arms"][1]["n"], 1_999);
    let several = both["checks"].as_array().unwrap().iter().find(|check| check["kind"] == "several_arms");
    assert_eq!(several.unwrap()["status"], "warned");
    fs::write(folder.path().join("moved.csv"), format!("{text}0,control,1,1,1,1,se,2019-10-01,0\n")).unwrap();
    let moved =
        abtest(&folder.path().join("moved.csv"), "clicks", &["--cluster", "user", "--segment", "country"]);
    moved.fails(1, "`user`: 0 is in `ee` and in `se`: take what was known before the experiment");
}

#[test]
fn quantiles_resamples_ranks_and_tests_are_told_and_decide() {
    let (folder, path) = sessions();
    let json =
        |outcome: &str, more: &[&str]| abtest(&path, outcome, &[more, &["--json"]].concat()).ok().json();
    let out = folder.path().join("effects.parquet");
    let more = ["--quantile", "0.9", "--bootstrap", "200", "--seed", "3", "--out", out.to_str().unwrap()];
    let quantile = json("clicks", &more);
    let arm = &quantile["findings"][0];
    assert_eq!(
        (&quantile["metric_kind"], &quantile["difference"]),
        (&json!("quantile"), &arm["absolute"]["effect"])
    );
    assert_eq!(arm["bootstrap"]["difference"], arm["absolute"]["effect"]);
    // All, relative and bootstrap.
    assert_eq!(crate::rows(&out), 3);
    assert_eq!(json("clicks", &more), quantile);
    let said = abtest(&path, "clicks", &more).ok().stdout;
    assert!(said.starts_with("0.9 quantile of clicks by arm") && said.contains("by resampling"), "{said}");
    let ranks = json("clicks", &["--test", "mann-whitney"]);
    let arm = &ranks["findings"][0];
    assert_eq!(arm["deciding_p_value"], arm["ranks"]["p_value"]);
    let plain = json("won", &[]);
    for (test, name) in [("yates", "yates"), ("g", "g"), ("fisher", "fisher"), ("usual", "pearson")] {
        let found = json("won", &["--test", test]);
        let arm = &found["findings"][0];
        assert_eq!(arm["deciding_p_value"], arm[format!("{name}_p_value")], "{test}");
        assert_eq!(found["p_value"], plain["p_value"]);
    }
    for (interval, name) in [("score", "score_interval"), ("newcombe", "newcombe_interval")] {
        let found = json("won", &["--interval", interval]);
        let arm = &found["findings"][0];
        assert_eq!((&found["ci_low"], &arm["absolute"]["interval"]), (&arm[name]["low"], &arm[name]));
        assert!(found["ci_low"] != plain["ci_low"]);
    }
    let strata = json("won", &["--strata", "country"]);
    let effect = |of: &Value| number(&of["findings"][0]["absolute"]["effect"]);
    assert!(effect(&strata) != effect(&plain) && (effect(&strata) - effect(&plain)).abs() < 0.01);
}

#[test]
fn looks_spend_the_level_and_exposures_must_lie_within_the_time() {
    let (folder, path) = sessions();
    let json = |more: &[&str]| abtest(&path, "won", &[more, &["--json"]].concat()).ok().json();
    let look = |look: &str| json(&["--looks", "4", "--look", look, "--spending", "obrien-fleming"]);
    let (first, last) = (look("1"), json(&["--looks", "4"]));
    assert_eq!((&first["verdict"], &last["verdict"]), (&json!("no_difference"), &json!("better")));
    // Boundaries of Lan and DeMets 1983, as the example of the library.
    for (found, boundary) in [(&first, "4.333"), (&last, "2.014")] {
        assert_eq!(format!("{:.3}", number(&found["findings"][0]["look"]["boundary"])), boundary);
    }
    assert_eq!(first["findings"][0]["absolute"], last["findings"][0]["absolute"]);
    let early = json(&["--exposed-at", "seen", "--start", "2019-10-02"]);
    assert_eq!(early["verdict"], "untrustworthy");
    let check =
        &early["checks"].as_array().unwrap().iter().find(|of| of["kind"] == "outside_experiment").unwrap();
    assert_eq!(check["status"], "failed");
    // At any time, by the mixture over the effects that are believed possible.
    let mixture = json(&["--sequential", "--prior-deviation", "0.03"]);
    let sequence = json(&["--sequential"]);
    assert!(mixture["findings"][0]["sequential"] != sequence["findings"][0]["sequential"]);
    // The document of the experiment has the time, the control, the shares and the level.
    let experiment = folder.path().join("e.toml");
    let document = "name = \"x\"\narms = [{ name = \"b\", weight = 1 }, { name = \"control\", weight = 1 }]\n\
                    hash = \"xxh3\"\nseed = \"s\"\nstart = \"2019-10-01\"\nend = \"2019-10-08\"\nalpha = 0.1\n";
    fs::write(&experiment, document).unwrap();
    let with = json(&["--exposed-at", "seen", "--experiment", experiment.to_str().unwrap()]);
    assert_eq!((&with["control"], &with["verdict"]), (&json!("b"), &json!("worse")));
    let said = abtest(&path, "won", &["--experiment", experiment.to_str().unwrap()]).ok().stdout;
    assert!(said.contains("90% confidence"), "{said}");
}

#[test]
fn what_makes_no_sense_together_is_refused() {
    let (_folder, path) = sessions();
    let fails = |outcome: &str, more: &[&str], text: &str| {
        abtest(&path, outcome, more).fails(2, text);
    };
    fails("clicks", &["--quantile", "0.5", "--denominator", "views"], "cannot be used with");
    fails("clicks", &["--bootstrap", "200", "--cluster", "user"], "cannot be used with");
    fails("clicks", &["--unit", "user", "--cluster", "user"], "cannot be used with");
    fails("clicks", &["--denominator", "views", "--strata", "country"], "cannot be used with");
    fails("clicks", &["--looks", "4", "--sequential"], "cannot be used with");
    fails("clicks", &["--look", "2"], "--looks");
    fails("won", &["--prior-deviation", "0.1"], "--sequential");
    fails("won", &["--sequential", "--prior-deviation", "0"], "expected a positive number");
    fails("clicks", &["--looks", "2", "--look", "3"], "look 3 of 2, expected 1 to 2");
    fails(
        "clicks",
        &["--looks", "2", "--correction", "holm"],
        "--looks shares the level of several arms alike",
    );
    fails("clicks", &["--test", "fisher"], "Fisher's exact test is of rates");
    fails("won", &["--test", "mann-whitney"], "the Mann-Whitney test is of numbers");
    fails("won", &["--test", "g", "--covariate", "before"], "the G test is of rates");
    fails("clicks", &["--quantile", "1"], "the quantile is 1, expected more than 0 and less than 1");
    fails("clicks", &["--bootstrap", "10"], "the number of resamples is 10, expected 100 or more");
    fails("clicks", &["--exposed-at", "seen"], "--exposed-at needs the time of the experiment");
    fails("clicks", &["--start", "2019-10-01"], "--exposed-at");
    abtest(&path, "clicks", &["--exposed-at", "country", "--start", "2019-10-01"])
        .fails(1, "expected dates, timestamps, or text such as 2019-10-01");
}

#[test]
fn what_would_not_fit_is_refused_with_the_memory_that_would_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let rows = 700_000;
    let mut text = "id,arm,x,half\n".to_owned();
    for row in 0..rows {
        text.push_str(&format!("{row},{},{},{}\n", ["control", "b"][row % 2], row % 1_000, row / 2));
    }
    fs::write(&path, text).unwrap();
    let small = |more: &[&str]| abtest(&path, "x", &[more, &["--memory", "48MiB", "--json"]].concat());
    // Sums alone need none of it: rows stream.
    let plain = small(&[]).ok().json();
    assert_eq!(plain["arms"][0]["n"], rows / 2);
    assert!(plain["findings"][0]["ranks"].is_null());
    small(&["--test", "mann-whitney"])
        .fails(1, "the Mann-Whitney test needs at least 50.8MiB of memory, but the budget is 48MiB");
    small(&["--quantile", "0.5"]).fails(1, "a quantile needs at least 50.8MiB of memory");
    small(&["--unit", "id"]).fails(1, "to see that every unit has one row needs at least 130.9MiB of memory");
    small(&["--segment", "half"]).fails(1, "give more --memory, or take columns of fewer values");
    small(&["--cluster", "half"]).fails(1, "give more --memory, or take columns of fewer values");
    // The budgets that were named do.
    let with =
        |memory: &str, more: &[&str]| abtest(&path, "x", &[more, &["--memory", memory, "--json"]].concat());
    assert!(with("50.8MiB", &["--quantile", "0.5"]).ok().json()["difference"].is_number());
    let once = with("130.9MiB", &["--unit", "id"]).ok().json();
    assert_eq!(once["difference"], plain["difference"]);
}

#[test]
fn a_store_gives_what_users_did_before_by_day_and_by_segment() {
    let (folder, store) = folder_of_store(6_000);
    let experiment = folder.path().join("e.toml");
    let document = "name = \"x\"\nhash = \"xxh3\"\nseed = \"s\"\nmetrics = [\"purchase\"]\n";
    fs::write(&experiment, document).unwrap();
    let with = |more: &[&str]| {
        let fixed = ["abtest", store.to_str().unwrap(), "--experiment", experiment.to_str().unwrap()];
        cip([&fixed[..], more].concat())
    };
    let json = |more: &[&str]| with(&[more, &["--json"]].concat()).ok().json();
    let plain = json(&["--from", FROM]);
    let kinds = |found: &Value| -> Vec<String> {
        let checks = found["checks"].as_array().unwrap().iter();
        checks.map(|check| check["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(plain["metric_kind"], "rate");
    assert!(plain["findings"][0]["days"].as_array().unwrap().len() > 1, "{plain}");
    let out = folder.path().join("effects.parquet");
    let more = ["--from", FROM, "--before", "30d", "--segment", "brand", "--sequential", "--bayesian"];
    for measure in ["converted", "events", "amount", "amount-per-event"] {
        let all = [&more[..], &["--measure", measure, "--out", out.to_str().unwrap()]].concat();
        let found = json(&all);
        assert!(found["theta"].is_number() && found["variance_explained"].is_number(), "{found}");
        let arm = &found["findings"][0];
        assert!(arm["sequential"]["p_value"].is_number() && arm["belief"]["chance_to_win"].is_number());
        assert!(arm["segments"]["segments"].as_array().unwrap().len() > 1, "{found}");
        assert_eq!(
            found["metric_kind"],
            if measure == "amount-per-event" {
                "ratio"
            } else if measure == "converted" {
                "rate"
            } else {
                "mean"
            }
        );
        assert_eq!(found, json(&[&all[..], &["--threads", "3"]].concat()));
        assert_eq!(found["arms"][0]["n"], plain["arms"][0]["n"]);
        assert!(crate::rows(&out) > 4);
    }
    // Who saw something before the start was exposed too early.
    let exposed = json(&["--from", FROM, "--exposed-by", "view"]);
    assert!(
        kinds(&exposed).contains(&"outside_experiment".to_owned()) && exposed["verdict"] == "untrustworthy"
    );
    with(&["--before", "30d"]).fails(2, "--before needs a start");
    with(&["--segment", "colour"]).fails(1, "no column `colour` of text or integers");
    with(&["--cluster", "x"]).fails(2, "--cluster goes with a table");
    let table = folder.path().join("t.csv");
    fs::write(&table, "arm,x\na,1\nb,2\n").unwrap();
    abtest(&table, "x", &["--measure", "amount"]).fails(2, "--measure goes with a store");
}
