//! Over files that came in several commits every stage gives the tables of one ingest of all of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cip::basket::{Baskets, Pairs};
use cip::core::{MemoryBudget, TimeRange};
use cip::features::Features;
use cip::ingest::Ingest;
use cip::line::Line;
use cip::rfm::Rfm;
use cip::sessionize::{Funnel, SessionRule};
use cip::store::EventStore;
use proptest::prelude::*;

use crate::laws::row;
use crate::source::{Kind, Row};
use crate::threads;

/// The rows as a file; clicks have sessions that users share, of which every file has some.
fn csv(kind: Kind, rows: &[Row]) -> String {
    let text = kind.csv(rows);
    let mut lines = text.lines();
    let mut out = format!("{}\n", lines.next().unwrap());
    for (line, row) in lines.zip(rows) {
        out.push_str(line);
        if kind == Kind::Clicks && row.time % 5 > 0 {
            out.push_str(&format!("00000000-0000-0000-0000-{:012}", row.product % 3));
        }
        out.push('\n');
    }
    out
}

/// Every table that the stages write of a store, as bytes.
fn tables(store: &EventStore, kind: Kind, folder: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let line = Line::new(store).with_threads(threads(2));
    let day = |day: &str| format!("2019-10-{day}").parse().unwrap();
    let mut tables = Vec::new();
    let mut keep = |name: &'static str, write: &dyn Fn(&Path)| {
        let path = folder.join(format!("{name}.parquet"));
        write(&path);
        tables.push((name, fs::read(&path).unwrap()));
    };
    let rule = SessionRule::new(Duration::from_secs(1_800)).unwrap();
    keep("sessions", &|path| {
        let _ = line.write_sessions(rule.clone(), path).unwrap();
    });
    if kind == Kind::Clicks {
        let by_source = SessionRule::source();
        keep("source_sessions", &|path| {
            let _ = line.write_sessions(by_source.clone(), path).unwrap();
        });
    }
    let rfm = Rfm::new(day("04"), store.schema()).unwrap();
    keep("rfm", &|path| {
        let _ = line.write_rfm(&rfm, path).unwrap();
    });
    let features = Features::new(TimeRange::new(day("01"), day("03")).unwrap(), store.schema()).unwrap();
    let features = features.with_label_until(day("04")).unwrap();
    keep("features", &|path| {
        let _ = line.write_features(&features, path).unwrap();
    });
    let baskets = Baskets::new(store.schema(), MemoryBudget::from_mib(64)).unwrap();
    keep("pairs", &|path| {
        let _ = line.write_pairs(&baskets, Pairs::new(1).unwrap(), path).unwrap();
    });
    let funnel = Funnel::new(["view", "cart", "purchase"], Duration::from_secs(86_400)).unwrap();
    keep("funnel", &|path| {
        let _ = line.write_funnel(&funnel, path).unwrap();
    });
    keep("rejects", &|path| {
        let _ = line.write_rejects(path).unwrap();
    });
    tables
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_table_is_that_of_one_ingest(
        files in proptest::collection::vec((proptest::collection::vec(row(), 1..30), 0usize..3), 1..6),
        clicks: bool,
    ) {
        let kind = if clicks { Kind::Clicks } else { Kind::Till };
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let paths: Vec<PathBuf> = (files.iter().enumerate())
            .map(|(n, (rows, _))| {
                let path = at(&format!("{n}.csv"));
                // Empty lines at the end make the bytes of every file its own.
                fs::write(&path, format!("{}{}", csv(kind, rows), "\n".repeat(n))).unwrap();
                path
            })
            .collect();
        let ingest = Ingest::new(kind.mapping());
        let (whole, _) = ingest.run(&paths, &at("whole"), &mut |_| ()).unwrap();
        for commit in [1, 2, 0] {
            let of_commit: Vec<PathBuf> =
                paths.iter().zip(&files).filter(|(_, file)| file.1 == commit).map(|(path, _)| path.clone()).collect();
            if !of_commit.is_empty() {
                ingest.append(&of_commit, &at("commits"), &mut |_| ()).unwrap();
            }
        }
        let commits = EventStore::open(&at("commits")).unwrap();
        for (found, expected) in tables(&commits, kind, folder.path()).iter().zip(tables(&whole, kind, folder.path())) {
            prop_assert!(*found == expected, "{} differs", expected.0);
        }
    }
}
