//! Arguments of the commands that group customers, and follow the groups.

use std::path::PathBuf;

use cip::core::Timestamp;
use clap::ValueEnum;

use super::{CurrencyArgs, ReturnsArg};

#[derive(Debug, clap::Args)]
pub(crate) struct CohortsArgs {
    pub(crate) store: PathBuf,
    /// What customers are grouped by: the week, from Monday, or the month of their first purchase
    #[arg(long, value_enum)]
    pub(crate) by: PeriodArg,
    /// Parquet file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Count what happened before this day or instant [default: the day after the last event]
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<Timestamp>,
    /// Leave cancellations out, or take them off revenue
    #[arg(long, value_enum, default_value = "exclude")]
    pub(crate) returns: ReturnsArg,
    #[command(flatten)]
    pub(crate) currency: CurrencyArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum PeriodArg {
    Week,
    Month,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MigrateArgs {
    /// What `cip rfm` wrote for an earlier date
    pub(crate) before: PathBuf,
    /// What it wrote for a later one
    pub(crate) after: PathBuf,
    /// Parquet file to write, one row a pair of segments
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}
