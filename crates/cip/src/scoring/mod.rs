//! Propensity over tables: learn from one, evaluate on one, score one. Parquet or CSV, of this project or not.

mod error;
mod scores;
mod table;
mod training;

pub use error::ScoringError;
pub use table::ScoringTable;
pub use training::{TrainedModel, TrainingSet};
