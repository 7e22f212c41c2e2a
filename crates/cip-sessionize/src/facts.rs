//! The columns of a table of sessions, to be compared row by row.

use std::cmp::Ordering;

use arrow_array::types::{Decimal128Type, Int64Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{Array, ArrayRef, Decimal128Array, RecordBatch, cast::AsArray};
use arrow_schema::DataType;
use cip_core::{CoreError, IdColumn, IdRef, IdType, MoneyScale, column, table};

use crate::error::SessionizeError;

/// The counts of a session.
const COUNTS: [&str; 8] =
    ["session_seq", "duration_seconds", "events", "views", "carts", "removes", "purchases", "products"];

/// A table of `fact_sessions`, sorted by user and start.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    keys: &'a [u64],
    users: IdColumn,
    starts: &'a [i64],
    ends: &'a [i64],
    counts: [&'a [i64]; COUNTS.len()],
    revenues: &'a Decimal128Array,
    money: Option<MoneyScale>,
}

impl<'a> Facts<'a> {
    /// Returns the columns of `batch`.
    ///
    /// # Errors
    /// Where it is no such table, or its rows go back.
    pub(crate) fn try_new(batch: &'a RecordBatch) -> Result<Self, CoreError> {
        let users = IdColumn::try_new(column::USER_ID, array(batch, column::USER_ID)?)?;
        let money = money_of(batch)?;
        for field in table::fact_sessions(users.id_type(), money).fields() {
            let found = batch.column_by_name(field.name()).map(|array| array.data_type());
            if let Some(found) = found.filter(|found| *found != field.data_type()) {
                return Err(not_sessions(field.name(), found));
            }
        }
        let time = |name| Ok::<_, CoreError>(array(batch, name)?.as_primitive::<TimestampMicrosecondType>());
        let mut counts = [&[][..]; COUNTS.len()];
        for (values, name) in counts.iter_mut().zip(COUNTS) {
            *values = array(batch, name)?.as_primitive::<Int64Type>().values();
        }
        let facts = Self {
            keys: array(batch, "session_key")?.as_primitive::<UInt64Type>().values(),
            users,
            starts: time("session_start")?.values(),
            ends: time("session_end")?.values(),
            counts,
            revenues: array(batch, "revenue")?.as_primitive::<Decimal128Type>(),
            money,
        };
        let back = (1..facts.len()).find(|&row| facts.place(row - 1) > facts.place(row));
        back.map_or(Ok(facts), |row| Err(CoreError::NotSorted { row: row as u64 }))
    }

    /// As [`Facts::try_new`], of a table that has the types of `other`.
    pub(crate) fn like(batch: &'a RecordBatch, other: &Self) -> Result<Self, SessionizeError> {
        let facts = Self::try_new(batch)?;
        if (facts.user_type(), facts.money) == (other.user_type(), other.money) {
            return Ok(facts);
        }
        let types = |facts: &Self| (facts.user_type(), facts.money);
        Err(SessionizeError::OtherSessions { found: types(&facts), expected: types(other) })
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn user_type(&self) -> IdType {
        self.users.id_type()
    }

    pub(crate) fn money(&self) -> Option<MoneyScale> {
        self.money
    }

    pub(crate) fn key(&self, row: usize) -> u64 {
        self.keys[row]
    }

    /// Whether `row` is there and has the user of a row of `other`.
    pub(crate) fn has_user(&self, row: usize, other: &Self, other_row: usize) -> bool {
        row < self.len() && self.users.get(row) == other.users.get(other_row)
    }

    /// Compares user and start of two rows; no row at all comes last.
    pub(crate) fn compare(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        match (row < self.len(), other_row < other.len()) {
            (true, true) => self.place(row).cmp(&other.place(other_row)),
            (here, there) => there.cmp(&here),
        }
    }

    /// Whether two rows of one user and start are the same in all else.
    pub(crate) fn same_row(&self, row: usize, other: &Self, other_row: usize) -> bool {
        self.ends[row] == other.ends[other_row]
            && self.counts.iter().zip(&other.counts).all(|(a, b)| a[row] == b[other_row])
            && self.revenue(row) == other.revenue(other_row)
    }

    fn place(&self, row: usize) -> (Option<IdRef<'_>>, i64) {
        (self.users.get(row), self.starts[row])
    }

    fn revenue(&self, row: usize) -> Option<i128> {
        self.revenues.is_valid(row).then(|| self.revenues.value(row))
    }
}

/// The decimals of revenue; none where the source has no prices.
fn money_of(batch: &RecordBatch) -> Result<Option<MoneyScale>, CoreError> {
    let revenue = array(batch, "revenue")?.data_type();
    let DataType::Decimal128(_, decimals) = revenue else { return Err(not_sessions("revenue", revenue)) };
    if batch.schema().field_with_name("revenue")?.is_nullable() {
        return Ok(None);
    }
    let decimals = u8::try_from(*decimals).map_err(|_| not_sessions("revenue", revenue))?;
    MoneyScale::new(decimals).map(Some)
}

fn array<'a>(batch: &'a RecordBatch, column: &'static str) -> Result<&'a ArrayRef, CoreError> {
    batch.column_by_name(column).ok_or(CoreError::MissingColumn { column })
}

fn not_sessions(column: &str, found: &DataType) -> CoreError {
    CoreError::ColumnType {
        column: column.to_owned(),
        found: found.clone(),
        expected: "the type that it has in `fact_sessions`",
    }
}
