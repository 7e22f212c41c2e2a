//! `cip itemsets`, `cip rules`, `cip recommend` and `cip sequences`: where baskets come from, what they say, and what they refuse.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::{Float64Type, Int64Type};
use cip::store::read_table;
use serde_json::json;

use crate::{HEADER, Outcome, args, cip};

fn run(command: &str, source: &Path, out: &Path, more: &[&str]) -> Outcome {
    cip(args![command, source, "--out", out].into_iter().chain(more.iter().map(OsString::from)))
}

/// The itemsets of a table, as `a+b 3`.
fn itemsets(path: &Path) -> Vec<String> {
    let mut sets = Vec::new();
    for batch in read_table(path).unwrap() {
        let batch = batch.unwrap();
        let counts = batch["count"].as_primitive::<Int64Type>().clone();
        for (row, count) in counts.values().iter().enumerate() {
            let items = batch["items"].as_list::<i32>().value(row);
            let items: Vec<&str> = items.as_string::<i32>().iter().flatten().collect();
            sets.push(format!("{} {count}", items.join("+")));
        }
    }
    sets
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

const EXPECTED: [&str; 5] = ["b 3", "c  2", "milk 2", "b+c  2", "b+milk 2"];

#[test]
fn lines_and_long_tables_are_the_same_baskets() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let out = folder.join("sets.parquet");
    // CRLF, a blank line, a name that ends in a blank, repeats, empty fields, quotes.
    let commas = write(folder, "a.csv", "milk,b,c \r\n\r\nc ,\"b\",b,,\r\nmilk,b\r\n,,\r\n");
    let said = run("itemsets", &commas, &out, &["--min-support", "2", "--json"]).ok().json();
    assert_eq!(itemsets(&out), EXPECTED);
    assert_eq!(
        said,
        json!({
            "baskets": 3, "items": 3, "entries": 7, "left_out": 0, "split": 0, "sampled_from": null,
            "sampling_error": null, "kind": "all", "min_count": 2, "itemsets": 5, "by_size": [3, 2],
        })
    );
    let blanks = write(folder, "a.txt", "3 1 2\n2 1 \n 3 1\n");
    run("itemsets", &blanks, &out, &["--min-support", "0.5", "--separator", " ", "--closed"]).ok();
    assert_eq!(itemsets(&out), ["1 3", "1+2 2", "1+3 2"]);
    run("itemsets", &blanks, &out, &["--min-support", "0.5", "--separator", " ", "--maximal"]).ok();
    assert_eq!(itemsets(&out), ["1+2 2", "1+3 2"]);
    // Rows of one basket need not stand together; rows without basket or item say nothing.
    let long = write(
        folder,
        "long.csv",
        "item,n,order\nmilk,1,7\nb,1,8\nb,1,7\nc ,1,8\nc ,1,7\nmilk,1,9\nb,2,9\nb,2,\n,2,9\n",
    );
    run("itemsets", &long, &out, &["--basket", "order", "--item", "item", "--min-support", "2"]).ok();
    assert_eq!(itemsets(&out), EXPECTED);
    // A table of CIP is one, too: the itemsets' own counts as baskets.
    let again = folder.join("again.parquet");
    run("itemsets", &long, &out, &["--basket", "item", "--item", "n", "--min-support", "1"]).ok();
    assert_eq!(itemsets(&out), ["1 3", "2 1", "1+2 1"]);
    run("itemsets", &out, &again, &["--basket", "count", "--item", "size", "--min-support", "1"]).ok();
    assert_eq!(itemsets(&again), ["1 2", "2 1", "1+2 1"]);
}

#[test]
fn long_baskets_are_left_out_or_split_and_samples_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, out) = (folder.path(), folder.path().join("s.parquet"));
    let source = write(folder, "a.csv", &"a,b,c,d\na,b\n".repeat(50));
    let said = |more: &[&str]| {
        let more = [&["--min-support", "1", "--json"], more].concat();
        run("itemsets", &source, &out, &more).ok().json()
    };
    let left_out = said(&["--max-basket", "3"]);
    assert_eq!((&left_out["baskets"], &left_out["left_out"]), (&50.into(), &50.into()));
    let split = said(&["--max-basket", "3", "--longer", "split"]);
    assert_eq!((&split["baskets"], &split["split"]), (&150.into(), &50.into()));
    assert_eq!(itemsets(&out), ["a 100", "b 100", "c 50", "d 50", "a+b 100", "a+c 50", "b+c 50", "a+b+c 50"]);
    let sample = said(&["--sample", "20"]);
    assert_eq!((&sample["baskets"], &sample["sampled_from"]), (&20.into(), &100.into()));
    // sqrt(ln(2 / 0.05) / 40).
    assert!((sample["sampling_error"].as_f64().unwrap() - 0.303_68).abs() < 1e-5);
    let text = run("itemsets", &source, &out, &["--min-support", "1", "--sample", "20"]).ok().stdout;
    assert!(
        text.contains("a sample of 100 baskets: the support of an itemset is within 30.4% of that of all"),
        "{text}"
    );
}

#[test]
fn rules_say_how_strong_and_how_sure_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, out) = (folder.path(), folder.path().join("r.parquet"));
    let source = write(folder, "a.csv", &"a,b\n".repeat(30).replacen("a,b", "c", 10));
    let later = write(folder, "later.csv", "a,b\na\nb\nc\n");
    let more = ["--min-support", "0.1", "--min-confidence", "0.5", "--json"];
    let said =
        run("rules", &source, &out, &[&more[..], &["--later", later.to_str().unwrap()]].concat()).ok().json();
    assert_eq!((&said["rules"], &said["tested"], &said["redundant"]), (&2.into(), &2.into(), &0.into()));
    assert_eq!(said["later"]["baskets"], json!(4));
    for batch in read_table(&out).unwrap() {
        let batch = batch.unwrap();
        let value = |column: &str| batch[column].as_primitive::<Float64Type>().values().to_vec();
        assert_eq!(value("confidence"), [1.0, 1.0]);
        // Never wrong: infinite, as in arules.
        assert_eq!(value("conviction"), [f64::INFINITY; 2]);
        assert_eq!(value("later_lift"), [1.0, 1.0]);
        assert!(value("q_value").iter().all(|&q| q < 1e-6));
    }
    assert_eq!(
        run("rules", &source, &out, &[&more[..], &["--q", "1e-9"]].concat()).ok().json()["rules"],
        json!(0)
    );
    let text = run("rules", &source, &out, &more[..4]).ok().stdout;
    assert!(
        text.contains("2 rules of 4 itemsets\n")
            && text.contains("a => b             20      100.0%   1.5  q = "),
        "{text}"
    );
}

/// Sessions of two days: (day, user, session, product).
fn store_of(folder: &Path) -> PathBuf {
    let mut lines = format!("{HEADER}\n");
    for (day, session, product) in [
        (1, 'a', 10),
        (1, 'a', 11),
        (1, 'b', 10),
        (1, 'b', 11),
        (1, 'c', 12),
        (2, 'd', 10),
        (2, 'd', 11),
        (2, 'e', 10),
    ] {
        let user = u32::from(session) % 2;
        lines.push_str(&format!(
            "2019-10-0{day} 10:00:00 UTC,view,{product},1,,,1.00,{user},{session}0000000-0000-4000-8000-000000000000\n"
        ));
    }
    let file = write(folder, "events.csv", &lines);
    let store = folder.join("store");
    cip(args!["ingest", file, "--mapping", "rees46", "--out", store]).ok();
    store
}

#[test]
fn a_store_has_baskets_by_session_and_user_and_before_and_after_a_date() {
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (store_of(folder.path()), folder.path().join("s.parquet"));
    run("itemsets", &store, &out, &["--min-support", "2"]).ok();
    assert_eq!(itemsets(&out), ["10 4", "11 3", "10+11 3"]);
    run("itemsets", &store, &out, &["--min-support", "1.0", "--by", "user"]).ok();
    assert_eq!(itemsets(&out), ["10 2", "11 2", "10+11 2"]);
    let more = ["--min-support", "2", "--min-confidence", "0.5", "--split", "2019-10-02", "--json"];
    let said = run("rules", &store, &out, &more).ok().json();
    assert_eq!(
        (&said["baskets"], &said["later"]["baskets"], &said["rules"]),
        (&3.into(), &2.into(), &2.into())
    );
    let refused = run("itemsets", &store, &out, &["--min-support", "2", "--by", "order"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("column `order_id` is missing"), "{}", refused.stderr);
}

#[test]
fn a_store_has_baskets_of_several_levels_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, out) = (folder.path(), folder.path().join("s.parquet"));
    let mut lines = format!("{HEADER}\n");
    for (session, product, category, brand) in [
        ('a', 1, "shoes.boots", "x"),
        ('a', 3, "tools", "z"),
        ('b', 2, "shoes.boots", "y"),
        ('b', 3, "tools", "z"),
        ('c', 4, "shoes.sandals", "x"),
        ('d', 5, "", ""),
    ] {
        lines.push_str(&format!(
            "2019-10-01 10:00:00 UTC,view,{product},1,{category},{brand},1.00,7,{session}0000000-0000-4000-8000-000000000000\n"
        ));
    }
    let file = write(folder, "events.csv", &lines);
    let store = folder.join("store");
    cip(args!["ingest", file, "--mapping", "rees46", "--out", store]).ok();
    let found = |more: &[&str]| {
        run("itemsets", &store, &out, &[&["--min-support", "2"], more].concat()).ok();
        itemsets(&out)
    };
    assert_eq!(
        found(&["--level", "product,category"]),
        [
            "category:shoes 3",
            "category:shoes.boots 2",
            "category:tools 2",
            "product:3 2",
            "category:shoes+category:tools 2",
            "category:shoes+product:3 2",
            "category:shoes.boots+category:tools 2",
            "category:shoes.boots+product:3 2",
        ]
    );
    assert_eq!(
        found(&["--level", "category", "--depth", "2,1", "--maximal"]),
        ["category:shoes+category:tools 2", "category:shoes.boots+category:tools 2"]
    );
    assert_eq!(
        found(&["--level", "brand,category", "--depth", "1", "--max-size", "1"]),
        ["brand:x 2", "brand:z 2", "category:shoes 3", "category:tools 2"]
    );
    // One level has plain names.
    assert_eq!(found(&["--level", "brand"]), ["x 2", "z 2"]);

    let rules = |more: &[&str]| {
        let more = [
            &["--min-support", "2", "--min-confidence", "0.9", "--level", "product,category", "--json"],
            more,
        ]
        .concat();
        run("rules", &store, &out, &more).ok().json()
    };
    // Who has product 3 or tools has boots, and so shoes; who has boots has both.
    assert_eq!((&rules(&[])["baskets"], &rules(&[])["rules"]), (&4.into(), &6.into()));
    // What product 3 and boots do, tools and shoes let expect.
    let kept = rules(&["--interest", "1.1"]);
    assert_eq!((&kept["tested"], &kept["rules"]), (&6.into(), &3.into()));
    for (command, more) in [
        ("pairs", &["--level", "product,category"][..]),
        ("recommend", &["--level", "product,brand"]),
        ("sequences", &["--min-support", "1", "--within", "1d", "--level", "category", "--depth", "1,2"]),
    ] {
        let refused = run(command, &store, &folder.join("none"), more);
        assert_eq!(refused.code, Some(2), "{command}: {}", refused.stderr);
        assert!(
            refused.stderr.contains("several levels at once go with itemsets and rules"),
            "{}",
            refused.stderr
        );
    }
}

#[test]
fn a_file_has_the_hierarchy_of_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, out) = (folder.path(), folder.path().join("s.parquet"));
    let source = write(folder, "a.csv", "curd,beer\nmilk,beer\nmilk\n");
    let table =
        write(folder, "groups.csv", "group,item,note\ndairy,milk,\ndairy,curd,\nfood,dairy,\n,beer,\n");
    let more = ["--min-support", "2", "--hierarchy", table.to_str().unwrap()];
    run("itemsets", &source, &out, &more).ok();
    assert_eq!(itemsets(&out), ["beer 2", "dairy 3", "food 3", "milk 2", "beer+dairy 2", "beer+food 2"]);
    let circle = write(folder, "circle.csv", "item,group\nmilk,dairy\ndairy,milk\n");
    let refused =
        run("itemsets", &source, &out, &["--min-support", "2", "--hierarchy", circle.to_str().unwrap()]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("is under itself"), "{}", refused.stderr);
    let refused =
        run("rules", &source, &out, &["--min-support", "1", "--min-confidence", "0.5", "--interest", "0.5"]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("the smallest interest is 0.5, expected 1 or more"),
        "{}",
        refused.stderr
    );
    let refused = run("itemsets", &store_of(folder), &out, &more);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--hierarchy goes with a file: leave it out"), "{}", refused.stderr);
}

#[test]
fn what_cannot_be_done_is_refused_and_the_old_table_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, out) = (folder.path(), folder.path().join("s.parquet"));
    let source = write(folder, "a.csv", "a,b\n");
    run("itemsets", &source, &out, &["--min-support", "1"]).ok();
    let before = fs::read(&out).unwrap();
    let long: Vec<String> = (0..60).map(|item| format!("item {item}")).collect();
    let bad = write(folder, "bad.csv", &format!("a,b\n{}\n", long.join(",")));
    let open = write(folder, "open.csv", "a,\"b\n");
    let table = folder.join("t.parquet");
    fs::copy(&out, &table).unwrap();
    for (source, more, code, said) in [
        (&source, &["--min-support", "0"][..], 2, "the smallest support is"),
        (
            &source,
            &["--min-support", "1.5"],
            2,
            "the smallest support is 1.5, expected a share above 0 and up to 1.0",
        ),
        (&source, &["--min-support", "1", "--max-size", "0"], 2, "an itemset may hold 0 items"),
        (&source, &["--min-support", "1", "--basket", "a"], 2, "--item"),
        (&source, &["--min-support", "1", "--by", "user"], 2, "--by goes with a store: leave it out"),
        (&source, &["--min-support", "1", "--separator", "ab"], 2, "write one ASCII character"),
        (&bad, &["--min-support", "1"], 1, "the longest are basket 2 (60 frequent items)"),
        (&open, &["--min-support", "1"], 1, "line 1 opens a quote that is not closed"),
        (&table, &["--min-support", "1"], 2, "is a table: name its columns with --basket and --item"),
        (&folder.join("none.csv"), &["--min-support", "1"], 1, "cannot read"),
    ] {
        let refused = run("itemsets", source, &out, more);
        assert_eq!(refused.code, Some(code), "{more:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(said), "{more:?}: {}", refused.stderr);
    }
    for (more, said) in [
        (&["--min-confidence", "1.1"][..], "the smallest confidence is 1.1"),
        (&["--min-confidence", "0.5", "--q", "0"], "the highest q-value is 0"),
        (&["--min-confidence", "0.5", "--max-consequent", "0"], "a consequent may have 0 items"),
        (&["--min-confidence", "0.5", "--split", "2019-10-01"], "--split goes with a store"),
    ] {
        let refused = run("rules", &source, &out, &[&["--min-support", "1"], more].concat());
        assert_eq!(refused.code, Some(2), "{more:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(said), "{more:?}: {}", refused.stderr);
    }
    assert_eq!(fs::read(&out).unwrap(), before);
}

#[test]
fn the_groceries_have_their_rules() {
    let Some(folder) = std::env::var_os("CIP_DATA") else {
        println!("skipped: CIP_DATA is not set, so there is no groceries_baskets.csv");
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let (source, out) = (Path::new(&folder).join("groceries_baskets.csv"), scratch.path().join("r.parquet"));
    let said = run("itemsets", &source, &out, &["--min-support", "0.001", "--json"]).ok().json();
    assert_eq!(
        (&said["baskets"], &said["items"], &said["itemsets"]),
        (&9_835.into(), &169.into(), &13_492.into())
    );
    let more = ["--min-support", "0.001", "--min-confidence", "0.5", "--json"];
    assert_eq!(run("rules", &source, &out, &more).ok().json()["rules"], json!(5_668));
}

#[test]
fn a_store_becomes_an_index_that_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (store, index) = (store_of(folder.path()), folder.path().join("index"));
    let said = cip(args!["recommend", store, "--out", index, "--split", "2019-10-02", "--json"]).ok().json();
    // 10 and 11 share two visits of the first day; on the second, 11 comes behind 10 in one.
    assert_eq!((&said["visits"], &said["products"], &said["neighbours"]), (&3.into(), &3.into(), &2.into()));
    assert_eq!(
        (&said["evaluation"]["predictions"], &said["evaluation"]["hit_rate"]),
        (&1.into(), &1.0.into())
    );
    let again = folder.path().join("again");
    cip(args!["recommend", store, "--out", again, "--split", "2019-10-02", "--threads", "1"]).ok();
    assert_eq!(fs::read(&again).unwrap(), fs::read(&index).unwrap());

    let asked = cip(args!["recommend", index, "--session", "10", "--count", "2", "--json"]).ok().json();
    assert_eq!(
        asked,
        json!({ "count": 2, "recommended": [{ "product_id": "11", "score": 1.0 }, { "product_id": "12", "score": 0.0 }] })
    );
    let owned = cip(args!["recommend", index, "--session", "10", "--owned", "11,12", "--json"]).ok().json();
    assert_eq!(owned, json!({ "count": 0, "recommended": [] }));
    let text = cip(args!["recommend", index, "--session", "10", "--count", "1"]).ok().stdout;
    assert_eq!(text, "  product   score\n  11       1.0000\n");

    let notes = write(folder.path(), "notes", "notes");
    for (args, code, said) in [
        (args!["recommend", store].to_vec(), 2, "a store needs --out"),
        (args!["recommend", store, "--out", notes].to_vec(), 1, "notes"),
        (args!["recommend", index, "--session", "x"].to_vec(), 2, "`x` is no product of this index"),
        (args!["recommend", index, "--out", notes].to_vec(), 2, "--out goes with a store"),
        (args!["recommend", store, "--out", index, "--owned", "1"].to_vec(), 2, "--owned goes with an index"),
        (
            args!["recommend", store, "--out", index, "--neighbours", "0"].to_vec(),
            2,
            "0 similar products of each",
        ),
        (args!["recommend", notes].to_vec(), 1, "it is no index of recommendations"),
    ] {
        let refused = cip(args);
        assert_eq!(refused.code, Some(code), "{}", refused.stderr);
        assert!(refused.stderr.contains(said), "{said}: {}", refused.stderr);
    }
    assert_eq!(fs::read_to_string(&notes).unwrap(), "notes");
}

#[test]
fn sequences_are_those_that_users_or_sessions_take() {
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (store_of(folder.path()), folder.path().join("q.parquet"));
    let run = |more: &[&str]| {
        cip(args!["sequences", store, "--min-support", "2", "--out", out]
            .into_iter()
            .chain(more.iter().map(OsString::from)))
    };
    let said = run(&["--within", "1h", "--scope", "session", "--json"]).ok().json();
    assert_eq!(
        said,
        json!({ "scope": "sessions", "histories": 5, "steps": 3, "min_count": 2, "sequences": 1 })
    );
    for batch in read_table(&out).unwrap() {
        let batch = batch.unwrap();
        let (types, products) =
            (batch["event_types"].as_list::<i32>().value(0), batch["products"].as_list::<i32>().value(0));
        assert!(types.as_string::<i32>().iter().flatten().eq(["view", "view"]));
        assert!(products.as_string::<i32>().iter().flatten().eq(["10", "11"]));
        assert_eq!(batch["count"].as_primitive::<Int64Type>().values(), &[3]);
        assert_eq!(batch["confidence"].as_primitive::<Float64Type>().values(), &[0.75]);
    }
    let text = run(&["--within", "1h", "--scope", "session"]).ok().stdout;
    assert!(text.contains("  view 10 > view 11         3       75.0%\n"), "{text}");
    assert_eq!(run(&["--within", "2d", "--to", "purchase", "--json"]).ok().json()["sequences"], json!(0));
    for (more, said) in [
        (&["--within", "0s"][..], "a sequence may take 0 s"),
        (&["--within", "1d", "--max-steps", "1"], "a sequence may have 1 steps"),
    ] {
        let refused = run(more);
        assert_eq!(refused.code, Some(2), "{more:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(said), "{more:?}: {}", refused.stderr);
    }
}
