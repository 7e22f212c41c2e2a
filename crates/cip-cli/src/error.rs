//! Why a command failed, and its exit code.

use std::io;
use std::path::PathBuf;

use cip::abtest::AbTestError;
use cip::basket::BasketError;
use cip::core::MemoryBudget;
use cip::ingest::{ContractError, IngestError, MappingError};
use cip::line::LineError;
use cip::propensity::PropensityError;
use cip::scoring::ScoringError;
use cip::store::StoreError;
use cip::synth::SynthError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Mapping { path: PathBuf, source: MappingError },
    #[error("{}: {source}", path.display())]
    Contract { path: PathBuf, source: Box<ContractError> },
    #[error("{}: {source}", path.display())]
    SegmentMap { path: PathBuf, source: Box<cip::rfm::RfmError> },
    #[error("{}: {source}", path.display())]
    Clusters { path: PathBuf, source: Box<cip::rfm::RfmError> },
    #[error("{}: {source}", path.display())]
    Spec { path: PathBuf, source: Box<cip::features::FeaturesError> },
    #[error("{}: {source}", path.display())]
    Experiment { path: PathBuf, source: AbTestError },
    /// A value of a table that cannot be used; rows count from 1, the header left out.
    #[error("{} row {row}: `{column}`: {reason}", path.display())]
    Row { path: PathBuf, row: u64, column: String, reason: String },
    /// Sums that take more than may be had.
    #[error(
        "{}: after {rows} rows the sums of segments, strata, days and clusters take {held}, which is more than half of \
         {budget}: give more --memory, or take columns of fewer values", path.display()
    )]
    Groups { path: PathBuf, rows: u64, held: MemoryBudget, budget: MemoryBudget },
    /// Histories that take more than may be had.
    #[error(
        "{}: the histories of {customers} customers differ too much for {budget} of memory: give --memory {enough}, which is enough \
         where no two are alike, or count times in whole days or weeks and money in whole cents, of which fewer differ",
        path.display()
    )]
    Histories { path: PathBuf, customers: u64, budget: MemoryBudget, enough: MemoryBudget },
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error(transparent)]
    Scoring(#[from] ScoringError),
    #[error("{}: {source}", path.display())]
    Model { path: PathBuf, source: PropensityError },
    #[error("{}: {source}", path.display())]
    Sketch { path: PathBuf, source: cip::drift::DriftError },
    #[error("{}: {source}", path.display())]
    Index { path: PathBuf, source: BasketError },
    #[error(transparent)]
    Line(#[from] LineError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Synth(#[from] SynthError),
    /// Of nothing there is nothing to say.
    #[error("there are no events")]
    NoEvents,
    /// A model needs days to learn from, and days to foretell.
    #[error("the events span fewer than two days: one to learn from, and one to foretell")]
    FewDays,
    #[error("cannot start threads: {0}: ask for fewer with --threads")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
}

impl CliError {
    /// 1 where it failed, 2 where the command line was wrong.
    pub(crate) fn exit_code(&self) -> u8 {
        if matches!(self, Self::Usage(_)) { 2 } else { 1 }
    }
}

impl From<cip::core::CoreError> for CliError {
    fn from(error: cip::core::CoreError) -> Self {
        Self::Line(error.into())
    }
}

impl From<AbTestError> for CliError {
    fn from(error: AbTestError) -> Self {
        Self::Line(error.into())
    }
}

impl From<cip::rfm::RfmError> for CliError {
    fn from(error: cip::rfm::RfmError) -> Self {
        Self::Line(error.into())
    }
}
