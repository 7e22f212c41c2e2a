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
    format!(
        "{} of {} rows are positive ({}): {}; log loss {:.4}, Brier {:.4}, calibration error {:.4}\n\n{}",
        grouped(evaluation.positives),
        grouped(evaluation.rows),
        percent(evaluation.positives as f64, evaluation.rows as f64),
        brief(evaluation),
        evaluation.log_loss,
        evaluation.brier,
        evaluation.ece,
        table(&["ranked", "rows", "conversion", "lift", "of all positives"], &rows),
    )
}

/// The two metrics of the ranking.
pub(crate) fn brief(evaluation: &Evaluation) -> String {
    let value = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    format!("AUC {}, average precision {}", value(evaluation.auc), value(evaluation.average_precision))
}
