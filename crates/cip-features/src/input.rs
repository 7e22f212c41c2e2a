//! The columns that features are made from, and their types.

use arrow_array::types::Int32Type;
use arrow_array::{Decimal128Array, DictionaryArray, UInt32Array};
use cip_core::table::Label;
use cip_core::{
    Amounts, CoreError, EventBatch, EventKind, EventSchema, IdColumn, IdType, MoneyScale, column,
};

use crate::feature::Feature;

/// The types that every batch must have.
#[derive(Debug, Clone)]
pub(crate) struct InputSchema {
    /// The schema's part of the columns that are used.
    schema: EventSchema,
    pub(crate) users: IdType,
    pub(crate) products: Option<IdType>,
    pub(crate) category_ids: Option<IdType>,
    pub(crate) money: Option<MoneyScale>,
}

impl InputSchema {
    pub(crate) fn try_new(
        schema: &EventSchema,
        features: &[Feature],
        label: Label,
    ) -> Result<Self, CoreError> {
        let users = schema.user_type()?;
        if !schema.has(column::EVENT_TIME) {
            return Err(CoreError::MissingColumn { column: column::EVENT_TIME });
        }
        let mut used = vec![column::USER_ID, column::EVENT_TIME];
        if label == Label::Known {
            used.push(column::EVENT_TYPE);
        }
        used.extend(features.iter().flat_map(|feature| feature.inputs(schema)));
        let schema = schema.project(&used);
        Ok(Self {
            users,
            products: schema.id_type(column::PRODUCT_ID),
            category_ids: schema.id_type(column::CATEGORY_ID),
            money: schema.money_scale(),
            schema,
        })
    }

    pub(crate) fn columns(&self) -> Vec<&'static str> {
        column::EVENT_COLUMNS.into_iter().filter(|name| self.schema.has(name)).collect()
    }

    pub(crate) fn has(&self, column: &str) -> bool {
        self.schema.has(column)
    }

    /// Returns the columns of a batch; those that are not used are none.
    pub(crate) fn read<'a>(&self, events: &'a EventBatch) -> Result<Input<'a>, CoreError> {
        self.schema.require(events.schema())?;
        let has = |name| self.schema.has(name);
        Ok(Input {
            users: events.users()?,
            times: events.times()?.values(),
            kinds: if has(column::EVENT_TYPE) { Some(events.kinds()?) } else { None },
            products: if has(column::PRODUCT_ID) { Some(events.products()?) } else { None },
            category_ids: events.categories().filter(|_| has(column::CATEGORY_ID)),
            category_codes: events.category_codes().filter(|_| has(column::CATEGORY_CODE)),
            brands: events.brands().filter(|_| has(column::BRAND)),
            prices: events.prices().filter(|_| has(column::PRICE)),
            amounts: events
                .amounts()
                .filter(|_| has(column::PRICE))
                .map(|amounts| if has(column::QUANTITY) { amounts } else { amounts.without_quantities() }),
            source_sessions: events.source_sessions().filter(|_| has(column::SOURCE_SESSION)),
        })
    }
}

/// The columns of one batch.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    pub(crate) users: &'a IdColumn,
    pub(crate) times: &'a [i64],
    pub(crate) kinds: Option<Vec<EventKind>>,
    pub(crate) products: Option<&'a IdColumn>,
    pub(crate) category_ids: Option<&'a IdColumn>,
    pub(crate) category_codes: Option<&'a DictionaryArray<Int32Type>>,
    pub(crate) brands: Option<&'a DictionaryArray<Int32Type>>,
    pub(crate) prices: Option<&'a Decimal128Array>,
    pub(crate) amounts: Option<Amounts<'a>>,
    pub(crate) source_sessions: Option<&'a UInt32Array>,
}
