//! Whom a treatment moves: what it adds to the probability of an outcome, learned where it was given at random.

mod cross_fit;
mod curve;
mod evaluation;
mod model;

pub use cross_fit::{IdFolds, cross_fitted_uplift};
pub use evaluation::{UpliftEvaluation, UpliftTop};
pub use model::{UpliftMethod, UpliftModel};
