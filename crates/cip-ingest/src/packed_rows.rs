//! Packed rows as they come back: in any order, and in the order of the store.

use cip_core::fetch;

use crate::frames::{self, Frames, LANES, OpenFrame};
use crate::order::{OrderKey, UserEntry, ordered, ordered_entries};
use crate::packing::{FRAME, Frame, HEAD, ID, MOST_ROWS, Offsets, Packing, ROOM, ROW_BITS};
use crate::sorted_columns::{Column, SortedColumns};

/// Rows of one partition, packed, of all threads.
#[derive(Debug)]
pub(crate) struct PackedRows<'a> {
    packing: &'a Packing,
    blocks: Vec<Block<'a>>,
    /// Those of all blocks, one block after the other, and how many there are of each.
    frames: Vec<Frames>,
    frames_a_block: usize,
    /// The words of a row that any of them lie in.
    words: usize,
    ids: Vec<u8>,
    rows: usize,
}

#[derive(Debug, Clone, Copy)]
struct Block<'a> {
    rows: u32,
    /// What each takes.
    stride: u32,
    /// The packed rows, and what is behind them.
    body: &'a [u8],
}

impl<'a> Block<'a> {
    /// A row and what is behind it.
    #[inline(always)]
    fn row(&self, row: u32) -> &'a [u8] {
        &self.body[(row * self.stride) as usize..]
    }
}

/// The number of a row in [`PackedRows`]: that of its block, and of the row in it.
type RowNumber = u32;

impl<'a> PackedRows<'a> {
    /// The rows of a segment know their sessions by the places of the ids in all its blocks.
    pub(crate) fn new(packing: &'a Packing, segments: impl Iterator<Item = Vec<&'a [u8]>>) -> Self {
        let frames_a_block = packing.values.len().div_ceil(LANES);
        let (blocks, frames, ids) = (Vec::new(), Vec::new(), Vec::new());
        let mut all = Self { packing, blocks, frames, frames_a_block, words: 0, ids, rows: 0 };
        for segment in segments {
            let first_id = (all.ids.len() / ID) as u64;
            for mut blocks in segment {
                while !blocks.is_empty() {
                    blocks = all.open(blocks, first_id);
                }
            }
        }
        all
    }

    /// Takes the first block and returns what is behind it.
    fn open(&mut self, bytes: &'a [u8], first_id: u64) -> &'a [u8] {
        let head = |from: usize| {
            let mut word = [0; 4];
            word.copy_from_slice(&bytes[from..from + 4]);
            u32::from_le_bytes(word)
        };
        let (length, rows, ids) = (head(0) as usize, head(4), head(8) as usize * ID);
        let (block, behind) = bytes.split_at(length);
        let (frames, body) = block[HEAD..].split_at(self.packing.values.len() * FRAME);
        let mut offsets = Offsets::default();
        let frames = frames.chunks_exact(FRAME).enumerate().map(|(value, place)| {
            let mut base = [0; 8];
            base.copy_from_slice(&place[..8]);
            let mut base = u64::from_le_bytes(base);
            if self.packing.session == Some(value) {
                base += first_id;
            }
            let frame = Frame { base, shift: place[8], bits: place[9] };
            OpenFrame::new(frame, offsets.next(frame.bits))
        });
        let frames: Vec<OpenFrame> = frames.collect();
        for frames in frames.chunks(LANES).map(Frames::new) {
            self.words = self.words.max(frames.words());
            self.frames.push(frames);
        }
        self.blocks.push(Block { rows, stride: offsets.stride(), body });
        self.ids.extend_from_slice(&block[length - ids..]);
        self.rows += rows as usize;
        behind
    }

    /// The ids of all sessions, by the codes that rows have of them.
    pub(crate) fn into_ids(self) -> Vec<u8> {
        self.ids
    }

    /// Gives `visit` the number of each row.
    fn each_number(&self, mut visit: impl FnMut(RowNumber)) {
        for (block, Block { rows, .. }) in (0u32..).zip(&self.blocks) {
            (0..*rows).for_each(|row| visit(block << ROW_BITS | row));
        }
    }

    /// The numbers of the rows by user, time and position.
    pub(crate) fn ordered(&self) -> Vec<RowNumber> {
        if let Some((least, most)) = self.user_span()
            && let Ok(most) = u32::try_from(most - least)
        {
            return ordered_entries(self.entries(least), most, |row| self.position(row));
        }
        let mut keys = Vec::with_capacity(self.rows);
        self.each_number(|row| {
            let (user, time) = self.user_and_time(row);
            keys.push(OrderKey { user, time, row });
        });
        ordered(keys, |row| self.position(row))
    }

    /// Two users between whom all are, as the rows have them; none where a user is unknown, or they do not have one sign.
    fn user_span(&self) -> Option<(u64, u64)> {
        let (user, null, bit) = self.packing.user?;
        let (mut least, mut most) = (u64::MAX, 0);
        for block in 0..self.blocks.len() {
            if self.frame(block, null).may_have(bit) {
                return None;
            }
            let users = self.frame(block, user);
            least = least.min(users.least());
            most = most.max(users.most()?);
        }
        (least <= most && least >> 63 == most >> 63).then_some((least, most))
    }

    /// What rows of known users are ordered by, their users counted from one: the blocks with the earliest times first, so that the rows of
    /// most users come in the order of their times.
    fn entries(&self, least: u64) -> Vec<UserEntry> {
        let Some((user, ..)) = self.packing.user else { return Vec::new() };
        let time = |block: usize| self.frame(block, self.packing.time);
        let mut blocks: Vec<(i64, usize)> =
            (0..self.blocks.len()).map(|block| (time(block).least().cast_signed(), block)).collect();
        blocks.sort_unstable();
        let mut entries = Vec::with_capacity(self.rows);
        for (_, number) in blocks {
            let (block, user, time) = (&self.blocks[number], self.frame(number, user), time(number));
            entries.extend((0..block.rows).map(|row| {
                let bytes = block.row(row);
                UserEntry {
                    user: (user.value(bytes) - least) as u32,
                    row: (number as u32) << ROW_BITS | row,
                    time: time.value(bytes).cast_signed(),
                }
            }));
        }
        entries
    }

    /// The frame of a value in a block.
    #[inline(always)]
    fn frame(&self, block: usize, value: usize) -> OpenFrame {
        self.frames[block * self.frames_a_block + value / LANES].get(value % LANES)
    }

    /// A row's block, and the row.
    #[inline(always)]
    fn place(&self, number: RowNumber) -> (usize, &'a [u8]) {
        let block = (number >> ROW_BITS) as usize;
        (block, self.blocks[block].row(number & (MOST_ROWS as u32 - 1)))
    }

    /// The value that all rows have; none where they differ.
    fn constant(&self, value: usize) -> Option<u64> {
        let mut constants = (0..self.blocks.len()).map(|block| self.frame(block, value).constant());
        let first = constants.next()??;
        constants.all(|constant| constant == Some(first)).then_some(first)
    }

    /// The user's key, none for the unknown user, and the time.
    #[inline(always)]
    fn user_and_time(&self, number: RowNumber) -> (Option<u64>, i64) {
        let (block, row) = self.place(number);
        let value = |value: usize| self.frame(block, value).value(row);
        let known = |(user, null, bit): (usize, usize, u64)| {
            (value(null) & bit == 0).then(|| value(user) ^ (1 << 63))
        };
        (self.packing.user.and_then(known), value(self.packing.time).cast_signed())
    }

    fn position(&self, number: RowNumber) -> u64 {
        let (block, row) = self.place(number);
        self.frame(block, self.packing.position).value(row)
    }

    /// Returns rows as columns.
    pub(crate) fn columns(&self, numbers: &[RowNumber]) -> SortedColumns {
        /// Rows of which the places are looked up at once: what lies there is in the processor's first cache when it is read.
        const AT_ONCE: usize = 128;
        let mut sorted = SortedColumns::new(self.packing, numbers.len());
        let mut columns: Vec<(usize, &mut Column)> = Vec::new();
        for (value, column) in sorted.columns_mut().iter_mut().enumerate() {
            match self.constant(value) {
                Some(constant) => column.extend(std::iter::repeat_n(constant, numbers.len())),
                None => columns.push((value, column)),
            }
        }
        let mut places = [(0, &[][..]); AT_ONCE];
        let mut values = [[0; LANES]; AT_ONCE];
        for numbers in numbers.chunks(AT_ONCE) {
            for (place, &number) in places.iter_mut().zip(numbers) {
                *place = self.place(number);
                place.1.first().into_iter().for_each(fetch);
            }
            for columns in columns.chunk_by_mut(|(a, _), (b, _)| a / LANES == b / LANES) {
                let of_columns = columns[0].0 / LANES;
                for (place, &number) in places.iter_mut().zip(numbers) {
                    place.0 = (number >> ROW_BITS) as usize * self.frames_a_block + of_columns;
                }
                frames::read(&self.frames, &places[..numbers.len()], self.words, &mut values);
                for (value, column) in columns {
                    let lane = *value % LANES;
                    column.extend(values[..numbers.len()].iter().map(|row| row[lane]));
                }
            }
        }
        sorted
    }

    /// Writes a row to the start of `place`; what is up to [`ROOM`] bytes behind it may change.
    fn unpack(&self, number: RowNumber, place: &mut [u8]) {
        let (block, row) = self.place(number);
        let place = &mut place[..self.packing.row_bytes + ROOM];
        for (index, value) in self.packing.values.iter().enumerate() {
            // What is written too much is written again by the next value.
            place[value.at..value.at + 8].copy_from_slice(&self.frame(block, index).value(row).to_le_bytes());
        }
    }

    /// Gives `visit` every row, with the id of its session in the place of the code.
    pub(crate) fn each_whole(&self, mut visit: impl FnMut(&[u8])) {
        let mut row = vec![0; self.packing.row_bytes + ID + ROOM];
        self.each_number(|number| {
            self.unpack(number, &mut row);
            self.restore_id(&mut row);
            visit(&row);
        });
    }

    /// Puts the id of its session into an unpacked row, in the place of its code: there must be room for it.
    fn restore_id(&self, row: &mut [u8]) {
        let Some(session) = self.packing.session.map(|session| self.packing.values[session]) else { return };
        let code = session.of(row) as usize;
        // Rows without a session have code 0, whether there is an id or not.
        let id = self.ids.get(code * ID..(code + 1) * ID).unwrap_or(&[0; ID]);
        row[session.at..session.at + ID].copy_from_slice(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::AttributeUse;
    use crate::mapping::SourceMapping;
    use crate::packing::{PackScratch, ROWS_ROOM};
    use crate::parse::Parser;
    use crate::row::RowLayout;
    use proptest::prelude::*;

    /// A layout with every kind of value, more than eight columns, and a session.
    fn layout() -> RowLayout {
        let columns =
            (0..7).map(|n| format!("c{n} = {{ from = 'c{n}', type = 'int64', nullable = true }}\n"));
        let mapping = format!(
            "name = 't'\n[columns]\nevent_time = {{ from = 't', type = 'timestamp' }}\n\
             event_type = {{ from = 'e', type = 'dictionary' }}\n\
             user_id = {{ from = 'u', type = 'int64', nullable = true }}\n\
             source_session = {{ from = 's', type = 'uuid', nullable = true }}\n{}",
            columns.collect::<String>()
        );
        Parser::new(&SourceMapping::from_toml(&mapping).unwrap(), AttributeUse::Products).unwrap().layout
    }

    /// Words of which some bytes are always the same: rows of one block are alike.
    fn words(count: usize) -> impl Strategy<Value = Vec<u64>> {
        let word = prop_oneof![
            any::<u64>(),
            Just(0),
            (0u64..300).prop_map(|n| 1_570_000_000_000_000 + n * 1_000_000),
            (0u64..9).prop_map(|n| n << 60),
        ];
        proptest::collection::vec(word, count)
    }

    proptest! {
        #[test]
        fn rows_come_back_as_they_were(
            rows in (1usize..40).prop_flat_map(|rows| proptest::collection::vec(words(20), rows)),
            like in words(20),
            alike in proptest::collection::vec(any::<bool>(), 20),
            ids in proptest::collection::vec(any::<[u8; ID]>(), 1..4),
            copies in 1usize..3,
        ) {
            let layout = layout();
            let packing = layout.packing().unwrap();
            let bytes = packing.row_bytes;
            let rows: Vec<Vec<u8>> = (rows.iter())
                .map(|row| {
                    let chosen = row.iter().zip(&like).zip(&alike);
                    let words = chosen.map(|((own, like), alike)| if *alike { like } else { own });
                    let mut row: Vec<u8> = words.flat_map(|word| word.to_le_bytes()).collect();
                    row.truncate(bytes);
                    // The code of one of the ids.
                    let code = u32::from(row[0]) % ids.len() as u32;
                    row[bytes - 4..].copy_from_slice(&code.to_le_bytes());
                    row
                })
                .collect();
            prop_assert_eq!(rows[0].len(), bytes);
            let mut block = vec![1, 2, 3];
            packing.pack(&[rows.concat(), vec![0; ROWS_ROOM]].concat(), &ids.concat(), &mut PackScratch::default(), |_| &mut block);
            // Several segments with the same rows: codes count in each.
            let segments = std::iter::repeat_n(vec![&block[3..]], copies);
            let packed = PackedRows::new(packing, segments);
            prop_assert_eq!(packed.rows, copies * rows.len());
            let mut whole = Vec::new();
            packed.each_whole(|row| whole.push(row[..bytes - 4 + ID].to_vec()));
            let code = |row: &[u8]| u32::from_le_bytes(row[bytes - 4..].try_into().unwrap()) as usize;
            let expected: Vec<Vec<u8>> = (0..copies)
                .flat_map(|_| rows.iter().map(|row| [&row[..bytes - 4], &ids[code(row)][..]].concat()))
                .collect();
            prop_assert_eq!(whole, expected);
            // In their order, with codes that count in all segments.
            let columns = packed.columns(&packed.ordered());
            let mut there: Vec<Vec<u8>> = (0..columns.len())
                .map(|row| {
                    let mut bytes = vec![0; bytes + ROOM];
                    for &value in &packing.values {
                        let mut words = Vec::new();
                        columns.column(packing, value.at).append_to(row..row + 1, &mut words, u64::to_le_bytes);
                        bytes[value.at..value.at + ROOM].copy_from_slice(&words[0]);
                    }
                    bytes
                })
                .collect();
            let key = |row: &Vec<u8>| layout.row(row, 0).key().without_text();
            prop_assert!(there.is_sorted_by_key(key));
            for (row, bytes) in there.iter_mut().enumerate() {
                let (user, _) = layout.row(bytes, 0).user_and_time();
                prop_assert_eq!(columns.user(packing, row), user.map(|user| (user ^ (1 << 63)).cast_signed()));
                bytes.truncate(bytes.len() - ROOM);
            }
            let mut expected: Vec<Vec<u8>> = (0..copies)
                .flat_map(|copy| rows.iter().map(move |row| (copy, row)))
                .map(|(copy, row)| {
                    let code = (code(row) + copy * ids.len()) as u32;
                    [&row[..bytes - 4], &code.to_le_bytes()[..]].concat()
                })
                .collect();
            there.sort();
            expected.sort();
            prop_assert_eq!(there, expected);
            prop_assert_eq!(packed.into_ids(), ids.concat().repeat(copies));
        }
    }
}
