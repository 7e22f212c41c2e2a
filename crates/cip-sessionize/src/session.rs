//! A session in the making.

use std::ops::Range;

use cip_core::{CoreError, EventKind, Id, column};

use crate::input::Input;

/// One session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) user: Id,
    pub(crate) seq: i64,
    /// Sessions of the user before it that start at the same instant.
    pub(crate) twins: u64,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) events: usize,
    pub(crate) views: usize,
    pub(crate) carts: usize,
    pub(crate) removes: usize,
    pub(crate) purchases: usize,
    pub(crate) products: usize,
    pub(crate) revenue: i128,
}

impl Session {
    /// The first session of a user.
    pub(crate) fn starting(user: Id, start: i64) -> Self {
        Self {
            user,
            seq: 1,
            twins: 0,
            start,
            end: start,
            events: 0,
            views: 0,
            carts: 0,
            removes: 0,
            purchases: 0,
            products: 0,
            revenue: 0,
        }
    }

    /// The session of the same user behind this one.
    pub(crate) fn followed_by(self, start: i64) -> Self {
        let twins = if start == self.start { self.twins + 1 } else { 0 };
        Self { seq: self.seq + 1, twins, ..Self::starting(self.user, start) }
    }

    /// Adds `rows`, which are not earlier than those before.
    pub(crate) fn extend(&mut self, input: &Input<'_>, rows: Range<usize>) -> Result<(), CoreError> {
        let Some(&last) = input.times[rows.clone()].last() else { return Ok(()) };
        self.end = last;
        self.events += rows.len();
        let before = self.purchases;
        input.kinds[rows.clone()].iter().for_each(|&kind| self.count(kind));
        if self.purchases > before {
            self.revenue = input
                .add_revenue(self.revenue, rows)
                .ok_or(CoreError::MoneyOverflow { column: column::PRICE })?;
        }
        Ok(())
    }

    /// Counts an event by its kind.
    #[inline]
    pub(crate) fn count(&mut self, kind: EventKind) {
        match kind {
            EventKind::View => self.views += 1,
            EventKind::Cart => self.carts += 1,
            EventKind::RemoveFromCart => self.removes += 1,
            EventKind::Purchase => self.purchases += 1,
            EventKind::Cancellation | EventKind::Other => {}
        }
    }
}
