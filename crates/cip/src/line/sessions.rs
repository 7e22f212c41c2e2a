//! The sessions of a store.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use cip_core::{CoreError, MoneyScale, table};
use cip_sessionize::{SessionRule, Sessionizer};
use cip_store::{EventPartition, TableWriter};

use crate::line::{Line, LineError};

/// Totals of a table of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionTotals {
    /// Sessions.
    pub sessions: u64,
    /// Events in them.
    pub events: u64,
    /// Events without a user, which belong to no session.
    pub skipped_events: u64,
    /// Sessions with a purchase.
    pub purchasing_sessions: u64,
    /// Purchase events.
    pub purchases: u64,
    /// The sum of all durations, in seconds.
    pub duration_seconds: i128,
    /// The sum of all revenue, in units of `money`.
    pub revenue: i128,
    /// The decimals of `revenue`; none where the source has no prices.
    pub money: Option<MoneyScale>,
}

impl Line<'_> {
    /// Writes `fact_sessions`, sorted by user_id and session_start, to `path`.
    ///
    /// # Errors
    /// [`LineError`]; the old file at `path` is then still there.
    pub fn write_sessions(&self, rule: SessionRule, path: &Path) -> Result<SessionTotals, LineError> {
        let schema = self.store.schema();
        let mut totals = SessionTotals { money: schema.money_scale(), ..SessionTotals::default() };
        let mut writer = TableWriter::create(
            path,
            "fact_sessions",
            &table::fact_sessions(schema.user_type()?, totals.money),
        )?;
        let sessionize = |partition: EventPartition| {
            let mut sessionizer = Sessionizer::new(rule, schema)?;
            let mut batches = Vec::new();
            for events in partition.batches()? {
                batches.push(sessionizer.push(&events?)?);
            }
            let skipped = sessionizer.skipped_events();
            batches.push(sessionizer.finish()?);
            Ok::<_, LineError>((batches, skipped))
        };
        self.each_partition(self.store.scan(cip_sessionize::COLUMNS), sessionize, |(batches, skipped)| {
            totals.skipped_events += skipped;
            for batch in batches {
                totals.add(&batch)?;
                writer.write(batch)?;
            }
            Ok(())
        })?;
        writer.finish()?;
        Ok(totals)
    }
}

impl SessionTotals {
    fn add(&mut self, sessions: &RecordBatch) -> Result<(), LineError> {
        let count = |column: &'static str| {
            let array = sessions.column_by_name(column).ok_or(CoreError::MissingColumn { column })?;
            Ok::<_, CoreError>(array.as_primitive::<Int64Type>().values())
        };
        self.sessions += sessions.num_rows() as u64;
        self.events += count("events")?.iter().sum::<i64>().cast_unsigned();
        self.purchases += count("purchases")?.iter().sum::<i64>().cast_unsigned();
        self.purchasing_sessions +=
            count("purchases")?.iter().filter(|&&purchases| purchases > 0).count() as u64;
        self.duration_seconds +=
            count("duration_seconds")?.iter().map(|&seconds| i128::from(seconds)).sum::<i128>();
        let column = "revenue";
        let revenue = sessions.column_by_name(column).ok_or(CoreError::MissingColumn { column })?;
        for amount in revenue.as_primitive::<Decimal128Type>().iter().flatten() {
            self.revenue = self.revenue.checked_add(amount).ok_or(CoreError::MoneyOverflow { column })?;
        }
        Ok(())
    }
}
