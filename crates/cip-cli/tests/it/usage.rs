//! Exit codes and messages: 0 done, 1 failed, 2 asked for wrongly.

use std::fs::{self, File};

use crate::{args, cip, command, folder_of_clicks, folder_of_store, names_in};

#[test]
fn help_and_version_are_answers() {
    for flag in ["--help", "--version"] {
        let outcome = cip([flag]).ok();
        assert!(outcome.stdout.contains("cip"), "{}", outcome.stdout);
        assert_eq!(outcome.stderr, "");
    }
    for command in [
        "generate",
        "ingest",
        "info",
        "rejects",
        "sessions",
        "funnel",
        "paths",
        "rfm",
        "pairs",
        "features",
        "train",
        "evaluate",
        "score",
        "explain",
        "drift",
        "uplift",
        "assign",
        "abtest",
        "itemsets",
        "rules",
        "sequences",
        "recommend",
        "run",
        "clv",
        "cohorts",
        "segments",
        "migrate",
        "demo",
        "power",
        "srm",
    ] {
        assert!(cip([command, "--help"]).ok().stdout.contains("--json"));
    }
    let bare = cip::<&str>([]);
    assert_eq!((bare.code, bare.stdout.as_str()), (Some(2), ""));
    assert!(bare.stderr.contains("Usage"), "{}", bare.stderr);
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let (folder, store) = folder_of_store(60);
    let (file, out) = (folder.path().join("events.csv"), folder.path().join("out"));
    let before = names_in(folder.path());
    let table = folder.path().join("t.parquet");

    cip(args!["ingest", file, "--mapping", "rees64", "--out", out]).fails(
        2,
        "no mapping is called `rees64`: expected rees46, online-retail, streamflow, cdnow, or a file ending",
    );
    cip(args!["run", file, "--mapping", "shop", "--out", out]).fails(2, "no mapping is called `shop`");
    cip(args!["rfm", store, "--as-of", "2019-11-01", "--out", table, "--scoring", "cuts"])
        .fails(2, "--scoring cuts needs --recency-cuts");
    cip(args!["rfm", store, "--as-of", "2019-11-01", "--out", table, "--recency-cuts", "1,2,3,4"])
        .fails(2, "cuts go with --scoring cuts");
    let cuts = |recency: &str, frequency: &str, monetary: &str| {
        cip(args![
            "rfm",
            store,
            "--as-of",
            "2019-11-01",
            "--out",
            table,
            "--scoring",
            "cuts",
            "--recency-cuts",
            recency,
            "--frequency-cuts",
            frequency,
            "--monetary-cuts",
            monetary
        ])
    };
    cuts("4,3,2,1", "2,3,4,5", "1,2,3,4").fails(2, "");
    cuts("1,2,3,4", "2,3,4,5", "1,2,3,many").fails(2, "`many` in --monetary-cuts");
    cuts("1,2,3,4", "2,3,4,5", "1,2,3,4.001").fails(2, "`4.001` in --monetary-cuts");
    cuts("1,2,3", "2,3,4,5", "1,2,3,4").fails(2, "");
    cip(args!["sessions", store, "--out", table, "--timeout", "soon"]).fails(2, "--timeout");
    cip(args!["rfm", store, "--as-of", "2019-13-01", "--out", table]).fails(2, "write a UTC day such as");
    cip(args!["rfm", store, "--out", table]).fails(2, "--as-of");
    cip(args!["sessions", store]).fails(2, "--out");
    cip(args!["ingest", "--mapping", "rees46", "--out", out]).fails(2, "SRC");
    cip(args!["ingest", file, "--out", out]).fails(2, "--mapping");
    cip(args!["info"]).fails(2, "STORE");
    cip(args!["generate", out, "--events", "1.5"]).fails(2, "write a whole number");
    cip(args!["generate", out, "--events", "10", "--world", "mars"]).fails(2, "mars");
    cip(args!["refine", store]).fails(2, "refine");
    for memory in ["lots", "512", "-1MiB", "0MiB", "NaN GiB", "inf GiB"] {
        cip(args!["info", store, format!("--memory={memory}")]).fails(2, "such as 256MiB");
    }
    for threads in ["0", "-1", "two"] {
        cip(args!["info", store, format!("--threads={threads}")]).fails(2, "--threads");
    }
    assert_eq!(names_in(folder.path()), before, "nothing was written");
}

#[test]
fn what_fails_says_what_to_do() {
    let (folder, file) = folder_of_clicks(60);
    let at = |name: &str| folder.path().join(name);
    let before = names_in(folder.path());
    cip(args!["ingest", at("gone.csv"), "--mapping", "rees46", "--out", at("store")]).fails(1, "gone.csv");
    cip(args!["ingest", file, "--mapping", at("gone.toml"), "--out", at("store")]).fails(1, "gone.toml");
    cip(args!["ingest", file, "--mapping", "streamflow", "--out", at("store")])
        .fails(1, "choose another --mapping or write one");
    cip(args!["ingest", file, "--mapping", "rees46", "--out", at("no/such/folder")])
        .fails(1, "check the path");
    cip(args!["ingest", file, "--mapping", "rees46", "--out", at("store"), "--memory", "1KiB"])
        .fails(1, "memory");
    cip(args!["run", file, "--mapping", "rees46", "--out", at("run"), "--memory", "1KiB"]).fails(1, "memory");
    cip(args!["info", at("gone")]).fails(1, "check the path");
    assert_eq!(names_in(folder.path()), before, "nothing was written");
}

#[test]
fn a_mapping_that_is_wrong_is_named_with_its_file() {
    let (folder, file) = folder_of_clicks(10);
    let mapping = folder.path().join("mine.toml");
    for text in [
        "",
        "name = \"x\"",
        "[columns",
        "name = \"x\"\n[columns]\nevent_time = { from = \"event_time\", type = \"map\" }",
    ] {
        fs::write(&mapping, text).unwrap();
        cip(args!["ingest", file, "--mapping", mapping, "--out", folder.path().join("s")])
            .fails(1, "mine.toml");
    }
}

#[test]
fn more_rejects_than_allowed_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("events.csv"), folder.path().join("out"));
    let text = format!("{}yesterday,view,1,2,,,1.00,7,\nx\n", crate::clicks(5, 1));
    fs::write(&file, text).unwrap();
    for stage in ["ingest", "run"] {
        cip(args![stage, file, "--mapping", "rees46", "--out", out, "--max-rejects", "1"])
            .fails(1, "2 rows were rejected, more than the 1 allowed; first: events.csv line 7");
        assert_eq!(names_in(folder.path()), ["events.csv"]);
    }
    cip(args!["ingest", file, "--mapping", "rees46", "--out", out, "--max-rejects", "2"]).ok();
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    let (_folder, store) = folder_of_store(60);
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        println!("skipped: there is no /dev/full");
        return;
    };
    let output = command(args!["info", store]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: cannot write to standard output"), "{said}");
}
