//! The items of baskets with all that they are under.

use std::collections::{BTreeSet, HashMap};

use crate::error::BasketError;
use crate::hierarchy::{Above, BasketItems, Hierarchy};

/// What becomes of the items of baskets.
#[derive(Debug)]
pub(crate) struct Wider {
    /// The items and groups, by their UTF-8 bytes: their places are their numbers.
    pub(crate) names: Vec<Box<str>>,
    /// By item of the baskets that come in: itself, where it is asked for, and what it is under.
    pub(crate) items: Vec<Vec<u32>>,
    /// By number.
    pub(crate) above: Above,
}

impl Wider {
    /// Returns what items of these names become.
    pub(crate) fn of(names: &[Box<str>], hierarchy: &Hierarchy) -> Result<Self, BasketError> {
        let (known, above) = (hierarchy.names().collect::<Vec<_>>(), hierarchy.above()?);
        let numbers: HashMap<&str, u32> = known.iter().map(String::as_str).zip(0..).collect();
        let groups_of = |name: &str| {
            let groups = numbers.get(name).map_or(&[][..], |&number| above.of(number));
            groups.iter().map(|&group| known[group as usize].as_str())
        };
        let own: Vec<String> = names.iter().map(|name| hierarchy.baskets.named(name)).collect();
        let mut all: BTreeSet<&str> = own.iter().flat_map(|name| groups_of(name)).collect();
        if hierarchy.baskets != BasketItems::LeftOut {
            all.extend(own.iter().map(String::as_str));
        }
        let ranks: HashMap<&str, u32> = all.iter().copied().zip(0..).collect();
        let ranks_of = |name: &str| groups_of(name).filter_map(|group| ranks.get(group).copied());
        let wider =
            |name: &String| ranks.get(name.as_str()).copied().into_iter().chain(ranks_of(name)).collect();
        Ok(Self {
            items: own.iter().map(wider).collect(),
            above: Above::new(all.iter().map(|name| ranks_of(name).collect())),
            names: all.iter().map(|&name| name.into()).collect(),
        })
    }
}
