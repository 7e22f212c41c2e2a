//! `cip segments`.

use std::collections::BTreeMap;
use std::path::Path;

use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::Int32Type;
use cip::store::read_table;
use serde_json::Value;

use crate::real::data;
use crate::{args, bytes_of, cip, folder_of_store, names_in, rows};

/// How many customers each cluster has in the table.
fn sizes(table: &Path) -> BTreeMap<i64, u64> {
    let mut sizes = BTreeMap::new();
    for batch in read_table(table).unwrap() {
        let clusters = batch.unwrap().column_by_name("cluster").unwrap().clone();
        for cluster in clusters.as_primitive::<Int32Type>().values() {
            *sizes.entry(i64::from(*cluster)).or_default() += 1;
        }
    }
    sizes
}

fn told(said: &Value) -> BTreeMap<i64, u64> {
    let clusters = said["clusters"].as_array().unwrap().iter();
    clusters.map(|of| (of["cluster"].as_i64().unwrap(), of["customers"].as_u64().unwrap())).collect()
}

#[test]
fn clusters_are_written_told_and_kept() {
    let (folder, store) = folder_of_store(900);
    let at = |name: &str| folder.path().join(name);
    let (out, again) = (at("clusters"), at("again"));
    let run = |out: &Path, more: &[&str]| {
        let common = args!["segments", store, "--as-of", "2019-10-15", "--out", out, "--json"];
        cip(common.into_iter().chain(more.iter().map(|arg| (*arg).into())))
    };
    let said = run(&out, &["--seed", "3", "--threads", "1"]).ok().json();
    assert_eq!(
        names_in(&out),
        [
            "cluster_description_and_recommendation.parquet",
            "cluster_model.json",
            "cluster_summary.parquet",
            "customer_rfm_kmeans_clustered.parquet",
            "summary.json"
        ]
    );
    let before = bytes_of(&out);
    let customers = out.join("customer_rfm_kmeans_clustered.parquet");
    assert_eq!(said["customers"], rows(&customers));
    assert_eq!(told(&said), sizes(&customers));
    assert_eq!(said["clusters"].as_array().unwrap().len() as u64, rows(&out.join("cluster_summary.parquet")));
    let best = said["tried"].as_array().unwrap().iter().max_by(|a, b| {
        // Of equal scores the fewest clusters.
        let score = |of: &Value| of["score"].as_f64().unwrap();
        score(a).total_cmp(&score(b)).then_with(|| b["clusters"].as_u64().cmp(&a["clusters"].as_u64()))
    });
    let inside = told(&said).keys().filter(|cluster| **cluster >= 0).count();
    assert_eq!(best.unwrap()["clusters"], inside);

    // The same seed gives the same bytes in place of the old ones, on any number of threads.
    assert_eq!(run(&out, &["--seed", "3", "--threads", "2"]).ok().json(), said);
    assert_eq!(bytes_of(&out), before);
    // The model assigns the customers that it was fitted to as the fit did, and those of an earlier day without a fit.
    let model = out.join("cluster_model.json");
    let model = model.to_str().unwrap();
    let assigned = run(&again, &["--model", model]).ok().json();
    assert_eq!((&assigned["clusters"], &assigned["tried"]), (&said["clusters"], &Value::Null));
    for name in ["customer_rfm_kmeans_clustered.parquet", "cluster_model.json"] {
        assert_eq!(
            std::fs::read(again.join(name)).unwrap(),
            std::fs::read(out.join(name)).unwrap(),
            "{name}"
        );
    }
    let earlier =
        cip(args!["segments", store, "--as-of", "2019-10-08", "--out", again, "--model", model]).ok();
    assert!(earlier.stdout.contains("as of 2019-10-08, by the model of 2019-10-15"), "{}", earlier.stdout);
    let week = run(&again, &["--window", "7d"]).ok().json();
    assert_eq!((&week["from"], &said["from"]), (&Value::from("2019-10-08"), &Value::Null));
    assert!(week["customers"].as_u64() < said["customers"].as_u64(), "who bought only before is left out");
    let text = cip(args!["segments", store, "--as-of", "2019-10-15", "--out", again]).ok().stdout;
    assert!(text.contains("found with seed 0") && text.contains("clusters tried"), "{text}");

    let before = bytes_of(folder.path());
    run(&again, &["--model", model, "--seed", "3"]).fails(2, "cannot be used with");
    run(&again, &["--most", "1"]).fails(2, "up to 1 clusters are to be tried, expected 2 to 20");
    run(&again, &["--model", out.join("summary.json").to_str().unwrap()])
        .fails(1, "summary.json: the file is no model of clusters");
    run(folder.path(), &[]).fails(1, "was not written by cip: choose another --out");
    cip(args!["segments", store, "--as-of", "2019-10-01", "--out", again])
        .fails(1, "there are no customers to cluster");
    assert_eq!(bytes_of(folder.path()), before, "what was refused left nothing behind");
}

/// numpy 2.4.6 `quantile`, and scikit-learn 1.9.1 on the customers inside the fences, scaled by `StandardScaler`: the least inertia of
/// `KMeans(k, n_init=20, tol=0)`, `silhouette_score`, and the sizes of its three clusters.
/// R 4.2.2 finds the same of two to four: `kmeans` and `cluster::silhouette` (scripts/r_values.R).
#[test]
fn the_retail_customers_are_clustered_as_scikit_learn_does() {
    let Some(files) = data("online_retail_daily") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (folder.path().join("store"), folder.path().join("clusters"));
    cip(args!["ingest", files, "--mapping", "online-retail", "--out", store]).ok();
    let said = cip(args!["segments", store, "--as-of", "2011-12-10", "--out", out, "--json"]).ok().json();
    for (measure, end, expected) in [
        ("monetary", "low", -1_724.347_5),
        ("monetary", "high", 3_693.232_5),
        ("frequency", "low", -5.0),
        ("frequency", "high", 11.0),
    ] {
        let found = said["fences"][measure][end].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-9, "{measure} {end}: {found}");
    }
    let expected = [
        (6_230.350, 0.459_75),
        (3_597.909, 0.461_24),
        (2_774.231, 0.415_35),
        (2_384.222, 0.398_65),
        (2_038.932, 0.369_59),
        (1_792.515, 0.359_96),
        (1_624.837, 0.354_92),
    ];
    for (tried, (inertia, silhouette)) in said["tried"].as_array().unwrap().iter().zip(expected) {
        let number = |name: &str| tried[name].as_f64().unwrap();
        assert!((number("inertia") / inertia - 1.0).abs() < 1e-4, "{tried}");
        // Of half of the customers: within four standard errors.
        let error = number("silhouette_error");
        assert!(0.0 < error && error < 0.01, "{tried}");
        assert!((number("silhouette") - silhouette).abs() < 4.0 * error, "{tried}");
    }
    let sizes_of_three = [(-3, 238), (-2, 47), (-1, 189), (0, 839), (1, 2_047), (2, 979)];
    assert_eq!(told(&said), sizes_of_three.into());
    assert_eq!(sizes(&out.join("customer_rfm_kmeans_clustered.parquet")), sizes_of_three.into());
    let names: Vec<_> = said["clusters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| of["cluster_segment"].as_str().unwrap())
        .collect();
    let vip = "Super VIP Champions";
    assert_eq!(names, [vip, vip, vip, vip, "Potential Loyalists", "Hibernating"]);
}
