//! The scores of a store's customers, of purchases that are kept from one run to the next: a run reads the commits that came since.

use std::io::{BufReader, BufWriter};
use std::path::Path;

use cip_rfm::{IncrementalRfm, Keeping, Rfm, RfmTable};
use cip_store::{EventPartition, EventScan, KeptState, SinceState, WhyRebuilt};

use crate::line::{Line, LineError, write_table};

/// What a run over kept purchases did.
#[derive(Debug)]
pub struct KeptRfm {
    /// The table that was written.
    pub scored: RfmTable,
    /// How often what is kept changed, the first time included.
    pub run: u64,
    /// Why it was made anew; none where it was brought up to date.
    pub rebuilt: Option<WhyRebuilt>,
    /// How finely purchases are kept.
    pub keeping: Keeping,
    /// Commits that came since the run before.
    pub new_commits: usize,
    /// Events that were read for it.
    pub events_read: u64,
    /// Events of the whole store.
    pub events_stored: u64,
}

impl Line<'_> {
    /// Writes `rfm_segments` to `path`, the bytes of [`Line::write_rfm`], and keeps in `folder` what customers bought, so that the next run
    /// reads the commits that came since.
    ///
    /// Date, scoring and map may differ from run to run. Without a window, and with a date behind all events, sums are kept
    /// ([`Keeping::Sums`]), else the times of purchases ([`Keeping::Times`]), which serve any window and date. Where returns are treated in another
    /// way, times are needed of which sums were kept, or an earlier commit is not as it was, all is made anew.
    ///
    /// The table at `path` is in place before the folder is: a run that dies in between does the same again.
    ///
    /// # Complexity
    /// Memory for what is kept, see [`IncrementalRfm`], on top of what [`Line::write_rfm`] takes.
    ///
    /// # Errors
    /// [`LineError`], where `folder` is another run's, something else's or damaged as well; the old folder and the old file at `path` are
    /// then still there.
    pub fn keep_rfm(&self, rfm: &Rfm, folder: &Path, path: &Path) -> Result<KeptRfm, LineError> {
        rfm.check()?;
        let rfm = &match self.currency()? {
            Some(currency) => rfm.clone().with_currency(&currency),
            None => rfm.clone(),
        };
        let kept = KeptState::begin(folder, "purchases")?;
        let keeping = self.keeping(rfm, &kept);
        let empty = || IncrementalRfm::new(rfm, keeping);
        let rule = self.rule_of_purchases(&empty());
        let commits = self.store.manifest().commits.len();
        let since = kept.before().map(|before| before.since(self.store, &rule));
        let (first, rebuilt) = match since {
            Some(SinceState::Nothing) => (commits, None),
            Some(SinceState::Commits(first)) => (first, None),
            Some(SinceState::All(why)) => (0, Some(why)),
            None => (0, Some(WhyRebuilt::First)),
        };
        let mut state = match kept.read()? {
            Some(file) if rebuilt.is_none() => IncrementalRfm::resume(rfm, keeping, BufReader::new(file))?,
            _ => empty(),
        };
        let scan = self.scan_transactions(cip_rfm::COLUMNS)?.with_commits_from(first);
        let events_read = if first < commits { scan.rows() } else { 0 };
        if first < commits {
            self.add_purchases(scan, &mut state, empty)?;
        }
        let scored = state.score(rfm)?;
        write_table(path, "rfm_segments", scored.record_batch().clone())?;
        let run = match kept.before() {
            Some(before) if rebuilt.is_none() && first == commits => before.run,
            _ => {
                state.save(BufWriter::new(kept.create()?))?;
                kept.publish(self.store, &rule, state.skipped_events())?.run
            }
        };
        let events_stored = self.store.scan(&[]).rows();
        Ok(KeptRfm {
            scored,
            run,
            rebuilt,
            keeping,
            new_commits: commits - first,
            events_read,
            events_stored,
        })
    }

    /// How finely purchases have to be kept; as finely as they are, where that does.
    fn keeping(&self, rfm: &Rfm, kept: &KeptState) -> Keeping {
        let times = self.rule_of_purchases(&IncrementalRfm::new(rfm, Keeping::Times));
        let last = self.store.manifest().time_span().map(|[_, last]| last);
        let sums_do = rfm.from().is_none() && last.is_none_or(|last| last < rfm.as_of().micros());
        let has_times = kept.before().is_some_and(|before| before.rule == times);
        if sums_do && !has_times { Keeping::Sums } else { Keeping::Times }
    }

    /// What a state depends on but for the store.
    fn rule_of_purchases(&self, state: &IncrementalRfm) -> String {
        match self.currency {
            Some(only) => format!("{}, events in {} alone", state.made_with(), only.code),
            None => state.made_with().into(),
        }
    }

    /// Adds the purchases of `scan` to a state, added up by partition first.
    fn add_purchases(
        &self,
        scan: EventScan,
        state: &mut IncrementalRfm,
        empty: impl Fn() -> IncrementalRfm + Send + Sync,
    ) -> Result<(), LineError> {
        let add_up = |partition: EventPartition| {
            let mut part = empty();
            for events in partition.batches()? {
                part.push(&events?)?;
            }
            Ok::<_, LineError>(part)
        };
        self.each_partition(scan, add_up, |part| Ok(state.append(part)?))
    }
}
