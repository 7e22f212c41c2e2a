//! The best split of a node by the categories of a feature.

use crate::boost::gain::Bounds;
use crate::boost::search::{Candidate, LeftBins, Node};
use crate::boost::sums::Sums;

/// Fewer categories than that are tried each alone.
const ALONE: usize = 4;

/// The most categories of the smaller side of a split.
const MOST: usize = 64;

impl Node<'_> {
    /// The best set of categories to send left; none where no set makes two leaves.
    ///
    /// # Method
    /// As XGBoost: of fewer than four categories each alone; of more, those that part them in the order of their leaf values (Fisher 1958), up to
    /// 64 from either end. The unknown go with the set or against it, along the order with those that are at the end of the others. Categories that no
    /// row of the node has are of value 0.
    pub(super) fn best_set(&self, known: &[Sums], unknown: Sums) -> Option<Candidate> {
        let mut best: Option<Candidate> = None;
        let mut offer = |set: &[u8], sums: Sums, unknown_left: bool| {
            let children = [sums, self.total - sums];
            let Some(score) = self.scorer.score_of_children(children, self.bounds, None) else { return };
            if best.as_ref().is_none_or(|best| score > best.score) {
                best = Some(Candidate {
                    score,
                    left: LeftBins::Some(set.to_vec()),
                    left_sums: sums,
                    unknown_left,
                });
            }
        };
        if known.len() < ALONE {
            for (bin, &sums) in (0u8..).zip(known) {
                offer(&[bin], sums, false);
                offer(&[bin], sums + unknown, true);
            }
            return best;
        }
        let mut order: Vec<u8> = (0..known.len()).map(|bin| bin as u8).collect();
        let value = |bin: u8| self.scorer.value(known[usize::from(bin)], Bounds::NONE);
        order.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
        let steps = known.len().min(MOST) - 1;
        let mut sums = Sums::default();
        for step in 1..=steps {
            sums += known[usize::from(order[step - 1])];
            offer(&order[..step], sums, false);
        }
        let mut others = Sums::default();
        for step in (known.len() - steps..known.len()).rev() {
            others += known[usize::from(order[step])];
            offer(&order[..step], self.total - others, true);
        }
        best
    }
}
