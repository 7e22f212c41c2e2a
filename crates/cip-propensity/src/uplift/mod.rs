//! Whom a treatment moves: what it adds to an outcome, learned where it was given at random.

mod amounts;
mod cross_fit;
mod curve;
mod evaluation;
mod file;
mod model;

pub use amounts::AmountBuilder;
pub use cross_fit::{IdFolds, cross_fitted_amounts, cross_fitted_uplift};
pub use evaluation::{UpliftEvaluation, UpliftTop};
pub use file::UpliftFile;
pub use model::{OutcomeKind, UpliftMethod, UpliftModel};
