//! What stands for a product in a basket: itself, its category or its brand.

use std::num::NonZeroU8;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, DictionaryArray};
use cip_core::{CoreError, EventBatch, EventSchema, IdColumn, IdRef, IdType, column};

/// What baskets, visits and histories are made of.
///
/// Above products, a basket holds a category once, however many of its products are in it, and a product counts for its one category: that of its
/// own event. Categories have levels of their own: of `electronics.audio.headphone` depth 1 is `electronics`, depth 2 `electronics.audio`; a
/// category that is less deep stays as it is. Several levels at once are a [`Hierarchy`](crate::Hierarchy).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum ItemLevel {
    /// Products: `product_id`.
    #[default]
    Product,
    /// Categories: `category_code`, as deep as the source has them, or else `category_id`.
    Category,
    /// Categories down to so many parts of `category_code`.
    CategoryTo(NonZeroU8),
    /// Brands: `brand`.
    Brand,
}

/// Where a batch has the items of this level.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ItemSource {
    pub(crate) column: &'static str,
    pub(crate) ids: IdType,
    /// How many parts of a name stay.
    parts: usize,
}

impl ItemLevel {
    /// Whether items are categories, of whichever depth.
    pub(crate) fn is_category(self) -> bool {
        matches!(self, Self::Category | Self::CategoryTo(_))
    }

    /// How many parts of a category stay; none where all do, or where there are no categories.
    pub(crate) fn depth(self) -> Option<NonZeroU8> {
        match self {
            Self::CategoryTo(depth) => Some(depth),
            Self::Product | Self::Category | Self::Brand => None,
        }
    }

    /// Returns where events of `schema` have the items.
    pub(crate) fn of(self, schema: &EventSchema) -> Result<ItemSource, CoreError> {
        let ids = |column| {
            let ids = schema.id_type(column).ok_or(CoreError::MissingColumn { column })?;
            Ok(ItemSource { column, ids, parts: usize::MAX })
        };
        let labels = |column, parts| {
            let there = schema.has(column).then_some(ItemSource { column, ids: IdType::Utf8, parts });
            there.ok_or(CoreError::MissingColumn { column })
        };
        match self {
            Self::Product => ids(column::PRODUCT_ID),
            Self::Brand => labels(column::BRAND, usize::MAX),
            Self::CategoryTo(depth) => labels(column::CATEGORY_CODE, usize::from(depth.get())),
            Self::Category => labels(column::CATEGORY_CODE, usize::MAX).or_else(|_| ids(column::CATEGORY_ID)),
        }
    }
}

impl ItemSource {
    /// All parts of a name.
    pub(crate) fn whole(self) -> Self {
        Self { parts: usize::MAX, ..self }
    }

    /// Returns the items of a batch.
    pub(crate) fn read<'a>(&self, events: &'a EventBatch) -> Result<Items<'a>, CoreError> {
        let missing = CoreError::MissingColumn { column: self.column };
        let labels = match self.column {
            column::PRODUCT_ID => return Ok(Items::ids(events.products()?)),
            column::CATEGORY_ID => return Ok(Items::ids(events.categories().ok_or(missing)?)),
            column::BRAND => events.brands(),
            _ => events.category_codes(),
        };
        let labels = labels.ok_or(missing)?;
        Ok(Items::Labels { labels, parts: self.parts, codes: vec![None; labels.values().len()] })
    }
}

/// The items of one batch.
#[derive(Debug)]
pub(crate) enum Items<'a> {
    Ids {
        ids: &'a IdColumn,
        /// The row that was asked for last, and its code: a view and what comes of it are often neighbours.
        last: Option<(usize, u32)>,
    },
    Labels {
        labels: &'a DictionaryArray<Int32Type>,
        parts: usize,
        /// The code of each label, once it is known.
        codes: Vec<Option<u32>>,
    },
}

impl<'a> Items<'a> {
    fn ids(ids: &'a IdColumn) -> Self {
        Self::Ids { ids, last: None }
    }

    /// The id of a row's item, where it has to be looked up.
    #[inline]
    pub(crate) fn id(&self, row: usize) -> Option<IdRef<'a>> {
        match self {
            Items::Ids { ids, .. } if row < ids.len() => ids.get(row),
            _ => None,
        }
    }

    /// Returns the code of a row's item, by `code` where it is asked for the first time.
    #[inline]
    pub(crate) fn code<E>(
        &mut self,
        row: usize,
        mut code: impl FnMut(IdRef<'_>) -> Result<u32, E>,
    ) -> Result<Option<u32>, E> {
        match self {
            Items::Ids { ids, last } => {
                let Some(id) = ids.get(row) else { return Ok(None) };
                let known = last.filter(|&(before, _)| ids.get(before) == Some(id));
                let known = known.map_or_else(|| code(id), |(_, known)| Ok(known))?;
                *last = Some((row, known));
                Ok(Some(known))
            }
            Items::Labels { labels, parts, codes } => {
                let Some(key) = labels.key(row) else { return Ok(None) };
                if let Some(known) = codes[key] {
                    return Ok(Some(known));
                }
                codes[key] = label(labels, *parts, key).map(&mut code).transpose()?;
                Ok(codes[key])
            }
        }
    }
}

/// The first parts of a label.
fn label(labels: &DictionaryArray<Int32Type>, parts: usize, key: usize) -> Option<IdRef<'_>> {
    let values = labels.values().as_string::<i32>();
    if values.is_null(key) {
        return None;
    }
    let label = values.value(key);
    let end = label.match_indices('.').nth(parts - 1).map_or(label.len(), |(at, _)| at);
    Some(IdRef::Utf8(&label[..end]))
}
