//! What a command reads is not what it writes.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::{args, bytes_of, cip};

/// Every command that reads a file refuses to write in its place, however the path is spelled, and leaves it as it was.
#[test]
fn no_command_replaces_a_file_that_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let rows = |row: u32| format!("{row},{},{},{}\n", row % 7, row % 2, u32::from(row % 7 > 3));
    let table: String = (0..300).map(rows).collect();
    fs::write(at("t.csv"), format!("user_id,views,arm,bought\n{table}")).unwrap();
    fs::write(at("b.txt"), "a,b\na,b\n").unwrap();
    fs::write(at("h.csv"), "item,group\na,x\n").unwrap();
    fs::write(at("s.csv"), "frequency,recency,T\n1,5,10\n0,0,10\n").unwrap();
    fs::write(at("s.toml"), "features = [{ name = \"n\", family = \"count\" }]").unwrap();
    fs::write(at("e.toml"), "name = \"e\"\narms = [{ name = \"a\" }, { name = \"b\" }]\n").unwrap();
    cip(args!["train", at("t.csv"), "--label", "bought", "--trees", "3", "--out", at("m.json")]).ok();
    std::os::unix::fs::symlink(at("t.csv"), at("link.csv")).unwrap();
    let spelled = at("../").join(folder.path().file_name().unwrap()).join("t.csv");
    let before = bytes_of(folder.path());
    let (table, model) = (at("t.csv"), at("m.json"));
    let of_model = |command: &str, out: &Path| args![command, table, "--model", model, "--out", out].to_vec();
    let itemsets = |out: &Path| {
        args!["itemsets", at("b.txt"), "--min-support", "0.5", "--hierarchy", at("h.csv"), "--out", out]
            .to_vec()
    };
    let rules = args![
        "rules",
        at("b.txt"),
        "--min-support",
        "1",
        "--min-confidence",
        "0.5",
        "--later",
        table,
        "--out"
    ];
    let abtest = args!["abtest", table, "--variant", "arm", "--outcome", "bought"];
    let uplift = args!["uplift", table, "--treatment", "arm", "--outcome", "bought"];
    let drift = args!["drift", table, at("link.csv")];
    let with = |list: &[OsString], more: &[OsString]| [list, more].concat();
    for list in [
        of_model("score", &table),
        of_model("score", &spelled),
        of_model("score", &at("link.csv")),
        of_model("score", &model),
        // A folder is replaced with what is in it.
        of_model("explain", folder.path()),
        args!["train", table, "--label", "bought", "--out", table].to_vec(),
        args!["train", table, "--label", "bought", "--calibrate", at("s.csv"), "--out", at("s.csv")].to_vec(),
        with(&uplift, &args!["--out", table]),
        with(&uplift, &args!["--model-out", table]),
        args!["convert", model, "--to", "xgboost", "--out", model].to_vec(),
        with(&drift, &args!["--out", table]),
        with(&drift, &args!["--reference-sketch", table]),
        args![
            "features",
            at("store"),
            "--cutoff",
            "2020-01-01",
            "--spec",
            at("s.toml"),
            "--out",
            at("s.toml")
        ]
        .to_vec(),
        itemsets(&at("b.txt")),
        itemsets(&at("h.csv")),
        with(&rules, &args![at("b.txt")]),
        with(&rules, &args![table]),
        args!["migrate", table, at("s.csv"), "--out", at("s.csv")].to_vec(),
        args!["clv", at("s.csv"), "--model", "bgnbd", "--out", at("s.csv")].to_vec(),
        args!["assign", table, "--experiment", at("e.toml"), "--out", at("e.toml")].to_vec(),
        with(&abtest, &args!["--out", table]),
        with(&abtest, &args!["--chart", table]),
        args!["generate", folder.path(), "--events", "500", "--experiment", at("e.toml")].to_vec(),
    ] {
        cip(&list).fails(2, ", which it is made of: choose another ");
        assert!(bytes_of(folder.path()) == before, "{list:?}");
    }
    cip(of_model("score", &at("other.parquet"))).ok();
    cip(of_model("score", &at("other.parquet"))).ok();
    cip(of_model("explain", &at("why"))).ok();
}
