//! RFM that is kept: new events are added to what customers bought before, and none is read twice.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use cip_core::{CoreError, EventBatch, EventKind, Id, StateFault, Timestamp, check_sum, column};

use crate::customers::{Customer, CustomerTable};
use crate::error::RfmError;
use crate::input::Input;
use crate::rfm::{Facts, Returns, Rfm};
use crate::scored::RfmTable;
use crate::state::{StateReader, StateWriter};

/// How finely purchases are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keeping {
    /// Sums of a customer, and each distinct order: enough for analyses without a window, of a date behind all events so far.
    Sums,
    /// Sums of each instant of a purchase or cancellation: enough for any window and any date.
    Times,
}

impl Keeping {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sums => "sums",
            Self::Times => "times",
        }
    }
}

/// What customers bought, kept from one batch of events to the next.
///
/// Whatever batches the events come in, and in whatever order of rows and batches, [`IncrementalRfm::score`] gives the table that
/// [`Rfm::segment`] makes of all of them at once. The state is [saved](IncrementalRfm::save) and [resumed](IncrementalRfm::resume); each event must be
/// pushed once.
///
/// # What is kept
/// A line a customer, and with `order_id` one a distinct order; with [`Keeping::Times`] one for each instant. A line takes about 150 bytes
/// in memory, and about 50 saved. Of instants before a window that only moves on, [`IncrementalRfm::forget_before`] leaves one line a customer.
///
/// # Complexity
/// Of a batch: its purchases times the logarithm of all lines. Of a table: linear in the lines.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Decimal128Array, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
/// # use cip_core::{EventBatch, MICROS_PER_DAY};
/// # fn purchases(users: Vec<i64>, day: i64) -> EventBatch {
/// #     let rows = users.len();
/// #     let types: DictionaryArray<arrow_array::types::Int32Type> = (0..rows).map(|_| "purchase").collect();
/// #     let times = TimestampMicrosecondArray::from_value(day * MICROS_PER_DAY, rows).with_timezone("UTC");
/// #     let prices = Decimal128Array::from_value(100, rows).with_precision_and_scale(18, 2).unwrap();
/// #     let columns: [(&str, ArrayRef); 4] = [
/// #         ("user_id", Arc::new(Int64Array::from(users))), ("event_time", Arc::new(times)),
/// #         ("event_type", Arc::new(types)), ("price", Arc::new(prices)),
/// #     ];
/// #     EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
/// # }
/// use cip_rfm::{IncrementalRfm, Keeping, Rfm};
/// let (first, second) = (purchases(vec![7, 8], 0), purchases(vec![9, 7], 1));
/// let rfm = Rfm::new("1970-01-02".parse()?, first.schema())?;
/// let mut kept = IncrementalRfm::new(&rfm, Keeping::Sums);
/// kept.push(&first)?;
/// assert_eq!(kept.score(&rfm)?.monetary(), [100, 100]);
///
/// let mut saved = Vec::new();
/// kept.save(&mut saved)?;
/// let tomorrow = Rfm::new("1970-01-03".parse()?, first.schema())?;
/// let mut kept = IncrementalRfm::resume(&tomorrow, Keeping::Sums, saved.as_slice())?;
/// kept.push(&second)?;
/// let scored = kept.score(&tomorrow)?;
/// assert_eq!(scored.recency_days(), [1, 2, 1]);
/// assert_eq!(scored.monetary(), [200, 100, 100]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct IncrementalRfm {
    facts: Facts,
    keeping: Keeping,
    progress: Progress,
    lines: BTreeMap<(Id, Line), Sum>,
}

/// What was seen so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The time of the latest purchase or cancellation that counts.
    pub(crate) newest: i64,
    /// What lies before is no longer told apart.
    pub(crate) forgotten: i64,
    pub(crate) skipped: u64,
}

/// What is added up, of one customer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    /// None of purchases without an order, which are orders of their own, and of cancellations.
    pub(crate) order: Option<Id>,
    /// [`NO_TIME`] where times are not told apart.
    pub(crate) time: i64,
}

/// The time of sums, and of purchases that are forgotten.
const NO_TIME: i64 = i64::MIN;

/// What was added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sum {
    /// Purchases; of a line with an order they are one.
    pub(crate) purchases: u64,
    /// The time of the last purchase.
    pub(crate) last: Option<i64>,
    /// Purchases less cancellations.
    pub(crate) amount: i128,
}

impl Sum {
    fn add(&mut self, other: Self) -> Result<(), CoreError> {
        self.purchases += other.purchases;
        self.last = self.last.max(other.last);
        let amount = self.amount.checked_add(other.amount);
        self.amount = amount.ok_or(CoreError::MoneyOverflow { column: column::PRICE })?;
        Ok(())
    }
}

impl IncrementalRfm {
    /// Returns the state without an event, of events and with the treatment of returns of `rfm`. Its date, window, scoring and
    /// map do not matter.
    pub fn new(rfm: &Rfm, keeping: Keeping) -> Self {
        let progress = Progress { newest: i64::MIN, forgotten: i64::MIN, skipped: 0 };
        Self { facts: rfm.facts().clone(), keeping, progress, lines: BTreeMap::new() }
    }

    /// Adds a batch of events, in any order.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`] and [`CoreError::ColumnType`] where a column of the schema is missing or has another type;
    /// [`CoreError::MoneyOverflow`] where a sum exceeds 128 bits. Nothing has changed then.
    pub fn push(&mut self, events: &EventBatch) -> Result<(), RfmError> {
        let facts = self.facts.clone();
        let input = facts.input.read(events)?;
        let mut progress = self.progress;
        let mut added: BTreeMap<(Id, Line), Sum> = BTreeMap::new();
        for (row, &time) in input.times.iter().enumerate() {
            let Some(user) = input.users.get(row) else {
                progress.skipped += 1;
                continue;
            };
            let Some((line, sum)) = self.line(&input, row)? else { continue };
            progress.newest = progress.newest.max(time);
            added.entry((user.to_owned(), line)).or_default().add(sum)?;
        }
        // All sums are known to fit before one is changed.
        for (key, sum) in &mut added {
            if let Some(before) = self.lines.get(key) {
                sum.add(*before)?;
            }
        }
        self.lines.extend(added);
        self.progress = progress;
        Ok(())
    }

    /// Adds what another state was given: of the same analysis, kept as finely, and made of other events.
    ///
    /// Parts of the events may be added up on several threads, and then to what was kept before.
    ///
    /// # Errors
    /// [`StateFault::Other`] where the other is of other events, returns or another [`Keeping`]; [`RfmError::Forgotten`] where it has forgotten;
    /// [`CoreError::MoneyOverflow`] where a sum exceeds 128 bits: then begin anew.
    pub fn append(&mut self, other: Self) -> Result<(), RfmError> {
        let (found, expected) = (other.made_with(), self.made_with());
        if found != expected {
            return Err(StateFault::Other { what: "RFM", found, expected }.into());
        }
        if self.progress.forgotten.max(other.progress.forgotten) > i64::MIN {
            let until = self.progress.forgotten.max(other.progress.forgotten);
            return Err(RfmError::Forgotten { until: Timestamp::from_micros(until) });
        }
        self.progress.newest = self.progress.newest.max(other.progress.newest);
        self.progress.skipped += other.progress.skipped;
        for (key, sum) in other.lines {
            self.lines.entry(key).or_default().add(sum)?;
        }
        Ok(())
    }

    /// What the state depends on, in words: events are added to it, and it is resumed, where these are the same.
    pub fn made_with(&self) -> Box<str> {
        made_with(&self.facts, self.keeping)
    }

    /// What a row adds to which line; none where it does not count.
    fn line(&self, input: &Input<'_>, row: usize) -> Result<Option<(Line, Sum)>, RfmError> {
        let kind = input.kind(row);
        let (is_purchase, time) = (kind == EventKind::Purchase, input.times[row]);
        let forgotten = time < self.progress.forgotten;
        if !self.facts.returns.counts(kind) || forgotten && !is_purchase {
            return Ok(None);
        }
        let last = is_purchase.then_some(time);
        if forgotten {
            return Ok(Some((Line { order: None, time: NO_TIME }, Sum { last, ..Sum::default() })));
        }
        let (price, pieces) = input.price_and_pieces(row);
        let pieces = if is_purchase { pieces } else { -pieces.abs() };
        let amount = price.checked_mul(pieces).ok_or(CoreError::MoneyOverflow { column: column::PRICE })?;
        let order = input.orders.filter(|_| is_purchase).and_then(|orders| orders.get(row));
        let time = match self.keeping {
            Keeping::Sums => NO_TIME,
            Keeping::Times => time,
        };
        let line = Line { order: order.map(|order| order.to_owned()), time };
        Ok(Some((line, Sum { purchases: u64::from(is_purchase), last, amount })))
    }

    /// Leaves of all purchases before an instant only who bought, and no cancellation: enough for windows that begin there or later. Events
    /// before it that come later are treated alike. With [`Keeping::Sums`] nothing changes, as sums have no times.
    pub fn forget_before(&mut self, instant: Timestamp) {
        if self.keeping == Keeping::Sums || instant.micros() <= self.progress.forgotten {
            return;
        }
        self.progress.forgotten = instant.micros();
        let mut left: BTreeMap<(Id, Line), Sum> = BTreeMap::new();
        for ((user, line), sum) in std::mem::take(&mut self.lines) {
            if line.time >= instant.micros() {
                left.insert((user, line), sum);
            } else if sum.last.is_some() {
                let bought = left.entry((user, Line { order: None, time: NO_TIME })).or_default();
                bought.last = bought.last.max(sum.last);
            }
        }
        self.lines = left;
    }

    /// How many events had no user.
    pub fn skipped_events(&self) -> u64 {
        self.progress.skipped
    }

    /// Returns the customers as `rfm` counts them: at its date and in its window.
    ///
    /// # Errors
    /// [`StateFault::Other`] where it is of other events, or treats returns in another way; [`RfmError::NoTimes`] where sums are kept and it
    /// has a window, or its date is not behind all events; [`RfmError::Forgotten`] where its window begins before what was forgotten;
    /// [`CoreError::MoneyOverflow`] where a customer's sum exceeds 38 digits; [`RfmError::TooManyCustomers`],
    /// [`RfmError::TooMuchText`].
    pub fn customers(&self, rfm: &Rfm) -> Result<CustomerTable, RfmError> {
        let facts = rfm.facts();
        self.check(facts)?;
        let mut customers = CustomerTable::new(facts.clone());
        customers.skipped_events = self.progress.skipped;
        let mut lines = self.lines.iter().peekable();
        while let Some(((user, _), _)) = lines.peek() {
            let own = std::iter::from_fn(|| lines.next_if(|((other, _), _)| other == user));
            let Found { last, orders, monetary, bought_before } = self.add_up(facts, own)?;
            if let Some(last) = last {
                check_sum(column::PRICE, Some(monetary))?;
                customers.push(Customer {
                    user: (*user).clone(),
                    recency_days: facts.as_of.day() - Timestamp::from_micros(last).day(),
                    frequency: orders.cast_signed(),
                    monetary,
                })?;
            } else if bought_before {
                customers.before += 1;
            }
        }
        Ok(customers)
    }

    /// Returns the scores of the customers, as [`Rfm::segment`] gives them of all events at once.
    ///
    /// # Errors
    /// As [`IncrementalRfm::customers`] and [`Rfm::score`].
    pub fn score(&self, rfm: &Rfm) -> Result<RfmTable, RfmError> {
        rfm.score(self.customers(rfm)?)
    }

    /// Whether what is kept suffices.
    fn check(&self, facts: &Facts) -> Result<(), RfmError> {
        let (found, expected) = (self.made_with(), made_with(facts, self.keeping));
        if found != expected {
            return Err(StateFault::Other { what: "RFM", found, expected }.into());
        }
        let Progress { newest, forgotten, .. } = self.progress;
        if self.keeping == Keeping::Sums && (facts.from.is_some() || newest >= facts.as_of.micros()) {
            return Err(RfmError::NoTimes { as_of: facts.as_of, newest: Timestamp::from_micros(newest) });
        }
        if facts.from.map_or(i64::MIN, Timestamp::micros) < forgotten {
            return Err(RfmError::Forgotten { until: Timestamp::from_micros(forgotten) });
        }
        Ok(())
    }

    /// What the lines of one customer come to.
    fn add_up<'a>(
        &self,
        facts: &Facts,
        lines: impl Iterator<Item = (&'a (Id, Line), &'a Sum)>,
    ) -> Result<Found, RfmError> {
        let mut found = Found::default();
        let mut order_before: Option<&Id> = None;
        for ((_, line), sum) in lines {
            if line.time >= facts.as_of.micros() {
                continue;
            }
            if self.keeping == Keeping::Times && (line.time == NO_TIME || facts.is_before(line.time)) {
                found.bought_before |= sum.last.is_some();
                continue;
            }
            found.last = found.last.max(sum.last);
            let monetary = found.monetary.checked_add(sum.amount);
            found.monetary = monetary.ok_or(CoreError::MoneyOverflow { column: column::PRICE })?;
            // Lines of one order follow each other.
            found.orders += match line.order.as_ref() {
                None => sum.purchases,
                order => u64::from(std::mem::replace(&mut order_before, order) != order),
            };
        }
        Ok(found)
    }

    /// Writes the state: the same bytes for the same events, whatever batches they came in.
    ///
    /// # Errors
    /// [`StateFault::Io`].
    pub fn save(&self, to: impl Write) -> Result<(), RfmError> {
        let mut writer = StateWriter::begin(to, &self.made_with(), self.progress)?;
        for ((user, line), sum) in &self.lines {
            writer.line(user, line, sum)?;
        }
        writer.finish()
    }

    /// Returns a state that was saved, of events and with the treatment of returns of `rfm`.
    ///
    /// # Errors
    /// [`StateFault::Io`], [`StateFault::Damaged`] where a byte is not as it was written, [`StateFault::Version`],
    /// [`StateFault::Other`] where it was begun for other events, returns or another [`Keeping`].
    pub fn resume(rfm: &Rfm, keeping: Keeping, from: impl Read) -> Result<Self, RfmError> {
        let mut kept = Self::new(rfm, keeping);
        let (mut reader, progress) = StateReader::begin(from, &kept.made_with())?;
        kept.progress = progress;
        while let Some((user, line, sum)) = reader.line()? {
            kept.lines.insert((user, line), sum);
        }
        Ok(kept)
    }
}

/// What a customer's lines come to.
#[derive(Debug, Default)]
struct Found {
    last: Option<i64>,
    orders: u64,
    monetary: i128,
    bought_before: bool,
}

/// What a state depends on, in words.
fn made_with(facts: &Facts, keeping: Keeping) -> Box<str> {
    let Facts { input, returns, .. } = facts;
    let returns = match returns {
        Returns::Exclude => "excluded",
        Returns::Net => "netted",
    };
    let orders =
        input.orders.map_or("no orders".to_owned(), |orders| format!("orders {}", orders.data_type()));
    let currency = facts.currency.as_ref().map(|currency| format!(" in {currency}")).unwrap_or_default();
    let pieces = if input.has_quantities() { "quantities" } else { "no quantities" };
    format!(
        "{} of users {}, {orders}, {pieces}, money of {} decimals{currency}, returns {returns}",
        keeping.name(),
        input.users.data_type(),
        input.money.decimals(),
    )
    .into()
}
