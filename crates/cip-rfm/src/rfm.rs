//! What is asked: the date, the treatment of returns, and the scoring.

use std::sync::Arc;
use std::time::Duration;

use cip_core::{EventBatch, EventKind, EventSchema, Timestamp};

use crate::activity::CustomerBuilder;
use crate::customers::CustomerTable;
use crate::error::RfmError;
use crate::input::InputSchema;
use crate::scored::RfmTable;
use crate::scoring::Scoring;
use crate::segment_map::SegmentMap;
use crate::weights::Weights;

/// What cancellations do to a customer's monetary value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Returns {
    /// Nothing: monetary is what was bought.
    #[default]
    Exclude,
    /// Each takes |quantity| x price from monetary, so that it is what was kept. It may fall below zero, where
    /// the purchase that is taken back lies before the data. Recency and frequency stay those of purchases, and
    /// cancellations alone make no customer.
    Net,
}

impl Returns {
    /// Whether events of a kind change a customer's facts.
    pub(crate) fn counts(self, kind: EventKind) -> bool {
        match kind {
            EventKind::Purchase => true,
            EventKind::Cancellation => self == Self::Net,
            _ => false,
        }
    }
}

/// What decides a customer's facts: two tables can be combined where it is the same.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) as_of: Timestamp,
    /// The first instant of the window; none where everything before `as_of` counts.
    pub(crate) from: Option<Timestamp>,
    pub(crate) returns: Returns,
    /// None where it is not known.
    pub(crate) currency: Option<Arc<str>>,
    pub(crate) input: InputSchema,
}

impl Facts {
    /// Whether a time lies before the window.
    pub(crate) fn is_before(&self, time: i64) -> bool {
        self.from.is_some_and(|from| time < from.micros())
    }

    pub(crate) fn check_same(&self, other: &Self) -> Result<(), RfmError> {
        let key =
            |facts: &Self| (facts.as_of, facts.from, facts.returns, facts.input.users, facts.input.money);
        if key(self) == key(other) && self.currency == other.currency {
            Ok(())
        } else {
            Err(RfmError::PartsDiffer)
        }
    }
}

/// An RFM analysis: what it was as of a date.
///
/// The date has no default, because the scores of the past must not change with the day on which they are
/// computed.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Decimal128Array, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
/// # use cip_core::EventBatch;
/// # fn purchases(users: Vec<i64>) -> EventBatch {
/// #     let rows = users.len();
/// #     let types: DictionaryArray<arrow_array::types::Int32Type> = (0..rows).map(|_| "purchase").collect();
/// #     let times = TimestampMicrosecondArray::from_value(0, rows).with_timezone("UTC");
/// #     let prices = Decimal128Array::from_value(100, rows).with_precision_and_scale(18, 2).unwrap();
/// #     let columns: [(&str, ArrayRef); 4] = [
/// #         ("user_id", Arc::new(Int64Array::from(users))), ("event_time", Arc::new(times)),
/// #         ("event_type", Arc::new(types)), ("price", Arc::new(prices)),
/// #     ];
/// #     EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
/// # }
/// use cip_rfm::{Cuts, Returns, Rfm, Scoring};
/// # let (low, high) = (purchases(vec![1, 2]), purchases(vec![3]));
/// let cuts = Cuts::new([7, 30, 90, 180], [2, 3, 4, 6], [10_00, 50_00, 100_00, 500_00])?;
/// let rfm = Rfm::new("1970-01-09".parse()?, low.schema())?
///     .with_returns(Returns::Net)
///     .with_scoring(Scoring::Cuts(cuts));
/// // The parts may be counted on different threads.
/// let (mut first, mut second) = (rfm.customers(), rfm.customers());
/// first.push(&low)?;
/// second.push(&high)?;
/// let mut customers = first.finish()?;
/// customers.append(second.finish()?)?;
/// assert_eq!(rfm.score(customers)?.r(), [4, 4, 4]); // eight days
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Rfm {
    facts: Facts,
    scoring: Scoring,
    map: SegmentMap,
    weights: Option<Weights>,
}

impl Rfm {
    /// Returns the analysis of events of `schema` before `as_of`.
    ///
    /// The schema's part of [`COLUMNS`](crate::COLUMNS) decides which of them every batch must have, and their
    /// types. Only events **before** `as_of` count; with `as_of` 2019-11-01 a purchase of 31 October has a
    /// recency of one day.
    ///
    /// # Errors
    /// [`RfmError::NoMoney`] without `price`, [`CoreError::MissingColumn`](cip_core::CoreError::MissingColumn)
    /// without `user_id`, `event_time` or `event_type`.
    pub fn new(as_of: Timestamp, schema: &EventSchema) -> Result<Self, RfmError> {
        let input = InputSchema::try_new(schema)?;
        let facts = Facts { as_of, from: None, returns: Returns::default(), currency: None, input };
        Ok(Self { facts, scoring: Scoring::default(), map: SegmentMap::default(), weights: None })
    }

    /// Sets the first instant that counts; without it everything before `as_of` does.
    ///
    /// Purchases and cancellations before it do nothing. A user without a purchase in the window is no customer and has no row;
    /// [`RfmTable::customers_before`] says how many of them bought earlier.
    ///
    /// # Errors
    /// [`RfmError::Window`] where it is not before `as_of`.
    pub fn with_from(mut self, from: Timestamp) -> Result<Self, RfmError> {
        let as_of = self.facts.as_of;
        if from >= as_of {
            return Err(RfmError::Window { from, as_of });
        }
        self.facts.from = Some(from);
        Ok(self)
    }

    /// As [`Rfm::with_from`], for what happened within `window` before `as_of`.
    ///
    /// # Errors
    /// [`RfmError::Window`] for a window of less than a microsecond.
    pub fn with_window(self, window: Duration) -> Result<Self, RfmError> {
        let micros = i64::try_from(window.as_micros()).unwrap_or(i64::MAX);
        let from = self.facts.as_of.micros().saturating_sub(micros);
        self.with_from(Timestamp::from_micros(from))
    }

    /// Sets what cancellations do; without it they are excluded.
    #[must_use]
    pub fn with_returns(mut self, returns: Returns) -> Self {
        self.facts.returns = returns;
        self
    }

    /// Sets the currency of the amounts; without it, it is not known. Tables and models of one currency do not go with another.
    #[must_use]
    pub fn with_currency(mut self, currency: &str) -> Self {
        self.facts.currency = Some(currency.into());
        self
    }

    /// Sets how values become scores; without it [`Scoring::Default`].
    #[must_use]
    pub fn with_scoring(mut self, scoring: Scoring) -> Self {
        self.scoring = scoring;
        self
    }

    /// Sets which codes of scores are which segments; without it [`SegmentMap::eight`].
    #[must_use]
    pub fn with_map(mut self, map: SegmentMap) -> Self {
        self.map = map;
        self
    }

    /// Sets the weights of one score beside the three; without them there is no such score.
    ///
    /// The segment stays that of r, f and m.
    #[must_use]
    pub fn with_weights(mut self, weights: Weights) -> Self {
        self.weights = Some(weights);
        self
    }

    /// The first instant that counts; none where everything before the date does.
    pub fn from(&self) -> Option<Timestamp> {
        self.facts.from
    }

    /// The date before which events count.
    pub fn as_of(&self) -> Timestamp {
        self.facts.as_of
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Checks that the map of segments is of the scores that the scoring gives.
    ///
    /// # Errors
    /// [`RfmError::MapBins`] where it is not.
    pub fn check(&self) -> Result<(), RfmError> {
        let (scores, map) = (self.scoring.bins(), self.map.bins());
        if scores == map { Ok(()) } else { Err(RfmError::MapBins { scores, map }) }
    }

    /// Returns a builder that counts customers from a stream of sorted batches.
    pub fn customers(&self) -> CustomerBuilder {
        CustomerBuilder::new(self.facts.clone())
    }

    /// Returns the scores of all customers.
    ///
    /// # Complexity
    /// Linear in the customers on average; besides the table and its scores, 4 bytes a customer.
    ///
    /// # Errors
    /// [`RfmError::PartsDiffer`] where they were counted with another date, window, treatment of
    /// returns, currency, type of user_id or scale; [`RfmError::MapBins`] where the map of segments is of other scores.
    pub fn score(&self, customers: CustomerTable) -> Result<RfmTable, RfmError> {
        self.check()?;
        self.facts.check_same(customers.facts())?;
        RfmTable::try_new(customers, &self.scoring, &self.map, self.weights)
    }

    /// Returns the scores of the customers in `batches`, which together are sorted by user_id, nulls last.
    ///
    /// # Errors
    /// As [`CustomerBuilder::push`], [`CustomerBuilder::finish`] and [`Rfm::score`].
    pub fn segment(&self, batches: &[EventBatch]) -> Result<RfmTable, RfmError> {
        let mut customers = self.customers();
        for batch in batches {
            customers.push(batch)?;
        }
        self.score(customers.finish()?)
    }
}
