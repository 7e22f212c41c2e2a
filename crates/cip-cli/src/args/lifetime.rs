//! Arguments of the command that says what customers are worth.

use std::path::PathBuf;

use cip::core::Timestamp;
use clap::ValueEnum;

use super::CurrencyArgs;

#[derive(Debug, clap::Args)]
pub(crate) struct ClvArgs {
    /// A store, or a table with frequency, recency, T and perhaps monetary_value, one row a customer
    #[arg(value_name = "STORE|SUMMARY")]
    pub(crate) source: PathBuf,
    /// What customers are taken to do
    #[arg(long, value_enum)]
    pub(crate) model: ModelArg,
    /// Periods ahead: units of T, weeks where it is a store
    #[arg(long, default_value_t = 52, value_name = "N")]
    pub(crate) horizon: u32,
    /// How much less a purchase is worth that comes a period later
    #[arg(long, default_value_t = 0.0, value_name = "RATE")]
    pub(crate) discount_rate: f64,
    /// Parquet file to write, one row a customer
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Whether the first purchase tells what a customer spends; of a summary, whether monetary_value counts it in
    #[arg(long, value_enum, default_value = "exclude")]
    pub(crate) first_purchase: FirstPurchaseArg,
    /// Whether customers without a repeat purchase have a say in the model of purchases
    #[arg(long, value_enum, default_value = "keep")]
    pub(crate) single_buyers: SingleBuyersArg,
    /// Of a store: count what happened before this day or instant [default: the day after the last event]
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<Timestamp>,
    /// Of a store: fit to what happened before this day or instant, and compare with what followed
    #[arg(long, value_name = "DATE")]
    pub(crate) calibrate_until: Option<Timestamp>,
    /// Of a store: the unit of time [default: week]
    #[arg(long, value_enum, value_name = "UNIT")]
    pub(crate) unit: Option<UnitArg>,
    /// Of a summary: the column of ids [default: user_id, where there is one, else the number of the row]
    #[arg(long, value_name = "COL")]
    pub(crate) id: Option<String>,
    /// Of a summary: how many customers a row stands for
    #[arg(long, value_name = "COL")]
    pub(crate) weight: Option<String>,
    #[command(flatten)]
    pub(crate) currency: CurrencyArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModelArg {
    /// They leave after a repeat purchase
    Bgnbd,
    /// They leave after any purchase, also the first
    Mbgnbd,
    /// They leave at any time
    Paretonbd,
    /// Only what they spend a purchase
    Gammagamma,
    /// They have a contract, renewed `frequency` times of `T`
    Sbg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum FirstPurchaseArg {
    Exclude,
    Include,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SingleBuyersArg {
    Keep,
    Drop,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum UnitArg {
    Day,
    Week,
}
