//! `cip forget`: users out of a store and its result tables, and the proof.

use std::fs;
use std::path::{Path, PathBuf};

use cip::core::column;
use cip::ingest::{Erasure, ErasureReport};
use cip::store::{ErasedFile, FileContent, TableColumn, TableFormat, TableSource};
use serde_json::{Value, json};

use crate::args::{Common, ForgetArgs};
use crate::error::CliError;
use crate::number::grouped;
use crate::output::{Answer, note, table};

pub(crate) fn run(args: &ForgetArgs, common: &Common) -> Result<Answer, CliError> {
    let mut ids = args.user.clone();
    if let Some(path) = &args.users {
        ids.extend(read_ids(path, args.column.as_deref())?);
    }
    if ids.is_empty() {
        return Err(CliError::Usage("there is no user to forget: the file of --users is empty".to_owned()));
    }
    let erasure = Erasure::new(ids).with_memory(common.memory).with_derived(args.derived.clone());
    let (_, report) = erasure.run(&args.store)?;
    if report.mentions() > 0 {
        let files = report.store.iter().chain(&report.derived).filter(|file| file.mentions > 0);
        let paths: Vec<_> = files.map(|file| file.path.display().to_string()).collect();
        note(&format!(
            "note: {} word(s) like an id stand in texts that are nobody's or another user's, and were kept: {}",
            grouped(report.mentions()),
            paths.join(", ")
        ));
    }
    Ok(Answer { text: text(&report, &args.store), json: json(&report) })
}

/// The ids of a file: its lines, or a column of it.
fn read_ids(path: &Path, column: Option<&str>) -> Result<Vec<String>, CliError> {
    let bytes =
        fs::read(path).map_err(|source| CliError::Io { action: "read", path: path.to_owned(), source })?;
    if column.is_none() && TableFormat::of(&bytes).is_none() {
        let text = String::from_utf8(bytes).map_err(|_| {
            CliError::Usage(format!("{} is not UTF-8 text: give an id a line, or a table", path.display()))
        })?;
        let lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.is_empty());
        let header = |(at, line): &(usize, &str)| *at == 0 && *line == column::USER_ID;
        return Ok(lines.enumerate().filter(|line| !header(line)).map(|(_, line)| line.to_owned()).collect());
    }
    let column = column.unwrap_or(column::USER_ID);
    let source = TableSource::open(path)?;
    let (mut ids, mut rows) = (Vec::new(), 0);
    for batch in source.batches(&[column])? {
        let batch = batch?;
        let of_batch = TableColumn::new(source.path(), column, rows, batch.column(0)).ids()?;
        ids.extend((0..of_batch.len()).filter_map(|row| of_batch.get(row)).map(|id| id.to_string()));
        rows += batch.num_rows() as u64;
    }
    Ok(ids)
}

fn text(report: &ErasureReport, store: &Path) -> String {
    let users = match report.users {
        1 => "this user".to_owned(),
        users => format!("these {} users", grouped(users)),
    };
    let mut text = if report.store.iter().all(|file| file.erased == 0) {
        format!("{} holds nothing of {users}\n", store.display())
    } else {
        format!(
            "{}: {} events, {} source sessions, {} products and {} rejected rows of {users} are gone{}\n",
            store.display(),
            grouped(report.erased("events")),
            grouped(report.erased("session_dictionary")),
            grouped(report.erased("product_dictionary")),
            grouped(report.erased("rejects")),
            if report.users > 1 {
                format!("; {} had events", grouped(report.users_with_events))
            } else {
                String::new()
            },
        )
    };
    let shown = |file: &&ErasedFile| file.erased > 0 || file.mentions > 0;
    let line = |file: &ErasedFile| {
        vec![
            file.path.display().to_string(),
            grouped(file.rows_before),
            grouped(file.erased),
            grouped(file.found),
        ]
    };
    let of_tables = report.derived.iter().filter(|file| file.content == FileContent::Rows);
    let rows: Vec<_> = report.store.iter().filter(shown).chain(of_tables).map(line).collect();
    if !rows.is_empty() {
        text.push_str(&format!("\n{}\n", table(&["file", "rows before", "erased", "found now"], &rows)));
    }
    let read = report.store.len() + report.derived.len();
    text.push_str(&format!(
        "{} files were read again and searched for {users}: found {} times\n",
        grouped(read as u64),
        grouped(report.found())
    ));
    let without = report.derived.iter().filter(|file| file.content == FileContent::NoUsers);
    text.push_str(&list("holds no users", without.map(|file| &file.path)));
    if !report.is_nothing() {
        text.push_str(&list(
            "aggregates that were computed with the user; run again to remove the user's part",
            report.aggregates.iter(),
        ));
        text.push_str(
            "the source files still have the rows: `cip ingest` into this store does not take them again, \
             `--rebuild`, `--changed replace` and `cip run` would\n",
        );
    }
    text.push_str(&list("not written by cip and not looked at", report.left_alone.iter()));
    text
}

fn list<'a>(what: &str, paths: impl Iterator<Item = &'a PathBuf>) -> String {
    let paths: Vec<_> = paths.map(|path| path.display().to_string()).collect();
    if paths.is_empty() { String::new() } else { format!("{what}: {}\n", paths.join(", ")) }
}

fn json(report: &ErasureReport) -> Value {
    let files = |files: &[ErasedFile]| -> Vec<Value> {
        let content = |content| match content {
            FileContent::Rows => "rows",
            FileContent::Aggregates => "aggregates",
            _ => "no_users",
        };
        files
            .iter()
            .map(|file| {
                json!({
                    "path": file.path.display().to_string(), "table": file.table, "content": content(file.content),
                    "rows_before": file.rows_before, "erased": file.erased, "found": file.found,
                    "mentions": file.mentions,
                })
            })
            .collect()
    };
    let paths =
        |paths: &[PathBuf]| -> Vec<String> { paths.iter().map(|path| path.display().to_string()).collect() };
    json!({
        "users": report.users, "users_with_events": report.users_with_events,
        "erased": {
            "events": report.erased("events"), "source_sessions": report.erased("session_dictionary"),
            "products": report.erased("product_dictionary"), "rejects": report.erased("rejects"),
            "aliases": report.erased("aliases"), "derived": report.erased_from_derived(),
        },
        "found": report.found(), "mentions": report.mentions(), "files": files(&report.store),
        "derived": files(&report.derived), "aggregates": paths(&report.aggregates),
        "left_alone": paths(&report.left_alone),
    })
}
