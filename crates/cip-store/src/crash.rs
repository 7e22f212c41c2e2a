//! Moments at which a test lets a writer die. Outside of this crate's tests nothing happens at them.

use crate::error::StoreError;

/// A moment between two steps of putting something in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// All is written, nothing is in place.
    Staged,
    /// A commit's folder is in place and the manifest knows nothing of it; or the whole folder is in place.
    FolderMoved,
    /// The manifest is in place, and what was staged is not cleared.
    DocumentReplaced,
}

#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "a test may fail here")]
pub(crate) fn point(_: Moment) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(not(test))]
pub(crate) fn happened() -> bool {
    false
}

#[cfg(test)]
pub(crate) use tested::{at, happened, point};

#[cfg(test)]
mod tested {
    use super::{Moment, StoreError};
    use std::cell::Cell;

    thread_local! {
        static PLANNED: Cell<Option<Moment>> = const { Cell::new(None) };
        static HAPPENED: Cell<bool> = const { Cell::new(false) };
    }

    /// Runs `work`, which ends at `moment` and clears nothing up, as a process that is killed.
    pub(crate) fn at<T>(moment: Moment, work: impl FnOnce() -> Result<T, StoreError>) {
        PLANNED.set(Some(moment));
        let outcome = work().err().map(|error| error.to_string());
        PLANNED.set(None);
        assert!(HAPPENED.replace(false), "the work went on to {outcome:?}");
    }

    pub(crate) fn point(moment: Moment) -> Result<(), StoreError> {
        if PLANNED.get() != Some(moment) {
            return Ok(());
        }
        HAPPENED.set(true);
        let source = std::io::Error::other("the test ends here");
        Err(StoreError::Io { action: "go on behind", path: format!("{moment:?}").into(), source })
    }

    pub(crate) fn happened() -> bool {
        HAPPENED.get()
    }
}
