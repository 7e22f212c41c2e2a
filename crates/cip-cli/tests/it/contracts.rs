//! Data contracts from the command line.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::{HEADER, args, cip, rows};

const STRICT: &str = "name = \"strict\"\n\n[[expectations]]\nname = \"priced\"\nexpect = \"range\"\ncolumn = \"price\"\nabove = 0\naction = \"ACTION\"\n\n\
    [[expectations]]\nname = \"fresh\"\nexpect = \"freshness\"\nmax_age = \"1d\"\naction = \"warn\"\n";

/// A folder with `events.csv` of four rows, of which three can be parsed and one is of a kind that nobody knows, and `c.toml`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let row = |second: u32, kind: &str, price: &str| {
        format!("2019-10-01 00:00:0{second} UTC,{kind},1,2,,,{price},7,\n")
    };
    let text = [
        HEADER.to_owned() + "\n",
        row(1, "view", "1.00"),
        row(2, "look", "-1.00"),
        row(3, "cart", "0.00"),
        "x\n".to_owned(),
    ];
    fs::write(folder.path().join("events.csv"), text.concat()).unwrap();
    fs::write(folder.path().join("c.toml"), STRICT.replace("ACTION", "warn")).unwrap();
    folder
}

fn ingest(folder: &Path, more: &[&str]) -> crate::Outcome {
    let list = args!["ingest", folder.join("events.csv"), "--mapping", "rees46"];
    cip(list.iter().cloned().chain(more.iter().map(OsString::from)))
}

#[test]
fn an_ingest_under_a_contract_says_how_well_it_is_held() {
    let folder = folder();
    let store = folder.path().join("store");
    let out = store.to_str().unwrap();
    let said = ingest(folder.path(), &["--contract", "commerce", "--out", out, "--json"]).ok().json();
    let quality = &said["quality"];
    assert_eq!(
        (&quality["contract"], &quality["bronze"], &quality["silver"], &quality["gold"]),
        (&"commerce".into(), &4.into(), &2.into(), &2.into())
    );
    let found = quality["expectations"].as_array().unwrap();
    let names: Vec<_> = found.iter().map(|found| found["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "event_time_given",
            "event_type_given",
            "event_type_known",
            "product_given",
            "user_given",
            "price_not_negative"
        ]
    );
    assert_eq!(
        (&found[2]["quarantined"], &found[2]["holds"], &found[2]["checked"]),
        (&1.into(), &false.into(), &3.into())
    );
    assert_eq!((&found[5]["violations"], &found[5]["quarantined"]), (&1.into(), &0.into()));
    assert_eq!(said["account"]["rejects"]["accepted_values"], 1);

    // The store keeps it, and both kinds of rejects are in one table.
    assert_eq!(cip(args!["info", store, "--json"]).ok().json()["quality"], serde_json::json!([quality]));
    let text = cip(args!["info", store]).ok().stdout;
    assert!(
        text.contains("contract commerce: bronze 4 rows read, silver 2 parsed and kept (50.0%), gold 2"),
        "{text}"
    );
    assert_eq!(rows(&store.join("commits/000001/rejects.parquet")), 2);

    // And gives it as a table, which is none of its own.
    let table = folder.path().join("quality.parquet");
    let text = cip(args!["info", store, "--quality", table]).ok().stdout;
    assert!(text.contains("\n6 rows of 1 quality report(s) written to "), "{text}");
    assert_eq!(cip(args!["info", store, "--quality", table, "--json"]).ok().json()["quality_rows"], 6);
    assert_eq!(rows(&table), 6);
    let forgotten = cip(args!["forget", store, "--user", "1", "--derived", table, "--json"]).ok().json();
    let file =
        forgotten["derived"].as_array().unwrap().iter().find(|file| file["table"] == "quality").unwrap();
    assert_eq!((&file["content"], &file["erased"]), (&"aggregates".into(), &0.into()));
    cip(args!["info", store, "--quality", store]).fails(1, "was not written by cip");
    let text = cip(args!["rejects", store]).ok().stdout;
    for line in [
        "2 of 4 rows were rejected",
        "accepted_values    1",
        "field_count        1",
        "events.csv line 3 (bytes",
        "column event_type: accepted_values: event_type_known: `look` is not as expected: one of view, cart, purchase, remove_from_cart",
        "2019-10-01 00:00:02 UTC,look,1,2,,,-1.00,7,",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let said = cip(args!["rejects", store, "--json"]).ok().json();
    assert_eq!((&said["by_reason"]["accepted_values"], &said["rejects"][0]["line"]), (&1.into(), &3.into()));

    let text = ingest(folder.path(), &["--contract", "commerce", "--out", out, "--rebuild"]).ok().stdout;
    assert!(
        text.contains(
            "event_type_known    event_type  one of view, cart, purchase, remove_from…  quarantine  no"
        ),
        "{text}"
    );
    // Without a contract there is none to speak of.
    let said = ingest(folder.path(), &["--out", out, "--rebuild", "--json"]).ok().json();
    assert_eq!((&said["quality"], &said["account"]["events"]), (&serde_json::Value::Null, &3.into()));
    assert!(!cip(args!["info", store]).ok().stdout.contains("contract"));
}

#[test]
fn a_contract_of_ones_own_warns_and_stops() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let run = |more: &[&str]| {
        let (contract, store) = (at("c.toml"), at("store"));
        let list = ["--contract", &contract, "--out", &store, "--rebuild"];
        ingest(folder.path(), &list.iter().chain(more).copied().collect::<Vec<_>>())
    };
    run(&[]).fails(
        1,
        "`freshness` needs an instant to measure from: give `as_of` in the contract, or --contract-as-of",
    );
    let outcome = run(&["--contract-as-of", "2019-10-03"]).ok();
    for line in [
        "warning: priced: 2 events are not as expected: > 0",
        "warning: fresh: expected newest event >= 2019-10-02, found 2019-10-01T00:00:03Z",
    ] {
        assert!(outcome.stderr.contains(line), "{}", outcome.stderr);
    }
    let said = run(&["--contract-as-of", "2019-10-02", "--json"]).ok().json();
    assert_eq!((&said["quality"]["silver"], &said["quality"]["gold"]), (&3.into(), &1.into()));
    assert_eq!(said["quality"]["expectations"][1]["holds"], true);

    // What fails leaves the store that was there.
    let kept = fs::read(folder.path().join("store/manifest.json")).unwrap();
    fs::write(folder.path().join("c.toml"), STRICT.replace("ACTION", "fail")).unwrap();
    run(&["--contract-as-of", "2019-10-02"]).fails(
        1,
        "events.csv line 3: priced: `-1.00` is not as expected: > 0; contract `strict` stops the ingest there",
    );
    assert_eq!(fs::read(folder.path().join("store/manifest.json")).unwrap(), kept);
    // A dry run shows it.
    let contract = at("c.toml");
    let list = ["--contract", &contract, "--contract-as-of", "2019-10-02", "--dry-run"];
    let text = ingest(folder.path(), &list).ok().stdout;
    assert!(
        text.contains("`priced` would stop an ingest of these rows alone") && !text.contains("`fresh` would"),
        "{text}"
    );
    let said = ingest(folder.path(), &[&list[..], &["--json"]].concat()).ok().json();
    assert_eq!(said["quality"]["expectations"][0]["violations"], 2);
}

#[test]
fn a_contract_that_is_wrong_is_refused_before_anything_is_read() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let store = at("store");
    let run = |contract: &str| ingest(folder.path(), &["--contract", contract, "--out", &store]);
    run("shop")
        .fails(2, "no contract is called `shop`: expected commerce, retail, or a file ending in .toml");
    run(&at("none.toml")).fails(1, "none.toml");
    fs::write(folder.path().join("c.toml"), STRICT.replace("above", "over")).unwrap();
    run(&at("c.toml")).fails(1, "c.toml: the contract cannot be read: TOML parse error at line 7");
    fs::write(
        folder.path().join("c.toml"),
        STRICT.replace("\"ACTION\"", "\"drop\"").replace("\"warn\"", "\"drop\""),
    )
    .unwrap();
    run(&at("c.toml")).fails(1, "`freshness` speaks of the whole input and cannot `drop` a row");
    // It is held against the mapping before the files are looked for.
    fs::remove_file(folder.path().join("events.csv")).unwrap();
    run("retail").fails(1, "mapping `rees46` has no column `order_id`");
    ingest(folder.path(), &["--contract-as-of", "2019-10-02", "--out", &store]).fails(2, "--contract");
    assert!(!folder.path().join("store").exists());
}

#[test]
fn a_run_takes_a_contract_as_well() {
    let folder = folder();
    let out = folder.path().join("out");
    let list = args![
        "run",
        folder.path().join("events.csv"),
        "--mapping",
        "rees46",
        "--contract",
        "commerce",
        "--out",
        out
    ];
    let said = cip(list).ok();
    assert!(said.stdout.contains("contract commerce: bronze 4"), "{}", said.stdout);
    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["quality"]["silver"], 2);
    assert_eq!(rows(&out.join("rejects.parquet")), 2);
}
