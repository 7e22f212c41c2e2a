//! The tables of clusters: customers, what each cluster holds, what it is and what to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray,
};
use cip_core::{CoreError, IdColumn, MoneyScale, SUM_PRECISION, column, table};

use super::cluster_summary::ClusterSummary;
use super::fit::facts_of;
use super::model::ClusterModel;
use crate::error::RfmError;
use crate::scored::RfmTable;

/// Customers with their clusters; made by [`ClusterModel::assign`].
#[derive(Debug, Clone)]
pub struct ClusteredCustomers {
    customers: RecordBatch,
    clusters: Vec<ClusterSummary>,
    money: MoneyScale,
}

impl ClusteredCustomers {
    /// `customer_rfm_kmeans_clustered`, as [`table::clustered_customers`] describes it.
    pub fn customers(&self) -> &RecordBatch {
        &self.customers
    }

    /// Returns the clusters with a customer, outliers first.
    pub fn clusters(&self) -> &[ClusterSummary] {
        &self.clusters
    }

    /// Returns `cluster_summary`, as [`table::cluster_summary`] describes it.
    ///
    /// # Errors
    /// [`CoreError::Arrow`].
    pub fn summary(&self) -> Result<RecordBatch, RfmError> {
        let number = |of: fn(&ClusterSummary) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(self.clusters.iter().map(of)))
        };
        let scale = self.money.decimals().cast_signed();
        let revenue = Decimal128Array::from_iter_values(self.clusters.iter().map(|of| of.revenue));
        let customers = self.clusters.iter().map(|of| of.customers as i64);
        let columns: Vec<ArrayRef> = vec![
            self.numbers(),
            Arc::new(Int64Array::from_iter_values(customers)),
            number(|of| of.share),
            Arc::new(revenue.with_precision_and_scale(SUM_PRECISION, scale).map_err(CoreError::from)?),
            number(|of| of.median_recency_days),
            number(|of| of.median_frequency),
            number(|of| of.median_monetary),
            number(|of| of.average_recency_days),
            number(|of| of.average_frequency),
            number(|of| of.average_monetary),
        ];
        Ok(RecordBatch::try_new(table::cluster_summary(self.money), columns).map_err(CoreError::from)?)
    }

    /// Returns `cluster_description_and_recommendation`, as [`table::cluster_descriptions`] describes it.
    ///
    /// # Errors
    /// [`CoreError::Arrow`].
    pub fn descriptions(&self) -> Result<RecordBatch, RfmError> {
        let names = self.clusters.iter().map(|of| of.name.as_str());
        let descriptions = self.clusters.iter().map(ClusterSummary::description);
        let recommendations = self.clusters.iter().map(|of| of.segment.recommendation());
        let columns: Vec<ArrayRef> = vec![
            self.numbers(),
            Arc::new(StringArray::from_iter_values(names)),
            Arc::new(StringArray::from_iter_values(descriptions)),
            Arc::new(StringArray::from_iter_values(recommendations)),
        ];
        Ok(RecordBatch::try_new(table::cluster_descriptions(), columns).map_err(CoreError::from)?)
    }

    fn numbers(&self) -> ArrayRef {
        Arc::new(Int32Array::from_iter_values(self.clusters.iter().map(|of| of.cluster)))
    }
}

impl ClusterModel {
    /// Returns every customer with the cluster that is nearest, without a new fit.
    ///
    /// The segments of clusters are those of the fit.
    ///
    /// # Errors
    /// [`RfmError::ModelScale`] where their money has other decimals than the model's, [`RfmError::ModelCurrency`] where
    /// it is in another currency, or of one alone it is not known; [`CoreError::MoneyOverflow`].
    pub fn assign(&self, customers: &RfmTable) -> Result<ClusteredCustomers, RfmError> {
        let money = customers.money_scale();
        if money != self.money_scale() {
            let expected = self.money_scale().decimals();
            return Err(RfmError::ModelScale { found: money.decimals(), expected });
        }
        if customers.currency() != self.currency() {
            let name = |currency: Option<&str>| match currency {
                Some(currency) => format!("`{currency}`"),
                None => "a currency that is not known".to_owned(),
            };
            let (found, expected) = (name(customers.currency()), name(self.currency()));
            return Err(RfmError::ModelCurrency { found, expected });
        }
        let facts = facts_of(customers);
        let labels: Vec<i32> = facts.iter().map(|fact| self.cluster_of(fact)).collect();
        let mut rows: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        labels.iter().enumerate().for_each(|(row, label)| rows.entry(*label).or_default().push(row));
        let mut clusters = Vec::new();
        for (cluster, rows) in &rows {
            clusters.extend(ClusterSummary::of(self, *cluster, rows, &facts, customers)?);
        }
        let customers = self.clustered(customers, &labels, &clusters)?;
        Ok(ClusteredCustomers { customers, clusters, money })
    }

    fn clustered(
        &self,
        customers: &RfmTable,
        labels: &[i32],
        clusters: &[ClusterSummary],
    ) -> Result<RecordBatch, RfmError> {
        let position: BTreeMap<i32, i32> = clusters.iter().map(|of| of.cluster).zip(0..).collect();
        let codes: Int32Array = labels.iter().map(|label| position.get(label).copied()).collect();
        let named = |names: Vec<&str>| -> Result<ArrayRef, CoreError> {
            let names: ArrayRef = Arc::new(StringArray::from(names));
            Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(codes.clone(), names)?))
        };
        let batch = customers.record_batch();
        let users = IdColumn::try_new(column::USER_ID, batch.column(0))?.id_type();
        let scored = table::rfm_segments(users, customers.money_scale()).fields().len();
        // A weighted score is no part of the table.
        let mut columns = batch.columns()[..scored].to_vec();
        columns.push(Arc::new(Int32Array::from(labels.to_vec())));
        columns.push(named(clusters.iter().map(|of| of.name.as_str()).collect())?);
        columns.push(named(clusters.iter().map(|of| of.segment.recommendation()).collect())?);
        columns.push(Arc::new(Date32Array::from_value(self.update_date().day(), labels.len())));
        let schema = table::clustered_customers(users, customers.money_scale());
        Ok(RecordBatch::try_new(schema, columns).map_err(CoreError::from)?)
    }
}
