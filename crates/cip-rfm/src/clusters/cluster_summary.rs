//! What a cluster holds.

use cip_core::{MoneyScale, check_sum};

use super::cluster_segment::{ClusterSegment, Medians};
use super::model::ClusterModel;
use crate::error::RfmError;
use crate::scored::RfmTable;

/// A cluster and the customers that are in it now: a row of `cluster_summary` and of `cluster_description_and_recommendation`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ClusterSummary {
    /// From 0 on; -1, -2 and -3 are outliers of monetary, of frequency and of both.
    pub cluster: i32,
    /// What it is.
    pub segment: ClusterSegment,
    /// The name of the segment; outliers have `VIP ` before it, where it has no VIP in it already.
    pub name: String,
    /// Customers.
    pub customers: u64,
    /// Their share of all.
    pub share: f64,
    /// Sum of monetary, in units of `money`.
    pub revenue: i128,
    /// The decimals of `revenue`.
    pub money: MoneyScale,
    /// The median of the days since the last purchase.
    pub median_recency_days: f64,
    /// The median of the orders.
    pub median_frequency: f64,
    /// The median of monetary.
    pub median_monetary: f64,
    /// The mean of the days since the last purchase.
    pub average_recency_days: f64,
    /// The mean of the orders.
    pub average_frequency: f64,
    /// The mean of monetary.
    pub average_monetary: f64,
}

impl ClusterSummary {
    /// Of the customers in `rows`; none where there are none.
    pub(super) fn of(
        model: &ClusterModel,
        cluster: i32,
        rows: &[usize],
        facts: &[[f64; 3]],
        customers: &RfmTable,
    ) -> Result<Option<Self>, RfmError> {
        let Some(medians) = Medians::of(rows.iter().map(|&row| &facts[row])) else { return Ok(None) };
        let money = customers.money_scale();
        let unit = 10f64.powi(i32::from(money.decimals()));
        let sum = rows.iter().try_fold(0i128, |sum, &row| sum.checked_add(customers.monetary()[row]));
        let mean = |at: usize| rows.iter().map(|&row| facts[row][at]).sum::<f64>() / rows.len() as f64;
        let segment = model.segment_of(cluster, &medians);
        Ok(Some(Self {
            cluster,
            segment,
            name: segment.name_in(cluster),
            customers: rows.len() as u64,
            share: rows.len() as f64 / facts.len() as f64,
            revenue: check_sum("monetary", sum)?,
            money,
            median_recency_days: medians.recency_days,
            median_frequency: medians.frequency,
            median_monetary: medians.monetary / unit,
            average_recency_days: mean(2),
            average_frequency: mean(1),
            average_monetary: mean(0) / unit,
        }))
    }

    /// What the cluster is, in a sentence.
    pub fn description(&self) -> String {
        let outliers = match self.cluster {
            -1 => "outliers of monetary; ",
            -2 => "outliers of frequency; ",
            -3 => "outliers of monetary and frequency; ",
            _ => "",
        };
        format!(
            "{outliers}the median customer spent {:.2} in {} orders, the last {} days ago",
            self.median_monetary, self.median_frequency, self.median_recency_days
        )
    }
}
