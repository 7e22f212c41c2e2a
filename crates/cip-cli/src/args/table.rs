//! Arguments of the commands that learn from a table, or score one.

use std::path::PathBuf;

use cip::propensity::{Calibration, IdSplit, UpliftMethod};

#[derive(Debug, clap::Args)]
pub(crate) struct TableArgs {
    /// Parquet or Arrow file, or CSV with a header
    pub(crate) table: PathBuf,
    /// Columns that are ids: never features [default: user_id, where there is one]
    #[arg(long, value_name = "COL,COL", value_delimiter = ',')]
    pub(crate) id: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) table: TableArgs,
    /// Column to foretell: booleans, or 0 and 1
    #[arg(long, value_name = "COL")]
    pub(crate) label: String,
    /// Model file to write
    #[arg(long, value_name = "MODEL")]
    pub(crate) out: PathBuf,
    /// Columns to learn from [default: all but ids and label]
    #[arg(long, value_name = "COL,COL", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// Columns to leave out
    #[arg(long, value_name = "COL,COL", value_delimiter = ',', conflicts_with = "columns")]
    pub(crate) exclude: Vec<String>,
    /// Trees to grow
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub(crate) trees: u32,
    /// The most leaves of a tree
    #[arg(long, default_value_t = 31, value_name = "N")]
    pub(crate) leaves: u32,
    /// The share of each tree's step that is taken
    #[arg(long, default_value_t = 0.1, value_name = "RATE")]
    pub(crate) learning_rate: f64,
    /// Decides which ids are held out
    #[arg(long, default_value_t = 7, value_name = "N")]
    pub(crate) seed: u64,
    /// The share of ids to hold out and test on
    #[arg(long, default_value_t = 0.2, value_name = "SHARE")]
    pub(crate) hold_out: f64,
    /// How margins become probabilities: platt, isotonic, beta or none
    #[arg(long, default_value_t = Calibration::Platt, value_name = "METHOD")]
    pub(crate) calibration: Calibration,
    /// The share of the ids to train on that is kept for the calibration
    #[arg(long, default_value_t = IdSplit::CALIBRATION_SHARE, value_name = "SHARE")]
    pub(crate) calibration_share: f64,
    /// The share of ids to use at all
    #[arg(long, default_value_t = 1.0, value_name = "SHARE")]
    pub(crate) sample: f64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    pub(crate) table: TableArgs,
    /// Model file
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// Column that was to be foretold
    #[arg(long, value_name = "COL")]
    pub(crate) label: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ScoreArgs {
    #[command(flatten)]
    pub(crate) table: TableArgs,
    /// Model file
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// Parquet file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Also write what each feature adds to the margin of each row
    #[arg(long)]
    pub(crate) explain: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) table: TableArgs,
    /// Model file
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// Folder to write
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Ids of customers to explain one by one; without an id column, numbers of rows from 0
    #[arg(long, value_name = "ID,ID", value_delimiter = ',')]
    pub(crate) customer: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct UpliftArgs {
    #[command(flatten)]
    pub(crate) table: TableArgs,
    /// Column that says who was treated, at random: true and false, 1 and 0, or the names of arms
    #[arg(long, value_name = "COL")]
    pub(crate) treatment: String,
    /// Column with the outcome: booleans, or 0 and 1
    #[arg(long, value_name = "COL")]
    pub(crate) outcome: String,
    /// The arm that was treated, where there are names
    #[arg(long, value_name = "NAME", requires = "control")]
    pub(crate) treated: Option<String>,
    /// The arm that was not
    #[arg(long, value_name = "NAME", requires = "treated")]
    pub(crate) control: Option<String>,
    /// How to learn: two-model or transformed-outcome
    #[arg(long, default_value_t = UpliftMethod::TwoModel, value_name = "METHOD")]
    pub(crate) method: UpliftMethod,
    /// Columns to learn from [default: all but ids, treatment and outcome]
    #[arg(long, value_name = "COL,COL", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// Columns to leave out: all that came after the treatment
    #[arg(long, value_name = "COL,COL", value_delimiter = ',', conflicts_with = "columns")]
    pub(crate) exclude: Vec<String>,
    /// Folds: each row has its uplift from models of the others
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub(crate) folds: u32,
    /// Trees of each model
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub(crate) trees: u32,
    /// The most leaves of a tree
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub(crate) leaves: u32,
    /// The share of each tree's step that is taken
    #[arg(long, default_value_t = 0.05, value_name = "RATE")]
    pub(crate) learning_rate: f64,
    /// Decides which ids are in which fold
    #[arg(long, default_value_t = 7, value_name = "N")]
    pub(crate) seed: u64,
    /// Table of uplift to write (Parquet)
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}
