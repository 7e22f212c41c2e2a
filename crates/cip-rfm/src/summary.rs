//! What each segment holds: customers, revenue and averages.

use cip_core::{CoreError, MoneyScale, check_sum};

use crate::error::RfmError;
use crate::scored::RfmTable;
use crate::segment_map::MappedSegment;

/// One segment of a scored table; made by [`RfmTable::summary`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SegmentSummary {
    /// The segment.
    pub segment: String,
    /// What to do with its customers; none where the map does not say.
    pub action: Option<String>,
    /// Its customers.
    pub customers: u64,
    /// Their share of all customers, 0 to 1; none where there are no customers at all.
    pub share: Option<f64>,
    /// The sum of their monetary, in units of `money`.
    pub revenue: i128,
    /// The decimals of `revenue`.
    pub money: MoneyScale,
    /// Its share of all revenue; none where that is not above zero. Where cancellations are netted, a segment's
    /// revenue may be below zero, and so its share.
    pub revenue_share: Option<f64>,
    /// The mean of recency in days; none without customers.
    pub average_recency_days: Option<f64>,
    /// The mean of frequency; none without customers.
    pub average_frequency: Option<f64>,
    /// The mean of monetary in whole currency units, not in units of `money`; none without customers.
    pub average_monetary: Option<f64>,
    /// The mean of their weighted scores; none without customers, or without weights.
    pub average_score: Option<f64>,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    customers: u64,
    recency_days: i128,
    frequency: i128,
    monetary: i128,
    /// Of the weighted scores, in the order of the customers.
    score: f64,
}

pub(crate) fn summarize(table: &RfmTable) -> Result<Vec<SegmentSummary>, RfmError> {
    let overflow = || CoreError::MoneyOverflow { column: "monetary" };
    let mut sums = vec![Sums::default(); table.map().segments().len()];
    let facts = table.recency_days().iter().zip(table.frequency()).zip(table.monetary());
    for (segment, ((&recency_days, &frequency), &monetary)) in table.positions().zip(facts) {
        let sum = &mut sums[segment];
        sum.customers += 1;
        sum.recency_days += i128::from(recency_days);
        sum.frequency += i128::from(frequency);
        sum.monetary = sum.monetary.checked_add(monetary).ok_or_else(overflow)?;
    }
    for (segment, score) in table.positions().zip(table.scores().into_iter().flatten()) {
        sums[segment].score += score;
    }
    let customers = table.len() as f64;
    let revenue =
        check_sum("monetary", sums.iter().try_fold(0i128, |total, sum| total.checked_add(sum.monetary)))?;
    let money = table.money_scale();
    let unit = 10f64.powi(i32::from(money.decimals()));
    let summary = |(segment, sum): (&MappedSegment, Sums)| {
        let average = |total: i128| (sum.customers > 0).then(|| total as f64 / sum.customers as f64);
        SegmentSummary {
            segment: segment.name.clone(),
            action: segment.action.clone(),
            customers: sum.customers,
            share: (customers > 0.0).then(|| sum.customers as f64 / customers),
            revenue: sum.monetary,
            money,
            revenue_share: (revenue > 0).then(|| sum.monetary as f64 / revenue as f64),
            average_recency_days: average(sum.recency_days),
            average_frequency: average(sum.frequency),
            average_monetary: average(sum.monetary).map(|units| units / unit),
            average_score: (sum.customers > 0 && table.scores().is_some())
                .then(|| sum.score / sum.customers as f64),
        }
    };
    Ok(table.map().segments().iter().zip(sums).map(summary).collect())
}
