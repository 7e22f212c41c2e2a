//! Finished sessions, column by column.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Decimal128Array, Int64Array, RecordBatch, TimestampMicrosecondArray, UInt64Array,
    new_null_array,
};
use arrow_schema::{ArrowError, SchemaRef};
use cip_core::{IdBuilder, IdRef, IdType, MoneyScale, SUM_PRECISION, check_sum, column, table};

use crate::error::SessionizeError;
use crate::key::session_key_in;
use crate::session::Session;

/// Bytes that a text column can address.
const MAX_TEXT: usize = i32::MAX as usize;

/// Builds a table of `fact_sessions`.
#[derive(Debug)]
pub(crate) struct SessionTable {
    schema: SchemaRef,
    money: Option<MoneyScale>,
    user_type: IdType,
    user_bytes: usize,
    /// Reused: the bytes that a key is the hash of.
    key_bytes: Vec<u8>,
    keys: Vec<u64>,
    users: IdBuilder,
    seqs: Vec<i64>,
    starts: Vec<i64>,
    ends: Vec<i64>,
    durations: Vec<i64>,
    events: Vec<i64>,
    views: Vec<i64>,
    carts: Vec<i64>,
    removes: Vec<i64>,
    purchases: Vec<i64>,
    products: Vec<i64>,
    revenues: Vec<i128>,
}

impl SessionTable {
    pub(crate) fn new(user_type: IdType, money: Option<MoneyScale>) -> Self {
        Self {
            schema: table::fact_sessions(user_type, money),
            money,
            user_type,
            user_bytes: 0,
            key_bytes: Vec::new(),
            keys: Vec::new(),
            users: IdBuilder::new(user_type),
            seqs: Vec::new(),
            starts: Vec::new(),
            ends: Vec::new(),
            durations: Vec::new(),
            events: Vec::new(),
            views: Vec::new(),
            carts: Vec::new(),
            removes: Vec::new(),
            purchases: Vec::new(),
            products: Vec::new(),
            revenues: Vec::new(),
        }
    }

    /// Makes room for `more` sessions.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.keys.reserve(more);
        for column in [
            &mut self.seqs,
            &mut self.starts,
            &mut self.ends,
            &mut self.durations,
            &mut self.events,
            &mut self.views,
            &mut self.carts,
            &mut self.removes,
            &mut self.purchases,
            &mut self.products,
        ] {
            column.reserve(more);
        }
        if self.money.is_some() {
            self.revenues.reserve(more);
        }
    }

    pub(crate) fn append(&mut self, session: &Session) -> Result<(), SessionizeError> {
        if let IdRef::Utf8(user) = session.user.as_ref() {
            self.user_bytes = self.user_bytes.saturating_add(user.len());
            if self.user_bytes > MAX_TEXT {
                return Err(SessionizeError::TooMuchText { limit: MAX_TEXT });
            }
        }
        let key = session_key_in(session.user.as_ref(), session.start, session.twins, &mut self.key_bytes);
        check_sum(column::PRICE, Some(session.revenue))?;
        self.users.append(Some(session.user.as_ref()))?;
        self.keys.push(key);
        self.seqs.push(session.seq);
        self.starts.push(session.start);
        self.ends.push(session.end);
        let micros = session.end.wrapping_sub(session.start).cast_unsigned();
        self.durations.push((micros / 1_000_000).cast_signed());
        self.events.push(session.events as i64);
        self.views.push(session.views as i64);
        self.carts.push(session.carts as i64);
        self.removes.push(session.removes as i64);
        self.purchases.push(session.purchases as i64);
        self.products.push(session.products as i64);
        if self.money.is_some() {
            self.revenues.push(session.revenue);
        }
        Ok(())
    }

    /// Returns the sessions so far, and starts a new table.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let full = std::mem::replace(self, Self::new(self.user_type, self.money));
        let Self { schema, money, mut users, keys, revenues, .. } = full;
        let ints = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
        let times = |values: Vec<i64>| {
            Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC")) as ArrayRef
        };
        let revenue: ArrayRef = match money {
            Some(money) => {
                let scale = money.decimals().cast_signed();
                Arc::new(Decimal128Array::from(revenues).with_precision_and_scale(SUM_PRECISION, scale)?)
            }
            None => new_null_array(schema.field_with_name("revenue")?.data_type(), keys.len()),
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from(keys)),
            users.finish(),
            ints(full.seqs),
            times(full.starts),
            times(full.ends),
            ints(full.durations),
            ints(full.events),
            ints(full.views),
            ints(full.carts),
            ints(full.removes),
            ints(full.purchases),
            ints(full.products),
            revenue,
        ];
        RecordBatch::try_new(schema, columns)
    }
}
