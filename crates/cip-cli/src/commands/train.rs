//! `cip train`: a model of a table, tested on ids that are held out.

use std::path::Path;
use std::time::Instant;

use cip::propensity::{
    BoostedTrees, BoostedTreesParams, Calibration, FittedCalibration, IdSplit, ParamGuard, PropensityError,
    PropensityModel,
};
use cip::scoring::{ScoringError, ScoringTable, TrainedModel, TrainingSet};
use cip::store::write_document;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};

use crate::args::{Common, TableArgs, TrainArgs};
use crate::commands::evaluate;
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::{Answer, table};

pub(crate) fn run(args: &TrainArgs, common: &Common) -> Result<Answer, CliError> {
    let usage = |error: PropensityError| CliError::Usage(error.to_string());
    let split = IdSplit::new(args.hold_out, args.seed)
        .and_then(|split| split.with_sample(args.sample))
        .and_then(|split| with_calibration(split, args.calibration, args.calibration_share))
        .map_err(usage)?;
    let params = BoostedTrees::params(args.seed)
        .with_trees(args.trees)
        .with_leaves(args.leaves)
        .with_learning_rate(args.learning_rate)
        .with_threads(common.threads());
    params.check().map_err(usage)?;
    let source = open(&args.table)?;
    let features = if args.columns.is_empty() {
        let mut others: Vec<&str> = args.exclude.iter().map(String::as_str).collect();
        source.require(&others)?;
        others.push(&args.label);
        source.columns_without(&others)
    } else {
        args.columns.clone()
    };
    let set = TrainingSet::read(&source, &features, &args.label, split, common.memory)?;
    let run = train(&set, params, args.calibration)?;
    write_document(&args.out, |file| Ok::<_, ScoringError>(run.trained.model.write_to(file)?))?;
    let mut json = run.to_json(&set);
    json.insert("model".to_owned(), json!(args.out.display().to_string()));
    Ok(Answer {
        text: format!("{}written to {}", run.text(&set), args.out.display()),
        json: Value::Object(json),
    })
}

/// Keeps ids for a calibration that needs some; the trees have those of one that needs none.
fn with_calibration(split: IdSplit, method: Calibration, share: f64) -> Result<IdSplit, PropensityError> {
    let with = split.with_calibration(share)?;
    Ok(if method == Calibration::None { split } else { with })
}

/// Opens a table with its ids.
pub(crate) fn open(args: &TableArgs) -> Result<ScoringTable, CliError> {
    let table = ScoringTable::open(&args.table)?;
    Ok(if args.id.is_empty() { table } else { table.with_ids(&args.id)? })
}

/// Reads a model file.
pub(crate) fn read_model(path: &Path) -> Result<PropensityModel, CliError> {
    let file = std::fs::File::open(path).map_err(|source| CliError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    PropensityModel::read_from(std::io::BufReader::new(file))
        .map_err(|source| CliError::Model { path: path.to_owned(), source })
}

/// A model, and what it cost.
pub(crate) struct TrainRun {
    pub(crate) trained: TrainedModel,
    fit_cpu_s: f64,
    fit_wall_s: f64,
}

/// Trains, calibrates and tests; what is measured is binning and boosting alone.
pub(crate) fn train(
    set: &TrainingSet,
    params: BoostedTreesParams,
    calibration: Calibration,
) -> Result<TrainRun, ScoringError> {
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let trees = set.fit(params)?;
    let (fit_wall_s, fit_cpu_s) = (wall.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    Ok(TrainRun { trained: set.evaluate(trees, calibration)?, fit_cpu_s, fit_wall_s })
}

/// The processor time that this process has taken.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

impl TrainRun {
    pub(crate) fn to_json(&self, set: &TrainingSet) -> Map<String, Value> {
        let TrainedModel { model, evaluation, baseline } = &self.trained;
        let training = model.training();
        let fields = [
            ("fit_cpu_s", json!(self.fit_cpu_s)),
            ("fit_wall_s", json!(self.fit_wall_s)),
            ("trees", json!(model.trees().trees().len())),
            ("train_rows", json!(training.rows)),
            ("train_positives", json!(training.positives)),
            ("held_out_rows", json!(set.held_out_rows())),
            ("calibration", calibration_json(model.calibration())),
            ("metrics", json!(evaluation)),
            ("baseline", json!(baseline)),
            ("importance", json!(model.trees().importance())),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// What a person wants to know of a model.
    pub(crate) fn text(&self, set: &TrainingSet) -> String {
        const SHOWN: usize = 6;
        let TrainedModel { model, evaluation, baseline } = &self.trained;
        let importance = model.trees().importance();
        let rows: Vec<_> = (importance.iter().take_while(|of| of.splits > 0).take(SHOWN))
            .map(|of| vec![of.feature.to_string(), percent(of.share, 1.0)])
            .collect();
        format!(
            "{} trees of {} rows, {}, tested on {} held out; one decision tree: {}\n\n{}\n{}",
            model.trees().trees().len(),
            grouped(set.train_rows()),
            calibration_text(model.calibration()),
            grouped(set.held_out_rows()),
            evaluate::brief(baseline),
            evaluate::text(evaluation),
            table(&["what it leans on", "gain"], &rows),
        )
    }
}

/// The calibration without the points of its map: they are in the model.
fn calibration_json(calibration: &FittedCalibration) -> Value {
    json!({
        "method": calibration.method(),
        "rows": calibration.rows(),
        "positives": calibration.positives(),
        "fallback": calibration.fallback(),
    })
}

fn calibration_text(calibration: &FittedCalibration) -> String {
    let method = calibration.method();
    match calibration.fallback() {
        None if method == Calibration::None => "not calibrated".to_owned(),
        None => format!("calibrated ({method}) on {}", grouped(calibration.rows())),
        Some(fallback) => format!("not calibrated ({})", fallback.reason()),
    }
}
