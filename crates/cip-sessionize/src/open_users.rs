//! The users of a stream who have an open session: found by their id, by their deadline and by how long they are idle.

use std::collections::{BTreeSet, HashMap};

use cip_core::{DistinctIds, EventKind, Id, IdRef, IdType};

/// The open session of a user.
#[derive(Debug)]
pub(crate) struct OpenUser {
    pub(crate) user: Id,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) events: u64,
    pub(crate) views: u64,
    pub(crate) carts: u64,
    pub(crate) removes: u64,
    pub(crate) purchases: u64,
    pub(crate) revenue: i128,
    /// None until there is a product.
    products: Option<DistinctIds>,
    deadline: i64,
}

impl OpenUser {
    /// Adds an event, and takes over the revenue with it.
    pub(crate) fn add(&mut self, time: i64, kind: EventKind, product: Option<IdRef<'_>>, revenue: i128) {
        self.end = self.end.max(time);
        self.events += 1;
        self.revenue = revenue;
        match kind {
            EventKind::View => self.views += 1,
            EventKind::Cart => self.carts += 1,
            EventKind::RemoveFromCart => self.removes += 1,
            EventKind::Purchase => self.purchases += 1,
            EventKind::Cancellation | EventKind::Other => {}
        }
        if let Some(product) = product {
            let ids = match product {
                IdRef::Int64(_) => IdType::Int64,
                IdRef::Utf8(_) => IdType::Utf8,
            };
            self.products.get_or_insert_with(|| DistinctIds::new(ids)).insert(product);
        }
    }

    /// Distinct products.
    pub(crate) fn products(&self) -> u64 {
        self.products.as_ref().map_or(0, |products| products.count() as u64)
    }
}

/// All of them. Each stands in a slot; of equal instants the lower slot comes first, so that the order never depends on a hash.
#[derive(Debug, Default)]
pub(crate) struct OpenUsers {
    slots: Vec<Option<OpenUser>>,
    free: Vec<usize>,
    by_int: HashMap<i64, usize>,
    by_text: HashMap<Box<str>, usize>,
    by_deadline: BTreeSet<(i64, usize)>,
    by_end: BTreeSet<(i64, usize)>,
}

impl OpenUsers {
    pub(crate) fn len(&self) -> usize {
        self.by_end.len()
    }

    pub(crate) fn get(&self, user: IdRef<'_>) -> Option<&OpenUser> {
        self.slots[self.slot(user)?].as_ref()
    }

    /// Opens a session of a user who has none.
    pub(crate) fn open(&mut self, user: IdRef<'_>, time: i64, deadline: i64) {
        let open = OpenUser {
            user: user.to_owned(),
            start: time,
            end: time,
            events: 0,
            views: 0,
            carts: 0,
            removes: 0,
            purchases: 0,
            revenue: 0,
            products: None,
            deadline,
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(open);
        match user {
            IdRef::Int64(user) => self.by_int.insert(user, slot),
            IdRef::Utf8(user) => self.by_text.insert(user.into(), slot),
        };
        self.by_deadline.insert((deadline, slot));
        self.by_end.insert((time, slot));
    }

    /// Changes the session of a user, who has one; the change returns the new deadline.
    pub(crate) fn update(&mut self, user: IdRef<'_>, change: impl FnOnce(&mut OpenUser) -> i64) {
        let Some(slot) = self.slot(user) else { return };
        let Some(open) = &mut self.slots[slot] else { return };
        let (end, deadline) = (open.end, open.deadline);
        open.deadline = change(open);
        if open.deadline != deadline {
            self.by_deadline.remove(&(deadline, slot));
            self.by_deadline.insert((open.deadline, slot));
        }
        if open.end != end {
            self.by_end.remove(&(end, slot));
            self.by_end.insert((open.end, slot));
        }
    }

    /// Takes the session of a user out.
    pub(crate) fn close(&mut self, user: IdRef<'_>) -> Option<OpenUser> {
        self.take(self.slot(user)?)
    }

    /// Takes out the session whose last event is the earliest.
    pub(crate) fn close_idlest(&mut self) -> Option<OpenUser> {
        let &(_, slot) = self.by_end.first()?;
        self.take(slot)
    }

    /// Takes out the session with the earliest deadline, where that is not behind `now`.
    pub(crate) fn close_due(&mut self, now: i64) -> Option<OpenUser> {
        let &(deadline, slot) = self.by_deadline.first()?;
        if deadline > now { None } else { self.take(slot) }
    }

    fn slot(&self, user: IdRef<'_>) -> Option<usize> {
        match user {
            IdRef::Int64(user) => self.by_int.get(&user).copied(),
            IdRef::Utf8(user) => self.by_text.get(user).copied(),
        }
    }

    fn take(&mut self, slot: usize) -> Option<OpenUser> {
        let open = self.slots[slot].take()?;
        match &open.user {
            Id::Int64(user) => self.by_int.remove(user),
            Id::Utf8(user) => self.by_text.remove(user),
        };
        self.by_deadline.remove(&(open.deadline, slot));
        self.by_end.remove(&(open.end, slot));
        self.free.push(slot);
        Some(open)
    }
}
