//! What a world is to the machinery, and the machinery: slices made in parallel, put in order, written in
//! order.

use std::num::NonZeroUsize;

use cip_core::pipeline::ordered_map;

use crate::calendar::Slice;

/// A world whose slices can be made independently.
///
/// ```text
/// slices ──simulate (parallel)──▶ carry (serial) ──sort, format (parallel)──▶ consume (serial)
/// ```
///
/// A record may happen after the end of the slice that made it (a session that runs on, an invoice cancelled
/// weeks later): it is carried to the slice in whose time it falls. The output is in the order of time; among
/// equal times, in the order in which the slices made them.
pub(crate) trait Simulation: Sync {
    /// What is ordered by time: an event, an invoice.
    type Record: Send;

    /// The slices, in the order of time.
    fn slices(&self) -> &[Slice];

    /// Makes the records that begin in `slice`, exactly `slice.rows` rows of them.
    fn simulate(&self, slice: &Slice) -> Made<Self::Record>;

    /// Seconds since the world's start.
    fn time(record: &Self::Record) -> u32;

    /// Writes records, which are in order, as CSV without a header.
    fn format(&self, batch: &Batch<Self::Record>) -> Block;

    /// The header line, with its line end.
    fn header(&self) -> &'static [u8];

    /// The name of a file that [`Part::file`] numbers.
    fn file_name(&self, file: u32) -> String;
}

/// What a slice made: records in its own time, and later ones.
#[derive(Debug)]
pub(crate) struct Made<R> {
    pub(crate) due: Vec<R>,
    pub(crate) late: Vec<R>,
}

/// Records of one slice's time, in order.
#[derive(Debug)]
pub(crate) struct Batch<R> {
    pub(crate) slice: Slice,
    pub(crate) records: Vec<R>,
    /// Records in all batches before.
    pub(crate) before: u64,
}

/// Formatted rows.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) text: Vec<u8>,
    pub(crate) parts: Vec<Part>,
}

/// The rows of a block that belong to one file.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) file: u32,
    /// Where it ends in the block's text.
    pub(crate) end: usize,
    pub(crate) rows: u64,
}

impl Block {
    /// Closes the part of the text written since the last part; nothing where no row was.
    pub(crate) fn close(&mut self, file: u32, rows: u64) {
        if rows > 0 {
            self.parts.push(Part { file, end: self.text.len(), rows });
        }
    }
}

/// Gives `consume` all blocks of a world in order, until it fails.
pub(crate) fn run<S: Simulation, E>(
    world: &S,
    threads: NonZeroUsize,
    mut consume: impl FnMut(Block) -> Result<(), E>,
) -> Result<(), E> {
    std::thread::scope(|scope| {
        let made = ordered_map(scope, threads, world.slices().iter(), |slice| (slice, world.simulate(slice)));
        let carried = Carry { made, time: S::time, late: Vec::new(), before: 0 };
        let mut blocks = ordered_map(scope, threads, carried, |mut batch| {
            // Stable: equal times keep the order of their making.
            batch.records.sort_by_key(S::time);
            world.format(&batch)
        });
        blocks.try_for_each(&mut consume)
    })
}

/// Moves records into the slice in whose time they fall.
struct Carry<I, R> {
    made: I,
    time: fn(&R) -> u32,
    late: Vec<R>,
    before: u64,
}

impl<'a, I: Iterator<Item = (&'a Slice, Made<R>)>, R> Iterator for Carry<I, R> {
    type Item = Batch<R>;

    fn next(&mut self) -> Option<Batch<R>> {
        let (slice, Made { due, late }) = self.made.next()?;
        let time = self.time;
        // Earlier slices first: their records come first among equal times.
        let mut records: Vec<R> = self.late.extract_if(.., |record| time(record) < slice.end).collect();
        records.extend(due);
        self.late.extend(late);
        let before = self.before;
        self.before += records.len() as u64;
        Some(Batch { slice: slice.clone(), records, before })
    }
}
