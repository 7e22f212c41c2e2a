//! The best split of a node, from its histogram.

use crate::boost::binning::{Binned, Cuts, Feature};
use crate::boost::gain::{Bounds, LEAST_GAIN, Scorer};
use crate::boost::histogram::{CODES, Histogram};
use crate::boost::sums::Sums;
use crate::params::Monotone;

/// A split that lowers the loss.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) gain: f64,
    pub(super) feature: usize,
    pub(super) left: LeftBins,
    pub(super) unknown_left: bool,
    /// The sums of both children.
    pub(super) children: [Sums; 2],
}

/// The known bins that go left.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum LeftBins {
    /// So many from the first on.
    First(usize),
    /// Any.
    Some(Vec<u8>),
}

/// A node, of which a split is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a> {
    pub(super) total: Sums,
    pub(super) bounds: Bounds,
    pub(super) scorer: &'a Scorer,
    pub(super) directions: &'a [Option<Monotone>],
}

/// A split of one feature: its score, without that of the node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    pub(super) score: f64,
    pub(super) left: LeftBins,
    /// The sums of what goes left, the unknown included where they do.
    pub(super) left_sums: Sums,
    pub(super) unknown_left: bool,
}

impl Node<'_> {
    /// The split that lowers the loss most; of equals that of the first feature, at its lowest threshold, with the unknown on the right.
    pub(super) fn best_split(&self, histogram: &Histogram, binned: &Binned) -> Option<Found> {
        let own = self.scorer.score(self.total, self.bounds);
        let mut best: Option<Found> = None;
        for (at, feature) in binned.features.iter().enumerate() {
            let (known, unknown) = histogram.of(at, feature.bins);
            let candidate = match &feature.cuts {
                Cuts::Numbers { below_largest, .. } => {
                    let direction = self.directions.get(at).copied().flatten();
                    self.best_threshold(known, unknown, *below_largest, direction)
                }
                Cuts::Codes(_) => self.best_set(known, unknown),
            };
            let Some(candidate) = candidate else { continue };
            let gain = candidate.score - own;
            if gain > best.as_ref().map_or(LEAST_GAIN, |best| best.gain) {
                best = Some(self.found(gain, at, candidate, unknown));
            }
        }
        best
    }

    /// The unknown of a node that has none go where more of its rows go.
    fn found(&self, gain: f64, feature: usize, candidate: Candidate, unknown: Sums) -> Found {
        let Candidate { left, left_sums, unknown_left, .. } = candidate;
        let mut found =
            Found { gain, feature, left, unknown_left, children: [left_sums, self.total - left_sums] };
        if unknown == Sums::default() {
            found.unknown_left = found.is_larger_left();
        }
        found
    }

    fn best_threshold(
        &self,
        known: &[Sums],
        unknown: Sums,
        below_largest: bool,
        direction: Option<Monotone>,
    ) -> Option<Candidate> {
        // The sums of so many bins and one.
        let mut sums = [Sums::default(); CODES];
        let mut sum = Sums::default();
        for (to, &bin) in sums.iter_mut().zip(known) {
            sum += bin;
            *to = sum;
        }
        let between = known.len().saturating_sub(1);
        if unknown == Sums::default() {
            let (score, bin) = self.best_of(&sums[..between], direction)?;
            return Some(Candidate {
                score,
                left: LeftBins::First(bin + 1),
                left_sums: sums[bin],
                unknown_left: false,
            });
        }
        // All that is known may part from the unknown.
        let right =
            self.best_of(&sums[..between + usize::from(below_largest && !known.is_empty())], direction);
        let right = right.map(|(score, bin)| (score, bin, sums[bin], false));
        sums[..between].iter_mut().for_each(|sum| *sum += unknown);
        let left = self.best_of(&sums[..between], direction);
        let left = left.map(|(score, bin)| (score, bin, sums[bin], true));
        let better = match (right, left) {
            (Some(right), Some(left)) => Some(if left.0 > right.0 { left } else { right }),
            (right, left) => right.or(left),
        };
        better.map(|(score, bin, left_sums, unknown_left)| Candidate {
            score,
            left: LeftBins::First(bin + 1),
            left_sums,
            unknown_left,
        })
    }

    /// The highest score of splits that send such sums left, and the first split that has it.
    fn best_of(&self, left: &[Sums], direction: Option<Monotone>) -> Option<(f64, usize)> {
        let mut scores = [f64::NEG_INFINITY; CODES];
        let unit = if direction.is_none() && self.bounds == Bounds::NONE {
            self.scorer.scores(self.total, left, &mut scores)
        } else {
            for (score, &left) in scores.iter_mut().zip(left) {
                let children = [left, self.total - left];
                let found = self.scorer.score_of_children(children, self.bounds, direction);
                *score = found.unwrap_or(f64::NEG_INFINITY);
            }
            1.0
        };
        let highest = scores[..left.len()].iter().fold(f64::NEG_INFINITY, |a, &b| if b > a { b } else { a });
        let first = scores[..left.len()].iter().position(|&score| score == highest);
        first.filter(|_| highest > f64::NEG_INFINITY).map(|first| (highest * unit, first))
    }
}

impl Found {
    /// Whether more of the rows go left, by their second derivatives.
    pub(super) fn is_larger_left(&self) -> bool {
        let [left, right] = self.children;
        left.second() > right.second()
    }

    /// Which codes go left.
    pub(super) fn route(&self, feature: &Feature) -> [bool; CODES] {
        let mut left = [false; CODES];
        match &self.left {
            LeftBins::First(bins) => left[..*bins].fill(true),
            LeftBins::Some(bins) => bins.iter().for_each(|&bin| left[usize::from(bin)] = true),
        }
        left[usize::from(feature.bins)] = self.unknown_left;
        left
    }
}
