//! `cip train`, `cip evaluate` and `cip score`, as a person uses them.

use std::fs;

use serde_json::Value;

use crate::{args, cip, rows};

/// A table in which whoever has many views buys, mostly; in CSV.
fn shoppers(rows: u64) -> String {
    let mut text = String::from("user_id,views,carts,plan,bought\r\n");
    for user in 0..rows {
        let mixed = (user + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let views = mixed % 50;
        let carts = if mixed % 3 == 0 { String::new() } else { (mixed / 50 % 4).to_string() };
        let bought = if views + mixed % 9 > 45 { "true" } else { "false" };
        text.push_str(&format!("{user},{views},{carts},free,{bought}\r\n"));
    }
    text
}

#[test]
fn a_table_is_learned_from_evaluated_and_scored() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("t.csv"), shoppers(3_000)).unwrap();
    let train = |out: &str, threads: &str| {
        let list = args![
            "train",
            at("t.csv"),
            "--label",
            "bought",
            "--exclude",
            "plan",
            "--trees",
            "30",
            "--out",
            at(out)
        ];
        cip([&list[..], &args!["--threads", threads, "--json"]].concat()).ok().json()
    };
    let (one, two) = (train("1.json", "1"), train("2.json", "2"));
    assert!(
        fs::read(at("1.json")).unwrap() == fs::read(at("2.json")).unwrap(),
        "the model depends on the threads"
    );
    assert_eq!(one["metrics"], two["metrics"]);
    assert!(one["fit_cpu_s"].as_f64().unwrap() > 0.0 && one["fit_wall_s"].as_f64().unwrap() > 0.0);
    assert!(one["metrics"]["auc"].as_f64().unwrap() > 0.95, "{one}");
    let calibration = &one["calibration"];
    assert_eq!((&calibration["method"], &calibration["fallback"]), (&"platt".into(), &Value::Null));
    let rows_of = |name: &str| one[name].as_u64().unwrap();
    let calibrated = calibration["rows"].as_u64().unwrap();
    assert_eq!(rows_of("train_rows") + calibrated + rows_of("held_out_rows"), 3_000);
    assert!((180..300).contains(&calibrated), "{calibrated}");
    let metrics = &one["metrics"];
    assert!(
        metrics["uncalibrated"]["brier"].is_number() && metrics["reliability"][0]["observed"].is_number()
    );
    assert_eq!((&one["importance"][0]["feature"], &one["trees"]), (&"views".into(), &30.into()));

    let evaluated =
        cip(args!["evaluate", at("t.csv"), "--model", at("1.json"), "--label", "bought", "--json"])
            .ok()
            .json();
    for metric in ["auc", "average_precision", "log_loss", "brier", "ece"] {
        assert!(evaluated[metric].is_number(), "{metric}: {evaluated}");
    }
    assert_eq!(
        (&evaluated["lift"][1]["fraction"], &evaluated["lift"][1]["rows"]),
        (&0.05.into(), &150.into())
    );

    let scored =
        cip(args!["score", at("t.csv"), "--model", at("1.json"), "--out", at("s.parquet"), "--json"]);
    let scored = scored.ok().json();
    assert_eq!((&scored["rows"], &scored["ids"][0]), (&3_000.into(), &"user_id".into()));
    assert_eq!(rows(&at("s.parquet")), 3_000);
    let explained = cip(args![
        "score",
        at("t.csv"),
        "--model",
        at("1.json"),
        "--explain",
        "--out",
        at("e.parquet"),
        "--json"
    ]);
    let explained = explained.ok().json();
    assert_eq!((&explained["rows"], rows(&at("e.parquet"))), (&3_000.into(), 3_000));
    assert!(explained["base"].is_number());
    assert_eq!(explained["best"].as_array().unwrap().len(), 5);
    let first = &explained["best"][0];
    assert!(first["id"].is_number() && first["score"].as_f64().unwrap() > 0.9, "{first}");
    assert_eq!(first["reasons"][0]["feature"], "views", "{first}");
    let text =
        cip(args!["score", at("t.csv"), "--model", at("1.json"), "--explain", "--out", at("e.parquet")]);
    let text = text.ok().stdout;
    for word in ["3,000 rows scored", "user_id", "why (part of the log odds)", "views 4", "(+"] {
        assert!(text.contains(word), "{word}: {text}");
    }

    // What cip wrote is a table as well: the scores, of scores.
    cip(args!["evaluate", at("s.parquet"), "--model", at("1.json"), "--label", "bought"])
        .fails(1, "no column `bought`");

    let text = cip(args![
        "train",
        at("t.csv"),
        "--label",
        "bought",
        "--columns",
        "views,carts",
        "--out",
        at("1.json")
    ]);
    let text = text.ok().stdout;
    for word in [
        "200 trees",
        "calibrated (platt) on",
        "top 5%",
        "AUC 0.9",
        "uncalibrated 0.",
        "came true",
        "what it leans on",
        "this model",
        "logistic",
        "1.card.md",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn every_calibration_can_be_chosen_and_few_rows_are_no_reason_to_fail() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("t.csv"), shoppers(3_000)).unwrap();
    fs::write(at("few.csv"), shoppers(200)).unwrap();
    let train = |table: &str, method: &str, more: &[&str]| {
        let mut list = args!["train", at(table), "--label", "bought", "--columns", "views,carts"].to_vec();
        list.extend(args!["--trees", "20", "--calibration", method, "--out", at("m.json")]);
        list.extend(more.iter().map(Into::into));
        cip(list)
    };
    let json = |table: &str, method: &str| train(table, method, &["--json"]).ok().json();
    let none = json("t.csv", "none");
    assert_eq!(none["calibration"]["rows"], 0);
    assert_eq!(none["metrics"]["brier"], none["metrics"]["uncalibrated"]["brier"]);
    for method in ["platt", "isotonic", "beta"] {
        let found = json("t.csv", method);
        assert_eq!(
            (&found["calibration"]["method"], &found["calibration"]["fallback"]),
            (&method.into(), &Value::Null)
        );
        assert_eq!(found["held_out_rows"], none["held_out_rows"]);
        assert_ne!(found["metrics"]["brier"], found["metrics"]["uncalibrated"]["brier"]);
        let few = json("few.csv", method);
        assert_eq!(few["calibration"]["fallback"], "few_rows", "{few}");
    }
    let text = train("few.csv", "platt", &[]).ok().stdout;
    assert!(text.contains("not calibrated (fewer than 10 rows of a class are held out for it)"), "{text}");
    train("t.csv", "sigmoid", &[]).fails(2, "there is no calibration `sigmoid`");
    for share in ["0", "1", "nan"] {
        train("t.csv", "platt", &["--calibration-share", share]).fails(2, "the share to calibrate on is");
    }
}

#[test]
fn a_model_is_explained_in_a_table_a_page_and_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // A name that is neither Markdown nor XML.
    fs::write(at("t.csv"), shoppers(1_000).replacen("carts", "carts <|>", 1)).unwrap();
    let columns = "views,carts <|>";
    cip(args![
        "train",
        at("t.csv"),
        "--label",
        "bought",
        "--columns",
        columns,
        "--trees",
        "20",
        "--out",
        at("m.json")
    ])
    .ok();
    let explain = |more: &[&str], out: &str| {
        let mut list = args!["explain", at("t.csv"), "--model", at("m.json"), "--out", at(out)].to_vec();
        list.extend(more.iter().map(Into::into));
        cip(list)
    };
    let found = explain(&["--customer", "7,12", "--json"], "one").ok().json();
    assert_eq!((&found["rows"], &found["label"]), (&1_000.into(), &"bought".into()));
    assert_eq!(
        (&found["effects"][0]["feature"], &found["effects"][1]["feature"]),
        (&"views".into(), &"carts <|>".into())
    );
    assert_eq!((&found["customers"][0]["id"], &found["customers"][1]["row"]), (&7.into(), &12.into()));
    assert_eq!(rows(&at("one").join("feature_effects.parquet")), 2);
    let page = fs::read_to_string(at("one").join("explanation.md")).unwrap();
    for text in
        ["# What bought depends on", "carts \\<\\|\\>", "(feature_effects.svg)", "(customer-2.svg)", "## 12"]
    {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert_eq!(rows(&at("one").join("feature_points.parquet")), 2_000);
    assert_eq!((&found["dependence"][0], &found["pairs"]), (&"views".into(), &Value::Null));
    for (file, dots) in
        [("feature_points.svg", 2_000), ("dependence-1.svg", 1_000), ("dependence-2.svg", 1_000)]
    {
        let picture = fs::read_to_string(at("one").join(file)).unwrap();
        assert_eq!(picture.matches("<circle").count(), dots, "{file}");
    }
    let more = ["--dependence", "carts <|>", "--interactions", "50", "--json"];
    let pairs = explain(&more, "pairs").ok().json();
    assert_eq!(
        (&pairs["pairs"][0]["feature_a"], &pairs["pairs"][0]["feature_b"]),
        (&"views".into(), &"carts <|>".into())
    );
    assert!(pairs["pairs"][0]["mean_magnitude"].as_f64().unwrap() > 0.0, "{pairs}");
    assert_eq!(
        (&pairs["dependence"], rows(&at("pairs").join("pair_effects.parquet"))),
        (&serde_json::json!(["carts <|>"]), 1)
    );
    let together = fs::read_to_string(at("pairs").join("explanation.md")).unwrap();
    assert!(
        together.contains("views and carts \\<\\|\\>") && together.contains("(pair_effects.svg)"),
        "{together}"
    );
    explain(&["--dependence", "gone"], "gone").fails(1, "column `gone` is missing");
    explain(&["--interactions", "0"], "gone").fails(2, "1..=1000");
    let picture = fs::read_to_string(at("one").join("customer-1.svg")).unwrap();
    assert!(picture.contains("7: a score of") && picture.contains("carts &lt;|&gt;"), "{picture}");
    let summary: Value = serde_json::from_slice(&fs::read(at("one").join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary, found);

    // The same bytes on other threads, and in place of what cip wrote before.
    explain(&["--customer", "7,12", "--threads", "1"], "two").ok();
    for file in
        ["explanation.md", "feature_effects.svg", "feature_effects.parquet", "customer-2.svg", "summary.json"]
    {
        assert!(fs::read(at("one").join(file)).unwrap() == fs::read(at("two").join(file)).unwrap(), "{file}");
    }
    let text = explain(&[], "one").ok().stdout;
    assert!(text.contains("1,000 rows explained for `bought`") && text.contains("mean magnitude"), "{text}");
    assert!(!at("one").join("customer-1.svg").exists());
    explain(&["--customer", "nobody"], "one").fails(1, "no row has the id `nobody`");
    assert!(at("one").join("explanation.md").exists());
    fs::create_dir(at("mine")).unwrap();
    fs::write(at("mine").join("notes"), "notes").unwrap();
    explain(&[], "mine").fails(1, "was not written by cip");
}

#[test]
fn what_makes_no_sense_is_said_and_the_old_model_stays() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("t.csv"), shoppers(300)).unwrap();
    let train = |more: &[&str]| {
        let mut list = args!["train", at("t.csv"), "--label", "bought", "--out", at("m.json")].to_vec();
        list.extend(more.iter().map(Into::into));
        cip(list)
    };
    train(&["--exclude", "plan"]).ok();
    let model = fs::read(at("m.json")).unwrap();
    train(&["--monotone", "plan=+1"]).fails(1, "feature `plan` has categories, which have no order");
    train(&["--exclude", "plan", "--categorical", "plan"]).fails(1, "column `plan` is missing");
    train(&["--exclude", "gone"]).fails(1, "no column `gone`");
    train(&["--columns", "views,views"]).fails(1, "given twice");
    train(&["--columns", "views", "--exclude", "plan"]).fails(2, "cannot be used with");
    train(&["--id", "customer"]).fails(1, "no column `customer`");
    for (flag, value) in [
        ("--hold-out", "1"),
        ("--hold-out", "nan"),
        ("--sample", "0"),
        ("--trees", "0"),
        ("--leaves", "1"),
        ("--learning-rate", "0"),
        ("--learning-rate", "inf"),
    ] {
        train(&[flag, value]).fails(2, "expected");
    }
    fs::write(
        at("one.csv"),
        "user_id,views,bought\n1,2,0\n2,3,0\n3,4,0\n4,5,0\n5,6,0\n6,7,0\n7,8,0\n8,9,0\n",
    )
    .unwrap();
    let list = args!["train", at("one.csv"), "--label", "bought", "--hold-out", "0.5", "--out", at("m.json")];
    cip(list).fails(1, "labels are 0, expected both 0 and 1");
    assert!(fs::read(at("m.json")).unwrap() == model);

    // Somebody's notes are not replaced, and are no model.
    fs::write(at("notes"), "notes").unwrap();
    cip(args!["train", at("t.csv"), "--label", "bought", "--columns", "views", "--out", at("notes")])
        .fails(1, "was not written by cip");
    cip(args!["score", at("t.csv"), "--model", at("notes"), "--out", at("s")])
        .fails(1, "the model file cannot be read");
    cip(args!["score", at("t.csv"), "--model", at("none"), "--out", at("s")]).fails(1, "cannot read");
    cip(args!["score", at("t.csv"), "--model", at("m.json"), "--out", at("notes")])
        .fails(1, "was not written by cip");
    cip(args!["score", at("notes"), "--model", at("m.json"), "--out", at("s")]).fails(1, "no column `views`");
    assert!(!at("s").exists());
}
