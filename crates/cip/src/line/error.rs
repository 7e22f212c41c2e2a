//! Why a stage over a store failed.

use cip_abtest::AbTestError;
use cip_basket::BasketError;
use cip_core::CoreError;
use cip_features::FeaturesError;
use cip_propensity::PropensityError;
use cip_rfm::RfmError;
use cip_sessionize::SessionizeError;
use cip_store::StoreError;

/// Why a stage over a store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// Reading the store or writing a table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store lacks what a stage needs.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// Sessionizing, or following a funnel.
    #[error(transparent)]
    Sessionize(#[from] SessionizeError),
    /// Scoring.
    #[error(transparent)]
    Rfm(#[from] RfmError),
    /// Computing features.
    #[error(transparent)]
    Features(#[from] FeaturesError),
    /// Counting conversions, or comparing arms.
    #[error(transparent)]
    AbTest(#[from] AbTestError),
    /// Scoring users.
    #[error(transparent)]
    Propensity(#[from] PropensityError),
    /// Counting pairs.
    #[error(transparent)]
    Basket(#[from] BasketError),
}
