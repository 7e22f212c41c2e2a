//! `cip ingest`: files to store.

use std::fs;
use std::path::{Path, PathBuf};

use cip::core::{IdType, MemoryBudget, column};
use cip::ingest::{
    ChangedFiles, Contract, ContractError, Ingest, IngestReport, QualityReport, SourceMapping,
};
use cip::store::{Account, AliasTable, EventStore};
use serde_json::json;

use crate::allocator::keep_freed_memory;
use crate::args::{Common, IngestArgs, SourceArgs};
use crate::currency;
use crate::error::CliError;
use crate::experiment;
use crate::number::{bytes, grouped, percent};
use crate::output::{Answer, listing, note};
use crate::progress::IngestBars;
use crate::quality;

pub(crate) fn run(args: &IngestArgs, common: &Common) -> Result<Answer, CliError> {
    let Some(out) = &args.out else { return dry_run(&args.source, common) };
    if args.replay {
        return replay(&args.source, out, common);
    }
    spare_the_sources(&args.source, out)?;
    let way = if args.rebuild { Way::Anew } else { Way::Behind(args.changed.into()) };
    let (store, report) = ingest(&args.source, out, way, common)?;
    currency::warn(&store)?;
    if args.source.aliases.is_some() {
        note_aliases(report.commit);
    }
    let found =
        report.quality.as_ref().map(|report| format!("\n{}", quality::text(report))).unwrap_or_default();
    Ok(Answer {
        text: format!("{}{found}", text(&report, out)),
        json: json!({
            "files": report.files, "bytes": report.bytes, "account": account_json(&report.account),
            "unmapped_columns": report.unmapped_columns, "quality": report.quality, "stitched": report.stitched, "files_taken": report.files_taken,
            "files_replaced": report.files_replaced, "commit": report.commit,
            "commits": store.manifest().commits.len(),
        }),
    })
}

/// Says on standard error what new aliases do not do.
fn note_aliases(commit: Option<u32>) {
    match commit {
        Some(1) => {}
        Some(_) => note("note: events of earlier commits get the users of new aliases by `cip compact`"),
        None => note("note: no file is new, so no aliases are kept: give them to `cip compact --aliases`"),
    }
}

fn text(report: &IngestReport, out: &Path) -> String {
    let mut text = match report.commit {
        None => format!("nothing new for {}\n", out.display()),
        Some(commit) => {
            let what = if commit > 1 { format!(" as commit {commit}") } else { String::new() };
            format!(
                "{}\n{} in {} file(s) read into {}{what}\n",
                account_text(&report.account),
                bytes(report.bytes),
                report.files,
                out.display()
            )
        }
    };
    text.push_str(&stitched_text(report.stitched));
    for (files, what) in [(report.files_replaced, "replaced"), (report.files_taken, "taken already")] {
        if files > 0 {
            text.push_str(&format!("{} file(s) {what}\n", grouped(files as u64)));
        }
    }
    text
}

/// How many events were stitched, in a line; nothing where none were.
fn stitched_text(events: u64) -> String {
    match events {
        0 => String::new(),
        events => format!("{} events are of users who were named by an alias\n", grouped(events)),
    }
}

/// How files come into a store.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// Into a new one, which replaces what is there.
    Anew,
    /// Into one more commit of the store that is there, if there is one.
    Behind(ChangedFiles),
}

/// Reads the rejects of a store again.
fn replay(args: &SourceArgs, out: &Path, common: &Common) -> Result<Answer, CliError> {
    let mut bars = IngestBars::default();
    let (store, report) = configured(args, common)?.replay(out, &mut |progress| bars.update(progress))?;
    drop(bars);
    warn(report.quality.as_ref());
    currency::warn(&store)?;
    let replayed = &report.account;
    let mut text = match (report.commit, replayed.rows) {
        (_, 0) => format!("{} has no rejected rows\n", out.display()),
        (None, rows) => format!("{} rejected rows of {} stay as they are\n", grouped(rows), out.display()),
        (Some(commit), _) => {
            let what = if commit > 1 { format!(" as commit {commit}") } else { String::new() };
            let all = store.manifest().account();
            format!("replayed{what}: {}\n{}: {}\n", account_text(replayed), out.display(), account_text(&all))
        }
    };
    text.push_str(&stitched_text(report.stitched));
    if report.cut > 0 {
        let cut = grouped(report.cut);
        text.push_str(&format!(
            "{cut} of them are longer than what the store keeps of a row, and stay rejects\n"
        ));
    }
    if let Some(report) = &report.quality {
        text.push_str(&format!("\n{}", quality::text(report)));
    }
    Ok(Answer {
        text,
        json: json!({
            "replayed": account_json(replayed), "cut": report.cut, "account": account_json(&store.manifest().account()),
            "quality": report.quality, "stitched": report.stitched, "commit": report.commit,
            "commits": store.manifest().commits.len(),
        }),
    })
}

/// Says on standard error which expectations do not hold.
fn warn(quality: Option<&QualityReport>) {
    for found in quality.iter().flat_map(|report| &report.expectations) {
        if let Some(warning) = quality::warning(found) {
            note(&warning);
        }
    }
}

/// Shows what the first rows of the sources become.
fn dry_run(args: &SourceArgs, common: &Common) -> Result<Answer, CliError> {
    let preview = configured(args, common)?.preview(&args.sources)?;
    let (account, events) = (&preview.account, preview.account.events);
    let rows: Vec<_> = (preview.columns.iter())
        .map(|column| {
            vec![
                column.column.clone(),
                column.from.clone().unwrap_or_else(|| "-".to_owned()),
                column.data_type.to_string(),
                percent(column.nulls as f64, events as f64),
                column.examples.join(", "),
            ]
        })
        .collect();
    let files = if preview.files_read < preview.files {
        format!("{} of {} files", preview.files_read, preview.files)
    } else {
        format!("{} file(s)", preview.files)
    };
    let mut text = format!(
        "the first rows of {files}: {}\n\n{}",
        account_text(account),
        listing(&["column", "from", "type", "null", "examples"], &rows)
    );
    if !preview.unmapped_columns.is_empty() {
        text.push_str(&format!("\nleft out by the mapping: {}\n", preview.unmapped_columns.join(", ")));
    }
    if let Some(report) = &preview.quality {
        text.push_str(&format!("\n{}", quality::text(report)));
        for found in report.expectations.iter().filter(|found| quality::would_stop(found)) {
            text.push_str(&format!("`{}` would stop an ingest of these rows alone\n", found.name));
        }
    }
    text.push_str("\nnothing was written; the rows after these may be of another kind\n");
    let columns: Vec<_> = (preview.columns.iter())
        .map(|column| {
            json!({
                "column": column.column, "from": column.from, "type": column.data_type.to_string(),
                "nulls": column.nulls, "examples": column.examples,
            })
        })
        .collect();
    Ok(Answer {
        text,
        json: json!({
            "files": preview.files, "files_read": preview.files_read, "account": account_json(account),
            "columns": columns, "unmapped_columns": preview.unmapped_columns, "quality": preview.quality,
        }),
    })
}

/// Reads the sources into a store and says on standard error what a person should know.
pub(crate) fn ingest(
    args: &SourceArgs,
    target: &Path,
    way: Way,
    common: &Common,
) -> Result<(EventStore, IngestReport), CliError> {
    /// Less is not to be kept beside what is counted.
    const ROOM_TO_KEEP: MemoryBudget = MemoryBudget::from_mib(512);
    let ingest = configured(args, common)?;
    if common.memory.bytes() >= ROOM_TO_KEEP.bytes() {
        keep_freed_memory();
    }
    let mut bars = IngestBars::default();
    let mut update = |progress| bars.update(progress);
    let (store, report) = match way {
        Way::Anew => ingest.run(&args.sources, target, &mut update)?,
        Way::Behind(changed) => {
            ingest.with_changed_files(changed).append(&args.sources, target, &mut update)?
        }
    };
    drop(bars);
    if !report.unmapped_columns.is_empty() {
        note(&format!("note: columns that the mapping leaves out: {}", report.unmapped_columns.join(", ")));
    }
    warn(report.quality.as_ref());
    if report.account.events == 0 && report.account.rows > 0 {
        note("warning: every row was rejected or dropped; `cip rejects` shows why");
    }
    Ok((store, report))
}

/// An ingest with the options of the command.
fn configured(args: &SourceArgs, common: &Common) -> Result<Ingest, CliError> {
    let mapping = mapping(&args.mapping)?;
    let users = mapping.schema().ok().and_then(|schema| schema.id_type(column::USER_ID));
    let ingest = Ingest::new(mapping).with_memory(common.memory);
    let in_dialect = ingest.with_dialect(args.dialect());
    let mut ingest = in_dialect.map_err(|error| CliError::Usage(error.to_string()))?;
    if let Some(threads) = common.threads {
        ingest = ingest.with_threads(threads);
    }
    if let Some(layout) = args.layout {
        ingest = ingest.with_event_layout(layout.into());
    }
    if let Some(path) = &args.aliases {
        // Where there are no users, the ingest says so.
        ingest = ingest.with_aliases(AliasTable::read(path, users.unwrap_or(IdType::Utf8))?);
    }
    if let Some(path) = &args.experiment {
        ingest = ingest.with_experiment(experiment::read(path)?);
    }
    if let Some(name) = &args.contract {
        let contract = contract(name)?;
        ingest = ingest.with_contract(match args.contract_as_of {
            Some(as_of) => contract.with_as_of(as_of),
            None => contract,
        });
    }
    if let Some(rejects) = args.max_rejects {
        ingest = ingest.with_max_rejects(rejects);
    }
    Ok(ingest)
}

/// Refuses a target folder that holds a source: putting the result in place would remove it.
pub(crate) fn spare_the_sources(args: &SourceArgs, target: &Path) -> Result<(), CliError> {
    let Some(real) = target.canonicalize().ok().filter(|path| path.is_dir()) else { return Ok(()) };
    // Of a pattern the folders before its first wildcard are there.
    let lies_there = |source: &&PathBuf| {
        let there = source.ancestors().find_map(|path| path.canonicalize().ok());
        there.is_some_and(|path| path.starts_with(&real))
    };
    match args.sources.iter().find(lies_there) {
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

/// A contract by its name, or from a TOML file.
fn contract(name: &str) -> Result<Contract, CliError> {
    if let Some(contract) = Contract::built_in(name) {
        return Ok(contract);
    }
    let path = Path::new(name);
    if path.extension().is_none_or(|extension| extension != "toml") {
        return Err(CliError::Usage(format!(
            "no contract is called `{name}`: expected {}, or a file ending in .toml",
            Contract::BUILT_IN.join(", ")
        )));
    }
    Contract::read(path).map_err(|source| match source {
        // It names the file itself.
        ContractError::Io { path, source } => CliError::Io { action: "read", path, source },
        source => CliError::Contract { path: path.to_owned(), source: Box::new(source) },
    })
}

/// Where every row went, in one line.
pub(crate) fn account_text(account: &Account) -> String {
    let by = |counts: &std::collections::BTreeMap<String, u64>| {
        let parts: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {}", grouped(count))).collect();
        if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
    };
    let forgotten = match account.forgotten {
        0 => String::new(),
        rows => format!(" + {} forgotten", grouped(rows)),
    };
    format!(
        "{} rows = {} events + {} rejected{} + {} dropped{}{forgotten}",
        grouped(account.rows),
        grouped(account.events),
        grouped(account.rejected()),
        by(&account.rejects),
        grouped(account.dropped()),
        by(&account.drops)
    )
}

pub(crate) fn account_json(account: &Account) -> serde_json::Value {
    json!({
        "rows": account.rows, "events": account.events, "rejects": account.rejects, "drops": account.drops,
        "forgotten": account.forgotten,
    })
}
