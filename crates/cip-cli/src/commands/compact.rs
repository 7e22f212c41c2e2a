//! `cip compact`: the commits of a store as one.

use std::path::Path;

use cip::core::{IdType, column};
use cip::ingest::{Compaction, CompactionOutcome};
use cip::store::{AliasTable, EventStore};
use serde_json::json;

use crate::args::Common;
use crate::error::CliError;
use crate::number::{bytes, grouped};
use crate::output::Answer;
use crate::progress::IngestBars;

pub(crate) fn run(store: &Path, aliases: Option<&Path>, common: &Common) -> Result<Answer, CliError> {
    let mut compaction = Compaction::new().with_memory(common.memory);
    if let Some(threads) = common.threads {
        compaction = compaction.with_threads(threads);
    }
    if let Some(path) = aliases {
        // Where there are no users, the compaction says so.
        let users = EventStore::open(store)?.schema().id_type(column::USER_ID);
        compaction = compaction.with_aliases(AliasTable::read(path, users.unwrap_or(IdType::Utf8))?);
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
        CompactionOutcome::Stitched => format!("users put in the place of their aliases: {}", sizes()),
        CompactionOutcome::Refilled => {
            format!("row groups filled up again where users were erased: {}", sizes())
        }
        _ => format!("{} commits merged into one: {}", grouped(report.commits as u64), sizes()),
    };
    let text = match report.stitched {
        0 => text,
        moved => format!("{text}\n{} events of aliases have their users now", grouped(moved)),
    };
    Ok(Answer {
        text,
        json: json!({
            "commits_before": report.commits, "events": events, "stitched": report.stitched, "bytes_before": report.bytes_before, "bytes": size,
        }),
    })
}
