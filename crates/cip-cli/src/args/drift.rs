//! Arguments of `cip drift`.

use std::path::PathBuf;

use cip::drift::Preset;

#[derive(Debug, clap::Args)]
pub(crate) struct DriftArgs {
    /// What a model learned from, or an earlier time: Parquet or Arrow file, CSV with a header, or a sketch of such a table
    pub(crate) reference: PathBuf,
    /// What is now
    pub(crate) current: PathBuf,
    /// Columns that are ids: never features [default: user_id, where there is one]
    #[arg(long, value_name = "COL,COL", value_delimiter = ',')]
    pub(crate) id: Vec<String>,
    /// Columns to compare [default: all but ids; with a model, its features]
    #[arg(long, value_name = "COL,COL", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// Columns to leave out, such as a label
    #[arg(long, value_name = "COL,COL", value_delimiter = ',', conflicts_with = "columns")]
    pub(crate) exclude: Vec<String>,
    /// Column of a model's scores: its drift is told apart, and of probabilities what the model achieves
    #[arg(long, value_name = "COL", conflicts_with = "model")]
    pub(crate) score: Option<String>,
    /// Model file, to score both tables and to say how much it leans on what drifts
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<PathBuf>,
    /// The score from which on a row is foretold as positive
    #[arg(long, default_value_t = 0.5, value_name = "SCORE")]
    pub(crate) threshold: f64,
    /// Whose conventions judge: cip, evidently or nannyml
    #[arg(long, default_value_t = Preset::Cip, value_name = "PRESET")]
    pub(crate) preset: Preset,
    /// The level of significance
    #[arg(long, default_value_t = 0.05, value_name = "LEVEL")]
    pub(crate) alpha: f64,
    /// Sketch of the reference to write, to compare later tables with it where the reference is no longer there
    #[arg(long, value_name = "FILE")]
    pub(crate) reference_sketch: Option<PathBuf>,
    /// Page to write (HTML)
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}
