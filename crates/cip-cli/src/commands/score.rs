//! `cip score`: every row of a table with its score, margin and rank, and why it has them.

use std::fs;

use cip::core::Id;
use cip::propensity::{FeatureValue, PropensityModel, Reason, UpliftFile};
use cip::scoring::{ExplainedRow, ExplainedScores};
use serde_json::{Value, json};

use crate::args::{Common, ScoreArgs};
use crate::commands::train::open;
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::{Answer, listing};

pub(crate) fn run(args: &ScoreArgs, common: &Common) -> Result<Answer, CliError> {
    let bytes = fs::read(&args.model).map_err(|source| CliError::Io {
        action: "read",
        path: args.model.clone(),
        source,
    })?;
    let of_file = |source| CliError::Model { path: args.model.clone(), source };
    if UpliftFile::is_one(&bytes) {
        return uplift(&UpliftFile::read_from(&bytes[..]).map_err(of_file)?, args, common);
    }
    let model = PropensityModel::read_from(&bytes[..]).map_err(of_file)?;
    let table = open(&args.table)?;
    let (rows, explained) = if args.explain {
        let explained = table.write_explained_scores(&model, &args.out, common.threads())?;
        (explained.rows, Some(explained))
    } else {
        (table.write_scores(&model, &args.out, common.threads())?, None)
    };
    let mut text =
        format!("{} rows scored for `{}`, written to {}", grouped(rows), model.label(), args.out.display());
    let mut json = json!({ "rows": rows, "label": model.label(), "ids": table.ids() });
    if let Some(explained) = explained {
        json["base"] = json!(explained.base);
        json["best"] = explained.best.iter().map(row_json).collect();
        if !explained.best.is_empty() {
            let id = table.ids().first().map_or("row", String::as_str);
            text.push_str(&format!("\n\n{}", why(&explained, id)));
        }
    }
    Ok(Answer { text, json })
}

/// What a treatment would add for each row.
fn uplift(file: &UpliftFile, args: &ScoreArgs, common: &Common) -> Result<Answer, CliError> {
    if args.explain {
        let reason = "a model of uplift is not explained: score without --explain";
        return Err(CliError::Usage(reason.to_owned()));
    }
    let table = open(&args.table)?;
    let rows = table.write_uplift_scores(file.model(), &args.out, common.threads())?;
    Ok(Answer {
        text: format!(
            "{} rows scored for what `{}` adds to `{}`, written to {}",
            grouped(rows),
            file.treatment(),
            file.outcome(),
            args.out.display()
        ),
        json: json!({
            "rows": rows, "treatment": file.treatment(), "outcome": file.outcome(), "kind": file.model().outcome(),
            "ids": table.ids(),
        }),
    })
}

/// The best rows with what speaks for them.
fn why(explained: &ExplainedScores, id: &str) -> String {
    let rows: Vec<_> = (explained.best.iter())
        .map(|row| {
            let id = row.id.as_ref().map_or_else(|| row.row.to_string(), Id::to_string);
            let reasons: Vec<_> = row.reasons.iter().map(reason).collect();
            vec![id, percent(row.score, 1.0), reasons.join(", ")]
        })
        .collect();
    listing(&[id, "score", "why (part of the log odds)"], &rows)
}

/// `carts 3 (+1.27)`, or `plan=yearly (-0.82)`.
pub(crate) fn reason(reason: &Reason) -> String {
    format!("{reason} ({:+.2})", reason.contribution)
}

pub(crate) fn row_json(row: &ExplainedRow) -> Value {
    let id = match &row.id {
        Some(Id::Int64(id)) => json!(id),
        Some(Id::Utf8(id)) => json!(id),
        None => Value::Null,
    };
    let reasons: Value = row.reasons.iter().map(reason_json).collect();
    json!({ "row": row.row, "id": id, "score": row.score, "margin": row.margin, "reasons": reasons })
}

fn reason_json(reason: &Reason) -> Value {
    // In the digits that tell the 32 bits apart, and no more.
    let value = match &reason.value {
        FeatureValue::Number(number) => {
            json!(number.to_string().parse().unwrap_or_else(|_| f64::from(*number)))
        }
        other => json!(other),
    };
    json!({ "feature": reason.feature, "value": value, "contribution": reason.contribution })
}
