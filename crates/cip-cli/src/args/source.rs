//! Arguments of the commands that make or read source files.

use std::path::PathBuf;

use cip::core::Timestamp;
use cip::ingest::{ChangedFiles, Dialect, Quote};
use cip::store::EventLayout;
use clap::ValueEnum;

use crate::args::CurrencyArgs;
use crate::number::parse_count;

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
    /// Files, folders of files (.csv, .tsv, .ndjson, .jsonl, plain, .gz or .zst, .parquet, .arrow, .feather), patterns in quotes
    /// ('2019-*.csv', 'logs/**/*.gz'), and the same in object stores (s3://bucket/..., gs://, az://)
    #[arg(required = true, value_name = "SRC")]
    pub(crate) sources: Vec<PathBuf>,
    /// How its columns become events: rees46, online-retail, streamflow, cdnow, or a TOML file
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) mapping: String,
    /// Character between the fields of CSV, or tab [default: the mapping's, or the one by which the header has every column]
    #[arg(long, value_name = "CHAR", value_parser = parse_delimiter)]
    pub(crate) delimiter: Option<char>,
    /// Character that quotes fields of CSV, or none [default: the mapping's, or "]
    #[arg(long, value_name = "CHAR|none")]
    pub(crate) quote: Option<Quote>,
    /// Put users in the place of their aliases: a table (Parquet, Arrow, CSV) of the columns alias and user_id
    #[arg(long, value_name = "FILE")]
    pub(crate) aliases: Option<PathBuf>,
    /// Give every event the arm of its user in this experiment (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) experiment: Option<PathBuf>,
    /// What is expected of the events: commerce, retail, or a TOML file
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) contract: Option<String>,
    /// Instant from which the contract measures freshness [default: the contract's own]
    #[arg(long, value_name = "DATE", requires = "contract")]
    pub(crate) contract_as_of: Option<Timestamp>,
    /// How a new store keeps its events: plain, for any engine alone, or compact, in seven tenths of the bytes
    #[arg(long, value_enum)]
    pub(crate) layout: Option<LayoutArg>,
    /// Stop, and write nothing, at more rejected rows than this
    #[arg(long, value_parser = parse_count, value_name = "N")]
    pub(crate) max_rejects: Option<u64>,
}

/// One character, or the name of the one that is hard to write.
fn parse_delimiter(text: &str) -> Result<char, String> {
    match text.parse() {
        Ok(delimiter) => Ok(delimiter),
        Err(_) if text == "tab" => Ok('\t'),
        Err(_) => Err("write one character, or tab".to_owned()),
    }
}

impl SourceArgs {
    /// What is declared of the dialect of CSV.
    pub(crate) fn dialect(&self) -> Dialect {
        let dialect =
            self.delimiter.map_or(Dialect::new(), |delimiter| Dialect::new().with_delimiter(delimiter));
        self.quote.map_or(dialect, |quote| dialect.with_quote(quote))
    }
}

#[derive(Debug, clap::Args)]
#[command(mut_arg("sources", |sources| sources.required(false).required_unless_present("replay")))]
pub(crate) struct IngestArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Store to make, or to add to the files that it has not taken yet
    #[arg(long, value_name = "STORE", required_unless_present = "dry_run")]
    pub(crate) out: Option<PathBuf>,
    /// What becomes of a file that the store took before with other bytes
    #[arg(long, value_enum, default_value = "refuse")]
    pub(crate) changed: ChangedArg,
    /// Make the store anew from these files, instead of adding those that it has not taken
    #[arg(long, conflicts_with_all = ["changed", "dry_run"])]
    pub(crate) rebuild: bool,
    /// Read the store's own rejects again, by a mapping or a contract that was mended, and no files
    #[arg(long, requires = "out", conflicts_with_all = ["sources", "changed", "rebuild", "dry_run"])]
    pub(crate) replay: bool,
    /// Write nothing: show what the first rows become
    #[arg(long, conflicts_with = "out")]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LayoutArg {
    /// Every column as it is
    Plain,
    /// Offers as codes with a table of them beside the events, times as seconds where they are
    Compact,
}

impl From<LayoutArg> for EventLayout {
    fn from(layout: LayoutArg) -> Self {
        match layout {
            LayoutArg::Plain => Self::Plain,
            LayoutArg::Compact => Self::Compact,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ChangedArg {
    /// Stop, and name the file
    Refuse,
    /// Put its rows in place of those that it had before
    Replace,
}

impl From<ChangedArg> for ChangedFiles {
    fn from(changed: ChangedArg) -> Self {
        match changed {
            ChangedArg::Refuse => Self::Refuse,
            ChangedArg::Replace => Self::Replace,
        }
    }
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
    #[command(flatten)]
    pub(crate) currency: CurrencyArgs,
}
