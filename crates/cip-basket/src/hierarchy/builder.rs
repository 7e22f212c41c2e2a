//! From events to a hierarchy: which categories and brands each product comes with.

use std::collections::BTreeSet;

use cip_core::{CoreError, EventBatch, EventSchema, IdDictionary, IdRef, MemoryBudget, column};

use crate::error::BasketError;
use crate::hierarchy::known::{BasketItems, Hierarchy, NAME_BYTES, UNDER_BYTES};
use crate::level::{ItemLevel, ItemSource};

/// Rows from which on repeats are dropped while they come in.
const FEW_ROWS: usize = 1 << 16;

/// Builds a [`Hierarchy`] from a stream of events in any order; made by [`Hierarchy::builder`].
#[derive(Debug)]
pub struct HierarchyBuilder {
    levels: BTreeSet<ItemLevel>,
    budget: MemoryBudget,
    products: (ItemSource, IdDictionary),
    groups: Vec<Groups>,
}

/// The categories, or the brands.
#[derive(Debug)]
struct Groups {
    source: ItemSource,
    known: IdDictionary,
    /// The product in the upper half, the group in the lower.
    under: Vec<u64>,
    compact_at: usize,
}

impl Groups {
    fn new(level: ItemLevel, schema: &EventSchema) -> Result<Self, CoreError> {
        let source = level.of(schema)?.whole();
        let known = IdDictionary::new(source.column, source.ids);
        Ok(Self { source, known, under: Vec::new(), compact_at: FEW_ROWS })
    }

    fn compact(&mut self) {
        self.under.sort_unstable();
        self.under.dedup();
        self.compact_at = FEW_ROWS.max(2 * self.under.len());
    }

    fn bytes(&self) -> u64 {
        NAME_BYTES * self.known.len() as u64 + UNDER_BYTES * self.under.len() as u64
    }
}

impl Hierarchy {
    /// Returns a builder of the hierarchy of the products of events of `schema`, of these levels: products, if they are among them, under their
    /// brands and categories, and categories under the categories of fewer parts. [`ItemLevel::Category`] are categories of all their depths here,
    /// [`ItemLevel::CategoryTo`] those of one.
    ///
    /// Names tell the levels apart: `product:1005115`, `category:electronics.smartphone`, `category:electronics`, `brand:apple`. A product is under
    /// every category and brand that some event names with it. Where products are not among the levels, baskets of products become baskets of what
    /// these are under.
    ///
    /// # Errors
    /// [`BasketError::NoLevels`] for none, [`CoreError::MissingColumn`] without a level's column or without `product_id`.
    pub fn builder(
        schema: &EventSchema,
        levels: impl IntoIterator<Item = ItemLevel>,
        budget: MemoryBudget,
    ) -> Result<HierarchyBuilder, BasketError> {
        let levels: BTreeSet<ItemLevel> = levels.into_iter().collect();
        if levels.is_empty() {
            return Err(BasketError::NoLevels);
        }
        let source = ItemLevel::Product.of(schema)?;
        let products = (source, IdDictionary::new(column::PRODUCT_ID, source.ids));
        // All depths are read off the whole category. One of one depth needs its code; else an id does as well.
        let category = levels.iter().copied().rfind(|level| level.is_category());
        let brand = levels.get(&ItemLevel::Brand).copied();
        let groups = category.into_iter().chain(brand).map(|level| Groups::new(level, schema));
        let groups = groups.collect::<Result<_, _>>()?;
        Ok(HierarchyBuilder { levels, budget, products, groups })
    }
}

impl HierarchyBuilder {
    /// The event columns that are read, in the store's order.
    pub fn columns(&self) -> Vec<&'static str> {
        let groups = self.groups.iter().map(|groups| groups.source.column);
        [self.products.0.column].into_iter().chain(groups).collect()
    }

    /// Adds a batch. Events without a product say nothing.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`], [`CoreError::ColumnType`], [`CoreError::TooManyCodes`]; [`CoreError::Memory`] beyond the budget.
    pub fn push(&mut self, events: &EventBatch) -> Result<(), BasketError> {
        let (source, products) = &mut self.products;
        for groups in &mut self.groups {
            let (mut items, mut above) = (source.read(events)?, groups.source.read(events)?);
            for row in 0..events.len() {
                let Some(product) = items.code(row, |id| products.code(id))? else { continue };
                let Some(group) = above.code(row, |id| groups.known.code(id))? else { continue };
                let pair = u64::from(product) << 32 | u64::from(group);
                if groups.under.last() != Some(&pair) {
                    groups.under.push(pair);
                }
                if groups.under.len() >= groups.compact_at {
                    groups.compact();
                }
            }
        }
        self.check()
    }

    /// Returns the hierarchy.
    ///
    /// # Errors
    /// As [`Hierarchy::add`].
    pub fn finish(mut self) -> Result<Hierarchy, BasketError> {
        let with_products = self.levels.contains(&ItemLevel::Product);
        let mut known =
            Hierarchy::of(if with_products { BasketItems::Products } else { BasketItems::LeftOut });
        for groups in &mut self.groups {
            groups.compact();
            let paths: Vec<Vec<String>> = (0..groups.known.len() as u32)
                .map(|group| {
                    groups
                        .known
                        .id(group)
                        .map_or_else(Vec::new, |id| path(&self.levels, groups.source.column, id))
                })
                .collect();
            for path in &paths {
                for (item, group) in path.iter().zip(path.iter().skip(1)) {
                    known.add(item, group)?;
                }
            }
            for &pair in &groups.under {
                let product = self.products.1.id((pair >> 32) as u32);
                let group = paths[pair as u32 as usize].first();
                if let (Some(product), Some(group)) = (product, group) {
                    known.add(&known.baskets.named(&product.to_string()), group)?;
                }
            }
        }
        Ok(known)
    }

    fn check(&self) -> Result<(), BasketError> {
        let groups: u64 = self.groups.iter().map(Groups::bytes).sum();
        let bytes = NAME_BYTES * self.products.1.len() as u64 + groups;
        Ok(self.budget.require("the hierarchy", MemoryBudget::from_bytes(bytes))?)
    }
}

/// A brand, or a category of the depths that are asked for; the lowest first.
fn path(levels: &BTreeSet<ItemLevel>, column: &str, id: IdRef<'_>) -> Vec<String> {
    let name = id.to_string();
    match column {
        column::BRAND => return vec![format!("brand:{name}")],
        column::CATEGORY_ID => return vec![format!("category:{name}")],
        _ => {}
    }
    // Where the names of fewer parts end.
    let ends: Vec<usize> = name.match_indices('.').map(|(at, _)| at).chain([name.len()]).collect();
    let asked: BTreeSet<usize> = if levels.contains(&ItemLevel::Category) {
        ends.into_iter().collect()
    } else {
        let depths = levels.iter().filter_map(|level| level.depth());
        depths.map(|depth| ends.get(usize::from(depth.get()) - 1).copied().unwrap_or(name.len())).collect()
    };
    asked.into_iter().rev().map(|end| format!("category:{}", &name[..end])).collect()
}
