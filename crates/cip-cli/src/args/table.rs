//! Arguments of the commands that learn from a table, or score one.

use std::path::PathBuf;

use cip::propensity::UpliftMethod;

use crate::number::parse_count;

#[derive(Debug, clap::Args)]
pub(crate) struct TableArgs {
    /// Parquet or Arrow file, or CSV with a header
    pub(crate) table: PathBuf,
    /// Columns that are ids: never features [default: user_id, where there is one]
    #[arg(long, value_name = "COL,COL", value_delimiter = ',')]
    pub(crate) id: Vec<String>,
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
    /// Column that says how much each row counts: adds the metrics so counted
    #[arg(long, value_name = "COL")]
    pub(crate) weight: Option<String>,
    /// Add intervals of the metrics, from so many resamples of the rows
    #[arg(long, value_name = "N")]
    pub(crate) bootstrap: Option<u32>,
    /// Decides what is drawn
    #[arg(long, default_value_t = 7, value_name = "N", requires = "bootstrap")]
    pub(crate) seed: u64,
    /// Add what so many best-ranked rows bring
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) budget: Option<u64>,
    /// What contacting one row costs, for the profit
    #[arg(long, value_name = "COST", requires = "value")]
    pub(crate) contact_cost: Option<f64>,
    /// What a positive row brings, in the same currency
    #[arg(long, value_name = "VALUE", requires = "contact_cost")]
    pub(crate) value: Option<f64>,
    /// Add the curves of lift, gain and cumulative response at so many shares of the rows
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) curve: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ScoreArgs {
    #[command(flatten)]
    pub(crate) table: TableArgs,
    /// Model file, of a propensity or of uplift
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
    /// Features whose contributions are drawn against their values [default: the three greatest]
    #[arg(long, value_name = "COL,COL", value_delimiter = ',')]
    pub(crate) dependence: Vec<String>,
    /// Also say what pairs of features do together, over so many rows of the sample, at most 1,000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) interactions: Option<u16>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ConvertArgs {
    /// Model file: of cip, XGBoost's JSON, or LightGBM's text
    pub(crate) model: PathBuf,
    /// The form to write
    #[arg(long, value_enum, value_name = "FORM")]
    pub(crate) to: FormArg,
    /// Model file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// What a model of XGBoost or LightGBM foretells
    #[arg(long, value_name = "COL", default_value = "label")]
    pub(crate) label: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FormArg {
    /// A model file of cip
    Cip,
    /// XGBoost's JSON: the trees alone, without calibration and metrics
    Xgboost,
    /// ONNX: margin and calibrated score of 32-bit features
    Onnx,
}

#[derive(Debug, clap::Args)]
pub(crate) struct UpliftArgs {
    #[command(flatten)]
    pub(crate) table: TableArgs,
    /// Column that says who was treated, at random: true and false, 1 and 0, or the names of arms
    #[arg(long, value_name = "COL")]
    pub(crate) treatment: String,
    /// Column with the outcome: booleans, 0 and 1, or yes and no
    #[arg(long, value_name = "COL", required_unless_present = "amount")]
    pub(crate) outcome: Option<String>,
    /// Column with the outcome where it is an amount, such as what was spent
    #[arg(long, value_name = "COL", conflicts_with = "outcome")]
    pub(crate) amount: Option<String>,
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
    /// Model file to write, learned from all rows of both arms: `cip score` applies it to other tables
    #[arg(long, value_name = "MODEL")]
    pub(crate) model_out: Option<PathBuf>,
}
