//! What assigns customers to clusters, kept in a file.

use std::io::{Read, Write};

use cip_core::{MoneyScale, Timestamp};
use serde::{Deserialize, Serialize};

use super::choice::squared_distance;
use super::cluster_segment::{ClusterSegment, Medians};
use super::fence::{Fence, is_outlier, median};
use crate::error::RfmError;
use crate::scored::RfmTable;

/// Monetary outliers, frequency outliers, both.
const OUTLIERS: [i32; 3] = [-1, -2, -3];
const FORMAT: &str = "cip-clusters";
const VERSION: u32 = 1;

/// Fences, scaler and centroids of a [`ClusterFit`](crate::clusters::ClusterFit), and what its clusters are.
///
/// The same model gives a customer of the same facts the same cluster on any day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterModel {
    format: String,
    version: u32,
    /// In microseconds since 1970.
    update_date: Timestamp,
    seed: u64,
    money: MoneyScale,
    /// None where it is not known.
    #[serde(default)]
    currency: Option<String>,
    monetary_fence: Option<Fence>,
    frequency_fence: Option<Fence>,
    scaler: Scaler,
    /// Of monetary, frequency and recency, scaled.
    centroids: Vec<[f64; 3]>,
    all: Medians,
    clusters: Vec<Cluster>,
}

/// What a cluster was when the model was fitted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cluster {
    /// From 0 on; -1, -2 and -3 are outliers of monetary, of frequency and of both.
    pub cluster: i32,
    /// Its customers.
    pub customers: u64,
    /// What it is.
    pub segment: ClusterSegment,
    pub(super) medians: Medians,
}

/// Standard scaling: to mean 0 and deviation 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Scaler {
    means: [f64; 3],
    /// 1 where all values are equal.
    deviations: [f64; 3],
}

impl Scaler {
    pub(super) fn of(facts: &[[f64; 3]]) -> Self {
        let count = (facts.len() as f64).max(1.0);
        let means = [0, 1, 2].map(|at| facts.iter().map(|fact| fact[at]).sum::<f64>() / count);
        let deviations = [0, 1, 2].map(|at| {
            let squares: f64 = facts.iter().map(|fact| (fact[at] - means[at]).powi(2)).sum();
            let deviation = (squares / count).sqrt();
            if deviation > 0.0 { deviation } else { 1.0 }
        });
        Self { means, deviations }
    }

    pub(super) fn scale(&self, fact: &[f64; 3]) -> [f64; 3] {
        std::array::from_fn(|at| (fact[at] - self.means[at]) / self.deviations[at])
    }
}

impl Medians {
    /// Of monetary, frequency and recency; none of nobody.
    pub(super) fn of<'a>(facts: impl Iterator<Item = &'a [f64; 3]> + Clone) -> Option<Self> {
        let of = |at: usize| median(facts.clone().map(|fact| fact[at]));
        Some(Self { monetary: of(0)?, frequency: of(1)?, recency_days: of(2)? })
    }
}

/// The centroid that is nearest, of equal ones the first.
pub(super) fn nearest(centroids: &[[f64; 3]], point: &[f64; 3]) -> usize {
    let mut best = (0, f64::INFINITY);
    for (at, centroid) in centroids.iter().enumerate() {
        let distance = squared_distance(centroid, point);
        if distance < best.1 {
            best = (at, distance);
        }
    }
    best.0
}

impl ClusterModel {
    /// The model of scored customers, without a cluster yet.
    pub(super) fn new(customers: &RfmTable, update_date: Timestamp, seed: u64, all: Medians) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            update_date,
            seed,
            money: customers.money_scale(),
            currency: customers.currency().map(str::to_owned),
            monetary_fence: None,
            frequency_fence: None,
            scaler: Scaler::of(&[]),
            centroids: Vec::new(),
            all,
            clusters: Vec::new(),
        }
    }

    pub(super) fn place(
        &mut self,
        monetary: Option<Fence>,
        frequency: Option<Fence>,
        scaler: Scaler,
        centroids: Vec<[f64; 3]>,
    ) {
        (self.monetary_fence, self.frequency_fence) = (monetary, frequency);
        (self.scaler, self.centroids) = (scaler, centroids);
    }

    /// Names the clusters by the customers that the model was fitted to.
    pub(super) fn describe(&mut self, facts: &[[f64; 3]]) {
        let labels: Vec<i32> = facts.iter().map(|fact| self.cluster_of(fact)).collect();
        let mut ids = labels.clone();
        ids.sort_unstable();
        ids.dedup();
        let describe = |cluster: i32| {
            let own =
                facts.iter().zip(&labels).filter(move |(_, label)| **label == cluster).map(|(fact, _)| fact);
            let medians = Medians::of(own.clone())?;
            let segment = ClusterSegment::of(&medians, &self.all);
            Some(Cluster { cluster, customers: own.count() as u64, segment, medians })
        };
        self.clusters = ids.into_iter().filter_map(describe).collect();
    }

    /// Returns the model that was written.
    ///
    /// # Errors
    /// [`RfmError::ModelFile`] where it is none, [`RfmError::ModelVersion`] where it is of another version or damaged.
    pub fn read(from: impl Read) -> Result<Self, RfmError> {
        let model: Self = serde_json::from_reader(from)?;
        let finite = |values: &[f64; 3]| values.iter().all(|value| value.is_finite());
        let ordered = |fence: Option<Fence>| fence.is_none_or(|fence| fence.low < fence.high);
        let is_whole = model.format == FORMAT
            && model.version == VERSION
            && ordered(model.monetary_fence)
            && ordered(model.frequency_fence)
            && !model.centroids.is_empty()
            && model.centroids.iter().all(finite)
            && finite(&model.scaler.means)
            && model.scaler.deviations.iter().all(|deviation| 0.0 < *deviation && deviation.is_finite());
        if is_whole {
            Ok(model)
        } else {
            Err(RfmError::ModelVersion { version: model.version, expected: VERSION })
        }
    }

    /// Writes the model as JSON.
    ///
    /// # Errors
    /// [`RfmError::ModelFile`] where it cannot be written.
    pub fn write(&self, to: impl Write) -> Result<(), RfmError> {
        Ok(serde_json::to_writer_pretty(to, self)?)
    }

    /// The date of the customers that it was fitted to.
    pub fn update_date(&self) -> Timestamp {
        self.update_date
    }

    /// The seed that it was fitted with.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The decimals of money.
    pub fn money_scale(&self) -> MoneyScale {
        self.money
    }

    /// The currency of money; none where it is not known.
    pub fn currency(&self) -> Option<&str> {
        self.currency.as_deref()
    }

    /// The clusters that had a customer, outliers first.
    pub fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    /// The fence of monetary, in units of money; none where its interquartile range is 0.
    pub fn monetary_fence(&self) -> Option<Fence> {
        self.monetary_fence
    }

    /// The fence of frequency; none where its interquartile range is 0.
    pub fn frequency_fence(&self) -> Option<Fence> {
        self.frequency_fence
    }

    /// The cluster of monetary, frequency and recency.
    pub(super) fn cluster_of(&self, fact: &[f64; 3]) -> i32 {
        match (is_outlier(self.monetary_fence, fact[0]), is_outlier(self.frequency_fence, fact[1])) {
            (true, false) => OUTLIERS[0],
            (false, true) => OUTLIERS[1],
            (true, true) => OUTLIERS[2],
            (false, false) => nearest(&self.centroids, &self.scaler.scale(fact)) as i32,
        }
    }

    /// What a cluster is; one that had no customer when the model was fitted, by the facts of those who are in it now.
    pub(super) fn segment_of(&self, cluster: i32, now: &Medians) -> ClusterSegment {
        let known = self.clusters.iter().find(|known| known.cluster == cluster);
        known.map_or_else(|| ClusterSegment::of(now, &self.all), |known| known.segment)
    }
}
