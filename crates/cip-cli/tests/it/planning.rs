//! `cip power` and `cip srm`: published numbers, and what is refused.

use std::fs;

use serde_json::json;

use crate::real::data;
use crate::{args, cip};

#[test]
fn power_has_the_numbers_of_r() {
    // The examples of R's power.prop.test.
    let found = |more: &[&str]| cip([&["power", "--json"], more].concat()).ok().json();
    let power = found(&["--baseline", "0.5", "--effect", "0.25", "--units", "50"]);
    assert!((power["power"].as_f64().unwrap() - 0.740).abs() < 5e-4, "{power}");
    let units = found(&["--baseline", "0.5", "--effect", "0.25", "--power", "0.9", "--traffic", "50/day"]);
    assert_eq!((&units["per_arm"], &units["total"], &units["days"]), (&json!(77), &json!(154), &json!(4)));
    let effect = found(&["--baseline", "0.5", "--units", "50", "--power", "0.9"]);
    assert!((effect["effect"].as_f64().unwrap() - 0.3026).abs() < 5e-5, "{effect}");
    // power.t.test(delta = 1, power = .90).
    assert_eq!(found(&["--deviation", "1", "--effect", "1", "--power", "0.9"])["per_arm"], 23);
    let lift = found(&["--baseline", "0.05", "--lift", "0.1"]);
    assert_eq!(
        (&lift["per_arm"], &lift["tuning"], &lift["looks"]),
        (&json!(31_234), &json!(null), &json!([]))
    );
}

#[test]
fn designs_of_several_looks_have_boundaries_and_take_more() {
    let found = |design: &str| {
        cip(["power", "--baseline", "0.05", "--effect", "0.005", "--design", design, "--json"]).ok().json()
    };
    let units = ["fixed", "obrien-fleming", "pocock", "sequential"]
        .map(|design| found(design)["per_arm"].as_u64().unwrap());
    assert!(units.is_sorted() && units[0] < units[1], "{units:?}");
    let looks = &found("obrien-fleming")["looks"];
    // Reboussin, DeMets, Kim and Lan 2000: five equal looks.
    assert!((looks[0]["boundary"].as_f64().unwrap() - 4.8769).abs() < 1e-4, "{looks}");
    let sequential = found("sequential");
    assert_eq!(sequential["tuning"], sequential["total"]);
    let said =
        cip(["power", "--baseline", "0.05", "--effect", "0.005", "--design", "pocock", "--looks", "2"]).ok();
    assert!(
        said.stdout.contains("boundary") && said.stdout.contains("in 2 looks (pocock boundaries)"),
        "{}",
        said.stdout
    );
}

#[test]
fn plans_that_make_no_sense_are_usage_errors() {
    cip(["power"]).fails(2, "--baseline");
    cip(["power", "--baseline", "0.05"])
        .fails(2, "give --effect or --lift for the units it takes, or --units");
    cip(["power", "--baseline", "1.5", "--effect", "0.1"]).fails(2, "the control's rate is 1.5");
    cip(["power", "--baseline", "0.5", "--effect", "0"]).fails(2, "no answer for rates 0.5 and 0.5");
    cip(["power", "--deviation", "1", "--lift", "0.1"]).fails(2, "--lift");
    cip(["power", "--deviation", "NaN", "--effect", "1"]).fails(2, "the deviation is NaN");
    cip(["power", "--baseline", "0.5", "--effect", "0.1", "--arms", "1"])
        .fails(2, "1 arm(s), expected two or more");
    cip(["power", "--baseline", "0.5", "--effect", "0.1", "--traffic", "0"]).fails(2, "the units never come");
}

#[test]
fn cookie_cats_is_a_mismatch_at_one_percent_and_not_at_a_tenth() {
    // Recomputed from the raw data of Cookie Cats.
    let found = |more: &[&str]| {
        cip([&["srm", "--counts", "gate_30=44700,gate_40=45489", "--json"], more].concat()).ok().json()
    };
    let flagged = found(&[]);
    assert_eq!((&flagged["mismatch"], &flagged["df"]), (&json!(true), &json!(1)));
    assert!((flagged["chi2"].as_f64().unwrap() - 6.902_404_9).abs() < 1e-7, "{flagged}");
    assert_eq!(found(&["--alpha", "0.001"])["mismatch"], false);
    let Some(file) = data("cookie_cats.csv") else { return };
    let table = cip(args!["srm", file, "--variant", "version", "--json"]).ok().json();
    assert_eq!(table["p_value"], flagged["p_value"]);
}

#[test]
fn an_arm_that_should_be_empty_and_a_day_that_lost_units_are_found() {
    let stray = cip(["srm", "--counts", "a=100,b=90,c=1", "--weights", "a=1,b=1,c=0", "--json"]).ok().json();
    assert_eq!((&stray["stray"], &stray["df"], &stray["mismatch"]), (&json!(1), &json!(1), &json!(true)));
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("exposures.csv");
    let mut text = "arm,at\n".to_owned();
    for day in 1..=5 {
        for unit in 0..200 {
            // On the third day the page of the treatment fails for most.
            let arm = if unit % 2 == 0 || (day == 3 && unit % 5 != 0) { "control" } else { "treatment" };
            text.push_str(&format!("{arm},2019-10-0{day} 12:00:00 UTC\n"));
        }
    }
    fs::write(&table, text).unwrap();
    let found = cip(args!["srm", table, "--variant", "arm", "--by-day", "at", "--json"]).ok().json();
    let flagged: Vec<_> = found["groups"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|day| day["adjusted_p_value"].as_f64().unwrap() < 0.01)
        .map(|day| day["group"].clone())
        .collect();
    assert_eq!((flagged, found["groups"].as_array().unwrap().len()), (vec![json!("2019-10-03")], 5));
    let said = cip(args!["srm", table, "--variant", "arm", "--by-day", "at"]).ok();
    assert!(
        said.stdout.contains("1 of 5 groups are a mismatch by themselves\n  2019-10-03: 200 units"),
        "{}",
        said.stdout
    );
    cip(args!["srm", table, "--variant", "arm", "--by-day", "arm"])
        .fails(1, "expected dates, timestamps, or text");
    cip(["srm"]).fails(2, "<TABLE>");
    cip(["srm", "--counts", "a=1,a=2"]).fails(2, "arm `a` is counted twice");
    cip(["srm", "--counts", "a=1,b=2", "--weights", "a=1"])
        .fails(2, "arm `b` has no weight: give it one, 0 where");
    cip(["srm", "--counts", "a=1,b=2", "--weights", "a=1,b=1,a=2"]).fails(2, "arm `a` has two weights");
    cip(["srm", "--counts", "a=1"]).fails(1, "1 counts and 1 weights");
    cip(["srm", "--counts", "a=1,b=2", "--alpha", "NaN"]).fails(2, "--alpha is NaN");
}
