//! `cip uplift`: whom a treatment moves.

use cip::propensity::{
    BoostedTrees, IdFolds, ParamGuard, PropensityError, UpliftEvaluation, UpliftFile, UpliftTop,
};
use cip::scoring::{Arms, OutcomeColumn, ScoringError, UpliftSet};
use cip::store::write_document;
use serde_json::json;

use crate::args::{Common, UpliftArgs};
use crate::commands::train::open;
use crate::error::CliError;
use crate::number::{grouped, p_value, percent, significant};
use crate::output::{Answer, table};

pub(crate) fn run(args: &UpliftArgs, common: &Common) -> Result<Answer, CliError> {
    let usage = |error: PropensityError| CliError::Usage(error.to_string());
    let folds = IdFolds::new(args.folds, args.seed).map_err(usage)?;
    let outcome = match (&args.outcome, &args.amount) {
        (Some(label), _) => OutcomeColumn::Label(label),
        (None, Some(amount)) => OutcomeColumn::Amount(amount),
        (None, None) => {
            return Err(CliError::Usage("name the outcome, with --outcome or --amount".to_owned()));
        }
    };
    let mut params = BoostedTrees::params(args.seed)
        .with_trees(args.trees)
        .with_leaves(args.leaves)
        .with_learning_rate(args.learning_rate)
        .with_threads(common.threads());
    if matches!(outcome, OutcomeColumn::Amount(_)) {
        params = params.with_min_child_weight(AMOUNT_ROWS);
    }
    let params = params.check().map_err(usage)?;
    let arms = match (&args.treated, &args.control) {
        (Some(treated), Some(control)) if treated == control => {
            return Err(CliError::Usage(format!("`{treated}` cannot be treated and control: name two arms")));
        }
        (Some(treated), Some(control)) => Arms::Named { treated: treated.clone(), control: control.clone() },
        _ => Arms::Flag,
    };
    if args.treatment == outcome.name() {
        return Err(CliError::Usage(format!(
            "`{}` cannot be treatment and outcome: name two columns",
            outcome.name()
        )));
    }
    let source = open(&args.table)?;
    let features = if args.columns.is_empty() {
        let mut others: Vec<&str> = args.exclude.iter().map(String::as_str).collect();
        source.require(&others)?;
        others.extend([args.treatment.as_str(), outcome.name()]);
        source.columns_without(&others)
    } else {
        args.columns.clone()
    };
    let set = UpliftSet::read(&source, &features, (&args.treatment, &arms), outcome, folds, common.memory)?;
    let found = set.cross_fit(args.method, &params)?;
    if let Some(out) = &args.out {
        set.write_uplift(&source, &found, out)?;
    }
    if let Some(path) = &args.model_out {
        let file = UpliftFile::new(set.fit(args.method, &params)?, args.treatment.as_str(), outcome.name());
        write_document(path, |writer| Ok::<_, ScoringError>(file.write_to(writer)?))?;
    }
    let json = json!({
        "format": "cip-uplift",
        "treatment": args.treatment,
        "outcome": outcome.name(),
        "kind": if matches!(outcome, OutcomeColumn::Amount(_)) { "amount" } else { "label" },
        "method": args.method.name(),
        "features": features,
        "folds": folds.folds(),
        "left_out": set.left_out(),
        "evaluation": found.evaluation,
    });
    Ok(Answer { text: text(&found.evaluation, &set, args, outcome), json })
}

/// The fewest rows of a leaf where outcomes are amounts: a few large ones would make a leaf of their own. The second derivative of the
/// squared error is 1 a row.
const AMOUNT_ROWS: f64 = 100.0;

fn text(found: &UpliftEvaluation, set: &UpliftSet, args: &UpliftArgs, outcome: OutcomeColumn<'_>) -> String {
    let value = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    let left_out = match set.left_out() {
        0 => String::new(),
        rows => format!(" ({} of other arms are left out)", grouped(rows)),
    };
    let is_amount = matches!(outcome, OutcomeColumn::Amount(_));
    let unit = if is_amount { amounts } else { points };
    let mean = |mean: f64| if is_amount { format!("{mean:.4}") } else { percent(mean, 1.0) };
    let areas = if is_amount {
        format!("area of Qini's curve {:.4}, of the uplift curve {:.4}", found.qini_area, found.auuc_area)
    } else {
        format!("Qini {}, AUUC {}", value(found.qini), value(found.auuc))
    };
    let (name, treated, control) = (outcome.name(), mean(found.treated_rate), mean(found.control_rate));
    let rates = if is_amount {
        format!("mean `{name}` {treated} of the treated and {control} of the others")
    } else {
        format!("`{name}` in {treated} of the treated and {control} of the others")
    };
    let top_cells = |top: &UpliftTop| {
        let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), mean);
        let uplift = top.uplift.zip(top.standard_error);
        vec![
            format!("top {}", percent(top.fraction, 1.0).replace(".0%", "%")),
            grouped(top.rows),
            rate(top.treated_rate),
            rate(top.control_rate),
            uplift.map_or_else(|| "-".to_owned(), |(uplift, error)| unit(uplift, error)),
            significant(top.incremental),
        ]
    };
    let mut text = format!(
        "{} rows, {} of them treated{left_out}: {}, {} on average\n\
         each row by a model ({}) of the others: {areas}; 0 is chance{}\n\n{}",
        grouped(found.rows),
        grouped(found.treated_rows),
        rates,
        unit(found.average_effect, found.standard_error),
        args.method,
        found.qini_p_value.map_or_else(String::new, |p| format!(" ({})", p_value(p))),
        table(
            &["highest uplift", "rows", "treated", "control", "uplift", "won"],
            &found.top.iter().map(top_cells).collect::<Vec<_>>()
        ),
    );
    for out in args.out.iter().chain(&args.model_out) {
        text.push_str(&format!("\nwritten to {}", out.display()));
    }
    text
}

/// A difference of shares and its standard error, in percentage points.
fn points(value: f64, standard_error: f64) -> String {
    format!("{:+.2} ± {:.2} points", 100.0 * value, 100.0 * standard_error)
}

/// A difference of means and its standard error.
fn amounts(value: f64, standard_error: f64) -> String {
    format!("{value:+.4} ± {standard_error:.4}")
}
