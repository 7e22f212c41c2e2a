//! The bins of the reference in which two columns are compared.

use serde::Serialize;

use crate::column::{ColumnKind, ColumnProfile};
use crate::distance::Binned;
use crate::number_key::number_of;
use crate::paired::{Paired, PairedCell};

/// Bins of numbers that have many different values.
const BINS: u32 = 10;
/// Categories with a bin of their own have at least one in so many of the reference's rows.
const RARE: u64 = 100;
/// The most categories with a bin of their own.
const MOST_CATEGORIES: usize = 20;

/// A bin, and the rows of both tables in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Bin {
    /// What is in it.
    pub range: BinRange,
    /// Rows of the reference.
    pub reference: u64,
    /// Rows of the current table.
    pub current: u64,
}

/// What is in a [`Bin`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BinRange {
    /// Numbers.
    Numbers {
        /// All are greater; none where there is no such end.
        above: Option<f64>,
        /// The greatest that may be in it.
        to: Option<f64>,
    },
    /// A text, or `true` or `false`; of more texts than can be told apart, a number of its hash.
    Category(Box<str>),
    /// Categories that are rare in the reference, or not there at all.
    Others,
}

/// Returns the bins of two columns of a kind; they have no bin that is empty in both.
pub(crate) fn bins_of(
    kind: ColumnKind,
    pair: &Paired,
    reference: &ColumnProfile,
    current: &ColumnProfile,
) -> Vec<Bin> {
    let mut bins = match kind {
        ColumnKind::Number => numbers(pair),
        _ => categories(pair, |cell| name_of(kind, pair.dropped, cell, [reference, current])),
    };
    bins.retain(|bin| bin.reference + bin.current > 0);
    bins
}

/// The counts alone.
pub(crate) fn counts(bins: &[Bin]) -> Binned {
    Binned::of(bins.iter().map(|bin| (bin.reference, bin.current)))
}

fn numbers(pair: &Paired) -> Vec<Bin> {
    let edges = pair.reference_edges(BINS);
    let end_of = |cell: u64| number_of((cell << pair.dropped) | ((1u64 << pair.dropped) - 1));
    let ends = |at: usize| edges.get(at).map(|&cell| end_of(cell)).filter(|end| !end.is_nan());
    let bin = |(at, (reference, current)): (usize, (u64, u64))| {
        let above = at.checked_sub(1).and_then(ends);
        Bin { range: BinRange::Numbers { above, to: ends(at) }, reference, current }
    };
    pair.binned(&edges).into_iter().enumerate().map(bin).collect()
}

fn categories(pair: &Paired, name: impl Fn(u64) -> Box<str>) -> Vec<Bin> {
    let (n, _) = pair.totals();
    let own = |cell: &&PairedCell| cell.reference > 0 && cell.reference.saturating_mul(RARE) >= n;
    let mut named: Vec<_> = (pair.cells.iter().filter(own))
        .map(|cell| Bin {
            range: BinRange::Category(name(cell.cell)),
            reference: cell.reference,
            current: cell.current,
        })
        .collect();
    let by_name = |bin: &Bin| match &bin.range {
        BinRange::Category(name) => name.clone(),
        _ => Box::default(),
    };
    named.sort_by_cached_key(|bin| (std::cmp::Reverse(bin.reference), by_name(bin)));
    let rest = named.split_off(named.len().min(MOST_CATEGORIES));
    // A long tail has values that are new by chance alone: with the rare ones their share stays what it was.
    let others = pair.cells.iter().filter(|cell| !own(cell)).map(|cell| (cell.reference, cell.current));
    let others = others.chain(rest.iter().map(|bin| (bin.reference, bin.current)));
    let (reference, current) = others.fold((0, 0), |(r, c), (more, others)| (r + more, c + others));
    named.push(Bin { range: BinRange::Others, reference, current });
    named
}

/// Categories of the current table that the reference has not, the most frequent first, with their rows.
pub(crate) fn new_categories(
    kind: ColumnKind,
    pair: &Paired,
    current: &ColumnProfile,
) -> Vec<(Box<str>, u64)> {
    let unseen = pair.cells.iter().filter(|cell| cell.reference == 0);
    let mut found: Vec<_> = unseen
        .map(|cell| (name_of(kind, pair.dropped, cell.cell, [current, current]), cell.current))
        .collect();
    found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    found
}

fn name_of(kind: ColumnKind, dropped: u32, cell: u64, profiles: [&ColumnProfile; 2]) -> Box<str> {
    if kind == ColumnKind::Boolean {
        return if number_of(cell) == 0.0 { "false".into() } else { "true".into() };
    }
    let known =
        profiles.into_iter().filter(|_| dropped == 0).find_map(|profile| profile.names.get(&cell).cloned());
    known.unwrap_or_else(|| format!("hash {cell:x}").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, StringArray};
    use std::sync::Arc;

    fn profile(texts: impl IntoIterator<Item = String>) -> ColumnProfile {
        let mut profile = ColumnProfile::new(ColumnKind::Category, 1 << 16);
        let array: ArrayRef = Arc::new(texts.into_iter().map(Some).collect::<StringArray>());
        profile.push(&array).unwrap();
        profile
    }

    #[test]
    fn rare_and_new_categories_share_a_bin() {
        // Half is `a`, 25 are common at 1.6 %, 20 are rare at 0.5 %.
        let texts = (0..1_000).map(|row| match row {
            0..500 => "a".to_owned(),
            500..900 => format!("common {:02}", row % 25),
            _ => format!("rare {}", row % 20),
        });
        let reference = profile(texts);
        let current = profile(["a", "b", "c", "b", "rare 7"].map(str::to_owned));
        let pair = Paired::new(&reference.cells, &current.cells);
        let bins = bins_of(ColumnKind::Category, &pair, &reference, &current);
        // The first twenty; the six that are left, the rare ones and the new.
        assert_eq!(bins.len(), 21);
        assert_eq!(bins[0], Bin { range: BinRange::Category("a".into()), reference: 500, current: 1 });
        assert_eq!(bins[1].range, BinRange::Category("common 00".into()));
        assert_eq!(bins[20], Bin { range: BinRange::Others, reference: 6 * 16 + 100, current: 4 });
        assert_eq!(new_categories(ColumnKind::Category, &pair, &current), [("b".into(), 2), ("c".into(), 1)]);
    }
}
