//! The columns that sessions are made from, and their types.

use std::ops::Range;

use cip_core::{
    Amounts, CoreError, EventBatch, EventKind, EventSchema, IdColumn, IdType, MoneyScale, column,
};

/// The event columns that sessions are made from, in the store's order: what a reader should project.
///
/// `product_id`, `price` and `quantity` may be absent.
pub const COLUMNS: &[&str] = &[
    column::USER_ID,
    column::EVENT_TIME,
    column::EVENT_TYPE,
    column::PRODUCT_ID,
    column::PRICE,
    column::QUANTITY,
];

/// The types that every batch must have.
#[derive(Debug, Clone)]
pub(crate) struct InputSchema {
    /// The schema's part of [`COLUMNS`].
    schema: EventSchema,
    pub(crate) users: IdType,
    pub(crate) products: Option<IdType>,
    pub(crate) money: Option<MoneyScale>,
}

impl InputSchema {
    pub(crate) fn try_new(schema: &EventSchema) -> Result<Self, CoreError> {
        for column in [column::EVENT_TIME, column::EVENT_TYPE] {
            if !schema.has(column) {
                return Err(CoreError::MissingColumn { column });
            }
        }
        Ok(Self {
            users: schema.user_type()?,
            products: schema.id_type(column::PRODUCT_ID),
            money: schema.money_scale(),
            schema: schema.project(COLUMNS),
        })
    }

    /// Returns the columns of a batch.
    pub(crate) fn read<'a>(&self, events: &'a EventBatch) -> Result<Input<'a>, CoreError> {
        self.schema.require(events.schema())?;
        let has = |name| self.schema.has(name);
        Ok(Input {
            users: events.users()?,
            times: events.times()?.values(),
            kinds: events.kinds()?,
            products: if has(column::PRODUCT_ID) { Some(events.products()?) } else { None },
            amounts: events
                .amounts()
                .filter(|_| has(column::PRICE))
                .map(|amounts| if has(column::QUANTITY) { amounts } else { amounts.without_quantities() }),
        })
    }
}

/// The columns of one batch.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    pub(crate) users: &'a IdColumn,
    pub(crate) times: &'a [i64],
    pub(crate) kinds: Vec<EventKind>,
    pub(crate) products: Option<&'a IdColumn>,
    amounts: Option<Amounts<'a>>,
}

impl Input<'_> {
    /// Returns `sum` plus price x quantity of the purchases in `rows`, or none beyond the range of an i128.
    pub(crate) fn add_revenue(&self, mut sum: i128, rows: Range<usize>) -> Option<i128> {
        let Some(amounts) = &self.amounts else { return Some(sum) };
        for row in rows {
            if self.kinds[row] == EventKind::Purchase {
                sum = sum.checked_add(amounts.amount(row)?)?;
            }
        }
        Some(sum)
    }
}
