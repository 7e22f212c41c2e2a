//! The command line.

mod basket;
mod drift;
mod experiment;
mod forget;
mod lifetime;
mod recommend;
mod segments;
mod source;
mod store;
mod table;
mod train;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use cip::core::MemoryBudget;
use clap::{Parser, Subcommand};

pub(crate) use basket::{
    BasketSourceArgs, FrequentArgs, ItemsetsArgs, LevelArgs, Levels, LongerArg, PairsArgs, RulesArgs,
    SequencesArgs,
};
pub(crate) use drift::DriftArgs;
pub(crate) use experiment::{
    AbtestArgs, AssignArgs, CorrectionArg, DesignArg, IntervalArg, MeasureArg, PowerArgs, SpendingArg,
    SrmArgs, TestArg,
};
pub(crate) use forget::ForgetArgs;
pub(crate) use lifetime::{ClvArgs, FirstPurchaseArg, ModelArg, SingleBuyersArg, UnitArg};
pub(crate) use recommend::RecommendArgs;
pub(crate) use segments::{CohortsArgs, MigrateArgs, PeriodArg, SegmentsArgs};
pub(crate) use source::{GenerateArgs, IngestArgs, RunArgs, SourceArgs};
pub(crate) use store::{
    BasisArg, CurrencyArgs, FeaturesArgs, FunnelArgs, OrderArg, PathsArgs, RepeatsArg, ReturnsArg, RfmArgs,
    ScopeArg, ScoringArg, ScoringArgs, SessionsArgs, TaskArg, TiesArg, WindowArgs,
};
pub(crate) use table::{ConvertArgs, EvaluateArgs, ExplainArgs, FormArg, ScoreArgs, TableArgs, UpliftArgs};
pub(crate) use train::TrainArgs;

use crate::number::parse_count;

/// Customer intelligence from raw events: sessions, segments, who will buy, what goes together, did it work.
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
    /// Read source files into an event store, each once
    Ingest(IngestArgs),
    /// Describe a store: rows, time range, users, sessions, bytes by column, rejects
    Info {
        store: PathBuf,
        /// Write what data contracts found, one row an expectation and ingest (Parquet)
        #[arg(long, value_name = "FILE")]
        quality: Option<PathBuf>,
    },
    /// Show the rows that were refused, by reason
    Rejects {
        store: PathBuf,
        /// Rows to show
        #[arg(long, default_value_t = 10, value_name = "N")]
        limit: usize,
    },
    /// Merge the commits of a store into one, as if all its files had been ingested at once
    Compact {
        store: PathBuf,
        /// Put users in the place of their aliases: a table (Parquet, Arrow, CSV) of the columns alias and user_id
        #[arg(long, value_name = "FILE")]
        aliases: Option<PathBuf>,
    },
    /// Erase users from a store and its result tables, and prove it
    Forget(ForgetArgs),
    /// Write one row a session
    Sessions(SessionsArgs),
    /// Write how far every user comes through steps such as view, cart, purchase, and say where they leave
    Funnel(FunnelArgs),
    /// Write the sequences of event types that sessions start with, or that lead to a purchase
    Paths(PathsArgs),
    /// Write recency, frequency, monetary value, scores and segments, one row a customer
    Rfm(RfmArgs),
    /// Write clusters of customers who are alike, their names and what to do, found by k-means or assigned by a model of before
    Segments(SegmentsArgs),
    /// Write customers by the week or month of their first purchase, and how many of them come back
    Cohorts(CohortsArgs),
    /// Say who moved from which segment to which between two tables of segments
    Migrate(MigrateArgs),
    /// Fit a model of what customers buy and spend, and say what each is worth: of a store, or of a summary of customers
    Clv(ClvArgs),
    /// Write the products that come together, one row a pair
    Pairs(PairsArgs),
    /// Write which items come together in baskets, in any number, one row a set
    Itemsets(ItemsetsArgs),
    /// Write which items come where others are, with how strong and how sure that is, one row a rule
    Rules(RulesArgs),
    /// Write the sequences that users take, such as viewing one product and buying another within a week
    Sequences(SequencesArgs),
    /// Learn from a store which products to recommend, or ask an index of recommendations
    Recommend(RecommendArgs),
    /// Write what was known of every user before a date, one row a user
    Features(FeaturesArgs),
    /// Learn from a table who will: boosted trees, tested on ids that are held out
    Train(TrainArgs),
    /// Say how well a model foretells the label of a table
    Evaluate(EvaluateArgs),
    /// Write the score, margin and rank of every row of a table
    Score(ScoreArgs),
    /// Write what each feature does to the scores of a table, with pictures
    Explain(ExplainArgs),
    /// Say what has changed between two tables, whether it is more than chance, and what a model still achieves
    Drift(DriftArgs),
    /// Say whom a treatment moves, where it was given at random, and how sure that is
    Uplift(UpliftArgs),
    /// Read a model of XGBoost, or write one
    Convert(ConvertArgs),
    /// Write the arm of an experiment for the id of every row of a table
    Assign(AssignArgs),
    /// Say whether the arms of an experiment differ: of a table with a row a unit, or of a store
    Abtest(Box<AbtestArgs>),
    /// Say how many units an experiment takes, what it can find, and how long it lasts
    Power(PowerArgs),
    /// Say whether the arms have the numbers of units that they should: of counts, or of a table with a row a unit
    Srm(SrmArgs),
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
