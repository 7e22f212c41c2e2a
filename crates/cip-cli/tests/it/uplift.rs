//! `cip uplift`, as a person uses it.

use std::fs;

use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::{Float64Type, Int64Type};

use crate::real::data;
use crate::{Noise, args, cip};

/// Three arms of letters: one for men moves whoever was here lately, one for women moves nobody.
fn letters(rows: u64) -> String {
    let mut noise = Noise(5);
    let mut text = String::from("customer,recency,spend,letter,flag,visit\n");
    for customer in 0..rows {
        let (recency, spend) = (noise.below(12), noise.below(500));
        let arm = noise.below(3);
        let moved = arm == 1 && recency < 4 && noise.below(3) > 0;
        let visit = moved || noise.below(6) == 0;
        let letter = ["none", "men", "women"][arm as usize];
        text.push_str(&format!(
            "{customer},{recency},{spend},{letter},{},{}\n",
            u8::from(arm == 1),
            u8::from(visit)
        ));
    }
    text
}

#[test]
fn two_arms_of_three_are_compared_by_both_methods() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("t.csv"), letters(6_000)).unwrap();
    for method in ["two-model", "transformed-outcome"] {
        let run = |out: &str, threads: &str| {
            let list = args![
                "uplift",
                at("t.csv"),
                "--id",
                "customer",
                "--treatment",
                "letter",
                "--treated",
                "men",
                "--control",
                "none"
            ];
            let more = args![
                "--outcome",
                "visit",
                "--exclude",
                "flag",
                "--method",
                method,
                "--out",
                at(out),
                "--threads",
                threads
            ];
            cip([&list[..], &more, &args!["--json"]].concat()).ok().json()
        };
        let (one, two) = (run("1.parquet", "1"), run("2.parquet", "2"));
        assert!(one == two && fs::read(at("1.parquet")).unwrap() == fs::read(at("2.parquet")).unwrap());
        assert_eq!(one["features"], serde_json::json!(["recency", "spend"]));
        let found = &one["evaluation"];
        assert_eq!(found["rows"].as_u64().unwrap() + one["left_out"].as_u64().unwrap(), 6_000);
        let top = &found["top"][2];
        assert!(
            top["uplift"].as_f64().unwrap() > 0.4 && found["average_effect"].as_f64().unwrap() < 0.3,
            "{found}"
        );
        assert!(found["qini"].as_f64().unwrap() > 0.1 && found["auuc"].as_f64().unwrap() > 0.1, "{found}");
        let (mut rows, mut highest) = (0, (0, f64::MIN));
        for batch in cip::store::read_table(&at("1.parquet")).unwrap() {
            let batch = batch.unwrap();
            let column = |name: &str| batch.column_by_name(name).unwrap();
            rows += batch.num_rows() as u64;
            assert_eq!(column("customer"), column("row"));
            let ranks = column("rank").as_primitive::<Int64Type>();
            for (uplift, rank) in
                column("uplift").as_primitive::<Float64Type>().values().iter().zip(ranks.values())
            {
                if *uplift > highest.1 {
                    highest = (*rank, *uplift);
                }
            }
        }
        assert_eq!((rows, highest.0), (found["rows"].as_u64().unwrap(), 1));
    }
    // Without ids rows are known by their number.
    let outcome = cip(args![
        "uplift",
        at("t.csv"),
        "--treatment",
        "flag",
        "--outcome",
        "visit",
        "--columns",
        "recency",
        "--out",
        at("plain.parquet")
    ])
    .ok();
    assert_eq!(crate::rows(&at("plain.parquet")), 6_000);
    assert!(
        outcome.stdout.contains("6,000 rows") && outcome.stdout.contains("top 30%"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn amounts_are_learned_from_and_a_model_scores_other_tables() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("t.csv"), letters(6_000)).unwrap();
    // Who was moved by the letter for men spends; others do as they do.
    let uplift = |threads: &str, more: &[&str]| {
        let list = args![
            "uplift",
            at("t.csv"),
            "--id",
            "customer",
            "--treatment",
            "flag",
            "--exclude",
            "letter",
            "--json"
        ];
        let more = more.iter().map(Into::into);
        cip(list.into_iter().chain(args!["--threads", threads, "--model-out", at("u.json")]).chain(more))
    };
    let found = uplift("1", &["--outcome", "visit"]).ok().json();
    let file = fs::read(at("u.json")).unwrap();
    assert_eq!(found, uplift("2", &["--outcome", "visit"]).ok().json());
    assert!(file == fs::read(at("u.json")).unwrap(), "the model depends on the threads");
    let score = |table: &str, more: &[&str]| {
        let list = args![
            "score",
            at(table),
            "--model",
            at("u.json"),
            "--id",
            "customer",
            "--out",
            at("s.parquet"),
            "--json"
        ];
        cip(list.into_iter().chain(more.iter().map(Into::into)))
    };
    // Other customers: of whom was here lately the letter moves two of three, of the others none.
    let others = "customer,recency,spend\n1,1,100\n2,9,100\n3,2,400\n4,11,3\n";
    fs::write(at("new.csv"), others).unwrap();
    let told = score("new.csv", &[]).ok().json();
    assert_eq!(
        (&told["rows"], &told["treatment"], &told["kind"]),
        (&4.into(), &"flag".into(), &"label".into())
    );
    let scored = |column: &str| -> Vec<f64> {
        let batches = cip::store::read_table(&at("s.parquet")).unwrap();
        let of = |batch: cip::arrow_array::RecordBatch| {
            let found = batch.column_by_name(column).unwrap().clone();
            found.as_primitive::<Float64Type>().values().to_vec()
        };
        batches.flat_map(|batch| of(batch.unwrap())).collect()
    };
    let found = scored("uplift");
    assert!(found[0] > 0.4 && found[2] > 0.4 && found[1].abs() < 0.15 && found[3].abs() < 0.15, "{found:?}");
    score("new.csv", &["--explain"]).fails(2, "a model of uplift is not explained");
    fs::write(at("few.csv"), "customer,recency\n1,2\n").unwrap();
    score("few.csv", &[]).fails(1, "no column `spend`");
    cip(args!["evaluate", at("t.csv"), "--model", at("u.json"), "--label", "visit"])
        .fails(1, "cip-uplift-model");

    // 100 more where the letter moves somebody.
    let text = letters(6_000);
    let spent = text.lines().enumerate().map(|(row, line)| match row {
        0 => format!("{line},spent\n"),
        _ => format!("{line},{}\n", if line.ends_with(",1") { 100.5 } else { 0.0 }),
    });
    fs::write(at("t.csv"), spent.collect::<String>()).unwrap();
    for method in ["two-model", "transformed-outcome"] {
        let list = args![
            "uplift",
            at("t.csv"),
            "--treatment",
            "flag",
            "--amount",
            "spent",
            "--columns",
            "recency,spend",
            "--method",
            method,
            "--model-out",
            at("u.json"),
            "--json"
        ];
        let found = cip(list).ok().json();
        let evaluation = &found["evaluation"];
        assert_eq!((&found["kind"], &evaluation["qini"]), (&"amount".into(), &serde_json::Value::Null));
        assert!(evaluation["qini_area"].as_f64().unwrap() > 3.0, "{evaluation}");
        assert_eq!(evaluation["qini_p_value"], 0.01);
        score("new.csv", &[]).ok();
        let found = scored("uplift");
        assert!((found[0] - 50.0).abs() < 30.0 && found[1].abs() < 20.0, "{method}: {found:?}");
    }
    let told =
        cip(args!["uplift", at("t.csv"), "--treatment", "flag", "--amount", "spent", "--columns", "recency"]);
    assert!(told.ok().stdout.contains("mean `spent` "));
    let both = args!["uplift", at("t.csv"), "--treatment", "flag", "--amount", "spent", "--outcome", "visit"];
    cip(both).fails(2, "--outcome");
    cip(args!["uplift", at("t.csv"), "--treatment", "flag"]).fails(2, "--outcome");
    cip(args!["uplift", at("t.csv"), "--treatment", "flag", "--amount", "letter"])
        .fails(1, "amount `letter` is Utf8");
}

#[test]
fn what_is_no_experiment_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("t.csv"), letters(300)).unwrap();
    let uplift = |more: &[&str]| {
        let list = args!["uplift", at("t.csv"), "--outcome", "visit", "--out", at("u.parquet")];
        cip(list.into_iter().chain(more.iter().map(std::ffi::OsString::from)))
    };
    uplift(&["--treatment", "letter"]).fails(1, "name the value of the treated and that of the control");
    uplift(&["--treatment", "letter", "--treated", "men", "--control", "men"])
        .fails(2, "cannot be treated and control");
    let nobody = ["--treatment", "letter", "--treated", "children", "--control", "none", "--exclude", "flag"];
    uplift(&nobody).fails(1, "none is treated");
    uplift(&["--treatment", "visit"]).fails(2, "cannot be treatment and outcome");
    uplift(&["--treatment", "flag", "--folds", "1"]).fails(2, "the number of folds is 1, expected 2 to 100");
    uplift(&["--treatment", "flag", "--columns", "gone"]).fails(1, "no column `gone`");
    uplift(&["--treatment", "flag", "--id", "age"]).fails(1, "age");
    assert!(!at("u.parquet").exists());
}

/// Hillstrom's e-mails: the one for women moves some more than others. Visits are counted with pandas 3.1.
#[test]
fn the_letter_for_women_is_worth_choosing_by() {
    let Some(file) = data("hillstrom.csv") else { return };
    let letter = args![
        "uplift",
        file,
        "--treatment",
        "segment",
        "--treated",
        "Womens E-Mail",
        "--control",
        "No E-Mail"
    ];
    let texts = "conversion,spend,history_segment,zip_code,channel";
    let found =
        cip([&letter[..], &args!["--outcome", "visit", "--exclude", texts, "--json"]].concat()).ok().json();
    let evaluation = &found["evaluation"];
    assert_eq!((&evaluation["treated_rows"], &evaluation["rows"]), (&21_387.into(), &42_693.into()));
    let number = |name: &str| evaluation[name].as_f64().unwrap();
    assert!((number("treated_rate") - 3_238.0 / 21_387.0).abs() < 1e-12);
    assert!((number("control_rate") - 2_262.0 / 21_306.0).abs() < 1e-12);
    // Of 200 rankings at random the highest coefficient is 0.019.
    assert!((0.04..0.09).contains(&number("qini")), "{evaluation}");
}
