//! Dense codes for the values of a column, which mean the same in every batch as long as a user is open.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use cip_core::{CoreError, Id, IdDictionary, IdRef, IdType};

use super::column::{Column, ColumnType};
use super::known::KnownRow;

/// Values known beyond which those of closed users are forgotten.
const MANY: usize = 1 << 16;

/// A code of a batch's dictionary that was not met yet.
const UNMET: u32 = u32::MAX;

/// The codes of one column.
#[derive(Debug)]
pub(super) struct Codes {
    id_type: IdType,
    known: IdDictionary,
    /// The dictionary of the batch, and the own code of each of its codes: a text is looked up once a batch, and not once a row.
    values: Option<ArrayRef>,
    own: Vec<u32>,
}

impl Codes {
    pub(super) fn new(column_type: ColumnType) -> Self {
        let id_type = match column_type {
            ColumnType::Dictionary | ColumnType::Utf8 => IdType::Utf8,
            _ => IdType::Int64,
        };
        Self { id_type, known: Self::none(id_type), values: None, own: Vec::new() }
    }

    fn none(id_type: IdType) -> IdDictionary {
        IdDictionary::new("a column of the specification", id_type)
    }

    /// Begins a batch.
    pub(super) fn begin(&mut self, column: &Column) {
        let Column::Dictionary(array) = column else { return };
        if !self.values.as_ref().is_some_and(|values| Arc::ptr_eq(values, array.values())) {
            self.values = Some(Arc::clone(array.values()));
            self.own.clear();
            self.own.resize(array.values().len(), UNMET);
        }
    }

    /// The code of the value in a row of the batch begun last; none where it is null.
    #[inline]
    pub(super) fn code(&mut self, column: &Column, row: KnownRow) -> Result<Option<u32>, CoreError> {
        let place = row.place();
        if !column.is_known(row) {
            return Ok(None);
        }
        let id = match column {
            Column::Dictionary(array) => {
                let code = array.keys().value(place) as usize;
                if self.own[code] == UNMET {
                    self.own[code] =
                        self.known.code(IdRef::Utf8(array.values().as_string::<i32>().value(code)))?;
                }
                return Ok(Some(self.own[code]));
            }
            Column::Utf8(array) => IdRef::Utf8(array.value(place)),
            Column::Int64(array) => IdRef::Int64(array.value(place)),
            Column::UInt32(array) => IdRef::Int64(array.value(place).into()),
            Column::Float64(_) | Column::Money(_) | Column::Spend { .. } => return Ok(None),
        };
        self.known.code(id).map(Some)
    }

    /// The value of a code.
    pub(super) fn value(&self, code: u32) -> Option<IdRef<'_>> {
        self.known.id(code)
    }

    /// The code of a value of the column's type.
    pub(super) fn code_of(&mut self, value: IdRef<'_>) -> Result<u32, CoreError> {
        self.known.code(value)
    }

    /// The values, in the order of their codes.
    pub(super) fn into_values(self) -> Vec<Id> {
        (0..self.known.len() as u32).filter_map(|code| self.known.id(code).map(IdRef::to_owned)).collect()
    }

    /// Forgets the values of a user that is closed, where there are many. No code is kept then.
    pub(super) fn close(&mut self) {
        if self.known.len() > MANY {
            self.known = Self::none(self.id_type);
            self.own.fill(UNMET);
        }
    }
}
