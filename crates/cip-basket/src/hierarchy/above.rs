//! What each item of some baskets is under.

/// By item: all that it is under, ascending, however far above; nothing of any item where there is no hierarchy.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Above {
    items: Vec<u32>,
    /// By item, where its list ends.
    ends: Vec<usize>,
}

impl Above {
    /// Takes the list of each item, in the order of the items.
    pub(crate) fn new(lists: impl Iterator<Item = Vec<u32>>) -> Self {
        let mut above = Self::default();
        for mut list in lists {
            list.sort_unstable();
            above.items.append(&mut list);
            above.ends.push(above.items.len());
        }
        if above.is_empty() { Self::default() } else { above }
    }

    /// The lists of some of the items, all of them by their new numbers; `number` is none of those that are left out.
    pub(crate) fn renumbered(&self, items: &[u32], number: impl Fn(u32) -> Option<u32>) -> Self {
        if self.is_empty() {
            return Self::default();
        }
        Self::new(items.iter().map(|&item| self.of(item).iter().filter_map(|&above| number(above)).collect()))
    }

    /// All that an item is under.
    pub(crate) fn of(&self, item: u32) -> &[u32] {
        let Some(&end) = self.ends.get(item as usize) else { return &[] };
        let start = (item as usize).checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.items[start..end]
    }

    /// Whether one of the two is under the other.
    pub(crate) fn are_related(&self, a: u32, b: u32) -> bool {
        let is_under = |a, b: u32| self.of(a).binary_search(&b).is_ok();
        is_under(a, b) || is_under(b, a)
    }

    /// Whether nothing is under anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn bytes(&self) -> u64 {
        (size_of_val(self.items.as_slice()) + size_of_val(self.ends.as_slice())) as u64
    }
}
