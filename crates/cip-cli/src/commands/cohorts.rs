//! `cip cohorts`: customers by their first purchase, and how many of them come back.

use cip::core::{MICROS_PER_DAY, Timestamp};
use cip::rfm::{Cohort, CohortCell, CohortMean, CohortPeriod, CohortTable, Cohorts};
use cip::store::EventStore;
use serde_json::json;

use crate::args::{CohortsArgs, Common, PeriodArg};
use crate::currency;
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::{Answer, table};
use crate::report_table;

/// What fits a terminal.
const MOST_PERIODS: usize = 13;
const MOST_COHORTS: usize = 26;

pub(crate) fn run(args: &CohortsArgs, common: &Common) -> Result<Answer, CliError> {
    let store = EventStore::open(&args.store)?;
    let by = match args.by {
        PeriodArg::Week => CohortPeriod::Week,
        PeriodArg::Month => CohortPeriod::Month,
    };
    let last = store.manifest().time_span().map(|[_, last]| Timestamp::from_micros(last));
    let as_of = args.as_of.or(last.map(Timestamp::next_day)).ok_or(CliError::NoEvents)?;
    let cohorts = Cohorts::new(by, as_of, store.schema())?.with_returns(args.returns.into());
    let line = currency::line(&store, &args.currency, common)?;
    let found = line.cohorts(&cohorts)?;
    report_table::write(&args.out, "cohorts", found.record_batch()?)?;
    let text = format!("{}\nwritten to {}", text(&found), args.out.display());
    let mut answer = Answer { text, json: to_json(&found) };
    currency::tell(&line, &args.currency, &mut answer);
    Ok(answer)
}

fn text(found: &CohortTable) -> String {
    let customers: u64 = found.cohorts().iter().map(|cohort| cohort.customers).sum();
    let by = found.by().name();
    let mut text = format!(
        "{} customers in {} cohorts by {by}, as of {}\n\ncustomers with a purchase in each {by} since the first\n\n",
        grouped(customers),
        grouped(found.cohorts().len()),
        found.as_of()
    );
    let means = found.means();
    text.push_str(&triangle(
        found,
        &means,
        |cohort, cell| percent(cell.active as f64, cohort.customers as f64),
        |mean| percent(mean.retention, 1.0),
    ));
    text.push_str(&format!("\nspent a customer up to the end of each {by}\n\n"));
    text.push_str(&triangle(
        found,
        &means,
        |cohort, cell| grouped(format!("{:.2}", found.value(cohort, cell))),
        |mean| grouped(format!("{:.2}", mean.value)),
    ));
    text
}

fn triangle(
    found: &CohortTable,
    means: &[CohortMean],
    of_cell: impl Fn(&Cohort, &CohortCell) -> String,
    of_mean: impl Fn(&CohortMean) -> String,
) -> String {
    let periods = means.len().min(MOST_PERIODS);
    let numbers: Vec<String> = (0..periods).map(|period| period.to_string()).collect();
    let header: Vec<&str> =
        ["cohort", "customers"].into_iter().chain(numbers.iter().map(String::as_str)).collect();
    let shown = &found.cohorts()[found.cohorts().len().saturating_sub(MOST_COHORTS)..];
    let row = |cohort: &Cohort| {
        let cells = cohort.cells.iter().take(periods).map_while(|cell| cell.as_ref());
        let own = [day(cohort.first_day), grouped(cohort.customers)];
        own.into_iter().chain(cells.map(|cell| of_cell(cohort, cell))).collect()
    };
    let mut rows: Vec<Vec<String>> = shown.iter().map(row).collect();
    let all: u64 = found.cohorts().iter().map(|cohort| cohort.customers).sum();
    let own = ["all".to_owned(), grouped(all)];
    rows.push(own.into_iter().chain(means.iter().take(periods).map(of_mean)).collect());
    let mut text = table(&header, &rows);
    let hidden = found.cohorts().len() - shown.len();
    if hidden > 0 {
        text.push_str(&format!("  ({hidden} earlier cohorts are in the table, and in the last row)\n"));
    }
    text
}

fn day(first_day: i32) -> String {
    Timestamp::from_micros(i64::from(first_day) * MICROS_PER_DAY).to_string()
}

fn to_json(found: &CohortTable) -> serde_json::Value {
    let money = found.money_scale();
    let cohorts: Vec<_> = found
        .cohorts()
        .iter()
        .map(|cohort| {
            let cells: Vec<_> = (cohort.cells.iter())
                .map(|cell| {
                    cell.as_ref().map(|cell| {
                        json!({
                            "active": cell.active, "revenue": money.display(cell.revenue).to_string(),
                            "value_per_customer": found.value(cohort, cell),
                        })
                    })
                })
                .collect();
            json!({ "cohort": day(cohort.first_day), "customers": cohort.customers, "periods": cells })
        })
        .collect();
    let means: Vec<_> = (found.means().iter())
        .map(|mean| {
            json!({
                "cohorts": mean.cohorts, "customers": mean.customers, "retention": mean.retention,
                "value_per_customer": mean.value,
            })
        })
        .collect();
    json!({
        "by": found.by().name(), "as_of": found.as_of().to_string(), "skipped_events": found.skipped_events(),
        "cohorts": cohorts, "means": means,
    })
}
