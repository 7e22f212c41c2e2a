//! The line end to end: a shop's clickstream becomes a store, sessions and segments.

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;

use cip::core::{MemoryBudget, Timestamp};
use cip::ingest::{Ingest, SourceMapping};
use cip::line::Line;
use cip::rfm::Rfm;
use cip::sessionize::SessionRule;
use cip::synth::{Generator, World};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (files, store) = (folder.path().join("files"), folder.path().join("store"));
    std::fs::create_dir(&files)?;
    Generator::new(World::Shop, 100_000, 7).write_to(&files, &mut |_| ())?;

    let mapping = SourceMapping::built_in("rees46").ok_or("no such mapping")?;
    let (store, report) =
        Ingest::new(mapping).with_memory(MemoryBudget::from_mib(256)).run(&[files], &store, &mut |_| ())?;
    println!(
        "{} rows, {} events, {} rejected",
        report.account.rows,
        report.account.events,
        report.account.rejected()
    );

    let line = Line::new(&store);
    let sessions =
        line.write_sessions(SessionRule::default(), &folder.path().join("fact_sessions.parquet"))?;
    println!("{} sessions, {} with a purchase", sessions.sessions, sessions.purchasing_sessions);

    let as_of: Timestamp = "2019-12-01".parse()?;
    let scored = line.rfm(&Rfm::new(as_of, store.schema())?)?;
    for segment in scored.summary()? {
        let revenue = segment.money.display(segment.revenue);
        println!("{:<16} {:>5} customers {revenue:>12}", segment.segment, segment.customers);
    }
    Ok(())
}
