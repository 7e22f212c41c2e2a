//! `cip drift`: what has changed between two tables, and what a model still achieves.

mod page;
mod source;

use std::path::Path;

use cip::drift::{
    ColumnChanges, DriftError, DriftOptions, DriftReport, EstimatedPerformance, FeatureDrift,
    PerformanceChange, Verdict,
};
use cip::scoring::{MODEL_SCORE, ScoringError};
use cip::store::StagedFile;
use serde_json::{Value, json};

use crate::args::{Common, DriftArgs};
use crate::commands::drift::source::{Sources, write_sketch};
use crate::commands::train::read_model;
use crate::error::CliError;
use crate::number::{grouped, percent, significant};
use crate::output::{Answer, table};

pub(crate) fn run(args: &DriftArgs, common: &Common) -> Result<Answer, CliError> {
    let options = options(args)?;
    let model = args.model.as_deref().map(read_model).transpose()?;
    let [reference, current] = Sources::open(args)?.profiles(args, model.as_ref(), common)?;
    let options = match &model {
        Some(model) => {
            let importance = model.trees().importance();
            options
                .with_score(MODEL_SCORE)
                .with_importance(importance.into_iter().map(|of| (of.feature, of.share)))
        }
        None => options,
    };
    let report = DriftReport::compare(&reference, &current, &options).map_err(ScoringError::from)?;
    if let Some(path) = &args.reference_sketch {
        write_sketch(path, &reference)?;
    }
    if let Some(path) = &args.out {
        write_page(path, &page::page(&report, args))?;
    }
    Ok(Answer { text: text(&report, args), json: to_json(&report, args) })
}

fn options(args: &DriftArgs) -> Result<DriftOptions, CliError> {
    let usage = |error: DriftError| CliError::Usage(error.to_string());
    let options = DriftOptions::new(args.preset).with_alpha(args.alpha).map_err(usage)?;
    let options = options.with_threshold(args.threshold).map_err(usage)?;
    Ok(match &args.score {
        Some(score) => options.with_score(score),
        None => options,
    })
}

fn write_page(path: &Path, page: &str) -> Result<(), CliError> {
    let staged = StagedFile::begin(path)?;
    std::fs::write(staged.path(), page).map_err(|source| CliError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    })?;
    Ok(staged.publish()?)
}

fn to_json(report: &DriftReport, args: &DriftArgs) -> Value {
    let mut json = json!({
        "format": "cip-drift",
        "reference": args.reference.display().to_string(),
        "current": args.current.display().to_string(),
    });
    if let (Value::Object(fields), Value::Object(found)) = (&mut json, json!(report)) {
        fields.extend(found);
    }
    json
}

fn text(report: &DriftReport, args: &DriftArgs) -> String {
    let mut text = format!("{}\n{}\n\n", rows_text(report), verdict_text(report));
    text.push_str(&table(&HEADER, &worst_first(report).into_iter().map(cells).collect::<Vec<_>>()));
    if let Some(prediction) = &report.prediction {
        text.push_str(&format!("\nprediction\n{}", table(&HEADER, &[cells(prediction)])));
    }
    if let Some(performance) = &report.performance {
        text.push_str(&format!(
            "\n{PERFORMANCE}\n{}",
            table(&PERFORMANCE_HEADER, &performance_cells(performance))
        ));
    }
    for line in column_lines(&report.columns) {
        text.push_str(&format!("\n{line}"));
    }
    let written = [("the page is", &args.out), ("the sketch of the reference is", &args.reference_sketch)];
    for (what, path) in written {
        if let Some(path) = path {
            text.push_str(&format!("\n{what} {}", path.display()));
        }
    }
    text
}

/// What the estimate supposes.
const PERFORMANCE: &str = "what the model achieves, if its scores are calibrated";

const PERFORMANCE_HEADER: [&str; 3] = ["estimate", "reference", "current"];

fn rows_text(report: &DriftReport) -> String {
    let [reference, current] = [report.reference_rows, report.current_rows].map(grouped);
    format!("{reference} rows of the reference, {current} now, by the conventions of {}", report.preset)
}

fn verdict_text(report: &DriftReport) -> String {
    let lean = report
        .importance_drifted
        .map_or_else(String::new, |share| format!(", on which the model leans for {}", percent(share, 1.0)));
    format!(
        "{}: {} of {} features drift{lean}",
        name_of(report.verdict),
        report.drifted,
        report.features.len()
    )
}

fn name_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Stable => "stable",
        Verdict::Small => "small",
        Verdict::Moderate => "moderate",
        Verdict::Large => "large",
    }
}

/// Those that drift first, then by how far they have moved.
fn worst_first(report: &DriftReport) -> Vec<&FeatureDrift> {
    let psi = |feature: &FeatureDrift| feature.distances.as_ref().map_or(0.0, |distances| distances.psi);
    let mut features: Vec<_> = report.features.iter().collect();
    features.sort_by(|a, b| b.verdict.cmp(&a.verdict).then_with(|| psi(b).total_cmp(&psi(a))));
    features
}

const HEADER: [&str; 8] = ["feature", "verdict", "decides", "value", "q", "PSI", "Jensen-Shannon", "missing"];

fn cells(feature: &FeatureDrift) -> Vec<String> {
    let dash = || "-".to_owned();
    let number = |value: Option<f64>| value.map_or_else(dash, significant);
    let test = feature.tests.first();
    let distances = feature.distances.as_ref();
    let missing = |rate: Option<f64>| rate.map_or_else(dash, |rate| percent(rate, 1.0));
    vec![
        feature.name.to_string(),
        name_of(feature.verdict).to_owned(),
        test.map_or_else(dash, |test| json!(test.statistic).as_str().unwrap_or("-").replace('_', " ")),
        number(test.map(|test| test.value)),
        number(test.and_then(|test| test.q_value)),
        number(distances.map(|distances| distances.psi)),
        number(distances.map(|distances| distances.jensen_shannon)),
        format!("{} > {}", missing(feature.reference.missing_rate), missing(feature.current.missing_rate)),
    ]
}

fn performance_cells(performance: &PerformanceChange) -> Vec<Vec<String>> {
    let row = |name: &str, of: fn(&EstimatedPerformance) -> Option<f64>| {
        let value = |of: Option<f64>| of.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
        vec![name.to_owned(), value(of(&performance.reference)), value(of(&performance.current))]
    };
    vec![
        row("positives", |of| Some(of.positive_rate)),
        row("ROC AUC", |of| of.roc_auc),
        row("accuracy", |of| Some(of.accuracy)),
        row("precision", |of| of.precision),
        row("recall", |of| of.recall),
        row("F1", |of| of.f1),
        row("log loss", |of| Some(of.log_loss)),
        row("Brier", |of| Some(of.brier)),
    ]
}

/// What could not be compared, a line each.
fn column_lines(columns: &ColumnChanges) -> Vec<String> {
    let mut lines = Vec::new();
    let mut list = |what: &str, names: Vec<String>| {
        if !names.is_empty() {
            lines.push(format!("{what}: {}", names.join(", ")));
        }
    };
    let names = |names: &[Box<str>]| names.iter().map(ToString::to_string).collect();
    list("columns that are gone", names(&columns.gone));
    list("columns that are new", names(&columns.new));
    let kind = |kind| json!(kind).as_str().unwrap_or("-").to_owned();
    let changed = columns.changed_kind.iter();
    list(
        "columns of another kind",
        changed
            .map(|of| format!("{} ({}, now {})", of.column, kind(of.reference), kind(of.current)))
            .collect(),
    );
    let skipped = columns.skipped.iter().map(|of| format!("{} ({})", of.column, of.data_type));
    list("columns that are not compared", skipped.collect());
    lines
}
