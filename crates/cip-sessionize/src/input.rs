//! The columns that sessions are made from, and their types.

use std::ops::Range;

use arrow_array::{Array, Decimal128Array, Int64Array};
use arrow_schema::DataType;
use cip_core::{CoreError, EventBatch, EventKind, EventSchema, IdColumn, IdType, MoneyScale, column};

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
        for &name in COLUMNS {
            self.check(events, name)?;
        }
        let has = |name| self.schema.has(name);
        Ok(Input {
            users: events.users()?,
            times: events.times()?.values(),
            kinds: events.kinds()?,
            products: if has(column::PRODUCT_ID) { Some(events.products()?) } else { None },
            prices: events.prices().filter(|_| has(column::PRICE)),
            quantities: events.quantities().filter(|_| has(column::QUANTITY)),
        })
    }

    /// Checks that a column which the schema has is there with the same type.
    fn check(&self, events: &EventBatch, name: &'static str) -> Result<(), CoreError> {
        let Ok(expected) = self.schema.arrow().field_with_name(name) else { return Ok(()) };
        let Ok(found) = events.schema().arrow().field_with_name(name) else {
            return Err(CoreError::MissingColumn { column: name });
        };
        if found.data_type() == expected.data_type() {
            return Ok(());
        }
        Err(CoreError::ColumnType {
            column: name.to_owned(),
            found: found.data_type().clone(),
            expected: match expected.data_type() {
                DataType::Int64 => "Int64 as in the schema given first",
                DataType::Utf8 => "Utf8 as in the schema given first",
                _ => "the type in the schema given first",
            },
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
    prices: Option<&'a Decimal128Array>,
    quantities: Option<&'a Int64Array>,
}

impl Input<'_> {
    /// Returns `sum` plus price x quantity of the purchases in `rows`, or none beyond the range of an i128.
    pub(crate) fn add_revenue(&self, mut sum: i128, rows: Range<usize>) -> Option<i128> {
        let Some(prices) = self.prices else { return Some(sum) };
        for row in rows {
            if self.kinds[row] == EventKind::Purchase && prices.is_valid(row) {
                let pieces = match self.quantities {
                    Some(quantities) if quantities.is_valid(row) => quantities.value(row),
                    _ => 1,
                };
                sum = sum.checked_add(prices.value(row).checked_mul(i128::from(pieces))?)?;
            }
        }
        Some(sum)
    }
}
