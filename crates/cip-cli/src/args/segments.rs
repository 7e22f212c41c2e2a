//! Arguments of the commands that group customers, and follow the groups.

use std::path::PathBuf;

use cip::core::Timestamp;
use cip::rfm::clusters::ClusterChoice;
use clap::ValueEnum;

use super::{CurrencyArgs, ReturnsArg, WindowArgs};

#[derive(Debug, clap::Args)]
pub(crate) struct CohortsArgs {
    pub(crate) store: PathBuf,
    /// What customers are grouped by: the week, from Monday, or the month of their first purchase
    #[arg(long, value_enum)]
    pub(crate) by: PeriodArg,
    /// File to write: CSV where it ends in .csv, else Parquet
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
pub(crate) struct SegmentsArgs {
    pub(crate) store: PathBuf,
    /// Count what happened before this day or instant
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Timestamp,
    #[command(flatten)]
    pub(crate) window: WindowArgs,
    /// Folder to write: tables, and the model that assigns customers
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Assign customers by this model, which an earlier run wrote, and fit none
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["seed", "most", "choose"])]
    pub(crate) model: Option<PathBuf>,
    /// Seed of the first centroids
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Try 2 to so many clusters
    #[arg(long, value_name = "K", default_value_t = 10)]
    pub(crate) most: usize,
    /// What the number of clusters is chosen by
    #[arg(long, value_enum, default_value = "both")]
    pub(crate) choose: ChooseArg,
    /// Leave cancellations out, or take them off monetary
    #[arg(long, value_enum, default_value = "exclude")]
    pub(crate) returns: ReturnsArg,
    #[command(flatten)]
    pub(crate) currency: CurrencyArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ChooseArg {
    /// By 0.6 of the silhouette and 0.4 of the elbow
    Both,
    /// By how far clusters lie apart
    Silhouette,
    /// By where more clusters stop to help
    Elbow,
}

impl From<ChooseArg> for ClusterChoice {
    fn from(choice: ChooseArg) -> Self {
        match choice {
            ChooseArg::Both => Self::Both,
            ChooseArg::Silhouette => Self::Silhouette,
            ChooseArg::Elbow => Self::Elbow,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct MigrateArgs {
    /// What `cip rfm` wrote for an earlier date
    pub(crate) before: PathBuf,
    /// What it wrote for a later one
    pub(crate) after: PathBuf,
    /// File to write, one row a pair of segments: CSV where it ends in .csv, else Parquet
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}
