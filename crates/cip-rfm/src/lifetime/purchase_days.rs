//! From events to histories: the days on which each customer bought.

use std::collections::BTreeMap;

use cip_core::{CoreError, EventBatch, EventKind, EventSchema, Id, MoneyScale, Timestamp, check_sum, column};

use super::history::{RepeatHistory, SpendHistory};
use super::history_table::HistoryTable;
use crate::error::RfmError;
use crate::input::{Input, InputSchema};
use crate::users::Users;

/// The purchases of customers up to a date, and what they bought behind it.
///
/// All purchases of one customer on one UTC day are one: models of repeat purchases do not know of two at a time. The times of
/// a history are differences of days, and the observation ends with the last day of which the end date leaves anything.
#[derive(Debug, Clone)]
pub struct PurchaseDays {
    until: Timestamp,
    hold_out_until: Option<Timestamp>,
    input: InputSchema,
}

/// What a time of 1 is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// A day.
    Day,
    /// Seven days.
    Week,
}

impl TimeUnit {
    /// How many days it has.
    pub const fn days(self) -> u32 {
        match self {
            Self::Day => 1,
            Self::Week => 7,
        }
    }

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
        }
    }
}

/// Whether the first purchase tells what a customer spends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FirstPurchase {
    /// It does not, as Fader and Hardie have it: it is often a trial. Customers without a repeat have no spend.
    #[default]
    Exclude,
    /// It does, as every other.
    Include,
}

impl PurchaseDays {
    /// Returns the purchases of events of `schema` before `until`.
    ///
    /// # Errors
    /// [`RfmError::NoMoney`] without `price`, [`CoreError::MissingColumn`] without `user_id`, `event_time` or
    /// `event_type`.
    pub fn new(until: Timestamp, schema: &EventSchema) -> Result<Self, RfmError> {
        Ok(Self { until, hold_out_until: None, input: InputSchema::try_new(schema)? })
    }

    /// Counts what comes from there up to `until` apart, to hold a model to it.
    ///
    /// # Errors
    /// [`RfmError::HoldOut`] unless a day more is observed.
    pub fn with_hold_out(mut self, until: Timestamp) -> Result<Self, RfmError> {
        if last_day(self.until) < last_day(until) {
            self.hold_out_until = Some(until);
            Ok(self)
        } else {
            Err(RfmError::HoldOut { calibrated: self.until, until })
        }
    }

    /// Returns a builder that takes a stream of sorted batches.
    pub fn builder(&self) -> PurchaseDaysBuilder {
        PurchaseDaysBuilder {
            done: CustomerHistories {
                users: Users::new(self.input.users),
                rows: Vec::new(),
                skipped_events: 0,
                days: self.clone(),
            },
            open: None,
            last_user: None,
            rows: 0,
        }
    }

    fn key(&self) -> impl PartialEq + use<> {
        (self.until, self.hold_out_until, self.input.users, self.input.money)
    }
}

/// The last day of which something lies before an instant.
fn last_day(until: Timestamp) -> i32 {
    Timestamp::from_micros(until.micros().saturating_sub(1)).day()
}

/// Collects histories from a stream of batches sorted by user_id, nulls last; made by [`PurchaseDays::builder`].
///
/// Events of one user may span any number of batches, and may come in any order of time.
#[derive(Debug)]
pub struct PurchaseDaysBuilder {
    done: CustomerHistories,
    open: Option<OpenCustomer>,
    /// The last user seen, customer or not.
    last_user: Option<Id>,
    rows: u64,
}

/// The user whose events come in: what was bought on each day.
#[derive(Debug)]
struct OpenCustomer {
    user: Id,
    days: BTreeMap<i32, i128>,
}

impl PurchaseDaysBuilder {
    /// Adds a batch.
    ///
    /// # Errors
    /// [`CoreError::NotSorted`] where a row's user comes before that of the row above it, also where that is the last of the
    /// batch before; [`CoreError::MissingColumn`] and [`CoreError::ColumnType`] where a column of the schema is missing or has
    /// another type; [`CoreError::MoneyOverflow`], [`RfmError::TooManyCustomers`], [`RfmError::TooMuchText`]. After an
    /// error the histories are not whole: start again.
    pub fn push(&mut self, events: &EventBatch) -> Result<(), RfmError> {
        let days = self.done.days.clone();
        let input = days.input.read(events)?;
        let known = input.known_users(self.last_user.as_ref().map(Id::as_ref));
        let known = match known {
            Ok(known) if known > 0 && self.done.skipped_events > 0 => Err(0),
            known => known,
        }
        .map_err(|row| CoreError::NotSorted { row: self.rows + row as u64 })?;
        let end = days.hold_out_until.unwrap_or(days.until);
        for row in input.rows_of(known, |kind| kind == EventKind::Purchase) {
            if input.times[row] < end.micros() {
                self.add(&input, row)?;
            }
        }
        if let Some(last) = known.checked_sub(1).and_then(|last| input.users.get(last)) {
            self.last_user = Some(last.to_owned());
        }
        self.rows += events.len() as u64;
        self.done.skipped_events += (events.len() - known) as u64;
        Ok(())
    }

    /// Returns the histories.
    ///
    /// # Errors
    /// As [`PurchaseDaysBuilder::push`], for the last customer.
    pub fn finish(mut self) -> Result<CustomerHistories, RfmError> {
        self.close()?;
        self.done.users.shrink_to_fit();
        self.done.rows.shrink_to_fit();
        Ok(self.done)
    }

    fn add(&mut self, input: &Input<'_>, row: usize) -> Result<(), RfmError> {
        let Some(user) = input.users.get(row) else { return Ok(()) };
        if self.open.as_ref().is_none_or(|open| open.user.as_ref() != user) {
            self.close()?;
        }
        let open =
            self.open.get_or_insert_with(|| OpenCustomer { user: user.to_owned(), days: BTreeMap::new() });
        let (price, pieces) = input.price_and_pieces(row);
        let spent = open.days.entry(Timestamp::from_micros(input.times[row]).day()).or_default();
        *spent = price
            .checked_mul(pieces)
            .and_then(|amount| spent.checked_add(amount))
            .ok_or(CoreError::MoneyOverflow { column: column::PRICE })?;
        Ok(())
    }

    /// Writes the open user, where there is a purchase before the hold-out.
    fn close(&mut self) -> Result<(), RfmError> {
        let Some(OpenCustomer { user, mut days }) = self.open.take() else { return Ok(()) };
        let end = last_day(self.done.days.until);
        let held_out = end.checked_add(1).map(|behind| days.split_off(&behind)).unwrap_or_default();
        let (Some((&first, &first_spend)), Some((&last, _))) =
            (days.first_key_value(), days.last_key_value())
        else {
            return Ok(());
        };
        let spend = days.values().try_fold(0i128, |sum, spent| sum.checked_add(*spent));
        let spend = check_sum(column::PRICE, spend)?;
        self.done.users.push(user.as_ref())?;
        self.done.rows.push(Row {
            frequency: days.len() as u64 - 1,
            recency_days: last.abs_diff(first),
            age_days: end.abs_diff(first),
            first_spend,
            spend,
            held_out: held_out.len() as u64,
        });
        Ok(())
    }
}

/// One customer.
#[derive(Debug)]
struct Row {
    frequency: u64,
    recency_days: u32,
    age_days: u32,
    /// That of the first day.
    first_spend: i128,
    /// That of all days.
    spend: i128,
    held_out: u64,
}

/// The histories of a range of users, in days and in exact money; made by [`PurchaseDaysBuilder`].
#[derive(Debug)]
pub struct CustomerHistories {
    users: Users,
    rows: Vec<Row>,
    skipped_events: u64,
    days: PurchaseDays,
}

impl CustomerHistories {
    /// Customers.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many events had no user.
    pub fn skipped_events(&self) -> u64 {
        self.skipped_events
    }

    /// Adds the customers of a later range of users.
    ///
    /// # Errors
    /// [`RfmError::PartsOverlap`] where `later` does not begin behind the last customer, [`RfmError::PartsDiffer`] where it was
    /// collected with other dates, another type of user_id or scale, [`RfmError::TooManyCustomers`] and
    /// [`RfmError::TooMuchText`].
    pub fn append(&mut self, later: Self) -> Result<(), RfmError> {
        if self.days.key() != later.days.key() {
            return Err(RfmError::PartsDiffer);
        }
        self.users.append(later.users)?;
        self.rows.extend(later.rows);
        self.skipped_events += later.skipped_events;
        Ok(())
    }

    /// Returns the histories in a unit of time, and in whole units of money.
    ///
    /// A customer whose mean spend is not above 0 has no spend.
    ///
    /// # Errors
    /// [`CoreError::Arrow`].
    pub fn table(
        mut self,
        unit: TimeUnit,
        first: FirstPurchase,
    ) -> Result<HistoryTable<RepeatHistory>, RfmError> {
        let days = f64::from(unit.days());
        let repeats = self.rows.iter().map(|row| {
            RepeatHistory::new(
                row.frequency,
                f64::from(row.recency_days) / days,
                f64::from(row.age_days) / days,
            )
        });
        let repeats = repeats.collect::<Result<Vec<_>, _>>()?;
        let money = self.days.input.money;
        let spend = self.rows.iter().map(|row| spend(row, first, money)).collect();
        let held_out = self.days.hold_out_until.map(|until| {
            let time = last_day(until).abs_diff(last_day(self.days.until));
            (f64::from(time) / days, self.rows.iter().map(|row| row.held_out).collect())
        });
        let users = self.users.take().map_err(CoreError::from)?;
        let table = HistoryTable::new(users, repeats)?.with_spend(spend)?;
        match held_out {
            Some((time, purchases)) => table.with_hold_out(time, purchases),
            None => Ok(table),
        }
    }
}

/// The mean of the days that tell what a customer spends, in whole units of money.
fn spend(row: &Row, first: FirstPurchase, money: MoneyScale) -> Option<SpendHistory> {
    let (days, units) = match first {
        FirstPurchase::Exclude => (row.frequency, row.spend.checked_sub(row.first_spend)?),
        FirstPurchase::Include => (row.frequency + 1, row.spend),
    };
    let unit = 10f64.powi(i32::from(money.decimals()));
    SpendHistory::new(days, units as f64 / unit / days as f64).ok()
}
