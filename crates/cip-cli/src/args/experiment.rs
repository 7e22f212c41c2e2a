//! Arguments of the commands of experiments.

use std::path::PathBuf;

use cip::core::Timestamp;

#[derive(Debug, clap::Args)]
pub(crate) struct AssignArgs {
    /// Parquet or CSV file
    pub(crate) table: PathBuf,
    /// The experiment (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) experiment: PathBuf,
    /// Parquet file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Column of the ids that are assigned: integers or text
    #[arg(long, value_name = "COL", default_value = "user_id")]
    pub(crate) id: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AbtestArgs {
    /// Parquet or CSV file with a row a unit, or an event store
    #[arg(value_name = "TABLE|STORE")]
    pub(crate) input: PathBuf,
    /// Of a table: column of the arm
    #[arg(long, value_name = "COL")]
    pub(crate) variant: Option<String>,
    /// Of a table: column of 0 and 1 (or false and true), or of other numbers
    #[arg(long, value_name = "COL")]
    pub(crate) outcome: Option<String>,
    /// Of a table: column of the unit, of which every row must have one of its own
    #[arg(long, value_name = "COL")]
    pub(crate) unit: Option<String>,
    /// Of a table: the arm that the others are compared with [default: control, else the first of two]
    #[arg(long, value_name = "NAME")]
    pub(crate) control: Option<String>,
    /// Of a table: expected shares of the units, such as a=9,b=1 [default: equal]
    #[arg(long, value_name = "NAME=W,…", value_delimiter = ',', value_parser = parse_weight)]
    pub(crate) weights: Vec<(String, f64)>,
    /// Of a store: the experiment that assigned its users (TOML) [default: that of the ingest]
    #[arg(long, value_name = "FILE")]
    pub(crate) experiment: Option<PathBuf>,
    /// Of a store: the event type that is a success
    #[arg(long, value_name = "TYPE")]
    pub(crate) metric: Option<String>,
    /// Of a store: count what happened from this day or instant on
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<Timestamp>,
    /// Of a store: count what happened before this day or instant
    #[arg(long, value_name = "DATE")]
    pub(crate) until: Option<Timestamp>,
    /// Allowed probability of a false finding
    #[arg(long, value_name = "P", default_value_t = 0.05)]
    pub(crate) alpha: f64,
    /// p-value of the sample ratio below which nothing is to be trusted
    #[arg(long, value_name = "P", default_value_t = 0.01)]
    pub(crate) srm_alpha: f64,
}

fn parse_weight(text: &str) -> Result<(String, f64), String> {
    let (arm, weight) = text.rsplit_once('=').ok_or("write an arm, an equals sign and a weight: a=1")?;
    Ok((arm.to_owned(), weight.parse().map_err(|_| format!("`{weight}` is not a number"))?))
}
