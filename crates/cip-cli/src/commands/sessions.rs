//! `cip sessions`: one row a session.

use cip::line::{Line, SessionTotals};
use cip::sessionize::SessionRule;
use cip::store::EventStore;
use serde_json::json;

use crate::args::{Common, SessionsArgs};
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::Answer;

pub(crate) fn run(args: &SessionsArgs, common: &Common) -> Result<Answer, CliError> {
    let store = EventStore::open(&args.store)?;
    let rule = SessionRule::new(args.timeout).map_err(|error| CliError::Usage(error.to_string()))?;
    let totals = Line::new(&store)
        .with_threads(common.threads())
        .with_memory(common.memory)?
        .write_sessions(rule, &args.out)?;
    Ok(Answer {
        text: format!("{}\nwritten to {}", text(&totals), args.out.display()),
        json: to_json(&totals),
    })
}

/// The totals in a line or two.
pub(crate) fn text(totals: &SessionTotals) -> String {
    let sessions = totals.sessions.max(1) as f64;
    let mut text = format!(
        "{} sessions of {:.1} events and {:.0} s on average; {} with a purchase ({})",
        grouped(totals.sessions),
        totals.events as f64 / sessions,
        totals.duration_seconds as f64 / sessions,
        grouped(totals.purchasing_sessions),
        percent(totals.purchasing_sessions as f64, totals.sessions as f64),
    );
    if let Some(money) = totals.money {
        let average = totals.revenue / i128::from(totals.purchases.max(1));
        text.push_str(&format!(
            "; {} purchases bring {} ({} each)",
            grouped(totals.purchases),
            grouped(money.display(totals.revenue)),
            grouped(money.display(average))
        ));
    }
    if totals.skipped_events > 0 {
        text.push_str(&format!(
            "; {} events without a user are in no session",
            grouped(totals.skipped_events)
        ));
    }
    text
}

pub(crate) fn to_json(totals: &SessionTotals) -> serde_json::Value {
    json!({
        "sessions": totals.sessions, "events": totals.events, "skipped_events": totals.skipped_events,
        "purchasing_sessions": totals.purchasing_sessions, "purchases": totals.purchases,
        "duration_seconds": i64::try_from(totals.duration_seconds).ok(),
        "revenue": totals.money.map(|money| money.display(totals.revenue).to_string()),
    })
}
