//! Propensity over tables: learn from one, evaluate on one, score one and say why, and profile
//! one to see what has changed. Parquet or CSV, of this project or not.

mod effects;
mod error;
mod explained;
mod foretold;
#[cfg(feature = "drift")]
mod profile;
mod row_split;
mod scores;
mod table;
mod training;
mod uplift;
mod uplift_scores;

pub use effects::Explanation;
pub use error::ScoringError;
pub use explained::{ExplainedRow, ExplainedScores};
pub use foretold::Foretold;
#[cfg(feature = "drift")]
pub use profile::MODEL_SCORE;
pub use row_split::RowSplit;
pub use table::ScoringTable;
pub use training::{LearnedColumns, TrainedModel, TrainingSet};
pub use uplift::{Arms, FoundUplift, OutcomeColumn, UpliftSet};
