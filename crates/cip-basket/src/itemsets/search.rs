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
    match mine_on(plan, plan.workers) {
        // What is too deep for a part of the memory may not be for all of it: what is refused does not depend on the number of threads.
        Err(BasketError::SearchTooDeep { .. }) if plan.workers > 1 => mine_on(plan, 1),
        found => found,
    }
}

/// Searches on so many workers, who share the memory for walks.
fn mine_on(plan: &Plan<'_>, workers: usize) -> Result<Itemsets, BasketError> {
    let (queue, shared) = (Queue::new(plan.database.len()), Shared::default());
    let bytes = plan.walk_bytes / workers as u64;
    let work = |_| work(plan, bytes, &queue, &shared);
    let parts: Vec<Rows> = (0..workers).into_par_iter().map(work).collect();
    // What a part of the memory finds is found with more of it as well: that there are too many depends on no number of workers.
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
fn work(plan: &Plan<'_>, bytes: u64, queue: &Queue, shared: &Shared) -> Rows {
    let (mut rows, mut counted) = (Rows::default(), Counted { shared, most: plan.most_itemsets, waiting: 0 });
    let mut walk = Walk::new(&plan.database, plan.kind, plan.most_items);
    while let Some(first) = queue.next() {
        if walk.start(first) == Step::Taken {
            search(plan, bytes, &mut walk, &mut rows, &mut counted);
        }
        if shared.full.load(Ordering::Relaxed) {
            break;
        }
    }
    counted.flush();
    rows
}

/// Visits everything below where the walk stands, and gives up a walk that takes more than so many bytes.
fn search(plan: &Plan<'_>, most: u64, walk: &mut Walk<'_>, rows: &mut Rows, counted: &mut Counted<'_>) {
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
        if bytes > most {
            counted.shared.deep.fetch_max(bytes, Ordering::Relaxed);
            return;
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
