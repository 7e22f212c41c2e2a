//! Counting baskets in memory, range of anchors by range of anchors, on several threads.

use std::ops::Range;

use rayon::prelude::*;

use crate::error::BasketError;
use crate::pairs::counter::PairRows;
use crate::pairs::params::Room;
use crate::pairs::ranked::Ranked;
use crate::pairs::worker::Worker;

/// Baskets that are being counted; gives all pairs in their order.
#[derive(Debug)]
pub(crate) struct Counting {
    baskets: Ranked,
    workers: Vec<Worker>,
    /// Instances that a worker buffers.
    capacity: u64,
    min_together: u32,
    /// Anchors before this one are counted.
    next_anchor: usize,
    /// Which worker's pairs are read, and how many of them are.
    read: (usize, usize),
}

impl Counting {
    pub(crate) fn new(baskets: Ranked, room: Room, min_together: u32) -> Self {
        let workers = (0..room.workers).map(|_| Worker::new(baskets.codes.len())).collect();
        Self { baskets, workers, capacity: room.capacity, min_together, next_anchor: 0, read: (0, 0) }
    }

    /// Adds pairs to `rows`, by rank, until there are `most` or no more.
    pub(crate) fn read(&mut self, rows: &mut PairRows, most: usize) {
        self.read_workers(rows, most);
        while rows.len() < most && self.count_ranges().is_some() {
            self.read_workers(rows, most);
        }
    }

    /// Gives all pairs to `write`, all of an anchor at once, with the codes by rank.
    pub(crate) fn each_range(
        mut self,
        mut write: impl FnMut(&PairRows, &[u32]) -> Result<(), BasketError>,
    ) -> Result<(), BasketError> {
        while self.count_ranges().is_some() {
            self.workers.iter().try_for_each(|worker| write(&worker.rows, &self.baskets.codes))?;
        }
        Ok(())
    }

    /// Moves pairs from the workers until there are enough or no more.
    fn read_workers(&mut self, rows: &mut PairRows, most: usize) {
        while let Some(worker) = self.workers.get(self.read.0)
            && rows.len() < most
        {
            let end = worker.rows.len().min(self.read.1 + most - rows.len());
            rows.extend(&worker.rows, self.read.1..end);
            self.read = if end == worker.rows.len() { (self.read.0 + 1, 0) } else { (self.read.0, end) };
        }
    }

    /// Gives each worker the next range of anchors; none when all are counted.
    fn count_ranges(&mut self) -> Option<()> {
        let ranges: Vec<_> = self
            .workers
            .iter()
            .map_while(|_| {
                let range = next_range(&self.baskets.instances, self.next_anchor, self.capacity)?;
                self.next_anchor = range.end;
                Some(range)
            })
            .collect();
        if ranges.is_empty() {
            return None;
        }
        self.workers.truncate(ranges.len());
        let (baskets, capacity, min_together) = (&self.baskets, self.capacity, self.min_together);
        self.workers
            .par_iter_mut()
            .zip(ranges)
            .for_each(|(worker, range)| worker.count(baskets, range, capacity, min_together));
        self.read = (0, 0);
        Some(())
    }
}

/// Returns the next anchors whose instances fit the buffer together, or one anchor that does not fit; none behind
/// the last anchor.
fn next_range(instances: &[u64], start: usize, capacity: u64) -> Option<Range<usize>> {
    let start = start + instances.get(start..)?.iter().position(|&instances| instances > 0)?;
    let mut end = start + 1;
    let mut filled = instances[start];
    while end < instances.len() && filled + instances[end] <= capacity {
        filled += instances[end];
        end += 1;
    }
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_cover_each_anchor_once_and_fit(
            instances in proptest::collection::vec(0u64..9, 0..30),
            capacity in 0u64..20,
        ) {
            let mut covered = vec![0; instances.len()];
            let mut start = 0;
            while let Some(range) = next_range(&instances, start, capacity) {
                prop_assert!(range.len() == 1 || instances[range.clone()].iter().sum::<u64>() <= capacity);
                covered[range.clone()].iter_mut().for_each(|times| *times += 1);
                start = range.end;
            }
            for (instances, covered) in instances.into_iter().zip(covered) {
                prop_assert!(covered == 1 || (covered == 0 && instances == 0));
            }
        }
    }
}
