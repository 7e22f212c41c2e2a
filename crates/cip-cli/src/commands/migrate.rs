//! `cip migrate`: who moved from which segment to which.

use std::path::Path;

use cip::rfm::{Migration, SegmentedCustomers};
use cip::store::TableSource;
use serde_json::json;

use crate::args::MigrateArgs;
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::{Answer, table};
use crate::report_table;

/// The fallen who are named.
const NAMED: usize = 10;
const ABSENT: &str = "-";

pub(crate) fn run(args: &MigrateArgs) -> Result<Answer, CliError> {
    let migration = Migration::new(&customers(&args.before)?, &customers(&args.after)?)?;
    let mut text = text(&migration);
    if let Some(out) = &args.out {
        report_table::write(out, "segment_migration", migration.record_batch()?)?;
        text.push_str(&format!("\nwritten to {}", out.display()));
    }
    Ok(Answer { text, json: to_json(&migration) })
}

fn customers(path: &Path) -> Result<SegmentedCustomers, CliError> {
    let batches = TableSource::open(path)?.batches(&SegmentedCustomers::COLUMNS)?;
    Ok(SegmentedCustomers::try_new(batches.collect::<Result<Vec<_>, _>>()?)?)
}

fn text(migration: &Migration) -> String {
    let money = migration.money_scale();
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| ABSENT.to_owned());
    let all: u64 = migration.moves().iter().map(|of| of.customers).sum();
    let stayed: u64 = migration.moves().iter().filter(|of| of.from == of.to).map(|of| of.customers).sum();
    let rows: Vec<_> = (migration.moves().iter())
        .map(|of| {
            vec![
                name(&of.from),
                name(&of.to),
                grouped(of.customers),
                percent(of.share, 1.0),
                grouped(money.display(of.revenue_before)),
                grouped(money.display(of.revenue_after)),
            ]
        })
        .collect();
    let header = ["from", "to", "customers", "of from", "revenue before", "after"];
    let mut text = format!(
        "{} customers, {} stayed in their segment ({ABSENT}: not there)\n\n{}",
        grouped(all),
        grouped(stayed),
        table(&header, &rows)
    );
    let fallen = migration.fallen();
    let lost: i128 = fallen.iter().map(|of| of.monetary).sum();
    text.push_str(&format!(
        "\n{} fell from Champions, worth {}\n",
        grouped(fallen.len()),
        grouped(money.display(lost))
    ));
    if !fallen.is_empty() {
        let rows: Vec<_> = (fallen.iter().take(NAMED))
            .map(|of| vec![of.user.to_string(), name(&of.to), grouped(money.display(of.monetary))])
            .collect();
        text.push_str(&format!("\n{}", table(&["customer", "now", "monetary before"], &rows)));
    }
    text
}

fn to_json(migration: &Migration) -> serde_json::Value {
    let money = migration.money_scale();
    let moves: Vec<_> = (migration.moves().iter())
        .map(|of| {
            json!({
                "from": of.from, "to": of.to, "customers": of.customers, "share": of.share,
                "revenue_before": money.display(of.revenue_before).to_string(),
                "revenue_after": money.display(of.revenue_after).to_string(),
            })
        })
        .collect();
    let fallen = migration.fallen();
    let lost: i128 = fallen.iter().map(|of| of.monetary).sum();
    let named: Vec<_> = (fallen.iter().take(NAMED))
        .map(|of| {
            json!({
                "user_id": of.user.to_string(), "to": of.to, "monetary": money.display(of.monetary).to_string(),
            })
        })
        .collect();
    json!({
        "moves": moves,
        "fell_from_champions": {
            "customers": fallen.len(), "revenue": money.display(lost).to_string(), "first": named,
        },
    })
}
