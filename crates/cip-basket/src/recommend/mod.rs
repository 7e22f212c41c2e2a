//! Recommendations: what goes with a product, and what comes next in a session.

mod file;
mod params;
mod quality;
mod recommender;
mod visits;

pub use params::{RecommenderParams, Similarity};
pub use quality::NextProductQuality;
pub use recommender::{Recommended, Recommender};
pub use visits::{VisitBuilder, Visits};
