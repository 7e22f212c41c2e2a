//! The columns that baskets are made from, and their types.

use std::fmt;

use arrow_array::UInt32Array;
use cip_core::{CoreError, EventBatch, EventSchema, IdColumn, IdType, column};

use crate::error::BasketError;

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

    /// The event columns that baskets are made from, in the store's order: what a reader should project.
    ///
    /// `user_id` may be absent, unless it is the key.
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::SourceSession => &[column::USER_ID, column::PRODUCT_ID, column::SOURCE_SESSION],
            Self::Order => &[column::USER_ID, column::PRODUCT_ID, column::ORDER_ID],
            Self::User => &[column::USER_ID, column::PRODUCT_ID],
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
    /// The schema's part of [`BasketKey::columns`].
    schema: EventSchema,
    pub(crate) key: BasketKey,
    pub(crate) users: Option<IdType>,
    pub(crate) products: IdType,
    pub(crate) orders: IdType,
}

impl InputSchema {
    pub(crate) fn try_new(schema: &EventSchema, key: BasketKey) -> Result<Self, CoreError> {
        if !schema.has(key.column()) {
            return Err(CoreError::MissingColumn { column: key.column() });
        }
        Ok(Self {
            key,
            users: schema.id_type(column::USER_ID),
            products: schema
                .id_type(column::PRODUCT_ID)
                .ok_or(CoreError::MissingColumn { column: column::PRODUCT_ID })?,
            orders: schema.id_type(column::ORDER_ID).unwrap_or(IdType::Int64),
            schema: schema.project(key.columns()),
        })
    }

    /// Returns the columns of a batch.
    pub(crate) fn read<'a>(&self, events: &'a EventBatch) -> Result<Input<'a>, CoreError> {
        self.schema.require(events.schema())?;
        let missing = CoreError::MissingColumn { column: self.key.column() };
        Ok(Input {
            users: if self.users.is_some() { Some(events.users()?) } else { None },
            products: events.products()?,
            keys: match self.key {
                BasketKey::SourceSession => Keys::Sessions(events.source_sessions().ok_or(missing)?),
                BasketKey::Order => Keys::Orders(events.orders().ok_or(missing)?),
                BasketKey::User => Keys::User,
            },
        })
    }
}

/// The columns of one batch.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    /// None where the source has no users: then all events are the unknown user's.
    pub(crate) users: Option<&'a IdColumn>,
    pub(crate) products: &'a IdColumn,
    pub(crate) keys: Keys<'a>,
}

/// What says which rows are one basket.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Keys<'a> {
    Sessions(&'a UInt32Array),
    Orders(&'a IdColumn),
    /// All rows of a user are.
    User,
}
