//! The columns that sessions are made from, and their types.

use std::ops::Range;

use arrow_array::{Array, UInt32Array};
use cip_core::{
    Amounts, CoreError, EventBatch, EventKind, EventSchema, IdColumn, IdType, MoneyScale, column,
};

use crate::attribute::{AttributeColumn, check_attribute};
use crate::error::SessionizeError;
use crate::rule::{SessionBasis, SessionRule};

/// The event columns that sessions are made from, in the store's order: what a reader should project. Some rules need more:
/// see [`SessionRule::columns`].
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
    /// The schema's part of the rule's columns.
    schema: EventSchema,
    rule: SessionRule,
    pub(crate) users: IdType,
    pub(crate) products: Option<IdType>,
    pub(crate) money: Option<MoneyScale>,
}

impl InputSchema {
    /// The columns of a rule.
    pub(crate) fn try_new(rule: SessionRule, schema: &EventSchema) -> Result<Self, SessionizeError> {
        let source = rule.basis() == SessionBasis::Source;
        Self::with_columns(rule, source.then_some(column::SOURCE_SESSION), schema)
    }

    /// The columns of a rule, and `source`.
    pub(crate) fn with_columns(
        rule: SessionRule,
        source: Option<&'static str>,
        schema: &EventSchema,
    ) -> Result<Self, SessionizeError> {
        for column in [column::EVENT_TIME, column::EVENT_TYPE].into_iter().chain(source) {
            if !schema.has(column) {
                return Err(CoreError::MissingColumn { column }.into());
            }
        }
        for attribute in rule.attributes() {
            check_attribute(schema, attribute)?;
        }
        Ok(Self {
            users: schema.user_type()?,
            products: schema.id_type(column::PRODUCT_ID),
            money: schema.money_scale(),
            schema: schema.project(&rule.columns().into_iter().chain(source).collect::<Vec<_>>()),
            rule,
        })
    }

    /// The rule whose columns they are.
    pub(crate) fn rule(&self) -> &SessionRule {
        &self.rule
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
            sources: events.source_sessions().filter(|_| has(column::SOURCE_SESSION)),
            attributes: self
                .rule
                .attributes()
                .filter_map(|name| AttributeColumn::of(events.record_batch(), name))
                .collect(),
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
    /// Those of the rule, in its order.
    pub(crate) attributes: Vec<AttributeColumn<'a>>,
    sources: Option<&'a UInt32Array>,
    amounts: Option<Amounts<'a>>,
}

impl Input<'_> {
    /// The source's session of a row, where the rule looks at it.
    #[inline]
    pub(crate) fn source_session(&self, row: usize) -> Option<u32> {
        self.sources.filter(|codes| codes.is_valid(row)).map(|codes| codes.value(row))
    }

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

    /// Price x quantity of a purchase, or none beyond the range of an i128; what else there is brings nothing.
    pub(crate) fn amount(&self, row: usize) -> Option<i128> {
        match &self.amounts {
            Some(amounts) if self.kinds[row] == EventKind::Purchase => amounts.amount(row),
            _ => Some(0),
        }
    }
}
