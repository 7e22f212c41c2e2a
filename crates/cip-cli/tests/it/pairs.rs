//! `cip pairs`: what baskets are, what comes beside the counts, and baskets that no customer fills.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use cip::arrow_array::RecordBatch;
use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::{Decimal128Type, Float64Type, Int64Type};
use cip::store::read_table;

use crate::{HEADER, Outcome, args, cip, folder_of_store, peak};

fn pairs(store: &Path, more: &[&str]) -> (Outcome, Vec<RecordBatch>) {
    let out = store.with_file_name("pairs.parquet");
    let said =
        cip(args!["pairs", store, "--out", out].into_iter().chain(more.iter().map(OsString::from))).ok();
    (said, read_table(&out).unwrap().map(Result::unwrap).collect())
}

/// Pairs as `a b together`, with the revenue where there is one.
fn said(batches: &[RecordBatch]) -> Vec<String> {
    let mut pairs = Vec::new();
    for batch in batches {
        let id = |column: &str, row: usize| match batch[column].as_primitive_opt::<Int64Type>() {
            Some(ids) => ids.value(row).to_string(),
            None => batch[column].as_string::<i32>().value(row).to_owned(),
        };
        for row in 0..batch.num_rows() {
            let together = batch["together"].as_primitive::<Int64Type>().value(row);
            let mut pair = format!("{} {} {together}", id("product_a", row), id("product_b", row));
            if let Some(revenue) = batch.column_by_name("revenue") {
                pair.push_str(&format!(" {}", revenue.as_primitive::<Decimal128Type>().value_as_string(row)));
            }
            pairs.push(pair);
        }
    }
    pairs
}

/// Events of two users, each with a session a day: (user, day, type, product, category, price).
fn store_of(folder: &Path) -> PathBuf {
    let mut lines = format!("{HEADER}\n");
    for (user, day, kind, product, category, price) in [
        (1, 1, "view", 10, "home.bed", "5.00"),
        (1, 1, "purchase", 10, "home.bed", "5.00"),
        (1, 1, "view", 11, "home.lamp", "2.50"),
        (1, 6, "purchase", 12, "toys", "1.25"),
        (1, 20, "purchase", 11, "home.lamp", "2.50"),
        (2, 1, "purchase", 10, "home.bed", "4.50"),
        (2, 2, "purchase", 12, "toys", "1.25"),
    ] {
        lines.push_str(&format!(
            "2019-10-{day:02} 10:00:00 UTC,{kind},{product},1,{category},,{price},{user},{user}0000000-0000-4000-8000-0000000000{day:02}\n"
        ));
    }
    let file = folder.join("events.csv");
    fs::write(&file, lines).unwrap();
    let store = folder.join("store");
    cip(args!["ingest", file, "--mapping", "rees46", "--out", store]).ok();
    store
}

#[test]
fn baskets_are_what_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_of(folder.path());
    let of = |more: &[&str]| said(&pairs(&store, &[&["--min-together", "1"], more].concat()).1);
    assert_eq!(of(&[]), ["10 11 1"]);
    assert_eq!(of(&["--by", "user"]), ["10 11 1", "10 12 2", "11 12 1"]);
    let bought = ["--by", "user", "--events", "purchase"];
    assert_eq!(
        of(&[&bought[..], &["--revenue"]].concat()),
        ["10 11 1 7.50", "10 12 2 12.00", "11 12 1 3.75"]
    );
    // User 1 buys 10 and 12 within five days, 12 and 11 two weeks apart.
    assert_eq!(of(&[&bought[..], &["--within", "7d"]].concat()), ["10 12 2"]);
    assert_eq!(of(&[&bought[..], &["--within", "1d"]].concat()), ["10 12 1"]);
    assert_eq!(
        of(&["--by", "user", "--level", "category"]),
        ["home.bed home.lamp 1", "home.bed toys 2", "home.lamp toys 1"]
    );
    assert_eq!(of(&["--by", "user", "--level", "category", "--depth", "1"]), ["home toys 2"]);
    let (text, batches) = pairs(&store, &["--by", "user", "--min-together", "2", "--json"]);
    assert_eq!(said(&batches), ["10 12 2"]);
    assert_eq!(batches[0]["lift"].as_primitive::<Float64Type>().value(0), 1.0);
    assert_eq!(batches[0].num_columns(), 9, "revenue is there where it is asked for");
    assert_eq!((&text.json()["baskets"], &text.json()["events_of_other_types"]), (&2.into(), &0.into()));
}

#[test]
fn options_that_say_nothing_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (store_of(folder.path()), folder.path().join("p.parquet"));
    let refused = |more: &[&str]| {
        cip(args!["pairs", store, "--out", out].into_iter().chain(more.iter().map(OsString::from)))
    };
    refused(&["--depth", "1"]).fails(2, "--depth goes with --level category");
    refused(&["--by", "order"]).fails(1, "column `order_id` is missing");
    refused(&["--min-together", "0"]).fails(2, "the smallest count of a pair is 0");
    assert!(!out.exists());
    let lines = folder.path().join("lines.csv");
    fs::write(&lines, "a,b\n").unwrap();
    for option in [&["--events", "purchase"][..], &["--level", "brand"]] {
        let more = [&["--min-support", "1"], option].concat();
        cip(args!["itemsets", lines, "--out", out].into_iter().chain(more.iter().map(OsString::from)))
            .fails(2, "goes with a store: leave it out");
    }
}

#[test]
fn levels_are_those_of_every_stage_over_baskets() {
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (store_of(folder.path()), folder.path().join("t.parquet"));
    let top = ["--level", "category", "--depth", "1"];
    let run = |command: &str, more: &[&str]| {
        let more = [more, &top[..], &["--json"]].concat();
        cip(args![command, store, "--out", out].into_iter().chain(more.iter().map(OsString::from)))
            .ok()
            .json()
    };
    let by_user = ["--by", "user", "--min-support", "2"];
    assert_eq!(run("itemsets", &by_user)["by_size"], serde_json::json!([2, 1]));
    assert_eq!(run("rules", &[&by_user[..], &["--min-confidence", "1"]].concat())["rules"], 2);
    let within = ["--min-support", "2", "--within", "7d", "--to", "purchase"];
    assert_eq!(run("sequences", &within)["sequences"], 1, "home, then toys");
    let index = folder.path().join("index");
    let learn = args!["recommend", store, "--out", index, "--level", "category", "--depth", "1", "--json"];
    assert_eq!(cip(learn).ok().json()["products"], 2);
    let asked = cip(args!["recommend", index, "--session", "home", "--json"]).ok().json();
    assert_eq!(asked["recommended"][0]["product_id"], "toys");
    cip(args!["recommend", index, "--level", "brand"]).fails(2, "--level goes with a store");
}

#[test]
fn every_stage_over_baskets_has_the_same_bytes_on_any_number_of_threads() {
    let (folder, store) = folder_of_store(3_000);
    let out = folder.path().join("out");
    for (command, more) in [
        ("pairs", &["--by", "user", "--events", "view,purchase", "--within", "1d", "--revenue"][..]),
        ("itemsets", &["--by", "user", "--min-support", "3", "--closed"]),
        ("rules", &["--by", "user", "--min-support", "3", "--min-confidence", "0.1"]),
        (
            "rules",
            &[
                "--by",
                "user",
                "--level",
                "product,brand",
                "--min-support",
                "5",
                "--min-confidence",
                "0.1",
                "--interest",
                "1.1",
            ],
        ),
        ("sequences", &["--min-support", "3", "--within", "7d"]),
        ("recommend", &["--similarity", "bm25", "--half-life", "3d"]),
    ] {
        let bytes = |threads: &str| {
            let more = [more, &["--threads", threads]].concat();
            cip(args![command, store, "--out", out].into_iter().chain(more.iter().map(OsString::from))).ok();
            let bytes = fs::read(&out).unwrap();
            fs::remove_file(&out).unwrap();
            bytes
        };
        let one = bytes("1");
        for threads in ["2", "3"] {
            assert!(bytes(threads) == one, "{command} on {threads} threads");
        }
    }
}

/// A bot looks at 100,000 products in one session; two customers look at two of them each.
#[test]
fn a_basket_of_100_000_products_stays_inside_the_budget_or_is_refused() {
    const BUDGET: u64 = 64 << 20;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut events = format!("{HEADER}\n");
    let mut lines = String::new();
    for product in 0..100_000 {
        let (minute, second) = (product / 60 % 60, product % 60);
        events.push_str(&format!(
            "2019-10-01 10:{minute:02}:{second:02} UTC,view,{product},1,,,1.00,7,00000000-0000-4000-8000-000000000007\n"
        ));
        lines.push_str(&format!("{product},"));
    }
    for user in [8, 9] {
        for product in [1, 2] {
            events.push_str(&format!(
                "2019-10-01 10:00:0{product} UTC,view,{product},1,,,1.00,{user},00000000-0000-4000-8000-00000000000{user}\n"
            ));
        }
        lines.push_str("\n1,2");
    }
    fs::write(at("events.csv"), events).unwrap();
    fs::write(at("lines.csv"), lines).unwrap();
    cip(args!["ingest", at("events.csv"), "--mapping", "rees46", "--out", at("store")]).ok();
    let inside = |command: &str, source: &str, more: &[&str]| {
        let out = at(if command == "recommend" { "index" } else { "out.parquet" });
        let mut args = args![command, at(source), "--out", out, "--memory", "64MiB"].to_vec();
        args.extend(more.iter().map(OsString::from));
        let (outcome, peak) = peak(&args);
        assert!(0 < peak && peak < BUDGET, "{command} {more:?}: {peak} bytes");
        outcome
    };
    inside("pairs", "store", &["--min-together", "1"]).ok();
    assert_eq!(
        said(&read_table(&at("out.parquet")).unwrap().map(Result::unwrap).collect::<Vec<_>>()),
        ["1 2 2"]
    );
    inside("pairs", "store", &["--max-basket", "65535", "--by", "user", "--within", "1s"]).ok();
    inside("itemsets", "lines.csv", &["--min-support", "1"]).fails(1, "basket 1 (100000 frequent items)");
    inside("itemsets", "lines.csv", &["--min-support", "2"]).ok();
    for kind in ["--closed", "--maximal"] {
        inside("itemsets", "lines.csv", &["--min-support", "1", kind])
            .fails(1, "basket 1 has 100000 frequent items, and closed or maximal itemsets");
        inside("itemsets", "lines.csv", &["--min-support", "2", kind]).ok();
    }
    let rules = ["--min-support", "1", "--min-confidence", "0.5"];
    inside("rules", "lines.csv", &rules).fails(1, "basket 1 (100000 frequent items)");
    inside("itemsets", "store", &["--min-support", "1", "--max-basket", "65535"]).ok();
    inside("sequences", "store", &["--min-support", "1", "--within", "1d"])
        .fails(1, "sequences are frequent");
    inside("sequences", "store", &["--min-support", "2", "--within", "1d"]).ok();
    inside("recommend", "store", &[]).ok();
}

/// A basket of 1,500 products that is asked for has 1,124,250 pairs.
#[test]
fn a_large_basket_that_is_asked_for_has_all_its_pairs() {
    const BUDGET: u64 = 96 << 20;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut events = format!("{HEADER}\n");
    for product in 0..1_500 {
        events.push_str(&format!(
            "2019-10-01 10:00:00 UTC,view,{product},1,,,1.00,7,00000000-0000-4000-8000-000000000007\n"
        ));
    }
    fs::write(at("events.csv"), events).unwrap();
    cip(args!["ingest", at("events.csv"), "--mapping", "rees46", "--out", at("store")]).ok();
    let options = ["--max-basket", "2000", "--min-together", "1", "--memory", "64MiB"];
    let mut args = args!["pairs", at("store"), "--out", at("out.parquet")].to_vec();
    args.extend(options.iter().map(OsString::from));
    let (outcome, peak) = peak(&args);
    outcome.ok();
    assert_eq!(crate::rows(&at("out.parquet")), 1_500 * 1_499 / 2);
    assert!(peak < BUDGET, "{peak} bytes");
}
