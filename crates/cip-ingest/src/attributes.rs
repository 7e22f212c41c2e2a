//! The attributes of products: category and brand, kept once for all events that share them.
//!
//! Rows of a shop say them again and again, in the same bytes. So these bytes are looked up as a whole, before they are taken
//! for numbers and texts.

use std::sync::{PoisonError, RwLock};

use cip_core::{column, fetch};
use foldhash::fast::RandomState;
use indexmap::IndexMap;

use crate::field::FieldText;
use crate::target::{ColumnKind, Fill, TargetColumn};

/// The columns, in this order.
const COLUMNS: [&str; 3] = [column::CATEGORY_ID, column::CATEGORY_CODE, column::BRAND];

/// The values of the attributes of one product: integers and codes of texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AttributeValues {
    values: [i64; COLUMNS.len()],
    /// A bit for each value that is missing.
    nulls: u8,
}

impl AttributeValues {
    pub(crate) fn set(&mut self, index: usize, value: Option<i64>) {
        match value {
            Some(value) => self.values[index] = value,
            None => self.nulls |= 1 << index,
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<i64> {
        (self.nulls & 1 << index == 0).then_some(self.values[index])
    }
}

/// All values so far by their text, shared by all threads. Codes depend on which thread came first; they never leave the
/// process.
#[derive(Debug)]
pub(crate) struct Attributes {
    /// The columns, as the store has them.
    columns: Vec<usize>,
    known: RwLock<IndexMap<Box<[u8]>, AttributeValues, RandomState>>,
}

impl Attributes {
    /// Returns a table for those of `columns` that are attributes; none where there are less than two.
    pub(crate) fn new(columns: &[TargetColumn]) -> Option<Self> {
        let position = |name: &&str| {
            columns.iter().position(|target| {
                target.name == **name
                    && matches!(target.kind, ColumnKind::Int64 | ColumnKind::Dictionary(_))
                    && matches!(target.fill, Fill::From(_))
            })
        };
        let columns: Vec<usize> = COLUMNS.iter().filter_map(position).collect();
        (columns.len() > 1).then(|| Self { columns, known: RwLock::default() })
    }

    /// The columns, as the store has them.
    pub(crate) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Returns the code of a text; none where it is new.
    #[inline(always)]
    pub(crate) fn code(&self, text: &FieldText<'_>, cache: &mut AttributeCache) -> Option<u32> {
        self.code_at(AttributeCache::place(text.bytes()), text, cache)
    }

    /// The same, of a text whose place is known.
    #[inline(always)]
    pub(crate) fn code_at(
        &self,
        place: Option<usize>,
        text: &FieldText<'_>,
        cache: &mut AttributeCache,
    ) -> Option<u32> {
        if let Some(place) = place
            && let Some(ahead) = text.ahead().first_chunk()
            && let Some([first, second]) = cache.recent.get(place)
        {
            if first.is(ahead, text.len()) {
                return Some(first.code);
            }
            if second.is(ahead, text.len()) {
                return Some(second.code);
            }
        }
        self.look_up(text.bytes(), cache)
    }

    #[inline(never)]
    fn look_up(&self, text: &[u8], cache: &mut AttributeCache) -> Option<u32> {
        let code = self.known.read().unwrap_or_else(PoisonError::into_inner).get_index_of(text)? as u32;
        cache.keep(text, code);
        Some(code)
    }

    /// Enters values and returns their code, which another thread may have given them before.
    pub(crate) fn enter(&self, text: &[u8], values: AttributeValues, cache: &mut AttributeCache) -> u32 {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let code =
            known.get_index_of(text).unwrap_or_else(|| known.insert_full(text.into(), values).0) as u32;
        cache.keep(text, code);
        code
    }

    /// Returns the values of a code that was given.
    pub(crate) fn values(&self, code: u32) -> AttributeValues {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get_index(code as usize).map_or_else(AttributeValues::default, |(_, values)| *values)
    }

    /// About what they take.
    pub(crate) fn bytes(&self) -> u64 {
        /// Values, hash, pointer and places in a table, and some forty bytes of text.
        const BYTES: usize = 144;
        (self.known.read().unwrap_or_else(PoisonError::into_inner).len() * BYTES) as u64
    }

    /// Returns all values by their codes.
    pub(crate) fn to_table(&self) -> Vec<AttributeValues> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).values().copied().collect()
    }
}

/// The texts that one thread looked up lately, two at each place that a text may have.
#[derive(Debug, Default)]
pub(crate) struct AttributeCache {
    recent: Vec<[Recent; 2]>,
}

/// A text, filled with zeros, and its code; one of no length in a place that was not filled.
#[derive(Debug, Clone, Copy)]
struct Recent {
    text: [u8; LONGEST],
    length: u32,
    code: u32,
}

/// Longer texts are looked up in the shared table.
const LONGEST: usize = 64;
const LANE: usize = 16;

/// What is left of the lanes in a text of so many bytes.
static MASKS: [[u128; LONGEST / LANE]; LONGEST + 1] = {
    let mut masks = [[0; LONGEST / LANE]; LONGEST + 1];
    let mut length = 0;
    while length <= LONGEST {
        let mut byte = 0;
        while byte < length {
            masks[length][byte / LANE] |= 0xff << (8 * (byte % LANE));
            byte += 1;
        }
        length += 1;
    }
    masks
};

impl Recent {
    const NONE: Self = Self { text: [0; LONGEST], length: 0, code: 0 };

    /// Whether it is the first `length` of these bytes.
    #[inline(always)]
    fn is(&self, ahead: &[u8; LONGEST], length: usize) -> bool {
        let (known, wanted) = (self.text.as_chunks::<LANE>().0, ahead.as_chunks::<LANE>().0);
        let differ = |lane: usize| {
            (u128::from_le_bytes(known[lane]) ^ u128::from_le_bytes(wanted[lane])) & MASKS[length][lane]
        };
        let all = differ(0) | differ(1) | differ(2) | differ(3);
        self.length as usize == length && all == 0
    }
}

impl AttributeCache {
    /// Both texts of all places fit the processor's second cache.
    const PLACES: usize = 1 << 12;

    /// Returns the place of a text of 8 to 64 bytes, by its start and its end; none of another, which is not kept.
    #[inline(always)]
    fn place(text: &[u8]) -> Option<usize> {
        let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
        let (first, last) = (word(text.first_chunk()?), word(text.last_chunk()?));
        let second = text.get(8..).and_then(|rest| rest.first_chunk()).map_or(0, word);
        let third = text.get(16..).and_then(|rest| rest.first_chunk()).map_or(0, word);
        let mixed = (first ^ second.rotate_left(23)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ (last ^ third.rotate_left(31) ^ text.len() as u64).wrapping_mul(0xd1b5_4a32_d192_ed03);
        let place = (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % Self::PLACES;
        (text.len() <= LONGEST).then_some(place)
    }

    /// Says that a text will be looked up, and returns its place.
    #[inline(always)]
    pub(crate) fn expect(&self, text: &[u8]) -> Option<usize> {
        let place = Self::place(text);
        if let Some([first, second]) = place.and_then(|place| self.recent.get(place)) {
            fetch(first);
            fetch(second);
        }
        place
    }

    fn keep(&mut self, text: &[u8], code: u32) {
        let Some(place) = Self::place(text) else { return };
        if self.recent.is_empty() {
            self.recent.resize(Self::PLACES, [Recent::NONE; 2]);
        }
        let recent = &mut self.recent[place];
        recent[1] = recent[0];
        recent[0] = Recent { length: text.len() as u32, code, ..Recent::NONE };
        recent[0].text[..text.len()].copy_from_slice(text);
    }
}
