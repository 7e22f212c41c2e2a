//! Cohorts: customers by the week or month of their first purchase, and what became of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch,
};
use arrow_schema::ArrowError;
use cip_core::{
    CoreError, EventBatch, EventKind, EventSchema, Id, MoneyScale, SUM_PRECISION, Timestamp, check_sum,
    column, table,
};

use crate::error::RfmError;
use crate::input::{Input, InputSchema};
use crate::period::CohortPeriod;
use crate::rfm::Returns;

/// An analysis of cohorts: who was acquired when, and how many of them come back.
///
/// A customer belongs to the week or month of the first purchase. Period 0 is that one, period k the k-th behind it. A period that is
/// not over at the end of the observation is unfinished: nothing is said of it.
#[derive(Debug, Clone)]
pub struct Cohorts {
    by: CohortPeriod,
    as_of: Timestamp,
    returns: Returns,
    input: InputSchema,
}

impl Cohorts {
    /// Returns the analysis of events of `schema` before `as_of`.
    ///
    /// # Errors
    /// [`RfmError::NoMoney`] without `price`, [`CoreError::MissingColumn`] without `user_id`, `event_time` or
    /// `event_type`.
    pub fn new(by: CohortPeriod, as_of: Timestamp, schema: &EventSchema) -> Result<Self, RfmError> {
        Ok(Self { by, as_of, returns: Returns::default(), input: InputSchema::try_new(schema)? })
    }

    /// Sets what cancellations do; without it they are excluded. Netted, each takes its amount off the revenue of the period in which
    /// it comes; those before the first purchase do nothing.
    #[must_use]
    pub fn with_returns(mut self, returns: Returns) -> Self {
        self.returns = returns;
        self
    }

    /// Returns a builder that counts cohorts from a stream of sorted batches.
    pub fn builder(&self) -> CohortBuilder {
        CohortBuilder {
            cohorts: self.clone(),
            counted: BTreeMap::new(),
            open: None,
            last_user: None,
            rows: 0,
            skipped_events: 0,
        }
    }

    fn key(&self) -> impl PartialEq + use<> {
        (self.by, self.as_of, self.returns, self.input.money)
    }
}

/// Counts cohorts from a stream of batches sorted by user_id, nulls last; made by [`Cohorts::builder`].
///
/// Events of one user may span any number of batches, and may come in any order of time.
#[derive(Debug)]
pub struct CohortBuilder {
    cohorts: Cohorts,
    /// By the number of the period.
    counted: BTreeMap<i32, Counted>,
    open: Option<OpenCustomer>,
    /// The last user seen, customer or not.
    last_user: Option<Id>,
    rows: u64,
    skipped_events: u64,
}

/// A cohort while it is counted.
#[derive(Debug, Default)]
struct Counted {
    customers: u64,
    cells: BTreeMap<i32, Counts>,
}

/// What was bought in a period.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    active: u64,
    revenue: i128,
}

/// The user whose events come in: purchases and revenue by period.
#[derive(Debug)]
struct OpenCustomer {
    user: Id,
    periods: BTreeMap<i32, Counts>,
    /// Of cancellations, by their times: those before the first purchase are dropped in the end.
    taken_back: Vec<(i64, i128)>,
    first_purchase: Option<i64>,
}

impl CohortBuilder {
    /// Adds a batch.
    ///
    /// # Errors
    /// [`CoreError::NotSorted`] where a row's user comes before that of the row above it, also where that is the last of the
    /// batch before; [`CoreError::MissingColumn`] and [`CoreError::ColumnType`] where a column of the schema is missing or has
    /// another type; [`CoreError::MoneyOverflow`]. After an error the count is not whole: start again.
    pub fn push(&mut self, events: &EventBatch) -> Result<(), RfmError> {
        let cohorts = self.cohorts.clone();
        let input = cohorts.input.read(events)?;
        let known = input.known_users(self.last_user.as_ref().map(Id::as_ref));
        let known = match known {
            Ok(known) if known > 0 && self.skipped_events > 0 => Err(0),
            known => known,
        }
        .map_err(|row| CoreError::NotSorted { row: self.rows + row as u64 })?;
        for row in input.rows_of(known, |kind| cohorts.returns.counts(kind)) {
            if input.times[row] < cohorts.as_of.micros() {
                self.add(&input, row)?;
            }
        }
        if let Some(last) = known.checked_sub(1).and_then(|last| input.users.get(last)) {
            self.last_user = Some(last.to_owned());
        }
        self.rows += events.len() as u64;
        self.skipped_events += (events.len() - known) as u64;
        Ok(())
    }

    /// Adds what was counted of other users.
    ///
    /// # Errors
    /// [`RfmError::PartsDiffer`] where it was counted with another period, date, treatment of returns or scale;
    /// [`CoreError::MoneyOverflow`].
    pub fn merge(&mut self, mut other: Self) -> Result<(), RfmError> {
        if self.cohorts.key() != other.cohorts.key() {
            return Err(RfmError::PartsDiffer);
        }
        other.close()?;
        for (period, counted) in other.counted {
            let cohort = self.counted.entry(period).or_default();
            cohort.customers += counted.customers;
            for (period, counts) in counted.cells {
                let cell = cohort.cells.entry(period).or_default();
                cell.active += counts.active;
                cell.revenue = add(cell.revenue, counts.revenue)?;
            }
        }
        self.skipped_events += other.skipped_events;
        Ok(())
    }

    /// Returns the cohorts.
    ///
    /// # Errors
    /// [`CoreError::MoneyOverflow`] where a sum exceeds 38 digits.
    pub fn finish(mut self) -> Result<CohortTable, RfmError> {
        self.close()?;
        let Cohorts { by, as_of, ref input, .. } = self.cohorts;
        // The period in which the observation ends is not over, where it is not its first instant.
        let open = by.of_day(as_of.day());
        let started = if Timestamp::from_micros(as_of.micros().saturating_sub(1)).day() < by.first_day(open) {
            open - 1
        } else {
            open
        };
        let mut cohorts = Vec::with_capacity(self.counted.len());
        for (period, counted) in self.counted {
            let mut revenue = 0;
            let mut cells = Vec::new();
            for at in period..=started {
                let counts = counted.cells.get(&at).copied().unwrap_or_default();
                revenue = add(revenue, counts.revenue)?;
                cells.push((at < open).then_some(CohortCell {
                    active: counts.active,
                    revenue: counts.revenue,
                    cumulative_revenue: revenue,
                }));
            }
            cohorts.push(Cohort { first_day: by.first_day(period), customers: counted.customers, cells });
        }
        Ok(CohortTable { by, as_of, money: input.money, cohorts, skipped_events: self.skipped_events })
    }

    fn add(&mut self, input: &Input<'_>, row: usize) -> Result<(), RfmError> {
        let Some(user) = input.users.get(row) else { return Ok(()) };
        if self.open.as_ref().is_none_or(|open| open.user.as_ref() != user) {
            self.close()?;
        }
        let open = self.open.get_or_insert_with(|| OpenCustomer {
            user: user.to_owned(),
            periods: BTreeMap::new(),
            taken_back: Vec::new(),
            first_purchase: None,
        });
        let overflow = CoreError::MoneyOverflow { column: column::PRICE };
        let (price, pieces) = input.price_and_pieces(row);
        let time = input.times[row];
        if input.kind(row) == EventKind::Cancellation {
            open.taken_back.push((time, price.checked_mul(-pieces.abs()).ok_or(overflow)?));
            return Ok(());
        }
        open.first_purchase = Some(open.first_purchase.map_or(time, |first| first.min(time)));
        let counts =
            open.periods.entry(self.cohorts.by.of_day(Timestamp::from_micros(time).day())).or_default();
        counts.active = 1;
        counts.revenue = add(counts.revenue, price.checked_mul(pieces).ok_or(overflow)?)?;
        Ok(())
    }

    /// Adds the open user to the cohort of the first purchase, where there is one.
    fn close(&mut self) -> Result<(), RfmError> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let Some(first) = open.first_purchase else { return Ok(()) };
        for (time, amount) in open.taken_back.into_iter().filter(|(time, _)| *time >= first) {
            let period = self.cohorts.by.of_day(Timestamp::from_micros(time).day());
            let counts = open.periods.entry(period).or_default();
            counts.revenue = add(counts.revenue, amount)?;
        }
        let cohort =
            self.counted.entry(self.cohorts.by.of_day(Timestamp::from_micros(first).day())).or_default();
        cohort.customers += 1;
        for (period, counts) in open.periods {
            let cell = cohort.cells.entry(period).or_default();
            cell.active += counts.active;
            cell.revenue = add(cell.revenue, counts.revenue)?;
        }
        Ok(())
    }
}

fn add(a: i128, b: i128) -> Result<i128, CoreError> {
    check_sum(column::PRICE, a.checked_add(b))
}

/// All cohorts, the earliest first; made by [`CohortBuilder::finish`].
#[derive(Debug, Clone, PartialEq)]
pub struct CohortTable {
    by: CohortPeriod,
    as_of: Timestamp,
    money: MoneyScale,
    cohorts: Vec<Cohort>,
    skipped_events: u64,
}

/// The customers of one week or month.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Cohort {
    /// The first day of its period, days since 1970-01-01.
    pub first_day: i32,
    /// Its customers.
    pub customers: u64,
    /// What they did in period 0, 1, … up to the last that has begun; none where it is not over.
    pub cells: Vec<Option<CohortCell>>,
}

/// What a cohort did in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CohortCell {
    /// Customers with a purchase in it.
    pub active: u64,
    /// What they bought in it, in units of the scale of money.
    pub revenue: i128,
    /// What they bought up to its end.
    pub cumulative_revenue: i128,
}

/// What cohorts of which period k is over have in common, each weighted by its customers.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct CohortMean {
    /// Cohorts of which the period is over.
    pub cohorts: u64,
    /// Their customers: the exposure.
    pub customers: u64,
    /// The share of these customers with a purchase in the period.
    pub retention: f64,
    /// What each of these customers bought up to its end, in whole units of money.
    pub value: f64,
}

impl CohortTable {
    /// The length of a period.
    pub fn by(&self) -> CohortPeriod {
        self.by
    }

    /// The end of the observation.
    pub fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// The decimals of money.
    pub fn money_scale(&self) -> MoneyScale {
        self.money
    }

    /// The cohorts, the earliest first; those without a customer are absent.
    pub fn cohorts(&self) -> &[Cohort] {
        &self.cohorts
    }

    /// How many events had no user.
    pub fn skipped_events(&self) -> u64 {
        self.skipped_events
    }

    /// Returns what one customer of a cohort bought on average, in whole units of money.
    pub fn value(&self, cohort: &Cohort, cell: &CohortCell) -> f64 {
        self.mean(cell.cumulative_revenue, cohort.customers)
    }

    /// Returns the means of period 0, 1, … over all cohorts of which it is over, as long as there are any.
    ///
    /// Each customer weighs the same, so a small cohort does not say as much as a large one.
    pub fn means(&self) -> Vec<CohortMean> {
        let longest = self.cohorts.iter().map(|cohort| cohort.cells.len()).max().unwrap_or_default();
        let mean = |period: usize| {
            let over = || {
                self.cohorts
                    .iter()
                    .filter_map(|cohort| Some((cohort.customers, (*cohort.cells.get(period)?)?)))
            };
            let customers: u64 = over().map(|(customers, _)| customers).sum();
            (customers > 0).then(|| CohortMean {
                cohorts: over().count() as u64,
                customers,
                retention: over().map(|(_, cell)| cell.active).sum::<u64>() as f64 / customers as f64,
                // Each sum was checked to have 38 digits; some of them can exceed an integer together, not a float.
                value: over().map(|(_, cell)| self.mean(cell.cumulative_revenue, customers)).sum(),
            })
        };
        (0..longest).map_while(mean).collect()
    }

    /// Returns `cohorts`, as [`table::cohorts`] describes it: a row a cohort and period, those that are not over with nulls.
    ///
    /// # Errors
    /// [`CoreError::Arrow`].
    pub fn record_batch(&self) -> Result<RecordBatch, RfmError> {
        let rows: Vec<_> = self
            .cohorts
            .iter()
            .flat_map(|cohort| {
                cohort.cells.iter().zip(0..).map(move |(cell, period)| (cohort, period, *cell))
            })
            .collect();
        let money = |of: fn(&CohortCell) -> i128| -> Result<ArrayRef, ArrowError> {
            let values: Decimal128Array = rows.iter().map(|(_, _, cell)| cell.as_ref().map(of)).collect();
            let scale = self.money.decimals().cast_signed();
            Ok(Arc::new(values.with_precision_and_scale(SUM_PRECISION, scale)?))
        };
        let ratio = |of: &dyn Fn(&Cohort, &CohortCell) -> f64| -> ArrayRef {
            let values = rows.iter().map(|(cohort, _, cell)| cell.as_ref().map(|cell| of(cohort, cell)));
            Arc::new(values.collect::<Float64Array>())
        };
        let counts = |of: &dyn Fn(&Cohort, Option<&CohortCell>) -> Option<u64>| -> ArrayRef {
            let values = rows.iter().map(|(cohort, _, cell)| of(cohort, cell.as_ref()).map(u64::cast_signed));
            Arc::new(values.collect::<Int64Array>())
        };
        let assemble = || {
            let columns = vec![
                Arc::new(Date32Array::from_iter_values(rows.iter().map(|(cohort, ..)| cohort.first_day)))
                    as ArrayRef,
                Arc::new(Int32Array::from_iter_values(rows.iter().map(|(_, period, _)| *period))),
                counts(&|cohort, _| Some(cohort.customers)),
                counts(&|_, cell| cell.map(|cell| cell.active)),
                ratio(&|cohort, cell| cell.active as f64 / cohort.customers as f64),
                money(|cell| cell.revenue)?,
                money(|cell| cell.cumulative_revenue)?,
                ratio(&|cohort, cell| self.value(cohort, cell)),
            ];
            RecordBatch::try_new(table::cohorts(self.money), columns)
        };
        Ok(assemble().map_err(CoreError::from)?)
    }

    fn mean(&self, units: i128, customers: u64) -> f64 {
        units as f64 / 10f64.powi(i32::from(self.money.decimals())) / customers as f64
    }
}
