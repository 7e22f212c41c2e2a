//! The tables of clusters: customers, what each cluster holds, what it is and what to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray,
};
use cip_core::{CoreError, IdColumn, SUM_PRECISION, check_sum, column, table};

use super::cluster_segment::{ClusterSegment, Medians};
use super::fit::facts_of;
use super::model::ClusterModel;
use crate::error::RfmError;
use crate::scored::RfmTable;

/// Customers with their clusters; made by [`ClusterModel::assign`].
#[derive(Debug, Clone)]
pub struct ClusteredCustomers {
    customers: RecordBatch,
    summary: RecordBatch,
    descriptions: RecordBatch,
}

/// A cluster and those who are in it now.
struct Members {
    rows: Vec<usize>,
    medians: Medians,
    segment: ClusterSegment,
    name: String,
}

impl ClusteredCustomers {
    /// `customer_rfm_kmeans_clustered`, as [`table::clustered_customers`] describes it.
    pub fn customers(&self) -> &RecordBatch {
        &self.customers
    }

    /// `cluster_summary`, as [`table::cluster_summary`] describes it.
    pub fn summary(&self) -> &RecordBatch {
        &self.summary
    }

    /// `cluster_description_and_recommendation`, as [`table::cluster_descriptions`] describes it.
    pub fn descriptions(&self) -> &RecordBatch {
        &self.descriptions
    }
}

impl ClusterModel {
    /// Returns every customer with the cluster that is nearest, without a new fit.
    ///
    /// The segments of clusters are those of the fit. Outliers have their segment with `VIP ` before its name.
    ///
    /// # Errors
    /// [`RfmError::ModelScale`] where their money has other decimals than the model's; [`CoreError::MoneyOverflow`].
    pub fn assign(&self, customers: &RfmTable) -> Result<ClusteredCustomers, RfmError> {
        let money = customers.money_scale();
        if money != self.money_scale() {
            let expected = self.money_scale().decimals();
            return Err(RfmError::ModelScale { found: money.decimals(), expected });
        }
        let facts = facts_of(customers);
        let labels: Vec<i32> = facts.iter().map(|fact| self.cluster_of(fact)).collect();
        let mut rows: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        labels.iter().enumerate().for_each(|(row, label)| rows.entry(*label).or_default().push(row));
        let members = |(cluster, rows): (i32, Vec<usize>)| {
            let medians = Medians::of(rows.iter().map(|&row| &facts[row]))?;
            let segment = self.segment_of(cluster, &medians);
            let name = match segment.name() {
                name if cluster < 0 && !name.contains("VIP") => format!("VIP {name}"),
                name => name.to_owned(),
            };
            Some((cluster, Members { rows, medians, segment, name }))
        };
        let clusters: BTreeMap<i32, Members> = rows.into_iter().filter_map(members).collect();
        Ok(ClusteredCustomers {
            customers: self.customers(customers, &labels, &clusters)?,
            summary: self.summary(customers, &facts, &clusters)?,
            descriptions: self.descriptions(&clusters)?,
        })
    }

    fn customers(
        &self,
        customers: &RfmTable,
        labels: &[i32],
        clusters: &BTreeMap<i32, Members>,
    ) -> Result<RecordBatch, RfmError> {
        let position: BTreeMap<i32, i32> = clusters.keys().copied().zip(0..).collect();
        let codes: Int32Array = labels.iter().map(|label| position.get(label).copied()).collect();
        let named = |names: Vec<&str>| -> Result<ArrayRef, CoreError> {
            let names: ArrayRef = Arc::new(StringArray::from(names));
            Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(codes.clone(), names)?))
        };
        let batch = customers.record_batch();
        let mut columns = batch.columns().to_vec();
        columns.push(Arc::new(Int32Array::from(labels.to_vec())));
        columns.push(named(clusters.values().map(|of| of.name.as_str()).collect())?);
        columns.push(named(clusters.values().map(|of| of.segment.recommendation()).collect())?);
        columns.push(Arc::new(Date32Array::from_value(self.update_date().day(), labels.len())));
        let users = IdColumn::try_new(column::USER_ID, batch.column(0))?.id_type();
        let schema = table::clustered_customers(users, customers.money_scale());
        Ok(RecordBatch::try_new(schema, columns).map_err(CoreError::from)?)
    }

    fn summary(
        &self,
        customers: &RfmTable,
        facts: &[[f64; 3]],
        clusters: &BTreeMap<i32, Members>,
    ) -> Result<RecordBatch, RfmError> {
        let revenue = |of: &Members| {
            let sum = of.rows.iter().try_fold(0i128, |sum, &row| sum.checked_add(customers.monetary()[row]));
            check_sum("monetary", sum)
        };
        let revenue = clusters.values().map(revenue).collect::<Result<Vec<_>, _>>()?;
        let number = |of: &dyn Fn(&Members) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(clusters.values().map(of)))
        };
        let unit = 10f64.powi(i32::from(customers.money_scale().decimals()));
        let mean = |of: &Members, at: usize| {
            of.rows.iter().map(|&row| facts[row][at]).sum::<f64>() / of.rows.len() as f64
        };
        let scale = customers.money_scale().decimals().cast_signed();
        let revenue = Decimal128Array::from(revenue).with_precision_and_scale(SUM_PRECISION, scale);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from_iter_values(clusters.keys().copied())),
            Arc::new(Int64Array::from_iter_values(clusters.values().map(|of| of.rows.len() as i64))),
            number(&|of| of.rows.len() as f64 / facts.len() as f64),
            Arc::new(revenue.map_err(CoreError::from)?),
            number(&|of| of.medians.recency_days),
            number(&|of| of.medians.frequency),
            number(&|of| of.medians.monetary / unit),
            number(&|of| mean(of, 2)),
            number(&|of| mean(of, 1)),
            number(&|of| mean(of, 0) / unit),
        ];
        let schema = table::cluster_summary(customers.money_scale());
        Ok(RecordBatch::try_new(schema, columns).map_err(CoreError::from)?)
    }

    fn descriptions(&self, clusters: &BTreeMap<i32, Members>) -> Result<RecordBatch, RfmError> {
        let unit = 10f64.powi(i32::from(self.money_scale().decimals()));
        let describe = |(cluster, of): (&i32, &Members)| {
            let what = match cluster {
                -1 => "outliers of monetary; ",
                -2 => "outliers of frequency; ",
                -3 => "outliers of monetary and frequency; ",
                _ => "",
            };
            format!(
                "{what}the median customer spent {:.2} in {} orders, the last {} days ago",
                of.medians.monetary / unit,
                of.medians.frequency,
                of.medians.recency_days
            )
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from_iter_values(clusters.keys().copied())),
            Arc::new(StringArray::from_iter_values(clusters.values().map(|of| of.name.as_str()))),
            Arc::new(StringArray::from_iter_values(clusters.iter().map(describe))),
            Arc::new(StringArray::from_iter_values(clusters.values().map(|of| of.segment.recommendation()))),
        ];
        Ok(RecordBatch::try_new(table::cluster_descriptions(), columns).map_err(CoreError::from)?)
    }
}
