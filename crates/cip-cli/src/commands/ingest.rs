//! `cip ingest`: files to store.

use std::fs;
use std::path::Path;

use cip::ingest::{Ingest, IngestReport, SourceMapping};
use cip::store::{Account, EventStore};
use serde_json::json;

use crate::args::{Common, IngestArgs, SourceArgs};
use crate::error::CliError;
use crate::experiment;
use crate::number::{bytes, grouped};
use crate::output::{Answer, note};
use crate::progress::IngestBars;

pub(crate) fn run(args: &IngestArgs, common: &Common) -> Result<Answer, CliError> {
    spare_the_sources(&args.source, &args.out)?;
    let (_, report) = ingest(&args.source, &args.out, common)?;
    Ok(Answer {
        text: format!(
            "{}\n{} in {} file(s) read into {}",
            account_text(&report.account),
            bytes(report.bytes),
            report.files,
            args.out.display()
        ),
        json: json!({
            "files": report.files, "bytes": report.bytes, "account": account_json(&report.account),
            "unmapped_columns": report.unmapped_columns,
        }),
    })
}

/// Reads the sources into a store and says on standard error what a person should know.
pub(crate) fn ingest(
    args: &SourceArgs,
    target: &Path,
    common: &Common,
) -> Result<(EventStore, IngestReport), CliError> {
    let mut ingest = Ingest::new(mapping(&args.mapping)?).with_memory(common.memory);
    if let Some(threads) = common.threads {
        ingest = ingest.with_threads(threads);
    }
    if let Some(path) = &args.experiment {
        ingest = ingest.with_experiment(experiment::read(path)?);
    }
    if let Some(rejects) = args.max_rejects {
        ingest = ingest.with_max_rejects(rejects);
    }
    let mut bars = IngestBars::default();
    let (store, report) = ingest.run(&args.sources, target, &mut |progress| bars.update(progress))?;
    drop(bars);
    if !report.unmapped_columns.is_empty() {
        note(&format!("note: columns that the mapping leaves out: {}", report.unmapped_columns.join(", ")));
    }
    if report.account.events == 0 {
        note("warning: every row was rejected or dropped; `cip rejects` shows why");
    }
    Ok((store, report))
}

/// Refuses a target folder that holds a source: putting the result in place would remove it.
pub(crate) fn spare_the_sources(args: &SourceArgs, target: &Path) -> Result<(), CliError> {
    let Some(real) = target.canonicalize().ok().filter(|path| path.is_dir()) else { return Ok(()) };
    match args.sources.iter().find(|source| source.canonicalize().is_ok_and(|path| path.starts_with(&real))) {
        None => Ok(()),
        Some(source) => Err(CliError::Usage(format!(
            "{} would replace its own source {}: choose another --out",
            target.display(),
            source.display()
        ))),
    }
}

/// A mapping by its name, or from a TOML file.
fn mapping(name: &str) -> Result<SourceMapping, CliError> {
    if let Some(mapping) = SourceMapping::built_in(name) {
        return Ok(mapping);
    }
    let path = Path::new(name);
    if path.extension().is_none_or(|extension| extension != "toml") {
        return Err(CliError::Usage(format!(
            "no mapping is called `{name}`: expected {}, or a file ending in .toml",
            SourceMapping::BUILT_IN.join(", ")
        )));
    }
    let text = fs::read_to_string(path).map_err(|source| CliError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    SourceMapping::from_toml(&text).map_err(|source| CliError::Mapping { path: path.to_owned(), source })
}

/// Where every row went, in one line.
pub(crate) fn account_text(account: &Account) -> String {
    let by = |counts: &std::collections::BTreeMap<String, u64>| {
        let parts: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {}", grouped(count))).collect();
        if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
    };
    format!(
        "{} rows = {} events + {} rejected{} + {} dropped{}",
        grouped(account.rows),
        grouped(account.events),
        grouped(account.rejected()),
        by(&account.rejects),
        grouped(account.dropped()),
        by(&account.drops)
    )
}

pub(crate) fn account_json(account: &Account) -> serde_json::Value {
    json!({ "rows": account.rows, "events": account.events, "rejects": account.rejects, "drops": account.drops })
}
