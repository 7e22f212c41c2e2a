//! `cip features`: what was known of every user before a date, one row a user.

mod correlated;
mod spec;

use cip::core::{EventSchema, MICROS_PER_DAY, TimeRange, Timestamp};
use cip::features::{ColumnReport, Feature, FeatureSet, Features, FeaturesError, MatrixReport};
use cip::line::{FeatureTotals, LineError};
use cip::store::{EventStore, TableWriter};
use serde_json::{Map, Value, json};

use crate::args::{Common, FeaturesArgs, TaskArg};
use crate::commands::carts;
use crate::commands::run::Found;
use crate::currency;
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::Answer;
use correlated::Correlated;

pub(crate) fn run(args: &FeaturesArgs, common: &Common) -> Result<Answer, CliError> {
    if let Some(TaskArg::CartAbandonment) = args.task {
        return carts::run(args, common);
    }
    if let Some(path) = &args.spec {
        return spec::run(path, args, common);
    }
    let names = args.columns.as_deref();
    let columns =
        names.map(|names| names.iter().map(|name| name.parse()).collect::<Result<Vec<Feature>, _>>());
    let columns = columns.transpose().map_err(failure)?;
    let store = EventStore::open(&args.store)?;
    let window = window(args, &store)?;
    let features = Features::new(window, store.schema());
    let mut features = features.and_then(|features| features.with_set(args.set.into())).map_err(failure)?;
    if let Some(columns) = &columns {
        features = features.with_columns(columns).map_err(failure)?;
    }
    if let Some(until) = args.label_until {
        features = features.with_label_until(until).map_err(failure)?;
    }
    let mut pairs = Correlated::new(args, features.selected().iter().map(|feature| feature.name()))?;
    let line = currency::line(&store, &args.currency, common)?;
    let mut writer = TableWriter::create(&args.out, "features", &features.schema())?;
    let totals = line.features(&features, |batch| {
        pairs.add(&batch);
        Ok(writer.write(batch)?)
    })?;
    writer.finish()?;
    let mut found = found(&features, &totals, &store);
    pairs.tell(&mut found);
    let Found { text, json } = found;
    let mut answer = Answer { text: format!("{text}\nwritten to {}", args.out.display()), json };
    currency::tell(&line, &args.currency, &mut answer);
    Ok(answer)
}

/// The window of the features: from the day of the first event, unless it is given, up to the cutoff.
pub(crate) fn window(args: &FeaturesArgs, store: &EventStore) -> Result<TimeRange, CliError> {
    let first = store.manifest().time_span().map(|[first, _]| Timestamp::from_micros(first));
    // Of a store without events, any window says the same.
    let first = first.unwrap_or(Timestamp::from_micros(args.cutoff.micros().saturating_sub(1)));
    let start = args.from.unwrap_or(day_of(first));
    TimeRange::new(start, args.cutoff)
        .map_err(|_| failure(FeaturesError::Window { start, cutoff: args.cutoff }))
}

/// What a table of features holds, and what it lacks of all features of its set.
pub(crate) fn found(features: &Features, totals: &FeatureTotals, store: &EventStore) -> Found {
    let mut absent = absent(features.set(), store.schema());
    if features.selected().len() + absent.len() < features.set().features().len() {
        // Some were left out because nobody asked for them.
        absent.clear();
    }
    let last = store.manifest().time_span().map(|[_, last]| Timestamp::from_micros(last));
    Found { text: text(features, totals, &absent, last), json: to_json(features, totals, &absent) }
}

/// What makes no sense whatever the store's columns are is a wrong command line.
pub(crate) fn failure(error: FeaturesError) -> CliError {
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
fn absent(set: FeatureSet, schema: &EventSchema) -> Vec<(Feature, String)> {
    let reason =
        |columns: &[&str]| match columns.iter().find_map(|name| schema.arrow().field_with_name(name).ok()) {
            Some(other) => format!("the store's {} is {}", other.name(), other.data_type()),
            None => format!("the store has no {}", columns.join(" and no ")),
        };
    let missing = |&feature: &Feature| feature.missing(schema).map(|columns| (feature, reason(columns)));
    set.features().iter().filter_map(missing).collect()
}

fn text(
    features: &Features,
    totals: &FeatureTotals,
    absent: &[(Feature, String)],
    last: Option<Timestamp>,
) -> String {
    let label = features.label_until().map(|until| (until, what_they_do(features.set())));
    let mut text = users_text(features.window(), features.selected().len(), label, totals, last);
    for (feature, reason) in absent {
        text.push_str(&format!("\nno {feature}: {reason}"));
    }
    for column in totals.report.columns() {
        text.push_str(&outside(column).unwrap_or_default());
    }
    text
}

/// How many users there are, and how many with label 1: those who do something before an instant.
fn users_text(
    window: TimeRange,
    features: usize,
    label: Option<(Timestamp, &str)>,
    totals: &FeatureTotals,
    last: Option<Timestamp>,
) -> String {
    let mut text = format!(
        "{} users with an event from {} up to {}, {features} features each",
        grouped(totals.users),
        window.start(),
        window.end(),
    );
    if let (Some((until, what)), Some(positives)) = (label, totals.positives) {
        text.push_str(&format!(
            "; {} ({}) {what} before {until}",
            grouped(positives),
            percent(positives as f64, totals.users as f64),
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
    text
}

/// What those do whose label is 1.
fn what_they_do(set: FeatureSet) -> &'static str {
    match set {
        FeatureSet::Commerce => "buy",
        FeatureSet::StreamFlow => "cancel",
    }
}

/// A line about the values that lie where none should; none where all are as they should be.
fn outside(column: &ColumnReport) -> Option<String> {
    let ColumnReport { name, outside, .. } = column;
    let ([low, high], min, max) = (column.range?, column.min?, column.max?);
    let extremes = format!("the least is {min}, the greatest {max}");
    (*outside > 0)
        .then(|| format!("\n{name}: {} users outside {low} to {high}; {extremes}", grouped(*outside)))
}

fn to_json(features: &Features, totals: &FeatureTotals, absent: &[(Feature, String)]) -> Value {
    let window = features.window();
    let columns: Vec<_> = features.selected().iter().map(|feature| feature.name()).collect();
    let absent: Map<_, _> =
        absent.iter().map(|(feature, reason)| (feature.name().to_owned(), json!(reason))).collect();
    json!({
        "set": features.set().name(),
        "users": totals.users, "positives": totals.positives, "columns": columns, "absent": absent,
        "window": [window.start().to_string(), window.end().to_string()], "cutoff": window.end().to_string(),
        "label_until": features.label_until().map(|until| until.to_string()),
        "label_event": features.label_until().map(|_| features.set().label_event()),
        "skipped_events": totals.skipped_events,
        "report": report_json(&totals.report),
    })
}

/// An object a feature.
fn report_json(report: &MatrixReport) -> Map<String, Value> {
    report.columns().iter().map(|column| (column.name.to_string(), column_json(column))).collect()
}

fn column_json(column: &ColumnReport) -> Value {
    json!({
        "nulls": column.nulls, "min": column.min, "max": column.max, "range": column.range,
        "outside": column.outside,
    })
}
