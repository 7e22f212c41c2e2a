//! Compact stores from the command line: every table that is made of them is that of a plain store.

use std::fs;
use std::path::Path;

use crate::cip;

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn every_stage_makes_the_same_of_either_layout() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let done = |args: &[&str]| {
        let outcome = cip(args);
        assert_eq!(outcome.code, Some(0), "{args:?}: {}", outcome.stderr);
        outcome
    };
    done(&["generate", path(&at("csv")), "--events", "3e4", "--seed", "3"]);
    for layout in ["plain", "compact"] {
        let store = at(layout);
        done(&["ingest", path(&at("csv")), "--mapping", "rees46", "--out", path(&store), "--layout", layout]);
    }
    let size = |store: &str| -> u64 {
        let folder = fs::read_dir(at(store).join("commits/000001")).unwrap();
        folder.map(|file| file.unwrap().metadata().unwrap().len()).sum()
    };
    assert!(size("compact") < size("plain"), "{} {}", size("compact"), size("plain"));
    assert!(done(&["info", path(&at("compact"))]).stdout.contains("layout                 compact"));
    assert!(!done(&["info", path(&at("plain"))]).stdout.contains("layout"));
    for (stage, more) in [
        ("sessions", &[][..]),
        ("rfm", &["--as-of", "2019-12-01"]),
        ("features", &["--cutoff", "2019-11-15", "--label-until", "2019-11-22"]),
        ("pairs", &[]),
        ("cohorts", &["--by", "month"]),
    ] {
        let made = ["plain", "compact"].map(|layout| {
            let out = at(&format!("{layout}-{stage}.parquet"));
            done(&[&[stage, path(&at(layout)), "--out", path(&out)], more].concat());
            fs::read(out).unwrap()
        });
        assert!(made[0] == made[1], "{stage} differs");
    }
}

#[test]
fn a_store_goes_on_as_it_began() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let day = |day: u32| {
        let file = at(&format!("{day}.csv"));
        let row = format!("2019-10-0{day} 00:00:00 UTC,view,7,2,a,b,1.50,3,\n");
        fs::write(&file, format!("{}\n{row}", crate::HEADER)).unwrap();
        file
    };
    let ingest = |file: &Path, more: &[&str]| {
        let store = at("store");
        cip([&["ingest", path(file), "--mapping", "rees46", "--out", path(&store)], more].concat())
    };
    assert_eq!(ingest(&day(1), &["--layout", "compact"]).code, Some(0));
    let refused = ingest(&day(2), &["--layout", "plain"]);
    assert_eq!(refused.code, Some(1));
    let said =
        "keeps its events compact, not plain: leave the layout out, or ingest all files into a new store";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    assert_eq!(ingest(&day(2), &[]).code, Some(0));
    assert!(at("store/commits/000002/offers.parquet").exists());
}
