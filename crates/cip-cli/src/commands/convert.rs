//! `cip convert`: a model of XGBoost as one of cip's, and the other way.

use std::fs;

use cip::propensity::PropensityModel;
use cip::scoring::ScoringError;
use cip::store::write_document;
use serde_json::json;

use crate::args::{ConvertArgs, FormArg};
use crate::error::CliError;
use crate::number::grouped;
use crate::output::Answer;

pub(crate) fn run(args: &ConvertArgs) -> Result<Answer, CliError> {
    let model = read(args)?;
    write_document(&args.out, |file| {
        match args.to {
            FormArg::Cip => model.write_to(file),
            FormArg::Xgboost => model.write_xgboost(file),
        }
        .map_err(ScoringError::from)
    })?;
    let (trees, features) = (model.trees().trees().len(), model.trees().features().len());
    Ok(Answer {
        text: format!("{} trees over {features} features, written to {}", grouped(trees), args.out.display()),
        json: json!({
            "trees": trees, "features": model.trees().features(), "label": model.label(),
            "model": args.out.display().to_string(),
        }),
    })
}

/// Reads a model of either form: XGBoost's has a learner.
fn read(args: &ConvertArgs) -> Result<PropensityModel, CliError> {
    let path = &args.model;
    let text =
        fs::read(path).map_err(|source| CliError::Io { action: "read", path: path.clone(), source })?;
    let is_foreign =
        serde_json::from_slice::<serde_json::Value>(&text).is_ok_and(|value| value.get("learner").is_some());
    let read = if is_foreign {
        PropensityModel::read_xgboost(&text[..], &args.label)
    } else {
        PropensityModel::read_from(&text[..])
    };
    read.map_err(|source| CliError::Model { path: path.clone(), source })
}
