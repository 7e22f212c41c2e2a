//! Distinct orders of one customer.

use std::collections::HashSet;

use cip_core::IdRef;

/// A set larger than this is not kept for the next customer: clearing takes time in its capacity.
const KEEP: usize = 1 << 10;

/// Counts distinct orders; rows of one order mostly come together, so the last one is compared first.
#[derive(Debug, Default)]
pub(crate) struct DistinctOrders {
    ints: HashSet<i64>,
    last_int: Option<i64>,
    texts: HashSet<Box<str>>,
    /// Of no meaning while `texts` is empty.
    last_text: String,
}

impl DistinctOrders {
    pub(crate) fn insert(&mut self, order: IdRef<'_>) {
        match order {
            IdRef::Int64(order) => {
                if self.last_int != Some(order) {
                    self.last_int = Some(order);
                    self.ints.insert(order);
                }
            }
            IdRef::Utf8(order) => {
                if self.texts.is_empty() || self.last_text != order {
                    self.last_text.clear();
                    self.last_text.push_str(order);
                    if !self.texts.contains(order) {
                        self.texts.insert(order.into());
                    }
                }
            }
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.ints.len() + self.texts.len()
    }

    pub(crate) fn clear(&mut self) {
        self.last_int = None;
        clear_set(&mut self.ints);
        clear_set(&mut self.texts);
    }
}

fn clear_set<T>(set: &mut HashSet<T>) {
    if set.capacity() > KEEP {
        *set = HashSet::new();
    } else {
        set.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_count_once_each_also_after_another_and_after_clearing() {
        let mut orders = DistinctOrders::default();
        for _ in 0..2 {
            for order in [5, 5, 7, 5, 0, 0] {
                orders.insert(IdRef::Int64(order));
            }
            assert_eq!(orders.count(), 3);
            orders.clear();
            for order in ["", "C536379", "", "C536379", "536365"] {
                orders.insert(IdRef::Utf8(order));
            }
            assert_eq!(orders.count(), 3);
            orders.clear();
            (0..5_000).for_each(|order| orders.insert(IdRef::Int64(order)));
            assert_eq!(orders.count(), 5_000);
            orders.clear();
            assert_eq!(orders.count(), 0);
        }
    }
}
