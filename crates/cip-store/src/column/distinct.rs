//! The distinct integers of a row group.

/// Distinct integers, and a code for each: in the order in which they came, or by their ranks.
#[derive(Default)]
pub(crate) struct Distinct {
    values: Vec<i64>,
    /// Codes and one more, by hash; zero where there is none. Their number is a power of two.
    places: Vec<u32>,
    /// The ranks of small numbers, by number.
    ranks: Vec<u16>,
}

impl Distinct {
    /// More values are no dictionary.
    pub(crate) const MOST: usize = 1 << 16;
    const FEWEST_PLACES: usize = 1 << 10;

    pub(crate) fn clear(&mut self) {
        self.values.clear();
        self.places.clear();
        self.places.resize(Self::FEWEST_PLACES, 0);
    }

    /// Returns the code of a value; none where it is one too many.
    #[inline]
    pub(crate) fn code(&mut self, value: i64) -> Option<u16> {
        let mut place = self.place(value);
        loop {
            match self.places[place] {
                0 => break,
                code if self.values[code as usize - 1] == value => return Some((code - 1) as u16),
                _ => place = (place + 1) % self.places.len(),
            }
        }
        if self.values.len() == Self::MOST {
            return None;
        }
        self.values.push(value);
        self.places[place] = self.values.len() as u32;
        if 4 * self.values.len() > 3 * self.places.len() {
            self.grow();
        }
        Some((self.values.len() - 1) as u16)
    }

    fn place(&self, value: i64) -> usize {
        let mixed = value.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize & (self.places.len() - 1)
    }

    #[cold]
    fn grow(&mut self) {
        let places = 2 * self.places.len();
        self.places.clear();
        self.places.resize(places, 0);
        for code in 0..self.values.len() {
            let mut place = self.place(self.values[code]);
            while self.places[place] != 0 {
                place = (place + 1) % places;
            }
            self.places[place] = code as u32 + 1;
        }
    }

    /// Sorts the values and returns the new code of each old one.
    pub(crate) fn sort(&mut self) -> Vec<u16> {
        let mut sorted: Vec<(i64, u16)> = self.values.iter().copied().zip(0..=u16::MAX).collect();
        sorted.sort_unstable();
        let mut codes = vec![0; sorted.len()];
        for (new, (value, old)) in sorted.into_iter().enumerate() {
            codes[usize::from(old)] = new as u16;
            self.values[new] = value;
        }
        codes
    }

    /// Ranks `all` among the distinct ones, where they are counts or other numbers from 0 on, so few that none need be hashed.
    pub(crate) fn rank_small(&mut self, all: &[i64]) -> bool {
        // No value is greater than all their bits together.
        let bits = all.iter().fold(0, |bits, value| bits | value).cast_unsigned();
        if bits >= Self::MOST as u64 {
            return false;
        }
        self.values.clear();
        self.ranks.clear();
        self.ranks.resize(bits as usize + 1, 0);
        for &value in all {
            self.ranks[value as usize] = 1;
        }
        for (value, rank) in (0..).zip(&mut self.ranks) {
            if *rank == 1 {
                *rank = self.values.len() as u16;
                self.values.push(value);
            }
        }
        true
    }

    /// The rank of each of the values that [`Distinct::rank_small`] ranked.
    pub(crate) fn ranks<'a>(&'a self, all: &'a [i64]) -> impl ExactSizeIterator<Item = u16> + 'a {
        all.iter().map(|&value| self.ranks[value as usize])
    }

    /// The distinct values, in the order of their codes.
    pub(crate) fn values(&self) -> &[i64] {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_are_ranked_and_others_are_not() {
        let mut distinct = Distinct::default();
        for (all, small) in [
            (&[65_535, 0, 65_535, 7][..], true),
            (&[65_536, 0], false),
            (&[-1, 0], false),
            (&[i64::MIN, i64::MAX], false),
            (&[5], true),
            (&[], true),
        ] {
            assert_eq!(distinct.rank_small(all), small, "{all:?}");
            if small {
                let mut sorted = all.to_vec();
                sorted.sort_unstable();
                sorted.dedup();
                assert_eq!(distinct.values(), sorted);
                assert!(
                    all.iter()
                        .zip(distinct.ranks(all))
                        .all(|(value, rank)| sorted[usize::from(rank)] == *value)
                );
            }
        }
    }
}
