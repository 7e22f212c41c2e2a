//! `cip uplift`: whom a treatment moves.

use cip::propensity::{BoostedTrees, IdFolds, ParamGuard, PropensityError, UpliftEvaluation, UpliftTop};
use cip::scoring::{Arms, UpliftSet};
use serde_json::json;

use crate::args::{Common, UpliftArgs};
use crate::commands::train::open;
use crate::error::CliError;
use crate::number::{grouped, p_value, percent, significant};
use crate::output::{Answer, table};

pub(crate) fn run(args: &UpliftArgs, common: &Common) -> Result<Answer, CliError> {
    let usage = |error: PropensityError| CliError::Usage(error.to_string());
    let folds = IdFolds::new(args.folds, args.seed).map_err(usage)?;
    let params = BoostedTrees::params(args.seed)
        .with_trees(args.trees)
        .with_leaves(args.leaves)
        .with_learning_rate(args.learning_rate)
        .with_threads(common.threads())
        .check()
        .map_err(usage)?;
    let arms = match (&args.treated, &args.control) {
        (Some(treated), Some(control)) if treated == control => {
            return Err(CliError::Usage(format!("`{treated}` cannot be treated and control: name two arms")));
        }
        (Some(treated), Some(control)) => Arms::Named { treated: treated.clone(), control: control.clone() },
        _ => Arms::Flag,
    };
    if args.treatment == args.outcome {
        return Err(CliError::Usage(format!(
            "`{}` cannot be treatment and outcome: name two columns",
            args.outcome
        )));
    }
    let source = open(&args.table)?;
    let features = if args.columns.is_empty() {
        let mut others: Vec<&str> = args.exclude.iter().map(String::as_str).collect();
        source.require(&others)?;
        others.extend([args.treatment.as_str(), args.outcome.as_str()]);
        source.columns_without(&others)
    } else {
        args.columns.clone()
    };
    let set =
        UpliftSet::read(&source, &features, (&args.treatment, &arms), &args.outcome, folds, common.memory)?;
    let found = set.cross_fit(args.method, &params)?;
    if let Some(out) = &args.out {
        set.write_uplift(&source, &found, out)?;
    }
    let json = json!({
        "format": "cip-uplift",
        "treatment": args.treatment,
        "outcome": args.outcome,
        "method": args.method.name(),
        "features": features,
        "folds": folds.folds(),
        "left_out": set.left_out(),
        "evaluation": found.evaluation,
    });
    Ok(Answer { text: text(&found.evaluation, &set, args), json })
}

fn text(found: &UpliftEvaluation, set: &UpliftSet, args: &UpliftArgs) -> String {
    let value = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    let left_out = match set.left_out() {
        0 => String::new(),
        rows => format!(" ({} of other arms are left out)", grouped(rows)),
    };
    let mut text = format!(
        "{} rows, {} of them treated{left_out}: `{}` in {} of the treated and {} of the others, {} on average\n\
         each row by a model ({}) of the others: Qini {}, AUUC {}; 0 is chance{}\n\n{}",
        grouped(found.rows),
        grouped(found.treated_rows),
        args.outcome,
        percent(found.treated_rate, 1.0),
        percent(found.control_rate, 1.0),
        points(found.average_effect, found.standard_error),
        args.method,
        value(found.qini),
        value(found.auuc),
        found.qini_p_value.map_or_else(String::new, |p| format!(" ({})", p_value(p))),
        table(
            &["highest uplift", "rows", "treated", "control", "uplift", "won"],
            &found.top.iter().map(top_cells).collect::<Vec<_>>()
        ),
    );
    if let Some(out) = &args.out {
        text.push_str(&format!("\nwritten to {}", out.display()));
    }
    text
}

fn top_cells(top: &UpliftTop) -> Vec<String> {
    let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), |rate| percent(rate, 1.0));
    let uplift = top.uplift.zip(top.standard_error);
    vec![
        format!("top {}", percent(top.fraction, 1.0).replace(".0%", "%")),
        grouped(top.rows),
        rate(top.treated_rate),
        rate(top.control_rate),
        uplift.map_or_else(|| "-".to_owned(), |(uplift, error)| points(uplift, error)),
        significant(top.incremental),
    ]
}

/// A difference of shares and its standard error, in percentage points.
fn points(value: f64, standard_error: f64) -> String {
    format!("{:+.2} ± {:.2} points", 100.0 * value, 100.0 * standard_error)
}
