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

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use proptest::prelude::*;

    proptest! {
        /// For every number of features: that of the kernel, that of its groups, and beyond.
        #[test]
        fn sums_are_those_of_a_plain_loop_and_the_rest_is_what_is_left(
            features in 1usize..30, rows in 1usize..120, seed in any::<u32>(), part in proptest::collection::vec(any::<bool>(), 120),
        ) {
            let drawn = |row: usize, feature: usize| seed.wrapping_mul(2 * (row * 31 + feature) as u32 + 1) >> 20;
            let values = Array2::from_shape_fn((rows, features), |(row, feature)| match drawn(row, feature) % 9 {
                0 => f32::NAN,
                number => number as f32,
            });
            let binned = Binned::new(values.view(), &vec![None; features], 1);
            let derivatives: Vec<Sums> = (0..rows).map(|row| Sums::of_bits(drawn(row, 99).into(), drawn(row, 98).into())).collect();
            let listed: Vec<u32> = (0..rows as u32).filter(|&row| part[row as usize]).collect();
            let sum = |rows: Rows<'_>| {
                let mut histogram = Histogram::new(&binned);
                for group in &binned.groups {
                    let features = group.features.len();
                    let group = GroupRows { first_feature: group.features.start, features, codes: &group.codes };
                    histogram.add_rows(group, rows, &derivatives);
                }
                histogram
            };
            let plain = |rows: &mut dyn Iterator<Item = usize>| {
                let mut histogram = Histogram::new(&binned);
                for row in rows {
                    for (cells, feature) in histogram.0.iter_mut().zip(&binned.features) {
                        cells[usize::from(feature.codes[row])] += derivatives[row];
                    }
                }
                histogram
            };
            let (mut all, some) = (sum(Rows::All), sum(Rows::Some(&listed)));
            prop_assert_eq!(&all, &plain(&mut (0..rows)));
            prop_assert_eq!(&some, &plain(&mut (0..rows).filter(|&row| part[row])));
            all.subtract(&some, &binned);
            prop_assert_eq!(&all, &plain(&mut (0..rows).filter(|&row| !part[row])));
            all.add(&some, &binned);
            prop_assert_eq!(&all, &sum(Rows::All));
            all.clear(&binned);
            prop_assert_eq!(all, Histogram::new(&binned));
        }
    }
}
