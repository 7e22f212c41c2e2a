//! The distinct integers of a row group.

/// Distinct integers, in the order in which they came, and a code for each.
#[derive(Default)]
pub(crate) struct Distinct {
    values: Vec<i64>,
    /// Codes and one more, by hash; zero where there is none. Their number is a power of two.
    places: Vec<u32>,
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

    /// The distinct values, in the order of their codes.
    pub(crate) fn values(&self) -> &[i64] {
        &self.values
    }
}
