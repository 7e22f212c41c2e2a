//! Pairs by maps, sets and two loops: slow, and plain enough to be read as the definition.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use cip_basket::{BasketKey, BasketTotals, SingleBaskets};
use cip_core::{Id, IdColumn};

use crate::events::{Event, Shape};

/// A row of `product_pairs`.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) a: Id,
    pub(crate) b: Id,
    /// together, count_a, count_b.
    pub(crate) counts: [i64; 3],
    /// support, confidence_ab, confidence_ba, lift.
    pub(crate) ratios: [f64; 4],
}

/// Ratios within rounding.
impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 * b.abs();
        (&self.a, &self.b, self.counts) == (&other.a, &other.b, other.counts)
            && self.ratios.iter().zip(&other.ratios).all(close)
    }
}

pub(crate) fn oracle(shape: Shape, events: &[Event]) -> (Vec<Row>, BasketTotals) {
    let mut totals = BasketTotals { events: events.len() as u64, ..BasketTotals::default() };
    let mut baskets: BTreeMap<(Option<Id>, u32), BTreeSet<Id>> = BTreeMap::new();
    for event in events {
        let key = match shape.key {
            BasketKey::SourceSession | BasketKey::Order => event.key,
            BasketKey::User => shape.user(event).map(|_| 0),
        };
        match (key, event.product) {
            (None, _) => totals.events_without_key += 1,
            (_, None) => totals.events_without_product += 1,
            (Some(key), Some(product)) => {
                baskets.entry((shape.user(event), key)).or_default().insert(shape.product(product));
            }
        }
    }
    let mut holding: BTreeMap<&Id, i64> = BTreeMap::new();
    let mut together: BTreeMap<(&Id, &Id), i64> = BTreeMap::new();
    let mut counted = 0.0;
    for basket in baskets.values() {
        if basket.len() > shape.max_products {
            totals.oversized_baskets += 1;
            continue;
        }
        if basket.len() == 1 {
            totals.single_baskets += 1;
            if shape.singles == SingleBaskets::Skip {
                continue;
            }
        } else {
            totals.baskets += 1;
            totals.entries += basket.len() as u64;
        }
        counted += 1.0;
        for a in basket {
            *holding.entry(a).or_default() += 1;
            for b in basket.range(a.clone()..).skip(1) {
                *together.entry((a, b)).or_default() += 1;
            }
        }
    }
    let rows = together
        .into_iter()
        .filter(|&(_, together)| together >= i64::from(shape.min_together))
        .map(|((a, b), together)| {
            let counts = [together, holding[a], holding[b]];
            let [ab, a_alone, b_alone] = counts.map(|count| count as f64 / counted);
            let ratios = [ab, ab / a_alone, ab / b_alone, ab / a_alone / b_alone];
            Row { a: a.clone(), b: b.clone(), counts, ratios }
        })
        .collect();
    (rows, totals)
}

/// Reads batches of `product_pairs` as one.
pub(crate) fn rows(batches: &[RecordBatch]) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in batches {
        let ids = |name: &'static str| IdColumn::try_new(name, &batch[name]).unwrap();
        let (a, b) = (ids("product_a"), ids("product_b"));
        for row in 0..batch.num_rows() {
            rows.push(Row {
                a: a.get(row).unwrap().to_owned(),
                b: b.get(row).unwrap().to_owned(),
                counts: ["together", "count_a", "count_b"]
                    .map(|name| batch[name].as_primitive::<Int64Type>().value(row)),
                ratios: ["support", "confidence_ab", "confidence_ba", "lift"]
                    .map(|name| batch[name].as_primitive::<Float64Type>().value(row)),
            });
        }
    }
    rows
}
