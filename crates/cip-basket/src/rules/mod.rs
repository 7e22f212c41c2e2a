//! Association rules: who has these items, has those as well.

mod consequents;
mod found;
mod hypergeometric;
mod interest;
mod measures;
mod params;
mod search;

pub use found::{Rule, RuleBatches, Rules};
pub use measures::{Measures, RuleCounts};
pub use params::{AssociationRules, RedundantRules};
