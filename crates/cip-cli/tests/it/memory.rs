//! `cip ingest` in the memory that it was given.

use crate::{args, cip, peak, rows, smallest_memory};

#[test]
fn an_ingest_stays_inside_its_budget() {
    const EVENTS: u64 = 1_000_000;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    cip(args!["generate", at("csv"), "--events", "1e6", "--seed", "42"]).ok();
    // Rows take more than there is room for: most wait in temporary files.
    let memory = smallest_memory(&at("csv"));
    let budget = memory.parse::<cip::core::MemoryBudget>().unwrap().bytes();
    for layout in ["plain", "compact"] {
        let store = at(layout);
        let (outcome, peak) = peak(&args![
            "ingest",
            at("csv"),
            "--mapping",
            "rees46",
            "--layout",
            layout,
            "--threads",
            "2",
            "--memory",
            memory,
            "--out",
            store
        ]);
        outcome.ok();
        assert!(0 < peak && peak < budget, "{layout}: {peak} bytes of {budget}");
        let events: u64 = (0..)
            .map(|file| store.join(format!("commits/000001/events-{file:05}.parquet")))
            .take_while(|file| file.exists())
            .map(|file| rows(&file))
            .sum();
        assert_eq!(events, EVENTS, "{layout}");
    }
}
