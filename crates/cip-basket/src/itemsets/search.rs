//! Mining: all walks, on all threads, and what they find.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rayon::prelude::*;

use crate::error::BasketError;
use crate::itemsets::database::Queue;
use crate::itemsets::found::Itemsets;
use crate::itemsets::guard;
use crate::itemsets::params::{ItemsetKind, Plan};
use crate::itemsets::walk::{Step, Walk};

/// What an itemset of up to 13 items takes while it is found and sorted.
pub(crate) const ROW_BYTES: u64 = 64;

/// Itemsets in the order in which they were found, of items that ascend.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) items: Vec<u32>,
    /// How many items each has, and its count.
    pub(crate) sizes: Vec<u32>,
    pub(crate) counts: Vec<u32>,
}

/// What the workers tell each other.
#[derive(Debug, Default)]
struct Shared {
    found: AtomicU64,
    /// There are more than may be kept.
    full: AtomicBool,
    /// The bytes that a walk would have needed, where one was too deep.
    deep: AtomicU64,
}

pub(crate) fn mine(plan: &Plan<'_>) -> Result<Itemsets, BasketError> {
    let (queue, shared) = (Queue::new(plan.database.len()), Shared::default());
    let parts: Vec<Rows> = (0..plan.workers).into_par_iter().map(|_| work(plan, &queue, &shared)).collect();
    // That there are too many does not depend on the order of the threads; that a walk is deep does not either.
    if shared.found.load(Ordering::Relaxed) > plan.most_itemsets {
        return Err(plan.too_many(guard::estimate(plan)));
    }
    let needed = shared.deep.load(Ordering::Relaxed);
    if needed > 0 {
        return Err(BasketError::SearchTooDeep { needed, budget: plan.transactions.budget() });
    }
    Ok(Itemsets::new(plan, parts))
}

/// Takes one first item after the other until there are none.
fn work(plan: &Plan<'_>, queue: &Queue, shared: &Shared) -> Rows {
    let (mut rows, mut counted) = (Rows::default(), Counted { shared, most: plan.most_itemsets, waiting: 0 });
    let mut walk = Walk::new(&plan.database, plan.kind, plan.most_items);
    while let Some(first) = queue.next() {
        if walk.start(first) == Step::Taken {
            search(plan, &mut walk, &mut rows, &mut counted);
        }
        if shared.full.load(Ordering::Relaxed) {
            break;
        }
    }
    counted.flush();
    rows
}

/// Visits everything below where the walk stands.
fn search(plan: &Plan<'_>, walk: &mut Walk<'_>, rows: &mut Rows, counted: &mut Counted<'_>) {
    keep(plan, walk, rows, counted);
    // The next child of each itemset from the first one down.
    let mut next = vec![0];
    while let Some(child) = next.last_mut() {
        if *child == walk.children() {
            next.pop();
            walk.ascend();
            continue;
        }
        *child += 1;
        let child = *child - 1;
        if walk.descend(child) == Step::Refused {
            continue;
        }
        next.push(0);
        keep(plan, walk, rows, counted);
        let bytes = walk.bytes();
        if bytes > plan.worker_bytes {
            counted.shared.deep.fetch_max(bytes, Ordering::Relaxed);
            counted.shared.full.store(true, Ordering::Relaxed);
        }
        if counted.shared.full.load(Ordering::Relaxed) {
            return;
        }
    }
}

fn keep(plan: &Plan<'_>, walk: &Walk<'_>, rows: &mut Rows, counted: &mut Counted<'_>) {
    let Some((set, count)) = walk.here() else { return };
    if plan.kind == ItemsetKind::Maximal && !walk.is_maximal() {
        return;
    }
    let start = rows.items.len();
    rows.items.extend(set.iter().map(|&place| plan.database.items[place as usize]));
    rows.items[start..].sort_unstable();
    rows.sizes.push(set.len() as u32);
    rows.counts.push(count);
    counted.add(set.len());
}

/// Counts what is found, and tells the others now and then.
struct Counted<'a> {
    shared: &'a Shared,
    most: u64,
    waiting: u64,
}

impl Counted<'_> {
    fn add(&mut self, items: usize) {
        /// Itemsets of which the others need not know.
        const MOST_WAITING: u64 = 1 << 10;
        self.waiting += (12 + 4 * items as u64).div_ceil(ROW_BYTES);
        if self.waiting >= MOST_WAITING {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let found = self.shared.found.fetch_add(self.waiting, Ordering::Relaxed) + self.waiting;
        self.waiting = 0;
        if found > self.most {
            self.shared.full.store(true, Ordering::Relaxed);
        }
    }
}
