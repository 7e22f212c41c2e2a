//! Where the rejected records of the files start: by that events know how many stand before them.

/// Rejects of a commit whose places are kept, in 8 bytes each: of more, the mapping is not mended but replaced.
pub(crate) const MOST_REJECTS: u64 = 1 << 20;

/// The rejected records of each source file, by the byte where they start.
#[derive(Debug)]
pub(crate) struct RejectPlaces {
    starts: Vec<Vec<u64>>,
    rejects: u64,
    /// Of more rejects nothing is kept.
    most: u64,
}

impl RejectPlaces {
    /// Returns none of so many files, to which as many may come as a commit keeps.
    pub(crate) fn new(files: usize) -> Self {
        Self { starts: vec![Vec::new(); files], rejects: 0, most: MOST_REJECTS }
    }

    /// Returns none of so many files, to which the rejects of several commits may come.
    pub(crate) fn of_commits(files: usize) -> Self {
        Self { most: u64::MAX, ..Self::new(files) }
    }

    /// Notes a rejected record behind those of its file that are known.
    pub(crate) fn push(&mut self, file: usize, byte_start: u64) {
        self.rejects += 1;
        if self.rejects > self.most {
            self.starts.clear();
        } else if let Some(starts) = self.starts.get_mut(file) {
            starts.push(byte_start);
        }
    }

    /// Returns itself; nothing where there are no rejects, or too many.
    pub(crate) fn kept(self) -> Option<Self> {
        (1..=self.most).contains(&self.rejects).then_some(self)
    }

    /// How many rejects of a file stand before a byte.
    #[inline]
    pub(crate) fn before(&self, file: u32, byte: u64) -> u32 {
        let starts = self.starts.get(file as usize).map(Vec::as_slice).unwrap_or_default();
        starts.partition_point(|&start| start < byte) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_are_counted_a_file_at_a_time_up_to_the_limit() {
        let mut places = RejectPlaces::new(2);
        for (file, byte) in [(0, 10), (0, 30), (1, 5)] {
            places.push(file, byte);
        }
        let mut places = places.kept().unwrap();
        let before = [(0, 0), (0, 10), (0, 11), (0, 31), (1, 4), (1, 6), (7, 9)];
        assert_eq!(before.map(|(file, byte)| places.before(file, byte)), [0, 0, 1, 2, 0, 1, 0]);
        (3..MOST_REJECTS).for_each(|byte| places.push(1, byte + 10));
        let mut places = places.kept().unwrap();
        places.push(1, u64::MAX);
        assert!(places.kept().is_none());
        assert!(RejectPlaces::new(3).kept().is_none());
        let mut places = RejectPlaces::of_commits(1);
        (0..=MOST_REJECTS).for_each(|byte| places.push(0, byte));
        assert_eq!(places.before(0, u64::MAX), MOST_REJECTS as u32 + 1);
    }
}
