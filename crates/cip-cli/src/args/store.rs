//! Arguments of the commands that make a table of a store.

use std::path::PathBuf;
use std::time::Duration;

use cip::core::Timestamp;
use cip::features::{FeatureSet, Moment};
use cip::rfm::{Returns, Rfm, RfmError, Weights};
use cip::sessionize::Midnight;
use clap::ValueEnum;

/// What the stages take that sum money.
#[derive(Debug, clap::Args)]
pub(crate) struct CurrencyArgs {
    /// Read only the events of this currency; a store with amounts in several needs it, once for each
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,
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
    /// What holds the events of a session together
    #[arg(long, value_enum, default_value = "inactivity")]
    pub(crate) by: BasisArg,
    /// A session holds the events before its start plus this
    #[arg(long, value_parser = cip::core::parse_duration, value_name = "DURATION")]
    pub(crate) max_length: Option<std::time::Duration>,
    /// End sessions at midnight of UTC, of a time zone such as Europe/Berlin, or of an offset such as +01:00
    #[arg(long, value_name = "ZONE|+HH:MM", allow_hyphen_values = true)]
    pub(crate) cut_at_midnight: Option<Midnight>,
    /// End sessions where one of these columns changes, such as a campaign; nulls are no change
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    pub(crate) cut_on: Vec<String>,
    /// Say also how the sessions of the source lie in these
    #[arg(long)]
    pub(crate) compare_source: bool,
    /// Folder that keeps the table from one run to the next: a run reads the users of new commits, and writes diff.parquet there
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) currency: CurrencyArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum BasisArg {
    /// No pause longer than the timeout
    Inactivity,
    /// The source's own sessions; events that have none, by inactivity
    Source,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FunnelArgs {
    pub(crate) store: PathBuf,
    /// Event types in their order, 2 to 32
    #[arg(long, value_name = "TYPE,TYPE,...", value_delimiter = ',', required = true)]
    pub(crate) steps: Vec<String>,
    /// How long after the first step the last may come
    #[arg(long, value_parser = cip::core::parse_duration, value_name = "DURATION")]
    pub(crate) within: std::time::Duration,
    /// Parquet file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Whether the steps must come in this order
    #[arg(long, value_enum, default_value = "strict")]
    pub(crate) order: OrderArg,
    /// Whether the steps may lie in different sessions of a user
    #[arg(long, value_enum, default_value = "user")]
    pub(crate) scope: ScopeArg,
    /// Count abandoned carts by this column as well, at the first event of each session, such as `device_type`
    #[arg(long, value_name = "COL")]
    pub(crate) segment: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum OrderArg {
    /// One after the other; other events may lie between
    Strict,
    /// In any order
    Any,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ScopeArg {
    /// All events of a user
    User,
    /// One session of a user, which a pause of more than 30 minutes ends
    Session,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PathsArgs {
    pub(crate) store: PathBuf,
    /// Parquet file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Whose events make one path
    #[arg(long, value_enum, default_value = "session")]
    pub(crate) scope: ScopeArg,
    /// The most steps of a path, 1 to 32
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub(crate) max_steps: usize,
    /// Take the last steps up to the first event of this type, instead of the first steps
    #[arg(long, value_name = "TYPE")]
    pub(crate) to: Option<String>,
    /// What events of one type are that follow each other
    #[arg(long, value_enum, default_value = "collapse")]
    pub(crate) repeats: RepeatsArg,
    /// Paths to write: those that are taken most often
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) top: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RepeatsArg {
    /// One step together
    Collapse,
    /// A step each
    Keep,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RfmArgs {
    pub(crate) store: PathBuf,
    /// Count what happened before this day or instant
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Timestamp,
    #[command(flatten)]
    pub(crate) window: WindowArgs,
    /// Parquet file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Folder that keeps what customers bought from one run to the next: a run reads the events of new commits alone
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Adds one score of the three by their weights, as in r=0.5,f=0.3,m=0.2
    #[arg(long, value_name = "WEIGHTS")]
    pub(crate) weights: Option<Weights>,
    #[command(flatten)]
    pub(crate) scoring: ScoringArgs,
    #[command(flatten)]
    pub(crate) currency: CurrencyArgs,
}

/// Where what counts begins.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct WindowArgs {
    /// Count only what happened at or after this day or instant [default: all before --as-of]
    #[arg(long, value_name = "DATE", conflicts_with = "window")]
    from: Option<Timestamp>,
    /// Count only what happened within so long before --as-of, such as 365d
    #[arg(long, value_name = "DURATION", value_parser = cip::core::parse_duration)]
    window: Option<Duration>,
}

impl WindowArgs {
    /// The analysis of what happened in the window.
    pub(crate) fn of(self, rfm: Rfm) -> Result<Rfm, RfmError> {
        match (self.from, self.window) {
            (Some(from), _) => rfm.with_from(from),
            (None, Some(window)) => rfm.with_window(window),
            (None, None) => Ok(rfm),
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct ScoringArgs {
    /// R and M by quintiles and F by cuts; all by quintiles; all by any quantiles; or all by cuts of your own
    #[arg(long, value_enum, default_value = "default")]
    pub(crate) scoring: ScoringArg,
    /// With quantiles: the greatest score, 3 to 10 [default: 5]
    #[arg(long, value_name = "N")]
    pub(crate) bins: Option<u8>,
    /// With quantiles: whether equal customers are told apart by user_id, or score equal [default: together]
    #[arg(long, value_enum)]
    pub(crate) ties: Option<TiesArg>,
    /// What the scores are called: eight, five, eleven, or a TOML file that gives every code of scores a segment
    #[arg(long, value_name = "MAP|FILE.toml", default_value = "eight")]
    pub(crate) map: String,
    /// Days up to which recency has the best score, the second best, …; 2 to 9 cuts, as many for each measure
    #[arg(long, value_name = "D,D,D,D", value_delimiter = ',')]
    pub(crate) recency_cuts: Option<Vec<i32>>,
    /// Orders from which frequency scores 2, 3, …
    #[arg(long, value_name = "N,N,N,N", value_delimiter = ',')]
    pub(crate) frequency_cuts: Option<Vec<i64>>,
    /// Amounts from which monetary scores 2, 3, …
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
    Quantiles,
    Cuts,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum TiesArg {
    ByUser,
    Together,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ReturnsArg {
    Exclude,
    Net,
}

impl From<ReturnsArg> for Returns {
    fn from(returns: ReturnsArg) -> Self {
        match returns {
            ReturnsArg::Exclude => Self::Exclude,
            ReturnsArg::Net => Self::Net,
        }
    }
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
    /// Add a label: whether the user buys, or cancels, from the cutoff up to this day or instant
    #[arg(long, value_name = "DATE")]
    pub(crate) label_until: Option<Timestamp>,
    /// For which kind of source the features are, and what the label foretells
    #[arg(long, value_enum, default_value = "commerce")]
    pub(crate) set: SetArg,
    /// Compute the features that this file specifies, in place of a set's; without a label of its own, that of the set
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) spec: Option<PathBuf>,
    /// Write the specification again, with the values that `top` found: later tables then have the same columns
    #[arg(long, value_name = "FILE.toml", requires = "spec")]
    pub(crate) write_spec: Option<PathBuf>,
    /// Tell which pairs of features have a correlation of at least this, positive or negative
    #[arg(long, value_name = "0..1")]
    pub(crate) correlated: Option<f64>,
    /// Rows of sessions in place of users: those with a cart that start in the window, and whether they are abandoned
    #[arg(
        long,
        value_enum,
        value_name = "TASK",
        conflicts_with_all = ["set", "spec", "columns", "correlated", "label_until"]
    )]
    pub(crate) task: Option<TaskArg>,
    /// When a session is scored: what comes later is not known
    #[arg(long, value_enum, default_value = "first-cart", requires = "task")]
    pub(crate) moment: MomentArg,
    /// Write only these features, in this order [default: all that the store can give, or the specification has]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub(crate) columns: Option<Vec<String>>,
    /// Parquet file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) currency: CurrencyArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum TaskArg {
    /// Sessions with a cart; the label is no purchase in the session
    CartAbandonment,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum MomentArg {
    /// With the first cart
    FirstCart,
    /// With the last event: too late to act, and it flatters
    End,
}

impl From<MomentArg> for Moment {
    fn from(moment: MomentArg) -> Self {
        match moment {
            MomentArg::FirstCart => Self::FirstCart,
            MomentArg::End => Self::End,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SetArg {
    /// A shop; the label is a purchase
    Commerce,
    /// A subscription video service; the label is a cancelled subscription
    Streamflow,
}

impl From<SetArg> for FeatureSet {
    fn from(set: SetArg) -> Self {
        match set {
            SetArg::Commerce => Self::Commerce,
            SetArg::Streamflow => Self::StreamFlow,
        }
    }
}
