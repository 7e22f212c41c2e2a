//! `cip convert`: a model of XGBoost or LightGBM as one of cip's, and one of cip's as one of XGBoost or ONNX.

use std::fs;

use cip::propensity::PropensityModel;
use cip::scoring::ScoringError;
use cip::store::{write_document, write_page};
use serde_json::json;

use crate::args::{ConvertArgs, FormArg};
use crate::error::CliError;
use crate::number::grouped;
use crate::output::Answer;

pub(crate) fn run(args: &ConvertArgs) -> Result<Answer, CliError> {
    let model = read(args)?;
    match args.to {
        FormArg::Cip => write_document(&args.out, |file| Ok::<_, ScoringError>(model.write_to(file)?))?,
        FormArg::Xgboost => {
            write_document(&args.out, |file| Ok::<_, ScoringError>(model.write_xgboost(file)?))?
        }
        FormArg::Onnx => {
            let mut file = Vec::new();
            model.write_onnx(&mut file).map_err(ScoringError::from)?;
            write_page(&args.out, PropensityModel::ONNX_MARK, file)?;
        }
    }
    let (trees, features) = (model.trees().trees().len(), model.trees().features().len());
    Ok(Answer {
        text: format!("{} trees over {features} features, written to {}", grouped(trees), args.out.display()),
        json: json!({
            "trees": trees, "features": model.trees().features(), "label": model.label(),
            "model": args.out.display().to_string(),
        }),
    })
}

/// Reads a model of any form: LightGBM's starts with `tree`, XGBoost's has a learner.
fn read(args: &ConvertArgs) -> Result<PropensityModel, CliError> {
    let path = &args.model;
    let text =
        fs::read(path).map_err(|source| CliError::Io { action: "read", path: path.clone(), source })?;
    let read = if PropensityModel::is_lightgbm(&text) {
        PropensityModel::read_lightgbm(&text[..], &args.label)
    } else if PropensityModel::is_xgboost(&text) {
        PropensityModel::read_xgboost(&text[..], &args.label)
    } else {
        PropensityModel::read_from(&text[..])
    };
    read.map_err(|source| CliError::Model { path: path.clone(), source })
}
