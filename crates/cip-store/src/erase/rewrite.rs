//! A commit without some users, with its account.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::Whose;
use super::aliases;
use super::events::{self, Found};
use super::side::{self, RejectedRow};
use super::users::ErasedUsers;
use crate::commit::{counted_span, write_offers};
use crate::error::StoreError;
use crate::manifest::{Account, Commit, CommitLayout, SourceFile};
use crate::staged::sync;
use crate::store::EventStore;

/// What a commit has of the users.
pub(super) struct Theirs {
    pub(super) events: Found,
    /// Their rejects, by source file and reason.
    rejects: BTreeMap<(String, String), u64>,
    /// Rows of its table of aliases that name them.
    aliases: u64,
    /// What the commit keeps of contracts, without them.
    quality: Vec<serde_json::Value>,
}

impl Theirs {
    fn rejected(&self) -> u64 {
        self.rejects.values().sum()
    }

    pub(super) fn is_nothing(&self, commit: &Commit) -> bool {
        self.events.rows() == 0 && self.rejected() == 0 && self.aliases == 0 && self.quality == commit.quality
    }
}

/// Looks for what a commit has of the users.
pub(super) fn theirs(
    store: &EventStore,
    commit: &Commit,
    users: &ErasedUsers,
    whose: &impl Whose,
) -> Result<Theirs, StoreError> {
    let mut rejects: BTreeMap<(String, String), u64> = BTreeMap::new();
    side::count_rejects(
        store,
        &commit.rejects,
        |row| whose.is_theirs(source(commit, row), row),
        |row| *rejects.entry((row.source_file.to_owned(), row.reason.to_owned())).or_default() += 1,
    )?;
    let mut quality = commit.quality.clone();
    quality.iter_mut().for_each(|kept| whose.clear(kept));
    let aliases = commit.aliases.as_ref().map_or(Ok(0), |data| aliases::count(store, data, users))?;
    Ok(Theirs { events: Found::find(store, commit, users)?, rejects, aliases, quality })
}

/// The source file of a reject. Sources are in the order of their names.
pub(super) fn source<'a>(commit: &'a Commit, row: &RejectedRow<'_>) -> Option<&'a SourceFile> {
    let place = commit.sources.binary_search_by(|source| source.name.as_str().cmp(row.source_file)).ok()?;
    commit.sources.get(place)
}

/// Writes the commit without the users into the folder of a staged store.
pub(super) fn rewrite(
    store: &EventStore,
    commit: &Commit,
    theirs: Theirs,
    users: &ErasedUsers,
    whose: &impl Whose,
    staged: &Path,
) -> Result<Commit, StoreError> {
    let folder = staged.join(format!("commits/{:06}", commit.id));
    let mut new = commit.clone();
    let keep = |path: &str| link(store.path(), staged, path);
    let found = &theirs.events;
    let codes = match &commit.session_dictionary {
        Some(dictionary) if found.rows() > 0 => side::session_codes(store, dictionary, users)?,
        _ => Vec::new(),
    };
    if let Some(dictionary) = &mut new.session_dictionary {
        if codes.is_empty() {
            keep(&dictionary.path)?;
        } else {
            *dictionary = side::sessions(store, dictionary, &codes, &folder)?;
        }
        new.session_codes = dictionary.rows;
    }
    if let Some(dictionary) = &mut new.product_dictionary {
        if found.products.is_empty() {
            keep(&dictionary.path)?;
        } else {
            *dictionary = side::products(store, dictionary, &found.products, &folder)?;
        }
    }
    if theirs.rejected() == 0 {
        keep(&new.rejects.path)?;
    } else {
        new.rejects =
            side::rejects(store, &commit.rejects, &folder, |row| whose.is_theirs(source(commit, row), row))?;
    }
    if let Some(data) = &mut new.aliases {
        if theirs.aliases == 0 {
            keep(&data.path)?;
        } else {
            *data = aliases::write(store, data, users, &folder)?;
        }
    }
    // They count rejects before events, and some of both are gone.
    match &new.places {
        Some(places) if found.rows() == 0 && theirs.rejected() == 0 => keep(&places.path)?,
        _ => new.places = None,
    }
    match &new.transactions {
        Some(transactions) if found.rows() == 0 => keep(&transactions.file.path)?,
        _ => new.transactions = None,
    }
    if let (Some(offers), Some(form)) =
        (new.compact.as_mut().and_then(|compact| compact.offers.as_mut()), store.form_of(commit)?)
    {
        match form.offers().filter(|_| found.rows() > 0) {
            Some(known) => {
                let prefix = format!("commits/{:06}", commit.id);
                *offers = write_offers(known, &found.offers, &folder, &prefix)?;
            }
            None => keep(&offers.path)?,
        }
    }
    new.events = events::write(store, commit, found, &codes, &folder, keep)?;
    if found.rows() > 0 {
        new.layout = CommitLayout::Erased;
        new.users = commit.users.saturating_sub(found.users.len() as u64);
    }
    keep_account(&mut new, &theirs)?;
    new.quality = theirs.quality;
    let counts = |source: &SourceFile| source.replaced_by.is_none();
    new.time_span = if new.sources.iter().all(counts) {
        let spans = new.events.iter().flat_map(|file| &file.row_groups).map(|group| group.times);
        spans.reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])])
    } else {
        counted_span(staged, store.manifest().with_commits(vec![new.clone()]))?
    };
    Ok(new)
}

/// Enters what was forgotten, and checks the law of rows by what lies on disk.
fn keep_account(commit: &mut Commit, theirs: &Theirs) -> Result<(), StoreError> {
    let mut whole = Account::default();
    for source in &mut commit.sources {
        let account = &mut source.account;
        let events = theirs.events.rows_by_source.get(&source.name).copied().unwrap_or_default();
        account.events = account.events.saturating_sub(events);
        account.forgotten += events;
        if let (Some(kept), Some(gone)) = (&mut source.currencies, theirs.events.currencies.get(&source.name))
        {
            kept.remove(gone);
        }
        for ((_, reason), &rejects) in theirs.rejects.iter().filter(|((name, _), _)| *name == source.name) {
            if let Some(left) = account.rejects.get_mut(reason) {
                *left = left.saturating_sub(rejects);
            }
            account.forgotten += rejects;
        }
        account.rejects.retain(|_, left| *left > 0);
        if account.rejected() == 0 {
            (source.user_field, source.records) = (None, None);
        }
        account.check()?;
        whole.add(account);
    }
    let events = commit.events.iter().map(|file| file.file.rows).sum();
    Account { events, ..whole.clone() }.check()?;
    if commit.rejects.rows != whole.rejected() {
        return Err(StoreError::Account {
            rows: whole.rows,
            events,
            rejects: commit.rejects.rows,
            drops: whole.dropped(),
            forgotten: whole.forgotten,
        });
    }
    commit.account = whole;
    Ok(())
}

/// Gives a file of the old store its place in the new one as well, without writing it anew where the file system can.
pub(super) fn link(old: &Path, new: &Path, path: &str) -> Result<(), StoreError> {
    let (from, to) = (old.join(path), new.join(path));
    if fs::hard_link(&from, &to).is_ok() {
        return Ok(());
    }
    fs::copy(&from, &to).map_err(StoreError::io("copy", &from))?;
    sync(&to)
}
