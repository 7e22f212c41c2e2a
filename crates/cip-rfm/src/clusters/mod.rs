//! Which customers are alike, and what are they?
//!
//! K-means finds groups of customers by monetary, frequency and recency, whatever scores would make of them. Outliers are set apart
//! first: they would draw centroids to themselves. Each cluster is then named by its medians against those of all customers,
//! and a [`ClusterModel`] assigns the customers of tomorrow without a new fit.

mod choice;
mod cluster_segment;
mod cluster_summary;
mod dataset;
mod fence;
mod fit;
mod model;
mod tables;

pub use choice::{ClusterChoice, ClusterCount};
pub use cluster_segment::ClusterSegment;
pub use cluster_summary::ClusterSummary;
pub use fence::Fence;
pub use fit::{ClusterFit, Clusters};
pub use model::{Cluster, ClusterModel};
pub use tables::ClusteredCustomers;
