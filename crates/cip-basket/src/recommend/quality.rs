//! How well a recommender foretells the next product of later visits.

use crate::recommend::params::rank;
use crate::recommend::recommender::Recommender;
use crate::recommend::visits::Visits;

/// How often the product that came next was among those recommended, and where.
///
/// # Formula
/// Of the predictions, one for each product of a visit but the first, rank r is the place of the product among `count` recommended
/// ones:
///
/// ```text
/// hit rate = predictions with r <= count / predictions        MRR = sum of 1 / r over the hits / predictions
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct NextProductQuality {
    /// Products that came next.
    pub predictions: u64,
    /// Those among the recommended ones.
    pub hits: u64,
    /// The sum of 1 / r over these.
    pub reciprocal_ranks: f64,
    /// The same of the most popular products that the visit has not had yet.
    pub popular_hits: u64,
    /// The same of these.
    pub popular_reciprocal_ranks: f64,
}

impl NextProductQuality {
    /// The share of predictions that hit; none without predictions.
    pub fn hit_rate(&self) -> Option<f64> {
        self.share(self.hits as f64)
    }

    /// The mean of 1 / r.
    pub fn mean_reciprocal_rank(&self) -> Option<f64> {
        self.share(self.reciprocal_ranks)
    }

    /// The hit rate of the most popular products.
    pub fn popular_hit_rate(&self) -> Option<f64> {
        self.share(self.popular_hits as f64)
    }

    /// The mean of 1 / r of the most popular products.
    pub fn popular_mean_reciprocal_rank(&self) -> Option<f64> {
        self.share(self.popular_reciprocal_ranks)
    }

    fn share(&self, part: f64) -> Option<f64> {
        (self.predictions > 0).then(|| part / self.predictions as f64)
    }
}

impl Recommender {
    /// Returns how well `count` recommendations foretell the next product of `visits`, which should be later than those that it was
    /// trained on.
    ///
    /// For each product of a visit but the first, those before it are the session. A product that the recommender does not know is
    /// a miss.
    pub fn evaluate(&self, visits: &Visits, count: usize) -> NextProductQuality {
        let known: Vec<Option<u32>> = (0..visits.products.len() as u32)
            .map(|code| visits.products.id(code).and_then(|id| rank(&self.ids, id)))
            .collect();
        let mut quality = NextProductQuality::default();
        for (_, products) in visits.iter() {
            let mut session: Vec<u32> = Vec::new();
            let mut left_out: Vec<u32> = Vec::new();
            for (position, &code) in products.iter().enumerate() {
                let product = known[code as usize];
                if position > 0 {
                    quality.predictions += 1;
                    if let Some(product) = product {
                        let mut found = self.ranked(&session, &left_out, count);
                        if let Some(place) = found.position(|(found, _)| found == product) {
                            quality.hits += 1;
                            quality.reciprocal_ranks += 1.0 / (place + 1) as f64;
                        }
                        let mut popular = self
                            .popularity
                            .iter()
                            .filter(|product| left_out.binary_search(product).is_err())
                            .take(count);
                        if let Some(place) = popular.position(|&found| found == product) {
                            quality.popular_hits += 1;
                            quality.popular_reciprocal_ranks += 1.0 / (place + 1) as f64;
                        }
                    }
                }
                if let Some(product) = product {
                    session.push(product);
                    let at = left_out.partition_point(|&before| before < product);
                    left_out.insert(at, product);
                }
            }
        }
        quality
    }
}
