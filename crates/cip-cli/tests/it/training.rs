//! `cip train` and `cip evaluate` with all that they can be asked for.

use std::fs;
use std::path::Path;

use crate::{Outcome, args, cip};

/// Users who are known on twelve days; whoever views much buys, mostly, and less so without carts.
fn visits() -> String {
    let mut text = String::from("user_id,day,views,carts,recency_days,bought\n");
    for row in 0u64..4_800 {
        let (user, day) = (row % 400, row / 400 + 1);
        let mixed = (row + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let (views, carts) = (mixed % 50, mixed / 50 % 4);
        let bought = u8::from(views + 4 * carts + mixed / 200 % 30 > 66);
        text.push_str(&format!("{user},2019-10-{day:02},{views},{carts},{},{bought}\n", 49 - views / 2));
    }
    text
}

/// Twenty trees of a table of visits, whose days are no feature.
fn train(table: &Path, out: &Path, more: &[&str]) -> Outcome {
    let list = args!["train", table, "--label", "bought", "--exclude", "day", "--trees", "20", "--out", out];
    cip(list.into_iter().chain(more.iter().map(Into::into)))
}

#[test]
fn a_model_is_learned_in_time_searched_stopped_and_told_of_in_a_card() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("t.csv"), visits()).unwrap();
    let train = |out: &str, threads: &str| {
        let mut list =
            args!["train", at("t.csv"), "--label", "bought", "--time", "day", "--label-days", "1"].to_vec();
        list.extend(args![
            "--trees",
            "60",
            "--early-stopping",
            "5",
            "--class-weight",
            "balanced",
            "--search",
            "3"
        ]);
        list.extend(args![
            "--monotone",
            "views=+1,recency_days=-1",
            "--folds",
            "2",
            "--depth",
            "4",
            "--cutoff",
            "2019-10-12"
        ]);
        list.extend(args![
            "--validation-share",
            "0.2",
            "--calibration-share",
            "0.2",
            "--threads",
            threads,
            "--out",
            at(out),
            "--json"
        ]);
        cip(list).ok().json()
    };
    let found = train("m.json", "1");
    let rows = |name: &str| found[name].as_u64().unwrap();
    assert_eq!(
        rows("train_rows")
            + rows("validation_rows")
            + rows("held_out_rows")
            + found["calibration"]["rows"].as_u64().unwrap(),
        4_800
    );
    assert_eq!((rows("trees") <= 60, &found["params"]["early_stopping"]), (true, &5.into()));
    assert_eq!(
        (found["search"]["trials"].as_array().unwrap().len(), &found["params"]["depth"]),
        (3, &4.into())
    );
    assert_eq!(
        (&found["params"]["monotone"]["views"], &found["params"]["class_weight"]),
        (&"increasing".into(), &"balanced".into())
    );
    let auc = |name: &str| found["baselines"][name]["auc"].as_f64().unwrap();
    assert_eq!(auc("constant"), 0.5);
    assert!(
        auc("recency") > 0.7
            && auc("logistic") > 0.8
            && found["metrics"]["auc"].as_f64().unwrap() > auc("recency")
    );
    assert_eq!(found["baseline"], found["baselines"]["tree"]);
    // With so few different numbers rows repeat.
    assert_eq!(found["findings"][0]["kind"], "duplicates");
    assert_eq!(found["findings"].as_array().unwrap().len(), 1);

    let card = |name: &str| fs::read_to_string(at(name)).unwrap();
    let [markdown, html] = ["m.card.md", "m.card.html"].map(card);
    for text in [
        "t.csv",
        "2019-10-12",
        "tested on from",
        "calibrated on from",
        "balanced",
        "recency",
        "Intended use",
        "stand among those to train on",
    ] {
        assert!(markdown.contains(text) && html.contains(text), "{text}: {markdown}");
    }
    // A second run, on other threads, replaces all three with the same bytes.
    let model = fs::read(at("m.json")).unwrap();
    train("m.json", "2");
    assert!(fs::read(at("m.json")).unwrap() == model, "the model depends on the threads");
    assert_eq!([card("m.card.md"), card("m.card.html")], [markdown, html]);

    // What is no card of cip's is left alone, and the old model with it.
    fs::write(at("m.card.md"), "mine").unwrap();
    cip(args!["train", at("t.csv"), "--label", "bought", "--exclude", "day", "--out", at("m.json")])
        .fails(1, "m.card.md");
    assert_eq!((fs::read(at("m.json")).unwrap(), card("m.card.md")), (model, "mine".to_owned()));

    let evaluate = |more: &[&str]| {
        let mut list = args!["evaluate", at("t.csv"), "--model", at("m.json"), "--label", "bought"].to_vec();
        list.extend(more.iter().map(Into::into));
        cip(list)
    };
    let asked = [
        "--bootstrap",
        "50",
        "--budget",
        "480",
        "--contact-cost",
        "1",
        "--value",
        "4",
        "--curve",
        "10",
        "--json",
    ];
    let found = evaluate(&asked).ok().json();
    let [low, high] = ["low", "high"].map(|end| found["intervals"]["auc"][end].as_f64().unwrap());
    let auc = found["auc"].as_f64().unwrap();
    assert!(low < auc && auc < high, "{low} {auc} {high}");
    // A tenth of the rows is also one of the fractions.
    assert_eq!(found["budget"]["captured"], found["lift"][2]["captured"]);
    let profit = |name: &str, field: &str| found["profit"][name][field].as_f64().unwrap();
    assert_eq!((found["profit"]["least_score"].as_f64(), profit("budget", "rows")), (Some(0.25), 480.0));
    assert_eq!(profit("budget", "profit"), 4.0 * found["budget"]["positives"].as_f64().unwrap() - 480.0);
    assert!(profit("greatest", "profit") >= profit("worthwhile", "profit"));
    let curve = found["curve"].as_array().unwrap();
    assert_eq!((curve.len(), &curve[9]["captured"]), (10, &1.0.into()));
    let text = evaluate(&asked[..10]).ok().stdout;
    for word in [
        "95% of 50 resamples",
        "lift of the best tenth",
        "expected profit",
        "best in hindsight",
        "the budget",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    evaluate(&["--budget", "0"]).fails(2, "the budget is 0");
    evaluate(&["--bootstrap", "3"]).fails(2, "20 to 100000");
    evaluate(&["--contact-cost", "1"]).fails(2, "--value");
    evaluate(&["--contact-cost", "1", "--value", "nan"]).fails(2, "more than 0");
}

#[test]
fn tables_of_their_own_serve_to_validate_and_calibrate_and_leaks_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("t.csv"), visits()).unwrap();
    let leaky: String = visits()
        .lines()
        .enumerate()
        .map(|(row, line)| match (row, line.rsplit_once(',').unwrap().1) {
            (0, _) => format!("{line},refund,order_id\n"),
            (row, bought) => format!("{line},{bought},{}\n", 7_000 + row),
        })
        .collect();
    fs::write(at("leaky.csv"), leaky).unwrap();
    let train = |table: &str, more: &[&str]| train(&at(table), &at("m.json"), more);
    let path = at("t.csv").display().to_string();
    let with = ["--early-stopping", "3", "--validation", &path, "--calibrate", &path, "--json"];
    let found = train("t.csv", &with).ok().json();
    assert_eq!((&found["validation_rows"], &found["calibration"]["rows"]), (&4_800.into(), &4_800.into()));

    let found = train("leaky.csv", &["--json"]).ok().json();
    let kinds: Vec<_> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (finding["kind"].as_str().unwrap(), finding["feature"].as_str().unwrap_or("")))
        .collect();
    assert_eq!(kinds, [("id_like", "order_id"), ("tells_the_label", "refund")]);
    let text = train("leaky.csv", &[]).ok().stdout;
    assert!(text.contains("warning: `refund` tells the label by itself (AUC 1.0000)"), "{text}");

    let lot = train("t.csv", &["--stratified", "--json"]).ok().json();
    let positives = visits().lines().filter(|line| line.ends_with(",1")).count() as u64;
    assert_eq!(lot["metrics"]["positives"], positives / 5);
    assert_eq!(lot["held_out_rows"], positives / 5 + (4_800 - positives) / 5);
    train("t.csv", &["--stratified", "--time", "day"]).fails(2, "--time");
    train("t.csv", &["--monotone", "views"]).fails(2, "carts=+1");
    train("t.csv", &["--monotone", "gone=+1"]).fails(1, "column `gone` is missing");
    train("t.csv", &["--class-weight", "heavy"]).fails(2, "write balanced");
    train("t.csv", &["--class-weight", "-1"]).fails(2, "more than 0");
    train("t.csv", &["--search", "0"]).fails(2, "1 to 193");
    train("t.csv", &["--label-days", "3"]).fails(2, "--time");
    train("t.csv", &["--time", "gone"]).fails(1, "gone");
}

#[test]
fn rows_count_as_much_as_their_weight_says() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // Every buyer stands for four.
    let weighted: String = visits()
        .lines()
        .enumerate()
        .map(|(row, line)| match (row, line.ends_with(",1")) {
            (0, _) => format!("{line},count\n"),
            (_, bought) => format!("{line},{}\n", if bought { 4.0 } else { 1.0 }),
        })
        .collect();
    fs::write(at("t.csv"), weighted).unwrap();
    let train = |more: &[&str]| train(&at("t.csv"), &at("m.json"), more);
    let found = train(&["--weight", "count", "--early-stopping", "5", "--json"]).ok().json();
    let (weighted, plain) = (&found["weighted"], &found["metrics"]);
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let share = number(&weighted["observed"]);
    // p rows of 4 and n of 1, and a calibration that knows it.
    let (positives, rows) = (number(&plain["positives"]), number(&plain["rows"]));
    assert!((share - 4.0 * positives / (3.0 * positives + rows)).abs() < 1e-9);
    assert!((number(&weighted["mean_score"]) - share).abs() < 0.05, "{weighted}");
    // A ranking does not depend on how much a class counts.
    assert!((number(&weighted["auc"]) - number(&plain["auc"])).abs() < 1e-6);
    assert!(fs::read_to_string(at("m.card.md")).unwrap().contains("| count |"));
    assert!(!found["importance"].to_string().contains("count"));

    // What is plainer is counted alike, and so are the folds of a search.
    let [constant, logistic] = ["constant", "logistic"].map(|name| &found["weighted_baselines"][name]);
    assert!((number(&constant["mean_score"]) - share).abs() < 0.1, "{constant}");
    assert!(number(&logistic["auc"]) > 0.5 && number(&constant["auc"]) == 0.5);
    let searched = train(&["--weight", "count", "--search", "2", "--folds", "2", "--json"]).ok().json();
    assert_eq!(searched["search"]["trials"].as_array().unwrap().len(), 2);
    assert!(train(&["--weight", "count"]).ok().stdout.contains("by weight"));
    assert!(train(&["--json"]).ok().json()["weighted_baselines"].is_null());
    train(&["--weight", "count", "--early-stopping", "5"]).ok();

    let list = args![
        "evaluate",
        at("t.csv"),
        "--model",
        at("m.json"),
        "--label",
        "bought",
        "--weight",
        "count",
        "--json"
    ];
    let found = cip(list).ok().json();
    assert!(number(&found["weighted"]["weight"]) > 4_800.0, "{found}");
    let told = train(&["--weight", "count"]).ok().stdout;
    assert!(told.contains("weighted: "), "{told}");
    train(&["--weight", "gone"]).fails(1, "gone");
    train(&["--weight", "day"]).fails(1, "weight `day` is Utf8, expected numbers");
}

#[test]
fn a_model_goes_to_xgboost_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("t.csv"), visits()).unwrap();
    train(&at("t.csv"), &at("m.json"), &["--calibration", "none"]).ok();
    let convert = |from: &str, to: &str, out: &str| {
        cip(args!["convert", at(from), "--to", to, "--out", at(out), "--label", "bought", "--json"])
    };
    let found = convert("m.json", "xgboost", "x.json").ok().json();
    assert_eq!((&found["trees"], &found["features"][0]), (&20.into(), &"views".into()));
    // What cip wrote is replaced, and what is another's is not.
    convert("m.json", "xgboost", "x.json").ok();
    convert("x.json", "cip", "back.json").ok();
    convert("x.json", "cip", "t.csv").fails(1, "t.csv");
    // ONNX is no JSON, and known by how it starts.
    convert("m.json", "onnx", "m.onnx").ok();
    let first = fs::read(at("m.onnx")).unwrap();
    convert("m.json", "onnx", "m.onnx").ok();
    assert_eq!(fs::read(at("m.onnx")).unwrap(), first);
    convert("m.json", "onnx", "t.csv").fails(1, "t.csv");
    let auc = |model: &str| {
        let list = args!["evaluate", at("t.csv"), "--model", at(model), "--label", "bought", "--json"];
        cip(list).ok().json()["auc"].as_f64().unwrap()
    };
    assert!((auc("m.json") - auc("back.json")).abs() < 1e-4);
    convert("t.csv", "cip", "no.json").fails(1, "cannot be read");
    convert("gone.json", "cip", "no.json").fails(1, "cannot read");
}

#[test]
fn a_model_of_lightgbm_is_one_of_cips() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = include_str!("../../../cip-propensity/tests/data/lightgbm.txt");
    fs::write(at("l.txt"), text).unwrap();
    fs::write(at("cut.txt"), &text[..2_000]).unwrap();
    let convert = |from: &str| {
        cip(args!["convert", at(from), "--to", "cip", "--label", "bought", "--out", at("m.json"), "--json"])
    };
    let found = convert("l.txt").ok().json();
    assert_eq!((&found["trees"], &found["label"]), (&12.into(), &"bought".into()));
    fs::write(at("t.csv"), "views,city,spend,zone\n3,Ulm,,101\n,Rome,0.5,\n").unwrap();
    let score = args!["score", at("t.csv"), "--model", at("m.json"), "--explain", "--out", at("s.parquet")];
    let told = cip(score).ok().stdout;
    assert!(told.contains("city=Ulm") && told.contains("zone unknown"), "{told}");
    convert("cut.txt")
        .fails(1, "the last line is `something else`, expected `end of trees`: the file is cut");
}
