//! The quality report of a data contract as text.

use cip::ingest::{ExpectationReport, QualityReport};

use crate::number::{grouped, percent};
use crate::output::listing;

/// The three layers, and a line for each expectation.
pub(crate) fn text(report: &QualityReport) -> String {
    let share = |rows: u64| percent(rows as f64, report.bronze as f64);
    let rows: Vec<_> = report.expectations.iter().map(row).collect();
    let header = [
        "expectation",
        "column",
        "expects",
        "action",
        "holds",
        "checked",
        "passed",
        "null",
        "warned",
        "dropped",
        "quarantined",
    ];
    let layers = format!(
        "contract {}: bronze {} rows read, silver {} parsed and kept ({}), gold {} that hold every expectation ({})",
        report.contract,
        grouped(report.bronze),
        grouped(report.silver),
        share(report.silver),
        grouped(report.gold),
        share(report.gold)
    );
    if rows.is_empty() { format!("{layers}\n") } else { format!("{layers}\n\n{}", listing(&header, &rows)) }
}

fn row(found: &ExpectationReport) -> Vec<String> {
    let observed = found.observed.as_ref().map(|observed| format!(" (found {observed})")).unwrap_or_default();
    vec![
        found.name.clone(),
        if found.columns.is_empty() { "-".to_owned() } else { found.columns.join(", ") },
        format!("{}{observed}", shorten(&found.bound)),
        found.action.clone(),
        if found.holds { "yes" } else { "no" }.to_owned(),
        grouped(found.checked),
        grouped(found.passed),
        format!("{} ({})", grouped(found.nulls), percent(found.nulls as f64, found.checked as f64)),
        grouped(found.warned),
        grouped(found.dropped),
        grouped(found.quarantined),
    ]
}

/// Whether an expectation would stop an ingest of the rows of a sample.
pub(crate) fn would_stop(found: &ExpectationReport) -> bool {
    let of_input = found.observed.is_some() || found.violations == 0;
    found.action == "fail" && !found.holds && (of_input || found.warned > 0)
}

/// What a person should know of an expectation that only warns.
pub(crate) fn warning(found: &ExpectationReport) -> Option<String> {
    if found.holds || found.action != "warn" {
        return None;
    }
    let what = match &found.observed {
        Some(observed) => format!("expected {}, found {observed}", found.bound),
        None if found.violations == 0 => format!("expected {}, found no events", found.bound),
        None => format!("{} events are not as expected: {}", grouped(found.warned), shorten(&found.bound)),
    };
    Some(format!("warning: {}: {what}", found.name))
}

fn shorten(text: &str) -> String {
    const LIMIT: usize = 40;
    let shown: String = text.chars().take(LIMIT).collect();
    if text.chars().count() > LIMIT { format!("{shown}…") } else { shown }
}
