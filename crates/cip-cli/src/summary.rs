//! A summary of customers: a table with frequency, recency, T and perhaps monetary_value.

use std::path::Path;

use cip::arrow_array::{Array, Float64Array};
use cip::core::{IdBuilder, IdRef, IdType, column};
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
    pub(crate) fn repeats(&self, first: FirstPurchase) -> Result<HistoryTable<RepeatHistory>, CliError> {
        let history = |row: &Row<'_>| {
            let (frequency, recency, age) = (row.count(FREQUENCY)?, row.number(RECENCY)?, row.number(AGE)?);
            RepeatHistory::new(frequency, recency, age).map_err(|error| row.refuse(FREQUENCY, error))
        };
        self.read(&[FREQUENCY, RECENCY, AGE], history, |history| {
            history.frequency() + u64::from(first == FirstPurchase::Include)
        })
    }

    /// What every row spends, whatever its times are.
    pub(crate) fn spend(&self, first: FirstPurchase) -> Result<HistoryTable<RepeatHistory>, CliError> {
        self.source.batches(&[MONETARY])?;
        if self.has(RECENCY) && self.has(AGE) {
            return self.repeats(first);
        }
        let history = |row: &Row<'_>| {
            RepeatHistory::new(row.count(FREQUENCY)?, 0.0, 0.0).map_err(|error| row.refuse(FREQUENCY, error))
        };
        self.read(&[FREQUENCY], history, |history| {
            history.frequency() + u64::from(first == FirstPurchase::Include)
        })
    }

    /// The contract of every row, and what each of its periods costs.
    pub(crate) fn contracts(&self) -> Result<HistoryTable<ContractHistory>, CliError> {
        let history = |row: &Row<'_>| {
            ContractHistory::new(row.count(FREQUENCY)?, row.count(AGE)?)
                .map_err(|error| row.refuse(FREQUENCY, error))
        };
        // The first period was not renewed, and was paid for.
        self.read(&[FREQUENCY, AGE], history, |history| history.renewals() + 1)
    }

    fn has(&self, column: &str) -> bool {
        self.source.schema().index_of(column).is_ok()
    }

    /// Reads the columns that are needed, and the others that there are.
    fn read<H: History>(
        &self,
        needed: &[&str],
        history: impl Fn(&Row<'_>) -> Result<H, CliError>,
        transactions: impl Fn(&H) -> u64,
    ) -> Result<HistoryTable<H>, CliError> {
        let mut names = needed.to_vec();
        names.extend(Some(MONETARY).filter(|name| self.has(name)));
        names.extend(self.weight.as_deref());
        let numbers = names.len();
        names.extend(self.id.as_deref());
        let batches = self.source.batches(&names)?;
        let id_type = match &self.id {
            Some(_) => TableColumn::id_type(batches.schema().field(numbers).data_type()),
            None => Some(IdType::Int64),
        };
        let mut ids = IdBuilder::new(id_type.unwrap_or(IdType::Utf8));
        let (mut histories, mut spend, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        let mut before = 0;
        for batch in batches {
            let batch = batch?;
            let column =
                |at: usize| TableColumn::new(self.source.path(), names[at], before, batch.column(at));
            let values = (0..numbers).map(|at| column(at).numbers()).collect::<Result<Vec<_>, _>>()?;
            let id = self.id.as_ref().map(|_| column(numbers).ids()).transpose()?;
            for at in 0..batch.num_rows() {
                let number = before + at as u64;
                let row = Row { path: self.source.path(), names: &names, values: &values, at, number };
                match (&id, &self.id) {
                    (Some(id), Some(name)) => ids
                        .append(Some(id.get(at).ok_or_else(|| {
                            row.refuse(name, "an id is missing: drop the rows without one")
                        })?))?,
                    _ => ids.append(Some(IdRef::Int64(number.cast_signed())))?,
                }
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
            before += batch.num_rows() as u64;
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
