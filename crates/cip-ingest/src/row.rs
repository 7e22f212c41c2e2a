//! An event as a row of bytes: what is scattered to partitions, spilled and sorted.
//!
//! ```text
//! position u64 │ time i64 │ length u32, where there are texts │ null bits │ attributes u32 │ slots … │ session id │ texts …
//! ```
//!
//! `position` is the source file (24 bits) and the byte where its record starts (40 bits), so that rows of one time
//! keep the order of file and line. `attributes` is the code of the product's
//! ([`crate::attributes`]), in stores that have such.

use std::cmp::Ordering;

use cip_core::column;

use crate::packing::{ID, Packing};
use crate::target::{ColumnKind, TargetColumn};
use cip_core::table::SessionIdType;

/// Bits of the byte where a record starts, in a position.
pub(crate) const OFFSET_BITS: u32 = 40;

/// Where each column of the store lies in a row.
#[derive(Debug)]
pub(crate) struct RowLayout {
    slots: Vec<Slot>,
    user: Option<(usize, SlotKind)>,
    /// Where an integer user lies, and the byte and the bit that say whether they are unknown.
    integer_user: Option<(usize, (usize, u8))>,
    pub(crate) session: Option<usize>,
    /// Where the row's length stands, in layouts with texts.
    pub(crate) length_at: Option<usize>,
    /// Where the code of the product's attributes stands.
    pub(crate) attributes: Option<Slot>,
    /// Bytes of a row without its texts.
    pub(crate) fixed: usize,
    /// What a row would take more with the attributes and the session's id in it: row groups must not depend on where
    /// they stand.
    spared_bytes: usize,
    /// Where the UUID of a row's session lies, and the byte and the bit that say whether it is missing.
    id: Option<(usize, (usize, u8))>,
    /// How rows are packed while they wait to be sorted, where all have one length.
    packing: Option<Packing>,
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
    /// Where every row's position and time lie.
    pub(crate) const POSITION: usize = 0;
    pub(crate) const TIME: usize = 8;
    /// The [`Position`] as a value, which no row lacks.
    pub(crate) const POSITION_SLOT: Slot = Slot { at: Self::POSITION, kind: SlotKind::Int64, null: (0, 0) };

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
            let start = if kind == SlotKind::Time { Self::TIME } else { at };
            // A session's id stands behind all else: without it, a row is its start.
            at += if kind == SlotKind::Uuid { 0 } else { kind.width() };
            Slot { at: start, kind, null }
        };
        let mut slots: Vec<Slot> = kinds.into_iter().map(&mut slot).collect();
        for id in slots.iter_mut().filter(|slot| slot.kind == SlotKind::Uuid) {
            id.at = at;
            at += SlotKind::Uuid.width();
        }
        let more: usize = coded.iter().map(|&column| of_its_own(&columns[column]).width()).sum();
        let less = null_bytes + attributes.map_or(0, |attributes| attributes.kind.width());
        let index = |name| columns.iter().position(|target| target.name == name);
        let user = index(column::USER_ID).map(|user| (user, slots[user].kind));
        let integer = user.filter(|&(_, kind)| kind == SlotKind::Int64);
        let mut layout = Self {
            user,
            integer_user: integer.map(|(user, _)| (slots[user].at, slots[user].null)),
            session: index(column::SOURCE_SESSION),
            slots,
            length_at,
            attributes,
            fixed: at,
            spared_bytes: columns.len().div_ceil(8) + more - less,
            id: None,
            packing: None,
        };
        layout.id =
            (layout.slots.iter()).find(|slot| slot.kind == SlotKind::Uuid).map(|slot| (slot.at, slot.null));
        layout.spared_bytes += layout.row_bytes().map_or(0, |kept| layout.fixed - kept);
        layout.packing = Packing::new(&layout);
        layout
    }

    /// What `rows` sorted rows of so many bytes count in a row group: as much as with all that is kept elsewhere in them.
    pub(crate) fn counted_bytes(&self, rows: usize, bytes: usize) -> usize {
        bytes + rows * self.spared_bytes
    }

    /// How rows are packed while they wait to be sorted, where all have one length.
    pub(crate) fn packing(&self) -> Option<&Packing> {
        self.packing.as_ref()
    }

    /// Where the values lie that rows of one length are made of, and their bytes, at most eight.
    pub(crate) fn values(&self) -> Vec<(usize, usize)> {
        let nulls_at = Self::TIME + 8;
        let own = self.slots.iter().filter(|slot| !matches!(slot.kind, SlotKind::Attribute(_))).count();
        let null_bytes = own.div_ceil(8);
        let mut values = vec![(Self::POSITION, 8), (Self::TIME, 8)];
        values.extend((0..null_bytes).step_by(8).map(|at| (nulls_at + at, (null_bytes - at).min(8))));
        for slot in self.slots.iter().chain(&self.attributes) {
            match slot.kind {
                SlotKind::Time | SlotKind::Attribute(_) => (),
                // The code that stands for it.
                SlotKind::Uuid => values.push((slot.at, SlotKind::Code.width())),
                kind => values.push((slot.at, kind.width())),
            }
        }
        values
    }

    /// Where an integer user lies, and the byte and the bit that say whether they are unknown.
    pub(crate) fn user_at(&self) -> Option<(usize, (usize, u8))> {
        self.integer_user
    }

    /// Where the UUID of a row's session lies, and in a sorted row of one length the code that stands for it.
    pub(crate) fn id_at(&self) -> Option<usize> {
        self.id.map(|(at, _)| at)
    }

    pub(crate) fn slot(&self, column: usize) -> Slot {
        self.slots[column]
    }

    /// The byte and the bit that say whether a column's value is missing.
    pub(crate) fn null(&self, column: usize) -> (usize, u8) {
        self.slots[column].null
    }

    /// The length of every row once it is sorted, with a code for its session's UUID; none where texts make them differ.
    pub(crate) fn row_bytes(&self) -> Option<usize> {
        let spared = if self.id_at().is_some() { SlotKind::Uuid.width() - SlotKind::Code.width() } else { 0 };
        self.length_at.is_none().then_some(self.fixed - spared)
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

/// Who the user of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User<'a> {
    Integer(i64),
    Text(&'a [u8]),
}

/// Where the record of a row stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position(pub(crate) u64);

impl Position {
    /// The number of the source file, in the order of the sources.
    pub(crate) fn file(self) -> u32 {
        (self.0 >> OFFSET_BITS) as u32
    }

    /// The byte of the source file where the record starts.
    pub(crate) fn byte_start(self) -> u64 {
        self.0 & ((1 << OFFSET_BITS) - 1)
    }
}

/// Rows, one behind the other.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) layout: &'a RowLayout,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Iterator for Rows<'a> {
    type Item = Row<'a>;

    #[inline]
    fn next(&mut self) -> Option<Row<'a>> {
        if self.bytes.is_empty() {
            return None;
        }
        let row = Row { layout: self.layout, bytes: self.bytes };
        self.bytes = &self.bytes[row.len()..];
        Some(row)
    }
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

    /// The UUID of its session, zeros where it is missing, in rows that are not sorted yet.
    #[inline]
    pub(crate) fn id(&self) -> Option<&'a [u8; ID]> {
        self.bytes.get(self.layout.id_at()?..)?.first_chunk()
    }

    /// Whether it has a session with a UUID.
    #[inline]
    pub(crate) fn has_id(&self) -> bool {
        self.layout.id.is_some_and(|(_, (byte, bit))| self.bytes[byte] & bit == 0)
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

    /// The bytes of an integer, an amount, a code or a double.
    #[inline]
    pub(crate) fn word(&self, slot: Slot) -> u64 {
        match slot.kind {
            SlotKind::Code => self.u32(slot.at).into(),
            _ => u64::from_le_bytes(self.array(slot.at)),
        }
    }

    /// What the row's key starts with, none for the unknown user, and its time: the key where users are no texts, but
    /// for the position.
    #[inline]
    pub(crate) fn user_and_time(&self) -> (Option<u64>, i64) {
        let known = self.layout.integer_user.filter(|&(_, (byte, bit))| self.bytes[byte] & bit == 0);
        let user = known.map(|(at, _)| u64::from_le_bytes(self.array(at)) ^ (1 << 63));
        (user, self.time())
    }

    #[inline]
    pub(crate) fn time(&self) -> i64 {
        i64::from_le_bytes(self.array(RowLayout::TIME))
    }

    /// What the keys of known users are first ordered by: all that nearly every row is routed by. The rest of a row that
    /// was just written is better left alone, or the processor waits for it.
    #[inline]
    pub(crate) fn known_prefix(&self) -> Option<u64> {
        if self.layout.users_are_text() { self.key().known_prefix() } else { self.user_and_time().0 }
    }

    /// Its user; none where they are unknown, or rows have no users.
    #[inline]
    pub(crate) fn user(&self) -> Option<User<'a>> {
        let (column, kind) = self.layout.user.filter(|(column, _)| !self.is_null(*column))?;
        let slot = self.layout.slots[column];
        Some(match kind {
            SlotKind::Text => User::Text(self.bytes(slot)),
            _ => User::Integer(self.int64(slot)),
        })
    }

    #[inline]
    pub(crate) fn key(&self) -> RowKey<'a> {
        let time = i64::from_le_bytes(self.array(RowLayout::TIME));
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
