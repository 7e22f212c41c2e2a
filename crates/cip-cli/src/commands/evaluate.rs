//! `cip evaluate`: how well a model foretells the label of a table.

use cip::propensity::Evaluation;
use serde_json::json;

use crate::args::{Common, EvaluateArgs};
use crate::commands::train::{open, read_model};
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::{Answer, table};

pub(crate) fn run(args: &EvaluateArgs, common: &Common) -> Result<Answer, CliError> {
    let model = read_model(&args.model)?;
    let evaluation = open(&args.table)?.evaluate(&model, &args.label, common.threads())?;
    Ok(Answer { text: text(&evaluation), json: json!(evaluation) })
}

/// The metrics in a line, and the lift by fraction as a table.
pub(crate) fn text(evaluation: &Evaluation) -> String {
    let rows: Vec<_> = (evaluation.lift.iter())
        .map(|lift| {
            vec![
                format!("top {}", percent(lift.fraction, 1.0).replace(".0%", "%")),
                grouped(lift.rows),
                percent(lift.conversion, 1.0),
                lift.lift.map_or_else(|| "-".to_owned(), |lift| format!("{lift:.2}")),
                lift.captured.map_or_else(|| "-".to_owned(), |captured| percent(captured, 1.0)),
            ]
        })
        .collect();
    let before = evaluation.uncalibrated.filter(|before| before.brier != evaluation.brier);
    let value = |now: f64, before: Option<f64>| {
        before.map_or_else(|| format!("{now:.4}"), |before| format!("{now:.4} (uncalibrated {before:.4})"))
    };
    format!(
        "{} of {} rows are positive ({}): {}; log loss {}, Brier {}, calibration error {}\n\n{}\n{}",
        grouped(evaluation.positives),
        grouped(evaluation.rows),
        percent(evaluation.positives as f64, evaluation.rows as f64),
        brief(evaluation),
        value(evaluation.log_loss, before.map(|before| before.log_loss)),
        value(evaluation.brier, before.map(|before| before.brier)),
        value(evaluation.ece, before.map(|before| before.ece)),
        table(&["ranked", "rows", "conversion", "lift", "of all positives"], &rows),
        reliability(evaluation),
    )
}

/// What was foretold, and how often it came true.
fn reliability(evaluation: &Evaluation) -> String {
    let rows: Vec<_> = (evaluation.reliability.iter())
        .map(|bin| {
            vec![
                format!("{} to {}", percent(bin.from, 1.0), percent(bin.to, 1.0)),
                grouped(bin.rows),
                percent(bin.mean_score, 1.0),
                percent(bin.observed, 1.0),
            ]
        })
        .collect();
    table(&["score", "rows", "mean score", "came true"], &rows)
}

/// The two metrics of the ranking.
pub(crate) fn brief(evaluation: &Evaluation) -> String {
    let value = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    format!("AUC {}, average precision {}", value(evaluation.auc), value(evaluation.average_precision))
}
