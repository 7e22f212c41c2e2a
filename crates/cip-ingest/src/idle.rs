//! What threads use in turn.

use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

/// Things of which a thread uses one at a time. It gets back the one that it used last, where nobody else has it: much of that is
/// still in its processor's caches.
#[derive(Debug)]
pub(crate) struct Idle<T> {
    things: Mutex<Vec<(ThreadId, T)>>,
}

impl<T> Default for Idle<T> {
    fn default() -> Self {
        Self { things: Mutex::default() }
    }
}

impl<T> Idle<T> {
    /// Returns one that nobody uses, if there is any.
    pub(crate) fn take(&self) -> Option<T> {
        let mut things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        let own = thread::current().id();
        let last = things.iter().rposition(|(user, _)| *user == own).or(things.len().checked_sub(1))?;
        Some(things.remove(last).1)
    }

    /// Takes one back, if there are fewer than `most`.
    pub(crate) fn give(&self, thing: T, most: usize) {
        let mut things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        if things.len() < most {
            things.push((thread::current().id(), thing));
        }
    }

    /// Returns all.
    pub(crate) fn into_all(self) -> impl Iterator<Item = T> {
        self.things.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().map(|(_, thing)| thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gets_back_what_it_had() {
        let idle = Idle::default();
        assert_eq!(idle.take(), None);
        idle.give("mine", 3);
        thread::scope(|scope| {
            scope.spawn(|| idle.give("another's", 3));
        });
        assert_eq!(idle.take(), Some("mine"));
        assert_eq!(idle.take(), Some("another's"));
        assert_eq!(idle.take(), None);
        ["kept", "one too many"].into_iter().for_each(|thing| idle.give(thing, 1));
        assert!(idle.into_all().eq(["kept"]));
    }
}
