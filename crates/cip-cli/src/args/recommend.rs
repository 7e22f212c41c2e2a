//! Arguments of `cip recommend`.

use std::path::PathBuf;
use std::time::Duration;

use cip::basket::Similarity;
use cip::core::Timestamp;
use clap::ValueEnum;

use crate::args::LevelArgs;

#[derive(Debug, clap::Args)]
pub(crate) struct RecommendArgs {
    /// Event store to learn from, or index to ask
    #[arg(value_name = "STORE|INDEX")]
    pub(crate) source: PathBuf,
    /// Of a store: index file to write
    #[arg(long, value_name = "INDEX")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) level: LevelArgs,
    /// Of a store: how like two products are
    #[arg(long, value_enum)]
    pub(crate) similarity: Option<SimilarityArg>,
    /// Of a store: halve the weight of a visit for every such time before the last one, such as 30d
    #[arg(long, value_name = "DURATION", value_parser = cip::core::parse_duration)]
    pub(crate) half_life: Option<Duration>,
    /// Of a store: similar products to keep for each [default: 50]
    #[arg(long, value_name = "N")]
    pub(crate) neighbours: Option<usize>,
    /// Of a store: learn from what happened before this day or instant, and say how well that foretells what happened from it on
    #[arg(long, value_name = "DATE")]
    pub(crate) split: Option<Timestamp>,
    /// Of an index: products of the session
    #[arg(long, value_name = "ID,ID", value_delimiter = ',')]
    pub(crate) session: Vec<String>,
    /// Of an index: products that are not to be recommended
    #[arg(long, value_name = "ID,ID", value_delimiter = ',')]
    pub(crate) owned: Vec<String>,
    /// How many products to recommend
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) count: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SimilarityArg {
    /// Shared visits over the geometric mean of both products' visits
    Cosine,
    /// Shared visits over those expected by chance
    Lift,
    /// Shared visits weighted as terms of a search
    Bm25,
}

impl From<SimilarityArg> for Similarity {
    fn from(similarity: SimilarityArg) -> Self {
        match similarity {
            SimilarityArg::Cosine => Self::Cosine,
            SimilarityArg::Lift => Self::Lift,
            SimilarityArg::Bm25 => Self::Bm25,
        }
    }
}
