//! What a model expected, beside what came, as it is told.

use cip::rfm::lifetime::HoldOutReport;
use serde_json::{Value, json};

use super::amount;
use super::fitted::count;
use crate::number::grouped;
use crate::output::table;

pub(super) fn text(report: &HoldOutReport, unit: &str) -> String {
    let last = report.by_frequency().len() - 1;
    let mean = |sum: f64, customers: f64| {
        if customers > 0.0 { format!("{:.3}", sum / customers) } else { "-".to_owned() }
    };
    let all = report.total();
    let groups = report.by_frequency().iter().enumerate().map(|(frequency, group)| {
        (if frequency == last { format!("{frequency} and more") } else { frequency.to_string() }, *group)
    });
    let rows: Vec<_> = groups
        .chain([("all".to_owned(), all)])
        .map(|(name, group)| {
            vec![
                name,
                grouped(group.customers),
                mean(group.purchases, group.customers),
                mean(group.expected, group.customers),
            ]
        })
        .collect();
    let header = ["repeats before", "customers", "purchases each", "expected"];
    format!(
        "held out: {} {unit}s, {} purchases, {} expected; the mean absolute error is {} a customer\n\n{}",
        amount(report.time()),
        grouped(all.purchases),
        amount(all.expected),
        report.mean_absolute_error().map_or("-".to_owned(), |error| format!("{error:.3}")),
        table(&header, &rows),
    )
}

pub(super) fn to_json(report: &HoldOutReport) -> Value {
    let groups: Vec<_> = (report.by_frequency().iter().enumerate())
        .map(|(frequency, group)| {
            json!({
                "frequency": frequency, "customers": count(group.customers), "purchases": count(group.purchases),
                "expected": group.expected,
            })
        })
        .collect();
    let all = report.total();
    json!({
        "time": report.time(), "purchases": count(all.purchases), "expected": all.expected,
        "mean_absolute_error": report.mean_absolute_error(),
        "root_mean_squared_error": report.root_mean_squared_error(), "by_frequency": groups,
    })
}
