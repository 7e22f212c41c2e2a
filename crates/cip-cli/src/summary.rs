//! A summary of customers: a table with frequency, recency, T and perhaps monetary_value.

use std::path::Path;

use cip::arrow_array::{Array, Float64Array, RecordBatch};
use cip::core::{IdBuilder, IdRef, IdType, column};
use cip::line::LineError;
use cip::rfm::RfmError;
use cip::rfm::lifetime::{
    ContractHistory, FirstPurchase, History, HistoryTable, RepeatHistory, SpendHistory,
};
use cip::store::{TableColumn, TableSource};

use crate::error::CliError;

const FREQUENCY: &str = "frequency";
const RECENCY: &str = "recency";
const AGE: &str = "T";
const MONETARY: &str = "monetary_value";

/// What takes customers, table by table.
pub(crate) type Consume<'a, H> = dyn FnMut(HistoryTable<H>) -> Result<(), LineError> + 'a;

/// Where a summary is, and what its columns are called.
pub(crate) struct Summary {
    source: TableSource,
    id: Option<String>,
    weight: Option<String>,
}

impl Summary {
    pub(crate) fn open(path: &Path, id: Option<&str>, weight: Option<&str>) -> Result<Self, CliError> {
        let source = TableSource::open(path)?;
        let default = Some(column::USER_ID).filter(|name| source.schema().index_of(name).is_ok());
        let id = id.or(default).map(str::to_owned);
        Ok(Self { id, weight: weight.map(str::to_owned), source })
    }

    /// The repeat purchases of every row, and what it spends.
    pub(crate) fn repeats(
        &self,
        first: FirstPurchase,
        consume: &mut Consume<'_, RepeatHistory>,
    ) -> Result<(), CliError> {
        let history = |row: &Row<'_>| {
            let (frequency, recency, age) = (row.count(FREQUENCY)?, row.number(RECENCY)?, row.number(AGE)?);
            RepeatHistory::new(frequency, recency, age).map_err(|error| row.refuse(FREQUENCY, error))
        };
        let columns = self.columns(&[FREQUENCY, RECENCY, AGE]);
        let transactions =
            |history: &RepeatHistory| history.frequency() + u64::from(first == FirstPurchase::Include);
        self.read(&columns, history, transactions, consume)
    }

    /// What every row spends, whatever its times are.
    pub(crate) fn spend(
        &self,
        first: FirstPurchase,
        consume: &mut Consume<'_, RepeatHistory>,
    ) -> Result<(), CliError> {
        self.source.batches(&[MONETARY])?;
        if self.has(RECENCY) && self.has(AGE) {
            return self.repeats(first, consume);
        }
        let history = |row: &Row<'_>| {
            RepeatHistory::new(row.count(FREQUENCY)?, 0.0, 0.0).map_err(|error| row.refuse(FREQUENCY, error))
        };
        let transactions =
            |history: &RepeatHistory| history.frequency() + u64::from(first == FirstPurchase::Include);
        self.read(&self.columns(&[FREQUENCY]), history, transactions, consume)
    }

    /// The contract of every row, and what each of its periods costs.
    pub(crate) fn contracts(&self, consume: &mut Consume<'_, ContractHistory>) -> Result<(), CliError> {
        let history = |row: &Row<'_>| {
            ContractHistory::new(row.count(FREQUENCY)?, row.count(AGE)?)
                .map_err(|error| row.refuse(FREQUENCY, error))
        };
        // The first period was not renewed, and was paid for.
        let columns = self.columns(&[FREQUENCY, AGE]);
        self.read(&columns, history, |history: &ContractHistory| history.renewals() + 1, consume)
    }

    fn has(&self, column: &str) -> bool {
        self.source.schema().index_of(column).is_ok()
    }

    /// The columns of numbers that are needed, and the others that there are.
    fn columns<'a>(&'a self, needed: &[&'a str]) -> Vec<&'a str> {
        let mut names = needed.to_vec();
        names.extend(Some(MONETARY).filter(|name| self.has(name)));
        names.extend(self.weight.as_deref());
        names
    }

    /// Reads rows of these numbers, and gives them on some thousand at a time.
    fn read<H: History>(
        &self,
        numbers: &[&str],
        history: impl Fn(&Row<'_>) -> Result<H, CliError>,
        transactions: impl Fn(&H) -> u64,
        consume: &mut Consume<'_, H>,
    ) -> Result<(), CliError> {
        /// A batch of an Arrow file may be all of it.
        const ROWS: usize = 8_192;
        let mut names = numbers.to_vec();
        names.extend(self.id.as_deref());
        let mut before = 0;
        for batch in self.source.batches(&names)? {
            let batch = batch?;
            for start in (0..batch.num_rows()).step_by(ROWS) {
                let rows = batch.slice(start, ROWS.min(batch.num_rows() - start));
                consume(self.table(numbers, &rows, before, &history, &transactions)?)?;
                before += rows.num_rows() as u64;
            }
        }
        Ok(())
    }

    /// The customers of a batch, behind `before` others.
    fn table<H: History>(
        &self,
        numbers: &[&str],
        batch: &RecordBatch,
        before: u64,
        history: impl Fn(&Row<'_>) -> Result<H, CliError>,
        transactions: impl Fn(&H) -> u64,
    ) -> Result<HistoryTable<H>, CliError> {
        let column = |name, at: usize| TableColumn::new(self.source.path(), name, before, batch.column(at));
        let values = numbers.iter().enumerate().map(|(at, name)| column(name, at).numbers());
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let id = self.id.as_deref().map(|name| Ok::<_, CliError>((name, column(name, numbers.len()).ids()?)));
        let id = id.transpose()?;
        let mut ids = IdBuilder::new(id.as_ref().map_or(IdType::Int64, |(_, ids)| ids.id_type()));
        let (mut histories, mut spend, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for at in 0..batch.num_rows() {
            let number = before + at as u64;
            let row = Row { path: self.source.path(), names: numbers, values: &values, at, number };
            ids.append(Some(match &id {
                Some((name, ids)) => ids
                    .get(at)
                    .ok_or_else(|| row.refuse(name, "an id is missing: drop the rows without one"))?,
                None => IdRef::Int64(number.cast_signed()),
            }))?;
            let found = history(&row)?;
            spend.push(match row.optional(MONETARY)? {
                // What is not above 0 is no spend.
                Some(mean) => SpendHistory::new(transactions(&found), mean).ok(),
                None => None,
            });
            if let Some(weight) = &self.weight {
                weights.push(row.number(weight)?);
            }
            histories.push(found);
        }
        let mut table = HistoryTable::new(ids.finish(), histories)?;
        if self.has(MONETARY) {
            table = table.with_spend(spend)?;
        }
        if self.weight.is_some() {
            table = table.with_weights(weights).map_err(usage)?;
        }
        Ok(table)
    }
}

/// What the command line says that cannot be.
pub(crate) fn usage(error: RfmError) -> CliError {
    CliError::Usage(error.to_string())
}

/// One row of a summary.
struct Row<'a> {
    path: &'a Path,
    names: &'a [&'a str],
    values: &'a [Float64Array],
    /// Within its batch.
    at: usize,
    /// Within the table, from 0.
    number: u64,
}

impl Row<'_> {
    /// A finite number; none where there is none, or no such column.
    fn optional(&self, column: &str) -> Result<Option<f64>, CliError> {
        let values = self.names.iter().position(|name| *name == column).and_then(|at| self.values.get(at));
        match values.filter(|values| values.is_valid(self.at)).map(|values| values.value(self.at)) {
            Some(value) if !value.is_finite() => {
                Err(self.refuse(column, format!("it is {value}, expected a finite number")))
            }
            value => Ok(value),
        }
    }

    fn number(&self, column: &str) -> Result<f64, CliError> {
        self.optional(column)?.ok_or_else(|| self.refuse(column, "it is missing: fill it, or drop the row"))
    }

    fn count(&self, column: &str) -> Result<u64, CliError> {
        /// Whole numbers up to here are exact as floating-point numbers.
        const MOST: f64 = 9_007_199_254_740_992.0;
        let number = self.number(column)?;
        if (0.0..=MOST).contains(&number) && number.fract() == 0.0 {
            Ok(number as u64)
        } else {
            Err(self.refuse(column, format!("it is {number}, expected a whole number of 0 or more")))
        }
    }

    fn refuse(&self, column: &str, reason: impl ToString) -> CliError {
        CliError::Row {
            path: self.path.to_owned(),
            row: self.number + 1,
            column: column.to_owned(),
            reason: reason.to_string(),
        }
    }
}
