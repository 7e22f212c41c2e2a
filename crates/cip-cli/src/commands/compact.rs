//! `cip compact`: the commits of a store as one.

use std::path::Path;

use cip::ingest::{Compaction, CompactionOutcome};
use serde_json::json;

use crate::args::Common;
use crate::error::CliError;
use crate::number::{bytes, grouped};
use crate::output::Answer;
use crate::progress::IngestBars;

pub(crate) fn run(store: &Path, common: &Common) -> Result<Answer, CliError> {
    let mut compaction = Compaction::new().with_memory(common.memory);
    if let Some(threads) = common.threads {
        compaction = compaction.with_threads(threads);
    }
    let mut bars = IngestBars::default();
    let (compacted, report) = compaction.run(store, &mut |progress| bars.update(progress))?;
    drop(bars);
    let events = compacted.manifest().account().events;
    let size: u64 = compacted.files().map(|file| file.bytes).sum();
    let sizes =
        || format!("{} events in {}, {} before", grouped(events), bytes(size), bytes(report.bytes_before));
    let text = match report.outcome {
        CompactionOutcome::AsItWas => format!("{} has one commit: nothing to merge", store.display()),
        CompactionOutcome::Refilled => {
            format!("row groups filled up again where users were erased: {}", sizes())
        }
        _ => format!("{} commits merged into one: {}", grouped(report.commits as u64), sizes()),
    };
    Ok(Answer {
        text,
        json: json!({
            "commits_before": report.commits, "events": events, "bytes_before": report.bytes_before, "bytes": size,
        }),
    })
}
