//! `cip features --spec`: the features that a file specifies.

use std::fs;
use std::path::Path;

use cip::core::{TimeRange, Timestamp};
use cip::features::spec::{FeatureSpec, Filter, SpecFeatures};
use cip::features::{FeatureSet, FeaturesError};
use cip::line::LineError;
use cip::store::{EventStore, StagedFile, TableWriter};
use serde_json::json;

use super::correlated::Correlated;
use super::{failure, outside, report_json, users_text, window};
use crate::args::{Common, FeaturesArgs};
use crate::commands::run::Found;
use crate::currency;
use crate::error::CliError;
use crate::output::Answer;

pub(super) fn run(path: &Path, args: &FeaturesArgs, common: &Common) -> Result<Answer, CliError> {
    let refuse = |source| CliError::Spec { path: path.to_owned(), source: Box::new(source) };
    let spec = FeatureSpec::from_toml(&read(path)?).map_err(refuse)?;
    let store = EventStore::open(&args.store)?;
    let window = window(args, &store)?;
    let line = currency::line(&store, &args.currency, common)?;
    let spec = line.settle(&spec, window).map_err(|error| match error {
        LineError::Features(error) => of_window_or(error, refuse),
        other => other.into(),
    })?;
    let features = bind(&spec, args, &store, window, refuse)?;
    let mut pairs = Correlated::new(args, features.names())?;
    let mut writer = TableWriter::create(&args.out, "features", &features.schema())?;
    let totals = line.spec_features(&features, |batch| {
        pairs.add(&batch);
        Ok(writer.write(batch)?)
    })?;
    writer.finish()?;
    if let Some(out) = &args.write_spec {
        write(out, &spec.to_toml().map_err(refuse)?)?;
    }

    let last = store.manifest().time_span().map(|[_, last]| Timestamp::from_micros(last));
    let what = features.label().map(|events| format!("have an event with {events}"));
    let label = features.label_until().zip(what.as_deref());
    let mut text = users_text(window, features.names().count(), label, &totals, last);
    let cut_short: Vec<_> = features.cut_short().collect();
    if !cut_short.is_empty() {
        let start = window.start();
        text.push_str(&format!(
            "\nonly events from {start} on are in the windows of {}",
            cut_short.join(", ")
        ));
    }
    for column in totals.report.columns() {
        text.push_str(&outside(column).unwrap_or_default());
    }
    let json = json!({
        "spec": path.display().to_string(), "time_zone": features.time_zone().to_string(),
        "users": totals.users, "positives": totals.positives, "columns": features.names().collect::<Vec<_>>(),
        "window": [window.start().to_string(), window.end().to_string()], "cutoff": window.end().to_string(),
        "cut_short": cut_short,
        "label_until": features.label_until().map(|until| until.to_string()),
        "label_events": features.label().map(Filter::to_string),
        "skipped_events": totals.skipped_events,
        "report": report_json(&totals.report),
    });
    let mut found = Found { text, json };
    pairs.tell(&mut found);
    let Found { text, json } = found;
    let mut answer = Answer { text: format!("{text}\nwritten to {}", args.out.display()), json };
    currency::tell(&line, &args.currency, &mut answer);
    Ok(answer)
}

/// The specification over a store: the columns that were asked for, and the label.
fn bind(
    spec: &FeatureSpec,
    args: &FeaturesArgs,
    store: &EventStore,
    window: TimeRange,
    refuse: impl Fn(FeaturesError) -> CliError,
) -> Result<SpecFeatures, CliError> {
    let features = SpecFeatures::new(spec, window, store.schema());
    let mut features = features.map_err(|error| of_window_or(error, &refuse))?;
    if let Some(columns) = &args.columns {
        features = features.with_columns(columns).map_err(failure)?;
    }
    if let Some(until) = args.label_until {
        let of_set = Filter::event_type(FeatureSet::from(args.set).label_event());
        features = features.with_label_until(until, Some(of_set)).map_err(|error| match error {
            FeaturesError::LabelWindow { .. } => failure(error),
            error => refuse(error),
        })?;
    }
    Ok(features)
}

/// A wrong window is of the command line, all else of the file.
fn of_window_or(error: FeaturesError, refuse: impl Fn(FeaturesError) -> CliError) -> CliError {
    match error {
        FeaturesError::Window { .. } | FeaturesError::Core(_) => failure(error),
        error => refuse(error),
    }
}

fn read(path: &Path) -> Result<String, CliError> {
    fs::read_to_string(path).map_err(|source| CliError::Io { action: "read", path: path.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let staged = StagedFile::begin(path)?;
    let io = |source| CliError::Io { action: "write", path: path.to_owned(), source };
    fs::write(staged.path(), text).map_err(io)?;
    Ok(staged.publish()?)
}
