//! The one currency that is read of a store with several: what is left out for it is said.

use cip::line::Line;
use cip::store::{CurrencyCounts, EventStore};
use serde_json::json;

use crate::args::{Common, CurrencyArgs};
use crate::error::CliError;
use crate::number::grouped;
use crate::output::{Answer, note};

/// The line over a store, of the currency that was asked for.
pub(crate) fn line<'a>(
    store: &'a EventStore,
    args: &'a CurrencyArgs,
    common: &Common,
) -> Result<Line<'a>, CliError> {
    let line = Line::new(store).with_threads(common.threads()).with_memory(common.memory)?;
    match &args.currency {
        Some(currency) => Ok(line.with_currency(currency)?),
        None => Ok(line),
    }
}

/// Adds to an answer which events were left out; nothing where all currencies were read.
pub(crate) fn tell(line: &Line<'_>, args: &CurrencyArgs, answer: &mut Answer) {
    if let (Some(currency), Some(others)) = (&args.currency, line.events_of_other_currencies()) {
        answer.text.push_str(&format!("\n{}", left_out(currency, others)));
        answer.json["currency"] = json!(currency);
        answer.json["events_of_other_currencies"] = json!(others);
    }
}

/// The events that were left out, in a line.
pub(crate) fn left_out(currency: &str, others: u64) -> String {
    format!(
        "only events in `{currency}` are read; {} in other currencies, or in none, are left out",
        grouped(others)
    )
}

/// Says on standard error that the sums of a store mean nothing.
pub(crate) fn warn(store: &EventStore) -> Result<(), CliError> {
    if let Some(found) = store.currencies()?.filter(CurrencyCounts::is_mixed) {
        note(&format!(
            "note: the amounts of the store are in several currencies: {found}; read one of them with --currency"
        ));
    }
    Ok(())
}
