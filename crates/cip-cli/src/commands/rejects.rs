//! `cip rejects`: the rows that were refused.

use std::path::Path;

use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::{Int32Type, UInt64Type};
use cip::arrow_array::{Array, RecordBatch};
use cip::store::EventStore;
use serde_json::{Value, json};

use crate::error::CliError;
use crate::number::grouped;
use crate::output::Answer;

pub(crate) fn run(store: &Path, limit: usize) -> Result<Answer, CliError> {
    let store = EventStore::open(store)?;
    let account = store.manifest().account();
    let mut shown = Vec::new();
    for batch in store.rejects()?.into_iter().flatten() {
        let batch = batch?;
        let room = limit - shown.len();
        shown.extend((0..batch.num_rows().min(room)).map(|row| reject(&batch, row)));
        if shown.len() == limit {
            break;
        }
    }
    let mut text =
        format!("{} of {} rows were rejected\n", grouped(account.rejected()), grouped(account.rows));
    for (reason, count) in &account.rejects {
        text.push_str(&format!("  {reason:<18} {}\n", grouped(count)));
    }
    for reject in &shown {
        let get = |key: &str| reject[key].as_str().map_or_else(|| reject[key].to_string(), str::to_owned);
        let column = reject["column"].as_str().map(|column| format!(", column {column}")).unwrap_or_default();
        text.push_str(&format!(
            "\n{} line {} (bytes {}..{}){column}: {}: {}\n  {}\n",
            get("source_file"),
            get("line"),
            get("byte_start"),
            get("byte_end"),
            get("reason"),
            get("detail"),
            shorten(&get("raw"))
        ));
    }
    let hidden = account.rejected().saturating_sub(shown.len() as u64);
    if hidden > 0 {
        text.push_str(&format!("\n… and {} more (--limit shows more)\n", grouped(hidden)));
    }
    Ok(Answer {
        text,
        json: json!({
            "rows": account.rows, "rejected": account.rejected(), "by_reason": account.rejects, "rejects": shown,
        }),
    })
}

fn reject(batch: &RecordBatch, row: usize) -> Value {
    let number = |name| batch.column_by_name(name).map(|array| array.as_primitive::<UInt64Type>().value(row));
    let text = |name| {
        let array = batch.column_by_name(name)?.as_dictionary::<Int32Type>();
        let key = array.is_valid(row).then(|| array.keys().value(row) as usize)?;
        Some(array.values().as_string::<i32>().value(key).to_owned())
    };
    let detail = batch.column_by_name("detail").map(|array| array.as_string::<i32>().value(row).to_owned());
    let raw = batch.column_by_name("raw").map(|array| array.as_binary::<i32>().value(row).to_vec());
    json!({
        "source_file": text("source_file"), "line": number("line"), "byte_start": number("byte_start"),
        "byte_end": number("byte_end"), "column": text("column"), "reason": text("reason"), "detail": detail,
        "raw": raw.map(|raw| String::from_utf8_lossy(&raw).into_owned()),
    })
}

fn shorten(text: &str) -> String {
    const LIMIT: usize = 160;
    let line: String =
        text.chars().take(LIMIT).map(|char| if char.is_control() { '·' } else { char }).collect();
    if text.chars().count() > LIMIT { format!("{line}…") } else { line }
}
