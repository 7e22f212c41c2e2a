//! Baskets from wherever they are: a store, a text file, a long table.

use std::path::Path;

use cip::basket::{Hierarchy, ItemLevel, LongBaskets, Transactions, TransactionsBuilder, sampling_error};
use cip::core::TimeRange;
use cip::line::{Line, LineError};
use cip::store::{BasketLines, EventStore, TableColumn, TableFormat, TableSource};
use serde_json::{Value, json};

use crate::args::{BasketSourceArgs, Common, Levels, LongerArg};
use crate::error::CliError;
use crate::number::{grouped, percent};

/// The risk at which the error of a sample is told.
const RISK: f64 = 0.05;

/// The baskets of a source, and how they were come by.
pub(crate) struct SourceBaskets {
    pub(crate) baskets: Transactions,
    /// Of how many they are a sample.
    sampled_from: Option<u64>,
}

/// Reads the baskets of the source; of a store those of the events inside `range`.
pub(crate) fn read(
    args: &BasketSourceArgs,
    source: &Path,
    range: TimeRange,
    common: &Common,
) -> Result<SourceBaskets, CliError> {
    let all =
        if source.is_dir() { of_store(args, source, range, common)? } else { of_file(args, source, common)? };
    Ok(match args.sample {
        Some(size) if size < all.len() => {
            SourceBaskets { sampled_from: Some(all.len() as u64), baskets: all.sample(size, args.seed) }
        }
        _ => SourceBaskets { baskets: all, sampled_from: None },
    })
}

fn of_store(
    args: &BasketSourceArgs,
    source: &Path,
    range: TimeRange,
    common: &Common,
) -> Result<Transactions, CliError> {
    let for_files = [
        ("basket", args.basket.is_some()),
        ("separator", args.separator.is_some()),
        ("longer split", args.longer == LongerArg::Split),
        ("hierarchy", args.hierarchy.is_some()),
    ];
    refuse("a file", &for_files)?;
    let levels = args.form.level.levels()?;
    let store = EventStore::open(source)?;
    let line = Line::new(&store).with_threads(common.threads()).with_memory(common.memory)?;
    let level = if let Levels::One(level) = levels { level } else { ItemLevel::Product };
    let rule = args.form.rule_of(level, store.schema(), common.memory, args.max_basket)?;
    let baskets = Transactions::from_table(line.baskets(&rule, range)?).map_err(LineError::from)?;
    let Levels::Several(levels) = levels else { return Ok(baskets) };
    // What products are under does not depend on when.
    let hierarchy = line.hierarchy(levels, common.memory.part(1, 3))?;
    Ok(baskets.with_hierarchy(&hierarchy).map_err(LineError::from)?)
}

fn of_file(args: &BasketSourceArgs, source: &Path, common: &Common) -> Result<Transactions, CliError> {
    let form = &args.form;
    let for_stores = [
        ("by", form.by.is_some()),
        ("events", !form.events.is_empty()),
        ("level", !form.level.are_default()),
    ];
    refuse("a store", &for_stores)?;
    let long = match (args.max_basket, args.longer) {
        (None, _) => LongBaskets::Keep,
        (Some(most), LongerArg::LeaveOut) => LongBaskets::LeaveOut(most),
        (Some(most), LongerArg::Split) => LongBaskets::Split(most),
    };
    let builder = Transactions::builder(common.memory).with_long_baskets(long).map_err(usage)?;
    let baskets = match (&args.basket, &args.item) {
        (Some(basket), Some(item)) => of_table(builder, source, basket, item),
        _ => of_lines(builder, source, args.separator.unwrap_or(b',')),
    }?;
    match &args.hierarchy {
        Some(table) => Ok(baskets.with_hierarchy(&hierarchy(table)?).map_err(LineError::from)?),
        None => Ok(baskets),
    }
}

/// Rows of (item, group); those without one of the two say nothing.
fn hierarchy(source: &Path) -> Result<Hierarchy, CliError> {
    let [item, group] = ["item", "group"];
    let (mut hierarchy, mut before) = (Hierarchy::default(), 0);
    for batch in TableSource::open(source)?.batches(&[item, group])? {
        let batch = batch?;
        let items = TableColumn::new(source, item, before, batch.column(0)).labels()?;
        let groups = TableColumn::new(source, group, before, batch.column(1)).labels()?;
        for (item, group) in items.iter().zip(groups.iter()) {
            if let (Some(item), Some(group)) = (item, group) {
                hierarchy.add(item, group).map_err(LineError::from)?;
            }
        }
        before += batch.num_rows() as u64;
    }
    Ok(hierarchy)
}

fn of_lines(
    mut builder: TransactionsBuilder,
    source: &Path,
    separator: u8,
) -> Result<Transactions, CliError> {
    if TableFormat::of_file(source)?.is_some() {
        return Err(CliError::Usage(format!(
            "{} is a table: name its columns with --basket and --item",
            source.display()
        )));
    }
    let mut lines = BasketLines::open(source, separator)?;
    while let Some(line) = lines.next_line()? {
        let mut items = line.peekable();
        if items.peek().is_some() {
            builder.push(items).map_err(LineError::from)?;
        }
    }
    Ok(builder.finish().map_err(LineError::from)?)
}

/// Rows of (basket, item); those without one of the two say nothing.
fn of_table(
    builder: TransactionsBuilder,
    source: &Path,
    basket: &str,
    item: &str,
) -> Result<Transactions, CliError> {
    let table = TableSource::open(source)?;
    let batches = table.batches(&[basket, item])?;
    let ids = TableColumn::id_type(batches.schema().field(0).data_type()).unwrap_or(cip::core::IdType::Utf8);
    let (mut rows, mut before) = (builder.by_rows(ids), 0);
    for batch in batches {
        let batch = batch?;
        let baskets = TableColumn::new(source, basket, before, batch.column(0)).ids()?;
        let items = TableColumn::new(source, item, before, batch.column(1)).labels()?;
        for (row, item) in items.iter().enumerate() {
            if let (Some(basket), Some(item)) = (baskets.get(row), item) {
                rows.push(basket, item).map_err(LineError::from)?;
            }
        }
        before += batch.num_rows() as u64;
    }
    Ok(rows.finish().map_err(LineError::from)?)
}

fn usage(error: impl std::fmt::Display) -> CliError {
    CliError::Usage(error.to_string())
}

/// Refuses options that say nothing about this kind of source.
fn refuse(what: &str, given: &[(&str, bool)]) -> Result<(), CliError> {
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => Err(CliError::Usage(format!("--{option} goes with {what}: leave it out"))),
    }
}

impl SourceBaskets {
    /// How far a support may be off, but for one time in twenty.
    fn error(&self) -> Option<f64> {
        self.sampled_from.and_then(|_| sampling_error(self.baskets.len() as u64, 1, RISK).ok())
    }

    /// What the baskets are, for people.
    pub(crate) fn text(&self) -> String {
        let totals = self.baskets.totals();
        let mut text = format!(
            "{} baskets of {} items, {} entries\n",
            grouped(totals.baskets),
            grouped(self.baskets.items().len()),
            grouped(totals.entries)
        );
        if totals.left_out > 0 {
            text.push_str(&format!("{} baskets are too long and left out\n", grouped(totals.left_out)));
        }
        if totals.split > 0 {
            text.push_str(&format!("{} baskets are too long and split\n", grouped(totals.split)));
        }
        if let (Some(all), Some(error)) = (self.sampled_from, self.error()) {
            text.push_str(&format!(
                "a sample of {} baskets: the support of an itemset is within {} of that of all, 19 times out of 20\n",
                grouped(all),
                percent(error, 1.0)
            ));
        }
        text
    }

    pub(crate) fn to_json(&self) -> Value {
        let totals = self.baskets.totals();
        json!({
            "baskets": totals.baskets, "items": self.baskets.items().len(), "entries": totals.entries,
            "left_out": totals.left_out, "split": totals.split, "sampled_from": self.sampled_from,
            "sampling_error": self.error(),
        })
    }
}
