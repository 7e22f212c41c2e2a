//! Rows of one length in the store's order, column by column.

use std::ops::Range;

use cip_core::first_where;

use crate::packing::{Packing, Value};

/// The values of one column, in as few bytes as a row has for them.
#[derive(Debug)]
pub(crate) enum Column {
    Bytes(Vec<u8>),
    Words(Vec<u32>),
    Longs(Vec<u64>),
}

impl Column {
    fn new(value: Value, rows: usize) -> Self {
        match value.bytes {
            ..=1 => Self::Bytes(Vec::with_capacity(rows)),
            2..=4 => Self::Words(Vec::with_capacity(rows)),
            _ => Self::Longs(Vec::with_capacity(rows)),
        }
    }

    /// Appends values, cut to what the column has for them.
    #[inline(always)]
    pub(crate) fn extend(&mut self, values: impl Iterator<Item = u64>) {
        match self {
            Self::Bytes(column) => column.extend(values.map(|value| value as u8)),
            Self::Words(column) => column.extend(values.map(|value| value as u32)),
            Self::Longs(column) => column.extend(values),
        }
    }

    #[inline(always)]
    fn get(&self, row: usize) -> u64 {
        match self {
            Self::Bytes(column) => column[row].into(),
            Self::Words(column) => column[row].into(),
            Self::Longs(column) => column[row],
        }
    }

    /// Appends what `of` makes of some values.
    pub(crate) fn append_to<T>(&self, rows: Range<usize>, into: &mut Vec<T>, of: impl Fn(u64) -> T) {
        match self {
            Self::Bytes(column) => into.extend(column[rows].iter().map(|&value| of(value.into()))),
            Self::Words(column) => into.extend(column[rows].iter().map(|&value| of(value.into()))),
            Self::Longs(column) => into.extend(column[rows].iter().map(|&value| of(value))),
        }
    }
}

/// A bit of each row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bit<'a> {
    column: &'a Column,
    bit: u64,
}

impl Bit<'_> {
    /// Whether some row has it.
    pub(crate) fn is_anywhere(&self) -> bool {
        let all = match self.column {
            Column::Bytes(column) => column.iter().fold(0, |all, value| all | value).into(),
            Column::Words(column) => column.iter().fold(0, |all, value| all | value).into(),
            Column::Longs(column) => column.iter().fold(0, |all, value| all | value),
        };
        all & self.bit != 0
    }

    #[inline(always)]
    pub(crate) fn is_set(&self, row: usize) -> bool {
        self.column.get(row) & self.bit != 0
    }
}

/// Rows of one length, in order.
#[derive(Debug)]
pub(crate) struct SortedColumns {
    /// Those of [`Packing::values`].
    columns: Vec<Column>,
    rows: usize,
    /// Bytes of a row.
    pub(crate) row_bytes: usize,
}

impl SortedColumns {
    /// So many columns without rows, with room for some.
    pub(crate) fn new(packing: &Packing, rows: usize) -> Self {
        let columns = packing.values.iter().map(|&value| Column::new(value, rows)).collect();
        Self { columns, rows, row_bytes: packing.row_bytes }
    }

    /// The columns, to be filled with the rows that there is room for.
    pub(crate) fn columns_mut(&mut self) -> &mut [Column] {
        &mut self.columns
    }

    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// The column of the value that starts at a byte of rows.
    pub(crate) fn column(&self, packing: &Packing, at: usize) -> &Column {
        let value = packing.values.iter().position(|value| value.at == at);
        &self.columns[value.unwrap_or_default()]
    }

    /// The bit of a byte of rows.
    pub(crate) fn bit(&self, packing: &Packing, byte: (usize, u8)) -> Bit<'_> {
        let (value, bit) = packing.bit(byte);
        Bit { column: &self.columns[value], bit }
    }

    /// Returns where the rows of each user end. Those of the unknown user are behind all others.
    pub(crate) fn user_ends(&self, packing: &Packing) -> Vec<usize> {
        fn append_ends<T: PartialEq>(users: &[T], ends: &mut Vec<usize>) {
            let differs = |&(_, pair): &(usize, &[T])| pair[0] != pair[1];
            ends.extend((1..).zip(users.windows(2)).filter(differs).map(|(end, _)| end));
        }
        let mut ends = Vec::new();
        if let Some((user, null, bit)) = packing.user {
            let unknown = Bit { column: &self.columns[null], bit };
            let known = first_where(0..self.rows, |row| unknown.is_set(row));
            match &self.columns[user] {
                Column::Bytes(users) => append_ends(&users[..known], &mut ends),
                Column::Words(users) => append_ends(&users[..known], &mut ends),
                Column::Longs(users) => append_ends(&users[..known], &mut ends),
            }
            ends.extend((0 < known && known < self.rows).then_some(known));
        }
        ends.extend((0 < self.rows).then_some(self.rows));
        ends
    }

    /// The user of a row, none where they are unknown or rows have no integer users.
    #[inline(always)]
    pub(crate) fn user(&self, packing: &Packing, row: usize) -> Option<i64> {
        let (user, null, bit) = packing.user?;
        (self.columns[null].get(row) & bit == 0).then(|| self.columns[user].get(row).cast_signed())
    }
}
