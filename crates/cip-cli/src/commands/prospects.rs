//! Who will buy, or cancel, next: the part of a run that learns from the past and scores the present.

use std::num::NonZeroU32;
use std::path::Path;

use cip::core::{Timestamp, column};
use cip::features::{FeatureSet, Features};
use cip::line::{FeatureTotals, Line, LineError, PropensityWindows};
use cip::propensity::{BoostedTrees, Calibration, IdSplit};
use cip::scoring::{ScoringError, ScoringTable, TrainingSet};
use cip::store::EventStore;
use serde_json::{Value, json};

use crate::allocator::keep_freed_memory;
use crate::args::Common;
use crate::commands::card;
use crate::commands::features;
use crate::commands::run::{Found, Results, optional};
use crate::commands::train::{TrainRun, train};
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::stage::Stages;

const FEATURES: &str = "features.parquet";
const MODEL: &str = "model.json";
const SCORES: &str = "scores.parquet";

/// Writes features with labels, a model of them, and the scores of the users of today into `folder`.
pub(crate) fn run(
    results: &mut Results,
    line: &Line<'_>,
    store: &EventStore,
    today: Option<Timestamp>,
    (folder, common): (&Path, &Common),
    stages: &mut Stages,
) -> Result<(), CliError> {
    let written = stages.measure("features", || {
        optional(windows(store, today).and_then(|windows| {
            let features = labelled(store, &windows)?;
            let totals = line.write_features(&features, &folder.join(FEATURES))?;
            Ok((windows, features, totals))
        }))
    })?;
    let (windows, features, totals) = match written {
        Ok(written) => written,
        Err(reason) => {
            [FEATURES, MODEL, SCORES].iter().for_each(|file| results.could_not_write(file, &reason));
            return Ok(());
        }
    };
    results.wrote(FEATURES, totals.users);
    results.tell("features", features::found(&features, &totals, store));

    let learned = stages.measure("train", || optional(learn(&totals, &windows, folder, common)))?;
    let (set, trained) = match learned {
        Ok(learned) => learned,
        Err(reason) => {
            [MODEL, SCORES].iter().for_each(|file| results.could_not_write(file, &reason));
            return Ok(());
        }
    };
    let model = &trained.trained.model;
    let scored =
        stages.measure("score", || line.write_scores(model, windows.scored(), &folder.join(SCORES)))?;
    results.wrote(SCORES, scored);
    results.tell("propensity", found(&windows, &set, &trained, scored));
    Ok(())
}

fn windows(store: &EventStore, today: Option<Timestamp>) -> Result<PropensityWindows, CliError> {
    let first = store.manifest().time_span().map(|[first, _]| Timestamp::from_micros(first));
    let (first, today) = first.zip(today).ok_or(CliError::NoEvents)?;
    PropensityWindows::over(first, today).ok_or(CliError::FewDays)
}

fn labelled(store: &EventStore, windows: &PropensityWindows) -> Result<Features, LineError> {
    let features =
        Features::new(windows.learned(), store.schema())?.with_set(FeatureSet::of(store.schema()))?;
    Ok(features.with_label_until(windows.end())?)
}

/// Learns from the table of features, of a sample of its users where there are very many.
fn learn(
    totals: &FeatureTotals,
    windows: &PropensityWindows,
    folder: &Path,
    common: &Common,
) -> Result<(TrainingSet, TrainRun), CliError> {
    /// The same files give the same model, in any memory: more users would make it no better, but larger.
    const MOST_USERS: f64 = 500_000.0;
    const SEED: u64 = 7;
    const HELD_OUT: f64 = 0.2;
    /// Fewer users have too few buyers to say when boosting should stop.
    const FEWEST_TO_VALIDATE: u64 = 10_000;
    const STOP_AFTER: NonZeroU32 = NonZeroU32::new(20).unwrap();
    keep_freed_memory();
    let table = ScoringTable::open(&folder.join(FEATURES))?;
    let columns = table.columns_without(&[column::LABEL]);
    let sample = (MOST_USERS / totals.users.max(1) as f64).min(1.0);
    let mut split = IdSplit::new(HELD_OUT, SEED)
        .and_then(|split| split.with_sample(sample))
        .and_then(|split| split.with_calibration(IdSplit::CALIBRATION_SHARE));
    let mut params = BoostedTrees::params(SEED).with_threads(common.threads());
    if totals.users >= FEWEST_TO_VALIDATE {
        split = split.and_then(|split| split.with_validation(IdSplit::VALIDATION_SHARE));
        params = params.with_early_stopping(STOP_AFTER);
    }
    let split = split.map_err(ScoringError::from)?;
    let set = TrainingSet::read(&table, &columns, column::LABEL, split, common.memory)?;
    let trained = train(&set, params, Calibration::default())?;
    let window = windows.learned();
    let facts = [
        ("features from", window.start().to_string()),
        ("cutoff", window.end().to_string()),
        ("labels until", windows.end().to_string()),
        ("split", format!("by ids, {} held out", percent(HELD_OUT, 1.0))),
    ];
    card::write(&folder.join(MODEL), &trained, &facts.map(|(name, value)| [name.to_owned(), value]))?;
    Ok((set, trained))
}

fn found(windows: &PropensityWindows, set: &TrainingSet, trained: &TrainRun, scored: u64) -> Found {
    let window = windows.scored();
    let mut json = trained.to_json(set);
    // The time that it took stands with the stages; what is kept is the same in every run.
    json.retain(|name, _| !name.starts_with("fit_"));
    json.insert("horizon_days".to_owned(), json!(windows.horizon_days()));
    json.insert(
        "scores".to_owned(),
        json!({ "rows": scored, "as_of": window.end().to_string(), "window": [window.start().to_string(), window.end().to_string()] }),
    );
    Found {
        text: format!(
            "{}\n{} users with an event from {} up to {} are scored for the {} days that follow\n",
            trained.text(set),
            grouped(scored),
            window.start(),
            window.end(),
            windows.horizon_days(),
        ),
        json: Value::Object(json),
    }
}
