//! `cip train`: a model of a table, tested on ids, or days, that are held out.

use std::path::Path;
use std::time::Instant;

use cip::propensity::{
    Baseline, BoostedTrees, BoostedTreesParams, Calibration, Finding, FittedCalibration, IdSplit, ParamGuard,
    PropensityError, PropensityModel, Search, Searched, Shares,
};
use cip::scoring::{LearnedColumns, RowSplit, ScoringError, ScoringTable, TrainedModel, TrainingSet};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::allocator::keep_freed_memory;
use crate::args::{Common, TableArgs, TrainArgs};
use crate::commands::card;
use crate::commands::evaluate;
use crate::commands::learned_text;
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::{Answer, listing, table};

pub(crate) fn run(args: &TrainArgs, common: &Common) -> Result<Answer, CliError> {
    let usage = |error: PropensityError| CliError::Usage(error.to_string());
    let split = split(args).map_err(usage)?;
    let given = params(args, common);
    given.check_ref().map_err(usage)?;
    let search =
        args.search.map(|candidates| Search::new(candidates, args.seed)).transpose().map_err(usage)?;
    keep_freed_memory();
    let source = open(&args.table)?;
    let features = features(args, &source)?;
    let mut columns = LearnedColumns::new(&features, &args.label).with_categorical(&args.categorical);
    if let Some(weight) = &args.weight {
        columns = columns.with_weight(weight);
    }
    let mut set = TrainingSet::read_columns(&source, &columns, split, common.memory)?;
    let other = |path| ScoringTable::open(path);
    if let Some(path) = &args.validation {
        set = set.with_validation(&other(path)?)?;
    }
    if let Some(path) = &args.calibrate {
        set = set.with_calibration(&other(path)?)?;
    }
    let searched = search.map(|search| set.search(search, &given, args.folds)).transpose()?;
    let params = searched.as_ref().map_or(given, |found| found.best.clone());
    let run = TrainRun { searched, ..train(&set, params, args.calibration)? };
    let cards = card::write(&args.out, &run, &facts(args, &set))?;
    let mut json = run.to_json(&set);
    let trees = run.trained.model.trees();
    json.insert("numbers_as_text".to_owned(), json!(learned_text::numbers_as_text(trees, &args.categorical)));
    json.insert("model".to_owned(), json!(args.out.display().to_string()));
    json.insert("card".to_owned(), cards.iter().map(|path| json!(path.display().to_string())).collect());
    Ok(Answer {
        text: format!(
            "{}{}written to {}, and what it is to {}",
            learned_text::text(trees, &args.categorical),
            run.text(&set),
            args.out.display(),
            cards[0].display()
        ),
        json: Value::Object(json),
    })
}

/// The parameters that were given.
fn params(args: &TrainArgs, common: &Common) -> BoostedTreesParams {
    let mut params = BoostedTrees::params(args.seed)
        .with_trees(args.trees)
        .with_leaves(args.leaves)
        .with_learning_rate(args.learning_rate)
        .with_threads(common.threads());
    if let Some(depth) = args.depth {
        params = params.with_depth(depth);
    }
    if let Some(rounds) = args.early_stopping {
        params = params.with_early_stopping(rounds);
    }
    if let Some(weight) = args.class_weight {
        params = params.with_class_weight(weight);
    }
    for (feature, direction) in &args.monotone {
        params = params.with_monotone(feature.as_str(), *direction);
    }
    params
}

/// Which rows go where. A table that is given in place of a share leaves that share to the trees, and so does a calibration that needs
/// no rows.
fn split(args: &TrainArgs) -> Result<RowSplit, PropensityError> {
    let calibrate =
        (args.calibration != Calibration::None && args.calibrate.is_none()).then_some(args.calibration_share);
    let validate =
        (args.early_stopping.is_some() && args.validation.is_none()).then_some(args.validation_share);
    let mut ids = IdSplit::new(args.hold_out, args.seed)?.with_sample(args.sample)?;
    // Shares that make no sense are refused also where they are not used.
    let (with_calibration, with_validation) =
        (ids.with_calibration(args.calibration_share)?, ids.with_validation(args.validation_share)?);
    ids = match (calibrate, validate) {
        (None, None) => ids,
        (Some(_), None) => with_calibration,
        (None, Some(_)) => with_validation,
        (Some(_), Some(share)) => with_calibration.with_validation(share)?,
    };
    let shares = Shares {
        held_out: args.hold_out,
        calibrate: calibrate.unwrap_or(0.0),
        validate: validate.unwrap_or(0.0),
    };
    if args.stratified {
        return Ok(RowSplit::stratified(shares, args.seed));
    }
    let mut split = RowSplit::by_id(ids);
    if let Some(time) = &args.time {
        split = RowSplit::by_time(time.as_str(), shares, args.label_days);
        if let Some(days) = args.gap_days {
            split = split.with_gap_days(days);
        }
        if args.group.is_some() || args.sample < 1.0 {
            split = split.with_ids(ids);
        }
    }
    Ok(match &args.group {
        Some(column) => split.with_group(column.as_str()),
        None => split,
    })
}

/// The columns to learn from.
fn features(args: &TrainArgs, source: &ScoringTable) -> Result<Vec<String>, ScoringError> {
    if !args.columns.is_empty() {
        return Ok(args.columns.clone());
    }
    let mut others: Vec<&str> = args.exclude.iter().map(String::as_str).collect();
    others.extend(args.time.iter().chain(&args.group).chain(&args.weight).map(String::as_str));
    source.require(&others)?;
    others.push(&args.label);
    Ok(source.columns_without(&others))
}

/// What a model card says of the data.
fn facts(args: &TrainArgs, set: &TrainingSet) -> Vec<[String; 2]> {
    let name =
        |path: &Path| path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let mut facts = vec![["table".to_owned(), name(&args.table.table)]];
    let mut add = |fact: &str, value: String| facts.push([fact.to_owned(), value]);
    if let Some(cutoff) = args.cutoff {
        add("cutoff", cutoff.to_string());
    }
    if let Some(weight) = &args.weight {
        add("weights of rows, in learning, search, calibration and baselines", weight.clone());
    }
    for (fact, path) in
        [("table to validate on", &args.validation), ("table to calibrate on", &args.calibrate)]
    {
        if let Some(path) = path {
            add(fact, name(path));
        }
    }
    match set.begins() {
        Some(begins) => {
            for &(day, side) in begins {
                add(&format!("{} from", card::name(side)), card::day(day));
            }
            add("days a label looks ahead", args.label_days.to_string());
        }
        None => {
            let by = if args.stratified { "by lot, stratified by the label" } else { "by ids" };
            add("split", format!("{by}, {} held out", percent(args.hold_out, 1.0)));
        }
    }
    facts
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
    pub(crate) findings: Vec<Finding>,
    searched: Option<Searched>,
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
    let (trained, findings) = (set.evaluate(trees, calibration)?, set.lint()?);
    Ok(TrainRun { trained, findings, searched: None, fit_cpu_s, fit_wall_s })
}

/// The processor time that this process has taken.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

impl TrainRun {
    pub(crate) fn to_json(&self, set: &TrainingSet) -> Map<String, Value> {
        let TrainedModel { model, evaluation, baselines, weighted, weighted_baselines } = &self.trained;
        let training = model.training();
        let search = self.searched.as_ref().map(|found| json!({ "trials": found.trials }));
        let fields = [
            ("fit_cpu_s", json!(self.fit_cpu_s)),
            ("fit_wall_s", json!(self.fit_wall_s)),
            ("trees", json!(model.trees().trees().len())),
            ("train_rows", json!(training.rows)),
            ("train_positives", json!(training.positives)),
            ("validation_rows", json!(set.validation_rows())),
            ("held_out_rows", json!(set.held_out_rows())),
            ("params", json!(model.trees().trained_with())),
            ("calibration", calibration_json(model.calibration())),
            ("metrics", json!(evaluation)),
            ("weighted", json!(weighted)),
            ("baseline", json!(self.trained.baseline(Baseline::Tree))),
            ("baselines", by_name(baselines)),
            ("weighted_baselines", weighted_baselines.as_deref().map_or(Value::Null, by_name)),
            ("search", json!(search)),
            ("findings", json!(self.findings)),
            ("importance", json!(model.trees().importance())),
            ("categories", learned_text::to_json(model.trees())),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// What a person wants to know of a model.
    pub(crate) fn text(&self, set: &TrainingSet) -> String {
        const SHOWN: usize = 6;
        let TrainedModel { model, evaluation, baselines, weighted, weighted_baselines } = &self.trained;
        let importance = model.trees().importance();
        let rows: Vec<_> = (importance.iter().take_while(|of| of.splits > 0).take(SHOWN))
            .map(|of| vec![of.feature.to_string(), percent(of.share, 1.0)])
            .collect();
        let others: Vec<_> = [("this model", evaluation)]
            .into_iter()
            .chain(baselines.iter().map(|(baseline, found)| (baseline.name(), found)))
            .map(|(name, found)| evaluate::compared(name, found))
            .collect();
        let by_weight = weighted.iter().zip(weighted_baselines).map(|(model, baselines)| {
            let baselines = baselines.iter().map(|(baseline, found)| (baseline.name(), found));
            let rows: Vec<_> = [("this model", model)].into_iter().chain(baselines).collect();
            let rows: Vec<_> =
                rows.into_iter().map(|(name, found)| evaluate::compared_by_weight(name, found)).collect();
            format!("\n{}", table(&evaluate::COMPARED_BY_WEIGHT, &rows))
        });
        let by_weight: String = by_weight.collect();
        let findings: String = self.findings.iter().map(|finding| format!("warning: {finding}\n")).collect();
        format!(
            "{}{findings}{} trees of {} rows, {}, tested on {} held out\n\n{}\n{}\n{}",
            self.searched.as_ref().map_or_else(String::new, searched_text),
            model.trees().trees().len(),
            grouped(set.train_rows()),
            calibration_text(model.calibration()),
            grouped(set.held_out_rows()),
            evaluate::text(evaluation) + &weighted.as_ref().map_or_else(String::new, evaluate::weighted_text),
            table(&evaluate::COMPARED, &others) + &by_weight,
            table(&["what it leans on", "gain"], &rows),
        )
    }
}

/// What was found of each baseline, by its name.
fn by_name(found: &[(Baseline, impl Serialize)]) -> Value {
    found.iter().map(|(baseline, found)| (baseline.name().to_owned(), json!(found))).collect()
}

/// What was tried, the best first.
fn searched_text(found: &Searched) -> String {
    const SHOWN: usize = 5;
    let mut trials: Vec<_> = found.trials.iter().collect();
    trials.sort_by(|a, b| b.mean_auc.total_cmp(&a.mean_auc));
    let rows: Vec<_> = (trials.iter().take(SHOWN))
        .map(|trial| {
            vec![
                format!("{:.4}", trial.mean_auc),
                trial.leaves.to_string(),
                trial.learning_rate.to_string(),
                trial.min_child_weight.to_string(),
                trial.lambda.to_string(),
            ]
        })
        .collect();
    let header = ["AUC of the folds", "leaves", "learning rate", "least weight", "L2"];
    format!("{} parameters tried\n{}\n", found.trials.len(), listing(&header, &rows))
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
