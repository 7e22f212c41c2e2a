//! From customers to clusters: fences, scaling, k-means for every number of clusters, and the choice among them.

use cip_core::Timestamp;
use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::{KMeans, KMeansInit};
use ndarray::Array2;
use rand_xoshiro_linfa::Xoshiro256Plus;
use rand_xoshiro_linfa::rand_core::SeedableRng;

use super::choice::{ClusterChoice, ClusterCount, Labels, silhouettes, squared_distance, weigh};
use super::cluster_segment::Medians;
use super::fence::{Fence, is_outlier};
use super::model::{ClusterModel, Scaler, nearest};
use crate::error::RfmError;
use crate::scored::RfmTable;

/// Up to so many customers all are taken for the silhouette; of more a sample, evenly spaced, of at most so many.
const SILHOUETTE_SAMPLE: usize = 2_000;
/// Up to so many customers all are taken to find the first centroids; of more a sample, evenly spaced, of at most so many.
const START_SAMPLE: usize = 20_000;
/// How often k-means starts anew, of which the best is kept.
const RUNS: usize = 4;
/// Steps over all customers that make the centroids exact means, if they have not settled before.
const LAST_STEPS: usize = 100;

/// A search for clusters: what decides it.
///
/// # Formula
/// With `s(k)` the mean silhouette of k clusters, `e(k)` how far their inertia lies below its chord, and each scaled from 0 to 1 over the
/// numbers tried, the number taken has the greatest `0.6 s(k) + 0.4 e(k)`, and of equal ones the fewest clusters.
///
/// # Method
/// Outliers of monetary and of frequency, beyond Tukey's fences, are clusters of their own: -1 monetary, -2 frequency, -3 both. The
/// others are scaled to mean 0 and deviation 1 in monetary, frequency and recency, and clustered by k-means (Lloyd's algorithm from
/// k-means++ seeds: Arthur and Vassilvitskii 2007) for 2, 3, … clusters. Of more than 20,000 customers its runs are over an even sample of at most as many, and the steps that
/// bring the best of them to rest over all. [`ClusterChoice`] says which number is taken. Clusters are
/// numbered from 0 by their centroids, the highest monetary first.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use arrow_array::types::Int32Type;
/// use arrow_array::{
///     ArrayRef, Decimal128Array, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray,
/// };
/// use cip_core::{EventBatch, MICROS_PER_DAY, Timestamp};
/// use cip_rfm::Rfm;
/// use cip_rfm::clusters::{ClusterSegment, Clusters};
///
/// // Six customers: three bought long ago and little, three of late and much.
/// let times = [1, 2, 3, 88, 89, 90].map(|day| day * MICROS_PER_DAY);
/// let prices = Decimal128Array::from(vec![900, 1000, 1100, 8000, 8100, 8200]);
/// let types: DictionaryArray<Int32Type> = ["purchase"; 6].into_iter().collect();
/// let events = EventBatch::try_new(RecordBatch::try_from_iter([
///     ("user_id", Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5, 6])) as ArrayRef),
///     ("event_time", Arc::new(TimestampMicrosecondArray::from(times.to_vec()).with_timezone("UTC"))),
///     ("event_type", Arc::new(types)),
///     ("price", Arc::new(prices.with_precision_and_scale(18, 2)?)),
/// ])?)?;
/// let as_of: Timestamp = "1970-04-02".parse()?;
/// let customers = Rfm::new(as_of, events.schema())?.segment(&[events])?;
/// let fit = Clusters::new(7).with_most(3)?.fit(&customers, as_of)?;
/// let found: Vec<_> = fit.model.clusters().iter().map(|of| (of.customers, of.segment)).collect();
/// assert_eq!(found, [(3, ClusterSegment::BigSpenders), (3, ClusterSegment::Hibernating)]);
/// assert!(fit.model.frequency_fence().is_none(), "all have one order");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// Each step of k-means is linear in the customers and in the clusters; the silhouette is of at most 2,000 customers.
    ///
    /// # Errors
    /// [`RfmError::NoCustomers`], [`RfmError::KMeans`].
    pub fn fit(&self, customers: &RfmTable, as_of: Timestamp) -> Result<ClusterFit, RfmError> {
        let facts = facts_of(customers);
        let all = Medians::of(facts.iter()).ok_or(RfmError::NoCustomers)?;
        let column = |at: usize| facts.iter().map(|fact| fact[at]).collect::<Vec<_>>();
        let (monetary, frequency) = (Fence::of(&column(0)), Fence::of(&column(1)));
        let is_inside = |fact: &&[f64; 3]| !is_outlier(monetary, fact[0]) && !is_outlier(frequency, fact[1]);
        let inside: Vec<[f64; 3]> = facts.iter().filter(is_inside).copied().collect();
        let scaler = Scaler::of(&inside);
        let points: Vec<[f64; 3]> = inside.iter().map(|fact| scaler.scale(fact)).collect();
        let (centroids, counts) = self.search(&points)?;
        let mut model = ClusterModel::new(customers, as_of, self.seed, all);
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
        let mut tried = (2..=self.most.min(distinct.len() - 1))
            .map(|clusters| self.k_means(points, clusters, START_SAMPLE))
            .collect::<Result<Vec<_>, _>>()?;
        let label = |centroids: &Vec<[f64; 3]>| Labels {
            of: points.iter().map(|point| nearest(centroids, point)).collect(),
            clusters: centroids.len(),
        };
        let labels: Vec<Labels> = tried.iter().map(label).collect();
        let silhouettes = silhouettes(points, &labels, SILHOUETTE_SAMPLE);
        let count = |((centroids, labels), (silhouette, silhouette_error)): ((&Vec<_>, &Labels), _)| {
            let squares = points.iter().zip(&labels.of);
            ClusterCount {
                clusters: labels.clusters,
                inertia: squares.map(|(point, &label)| squared_distance(point, &centroids[label])).sum(),
                silhouette,
                silhouette_error,
                elbow: 0.0,
                score: 0.0,
            }
        };
        let mut counts: Vec<ClusterCount> = tried.iter().zip(&labels).zip(silhouettes).map(count).collect();
        weigh(&mut counts, self.choice);
        let mut best = 0;
        for (at, count) in counts.iter().enumerate() {
            if count.score > counts[best].score {
                best = at;
            }
        }
        Ok((tried.swap_remove(best), counts))
    }

    /// The best of several runs over at most `sampled` points, brought to rest over all.
    fn k_means(
        &self,
        points: &[[f64; 3]],
        clusters: usize,
        sampled: usize,
    ) -> Result<Vec<[f64; 3]>, RfmError> {
        let step = points.len().div_ceil(sampled.max(1)).max(1);
        let sample: Vec<&[f64; 3]> = points.iter().step_by(step).collect();
        let rows = Array2::from_shape_fn((sample.len(), 3), |(row, column)| sample[row][column]);
        let found = KMeans::params_with_rng(clusters, Xoshiro256Plus::seed_from_u64(self.seed))
            .n_runs(RUNS)
            .init_method(KMeansInit::KMeansPlusPlus)
            .fit(&DatasetBase::from(rows))?;
        let start = found.centroids().outer_iter().map(|row| [row[0], row[1], row[2]]).collect();
        Ok(settle(points, start))
    }
}

/// Goes on with Lloyd's steps until nobody changes the cluster, so that centroids are means and no cluster is empty; returns them in order.
///
/// They are in order at each step: of two that are equally near, a point has the one that [`nearest`] finds later.
fn settle(points: &[[f64; 3]], mut centroids: Vec<[f64; 3]>) -> Vec<[f64; 3]> {
    let mut labels = Vec::new();
    for _ in 0..LAST_STEPS {
        centroids = in_order(centroids);
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
    in_order(centroids)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inertia(points: &[[f64; 3]], centroids: &[[f64; 3]]) -> f64 {
        points.iter().map(|point| squared_distance(point, &centroids[nearest(centroids, point)])).sum()
    }

    fn mean<'a>(points: impl Iterator<Item = &'a [f64; 3]> + Clone) -> [f64; 3] {
        let count = points.clone().count() as f64;
        [0, 1, 2].map(|at| points.clone().map(|point| point[at]).sum::<f64>() / count)
    }

    proptest! {
        /// Every centroid is the mean of the points that are nearest to it, and two clusters of a few points cost no less than the best
        /// of all ways to part them, and no more than one.
        #[test]
        fn centroids_are_means_and_bounded_by_the_optimum(
            points in proptest::collection::btree_set([-9i8..9, -9i8..9, -9i8..9], 3..9),
            sampled in 2usize..9,
            seed in any::<u64>(),
        ) {
            let points: Vec<[f64; 3]> = points.into_iter().map(|point| point.map(f64::from)).collect();
            let centroids = Clusters::new(seed).k_means(&points, 2, sampled).unwrap();
            prop_assert_eq!(centroids.len(), 2);
            for (at, centroid) in centroids.iter().enumerate() {
                let own = points.iter().filter(|point| nearest(&centroids, point) == at);
                prop_assert!(squared_distance(&mean(own), centroid) < 1e-18);
            }
            let parted = |parting: u32| {
                let side = |of: u32| {
                    let rows = points.iter().enumerate();
                    mean(rows.filter(move |(row, _)| (parting >> row) & 1 == of).map(|(_, point)| point))
                };
                inertia(&points, &[side(0), side(1)])
            };
            let best = (1..(1u32 << points.len()) - 1).map(parted).fold(f64::INFINITY, f64::min);
            let found = inertia(&points, &centroids);
            let one = inertia(&points, &[mean(points.iter())]);
            prop_assert!(best - 1e-9 <= found && found <= one, "{} of {} to {}", found, best, one);
        }
    }
}
