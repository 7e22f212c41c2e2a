//! `--json`: one object on one line, whatever the command.

use std::fs;
use std::os::unix::ffi::OsStringExt;

use crate::{args, cip, clicks, folder_of_clicks, folder_of_store};

#[test]
fn every_command_prints_one_object_on_one_line() {
    let (folder, file) = folder_of_clicks(300);
    let at = |name: &str| folder.path().join(name);
    let store = at("store");

    let ingest = cip(args!["ingest", file, "--mapping", "rees46", "--out", store, "--json"]).ok().json();
    assert_eq!(ingest["account"]["rows"], 300);
    assert_eq!(ingest["account"]["events"], 300);

    let info = cip(args!["info", store, "--json"]).ok().json();
    assert_eq!((&info["events"], &info["mapping"]), (&300.into(), &"rees46".into()));
    assert_eq!(info["account"], ingest["account"]);

    let rejects = cip(args!["rejects", store, "--json"]).ok().json();
    assert_eq!((&rejects["rows"], &rejects["rejected"]), (&300.into(), &0.into()));

    let sessions = cip(args!["sessions", store, "--out", at("s.parquet"), "--json"]).ok().json();
    assert_eq!(sessions["events"], 300);

    let out = at("f.parquet");
    let funnel =
        cip(args!["funnel", store, "--steps", "view,cart", "--within", "1d", "--out", out, "--json"])
            .ok()
            .json();
    assert_eq!(funnel["users"], info["users"]);
    let paths = cip(args!["paths", store, "--out", out, "--json"]).ok().json();
    assert_eq!(paths["users"], info["users"]);

    let rfm =
        cip(args!["rfm", store, "--as-of", "2019-11-01", "--out", at("r.parquet"), "--json"]).ok().json();
    let customers: u64 = rfm["segments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|segment| segment["customers"].as_u64().unwrap())
        .sum();
    assert_eq!(rfm["customers"], customers);

    let pairs = cip(args!["pairs", store, "--out", at("p.parquet"), "--json"]).ok().json();
    assert_eq!(pairs["events_without_product"], 0);

    // The flag may stand anywhere.
    let run = cip(args!["--json", "run", file, "--mapping", "rees46", "--out", at("run")]).ok().json();
    assert_eq!(run["account"], ingest["account"]);
    assert_eq!(run["sessions"], sessions);
    assert_eq!(run["pairs"], pairs);
    assert_eq!(run["tables"]["rfm_segments.parquet"], customers);
    assert!(run["stages"].as_array().unwrap().iter().all(|stage| stage["wall_s"].is_number()));
}

#[test]
fn generated_worlds_and_the_demo_print_one_object_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for world in ["shop", "retail", "streamflow"] {
        let out = at(world);
        let made = cip(args!["generate", out, "--events", "2e3", "--seed", "3", "--world", world, "--json"])
            .ok()
            .json();
        assert_eq!((&made["world"], &made["seed"]), (&world.into(), &3.into()));
        let files = made["files"].as_array().unwrap();
        let rows: u64 = files.iter().map(|file| file["rows"].as_u64().unwrap()).sum();
        assert_eq!(made["rows"], rows);
        let bytes: u64 = files
            .iter()
            .map(|file| fs::metadata(out.join(file["file"].as_str().unwrap())).unwrap().len())
            .sum();
        assert_eq!(made["bytes"], bytes);
        let mapping = match world {
            "shop" => "rees46",
            "retail" => "online-retail",
            world => world,
        };
        let run = cip(args!["run", out, "--mapping", mapping, "--out", at("run"), "--json"]).ok().json();
        assert_eq!(run["account"]["rows"], rows, "{world}");
    }
    let demo = cip(args!["demo", "--events", "2e3", "--out", at("demo"), "--json"]).ok();
    assert!(demo.json()["account"]["rows"].as_u64().unwrap() >= 1_000);
    assert!(at("demo/events/generated.json").exists() && at("demo/results/summary.json").exists());
}

#[test]
fn a_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let made = ["1", "2"].map(|threads| {
        let out = folder.path().join(threads);
        cip(args!["generate", out, "--events", "5e3", "--seed", "11", "--threads", threads]).ok();
        crate::bytes_of(&out)
    });
    assert!(made[0] == made[1]);
    let other = folder.path().join("other");
    cip(args!["generate", other, "--events", "5e3", "--seed", "12"]).ok();
    assert!(crate::bytes_of(&other) != made[0]);
}

#[test]
fn the_rejects_are_shown_with_place_reason_and_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (file, store) = (folder.path().join("events.csv"), folder.path().join("store"));
    let bad: &[u8] = b"2019-10-01 00:00:00 UTC,view,1,2,,,1.001,7,\nyesterday,view,1,2,,\xff,1.00,7,\n";
    let good = clicks(3, 1);
    fs::write(&file, [good.as_bytes(), bad].concat()).unwrap();
    cip(args!["ingest", file, "--mapping", "rees46", "--out", store]).ok();

    let said = cip(args!["rejects", store, "--json"]).ok().json();
    assert_eq!(said["rejected"], 2);
    let rejects = said["rejects"].as_array().unwrap();
    assert_eq!((&rejects[0]["line"], &rejects[0]["reason"]), (&5.into(), &"scale".into()));
    assert_eq!((&rejects[0]["column"], &rejects[0]["byte_start"]), (&"price".into(), &good.len().into()));
    assert_eq!(rejects[1]["source_file"], "events.csv");
    for (limit, shown) in [("0", 0), ("1", 1), ("9", 2)] {
        let said = cip(args!["rejects", store, "--limit", limit, "--json"]).ok().json();
        assert_eq!(said["rejects"].as_array().unwrap().len(), shown);
        assert_eq!(said["rejected"], 2);
    }
    let text = cip(args!["rejects", store, "--limit", "1"]).ok().stdout;
    assert!(text.contains("2 of 5 rows were rejected") && text.contains("and 1 more"), "{text}");
}

/// A folder on Unix may have any bytes in its name.
#[test]
fn a_path_that_is_not_utf8_is_a_path() {
    let (folder, store) = folder_of_store(60);
    let name = std::ffi::OsString::from_vec(b"st\xffre".to_vec());
    let odd = folder.path().join(name);
    fs::rename(store, &odd).unwrap();
    let info = cip(args!["info", odd, "--json"]).ok().json();
    assert_eq!(info["events"], 60);
    cip(args!["info", odd]).ok();
    cip(args!["sessions", odd, "--out", odd.join("s.parquet"), "--json"]).ok().json();
}
