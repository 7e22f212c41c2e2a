//! `cip score`: every row of a table with its score, margin and rank.

use serde_json::json;

use crate::args::{Common, ScoreArgs};
use crate::commands::train::{open, read_model};
use crate::error::CliError;
use crate::number::grouped;
use crate::output::Answer;

pub(crate) fn run(args: &ScoreArgs, common: &Common) -> Result<Answer, CliError> {
    let model = read_model(&args.model)?;
    let table = open(&args.table)?;
    let rows = table.write_scores(&model, &args.out, common.threads())?;
    Ok(Answer {
        text: format!(
            "{} rows scored for `{}`, written to {}",
            grouped(rows),
            model.label(),
            args.out.display()
        ),
        json: json!({ "rows": rows, "label": model.label(), "ids": table.ids() }),
    })
}
