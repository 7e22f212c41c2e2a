//! `cip cohorts` and `cip migrate`.

use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::{Float64Type, Int64Type, UInt8Type};
use cip::store::read_table;
use serde_json::{Value, json};

use crate::real::data;
use crate::{args, bytes_of, cip, folder_of_store, rows};

#[test]
fn cohorts_are_written_and_drawn() {
    let (folder, store) = folder_of_store(600);
    let out = folder.path().join("c.parquet");
    let run = |threads: &str| {
        let said = cip(args!["cohorts", store, "--by", "week", "--out", out, "--threads", threads, "--json"]);
        (said.ok().json(), std::fs::read(&out).unwrap())
    };
    let said = run("1");
    assert_eq!(said, run("2"), "the same for any number of threads");
    // The events are of the first two weeks of October 2019, of which the 1st is a Tuesday and the 14th a Monday.
    let starts: Vec<_> =
        said.0["cohorts"].as_array().unwrap().iter().map(|cohort| cohort["cohort"].clone()).collect();
    assert_eq!(starts[..2], ["2019-09-30", "2019-10-07"]);
    assert_eq!(said.0["as_of"], "2019-10-15");
    let first = said.0["cohorts"][0]["periods"].as_array().unwrap();
    assert_eq!((first.len(), first[0]["active"] == said.0["cohorts"][0]["customers"]), (3, true));
    assert_eq!(first[2], Value::Null, "the third week is not over");
    let cells: usize = (said.0["cohorts"].as_array().unwrap().iter())
        .map(|cohort| cohort["periods"].as_array().unwrap().len())
        .sum();
    assert_eq!(rows(&out), cells as u64);
    // The same for a spreadsheet: what is not over is empty.
    let sheet = folder.path().join("c.csv");
    cip(args!["cohorts", store, "--by", "week", "--out", sheet]).ok();
    let text = std::fs::read_to_string(&sheet).unwrap();
    assert!(text.starts_with(
        "cohort,period,customers,active,retention,revenue,cumulative_revenue,value_per_customer\n2019-09-30,0,"
    ));
    assert_eq!(text.lines().count(), cells + 1);
    let customers = said.0["cohorts"][0]["customers"].as_u64().unwrap();
    assert!(text.contains(&format!("\n2019-09-30,2,{customers},,,,,\n")), "{text}");
    cip(args!["cohorts", store, "--by", "week", "--out", sheet]).ok();
    std::fs::write(&sheet, "notes\n").unwrap();
    cip(args!["cohorts", store, "--by", "week", "--out", sheet]).fails(1, "was not written by cip");
    let text =
        cip(args!["cohorts", store, "--by", "month", "--out", out, "--as-of", "2019-11-01"]).ok().stdout;
    assert!(text.contains("in 1 cohorts by month, as of 2019-11-01"), "{text}");
    assert!(text.contains("  2019-10-01") && text.contains("100.0%"), "{text}");
}

/// Counted by grouping in polars: customers with a purchase in each month, of those whose first was in December 2010.
#[test]
fn the_retail_customers_of_december_come_back() {
    let Some(files) = data("online_retail_daily") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (folder.path().join("store"), folder.path().join("c.parquet"));
    cip(args!["ingest", files, "--mapping", "online-retail", "--out", store]).ok();
    let said = cip(args!["cohorts", store, "--by", "month", "--out", out, "--json"]).ok().json();
    assert_eq!(said["cohorts"].as_array().unwrap().len(), 13);
    let december = &said["cohorts"][0];
    assert_eq!((&december["cohort"], &december["customers"]), (&json!("2010-12-01"), &json!(885)));
    let active: Vec<_> = (december["periods"].as_array().unwrap().iter())
        .map(|cell| cell.get("active").cloned().unwrap_or_default())
        .collect();
    let counted = [885, 324, 286, 340, 321, 352, 321, 309, 313, 350, 331, 445];
    assert_eq!(active[..12], counted.map(Value::from));
    assert_eq!(active[12..], [Value::Null], "December 2011 ends with the data");
}

#[test]
fn segments_are_called_what_a_map_calls_them() {
    let (folder, store) = folder_of_store(900);
    let (out, map) = (folder.path().join("r.parquet"), folder.path().join("map.toml"));
    let run = |more: &[&str]| {
        let common = args!["rfm", store, "--as-of", "2019-10-15", "--out", out, "--json"];
        cip(common.into_iter().chain(more.iter().map(|arg| (*arg).into())))
    };
    for (name, segments) in [("eight", 8), ("five", 5), ("eleven", 11)] {
        let said = run(&["--map", name, "--scoring", "quantiles"]).ok().json();
        let found = said["segments"].as_array().unwrap();
        assert_eq!((found.len(), found[0]["segment"].as_str()), (segments, Some("Champions")));
        assert!(found.iter().all(|segment| segment["action"].is_string()));
        let customers: u64 = found.iter().map(|segment| segment["customers"].as_u64().unwrap()).sum();
        assert_eq!(said["customers"], customers);
        for measure in ["recency_days", "frequency", "monetary"] {
            let bins = said["bins"][measure].as_array().unwrap();
            let sum: u64 = bins.iter().map(|bin| bin["customers"].as_u64().unwrap()).sum();
            assert_eq!((bins.len(), sum), (5, customers), "{measure}");
        }
    }
    let own = "bins = 3\n[[segments]]\nname = \"Buys often\"\nscores = [{ f = [3, 3] }]\n\
               [[segments]]\nname = \"Does not\"\nscores = [{ f = [1, 2] }]\n";
    std::fs::write(&map, own).unwrap();
    let file = map.to_str().unwrap();
    let said =
        run(&["--map", file, "--scoring", "quantiles", "--bins", "3", "--ties", "by-user"]).ok().json();
    assert_eq!(said["segments"][1]["segment"], "Does not");
    let cuts =
        ["--scoring", "cuts", "--recency-cuts", "3,7", "--frequency-cuts", "2,3", "--monetary-cuts", "10,20"];
    assert_eq!(
        run(&[["--map", file].as_slice(), &cuts].concat()).ok().json()["bins"]["monetary"][2]["score"],
        3
    );
    run(&["--map", file]).fails(2, "the scores go from 1 to 5, but the map of segments is of 1 to 3");
    run(&["--bins", "3"]).fails(2, "--bins and --ties go with --scoring quantiles");
    run(&["--map", "nine"]).fails(2, "no map of segments is called `nine`");
    run(&["--scoring", "quantiles", "--bins", "2"]).fails(2, "there are 2 bins, expected 3 to 10");
    std::fs::write(&map, own.replace("[1, 2]", "[1, 1]")).unwrap();
    run(&["--map", file]).fails(1, "map.toml: the scores 1-2-1, and 8 others, are in no segment");
}

#[test]
fn scores_have_windows_weights_and_bins_that_are_told() {
    let (folder, store) = folder_of_store(900);
    let out = folder.path().join("r.parquet");
    let run = |more: &[&str]| {
        let common = args!["rfm", store, "--as-of", "2019-10-15", "--out", out];
        cip(common.into_iter().chain(more.iter().map(|arg| (*arg).into())))
    };
    let all = run(&["--json"]).ok().json();
    assert_eq!(
        (&all["from"], &all["weights"], &all["customers_before"]),
        (&json!(null), &json!(null), &json!(0))
    );
    assert!(all["segments"][0]["average_score"].is_null());

    let week = run(&["--json", "--window", "7d"]).ok().json();
    let bytes = std::fs::read(&out).unwrap();
    assert_eq!(week, run(&["--json", "--from", "2019-10-08"]).ok().json(), "the same week");
    assert_eq!(std::fs::read(&out).unwrap(), bytes);
    assert_eq!(week["from"], "2019-10-08");
    let count = |said: &serde_json::Value, name: &str| said[name].as_u64().unwrap();
    assert!(count(&week, "customers_before") > 0);
    assert_eq!(count(&week, "customers") + count(&week, "customers_before"), count(&all, "customers"));
    assert_eq!(rows(&out), count(&week, "customers"));

    let weighted = run(&["--json", "--weights", "r=0.5,f=0.3,m=0.2"]).ok().json();
    assert_eq!(weighted["weights"], "r=5,f=3,m=2");
    let batch = read_table(&out).unwrap().next().unwrap().unwrap();
    let score = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<UInt8Type>().value(0);
    let expected =
        f64::from(5 * u32::from(score("r")) + 3 * u32::from(score("f")) + 2 * u32::from(score("m"))) / 10.0;
    assert_eq!(batch.column_by_name("score").unwrap().as_primitive::<Float64Type>().value(0), expected);
    assert!(weighted["segments"][0]["average_score"].is_f64());

    let text = run(&["--window", "7d", "--scoring", "ntile", "--weights", "r=1,f=1,m=1"]).ok().stdout;
    for told in [
        "more bought before the window and not in it\n",
        "spent each  score\n",
        "  Champions: Reward them, and let them be the first to try what is new\n",
        "  score  days since  customers  orders  customers",
        "\n  5      ",
        "equal customers have several scores by `orders`: 1",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let map = folder.path().join("ten.toml");
    std::fs::write(&map, "bins = 10\n[[segments]]\nname = \"All\"\nscores = [{}]\n").unwrap();
    let tens = ["--scoring", "quantiles", "--bins", "10", "--map", map.to_str().unwrap()];
    let together = run(&tens).ok().stdout;
    assert!(!together.contains("have several scores"), "{together}");
    assert!(
        together.contains("no customer has the score 2 or "),
        "they have few different numbers of orders: {together}"
    );
    assert!(together.contains(" by `orders`\n") && !together.contains("by `spent each`"), "{together}");

    run(&["--from", "2019-10-15"]).fails(2, "the window begins at 2019-10-15 and ends before 2019-10-15");
    run(&["--window", "0d"]).fails(2, "expected a beginning before its end");
    run(&["--window", "7d", "--from", "2019-10-08"]).fails(2, "cannot be used with");
    run(&["--weights", "r=0,f=0,m=0"])
        .fails(2, "the weights are `r=0,f=0,m=0`, expected r, f and m once each");
}

#[test]
fn customers_move_between_segments() {
    let (folder, store) = folder_of_store(900);
    let at = |name: &str| folder.path().join(name);
    let (before, after, out) = (at("before.parquet"), at("after.parquet"), at("moves.parquet"));
    cip(args!["rfm", store, "--as-of", "2019-10-08", "--out", before]).ok();
    cip(args!["rfm", store, "--as-of", "2019-10-15", "--out", after]).ok();
    let said = cip(args!["migrate", before, after, "--out", out, "--json"]).ok().json();
    let customers: u64 =
        said["moves"].as_array().unwrap().iter().map(|of| of["customers"].as_u64().unwrap()).sum();
    assert_eq!(customers, rows(&after), "whoever was there is there");
    let counted: i64 = read_table(&out)
        .unwrap()
        .map(|batch| batch.unwrap().column(2).as_primitive::<Int64Type>().values().iter().sum::<i64>())
        .sum();
    assert_eq!(counted as u64, customers);
    let sheet = folder.path().join("moves.csv");
    cip(args!["migrate", before, after, "--out", sheet]).ok();
    let text = std::fs::read_to_string(&sheet).unwrap();
    assert_eq!(text.lines().count() as u64, 1 + rows(&out));
    assert!(
        text.starts_with("from_segment,to_segment,customers,share,revenue_before,revenue_after\n"),
        "{text}"
    );
    let (gone, back) = (
        cip(args!["migrate", after, before, "--json"]).ok().json(),
        cip(args!["migrate", before, before, "--json"]).ok().json(),
    );
    assert!(gone["moves"].as_array().unwrap().iter().any(|of| of["to"].is_null()));
    assert_eq!(back["fell_from_champions"], json!({ "customers": 0, "revenue": "0.00", "first": [] }));
    let text = cip(args!["migrate", before, after]).ok().stdout;
    assert!(text.contains("fell from Champions, worth "), "{text}");
    let untouched = bytes_of(folder.path());
    cip(args!["migrate", before, after, "--out", after])
        .fails(2, ", which it is made of: choose another --out");
    cip(args!["migrate", before, out]).fails(1, "user_id");
    assert_eq!(bytes_of(folder.path()), untouched);
}
