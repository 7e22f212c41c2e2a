//! The ways to split an itemset of some size into the two sides of a rule.

/// The consequents that itemsets of one size may have, each as the positions of its items.
#[derive(Debug)]
pub(crate) struct Consequents {
    /// In the order of the rules: by size, then by positions.
    masks: Vec<u64>,
    /// The same by their bits, with their place in the order.
    by_bits: Vec<(u64, usize)>,
}

impl Consequents {
    /// Returns those of up to `most` items that leave an antecedent.
    pub(crate) fn of(size: usize, most: usize) -> Self {
        let mut masks = Vec::new();
        for items in 1..=most.min(size.saturating_sub(1)) {
            choose(size, items, 0, 0, &mut masks);
        }
        let mut by_bits: Vec<(u64, usize)> = masks.iter().copied().zip(0..).collect();
        by_bits.sort_unstable();
        Self { masks, by_bits }
    }

    pub(crate) fn len(&self) -> usize {
        self.masks.len()
    }

    pub(crate) fn mask(&self, place: usize) -> u64 {
        self.masks[place]
    }

    /// The place of a consequent.
    pub(crate) fn place(&self, mask: u64) -> Option<usize> {
        let at = self.by_bits.binary_search_by_key(&mask, |&(bits, _)| bits);
        at.ok().map(|at| self.by_bits[at].1)
    }
}

/// Adds all sets of `items` more positions from `start` on.
fn choose(size: usize, items: usize, start: usize, chosen: u64, masks: &mut Vec<u64>) {
    if items == 0 {
        masks.push(chosen);
        return;
    }
    for position in start..=size - items {
        choose(size, items - 1, position + 1, chosen | 1 << position, masks);
    }
}

/// Takes a position out of a set of positions; those behind it move up.
pub(crate) fn without_position(mask: u64, position: usize) -> u64 {
    let low = (1u64 << position) - 1;
    mask & low | (mask >> 1) & !low
}

/// Puts the items of a set of positions, or the others, into `side`.
pub(crate) fn take_side(items: &[u32], mask: u64, side: Side, into: &mut Vec<u32>) {
    into.clear();
    let wanted = u64::from(side == Side::Consequent);
    into.extend((items.iter().enumerate()).filter(|(at, _)| mask >> at & 1 == wanted).map(|(_, &item)| item));
}

/// A side of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Antecedent,
    Consequent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consequents_come_by_size_and_positions() {
        let three = Consequents::of(3, 2);
        assert_eq!(three.masks, [0b001, 0b010, 0b100, 0b011, 0b101, 0b110]);
        assert_eq!(Consequents::of(3, 9).len(), 6);
        assert_eq!(Consequents::of(2, 1).len(), 2);
        assert_eq!(Consequents::of(1, 5).len(), 0);
        assert!((0..6).all(|place| three.place(three.mask(place)) == Some(place)));
        assert_eq!(three.place(0b111), None);
    }

    #[test]
    fn positions_behind_one_that_goes_move_up() {
        assert_eq!(without_position(0b1101, 1), 0b111);
        assert_eq!(without_position(0b1101, 0), 0b110);
        assert_eq!(without_position(1 << 63 | 1, 62), 1 << 62 | 1);
        let mut side = Vec::new();
        take_side(&[7, 8, 9], 0b101, Side::Consequent, &mut side);
        assert_eq!(side, [7, 9]);
        take_side(&[7, 8, 9], 0b101, Side::Antecedent, &mut side);
        assert_eq!(side, [8]);
    }
}
