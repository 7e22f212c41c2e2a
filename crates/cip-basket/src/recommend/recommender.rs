//! The index: the most similar products of each, and the most popular ones; what a service asks.

use cip_core::{Id, IdRef, IdType};

use crate::recommend::params::{Similarity, rank};

/// Which products to recommend; made by [`RecommenderParams::train`](crate::RecommenderParams::train).
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray, UInt32Array};
/// # use cip_core::{EventBatch, IdRef, MemoryBudget};
/// use cip_basket::{ItemLevel, Recommender, RecommenderParams, Visits};
/// # let times = TimestampMicrosecondArray::from_iter_values(0..7).with_timezone("UTC");
/// # let events = EventBatch::try_new(RecordBatch::try_from_iter([
/// #     ("user_id", Arc::new(Int64Array::from(vec![1, 1, 2, 2, 3, 3, 3])) as ArrayRef),
/// #     ("event_time", Arc::new(times)),
/// #     ("product_id", Arc::new(Int64Array::from(vec![10, 11, 10, 11, 10, 12, 12]))),
/// #     ("source_session", Arc::new(UInt32Array::from(vec![1, 1, 2, 2, 3, 3, 3]))),
/// # ])?)?;
/// let mut visits = Visits::builder(events.schema(), ItemLevel::Product, 50, MemoryBudget::from_mib(16))?;
/// visits.push(&events)?;
/// let recommender = RecommenderParams::default().train(&visits.finish()?)?;
/// // 11 goes with 10; 12 fills up.
/// let next = recommender.next(&[IdRef::Int64(10)], &[], 2);
/// assert_eq!(next.iter().map(|next| next.product).collect::<Vec<_>>(), [IdRef::Int64(11), IdRef::Int64(12)]);
/// let mut file = Vec::new();
/// recommender.write_to(&mut file)?;
/// assert_eq!(Recommender::read_from(&file[..])?, recommender);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Recommender {
    pub(crate) product_type: IdType,
    /// By rank.
    pub(crate) ids: Vec<Id>,
    pub(crate) similarity: Similarity,
    /// Products, the most popular first.
    pub(crate) popularity: Vec<u32>,
    /// By product, where its neighbours end.
    pub(crate) ends: Vec<u32>,
    pub(crate) neighbours: Vec<u32>,
    pub(crate) scores: Vec<f32>,
}

/// A product that is recommended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recommended<'a> {
    /// Which.
    pub product: IdRef<'a>,
    /// The sum of its similarities to what was asked; 0 for a popular product that fills up.
    pub score: f64,
}

impl Recommender {
    pub(crate) fn new(
        product_type: IdType,
        ids: Vec<Id>,
        similarity: Similarity,
        popularity: Vec<u32>,
        lists: Vec<Vec<(u32, f32)>>,
    ) -> Self {
        let mut end = 0;
        let ends = lists.iter().map(|list| {
            end += list.len() as u32;
            end
        });
        let ends = ends.collect();
        let (neighbours, scores) = lists.into_iter().flatten().unzip();
        Self { product_type, ids, similarity, popularity, ends, neighbours, scores }
    }

    /// Products that it knows.
    pub fn products(&self) -> usize {
        self.ids.len()
    }

    /// The type of the products' ids.
    pub fn product_type(&self) -> IdType {
        self.product_type
    }

    /// How like products are measured.
    pub fn similarity(&self) -> Similarity {
        self.similarity
    }

    /// Pairs of a product and one of its neighbours.
    pub fn neighbours(&self) -> usize {
        self.neighbours.len()
    }

    /// Returns the `count` products that are most like one, the most similar first, filled up with popular ones.
    ///
    /// # See also
    /// [`Recommender::next`], for several products, and to leave out what somebody has.
    pub fn similar(&self, product: IdRef<'_>, count: usize) -> Vec<Recommended<'_>> {
        self.next(&[product], &[], count)
    }

    /// Returns the `count` products to recommend behind those of a session, the best first.
    ///
    /// Products of the session, and those that are `owned`, are not recommended. A product that the index does not know says nothing.
    /// Where similar products are too few, the most popular others fill up: there are always `count`, or all that are left. Equal
    /// scores are in the order of the ids.
    ///
    /// # Complexity
    /// The neighbours of the session's products are sorted: microseconds for a session of some products.
    pub fn next(&self, session: &[IdRef<'_>], owned: &[IdRef<'_>], count: usize) -> Vec<Recommended<'_>> {
        let ranks =
            |ids: &[IdRef<'_>]| -> Vec<u32> { ids.iter().filter_map(|&id| rank(&self.ids, id)).collect() };
        let (session, owned) = (ranks(session), ranks(owned));
        let mut left_out = [session.as_slice(), owned.as_slice()].concat();
        left_out.sort_unstable();
        self.ranked(&session, &left_out, count)
            .map(|(product, score)| Recommended { product: self.ids[product as usize].as_ref(), score })
            .collect()
    }

    /// The products to recommend; `left_out` is sorted.
    pub(crate) fn ranked(
        &self,
        session: &[u32],
        left_out: &[u32],
        count: usize,
    ) -> impl Iterator<Item = (u32, f64)> {
        let mut found: Vec<(u32, f64)> = Vec::new();
        for &product in session {
            let rows = self.rows(product);
            let scores = self.scores[rows.clone()].iter().map(|&score| f64::from(score));
            found.extend(self.neighbours[rows].iter().copied().zip(scores));
        }
        // Those of one product stay in the order of the session, so that sums are the same each time.
        found.sort_by_key(|&(product, _)| product);
        found.dedup_by(|(product, score), (before, sum)| {
            let same = product == before;
            if same {
                *sum += *score;
            }
            same
        });
        found.retain(|(product, _)| left_out.binary_search(product).is_err());
        let better = |a: &(u32, f64), b: &(u32, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if count < found.len() {
            found.select_nth_unstable_by(count, better);
            found.truncate(count);
        }
        found.sort_unstable_by(better);
        let mut known: Vec<u32> = found.iter().map(|&(product, _)| product).collect();
        known.extend_from_slice(left_out);
        known.sort_unstable();
        let missing = count - found.len();
        let popular =
            self.popularity.iter().copied().filter(move |product| known.binary_search(product).is_err());
        found.into_iter().chain(popular.take(missing).map(|product| (product, 0.0)))
    }

    fn rows(&self, product: u32) -> std::ops::Range<usize> {
        let start = (product as usize).checked_sub(1).map_or(0, |before| self.ends[before]);
        start as usize..self.ends[product as usize] as usize
    }
}
