//! The columns that RFM is made from, and their types.

use arrow_array::{Array, cast::AsArray};
use cip_core::{
    Amounts, CoreError, EventBatch, EventKind, EventSchema, IdColumn, IdRef, IdType, MoneyScale, column,
};

use crate::error::RfmError;

/// The event columns that RFM is made from, in the store's order: what a reader should project.
///
/// `quantity` and `order_id` may be absent.
pub const COLUMNS: &[&str] = &[
    column::USER_ID,
    column::EVENT_TIME,
    column::EVENT_TYPE,
    column::PRICE,
    column::QUANTITY,
    column::ORDER_ID,
];

/// The types that every batch must have.
#[derive(Debug, Clone)]
pub(crate) struct InputSchema {
    /// The schema's part of [`COLUMNS`].
    schema: EventSchema,
    pub(crate) users: IdType,
    pub(crate) orders: Option<IdType>,
    pub(crate) money: MoneyScale,
}

impl InputSchema {
    pub(crate) fn try_new(schema: &EventSchema) -> Result<Self, RfmError> {
        for column in [column::EVENT_TIME, column::EVENT_TYPE] {
            if !schema.has(column) {
                return Err(CoreError::MissingColumn { column }.into());
            }
        }
        Ok(Self {
            users: schema.user_type()?,
            orders: schema.id_type(column::ORDER_ID),
            money: schema.money_scale().ok_or(RfmError::NoMoney)?,
            schema: schema.project(COLUMNS),
        })
    }

    /// Whether events have `quantity`.
    pub(crate) fn has_quantities(&self) -> bool {
        self.schema.has(column::QUANTITY)
    }

    /// Returns the columns of a batch.
    pub(crate) fn read<'a>(&self, events: &'a EventBatch) -> Result<Input<'a>, CoreError> {
        self.schema.require(events.schema())?;
        let types = events.event_types()?;
        let names = types.values().as_string::<i32>();
        Ok(Input {
            users: events.users()?,
            times: events.times()?.values(),
            types: types.keys().values(),
            kinds: (0..names.len()).map(|code| EventKind::from_event_type(names.value(code))).collect(),
            amounts: match events.amounts().ok_or(CoreError::MissingColumn { column: column::PRICE })? {
                amounts if self.has_quantities() => amounts,
                amounts => amounts.without_quantities(),
            },
            orders: events.orders().filter(|_| self.orders.is_some()),
        })
    }
}

/// The columns of one batch.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    pub(crate) users: &'a IdColumn,
    pub(crate) times: &'a [i64],
    /// The code of each row's event type, and the kind of each code.
    types: &'a [i32],
    kinds: Vec<EventKind>,
    pub(crate) orders: Option<&'a IdColumn>,
    amounts: Amounts<'a>,
}

impl Input<'_> {
    /// What the event of a row is.
    pub(crate) fn kind(&self, row: usize) -> EventKind {
        self.kinds[self.types[row] as usize]
    }

    /// The first `rows` rows, without those whose kind is not `wanted`, which are most of all.
    pub(crate) fn rows_of(
        &self,
        rows: usize,
        wanted: impl Fn(EventKind) -> bool,
    ) -> impl Iterator<Item = usize> {
        let wanted: Vec<bool> = self.kinds.iter().map(|kind| wanted(*kind)).collect();
        let rows = self.types[..rows].iter().enumerate();
        rows.filter(move |(_, code)| wanted[**code as usize]).map(|(row, _)| row)
    }

    /// Price and quantity of a row.
    pub(crate) fn price_and_pieces(&self, row: usize) -> (i128, i128) {
        (self.amounts.price(row), self.amounts.pieces(row))
    }

    /// Returns how many rows have a user, given that they come first and ascend from `previous`; the error is
    /// the first row that does not.
    pub(crate) fn known_users(&self, previous: Option<IdRef<'_>>) -> Result<usize, usize> {
        let (known, misplaced) = self.users.known();
        if let (Some(previous), true) = (previous, known > 0)
            && self.users.get(0) < Some(previous)
        {
            return Err(0);
        }
        let back = match self.users {
            IdColumn::Int64(array) => first_back(&array.values()[..known]),
            IdColumn::Utf8(array) => (1..known).find(|&row| array.value(row) < array.value(row - 1)),
        };
        back.or(misplaced).map_or(Ok(known), Err)
    }
}

/// The first value below the one before it.
fn first_back(values: &[i64]) -> Option<usize> {
    // One pass without a branch a row tells whether a search is worth it: it seldom is.
    let back = |pair: &[i64]| pair[1] < pair[0];
    let any = values.windows(2).fold(false, |any, pair| any | back(pair));
    if any { values.windows(2).position(back).map(|row| row + 1) } else { None }
}
