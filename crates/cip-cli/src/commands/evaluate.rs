//! `cip evaluate`: how well a model foretells the label of a table, and what its ranking brings.

use cip::propensity::{
    Bootstrap, Evaluation, Interval, Lift, MetricIntervals, Offer, Profit, PropensityError,
    WeightedEvaluation,
};
use cip::scoring::ScoringError;
use serde_json::json;

use crate::args::{Common, EvaluateArgs};
use crate::commands::train::{open, read_model};
use crate::error::CliError;
use crate::number::{grouped, percent, percent_of};
use crate::output::{Answer, table};

pub(crate) fn run(args: &EvaluateArgs, common: &Common) -> Result<Answer, CliError> {
    let usage = |error: PropensityError| CliError::Usage(error.to_string());
    let bootstrap = args.bootstrap.map(|resamples| Bootstrap::new(resamples, args.seed)).transpose();
    let bootstrap = bootstrap.map_err(usage)?;
    let offer = args.contact_cost.zip(args.value).map(|(cost, value)| Offer::new(cost, value)).transpose();
    let offer = offer.map_err(usage)?;
    if args.budget == Some(0) {
        return Err(CliError::Usage("the budget is 0, expected 1 or more rows".to_owned()));
    }
    let model = read_model(&args.model)?;
    let source = open(&args.table)?;
    let foretold = source.foretold(&model, &args.label, common.threads())?;
    let evaluation = foretold.evaluate().map_err(ScoringError::from)?;
    let mut answer = Answer { text: text(&evaluation), json: json!(evaluation) };
    if let Some(column) = &args.weight {
        let weights = source.weights(column)?;
        let found = foretold.evaluate_weighted(&weights).map_err(ScoringError::from)?;
        answer.json["weighted"] = json!(found);
        answer.text.push_str(&format!("\n{}", weighted_text(&found)));
    }
    if let Some(bootstrap) = bootstrap {
        let found = foretold.intervals(bootstrap).map_err(ScoringError::from)?;
        answer.json["intervals"] = json!(found);
        answer.text.push_str(&format!("\n{}", intervals_text(&found)));
    }
    let response = foretold.response().map_err(ScoringError::from)?;
    if let Some(budget) = args.budget {
        let lift = response.at_rows(budget).map_err(ScoringError::from)?;
        answer.json["budget"] = json!(lift);
        let header = ["budget", "rows", "conversion", "lift", "of all positives"];
        answer
            .text
            .push_str(&format!("\n{}", table(&header, &[lift_cells(percent(lift.fraction, 1.0), &lift)])));
    }
    if let Some(points) = args.curve {
        answer.json["curve"] = json!(response.curve(points));
    }
    if let Some(offer) = offer {
        let (worthwhile, greatest) = (response.worthwhile(offer), response.greatest(offer));
        let budget = args.budget.map(|budget| response.profit(budget, offer));
        answer.json["profit"] = json!({
            "contact_cost": args.contact_cost, "value": args.value, "least_score": offer.least_score(),
            "budget": budget, "worthwhile": worthwhile, "greatest": greatest,
        });
        let named = [
            ("the budget", budget),
            ("all worth it", Some(worthwhile)),
            ("best in hindsight", Some(greatest)),
        ];
        let rows: Vec<_> =
            named.into_iter().filter_map(|(name, profit)| Some(profit_cells(name, &profit?))).collect();
        let header =
            ["contact", "rows", "cost", "expected positives", "expected profit", "positives", "profit"];
        answer.text.push_str(&format!("\n{}", table(&header, &rows)));
    }
    Ok(answer)
}

/// The metrics where each row counts as often as its weight says.
pub(crate) fn weighted_text(found: &WeightedEvaluation) -> String {
    let value = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    format!(
        "weighted: {} of a weight of {} are positive ({}): AUC {}, average precision {}; log loss {:.4}, Brier {:.4}, mean score {:.4}\n",
        grouped(format!("{:.1}", found.positive_weight)),
        grouped(format!("{:.1}", found.weight)),
        percent(found.observed, 1.0),
        value(found.auc),
        value(found.average_precision),
        found.log_loss,
        found.brier,
        found.mean_score,
    )
}

fn profit_cells(name: &str, profit: &Profit) -> Vec<String> {
    let money = |value: f64| grouped(format!("{value:.2}"));
    let count = |value: f64| grouped(format!("{value:.1}"));
    vec![
        name.to_owned(),
        grouped(profit.rows),
        money(profit.cost),
        count(profit.expected_positives),
        money(profit.expected_profit),
        count(profit.positives),
        money(profit.profit),
    ]
}

fn intervals_text(found: &MetricIntervals) -> String {
    let named = [
        ("AUC", found.auc),
        ("average precision", found.average_precision),
        ("lift of the best tenth", found.top_decile_lift),
        ("log loss", Some(found.log_loss)),
        ("Brier", Some(found.brier)),
    ];
    let row = |(name, interval): (&str, Option<Interval>)| {
        let Interval { low, high, .. } = interval?;
        Some(vec![name.to_owned(), format!("{low:.4}"), format!("{high:.4}")])
    };
    let rows: Vec<_> = named.into_iter().filter_map(row).collect();
    let metric =
        format!("metric ({} of {} resamples)", percent_of(100.0 * found.level), grouped(found.resamples));
    table(&[&metric, "from", "to"], &rows)
}

/// The header of [`compared`].
pub(crate) const COMPARED: [&str; 6] =
    ["model", "AUC", "average precision", "log loss", "Brier", "calibration error"];

/// What a model is measured by beside others.
pub(crate) fn compared(name: &str, found: &Evaluation) -> Vec<String> {
    let ranking = [found.auc, found.average_precision]
        .map(|value| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}")));
    let losses = [found.log_loss, found.brier, found.ece].map(|value| format!("{value:.4}"));
    [name.to_owned()].into_iter().chain(ranking).chain(losses).collect()
}

/// The header of [`compared_by_weight`].
pub(crate) const COMPARED_BY_WEIGHT: [&str; 5] =
    ["by weight", "AUC", "average precision", "log loss", "Brier"];

/// What a model is measured by beside others where rows have weights.
pub(crate) fn compared_by_weight(name: &str, found: &WeightedEvaluation) -> Vec<String> {
    let ranking = [found.auc, found.average_precision]
        .map(|value| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}")));
    let losses = [found.log_loss, found.brier].map(|value| format!("{value:.4}"));
    [name.to_owned()].into_iter().chain(ranking).chain(losses).collect()
}

/// The metrics in a line, and the lift by fraction as a table.
pub(crate) fn text(evaluation: &Evaluation) -> String {
    let rows: Vec<_> = (evaluation.lift.iter())
        .map(|lift| lift_cells(format!("top {}", percent(lift.fraction, 1.0).replace(".0%", "%")), lift))
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

fn lift_cells(name: String, lift: &Lift) -> Vec<String> {
    vec![
        name,
        grouped(lift.rows),
        percent(lift.conversion, 1.0),
        lift.lift.map_or_else(|| "-".to_owned(), |lift| format!("{lift:.2}")),
        lift.captured.map_or_else(|| "-".to_owned(), |captured| percent(captured, 1.0)),
    ]
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
