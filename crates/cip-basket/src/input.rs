//! The columns that baskets are made from, and their types.

use std::fmt;
use std::sync::Arc;

use arrow_array::{TimestampMicrosecondArray, UInt32Array};
use cip_core::{
    Amounts, CoreError, EventBatch, EventKind, EventSchema, IdColumn, IdType, MoneyScale, column,
};

use crate::error::BasketError;
use crate::level::{ItemLevel, ItemSource, Items};

/// Which events of a user are one basket.
///
/// A basket is always of one user: where two users share an order id, or a session code, each has a basket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BasketKey {
    /// Those of one session of the source, `source_session`: products looked at or bought together.
    SourceSession,
    /// Those of one `order_id`: products bought together.
    Order,
    /// All of them, whenever they were. The unknown user has no basket.
    User,
}

impl BasketKey {
    /// Returns the key that a source has: its sessions, or its orders where it has no sessions.
    ///
    /// # Errors
    /// [`BasketError::NoBasketKey`] where it has neither.
    pub fn of(schema: &EventSchema) -> Result<Self, BasketError> {
        [Self::SourceSession, Self::Order]
            .into_iter()
            .find(|key| schema.has(key.column()))
            .ok_or(BasketError::NoBasketKey)
    }

    /// The column that holds the key.
    pub const fn column(self) -> &'static str {
        match self {
            Self::SourceSession => column::SOURCE_SESSION,
            Self::Order => column::ORDER_ID,
            Self::User => column::USER_ID,
        }
    }
}

impl fmt::Display for BasketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.column())
    }
}

/// The types that every batch must have.
#[derive(Debug, Clone)]
pub(crate) struct InputSchema {
    /// All columns that there are.
    source: EventSchema,
    /// Those that are read.
    schema: EventSchema,
    pub(crate) key: BasketKey,
    pub(crate) users: Option<IdType>,
    pub(crate) level: ItemLevel,
    item_source: ItemSource,
    /// The type of the items' ids.
    pub(crate) items: IdType,
    pub(crate) orders: IdType,
    /// The types of events that are read; none where all are.
    pub(crate) event_types: Option<Arc<[Box<str>]>>,
    /// How many microseconds two events of a pair may be apart; none where their basket is all that counts.
    pub(crate) window: Option<i64>,
    /// The decimals of the money of each entry; none where it is not asked for.
    pub(crate) money: Option<MoneyScale>,
}

impl InputSchema {
    pub(crate) fn try_new(schema: &EventSchema, key: BasketKey) -> Result<Self, CoreError> {
        if !schema.has(key.column()) {
            return Err(CoreError::MissingColumn { column: key.column() });
        }
        let item_source = ItemLevel::Product.of(schema)?;
        let input = Self {
            key,
            users: schema.id_type(column::USER_ID),
            level: ItemLevel::Product,
            item_source,
            items: item_source.ids,
            orders: schema.id_type(column::ORDER_ID).unwrap_or(IdType::Int64),
            event_types: None,
            window: None,
            money: None,
            source: schema.clone(),
            schema: schema.clone(),
        };
        Ok(input.projected())
    }

    /// Reads the items of another level.
    pub(crate) fn with_level(mut self, level: ItemLevel) -> Result<Self, CoreError> {
        self.item_source = level.of(&self.source)?;
        (self.level, self.items) = (level, self.item_source.ids);
        Ok(self.projected())
    }

    /// Reads events of these types alone.
    pub(crate) fn with_event_types(mut self, types: Vec<Box<str>>) -> Result<Self, CoreError> {
        self.needs(column::EVENT_TYPE)?;
        self.event_types = Some(types.into());
        Ok(self.projected())
    }

    /// Reads times.
    pub(crate) fn with_window(mut self, micros: i64) -> Result<Self, CoreError> {
        self.needs(column::EVENT_TIME)?;
        self.window = Some(micros);
        Ok(self.projected())
    }

    /// Reads money.
    pub(crate) fn with_money(mut self) -> Result<Self, CoreError> {
        self.needs(column::EVENT_TYPE)?;
        let scale = self.source.money_scale();
        self.money = Some(scale.ok_or(CoreError::MissingColumn { column: column::PRICE })?);
        Ok(self.projected())
    }

    fn needs(&self, column: &'static str) -> Result<(), CoreError> {
        if self.source.has(column) { Ok(()) } else { Err(CoreError::MissingColumn { column }) }
    }

    fn projected(mut self) -> Self {
        self.schema = self.source.project(&self.columns());
        self
    }

    /// The columns that are read, in the store's order.
    pub(crate) fn columns(&self) -> Vec<&'static str> {
        let mut columns = vec![column::USER_ID];
        if self.window.is_some() {
            columns.push(column::EVENT_TIME);
        }
        if self.event_types.is_some() || self.money.is_some() {
            columns.push(column::EVENT_TYPE);
        }
        columns.push(self.item_source.column);
        if self.money.is_some() {
            columns.extend([column::PRICE, column::QUANTITY]);
        }
        columns.extend((self.key != BasketKey::User).then_some(self.key.column()));
        columns
    }

    /// Returns the columns of a batch.
    pub(crate) fn read<'a>(&self, events: &'a EventBatch) -> Result<Input<'a>, CoreError> {
        self.schema.require(events.schema())?;
        let missing = |column| CoreError::MissingColumn { column };
        let of_types = |types: &Arc<[Box<str>]>| {
            events.kinds_by(|event_type| types.iter().any(|wanted| **wanted == *event_type))
        };
        Ok(Input {
            users: if self.users.is_some() { Some(events.users()?) } else { None },
            items: self.item_source.read(events)?,
            keys: match self.key {
                BasketKey::SourceSession => {
                    Keys::Sessions(events.source_sessions().ok_or(missing(self.key.column()))?)
                }
                BasketKey::Order => Keys::Orders(events.orders().ok_or(missing(self.key.column()))?),
                BasketKey::User => Keys::User,
            },
            wanted: self.event_types.as_ref().map(of_types).transpose()?,
            times: if self.window.is_some() { Some(events.times()?) } else { None },
            money: match self.money {
                None => None,
                Some(_) => {
                    let amounts = events.amounts().ok_or(missing(column::PRICE))?;
                    let has_quantities = self.schema.has(column::QUANTITY);
                    let amounts = if has_quantities { amounts } else { amounts.without_quantities() };
                    Some((amounts, events.kinds()?))
                }
            },
        })
    }
}

/// The columns of one batch.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    /// None where the source has no users: then all events are the unknown user's.
    pub(crate) users: Option<&'a IdColumn>,
    pub(crate) items: Items<'a>,
    pub(crate) keys: Keys<'a>,
    /// By row, whether the event is of a type that was asked for; none where all are.
    wanted: Option<Vec<bool>>,
    times: Option<&'a TimestampMicrosecondArray>,
    money: Option<(Amounts<'a>, Vec<EventKind>)>,
}

impl Input<'_> {
    pub(crate) fn is_wanted(&self, row: usize) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted[row])
    }

    /// When the event was, where that is asked for.
    pub(crate) fn time(&self, row: usize) -> i64 {
        self.times.map_or(0, |times| times.value(row))
    }

    /// What was bought, where that is asked for: nothing but by a purchase.
    pub(crate) fn amount(&self, row: usize) -> Option<i128> {
        match &self.money {
            Some((amounts, kinds)) if kinds[row] == EventKind::Purchase => amounts.amount(row),
            _ => Some(0),
        }
    }
}

/// What says which rows are one basket.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Keys<'a> {
    Sessions(&'a UInt32Array),
    Orders(&'a IdColumn),
    /// All rows of a user are.
    User,
}
