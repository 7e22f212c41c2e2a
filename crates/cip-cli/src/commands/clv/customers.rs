//! Customers that are read twice: to fit a model to them, and to foretell them.

use std::path::Path;

use cip::core::MemoryBudget;
use cip::rfm::RfmError;
use cip::rfm::lifetime::{
    Forecast, Histories, History, HistoryTable, HistoryTally, SpendHistory, TalliedCustomers,
};
use cip::store::{StoreError, TableWriter};

use crate::error::CliError;
use crate::summary::Consume;

/// What reads the customers, from the first to the last.
type Read<'a, H> = dyn Fn(&mut Consume<'_, H>) -> Result<(), CliError> + 'a;

/// The customers of a summary or a store; each reading gives the same tables.
pub(super) struct Customers<'a, H> {
    read: Box<Read<'a, H>>,
    source: &'a Path,
    plan: MemoryPlan,
}

/// How a budget is divided.
#[derive(Debug, Clone, Copy)]
pub(super) struct MemoryPlan {
    budget: MemoryBudget,
    /// What is not the histories', in bytes: of the process, what reads, what is remembered while foretelling, and the row group that is written.
    base: u64,
    /// Parts of the rest, of which the histories have one.
    parts: u64,
}

impl MemoryPlan {
    const BASE_BYTES: u64 = 56 << 20;
    /// The smallest budget that there is a plan for.
    const SMALLEST: MemoryBudget = MemoryBudget::from_mib(64);

    /// Of a table, which one thread reads.
    pub(super) fn of_table(budget: MemoryBudget) -> Result<Self, CliError> {
        budget.require("a model of the customers of a table", Self::SMALLEST)?;
        Ok(Self { budget, base: Self::BASE_BYTES, parts: 1 })
    }

    /// Of a store, whose reading has as much as the histories.
    pub(super) fn of_store(budget: MemoryBudget) -> Result<Self, CliError> {
        budget.require("a model of the customers of a store", Self::SMALLEST)?;
        Ok(Self { budget, base: Self::BASE_BYTES, parts: 2 })
    }

    /// What the histories may take.
    pub(super) fn histories(self) -> MemoryBudget {
        MemoryBudget::from_bytes(self.budget.bytes() - self.base).part(1, self.parts)
    }

    /// The budget in which histories may take so much.
    fn with_histories(self, histories: MemoryBudget) -> MemoryBudget {
        MemoryBudget::from_bytes(histories.bytes().saturating_mul(self.parts).saturating_add(self.base))
    }
}

/// What models are fitted to, and how many rows it is of.
pub(super) struct Tallied<H> {
    pub(super) histories: Histories<H>,
    pub(super) spend: Option<Histories<SpendHistory>>,
    rows: u64,
}

/// What is foretold of all customers; none where nothing is of anyone.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Foretold {
    pub(super) alive: Option<f64>,
    pub(super) purchases: Option<f64>,
    pub(super) value: Option<f64>,
}

impl Foretold {
    /// Adds customers of one history.
    fn add(&mut self, forecast: &Forecast, weight: f64) {
        let sums = [
            (&mut self.alive, forecast.p_alive),
            (&mut self.purchases, forecast.purchases),
            (&mut self.value, forecast.value),
        ];
        for (sum, known) in sums {
            if let Some(value) = known {
                *sum = Some(sum.unwrap_or(0.0) + weight * value);
            }
        }
    }
}

impl<'a, H: History> Customers<'a, H> {
    pub(super) fn new(
        source: &'a Path,
        plan: MemoryPlan,
        read: impl Fn(&mut Consume<'_, H>) -> Result<(), CliError> + 'a,
    ) -> Self {
        Self { read: Box::new(read), source, plan }
    }

    /// Counts the customers of each history.
    pub(super) fn tally(&self, who: TalliedCustomers) -> Result<Tallied<H>, CliError> {
        let mut tally = HistoryTally::new(who, self.plan.histories());
        let mut rows = 0;
        (self.read)(&mut |table| {
            rows += table.len() as u64;
            tally.add(&table);
            Ok(())
        })?;
        match tally.finish() {
            Ok((histories, spend)) => Ok(Tallied { histories, spend, rows }),
            Err(RfmError::ManyHistories { customers, enough, .. }) => Err(CliError::Histories {
                path: self.source.to_owned(),
                customers,
                budget: self.plan.budget,
                enough: self.plan.with_histories(enough),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// Foretells every customer of whom `tallied` was made, and writes the table where it goes to.
    pub(super) fn foretell(
        &self,
        tallied: &Tallied<H>,
        out: Option<&Path>,
        mut forecast: impl FnMut(&HistoryTable<H>) -> Result<Vec<Forecast>, RfmError>,
    ) -> Result<Foretold, CliError> {
        let mut writer: Option<TableWriter> = None;
        let (mut foretold, mut rows) = (Foretold::default(), 0);
        (self.read)(&mut |table| {
            let forecasts = forecast(&table)?;
            for ((_, weight), forecast) in table.weighted().zip(&forecasts) {
                foretold.add(forecast, weight);
            }
            rows += table.len() as u64;
            if let Some(out) = out {
                let batch = table.record_batch(&forecasts)?;
                let writer = match &mut writer {
                    Some(writer) => writer,
                    none => none.insert(TableWriter::create(out, "lifetime_values", &batch.schema())?),
                };
                writer.write(batch)?;
            }
            Ok(())
        })?;
        if rows != tallied.rows {
            return Err(StoreError::Changed { path: self.source.to_owned() }.into());
        }
        if let Some(writer) = writer {
            writer.finish()?;
        }
        Ok(foretold)
    }
}
