//! The sessions of a store, kept from one run to the next: a run reads the users of the commits that came since.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use cip_core::{CoreError, Id, column, table};
use cip_sessionize::{AbsentUsers, SessionChange, SessionRule, Sessionizer};
use cip_store::{EventPartition, EventScan, KeptTable, SinceState, TableState, UserSet, WhyRebuilt};

use crate::line::session_merge::{Merged, SessionMerge};
use crate::line::{Line, LineError, SessionTotals};

/// What a run over a kept table of sessions did.
#[derive(Debug, Clone)]
pub struct KeptSessions {
    /// Of the whole table.
    pub totals: SessionTotals,
    /// How often the kept table changed, the first time included: `diff.parquet` leads from the run before to this one.
    pub run: u64,
    /// Why it was made anew; none where it was brought up to date.
    pub rebuilt: Option<WhyRebuilt>,
    /// Commits that came since the run before.
    pub new_commits: usize,
    /// Users whose sessions were cut.
    pub users: u64,
    /// Events of the row groups that were read for it.
    pub events_read: u64,
    /// Events of the whole store.
    pub events_stored: u64,
    counts: [u64; SessionChange::ALL.len()],
}

impl KeptSessions {
    /// How many sessions there are of which this became.
    pub fn count(&self, change: SessionChange) -> u64 {
        self.counts[change as usize]
    }
}

/// What brings a kept table up to date.
struct Update {
    scan: EventScan,
    absent: AbsentUsers,
    /// Events without a user that `scan` does not give.
    skipped_events: u64,
    rebuilt: Option<WhyRebuilt>,
    new_commits: usize,
}

impl Line<'_> {
    /// Writes `fact_sessions` to `path`, the bytes of [`Line::write_sessions`], and keeps in `folder` what is needed to do so again: the
    /// table, the commits that it was made of, and in `diff.parquet` what this run changed
    /// ([`cip_core::table::session_changes`]).
    ///
    /// Where commits came since, only their users are read, with all their events, out of the row groups in which they may be. Where
    /// nothing came, nothing is read but the table, and the folder stays as it is, changes included. Where the rule is another, or an
    /// earlier commit is not as it was, all is made anew; the changes are then those between the two tables.
    ///
    /// The table at `path` is in place before the folder is: a run that dies in between does the same again.
    ///
    /// # Complexity
    /// Memory for the ids of the users of the new commits, and for some thousand sessions, on top of what [`Line::write_sessions`]
    /// takes.
    ///
    /// # Errors
    /// [`LineError`], where `folder` is another run's, something else's or damaged as well; the old folder and the old file at `path` are
    /// then still there.
    pub fn keep_sessions(
        &self,
        rule: &SessionRule,
        folder: &Path,
        path: &Path,
    ) -> Result<KeptSessions, LineError> {
        Sessionizer::new(rule.clone(), self.store.schema())?;
        let kept = KeptTable::begin(folder, "fact_sessions")?;
        let since = kept.before().map(|before| before.since(self.store, &self.rule_of(rule)));
        let scan = self.scan(&rule.columns())?;
        let commits = self.store.manifest().commits.len();
        let update = match (since, kept.before()) {
            (Some(SinceState::Nothing), Some(before)) => return self.unchanged(&kept, before, path),
            (Some(SinceState::Commits(first)), Some(before)) => {
                let (users, skipped) = self.users_since(first)?;
                Update {
                    scan: scan.with_users(users),
                    absent: AbsentUsers::Untouched,
                    skipped_events: before.skipped_events + skipped,
                    rebuilt: None,
                    new_commits: commits - first,
                }
            }
            (since, _) => Update {
                scan,
                absent: AbsentUsers::Gone,
                skipped_events: 0,
                rebuilt: Some(match since {
                    Some(SinceState::All(why)) => why,
                    _ => WhyRebuilt::First,
                }),
                new_commits: commits,
            },
        };
        self.update(rule, kept, update, path)
    }

    /// What the table depends on but for the store.
    fn rule_of(&self, rule: &SessionRule) -> String {
        match self.currency {
            Some(only) => format!("{rule}, in {}", only.code),
            None => rule.to_string(),
        }
    }

    /// Makes the new table of the one before.
    fn update(
        &self,
        rule: &SessionRule,
        kept: KeptTable,
        update: Update,
        path: &Path,
    ) -> Result<KeptSessions, LineError> {
        let (users, money) = (self.store.schema().user_type()?, self.store.schema().money_scale());
        let empty = RecordBatch::new_empty(table::fact_sessions(users, money));
        let table = kept.create(&empty.schema())?;
        let changes = kept.create_changes("session_changes", &table::session_changes(users, money))?;
        let Update { scan, absent, mut skipped_events, rebuilt, new_commits } = update;
        let events_read = scan.rows();
        let totals = SessionTotals { money, ..SessionTotals::default() };
        let mut merge = SessionMerge::begin(kept.read()?, empty.clone(), absent, (table, changes), totals);
        self.each_sessions(rule, scan, |batches, skipped| {
            skipped_events += skipped;
            let sessions = concat_batches(&empty.schema(), &batches).map_err(CoreError::from)?;
            merge.add(sessions)
        })?;
        let Merged { totals, counts, users } = merge.finish()?;
        kept.copy(path)?;
        let state = kept.publish(self.store, &self.rule_of(rule), skipped_events)?;
        Ok(KeptSessions {
            totals: SessionTotals { skipped_events, ..totals },
            run: state.run,
            rebuilt,
            new_commits,
            users,
            events_read,
            events_stored: self.store.scan(&[]).rows(),
            counts,
        })
    }

    /// Writes the table as it is kept.
    fn unchanged(
        &self,
        kept: &KeptTable,
        state: &TableState,
        path: &Path,
    ) -> Result<KeptSessions, LineError> {
        let money = self.store.schema().money_scale();
        let mut totals =
            SessionTotals { money, skipped_events: state.skipped_events, ..SessionTotals::default() };
        for batch in kept.read()?.into_iter().flatten() {
            totals.add(&batch?)?;
        }
        kept.copy(path)?;
        Ok(KeptSessions {
            totals,
            run: state.run,
            rebuilt: None,
            new_commits: 0,
            users: 0,
            events_read: 0,
            events_stored: self.store.scan(&[]).rows(),
            counts: [0; SessionChange::ALL.len()],
        })
    }

    /// The users of the commits from one on, and how many of their events have none.
    fn users_since(&self, first: usize) -> Result<(UserSet, u64), LineError> {
        let (mut ids, mut skipped) = (Vec::new(), 0);
        let read = |partition: EventPartition| {
            let (mut ids, mut unknown) = (Vec::new(), 0);
            for events in partition.batches()? {
                for (user, rows) in events?.users()?.runs() {
                    match user {
                        None => unknown += rows.len() as u64,
                        Some(user) if ids.last().map(Id::as_ref) == Some(user) => {}
                        Some(user) => ids.push(user.to_owned()),
                    }
                }
            }
            Ok::<_, LineError>((ids, unknown))
        };
        self.each_partition(
            self.scan(&[column::USER_ID])?.with_commits_from(first),
            read,
            |(part, unknown)| {
                ids.extend(part);
                skipped += unknown;
                Ok(())
            },
        )?;
        Ok((ids.into_iter().collect(), skipped))
    }
}
