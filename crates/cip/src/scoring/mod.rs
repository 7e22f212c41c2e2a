//! Propensity over tables: learn from one, evaluate on one, score one and say why. Parquet or CSV, of this project or not.

mod effects;
mod error;
mod explained;
mod foretold;
mod row_split;
mod scores;
mod table;
mod training;

pub use effects::Explanation;
pub use error::ScoringError;
pub use explained::{ExplainedRow, ExplainedScores};
pub use foretold::Foretold;
pub use row_split::RowSplit;
pub use table::ScoringTable;
pub use training::{TrainedModel, TrainingSet};
