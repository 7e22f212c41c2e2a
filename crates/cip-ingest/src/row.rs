//! An event as a row of bytes: what is scattered to partitions, spilled and sorted.
//!
//! ```text
//! position u64 │ time i64 │ length u32, where there are texts │ null bits │ attributes u32 │ slots … │ texts …
//! ```
//!
//! `position` is the source file (24 bits) and the byte where its record starts (40 bits), so that rows of one time
//! keep the order of file and line. `attributes` is the code of the product's
//! ([`crate::attributes`]), in stores that have such.

use std::cmp::Ordering;

use cip_core::column;

use crate::target::{ColumnKind, TargetColumn};
use cip_core::table::SessionIdType;

const TIME: usize = 8;

/// Bits of the byte where a record starts, in a position.
pub(crate) const OFFSET_BITS: u32 = 40;

/// Where each column of the store lies in a row.
#[derive(Debug)]
pub(crate) struct RowLayout {
    slots: Vec<Slot>,
    user: Option<(usize, SlotKind)>,
    pub(crate) session: Option<usize>,
    /// Where the row's length stands, in layouts with texts.
    pub(crate) length_at: Option<usize>,
    /// Where the code of the product's attributes stands.
    pub(crate) attributes: Option<Slot>,
    /// Bytes of a row without its texts.
    pub(crate) fixed: usize,
    /// What a row would take more with the attributes in it: row groups must not depend on where they stand.
    attribute_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) at: usize,
    pub(crate) kind: SlotKind,
    /// The byte and the bit that say whether the value is missing.
    pub(crate) null: (usize, u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotKind {
    /// The row's time, which stands at its start.
    Time,
    /// Int64, money, other times.
    Int64,
    Float64,
    /// A code of a shared dictionary.
    Code,
    Uuid,
    /// Start (from the row's) and length of a text behind the slots.
    Text,
    /// Which of the product's attributes it is.
    Attribute(usize),
}

impl SlotKind {
    fn width(self) -> usize {
        match self {
            Self::Time | Self::Attribute(_) => 0,
            Self::Code => 4,
            Self::Uuid => 16,
            Self::Int64 | Self::Float64 | Self::Text => 8,
        }
    }
}

impl RowLayout {
    /// `attributes` are the columns of which a row has only a code.
    pub(crate) fn new(columns: &[TargetColumn], attributes: Option<&[usize]>) -> Self {
        let coded = attributes.unwrap_or_default();
        let of_its_own = |target: &TargetColumn| match (&target.kind, target.name.as_str()) {
            (ColumnKind::Timestamp(_), column::EVENT_TIME) => SlotKind::Time,
            (ColumnKind::Int64 | ColumnKind::Timestamp(_) | ColumnKind::Money(_), _) => SlotKind::Int64,
            (ColumnKind::Float64, _) => SlotKind::Float64,
            (ColumnKind::Dictionary(_), _) => SlotKind::Code,
            (ColumnKind::Session(SessionIdType::Uuid), _) => SlotKind::Uuid,
            (ColumnKind::Utf8 | ColumnKind::Session(SessionIdType::Utf8), _) => SlotKind::Text,
        };
        let attribute = |index: usize| coded.iter().position(|&column| column == index);
        let kinds: Vec<SlotKind> = (columns.iter().enumerate())
            .map(|(index, target)| attribute(index).map_or_else(|| of_its_own(target), SlotKind::Attribute))
            .collect();
        let has_texts = kinds.contains(&SlotKind::Text);
        let length_at = has_texts.then_some(16);
        let nulls_at = if has_texts { 20 } else { 16 };
        let null_bytes = (columns.len() - coded.len()).div_ceil(8);
        let mut at = nulls_at + null_bytes;
        let no_null = (nulls_at, 0);
        let attributes = (!coded.is_empty()).then(|| {
            at += SlotKind::Code.width();
            Slot { at: at - SlotKind::Code.width(), kind: SlotKind::Code, null: no_null }
        });
        let mut own = 0;
        let mut slot = |kind: SlotKind| {
            if let SlotKind::Attribute(_) = kind {
                return Slot { at: 0, kind, null: no_null };
            }
            let null = (nulls_at + own / 8, 1 << (own % 8));
            own += 1;
            let start = if kind == SlotKind::Time { TIME } else { at };
            at += kind.width();
            Slot { at: start, kind, null }
        };
        let slots: Vec<Slot> = kinds.into_iter().map(&mut slot).collect();
        let more: usize = coded.iter().map(|&column| of_its_own(&columns[column]).width()).sum();
        let less = null_bytes + attributes.map_or(0, |attributes| attributes.kind.width());
        let index = |name| columns.iter().position(|target| target.name == name);
        Self {
            user: index(column::USER_ID).map(|user| (user, slots[user].kind)),
            session: index(column::SOURCE_SESSION),
            slots,
            length_at,
            attributes,
            fixed: at,
            attribute_bytes: columns.len().div_ceil(8) + more - less,
        }
    }

    /// What `rows` rows of so many bytes count in a row group: as much as with their attributes in them.
    pub(crate) fn counted_bytes(&self, rows: usize, bytes: usize) -> usize {
        bytes + rows * self.attribute_bytes
    }

    pub(crate) fn slot(&self, column: usize) -> Slot {
        self.slots[column]
    }

    /// The byte and the bit that say whether a column's value is missing.
    pub(crate) fn null(&self, column: usize) -> (usize, u8) {
        self.slots[column].null
    }

    /// The length of every row, or none where texts make them differ.
    pub(crate) fn row_bytes(&self) -> Option<usize> {
        self.length_at.is_none().then_some(self.fixed)
    }

    pub(crate) fn users_are_text(&self) -> bool {
        matches!(self.user, Some((_, SlotKind::Text)))
    }

    /// Returns where the rows in `data` start.
    pub(crate) fn starts(&self, data: &[u8]) -> Vec<u32> {
        let mut starts = Vec::with_capacity(data.len() / self.fixed);
        let mut at = 0;
        while at < data.len() {
            starts.push(at as u32);
            at += Row { layout: self, bytes: &data[at..] }.len();
        }
        starts
    }

    pub(crate) fn row<'a>(&'a self, data: &'a [u8], start: u32) -> Row<'a> {
        Row { layout: self, bytes: &data[start as usize..] }
    }
}

/// A row inside a buffer of rows.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) layout: &'a RowLayout,
    /// From its start on, perhaps further than its end.
    pub(crate) bytes: &'a [u8],
}

/// What rows are ordered by: user, time, source file, line; rows without a user come last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowKey<'a> {
    unknown: bool,
    /// An integer id, or the start of a text, in an order-preserving form.
    prefix: u64,
    text: &'a [u8],
    time: i64,
    position: u64,
}

impl<'a> RowKey<'a> {
    pub(crate) fn same_user(&self, other: &Self) -> bool {
        (self.unknown, self.prefix) == (other.unknown, other.prefix)
            && compare_texts(self.text, other.text).is_eq()
    }

    /// Whether the user is unknown, the prefix, the time and the position.
    pub(crate) fn without_text(&self) -> (bool, u64, i64, u64) {
        (self.unknown, self.prefix, self.time, self.position)
    }

    pub(crate) fn with_text<'b>(self, text: &'b [u8]) -> RowKey<'b> {
        RowKey { unknown: self.unknown, prefix: self.prefix, text, time: self.time, position: self.position }
    }

    pub(crate) fn text(&self) -> &'a [u8] {
        self.text
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// What the keys of known users are first ordered by.
    pub(crate) fn known_prefix(&self) -> Option<u64> {
        (!self.unknown).then_some(self.prefix)
    }
}

/// Integer ids have no text. Comparing two empty slices still calls `memcmp`, with pointers to nowhere, which took a
/// third of an ingest's time on processors with AVX-512: masked loads of unmapped pages are slow.
fn compare_texts(a: &[u8], b: &[u8]) -> Ordering {
    if a.is_empty() && b.is_empty() { Ordering::Equal } else { a.cmp(b) }
}

impl Ord for RowKey<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.unknown, self.prefix)
            .cmp(&(other.unknown, other.prefix))
            .then_with(|| compare_texts(self.text, other.text))
            .then_with(|| (self.time, self.position).cmp(&(other.time, other.position)))
    }
}

impl PartialEq for RowKey<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for RowKey<'_> {}

impl PartialOrd for RowKey<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<'a> Row<'a> {
    #[inline]
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.bytes[at..at + N]);
        bytes
    }

    #[inline]
    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.layout.length_at.map_or(self.layout.fixed, |at| self.u32(at) as usize)
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &'a [u8] {
        &self.bytes[..self.len()]
    }

    #[inline]
    pub(crate) fn is_null(&self, column: usize) -> bool {
        let (byte, bit) = self.layout.slots[column].null;
        self.bytes[byte] & bit != 0
    }

    #[inline]
    pub(crate) fn int64(&self, slot: Slot) -> i64 {
        i64::from_le_bytes(self.array(slot.at))
    }

    #[inline]
    pub(crate) fn float64(&self, slot: Slot) -> f64 {
        f64::from_le_bytes(self.array(slot.at))
    }

    #[inline]
    pub(crate) fn code(&self, slot: Slot) -> u32 {
        self.u32(slot.at)
    }

    /// The bytes of a UUID or a text.
    #[inline]
    pub(crate) fn bytes(&self, slot: Slot) -> &'a [u8] {
        match slot.kind {
            SlotKind::Text => {
                let start = self.u32(slot.at) as usize;
                &self.bytes[start..start + self.u32(slot.at + 4) as usize]
            }
            _ => &self.bytes[slot.at..slot.at + slot.kind.width()],
        }
    }

    /// The number of the source file, in the order of the sources.
    #[inline]
    pub(crate) fn file(&self) -> u32 {
        (u64::from_le_bytes(self.array(0)) >> OFFSET_BITS) as u32
    }

    /// The byte of the source file where its record starts.
    #[inline]
    pub(crate) fn byte_start(&self) -> u64 {
        u64::from_le_bytes(self.array(0)) & ((1 << OFFSET_BITS) - 1)
    }

    /// What the row's key starts with, none for the unknown user, and its time: the key where users are no texts, but
    /// for the position.
    #[inline]
    pub(crate) fn user_and_time(&self) -> (Option<u64>, i64) {
        let user = match self.layout.user {
            Some((user, _)) if !self.is_null(user) => {
                Some(self.int64(self.layout.slots[user]).cast_unsigned() ^ (1 << 63))
            }
            _ => None,
        };
        (user, i64::from_le_bytes(self.array(TIME)))
    }

    /// What the keys of known users are first ordered by: all that nearly every row is routed by. The rest of a row that
    /// was just written is better left alone, or the processor waits for it.
    #[inline]
    pub(crate) fn known_prefix(&self) -> Option<u64> {
        if self.layout.users_are_text() { self.key().known_prefix() } else { self.user_and_time().0 }
    }

    /// Whether another row has the same user.
    #[inline]
    pub(crate) fn same_user(&self, other: &Row<'_>) -> bool {
        if self.layout.users_are_text() {
            self.key().same_user(&other.key())
        } else {
            self.user_and_time().0 == other.user_and_time().0
        }
    }

    #[inline]
    pub(crate) fn key(&self) -> RowKey<'a> {
        let time = i64::from_le_bytes(self.array(TIME));
        let position = u64::from_le_bytes(self.array(0));
        match self.layout.user {
            Some((user, kind)) if !self.is_null(user) => {
                let slot = self.layout.slots[user];
                let (prefix, text) = if kind == SlotKind::Text {
                    let text = self.bytes(slot);
                    let mut start = [0; 8];
                    let length = text.len().min(8);
                    start[..length].copy_from_slice(&text[..length]);
                    (u64::from_be_bytes(start), text)
                } else {
                    (self.int64(slot).cast_unsigned() ^ (1 << 63), &[][..])
                };
                RowKey { unknown: false, prefix, text, time, position }
            }
            _ => RowKey { unknown: true, prefix: 0, text: &[], time, position },
        }
    }
}
