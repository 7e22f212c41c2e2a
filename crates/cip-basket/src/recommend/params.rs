//! How like two products are, and how a recommender is trained.

use cip_core::{Id, IdRef, MICROS_PER_DAY, Timestamp};
use rayon::prelude::*;

use crate::error::BasketError;
use crate::recommend::recommender::Recommender;
use crate::recommend::visits::Visits;

/// How like two products are, from the visits that they share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Similarity {
    /// Shared visits over the geometric mean of the visits of both: steady, and the usual choice (Linden, Smith and York 2003).
    #[default]
    Cosine,
    /// Shared visits over those expected by chance: brings out rare products.
    Lift,
    /// Shared visits weighted as terms of a search: short visits say more than long ones, and frequent products gain less.
    Bm25,
}

/// How a recommender is trained.
///
/// # Formula
/// Visits t have weights w(t), 1 or by age; of product i, n(i) = sum of w(t) over its visits, and W the sum over all visits.
///
/// ```text
/// w(t) = 2 ^ -((as_of - end of t) / half-life)
/// cosine(i, j) = s(i, j) / sqrt(n(i) n(j))          s(i, j) = sum of w(t) over the visits of both
/// lift(i, j)   = s(i, j) W / (n(i) n(j))
/// bm25(i, j)   = g(i) g(j) sum of w(t) idf(t)^2     over the visits of both
/// idf(t) = ln(1 + (P - |t| + 0.5) / (|t| + 0.5))    P products, |t| of them in t
/// g(i)   = (k + 1) / (k (1 - b + b n(i) / mean of n) + 1)      k = 1.2, b = 0.75
/// ```
///
/// # Method
/// Products by products, from visits (Linden, Smith and York 2003); BM25 takes a product for a document whose terms are its visits
/// (Robertson and Zaragoza 2009, with their usual k and b). The most similar products of each are kept, equal ones in the order of
/// their ids. Sums go through the visits in their order, so they do not depend on threads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecommenderParams {
    similarity: Similarity,
    neighbours: usize,
    min_together: u32,
    decay: Option<(f64, Timestamp)>,
}

impl Default for RecommenderParams {
    fn default() -> Self {
        Self::new(Similarity::default())
    }
}

impl RecommenderParams {
    /// Returns parameters that keep the 50 most similar products that share two visits or more.
    pub fn new(similarity: Similarity) -> Self {
        Self { similarity, neighbours: 50, min_together: 2, decay: None }
    }

    /// Sets how many similar products are kept for each.
    ///
    /// # Errors
    /// [`BasketError::Neighbours`] beyond 1 to 10,000.
    pub fn with_neighbours(mut self, neighbours: usize) -> Result<Self, BasketError> {
        if !(1..=10_000).contains(&neighbours) {
            return Err(BasketError::Neighbours { given: neighbours });
        }
        self.neighbours = neighbours;
        Ok(self)
    }

    /// Sets in how many visits two products must be together.
    ///
    /// # Errors
    /// [`BasketError::MinTogether`] for 0.
    pub fn with_min_together(mut self, min_together: u32) -> Result<Self, BasketError> {
        if min_together == 0 {
            return Err(BasketError::MinTogether);
        }
        self.min_together = min_together;
        Ok(self)
    }

    /// Halves the weight of a visit for every `days` by which it ended before `as_of`; later ones weigh as those that end then.
    ///
    /// # Errors
    /// [`BasketError::HalfLife`] unless days are finite and above 0.
    pub fn with_half_life(mut self, days: f64, as_of: Timestamp) -> Result<Self, BasketError> {
        if !(0.0 < days && days < f64::INFINITY) {
            return Err(BasketError::HalfLife { given: days });
        }
        self.decay = Some((days, as_of));
        Ok(self)
    }

    /// Returns the recommender that these visits teach.
    ///
    /// # Errors
    /// [`BasketError::NoVisits`] where there is no product to recommend.
    ///
    /// # Complexity
    /// Time by the square of the visits' lengths. Memory: 4 bytes an entry, 8 a visit, 8 for each neighbour that is kept, and for
    /// each thread 12 a product.
    pub fn train(&self, visits: &Visits) -> Result<Recommender, BasketError> {
        if visits.products() == 0 {
            return Err(BasketError::NoVisits);
        }
        let mut ids: Vec<Id> = (0..visits.products.len() as u32)
            .filter_map(|code| visits.products.id(code).map(IdRef::to_owned))
            .collect();
        ids.sort_unstable();
        let ranks: Vec<u32> = (0..ids.len() as u32)
            .map(|code| visits.products.id(code).and_then(|id| rank(&ids, id)).unwrap_or(0))
            .collect();
        let mut training = Training::new(ids.len());
        for (time, products) in visits.iter() {
            training.push(products.iter().map(|&code| ranks[code as usize]), self.weight(time));
        }
        training.index();
        let lists: Vec<Vec<(u32, f32)>> = (0..ids.len() as u32)
            .into_par_iter()
            .map_init(|| Sums::new(ids.len()), |sums, product| self.similar(&training, product, sums))
            .collect();
        let mut popularity: Vec<u32> = (0..ids.len() as u32).collect();
        let weight = |&product: &u32| training.weights[product as usize];
        popularity.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then(a.cmp(b)));
        Ok(Recommender::new(visits.product_type(), ids, self.similarity, popularity, lists))
    }

    fn weight(&self, time: Timestamp) -> f64 {
        self.decay.map_or(1.0, |(days, as_of)| {
            let age = as_of.micros().saturating_sub(time.micros()).max(0) as f64 / MICROS_PER_DAY as f64;
            (-age / days).exp2()
        })
    }

    /// The products that are most like one.
    fn similar(&self, training: &Training, product: u32, sums: &mut Sums) -> Vec<(u32, f32)> {
        for &visit in training.visits_of(product) {
            let (products, weight) = training.visit(visit);
            let weight = match self.similarity {
                Similarity::Cosine | Similarity::Lift => weight,
                Similarity::Bm25 => weight * training.rarity(products.len()).powi(2),
            };
            products.iter().filter(|&&other| other != product).for_each(|&other| sums.add(other, weight));
        }
        let own = training.weights[product as usize];
        let mut similar: Vec<(u32, f64)> = Vec::new();
        sums.drain(|other, sum, together| {
            if together < self.min_together {
                return;
            }
            let there = training.weights[other as usize];
            let score = match self.similarity {
                Similarity::Cosine => sum / (own * there).sqrt(),
                Similarity::Lift => sum * training.weight / (own * there),
                Similarity::Bm25 => sum * training.gain(own) * training.gain(there),
            };
            // Where weights vanish by their age nothing is known.
            if score.is_finite() && score > 0.0 {
                similar.push((other, score));
            }
        });
        similar.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        similar.truncate(self.neighbours);
        similar.into_iter().map(|(other, score)| (other, score as f32)).collect()
    }
}

/// The rank of a product among sorted ids.
pub(crate) fn rank(ids: &[Id], product: IdRef<'_>) -> Option<u32> {
    ids.binary_search_by(|id| id.as_ref().cmp(&product)).ok().map(|rank| rank as u32)
}

/// The visits, both ways round.
struct Training {
    entries: Vec<u32>,
    /// Where each visit ends, and what it weighs.
    visits: Vec<(usize, f64)>,
    /// By product: the sum of the weights of its visits.
    weights: Vec<f64>,
    /// Their mean.
    mean: f64,
    /// Of all visits.
    weight: f64,
    holding: Vec<u32>,
    holding_ends: Vec<usize>,
}

impl Training {
    fn new(products: usize) -> Self {
        let (weights, holding_ends) = (vec![0.0; products], vec![0; products]);
        let (entries, visits, holding) = (Vec::new(), Vec::new(), Vec::new());
        Self { entries, visits, weights, mean: 0.0, weight: 0.0, holding, holding_ends }
    }

    fn push(&mut self, products: impl Iterator<Item = u32>, weight: f64) {
        for product in products {
            self.entries.push(product);
            self.weights[product as usize] += weight;
            self.holding_ends[product as usize] += 1;
        }
        self.weight += weight;
        self.visits.push((self.entries.len(), weight));
    }

    fn index(&mut self) {
        self.mean = self.weights.iter().sum::<f64>() / self.weights.len() as f64;
        let mut start = 0;
        for end in &mut self.holding_ends {
            (*end, start) = (start, start + *end);
        }
        self.holding = vec![0; self.entries.len()];
        let mut from = 0;
        for (visit, &(end, _)) in (0u32..).zip(&self.visits) {
            for &product in &self.entries[from..end] {
                let cursor = &mut self.holding_ends[product as usize];
                self.holding[*cursor] = visit;
                *cursor += 1;
            }
            from = end;
        }
    }

    fn visits_of(&self, product: u32) -> &[u32] {
        let before = (product as usize).checked_sub(1);
        &self.holding
            [before.map_or(0, |before| self.holding_ends[before])..self.holding_ends[product as usize]]
    }

    fn visit(&self, visit: u32) -> (&[u32], f64) {
        let start = (visit as usize).checked_sub(1).map_or(0, |before| self.visits[before].0);
        let (end, weight) = self.visits[visit as usize];
        (&self.entries[start..end], weight)
    }

    /// idf of a visit of so many products.
    fn rarity(&self, products: usize) -> f64 {
        let (all, products) = (self.weights.len() as f64, products as f64);
        ((all - products + 0.5) / (products + 0.5)).ln_1p()
    }

    /// g of a product whose visits weigh so much.
    fn gain(&self, weight: f64) -> f64 {
        const K: f64 = 1.2;
        const B: f64 = 0.75;
        (K + 1.0) / (K * (1.0 - B + B * weight / self.mean) + 1.0)
    }
}

/// Sums by product, and which of them there are.
struct Sums {
    sums: Vec<f64>,
    together: Vec<u32>,
    met: Vec<u32>,
}

impl Sums {
    fn new(products: usize) -> Self {
        Self { sums: vec![0.0; products], together: vec![0; products], met: Vec::new() }
    }

    fn add(&mut self, product: u32, weight: f64) {
        let at = product as usize;
        if self.together[at] == 0 {
            self.met.push(product);
        }
        self.sums[at] += weight;
        self.together[at] += 1;
    }

    /// Gives each sum once and starts again.
    fn drain(&mut self, mut each: impl FnMut(u32, f64, u32)) {
        for product in self.met.drain(..) {
            let at = product as usize;
            each(product, std::mem::take(&mut self.sums[at]), std::mem::take(&mut self.together[at]));
        }
    }
}
