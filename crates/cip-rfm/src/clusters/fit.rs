//! From customers to clusters: fences, scaling, k-means for every number of clusters, and the choice among them.

use cip_core::Timestamp;
use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::{KMeans, KMeansInit};
use ndarray::Array2;
use rand_xoshiro_linfa::Xoshiro256Plus;
use rand_xoshiro_linfa::rand_core::SeedableRng;

use super::choice::{ClusterChoice, ClusterCount, silhouette, squared_distance, weigh};
use super::cluster_segment::Medians;
use super::fence::Fence;
use super::model::{ClusterModel, Scaler, nearest};
use crate::error::RfmError;
use crate::scored::RfmTable;

/// Customers of which all are taken for the silhouette; of more it is a sample of about this many.
const SILHOUETTE_SAMPLE: usize = 2_000;
/// How often k-means starts anew, of which the best is kept.
const RUNS: usize = 4;
/// Steps that make the centroids exact means, if they have not settled before.
const LAST_STEPS: usize = 100;

/// A search for clusters: what decides it.
///
/// # Method
/// Outliers of monetary and of frequency, beyond Tukey's fences, are clusters of their own: -1 monetary, -2 frequency, -3 both. The
/// others are scaled to mean 0 and deviation 1 in monetary, frequency and recency, and clustered by k-means (Lloyd's algorithm from
/// k-means++ seeds: Arthur and Vassilvitskii 2007) for 2, 3, … clusters. [`ClusterChoice`] says which number is taken. Clusters are
/// numbered from 0 by their centroids, the highest monetary first.
#[derive(Debug, Clone)]
pub struct Clusters {
    seed: u64,
    most: usize,
    choice: ClusterChoice,
}

/// Clusters that were found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClusterFit {
    /// What assigns customers.
    pub model: ClusterModel,
    /// The numbers of clusters that were tried; none where there are fewer than three different customers inside the fences.
    pub counts: Vec<ClusterCount>,
}

impl Clusters {
    /// Returns the search with a seed: the same customers and the same seed give the same clusters.
    pub fn new(seed: u64) -> Self {
        Self { seed, most: 10, choice: ClusterChoice::default() }
    }

    /// Sets up to how many clusters are tried; without it 10.
    ///
    /// # Errors
    /// [`RfmError::MostClusters`] unless it is 2 to 20.
    pub fn with_most(mut self, most: usize) -> Result<Self, RfmError> {
        if !(2..=20).contains(&most) {
            return Err(RfmError::MostClusters { most });
        }
        self.most = most;
        Ok(self)
    }

    /// Sets by what the number of clusters is chosen; without it by [`ClusterChoice::Both`].
    #[must_use]
    pub fn with_choice(mut self, choice: ClusterChoice) -> Self {
        self.choice = choice;
        self
    }

    /// Returns the clusters of scored customers; `as_of`, their date, is kept as the date of the model.
    ///
    /// # Complexity
    /// Linear in the customers for each number of clusters; the silhouette is of at most about 2,000 of them.
    ///
    /// # Errors
    /// [`RfmError::NoCustomers`], [`RfmError::KMeans`].
    pub fn fit(&self, customers: &RfmTable, as_of: Timestamp) -> Result<ClusterFit, RfmError> {
        let facts = facts_of(customers);
        let all = Medians::of(facts.iter()).ok_or(RfmError::NoCustomers)?;
        let column = |at: usize| facts.iter().map(|fact| fact[at]).collect::<Vec<_>>();
        let (monetary, frequency) = (Fence::of(&column(0)), Fence::of(&column(1)));
        let is_inside = |fact: &&[f64; 3]| {
            let beyond =
                |fence: Option<Fence>, value| fence.is_some_and(|fence: Fence| fence.is_beyond(value));
            !beyond(monetary, fact[0]) && !beyond(frequency, fact[1])
        };
        let inside: Vec<[f64; 3]> = facts.iter().filter(is_inside).copied().collect();
        let scaler = Scaler::of(&inside);
        let points: Vec<[f64; 3]> = inside.iter().map(|fact| scaler.scale(fact)).collect();
        let (centroids, counts) = self.search(&points)?;
        let mut model = ClusterModel::new(as_of, self.seed, customers.money_scale(), all);
        model.place(monetary, frequency, scaler, centroids);
        model.describe(&facts);
        Ok(ClusterFit { model, counts })
    }

    fn search(&self, points: &[[f64; 3]]) -> Result<(Vec<[f64; 3]>, Vec<ClusterCount>), RfmError> {
        let mut distinct: Vec<[u64; 3]> = points.iter().map(|point| point.map(f64::to_bits)).collect();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < 3 {
            // One or two places are their own centroids.
            let places = distinct.into_iter().map(|point| point.map(f64::from_bits));
            return Ok((in_order(places.collect()), Vec::new()));
        }
        let mut tried = Vec::new();
        let mut counts = Vec::new();
        for clusters in 2..=self.most.min(distinct.len() - 1) {
            let centroids = self.k_means(points, clusters)?;
            let labels: Vec<usize> = points.iter().map(|point| nearest(&centroids, point)).collect();
            let inertia = points
                .iter()
                .zip(&labels)
                .map(|(point, &label)| squared_distance(point, &centroids[label]))
                .sum();
            let (silhouette, silhouette_error) =
                silhouette(points, &labels, centroids.len(), SILHOUETTE_SAMPLE);
            counts.push(ClusterCount {
                clusters,
                inertia,
                silhouette,
                silhouette_error,
                elbow: 0.0,
                score: 0.0,
            });
            tried.push(centroids);
        }
        weigh(&mut counts, self.choice);
        let mut best = 0;
        for (at, count) in counts.iter().enumerate() {
            if count.score > counts[best].score {
                best = at;
            }
        }
        Ok((tried.swap_remove(best), counts))
    }

    fn k_means(&self, points: &[[f64; 3]], clusters: usize) -> Result<Vec<[f64; 3]>, RfmError> {
        let rows = Array2::from_shape_fn((points.len(), 3), |(row, column)| points[row][column]);
        let found = KMeans::params_with_rng(clusters, Xoshiro256Plus::seed_from_u64(self.seed))
            .n_runs(RUNS)
            .init_method(KMeansInit::KMeansPlusPlus)
            .fit(&DatasetBase::from(rows))?;
        let start = found.centroids().outer_iter().map(|row| [row[0], row[1], row[2]]).collect();
        Ok(in_order(settle(points, start)))
    }
}

/// Goes on with Lloyd's steps until nobody changes the cluster, so that centroids are means and no cluster is empty.
fn settle(points: &[[f64; 3]], mut centroids: Vec<[f64; 3]>) -> Vec<[f64; 3]> {
    let mut labels = Vec::new();
    for _ in 0..LAST_STEPS {
        let next: Vec<usize> = points.iter().map(|point| nearest(&centroids, point)).collect();
        if next == labels {
            break;
        }
        labels = next;
        let mut sums = vec![([0.0; 3], 0u64); centroids.len()];
        for (point, &label) in points.iter().zip(&labels) {
            let (sum, count) = &mut sums[label];
            sum.iter_mut().zip(point).for_each(|(sum, value)| *sum += value);
            *count += 1;
        }
        let before = centroids.len();
        centroids = (sums.into_iter())
            .filter(|(_, count)| *count > 0)
            .map(|(sum, count)| sum.map(|sum| sum / count as f64))
            .collect();
        if centroids.len() < before {
            labels.clear();
        }
    }
    centroids
}

/// The highest monetary first, then the highest frequency, then the least recency.
fn in_order(mut centroids: Vec<[f64; 3]>) -> Vec<[f64; 3]> {
    centroids.sort_by(|a, b| {
        b[0].total_cmp(&a[0]).then_with(|| b[1].total_cmp(&a[1])).then_with(|| a[2].total_cmp(&b[2]))
    });
    centroids
}

/// Monetary in units, frequency and recency of every customer.
pub(super) fn facts_of(customers: &RfmTable) -> Vec<[f64; 3]> {
    let (monetary, frequency) = (customers.monetary(), customers.frequency());
    let rows = customers.recency_days().iter().zip(frequency).zip(monetary);
    rows.map(|((&days, &orders), &units)| [units as f64, orders as f64, f64::from(days)]).collect()
}
