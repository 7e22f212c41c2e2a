//! Arguments of the commands of experiments.

use std::path::PathBuf;
use std::time::Duration;

use cip::core::{Timestamp, parse_duration};

use crate::number::parse_count;

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
    /// Of a table: column to divide the outcome by: the metric is the ratio of their sums
    #[arg(long, value_name = "COL", conflicts_with = "strata")]
    pub(crate) denominator: Option<String>,
    /// Of a table: column of the unit, of which every row must have one of its own
    #[arg(long, value_name = "COL", conflicts_with = "cluster")]
    pub(crate) unit: Option<String>,
    /// Of a table: column of what was assigned and has several rows, such as the user of a session
    #[arg(long, value_name = "COL", conflicts_with = "strata")]
    pub(crate) cluster: Option<String>,
    /// Of a table: the arm that the others are compared with [default: control, else the first of two]
    #[arg(long, value_name = "NAME")]
    pub(crate) control: Option<String>,
    /// Of a table: expected shares of the units, such as a=9,b=1 [default: equal]
    #[arg(long, value_name = "NAME=W,…", value_delimiter = ',', value_parser = parse_weight)]
    pub(crate) weights: Vec<(String, f64)>,
    /// The experiment (TOML): of a store it assigns the users [default: that of the ingest], of a table it has control, shares,
    /// level and time
    #[arg(long, value_name = "FILE")]
    pub(crate) experiment: Option<PathBuf>,
    /// Of a store: the event type that is a success
    #[arg(long, value_name = "TYPE")]
    pub(crate) metric: Option<String>,
    /// Of a store: what is measured of the events of that type
    #[arg(long, value_enum, default_value_t = MeasureArg::Converted)]
    pub(crate) measure: MeasureArg,
    /// Of a store: adjust by the same measure of so long before the start (CUPED), such as 14d
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) before: Option<Duration>,
    /// Of a store: the event type that exposes a user [default: any event]
    #[arg(long, value_name = "TYPE")]
    pub(crate) exposed_by: Option<String>,
    /// Of a store: count what happened from this day or instant on
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<Timestamp>,
    /// Of a store: count what happened before this day or instant
    #[arg(long, value_name = "DATE")]
    pub(crate) until: Option<Timestamp>,
    /// Of a table: column of what a unit did before the experiment, which makes the effect more certain (CUPED)
    #[arg(long, value_name = "COL")]
    pub(crate) covariate: Option<String>,
    /// Of a table: column to divide the covariate by, of a ratio [default: 1 each]
    #[arg(long, value_name = "COL", requires = "covariate")]
    pub(crate) covariate_denominator: Option<String>,
    /// Of a table: column of strata that were known before: the effect is that of both arms' strata together
    #[arg(long, value_name = "COL")]
    pub(crate) strata: Option<String>,
    /// Compare this quantile instead of means, such as 0.9
    #[arg(
        long,
        value_name = "P",
        conflicts_with_all = ["denominator", "cluster", "covariate", "strata", "segment", "winsorise"]
    )]
    pub(crate) quantile: Option<f64>,
    /// Resample the difference so many times (BCa)
    #[arg(long, value_name = "N", value_parser = parse_count, conflicts_with_all = ["denominator", "cluster", "covariate", "strata"])]
    pub(crate) bootstrap: Option<u64>,
    /// Decides which units are drawn
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub(crate) seed: u64,
    /// The test that decides
    #[arg(long, value_enum, default_value_t = TestArg::Usual)]
    pub(crate) test: TestArg,
    /// The interval around differences of rates
    #[arg(long, value_enum, default_value_t = IntervalArg::Wald)]
    pub(crate) interval: IntervalArg,
    /// Column of segments, such as a country, whose effects are compared; of a store that of the exposing event
    #[arg(long, value_name = "COL")]
    pub(crate) segment: Option<String>,
    /// Of a table: column of the date or instant of the exposure: the effect day by day, and checks of it (a store has days)
    #[arg(long, value_name = "COL")]
    pub(crate) day: Option<String>,
    /// Of a table: column of the instant of the exposure, which must lie within the time of the experiment
    #[arg(long, value_name = "COL")]
    pub(crate) exposed_at: Option<String>,
    /// Of a table: the day or instant from which units are exposed [default: that of the experiment]
    #[arg(long, value_name = "DATE", requires = "exposed_at")]
    pub(crate) start: Option<Timestamp>,
    /// Of a table: the day or instant before which units are exposed [default: that of the experiment]
    #[arg(long, value_name = "DATE", requires = "exposed_at")]
    pub(crate) end: Option<Timestamp>,
    /// Judge at one of so many planned looks at equal distances
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100), conflicts_with = "sequential")]
    pub(crate) looks: Option<u32>,
    /// Which of the looks this is, from 1 [default: the last]
    #[arg(long, value_name = "K", requires = "looks")]
    pub(crate) look: Option<u32>,
    /// How the looks spend the level
    #[arg(long, value_enum, requires = "looks", default_value_t = SpendingArg::ObrienFleming)]
    pub(crate) spending: SpendingArg,
    /// Judge as one who looks at any time (confidence sequence)
    #[arg(long)]
    pub(crate) sequential: bool,
    /// Units at which the confidence sequence is tightest [default: 5000]
    #[arg(long, value_name = "N", requires = "sequential", value_parser = parse_count)]
    pub(crate) tuning: Option<u64>,
    /// Standard deviation of the effects that are believed possible: the sequential test is then the mSPRT
    #[arg(long, value_name = "SD", requires = "sequential", conflicts_with = "tuning")]
    pub(crate) prior_deviation: Option<f64>,
    /// Tell the chance to win and what a wrong choice loses
    #[arg(long)]
    pub(crate) bayesian: bool,
    /// How p-values of several arms or segments are adjusted
    #[arg(long, value_enum, default_value_t = CorrectionArg::Bonferroni)]
    pub(crate) correction: CorrectionArg,
    /// Test that the arm is not worse by this much
    #[arg(long, value_name = "D")]
    pub(crate) non_inferiority: Option<f64>,
    /// Test that the arms differ by less than this
    #[arg(long, value_name = "D")]
    pub(crate) equivalence: Option<f64>,
    /// Share of outcomes that are no outliers, such as 0.999, to see whether the rest decide
    #[arg(long, value_name = "SHARE")]
    pub(crate) winsorise: Option<f64>,
    /// Parquet file of all effects to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// HTML page with charts to write
    #[arg(long, value_name = "FILE")]
    pub(crate) chart: Option<PathBuf>,
    /// Allowed probability of a false finding [default: that of the experiment, else 0.05]
    #[arg(long, value_name = "P")]
    pub(crate) alpha: Option<f64>,
    /// p-value of the sample ratio below which nothing is to be trusted
    #[arg(long, value_name = "P", default_value_t = 0.01)]
    pub(crate) srm_alpha: f64,
}

/// What is measured of a user's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum MeasureArg {
    /// Whether there is any
    Converted,
    /// How many there are
    Events,
    /// What they are worth: price times quantity
    Amount,
    /// The same over their number, as a ratio of sums
    AmountPerEvent,
}

/// The test whose p-value decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TestArg {
    /// Chi-square of rates, Welch's t of numbers
    Usual,
    /// Of rates: chi-square with Yates' correction
    Yates,
    /// Of rates: the likelihood-ratio test
    G,
    /// Of rates: the exact test
    Fisher,
    /// Of numbers: the ranks
    MannWhitney,
}

/// The interval around differences of rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum IntervalArg {
    /// The rates and their standard errors
    Wald,
    /// From the intervals of both rates
    Newcombe,
    /// By the score test (Miettinen and Nurminen)
    Score,
}

/// How planned looks spend the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SpendingArg {
    /// Hardly anything before the end
    ObrienFleming,
    /// Boundaries that are nearly alike
    Pocock,
}

/// How p-values of several arms or segments are adjusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum CorrectionArg {
    /// The probability of any false finding, each test alike
    Bonferroni,
    /// The same, with fewer findings missed
    Holm,
    /// The share of false ones among the findings
    BenjaminiHochberg,
    /// Each test by itself
    None,
}

/// How the units of a planned experiment are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum DesignArg {
    /// Once, at the end
    Fixed,
    /// At equal distances, hardly before the end
    ObrienFleming,
    /// At equal distances, with boundaries that are nearly alike
    Pocock,
    /// At any time, as often as one likes
    Sequential,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PowerArgs {
    /// Rate of the control, of units that succeed or not
    #[arg(long, value_name = "RATE", required_unless_present = "deviation", conflicts_with = "deviation")]
    pub(crate) baseline: Option<f64>,
    /// Standard deviation of a number a unit (of a ratio, that of the delta method)
    #[arg(long, value_name = "SD")]
    pub(crate) deviation: Option<f64>,
    /// Effect to find, absolute: 0.005 is half a percentage point
    #[arg(long, value_name = "D", allow_negative_numbers = true)]
    pub(crate) effect: Option<f64>,
    /// Effect to find, relative to --baseline: 0.1 is a tenth more
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["effect", "deviation"], allow_negative_numbers = true)]
    pub(crate) lift: Option<f64>,
    /// Units of each arm: alone, the least effect that is found; with an effect, the power
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) units: Option<u64>,
    /// Units that come a day, to all arms: tells how long it lasts
    #[arg(long, value_name = "N/day", value_parser = parse_traffic)]
    pub(crate) traffic: Option<f64>,
    /// Allowed probability of a false finding
    #[arg(long, value_name = "P", default_value_t = 0.05)]
    pub(crate) alpha: f64,
    /// Probability to find the effect
    #[arg(long, value_name = "P", default_value_t = 0.8)]
    pub(crate) power: f64,
    /// Arms of equal size, the control included
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) arms: u32,
    /// When it is looked at
    #[arg(long, value_enum, default_value_t = DesignArg::Fixed)]
    pub(crate) design: DesignArg,
    /// Looks of obrien-fleming and pocock
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) looks: u32,
    /// Share of the variance that a covariate explains (CUPED)
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) variance_explained: f64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SrmArgs {
    /// Parquet or CSV file with a row a unit
    #[arg(required_unless_present = "counts", conflicts_with = "counts", requires = "variant")]
    pub(crate) table: Option<PathBuf>,
    /// Units of each arm, such as a=5030,b=4970
    #[arg(long, value_name = "NAME=N,…", value_delimiter = ',', value_parser = parse_units)]
    pub(crate) counts: Vec<(String, u64)>,
    /// Expected shares, such as a=9,b=1; 0 for an arm that should have none [default: equal]
    #[arg(long, value_name = "NAME=W,…", value_delimiter = ',', value_parser = parse_weight)]
    pub(crate) weights: Vec<(String, f64)>,
    /// Of a table: column of the arm
    #[arg(long, value_name = "COL", conflicts_with = "counts")]
    pub(crate) variant: Option<String>,
    /// Of a table: column of groups, such as a country, that are checked one by one as well
    #[arg(long, value_name = "COL", conflicts_with_all = ["counts", "by_day"])]
    pub(crate) by: Option<String>,
    /// Of a table: column of dates or instants, of which each day is checked as well
    #[arg(long, value_name = "COL", conflicts_with = "counts")]
    pub(crate) by_day: Option<String>,
    /// p-value below which it is a mismatch
    #[arg(long, value_name = "P", default_value_t = 0.01)]
    pub(crate) alpha: f64,
}

fn parse_traffic(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches("/day");
    parse_count(number).map(|units| units as f64)
}

fn parse_units(text: &str) -> Result<(String, u64), String> {
    let (arm, units) = text.rsplit_once('=').ok_or("write an arm, an equals sign and its units: a=100")?;
    Ok((arm.to_owned(), parse_count(units)?))
}

fn parse_weight(text: &str) -> Result<(String, f64), String> {
    let (arm, weight) = text.rsplit_once('=').ok_or("write an arm, an equals sign and a weight: a=1")?;
    Ok((arm.to_owned(), weight.parse().map_err(|_| format!("`{weight}` is not a number"))?))
}
