//! Arguments of the commands over baskets.

use std::num::NonZeroU8;
use std::path::PathBuf;
use std::time::Duration;

use cip::basket::{BasketError, BasketKey, Baskets, ItemLevel, MinSupport};
use cip::core::{EventSchema, MemoryBudget, Timestamp};
use cip::line::LineError;
use clap::ValueEnum;

use crate::args::ScopeArg;
use crate::error::CliError;

/// Where baskets come from.
#[derive(Debug, clap::Args)]
pub(crate) struct BasketSourceArgs {
    /// Event store, text file with one basket a line, or table (Parquet, Arrow or CSV) with a row an item
    #[arg(value_name = "SRC")]
    pub(crate) source: PathBuf,
    #[command(flatten)]
    pub(crate) form: BasketFormArgs,
    /// Of a table: column of the basket's id
    #[arg(long, value_name = "COL", requires = "item")]
    pub(crate) basket: Option<String>,
    /// Of a table: column of the item
    #[arg(long, value_name = "COL", requires = "basket")]
    pub(crate) item: Option<String>,
    /// Of a file: table of what items are under, a row with columns item and group each
    #[arg(long, value_name = "TABLE")]
    pub(crate) hierarchy: Option<PathBuf>,
    /// Of a text file: what stands between items [default: a comma]
    #[arg(long, value_name = "CHAR", value_parser = parse_separator, conflicts_with = "basket")]
    pub(crate) separator: Option<u8>,
    /// How many distinct items a basket may have [default: 50 of a store, any number of a file]
    #[arg(long, value_name = "N")]
    pub(crate) max_basket: Option<usize>,
    /// What becomes of longer baskets; those of a store are left out
    #[arg(long, value_enum, default_value = "leave-out", requires = "max_basket")]
    pub(crate) longer: LongerArg,
    /// Draw so many baskets and work on these; says how far a support may then be off
    #[arg(long, value_name = "N")]
    pub(crate) sample: Option<usize>,
    /// Decides which baskets are drawn
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub(crate) seed: u64,
}

/// What baskets of a store are.
#[derive(Debug, clap::Args)]
pub(crate) struct BasketFormArgs {
    /// Of a store: what makes a basket [default: session where there is one, else order]
    #[arg(long, value_enum)]
    pub(crate) by: Option<KeyArg>,
    /// Of a store: make baskets of events of these types alone, such as purchase [default: all]
    #[arg(long, value_name = "TYPE,...", value_delimiter = ',')]
    pub(crate) events: Vec<String>,
    #[command(flatten)]
    pub(crate) level: LevelArgs,
}

/// What stands for a product.
#[derive(Debug, clap::Args)]
pub(crate) struct LevelArgs {
    /// Of a store: what baskets are made of; of itemsets and rules several at once, such as product,category
    #[arg(long, value_enum, value_name = "LEVEL", value_delimiter = ',', default_value = "product")]
    level: Vec<LevelArg>,
    /// How many parts of a category stay: 1 makes electronics of electronics.smartphone [default: all]; 1,2 are two levels at once
    #[arg(long, value_name = "N", value_delimiter = ',')]
    depth: Vec<NonZeroU8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LevelArg {
    Product,
    Category,
    Brand,
}

/// One level, or several at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Levels {
    One(ItemLevel),
    Several(Vec<ItemLevel>),
}

impl LevelArgs {
    pub(crate) fn levels(&self) -> Result<Levels, CliError> {
        if !self.depth.is_empty() && !self.level.contains(&LevelArg::Category) {
            return Err(CliError::Usage(
                "--depth goes with --level category: add it, or leave --depth out".to_owned(),
            ));
        }
        let mut levels = Vec::new();
        for level in &self.level {
            match level {
                LevelArg::Product => levels.push(ItemLevel::Product),
                LevelArg::Brand => levels.push(ItemLevel::Brand),
                LevelArg::Category if self.depth.is_empty() => levels.push(ItemLevel::Category),
                LevelArg::Category => levels.extend(self.depth.iter().copied().map(ItemLevel::CategoryTo)),
            }
        }
        levels.sort_unstable();
        levels.dedup();
        Ok(match levels[..] {
            [one] => Levels::One(one),
            _ => Levels::Several(levels),
        })
    }

    /// Returns the level of a command that takes one.
    pub(crate) fn level(&self) -> Result<ItemLevel, CliError> {
        match self.levels()? {
            Levels::One(level) => Ok(level),
            Levels::Several(_) => Err(CliError::Usage(
                "several levels at once go with itemsets and rules: name one --level and --depth".to_owned(),
            )),
        }
    }

    /// Whether they say nothing.
    pub(crate) fn are_default(&self) -> bool {
        self.level == [LevelArg::Product] && self.depth.is_empty()
    }
}

impl BasketFormArgs {
    /// Returns the rule for baskets of events of `schema`, of one level.
    pub(crate) fn rule(
        &self,
        schema: &EventSchema,
        memory: MemoryBudget,
        max_basket: Option<usize>,
    ) -> Result<Baskets, CliError> {
        self.rule_of(self.level.level()?, schema, memory, max_basket)
    }

    /// Returns the rule for baskets of this level.
    pub(crate) fn rule_of(
        &self,
        level: ItemLevel,
        schema: &EventSchema,
        memory: MemoryBudget,
        max_basket: Option<usize>,
    ) -> Result<Baskets, CliError> {
        let usage = |error: BasketError| CliError::Usage(error.to_string());
        let rule = match self.by {
            Some(key) => Baskets::by(key.into(), schema, memory),
            None => Baskets::new(schema, memory),
        };
        let mut rule = rule.map_err(LineError::from)?;
        if let Some(most) = max_basket {
            rule = rule.with_max_products(most).map_err(usage)?;
        }
        if !self.events.is_empty() {
            rule = rule.with_event_types(self.events.iter().map(String::as_str)).map_err(LineError::from)?;
        }
        Ok(rule.with_level(level).map_err(LineError::from)?)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct PairsArgs {
    pub(crate) store: PathBuf,
    #[command(flatten)]
    pub(crate) form: BasketFormArgs,
    /// Count two products only where they are not further apart than this, such as 7d
    #[arg(long, value_name = "DURATION", value_parser = cip::core::parse_duration)]
    pub(crate) within: Option<Duration>,
    /// Add what the purchases of the two products in their baskets come to
    #[arg(long)]
    pub(crate) revenue: bool,
    /// Leave out baskets of more distinct products
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub(crate) max_basket: usize,
    /// Leave out pairs that fewer baskets hold
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub(crate) min_together: u32,
    /// Parquet file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyArg {
    /// Products of one session of the source
    Session,
    /// Products of one order
    Order,
    /// Products of one user
    User,
}

impl From<KeyArg> for BasketKey {
    fn from(key: KeyArg) -> Self {
        match key {
            KeyArg::Session => Self::SourceSession,
            KeyArg::Order => Self::Order,
            KeyArg::User => Self::User,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LongerArg {
    LeaveOut,
    Split,
}

fn parse_separator(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        &[byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(byte),
        _ => Err("write one ASCII character, such as , or ' ' or \\t".to_owned()),
    }
}

/// Which itemsets are asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct FrequentArgs {
    /// Share of all baskets that hold an itemset, such as 0.01, or their number, such as 99
    #[arg(long, value_name = "S")]
    pub(crate) min_support: MinSupport,
    /// Leave out itemsets of more items
    #[arg(long, value_name = "N")]
    pub(crate) max_size: Option<usize>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ItemsetsArgs {
    #[command(flatten)]
    pub(crate) source: BasketSourceArgs,
    #[command(flatten)]
    pub(crate) frequent: FrequentArgs,
    /// Write only those of which no larger itemset is in as many baskets
    #[arg(long, conflicts_with = "maximal")]
    pub(crate) closed: bool,
    /// Write only those of which no larger itemset is frequent
    #[arg(long)]
    pub(crate) maximal: bool,
    /// Parquet file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RulesArgs {
    #[command(flatten)]
    pub(crate) source: BasketSourceArgs,
    #[command(flatten)]
    pub(crate) frequent: FrequentArgs,
    /// How often the consequent comes with the antecedent, at least
    #[arg(long, value_name = "C")]
    pub(crate) min_confidence: f64,
    /// How many items a consequent may have
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) max_consequent: usize,
    /// Leave out rules of a higher q-value [default: write all]
    #[arg(long, value_name = "Q")]
    pub(crate) q: Option<f64>,
    /// Leave out rules of which a more general one has the same confidence or a higher one
    #[arg(long)]
    pub(crate) non_redundant: bool,
    /// Of several levels: leave out rules of less than R times what those of the levels above let expect, such as 1.1
    #[arg(long, value_name = "R")]
    pub(crate) interest: Option<f64>,
    /// Of a store: find rules in what happened before this day or instant, and say how they do from it on
    #[arg(long, value_name = "DATE", conflicts_with = "later")]
    pub(crate) split: Option<Timestamp>,
    /// Later baskets, read like SRC: say how the rules do in these
    #[arg(long, value_name = "SRC")]
    pub(crate) later: Option<PathBuf>,
    /// Parquet file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SequencesArgs {
    pub(crate) store: PathBuf,
    #[command(flatten)]
    pub(crate) level: LevelArgs,
    /// Share of all users, or sessions, that take a sequence, such as 0.001, or their number, such as 20
    #[arg(long, value_name = "S")]
    pub(crate) min_support: MinSupport,
    /// How long a sequence may take from its first event to its last, such as 7d
    #[arg(long, value_name = "DURATION", value_parser = cip::core::parse_duration)]
    pub(crate) within: Duration,
    /// How many steps a sequence may have
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) max_steps: usize,
    /// Write only sequences that end with an event of this type, such as purchase
    #[arg(long, value_name = "TYPE")]
    pub(crate) to: Option<String>,
    /// Whose events are followed
    #[arg(long, value_enum, default_value = "user")]
    pub(crate) scope: ScopeArg,
    /// Parquet file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}
