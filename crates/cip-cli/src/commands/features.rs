//! `cip features`: what was known of every user before a date, one row a user.

use cip::core::{EventSchema, MICROS_PER_DAY, TimeRange, Timestamp};
use cip::features::{Feature, Features, FeaturesError};
use cip::line::{FeatureTotals, Line, LineError};
use cip::store::EventStore;
use serde_json::{Map, Value, json};

use crate::args::{Common, FeaturesArgs, SetArg};
use crate::commands::run::Found;
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::Answer;

pub(crate) fn run(args: &FeaturesArgs, common: &Common) -> Result<Answer, CliError> {
    let SetArg::Commerce = args.set;
    let names = args.columns.as_deref();
    let columns =
        names.map(|names| names.iter().map(|name| name.parse()).collect::<Result<Vec<Feature>, _>>());
    let columns = columns.transpose().map_err(failure)?;
    let store = EventStore::open(&args.store)?;
    let span = store.manifest().time_span().map(|span| span.map(Timestamp::from_micros));
    // Of a store without events, any window says the same.
    let first =
        span.map_or(Timestamp::from_micros(args.cutoff.micros().saturating_sub(1)), |[first, _]| first);
    let start = args.from.unwrap_or(day_of(first));
    let window = TimeRange::new(start, args.cutoff)
        .map_err(|_| failure(FeaturesError::Window { start, cutoff: args.cutoff }))?;
    let mut features = Features::new(window, store.schema()).map_err(failure)?;
    if let Some(columns) = &columns {
        features = features.with_columns(columns).map_err(failure)?;
    }
    if let Some(until) = args.label_until {
        features = features.with_label_until(until).map_err(failure)?;
    }
    let totals = Line::new(&store)
        .with_threads(common.threads())
        .with_memory(common.memory)?
        .write_features(&features, &args.out)?;
    let Found { text, json } = found(&features, &totals, &store);
    Ok(Answer { text: format!("{text}\nwritten to {}", args.out.display()), json })
}

/// What a table of features holds, and what it lacks of all features.
pub(crate) fn found(features: &Features, totals: &FeatureTotals, store: &EventStore) -> Found {
    let mut absent = absent(store.schema());
    if features.selected().len() + absent.len() < Feature::ALL.len() {
        // Some were left out because nobody asked for them.
        absent.clear();
    }
    let last = store.manifest().time_span().map(|[_, last]| Timestamp::from_micros(last));
    Found { text: text(features, totals, &absent, last), json: to_json(features, totals, &absent) }
}

/// What makes no sense whatever the store's columns are is a wrong command line.
fn failure(error: FeaturesError) -> CliError {
    match error {
        FeaturesError::Core(_) | FeaturesError::Unavailable { .. } => LineError::from(error).into(),
        error => CliError::Usage(error.to_string()),
    }
}

/// The first instant of its UTC day.
fn day_of(instant: Timestamp) -> Timestamp {
    Timestamp::from_micros(i64::from(instant.day()).saturating_mul(MICROS_PER_DAY))
}

/// The features that the source cannot give, and why.
fn absent(schema: &EventSchema) -> Vec<(Feature, String)> {
    let reason = |columns: &[&str]| format!("the store has no {}", columns.join(" and no "));
    Feature::ALL
        .into_iter()
        .filter_map(|feature| feature.missing(schema).map(|columns| (feature, reason(columns))))
        .collect()
}

fn text(
    features: &Features,
    totals: &FeatureTotals,
    absent: &[(Feature, String)],
    last: Option<Timestamp>,
) -> String {
    let window = features.window();
    let mut text = format!(
        "{} users with an event from {} up to {}, {} features each",
        grouped(totals.users),
        window.start(),
        window.end(),
        features.selected().len()
    );
    if let (Some(until), Some(positives)) = (features.label_until(), totals.positives) {
        text.push_str(&format!(
            "; {} ({}) buy before {until}",
            grouped(positives),
            percent(positives as f64, totals.users as f64)
        ));
        // The rest of the last event's day is taken to be quiet.
        if let Some(last) = last.filter(|last| last.next_day() < until) {
            text.push_str(&format!(
                "\nthe last event of the store is of {last}, so the labels up to {until} are incomplete"
            ));
        }
    }
    if totals.skipped_events > 0 {
        text.push_str(&format!("\n{} events without a user are nobody's", grouped(totals.skipped_events)));
    }
    for (feature, reason) in absent {
        text.push_str(&format!("\nno {feature}: {reason}"));
    }
    text
}

fn to_json(features: &Features, totals: &FeatureTotals, absent: &[(Feature, String)]) -> Value {
    let window = features.window();
    let columns: Vec<_> = features.selected().iter().map(|feature| feature.name()).collect();
    let absent: Map<_, _> =
        absent.iter().map(|(feature, reason)| (feature.name().to_owned(), json!(reason))).collect();
    json!({
        "users": totals.users, "positives": totals.positives, "columns": columns, "absent": absent,
        "window": [window.start().to_string(), window.end().to_string()], "cutoff": window.end().to_string(),
        "label_until": features.label_until().map(|until| until.to_string()),
        "skipped_events": totals.skipped_events,
    })
}
