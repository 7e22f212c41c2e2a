//! Who will buy, or cancel, next: the windows to learn from, and the scores of a store's users today.

use std::path::Path;

use arrow_array::RecordBatch;
use cip_core::{CoreError, MICROS_PER_DAY, TimeRange, Timestamp, column};
use cip_features::{Feature, Features};
use cip_propensity::{PropensityModel, ranks, score_batch, score_schema};
use cip_store::{EventPartition, TableWriter};

use crate::line::features::compute;
use crate::line::{Line, LineError};

/// Which days a model of purchases, or of cancellations, learns from, and which it then looks at to say who is next.
///
/// ```text
///  start                        cutoff            end
///    ├──── features ──────────────┼──── labels ────┤              learned from
///           ├──── features ────────────────────────┤┄┄ horizon ┄┄ scored
/// ```
///
/// Both windows of features have the same length, so that a model finds counts of the kind that it has learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PropensityWindows {
    learned: TimeRange,
    end: Timestamp,
    scored: TimeRange,
}

impl PropensityWindows {
    /// The most days of the label window and of the horizon.
    pub const HORIZON_DAYS: i64 = 30;

    /// Returns the windows over events from the day of `first` up to `end`: labels from the last 30 days, or of the last
    /// half of the days where there are fewer than 60. None where there are fewer than two days.
    pub fn over(first: Timestamp, end: Timestamp) -> Option<Self> {
        let start = i64::from(first.day()) * MICROS_PER_DAY;
        let days = (end.micros() - start).div_euclid(MICROS_PER_DAY);
        let horizon = Self::HORIZON_DAYS.min(days / 2);
        if horizon < 1 {
            return None;
        }
        let horizon = horizon * MICROS_PER_DAY;
        let [cutoff, late] = [end.micros() - horizon, start + horizon].map(Timestamp::from_micros);
        Some(Self {
            learned: TimeRange::new(Timestamp::from_micros(start), cutoff).ok()?,
            end,
            scored: TimeRange::new(late, end).ok()?,
        })
    }

    /// The window of the features that are learned from; it ends with the cutoff.
    pub const fn learned(&self) -> TimeRange {
        self.learned
    }

    /// Where the labels end, and what is known today.
    pub const fn end(&self) -> Timestamp {
        self.end
    }

    /// The window of the features that are scored.
    pub const fn scored(&self) -> TimeRange {
        self.scored
    }

    /// Days from the cutoff to the end: how far the model looks ahead.
    pub const fn horizon_days(&self) -> i64 {
        (self.end.micros() - self.learned.end().micros()) / MICROS_PER_DAY
    }
}

impl Line<'_> {
    /// Writes `scores` of all users with an event in `window`, sorted by user_id, to `path` and returns how many there are.
    /// The features of the model must be [`Feature`]s.
    ///
    /// # Complexity
    /// One pass over the events of the features; memory for the id, margin and rank of every user, 24 bytes with integer
    /// ids.
    ///
    /// # Errors
    /// [`LineError`], where a feature of the model has another name or the store cannot give it as well; the old file at
    /// `path` is then still there.
    pub fn write_scores(
        &self,
        model: &PropensityModel,
        window: TimeRange,
        path: &Path,
    ) -> Result<u64, LineError> {
        let names = model.trees().features();
        let selected = names.iter().map(|name| name.parse()).collect::<Result<Vec<Feature>, _>>()?;
        let features = Features::new(window, self.store.schema())?.with_columns(&selected)?;
        let score = |partition: EventPartition| {
            let mut scored = Vec::new();
            for batch in compute(&features, &partition)?.0 {
                let matrix = model.trees().features_of(std::slice::from_ref(&batch))?;
                scored.push((user_ids(&batch)?, model.trees().margins(&matrix.view())?.to_vec()));
            }
            Ok::<_, LineError>(scored)
        };
        let (mut users, mut margins) = (Vec::new(), Vec::new());
        self.each_partition(self.scan(&features.columns())?, score, |scored| {
            for (batch, part) in scored {
                users.push(batch);
                margins.extend(part);
            }
            Ok(())
        })?;
        let ranks = ranks(&margins);
        let user = features.schema().field_with_name(column::USER_ID).map_err(CoreError::from)?.clone();
        let schema = score_schema(std::slice::from_ref(&user), None)?;
        let mut writer = TableWriter::create(path, "scores", &schema)?;
        let mut row = 0;
        for batch in users {
            let rows = row..row + batch.num_rows();
            let ids = [(user.clone(), batch.column(0).clone())];
            writer.write(score_batch(model, &ids, &margins[rows.clone()], &ranks[rows.clone()])?)?;
            row = rows.end;
        }
        Ok(writer.finish()?)
    }
}

/// The users of a batch of features, alone.
fn user_ids(batch: &RecordBatch) -> Result<RecordBatch, CoreError> {
    let position = batch.schema().index_of(column::USER_ID)?;
    Ok(batch.project(&[position])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(first: &str, end: &str) -> Option<[String; 5]> {
        let found = PropensityWindows::over(first.parse().ok()?, end.parse().ok()?)?;
        let (learned, scored) = (found.learned(), found.scored());
        assert_eq!(
            learned.end().micros() - learned.start().micros(),
            scored.end().micros() - scored.start().micros()
        );
        assert_eq!(found.end(), scored.end());
        Some([
            learned.start().to_string(),
            learned.end().to_string(),
            scored.start().to_string(),
            scored.end().to_string(),
            found.horizon_days().to_string(),
        ])
    }

    #[test]
    fn the_last_thirty_days_are_foretold_or_the_last_half() {
        let text = |days: [&str; 5]| Some(days.map(str::to_owned));
        assert_eq!(
            windows("2019-10-01T00:00:07Z", "2019-12-01"),
            text(["2019-10-01", "2019-11-01", "2019-10-31", "2019-12-01", "30"])
        );
        assert_eq!(
            windows("2019-10-01", "2019-10-06"),
            text(["2019-10-01", "2019-10-04", "2019-10-03", "2019-10-06", "2"])
        );
        assert_eq!(
            windows("2019-10-01", "2019-10-03"),
            text(["2019-10-01", "2019-10-02", "2019-10-02", "2019-10-03", "1"])
        );
        assert_eq!(windows("2019-10-01", "2019-10-02"), None);
        assert_eq!(windows("2019-10-01", "2019-09-01"), None);
    }
}
