//! Arguments of the command that learns a model.

use std::num::NonZeroU32;
use std::path::PathBuf;

use cip::core::Timestamp;
use cip::propensity::{Calibration, ClassWeight, IdSplit, Monotone};

use crate::args::TableArgs;

#[derive(Debug, clap::Args)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) table: TableArgs,
    /// Column to foretell: booleans, 0 and 1, or yes and no
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
    /// Columns that are codes of something: categories even where they are numbers
    #[arg(long, value_name = "COL,COL", value_delimiter = ',')]
    pub(crate) categorical: Vec<String>,
    /// Column that says how much each row counts, 0 or more: never a feature
    #[arg(long, value_name = "COL")]
    pub(crate) weight: Option<String>,
    /// Trees to grow
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub(crate) trees: u32,
    /// The most leaves of a tree
    #[arg(long, default_value_t = 31, value_name = "N")]
    pub(crate) leaves: u32,
    /// The most splits from the root of a tree to a leaf [default: any]
    #[arg(long, value_name = "N")]
    pub(crate) depth: Option<NonZeroU32>,
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
    /// Stop after so many rounds without a lower log loss of the rows to validate on
    #[arg(long, value_name = "N")]
    pub(crate) early_stopping: Option<NonZeroU32>,
    /// The share of the ids, or of the rows by time, that is kept to validate on where boosting stops early
    #[arg(long, default_value_t = IdSplit::VALIDATION_SHARE, value_name = "SHARE", conflicts_with = "validation")]
    pub(crate) validation_share: f64,
    /// Table to validate on, in place of a share
    #[arg(long, value_name = "TABLE", requires = "early_stopping")]
    pub(crate) validation: Option<PathBuf>,
    /// Table to calibrate on, in place of a share: of a later cutoff
    #[arg(long, value_name = "TABLE")]
    pub(crate) calibrate: Option<PathBuf>,
    /// How much a positive row counts beside a negative one: a number, or `balanced`
    #[arg(long, value_name = "balanced|NUMBER", value_parser = parse_class_weight, allow_negative_numbers = true)]
    pub(crate) class_weight: Option<ClassWeight>,
    /// Features with which the margin may only rise (+1) or only fall (-1)
    #[arg(long, value_name = "COL=+1,COL=-1", value_delimiter = ',', value_parser = parse_monotone)]
    pub(crate) monotone: Vec<(String, Monotone)>,
    /// Try so many parameters on folds of the rows to train on, and take the best
    #[arg(long, value_name = "N")]
    pub(crate) search: Option<u32>,
    /// Folds of the search: of later days with --time, of other ids without
    #[arg(long, default_value_t = 3, value_name = "N", requires = "search")]
    pub(crate) folds: u32,
    /// Deal rows to sides by lot, with the same share of positives on each: users and days are not looked at
    #[arg(long, conflicts_with_all = ["time", "group", "sample"])]
    pub(crate) stratified: bool,
    /// Column of days: test on the latest rows, calibrate on those before; never a feature
    #[arg(long, value_name = "COL")]
    pub(crate) time: Option<String>,
    /// Days that a label looks ahead of its row
    #[arg(long, value_name = "DAYS", default_value_t = 0, requires = "time")]
    pub(crate) label_days: u32,
    /// Days to leave out before a later side [default: those that a label looks ahead]
    #[arg(long, value_name = "DAYS", requires = "time")]
    pub(crate) gap_days: Option<u32>,
    /// Column whose rows of one value are on one side; never a feature [default: the first id; with --time, none]
    #[arg(long, value_name = "COL")]
    pub(crate) group: Option<String>,
    /// The cutoff of the features, for the model card
    #[arg(long, value_name = "DATE")]
    pub(crate) cutoff: Option<Timestamp>,
}

/// Reads `balanced`, or a number.
fn parse_class_weight(text: &str) -> Result<ClassWeight, String> {
    if text == "balanced" {
        return Ok(ClassWeight::Balanced);
    }
    text.parse().map(ClassWeight::Positive).map_err(|_| "write balanced, or a number such as 4".to_owned())
}

/// Reads `feature=+1` or `feature=-1`.
fn parse_monotone(text: &str) -> Result<(String, Monotone), String> {
    let direction = match text.rsplit_once('=') {
        Some((feature, "+1" | "1")) => Some((feature, Monotone::Increasing)),
        Some((feature, "-1")) => Some((feature, Monotone::Decreasing)),
        _ => None,
    };
    let found = direction.filter(|(feature, _)| !feature.is_empty());
    found
        .map(|(feature, direction)| (feature.to_owned(), direction))
        .ok_or_else(|| "write a feature and +1 or -1, such as carts=+1".to_owned())
}
