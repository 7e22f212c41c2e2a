//! The sessions of a store.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type, TimestampMicrosecondType};
use cip_core::{CoreError, MoneyScale, table};
use cip_sessionize::{SessionRule, Sessionizer, SourceComparer, SourceComparison};
use cip_store::{EventPartition, EventScan, TableWriter};

use crate::line::{Line, LineError};

/// A session that lasts longer is engaged, in microseconds.
const ENGAGED_MICROS: i64 = 10_000_000;

/// A session of so many views is engaged.
const ENGAGED_VIEWS: i64 = 2;

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
    /// Sessions that last longer than 10 seconds, have a purchase, or have 2 views or more.
    ///
    /// This is what Google Analytics 4 calls an engaged session (Analytics Help, "Engagement rate and bounce rate"), with the
    /// purchase as the key event; a session lasts from its first event to its last.
    pub engaged_sessions: u64,
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
    /// Compares the sessions of the source with those of `rule`.
    ///
    /// # Errors
    /// [`LineError`], also where the store has no `source_session` or the rule is that of the source.
    pub fn compare_sessions(&self, rule: &SessionRule) -> Result<SourceComparison, LineError> {
        let scan = self.scan(&SourceComparer::columns(rule))?;
        let schema = scan.schema().clone();
        let mut found = SourceComparer::new(rule.clone(), &schema)?.finish();
        let compare = |partition: EventPartition| {
            let mut comparer = SourceComparer::new(rule.clone(), &schema)?;
            for events in partition.batches()? {
                comparer.push(&events?)?;
            }
            Ok::<_, LineError>(comparer.finish())
        };
        self.each_partition(scan, compare, |part| {
            found.merge(&part);
            Ok(())
        })?;
        Ok(found)
    }

    /// Writes `fact_sessions`, sorted by user_id and session_start, to `path`.
    ///
    /// # Errors
    /// [`LineError`]; the old file at `path` is then still there.
    pub fn write_sessions(&self, rule: SessionRule, path: &Path) -> Result<SessionTotals, LineError> {
        let schema = self.store.schema();
        let mut totals = SessionTotals { money: schema.money_scale(), ..SessionTotals::default() };
        let table = table::fact_sessions(schema.user_type()?, totals.money);
        // What the store does not carry is refused before anything is written.
        Sessionizer::new(rule.clone(), schema)?;
        let scan = self.scan(&rule.columns())?;
        let mut writer = TableWriter::create(path, "fact_sessions", &table)?;
        self.each_sessions(&rule, scan, |batches, skipped| {
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

    /// Cuts the events of `scan` into sessions, and gives those of each partition, sorted, and how many of its events had no user to
    /// `consume`.
    pub(super) fn each_sessions(
        &self,
        rule: &SessionRule,
        scan: EventScan,
        mut consume: impl FnMut(Vec<RecordBatch>, u64) -> Result<(), LineError>,
    ) -> Result<(), LineError> {
        let schema = self.store.schema();
        let sessionize = |partition: EventPartition| {
            let mut sessionizer = Sessionizer::new(rule.clone(), schema)?;
            let mut batches = Vec::new();
            for events in partition.batches()? {
                batches.push(sessionizer.push(&events?)?);
            }
            let skipped = sessionizer.skipped_events();
            batches.push(sessionizer.finish()?);
            Ok::<_, LineError>((batches, skipped))
        };
        self.each_partition(scan, sessionize, |(batches, skipped)| consume(batches, skipped))
    }
}

impl SessionTotals {
    /// Engaged sessions / sessions, which Analytics calls the engagement rate; none where there are no sessions.
    pub fn engagement_rate(&self) -> Option<f64> {
        (self.sessions > 0).then(|| self.engaged_sessions as f64 / self.sessions as f64)
    }

    /// Adds rows of the table.
    pub(super) fn add(&mut self, sessions: &RecordBatch) -> Result<(), LineError> {
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
        let time = |column: &'static str| {
            let array = sessions.column_by_name(column).ok_or(CoreError::MissingColumn { column })?;
            Ok::<_, CoreError>(array.as_primitive::<TimestampMicrosecondType>().values())
        };
        let (starts, ends) = (time("session_start")?, time("session_end")?);
        let (views, purchases) = (count("views")?, count("purchases")?);
        let engaged = starts.iter().zip(ends).zip(views.iter().zip(purchases));
        let engaged = engaged.filter(|((start, end), (views, purchases))| {
            (end.saturating_sub(**start) > ENGAGED_MICROS) | (**views >= ENGAGED_VIEWS) | (**purchases > 0)
        });
        self.engaged_sessions += engaged.count() as u64;
        let column = "revenue";
        let revenue = sessions.column_by_name(column).ok_or(CoreError::MissingColumn { column })?;
        for amount in revenue.as_primitive::<Decimal128Type>().iter().flatten() {
            self.revenue = self.revenue.checked_add(amount).ok_or(CoreError::MoneyOverflow { column })?;
        }
        Ok(())
    }
}
