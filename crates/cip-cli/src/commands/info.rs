//! `cip info`: what a store holds.

use std::path::Path;

use cip::core::Timestamp;
use cip::ingest::{QualityHistory, QualityReport};
use cip::store::{EventLayout, EventStore};
use serde_json::{Value, json};

use crate::args::Common;
use crate::commands::ingest::{account_json, account_text};
use crate::error::CliError;
use crate::number::{bytes, grouped, percent};
use crate::output::{Answer, table};
use crate::quality;

pub(crate) fn run(store: &Path, quality_table: Option<&Path>, common: &Common) -> Result<Answer, CliError> {
    let store = EventStore::open(store)?;
    let statistics = store.statistics(common.memory)?;
    let manifest = store.manifest();
    let currencies = store.currencies()?;
    let account = manifest.account();
    let span = manifest.time_span().map(|span| span.map(|micros| Timestamp::from_micros(micros).to_string()));
    let mapping = manifest.mapping.get("name").and_then(serde_json::Value::as_str).unwrap_or("-");
    let experiment = manifest.experiment.as_ref();
    let sources: usize = manifest.commits.iter().map(|commit| commit.sources.len()).sum();

    let mut text = format!("{}  (mapping {mapping}, {sources} source file(s))\n\n", store.path().display());
    let (first, last) = span.as_ref().map_or(("-", "-"), |[first, last]| (first.as_str(), last.as_str()));
    for (name, value) in [
        ("first event", first.to_owned()),
        ("last event", last.to_owned()),
        ("events", grouped(statistics.events)),
        ("users", grouped(statistics.users)),
        ("events without a user", grouped(statistics.events_without_user)),
        ("source sessions", grouped(statistics.source_sessions)),
        ("session codes", grouped(statistics.session_codes)),
        ("products", grouped(statistics.products)),
        ("size", bytes(statistics.bytes)),
    ] {
        text.push_str(&format!("  {name:<22} {value}\n"));
    }
    if manifest.event_layout != EventLayout::Plain {
        text.push_str(&format!("  {:<22} {}\n", "layout", manifest.event_layout));
    }
    let aliases =
        manifest.commits.iter().rev().find_map(|commit| commit.aliases.as_ref()).map(|table| table.rows);
    if let Some(aliases) = aliases {
        text.push_str(&format!("  {:<22} {}\n", "aliases", grouped(aliases)));
    }
    if let Some(currencies) = &currencies {
        text.push_str(&format!("  {:<22} {currencies}\n", "currencies"));
    }
    if let Some(experiment) = experiment {
        text.push_str(&format!("  {:<22} {}\n", "experiment", experiment_text(experiment)));
    }
    text.push_str(&format!("\n{}\n\n", account_text(&account)));
    let history = QualityHistory::of(&store)?;
    let found: Vec<&QualityReport> = history.reports().iter().map(|kept| &kept.report).collect();
    if let Some(report) = found.last() {
        if found.len() > 1 {
            text.push_str(&format!(
                "the last of {} ingests under a contract (--json has all):\n\n",
                found.len()
            ));
        }
        text.push_str(&format!("{}\n", quality::text(report)));
    }
    let rows: Vec<_> = statistics
        .columns
        .iter()
        .map(|column| {
            let each = column.bytes as f64 / (statistics.events.max(1)) as f64;
            vec![
                column.column.clone(),
                bytes(column.bytes),
                percent(column.bytes as f64, statistics.bytes as f64),
                format!("{each:.2}"),
            ]
        })
        .collect();
    text.push_str(&table(&["column", "size", "share", "bytes an event"], &rows));
    let written = quality_table.map(|path| history.write(path)).transpose()?;
    if let (Some(path), Some(rows)) = (quality_table, written) {
        let reports = grouped(found.len() as u64);
        text.push_str(&format!(
            "\n{} rows of {reports} quality report(s) written to {}\n",
            grouped(rows),
            path.display()
        ));
    }
    let columns: Vec<_> = statistics
        .columns
        .iter()
        .map(|column| json!({ "column": column.column, "bytes": column.bytes }))
        .collect();
    Ok(Answer {
        text,
        json: json!({
            "store": store.path().display().to_string(), "mapping": mapping, "experiment": experiment,
            "commits": manifest.commits.len(), "layout": manifest.event_layout.to_string(), "source_files": sources,
            "first_event": span.as_ref().map(|span| &span[0]), "last_event": span.as_ref().map(|span| &span[1]),
            "events": statistics.events, "users": statistics.users,
            "events_without_user": statistics.events_without_user, "source_sessions": statistics.source_sessions,
            "session_codes": statistics.session_codes, "products": statistics.products, "bytes": statistics.bytes,
            "aliases": aliases, "currencies": currencies, "account": account_json(&account), "columns": columns, "quality": found,
            "quality_rows": written,
        }),
    })
}

/// The experiment's name and its arms.
fn experiment_text(experiment: &Value) -> String {
    let name = |of: &Value| of.get("name").and_then(Value::as_str).unwrap_or("-").to_owned();
    let arms = experiment.get("arms").and_then(Value::as_array);
    let arms: Vec<_> = arms.into_iter().flatten().map(name).collect();
    format!("{} ({})", name(experiment), arms.join(", "))
}
