//! A hierarchy: what is directly under what, by name.

use std::collections::{BTreeSet, VecDeque};

use cip_core::{IdDictionary, IdRef, IdType};

use crate::error::BasketError;
use crate::hierarchy::Above;

/// What a name takes, and what one under another takes.
pub(crate) const NAME_BYTES: u64 = 96;
pub(crate) const UNDER_BYTES: u64 = 24;

/// Which items are under which groups, groups under groups, to any depth.
///
/// An item may be under several groups, and so is a product that the data has in two categories: it is under both. Nothing is under itself.
///
/// [`Transactions::with_hierarchy`](crate::Transactions::with_hierarchy) puts everything that the items of a basket are under into the basket.
/// [`Hierarchy::builder`] reads a hierarchy off events; here, one is told.
///
/// # Examples
/// ```
/// use cip_basket::{AssociationRules, FrequentItemsets, Hierarchy, MinSupport, Transactions};
/// use cip_core::MemoryBudget;
/// let mut clothes = Hierarchy::default();
/// for (item, group) in [("jacket", "outerwear"), ("ski pants", "outerwear"), ("outerwear", "clothes"), ("shirt", "clothes")] {
///     clothes.add(item, group)?;
/// }
/// let mut baskets = Transactions::builder(MemoryBudget::from_mib(16));
/// for basket in [&["shirt"][..], &["jacket", "boots"], &["ski pants", "boots"], &["shoes"]] {
///     baskets.push(basket.iter().copied())?;
/// }
/// let baskets = baskets.finish()?.with_hierarchy(&clothes)?;
/// let itemsets = FrequentItemsets::new(MinSupport::Count(2)).mine(&baskets)?;
/// let rules = AssociationRules::new(0.9)?.find(&itemsets, MemoryBudget::from_mib(16))?;
/// let said: Vec<String> = rules
///     .iter()
///     .map(|rule| format!("{} => {}", rule.antecedent().collect::<String>(), rule.consequent().collect::<String>()))
///     .collect();
/// // No jacket sells often enough, outerwear does. That outerwear is clothes is no rule.
/// assert_eq!(said, ["boots => clothes", "outerwear => boots", "boots => outerwear"]);
/// # Ok::<(), cip_basket::BasketError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Hierarchy {
    names: IdDictionary,
    /// (item, group): the one is directly under the other.
    under: BTreeSet<(u32, u32)>,
    pub(crate) baskets: BasketItems,
}

/// How the items of baskets are called in a hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BasketItems {
    /// As they are in the baskets.
    AsNamed,
    /// They are products: `product:` goes before.
    Products,
    /// They are products, which are not asked for themselves.
    LeftOut,
}

impl BasketItems {
    /// The name of an item of the baskets.
    pub(crate) fn named(self, item: &str) -> String {
        match self {
            Self::AsNamed => item.to_owned(),
            Self::Products | Self::LeftOut => format!("product:{item}"),
        }
    }
}

impl Default for Hierarchy {
    fn default() -> Self {
        Self::of(BasketItems::AsNamed)
    }
}

impl Hierarchy {
    pub(crate) fn of(baskets: BasketItems) -> Self {
        Self { names: IdDictionary::new("item", IdType::Utf8), under: BTreeSet::new(), baskets }
    }

    /// Says that an item is under a group, which may be under others.
    ///
    /// # Errors
    /// [`CoreError::TooManyCodes`](cip_core::CoreError) beyond 2^32 names.
    pub fn add(&mut self, item: &str, group: &str) -> Result<(), BasketError> {
        let item = self.names.code(IdRef::Utf8(item))?;
        let group = self.names.code(IdRef::Utf8(group))?;
        self.under.insert((item, group));
        Ok(())
    }

    /// Adds what another hierarchy says.
    ///
    /// # Errors
    /// [`BasketError::PartsDiffer`] where the one is of products with what they are under, and the other is not; as [`Hierarchy::add`].
    pub fn append(&mut self, other: &Hierarchy) -> Result<(), BasketError> {
        if self.baskets != other.baskets {
            return Err(BasketError::PartsDiffer {
                ours: self.baskets.to_string(),
                theirs: other.baskets.to_string(),
            });
        }
        for &(item, group) in &other.under {
            if let (Some(IdRef::Utf8(item)), Some(IdRef::Utf8(group))) =
                (other.names.id(item), other.names.id(group))
            {
                self.add(item, group)?;
            }
        }
        Ok(())
    }

    /// The number of items and groups.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether nothing is under anything.
    pub fn is_empty(&self) -> bool {
        self.under.is_empty()
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> u64 {
        NAME_BYTES * self.names.len() as u64 + UNDER_BYTES * self.under.len() as u64
    }

    /// The names by number.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        (0..self.names.len() as u32).filter_map(|code| self.names.id(code)).map(|name| name.to_string())
    }

    /// Returns by number what each is under, directly or not.
    ///
    /// # Errors
    /// [`BasketError::UnderItself`].
    pub(crate) fn above(&self) -> Result<Above, BasketError> {
        let mut lists: Vec<BTreeSet<u32>> = vec![BTreeSet::new(); self.names.len()];
        let mut members: Vec<Vec<u32>> = vec![Vec::new(); lists.len()];
        let mut waiting = vec![0; lists.len()];
        for &(item, group) in &self.under {
            members[group as usize].push(item);
            waiting[item as usize] += 1;
        }
        // From the top down: each once all of its groups are done.
        let mut ready: VecDeque<u32> =
            (0..lists.len() as u32).filter(|&item| waiting[item as usize] == 0).collect();
        while let Some(group) = ready.pop_front() {
            for &item in &members[group as usize] {
                let above = lists[group as usize].clone();
                lists[item as usize].extend(above.into_iter().chain([group]));
                waiting[item as usize] -= 1;
                if waiting[item as usize] == 0 {
                    ready.push_back(item);
                }
            }
        }
        match (0..lists.len() as u32).find(|&item| waiting[item as usize] > 0) {
            Some(stuck) => Err(self.under_itself(stuck, &waiting)),
            None => Ok(Above::new(lists.into_iter().map(|list| list.into_iter().collect()))),
        }
    }

    /// Goes up from an item that waits for its groups, until one comes again.
    fn under_itself(&self, stuck: u32, waiting: &[usize]) -> BasketError {
        let (mut at, mut seen) = (stuck, BTreeSet::new());
        while seen.insert(at) {
            let groups = self.under.range((at, 0)..=(at, u32::MAX)).map(|&(_, group)| group);
            at = groups.into_iter().find(|&group| waiting[group as usize] > 0).unwrap_or(at);
        }
        let item = self.names.id(at).map(|name| name.to_string()).unwrap_or_default();
        BasketError::UnderItself { item }
    }
}

impl std::fmt::Display for BasketItems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AsNamed => "a hierarchy of names",
            Self::Products => "a hierarchy of products",
            Self::LeftOut => "a hierarchy without products",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_above_is_known_and_circles_are_refused() {
        let mut known = Hierarchy::default();
        for (item, group) in [("c", "d"), ("a", "b"), ("b", "d"), ("a", "c")] {
            known.add(item, group).unwrap();
        }
        // c 0, d 1, a 2, b 3.
        let above = known.above().unwrap();
        assert_eq!(
            [0, 1, 2, 3].map(|item| above.of(item).to_vec()),
            [vec![1], vec![], vec![0, 1, 3], vec![1]]
        );
        assert!(above.are_related(1, 2) && above.are_related(2, 1) && !above.are_related(0, 3));
        known.add("d", "b").unwrap();
        let refused = known.above().unwrap_err().to_string();
        assert!(refused.starts_with("`d` is under itself") || refused.starts_with("`b` is"), "{refused}");
        let mut own = Hierarchy::default();
        own.add("x", "x").unwrap();
        assert!(matches!(own.above(), Err(BasketError::UnderItself { item }) if item == "x"));
    }
}
