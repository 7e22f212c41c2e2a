//! Histograms: the derivatives of a node's rows, summed by bin.

use cip_core::fetch;

use crate::boost::binning::{Binned, GROUP};
use crate::boost::sums::Sums;

/// Codes of a feature.
pub(super) const CODES: usize = 256;

/// The sums of a feature, by code.
type Cells = [Sums; CODES];

/// The sums of all features, by code: the known bins first, the unknown behind them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Histogram(Vec<Cells>);

/// The codes of some rows for neighbouring features, row by row.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupRows<'a> {
    pub(super) first_feature: usize,
    pub(super) features: usize,
    pub(super) codes: &'a [u8],
}

/// The rows that are summed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rows<'a> {
    All,
    /// By their positions.
    Some(&'a [u32]),
}

impl Histogram {
    /// A histogram of no rows.
    pub(super) fn new(binned: &Binned) -> Self {
        Self(vec![[Sums::default(); CODES]; binned.features.len()])
    }

    /// The sums of a feature's known bins, and of the unknown.
    pub(super) fn of(&self, feature: usize, bins: u8) -> (&[Sums], Sums) {
        let cells = &self.0[feature];
        (&cells[..bins.into()], cells[usize::from(bins)])
    }

    pub(super) fn clear(&mut self, binned: &Binned) {
        for (cells, feature) in self.0.iter_mut().zip(&binned.features) {
            cells[..=feature.bins.into()].fill(Sums::default());
        }
    }

    pub(super) fn add(&mut self, other: &Self, binned: &Binned) {
        self.each(other, binned, |sums, others| *sums += others);
    }

    /// Takes away the rows of a part of these.
    pub(super) fn subtract(&mut self, other: &Self, binned: &Binned) {
        self.each(other, binned, |sums, others| *sums -= others);
    }

    fn each(&mut self, other: &Self, binned: &Binned, change: impl Fn(&mut Sums, Sums)) {
        for ((cells, others), feature) in self.0.iter_mut().zip(&other.0).zip(&binned.features) {
            let used = ..=usize::from(feature.bins);
            cells[used].iter_mut().zip(&others[used]).for_each(|(sums, others)| change(sums, *others));
        }
    }

    /// Adds rows for the features of a group.
    pub(super) fn add_rows(&mut self, group: GroupRows<'_>, rows: Rows<'_>, derivatives: &[Sums]) {
        let cells = &mut self.0[group.first_feature..group.first_feature + group.features];
        // The number of features is known where it is compiled, so that the cells of a row are added without a loop.
        macro_rules! by_width {
            ($($width:literal)*) => {
                match group.features {
                    $($width => add_rows::<$width>(cells, group.codes, rows, derivatives),)*
                    _ => {}
                }
            };
        }
        const { assert!(GROUP == 12) };
        by_width!(1 2 3 4 5 6 7 8 9 10 11 12);
    }
}

/// Adds rows of W codes.
fn add_rows<const W: usize>(cells: &mut [Cells], codes: &[u8], rows: Rows<'_>, derivatives: &[Sums]) {
    /// Rows ahead whose place in memory the processor is told.
    const AHEAD: usize = 24;
    let Ok(cells) = <&mut [Cells; W]>::try_from(cells) else { return };
    let (codes, _) = codes.as_chunks::<W>();
    let mut add = |codes: &[u8; W], sums: Sums| {
        for feature in 0..W {
            cells[feature][usize::from(codes[feature])] += sums;
        }
    };
    match rows {
        Rows::All => codes.iter().zip(derivatives).for_each(|(codes, sums)| add(codes, *sums)),
        Rows::Some(rows) => {
            let (early, late) = rows.split_at(rows.len().saturating_sub(AHEAD));
            for (&row, &ahead) in early.iter().zip(&rows[rows.len() - early.len()..]) {
                fetch(&codes[ahead as usize]);
                fetch(&derivatives[ahead as usize]);
                add(&codes[row as usize], derivatives[row as usize]);
            }
            for &row in late {
                add(&codes[row as usize], derivatives[row as usize]);
            }
        }
    }
}
