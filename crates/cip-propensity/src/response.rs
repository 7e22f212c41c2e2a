//! What contacting the best-ranked rows brings: lift by any number of them, gain, and profit.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::error::PropensityError;
use crate::evaluation::{self, Lift, Step, lift_of};

/// The cumulative response: how many positives are among the best-ranked rows, for any number of rows.
///
/// Rows that tie have equal chances to be among the best, so nothing depends on the order of the rows.
///
/// # Examples
/// ```
/// use cip_propensity::{Offer, Response};
///
/// let scores = [0.9, 0.6, 0.3, 0.1];
/// let response = Response::new(&scores, &scores, &[true, false, true, false])?;
/// let best = response.at_rows(1)?;
/// assert_eq!((best.positives, best.lift, best.captured), (1.0, Some(2.0), Some(0.5)));
///
/// // A letter costs 1, who buys brings 4: write to whoever has a score above a quarter.
/// let profit = response.worthwhile(Offer::new(1.0, 4.0)?);
/// assert_eq!((profit.rows, profit.profit), (3, 5.0));
/// assert!((profit.expected_profit - (1.8 * 4.0 - 3.0)).abs() < 1e-12);
/// # Ok::<(), cip_propensity::PropensityError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Response {
    steps: Vec<Step>,
    /// The mean probability of each step.
    means: Vec<f64>,
    rows: u64,
    positives: u64,
}

/// What contacting a row costs, and what a positive one then brings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    contact_cost: f64,
    value: f64,
}

/// The profit of contacting the best-ranked rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Profit {
    /// Rows that are contacted.
    pub rows: u64,
    /// Their share of all rows.
    pub fraction: f64,
    /// What contacting them costs.
    pub cost: f64,
    /// Positives among them, as their probabilities foretell: the sum of these.
    pub expected_positives: f64,
    /// What is then expected: value x expected positives - cost.
    pub expected_profit: f64,
    /// Positives that there were.
    pub positives: f64,
    /// What came of it: value x positives - cost. It takes every positive row to be won by the contact; what a contact changes, an
    /// experiment tells.
    pub profit: f64,
}

impl Offer {
    /// Returns an offer: what contacting one row costs, 0 or more, and what a positive row brings, more than 0; in one currency.
    ///
    /// # Errors
    /// [`PropensityError::Parameter`].
    pub fn new(contact_cost: f64, value: f64) -> Result<Self, PropensityError> {
        if !(0.0..f64::INFINITY).contains(&contact_cost) {
            let expected = "0 or more";
            return Err(PropensityError::Parameter {
                name: "the contact cost",
                value: contact_cost,
                expected,
            });
        }
        if !(0.0 < value && value < f64::INFINITY) {
            let expected = "more than 0";
            return Err(PropensityError::Parameter { name: "the value of a positive row", value, expected });
        }
        Ok(Self { contact_cost, value })
    }

    /// The least probability at which a contact is worth its cost: cost / value.
    pub fn least_score(&self) -> f64 {
        self.contact_cost / self.value
    }
}

impl Response {
    /// Returns the response of rows that are ranked by `ranking`, the highest first, and have `probabilities`, which do not descend as
    /// the ranking rises.
    ///
    /// # Complexity
    /// Sorts the rows once.
    ///
    /// # Errors
    /// As [`Evaluation::new`](crate::Evaluation::new).
    pub fn new(ranking: &[f64], probabilities: &[f64], labels: &[bool]) -> Result<Self, PropensityError> {
        evaluation::check(ranking, probabilities, labels)?;
        let key = evaluation::key;
        let rows = ranking.iter().zip(probabilities).zip(labels);
        let mut order: Vec<_> =
            rows.map(|((&rank, &probability), &label)| (key(rank), probability, label)).collect();
        order.sort_unstable_by_key(|&(rank, probability, _)| Reverse((rank, key(probability))));
        let mut response = Self { steps: Vec::new(), means: Vec::new(), rows: 0, positives: 0 };
        for rows in order.chunk_by(|a, b| a.0 == b.0) {
            let positives = rows.iter().filter(|(.., label)| *label).count() as u64;
            response.steps.push(Step { rows: rows.len() as u64, positives });
            // Rows of one rank mostly have one probability: no rounding then.
            let [highest, lowest] = [rows[0].1, rows[rows.len() - 1].1];
            let mean = rows.iter().map(|(_, probability, _)| probability).sum::<f64>() / rows.len() as f64;
            response.means.push(if highest == lowest { highest } else { mean });
            response.rows += rows.len() as u64;
            response.positives += positives;
        }
        Ok(response)
    }

    /// Rows.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows whose label is 1.
    pub const fn positives(&self) -> u64 {
        self.positives
    }

    /// Returns what the `rows` best-ranked rows bring; a number beyond all rows is all of them.
    ///
    /// # Errors
    /// [`PropensityError::Parameter`] where the number is 0.
    pub fn at_rows(&self, rows: u64) -> Result<Lift, PropensityError> {
        if rows == 0 {
            let expected = "1 or more rows";
            return Err(PropensityError::Parameter { name: "the budget", value: 0.0, expected });
        }
        Ok(lift_of(&self.steps, rows.min(self.rows), self.rows, self.positives))
    }

    /// Returns what the best-ranked share of the rows brings: rounded down, at least one row.
    ///
    /// # Errors
    /// [`PropensityError::Parameter`] where the share is not above 0 and at most 1.
    pub fn at_fraction(&self, fraction: f64) -> Result<Lift, PropensityError> {
        if 0.0 < fraction && fraction <= 1.0 {
            Ok(evaluation::lift(&self.steps, fraction, self.rows, self.positives))
        } else {
            let expected = "more than 0 and at most 1";
            Err(PropensityError::Parameter { name: "the share of the rows", value: fraction, expected })
        }
    }

    /// Returns the curves of lift, gain (`captured`) and cumulative response (`conversion`) at `points` evenly spaced shares of the
    /// rows, from the first to all; fewer where there are fewer rows.
    pub fn curve(&self, points: u64) -> Vec<Lift> {
        let points = points.clamp(1, self.rows);
        let rows =
            (1..=points).map(|point| (u128::from(point) * u128::from(self.rows) / u128::from(points)) as u64);
        rows.map(|rows| lift_of(&self.steps, rows.max(1), self.rows, self.positives)).collect()
    }

    /// Returns the profit of contacting the `rows` best-ranked rows; a number beyond all rows is all of them, and of none it is 0.
    pub fn profit(&self, rows: u64, offer: Offer) -> Profit {
        let rows = rows.min(self.rows);
        let (mut left, mut positives, mut expected_positives) = (rows, 0.0, 0.0);
        for (step, mean) in self.steps.iter().zip(&self.means) {
            let taken = left.min(step.rows);
            let share = taken as f64 / step.rows as f64;
            positives += step.positives as f64 * share;
            expected_positives += mean * taken as f64;
            left -= taken;
        }
        let cost = offer.contact_cost * rows as f64;
        Profit {
            rows,
            fraction: rows as f64 / self.rows as f64,
            cost,
            expected_positives,
            expected_profit: offer.value * expected_positives - cost,
            positives,
            profit: offer.value * positives - cost,
        }
    }

    /// Returns the profit of contacting the rows that are worth it by their probabilities: those above
    /// [`Offer::least_score`].
    pub fn worthwhile(&self, offer: Offer) -> Profit {
        let worth = |(_, mean): &(&Step, &f64)| **mean > offer.least_score();
        let rows = self.steps.iter().zip(&self.means).take_while(worth).map(|(step, _)| step.rows).sum();
        self.profit(rows, offer)
    }

    /// Returns the greatest profit that a number of best-ranked rows would have brought, the fewest rows where several do. It is known
    /// with the labels alone: a bound, not a plan.
    pub fn greatest(&self, offer: Offer) -> Profit {
        // Within a step the profit goes up or down evenly, so it is greatest at an end of one.
        let (mut best, mut best_rows, mut rows, mut positives) = (0.0, 0, 0, 0);
        for step in &self.steps {
            rows += step.rows;
            positives += step.positives;
            let profit = offer.value * positives as f64 - offer.contact_cost * rows as f64;
            if profit > best {
                (best, best_rows) = (profit, rows);
            }
        }
        self.profit(best_rows, offer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against the plainest way: every prefix of the sorted rows, ties averaged over their steps.
        #[test]
        fn a_number_of_rows_brings_what_its_prefix_holds(
            rows in proptest::collection::vec((0u8..6, any::<bool>()), 1..40), budget in 1u64..50
        ) {
            let scores: Vec<f64> = rows.iter().map(|(score, _)| f64::from(*score) / 6.0).collect();
            let labels: Vec<bool> = rows.iter().map(|(_, label)| *label).collect();
            let response = Response::new(&scores, &scores, &labels).unwrap();
            let mut order: Vec<usize> = (0..rows.len()).collect();
            order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
            let share_of = |row: usize| {
                let same: Vec<usize> = (0..rows.len()).filter(|&other| scores[other] == scores[row]).collect();
                same.iter().filter(|&&row| labels[row]).count() as f64 / same.len() as f64
            };
            let top = order.iter().take(budget as usize);
            let (positives, expected): (Vec<f64>, Vec<f64>) = top.map(|&row| (share_of(row), scores[row])).unzip();
            let (positives, expected) = (positives.iter().sum::<f64>(), expected.iter().sum::<f64>());
            let lift = response.at_rows(budget).unwrap();
            prop_assert!((lift.positives - positives).abs() < 1e-9);
            let offer = Offer::new(1.0, 3.0).unwrap();
            let profit = response.profit(budget, offer);
            prop_assert!((profit.profit - (3.0 * positives - profit.rows as f64)).abs() < 1e-9);
            prop_assert!((profit.expected_profit - (3.0 * expected - profit.rows as f64)).abs() < 1e-9);
            prop_assert!(response.greatest(offer).profit >= profit.profit - 1e-9);
            let worth = scores.iter().filter(|&&score| score > offer.least_score()).count();
            prop_assert_eq!(response.worthwhile(offer).rows, worth as u64);
        }
    }

    #[test]
    fn the_curve_ends_with_all_rows() {
        let scores = [0.9, 0.5, 0.5, 0.1, 0.0];
        let response = Response::new(&scores, &scores, &[true, true, false, false, true]).unwrap();
        let rows: Vec<u64> = response.curve(2).iter().map(|point| point.rows).collect();
        assert_eq!(rows, [2, 5]);
        assert_eq!(response.curve(100).len(), 5);
        let last = response.curve(3)[2];
        assert_eq!((last.captured, last.lift, last.fraction), (Some(1.0), Some(1.0), 1.0));
        assert_eq!(response.at_fraction(0.5).unwrap().rows, 2);
        assert_eq!(response.at_rows(99).unwrap().rows, 5);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (cost, value) in [
            (-1.0, 1.0),
            (f64::NAN, 1.0),
            (f64::INFINITY, 1.0),
            (1.0, 0.0),
            (1.0, f64::NAN),
            (1.0, f64::INFINITY),
        ] {
            assert!(Offer::new(cost, value).is_err(), "{cost} {value}");
        }
        let response = Response::new(&[0.5], &[0.5], &[true]).unwrap();
        assert!(response.at_rows(0).is_err());
        assert!([0.0, 1.1, f64::NAN].iter().all(|&share| response.at_fraction(share).is_err()));
        assert!(Response::new(&[], &[], &[]).is_err() && Response::new(&[0.0], &[2.0], &[true]).is_err());
        assert_eq!(response.profit(0, Offer::new(1.0, 1.0).unwrap()).profit, 0.0);
    }
}
