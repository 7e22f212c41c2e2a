//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use cip::core::{MemoryBudget, Timestamp};
use clap::{Parser, Subcommand, ValueEnum};

use crate::number::parse_count;

/// Customer intelligence from raw events: a store, sessions, segments.
#[derive(Debug, Parser)]
#[command(name = "cip", version, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What every command takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Common {
    /// Print exactly one JSON object on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Threads to work with [default: all]
    #[arg(long, global = true, value_name = "N", value_parser = parse_threads)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Memory that may be used, such as 256MiB
    #[arg(long, global = true, value_name = "SIZE", default_value = "512MiB")]
    pub(crate) memory: MemoryBudget,
}

fn parse_threads(text: &str) -> Result<NonZeroUsize, String> {
    const MOST: usize = 1_024;
    let threads = text.parse::<NonZeroUsize>().ok().filter(|threads| threads.get() <= MOST);
    threads.ok_or_else(|| format!("write a number from 1 to {MOST}"))
}

impl Common {
    pub(crate) fn threads(&self) -> NonZeroUsize {
        self.threads.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a synthetic world as source files
    Generate(GenerateArgs),
    /// Read source files into an event store
    Ingest(IngestArgs),
    /// Describe a store: rows, time range, users, sessions, bytes by column, rejects
    Info { store: PathBuf },
    /// Show the rows that were refused, by reason
    Rejects {
        store: PathBuf,
        /// Rows to show
        #[arg(long, default_value_t = 10, value_name = "N")]
        limit: usize,
    },
    /// Write one row a session
    Sessions(SessionsArgs),
    /// Write recency, frequency, monetary value, scores and segments, one row a customer
    Rfm(RfmArgs),
    /// Write the products that come together, one row a pair
    Pairs(PairsArgs),
    /// Write what was known of every user before a date, one row a user
    Features(FeaturesArgs),
    /// Learn from a table who will: boosted trees, tested on ids that are held out
    Train(TrainArgs),
    /// Say how well a model foretells the label of a table
    Evaluate(EvaluateArgs),
    /// Write the score, margin and rank of every row of a table
    Score(ScoreArgs),
    /// Write the arm of an experiment for the id of every row of a table
    Assign(AssignArgs),
    /// Say whether the arms of an experiment differ: of a table with a row a unit, or of a store
    Abtest(AbtestArgs),
    /// Do all of it: files in, a folder of results out
    Run(RunArgs),
    /// Generate a shop, run the line on it, and show what it says
    Demo {
        /// Events to generate
        #[arg(long, default_value = "2e6", value_parser = parse_count, value_name = "N")]
        events: u64,
        /// Seed of the generator
        #[arg(long, default_value_t = 7)]
        seed: u64,
        /// Where to put the files and the results
        #[arg(long, default_value = "cip-demo", value_name = "DIR")]
        out: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct GenerateArgs {
    /// Folder to write
    pub(crate) out: PathBuf,
    /// Rows in all
    #[arg(long, value_parser = parse_count, value_name = "N")]
    pub(crate) events: u64,
    /// The same seed gives the same bytes
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// What to simulate: shop, retail or streamflow
    #[arg(long, default_value = "shop")]
    pub(crate) world: cip::synth::World,
    /// An experiment whose effect the shop shows (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) experiment: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SourceArgs {
    /// Files, and folders of .csv, .csv.gz and .csv.zst files
    #[arg(required = true, value_name = "SRC")]
    pub(crate) sources: Vec<PathBuf>,
    /// How its columns become events: rees46, online-retail, streamflow, or a TOML file
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) mapping: String,
    /// Give every event the arm of its user in this experiment (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) experiment: Option<PathBuf>,
    /// Stop, and write nothing, at more rejected rows than this
    #[arg(long, value_parser = parse_count, value_name = "N")]
    pub(crate) max_rejects: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct IngestArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Store to write
    #[arg(long, value_name = "STORE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SessionsArgs {
    pub(crate) store: PathBuf,
    /// Parquet file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// A longer gap starts a new session
    #[arg(long, default_value = "30m", value_parser = cip::core::parse_duration, value_name = "DURATION")]
    pub(crate) timeout: std::time::Duration,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RfmArgs {
    pub(crate) store: PathBuf,
    /// Count what happened before this day or instant
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Timestamp,
    /// Parquet file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) scoring: ScoringArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ScoringArgs {
    /// R and M by quintiles and F by cuts; all by quintiles; or all by cuts of your own
    #[arg(long, value_enum, default_value = "default")]
    pub(crate) scoring: ScoringArg,
    /// Days up to which recency scores 5, 4, 3, 2
    #[arg(long, value_name = "D,D,D,D", value_delimiter = ',')]
    pub(crate) recency_cuts: Option<Vec<i32>>,
    /// Orders from which frequency scores 2, 3, 4, 5
    #[arg(long, value_name = "N,N,N,N", value_delimiter = ',')]
    pub(crate) frequency_cuts: Option<Vec<i64>>,
    /// Amounts from which monetary scores 2, 3, 4, 5
    #[arg(long, value_name = "M,M,M,M", value_delimiter = ',')]
    pub(crate) monetary_cuts: Option<Vec<String>>,
    /// Leave cancellations out, or take them off monetary
    #[arg(long, value_enum, default_value = "exclude")]
    pub(crate) returns: ReturnsArg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ScoringArg {
    Default,
    Ntile,
    Cuts,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ReturnsArg {
    Exclude,
    Net,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PairsArgs {
    pub(crate) store: PathBuf,
    /// Parquet file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Leave out baskets of more distinct products
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub(crate) max_basket: usize,
    /// Leave out pairs that fewer baskets hold
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub(crate) min_together: u32,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FeaturesArgs {
    pub(crate) store: PathBuf,
    /// Compute features from what happened before this day or instant
    #[arg(long, value_name = "DATE")]
    pub(crate) cutoff: Timestamp,
    /// Where the window of the features starts [default: the day of the first event]
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<Timestamp>,
    /// Add a label: whether the user buys from the cutoff up to this day or instant
    #[arg(long, value_name = "DATE")]
    pub(crate) label_until: Option<Timestamp>,
    /// Which features there are
    #[arg(long, value_enum, default_value = "commerce")]
    pub(crate) set: SetArg,
    /// Write only these features, in this order [default: all that the store can give]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub(crate) columns: Option<Vec<String>>,
    /// Parquet file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SetArg {
    Commerce,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TableArgs {
    /// Parquet file, or CSV with a header
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
}

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

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Folder of results to write
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Day or instant of the segments [default: the day after the last event]
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<Timestamp>,
}
