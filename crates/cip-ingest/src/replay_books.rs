//! The account of a replay: what became of the rejects of each file.

use std::collections::HashMap;

use cip_store::{Account, EventStore, SourceFile, UserField};

use crate::books::enter_kept;
use crate::contract::tally::Tally;
use crate::parse::Parser;
use crate::reject::Reject;
use crate::reject_places::RejectPlaces;
use crate::rejected::{Before, Outcome, RejectedFile};

/// What reading the rejects again gave.
pub(crate) struct ReplayBooks {
    /// The files that have rejects, in their order, and what became of the rejects of each.
    pub(crate) names: Vec<String>,
    pub(crate) accounts: Vec<Account>,
    /// How the records of each are written, and where the user stands in them.
    pub(crate) records: Vec<(serde_json::Value, Option<UserField>)>,
    pub(crate) account: Account,
    pub(crate) cut: u64,
    /// Rows that came out another way than before.
    pub(crate) changed: u64,
    pub(crate) first_reject: Option<String>,
    pub(crate) tally: Tally,
    /// Events of users who were named by an alias.
    pub(crate) stitched: u64,
    /// Where all the rejects were.
    pub(crate) places: RejectPlaces,
    /// By file, which of its rejects still are.
    pub(crate) remaining: HashMap<String, Vec<u32>>,
}

impl ReplayBooks {
    pub(crate) fn new(files: &[RejectedFile]) -> Self {
        Self {
            names: files.iter().map(|file| file.name.clone()).collect(),
            accounts: vec![Account::default(); files.len()],
            records: files.iter().map(|file| (file.records.clone(), file.user_field.clone())).collect(),
            account: Account::default(),
            cut: 0,
            changed: 0,
            first_reject: None,
            tally: Tally::default(),
            stitched: 0,
            places: RejectPlaces::of_commits(files.len()),
            remaining: HashMap::new(),
        }
    }

    /// Enters the next row of a file; returns the reject that it still is.
    pub(crate) fn enter(
        &mut self,
        file: &RejectedFile,
        byte_start: u64,
        outcome: Outcome,
        parser: &Parser,
    ) -> Option<Reject> {
        let of_file = self.accounts.get_mut(file.index)?;
        let place = of_file.rows as u32;
        self.places.push(file.index, byte_start);
        self.tally.merge(&outcome.parsed.tally);
        self.stitched += outcome.parsed.stitched;
        for account in [of_file, &mut self.account] {
            enter_kept(&outcome.parsed, parser, account);
            if let Some((reject, _)) = &outcome.still {
                *account.rejects.entry(reject.reason.code().to_owned()).or_default() += 1;
            }
        }
        let Some((reject, before)) = outcome.still else {
            self.changed += 1;
            return None;
        };
        self.changed += u64::from(before == Before::Other);
        self.cut += u64::from(before == Before::Cut);
        self.remaining.entry(file.name.clone()).or_default().push(place);
        self.first_reject.get_or_insert_with(|| {
            format!("{} line {}: {} ({})", file.name, reject.line, reject.detail, reject.reason.code())
        });
        Some(reject)
    }

    /// The source files of a store with their accounts as they are now.
    pub(crate) fn sources(&self, old: &EventStore) -> Vec<SourceFile> {
        let mut sources: Vec<SourceFile> = old.manifest().sources().cloned().collect();
        for source in &mut sources {
            let found = self.names.binary_search(&source.name).ok();
            let Some((replayed, (records, user_field))) =
                found.and_then(|found| self.accounts.get(found).zip(self.records.get(found)))
            else {
                continue;
            };
            source.account.rejects.clear();
            source.account.add(&Account { rows: 0, ..replayed.clone() });
            let has_rejects = source.account.rejected() > 0;
            source.records = has_rejects.then(|| records.clone());
            source.user_field = user_field.clone().filter(|_| has_rejects);
        }
        sources
    }
}
