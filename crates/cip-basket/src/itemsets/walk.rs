//! One walk through the tree of itemsets: down to a child, up again.

use crate::itemsets::database::{Beside, Database, Met};
use crate::itemsets::params::ItemsetKind;
use crate::itemsets::projection::{Projection, push_all};

/// Where an itemset of the walk stands: the parts of the stacks that are its own.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// Places of the itemset end here; it has those of its parent as well.
    set: usize,
    /// The items that are frequent with it start here.
    list: usize,
    /// The first of these that makes a child.
    behind: usize,
    /// Its baskets start here.
    baskets: usize,
    /// Baskets that hold it.
    count: u32,
    /// Which projection its slots and baskets are of.
    projection: usize,
}

/// An item beside an itemset.
#[derive(Debug, Clone, Copy)]
struct Extension {
    slot: u32,
    /// Baskets that hold both.
    count: u32,
}

/// Why a walk went no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It stands on the child.
    Taken,
    /// The child is another's, or longer than asked for: it stands where it stood.
    Refused,
}

/// A walk through the itemsets that begin with one item.
///
/// The children of an itemset are the items behind its last one that are frequent with it. Where closed itemsets are asked for, an itemset
/// is made closed at once: it takes in every item that all its baskets hold; where one of them comes before the item that was added,
/// the closed itemset is the child of another, and refused (prefix-preserving closure, Uno, Kiyomi and Arimura 2004). So each is
/// visited once, and none need be kept.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    database: &'a Database,
    kind: ItemsetKind,
    most_items: usize,
    met: Met,
    nodes: Vec<Node>,
    set: Vec<u32>,
    lists: Vec<Extension>,
    baskets: Vec<u64>,
    projections: Vec<Projection>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(database: &'a Database, kind: ItemsetKind, most_items: usize) -> Self {
        Self {
            database,
            kind,
            most_items,
            met: Met::new(database.len()),
            nodes: Vec::new(),
            set: Vec::new(),
            lists: Vec::new(),
            baskets: Vec::new(),
            projections: Vec::new(),
        }
    }

    /// Starts again with the itemset of one item.
    pub(crate) fn start(&mut self, first: u32) -> Step {
        self.nodes.clear();
        self.projections.clear();
        self.set.clear();
        self.lists.clear();
        self.baskets.clear();
        let count = self.database.counts[first as usize];
        self.set.push(first);
        if self.most_items == 1 && self.kind == ItemsetKind::All {
            self.projections.push(Projection::default());
            self.nodes.push(Node { set: 1, list: 0, behind: 0, baskets: 0, count, projection: 0 });
            return Step::Taken;
        }
        let projection = Projection::of_place(self.database, first, self.kind.beside(), &mut self.met);
        push_all(&mut self.baskets, count);
        let mut behind = 0;
        for (slot, &place) in (0u32..).zip(&projection.places) {
            let both = projection.count(slot, &self.baskets);
            if both == count && self.kind.beside() == Beside::All {
                if place < first {
                    return Step::Refused;
                }
                self.set.push(place);
                continue;
            }
            self.lists.push(Extension { slot, count: both });
            if place < first {
                behind = self.lists.len();
            }
        }
        self.projections.push(projection);
        if self.set.len() > self.most_items {
            return Step::Refused;
        }
        self.nodes.push(Node { set: self.set.len(), list: 0, behind, baskets: 0, count, projection: 0 });
        Step::Taken
    }

    /// The itemset that it stands on, by places in no order, and how many baskets hold it; none before the start.
    pub(crate) fn here(&self) -> Option<(&[u32], u32)> {
        self.nodes.last().map(|node| (&self.set[..node.set], node.count))
    }

    /// Whether no item is frequent with the itemset; told where all items beside are looked at.
    pub(crate) fn is_maximal(&self) -> bool {
        self.nodes.last().is_some_and(|node| node.list == self.lists.len())
    }

    /// How many children the itemset has, some of which may be refused.
    pub(crate) fn children(&self) -> usize {
        self.nodes
            .last()
            .map_or(0, |node| if node.set < self.most_items { self.lists.len() - node.behind } else { 0 })
    }

    /// What the search holds beside its first projection, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        let lists = size_of_val(self.lists.as_slice()) + size_of_val(self.baskets.as_slice());
        let narrowed = |projection: &Projection| 4 * projection.places.len() * (1 + 2 * projection.words);
        (lists + self.projections.iter().skip(1).map(narrowed).sum::<usize>()) as u64
    }

    /// Steps down to a child.
    pub(crate) fn descend(&mut self, child: usize) -> Step {
        let Some(&parent) = self.nodes.last() else { return Step::Refused };
        let taken = parent.behind + child;
        let (list, lists_before, set_before) = (parent.list, self.lists.len(), self.set.len());
        let Extension { slot, count } = self.lists[taken];
        let projection = &self.projections[parent.projection];
        self.set.push(projection.places[slot as usize]);
        let candidates = match self.kind.beside() {
            Beside::Behind => taken + 1..lists_before,
            Beside::All => list..lists_before,
        };
        // Nothing can be added to it.
        let full = self.kind == ItemsetKind::All && self.set.len() == self.most_items;
        let baskets_before = self.baskets.len();
        if full || candidates.is_empty() {
            self.nodes.push(Node {
                set: self.set.len(),
                list: lists_before,
                behind: lists_before,
                baskets: baskets_before,
                count,
                projection: parent.projection,
            });
            return Step::Taken;
        }
        for (word, &row) in projection.row(slot).iter().enumerate() {
            self.baskets.push(row & self.baskets[parent.baskets + word]);
        }
        let mut behind = lists_before;
        for candidate in candidates {
            if candidate == taken {
                continue;
            }
            let extension = self.lists[candidate];
            if !self
                .database
                .may_join(projection.places[slot as usize], projection.places[extension.slot as usize])
            {
                continue;
            }
            let both = projection.count(extension.slot, &self.baskets[baskets_before..]);
            if both == count && self.kind.beside() == Beside::All {
                if candidate < taken {
                    return self.refuse(set_before, lists_before, baskets_before);
                }
                self.set.push(projection.places[extension.slot as usize]);
            } else if both >= self.database.least {
                self.lists.push(Extension { count: both, ..extension });
                if candidate < taken {
                    behind = self.lists.len();
                }
            }
        }
        if self.set.len() > self.most_items {
            return self.refuse(set_before, lists_before, baskets_before);
        }
        let mut node = Node {
            set: self.set.len(),
            list: lists_before,
            behind,
            baskets: baskets_before,
            count,
            projection: parent.projection,
        };
        self.narrow(&mut node);
        self.nodes.push(node);
        Step::Taken
    }

    /// Steps up to the parent.
    pub(crate) fn ascend(&mut self) {
        let Some(node) = self.nodes.pop() else { return };
        self.lists.truncate(node.list);
        self.baskets.truncate(node.baskets);
        self.set.truncate(self.nodes.last().map_or(0, |parent| parent.set));
        self.projections.truncate(self.nodes.last().map_or(0, |parent| parent.projection + 1));
    }

    /// Steps up to the itemset of the start.
    pub(crate) fn back_to_start(&mut self) {
        while self.nodes.len() > 1 {
            self.ascend();
        }
    }

    fn refuse(&mut self, set: usize, lists: usize, baskets: usize) -> Step {
        self.set.truncate(set);
        self.lists.truncate(lists);
        self.baskets.truncate(baskets);
        Step::Refused
    }

    /// Gives a node with few baskets and many items a projection of its own.
    fn narrow(&mut self, node: &mut Node) {
        /// The projection must shrink so many times.
        const SHRINKS: usize = 4;
        /// And it must be used by so many items: two of them have one child between them.
        const FEWEST_ITEMS: usize = 3;
        let projection = &self.projections[node.projection];
        let words = (node.count as usize).div_ceil(64);
        if self.lists.len() - node.list < FEWEST_ITEMS || words * SHRINKS > projection.words {
            return;
        }
        let slots = self.lists[node.list..].iter().map(|extension| extension.slot);
        let narrowed = projection.narrowed(slots, &self.baskets[node.baskets..], node.count);
        for (slot, extension) in (0u32..).zip(&mut self.lists[node.list..]) {
            extension.slot = slot;
        }
        self.baskets.truncate(node.baskets);
        push_all(&mut self.baskets, node.count);
        self.projections.truncate(node.projection + 1);
        self.projections.push(narrowed);
        node.projection = self.projections.len() - 1;
    }
}
