//! Propensity: metrics and calibrations against scikit-learn and plain definitions, models on hostile tables, files that are damaged.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod baselines;
mod calibration;
mod cards;
mod categories;
mod data;
mod evaluation;
mod files;
mod foreign;
mod learning;
mod lightgbm;
mod models;
mod onnx;
mod weights;
