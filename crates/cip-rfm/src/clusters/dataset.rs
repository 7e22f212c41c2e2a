//! Customers and clusters as linfa has them: data sets, and a model that predicts.

use linfa::Dataset;
use linfa::traits::PredictInplace;
use ndarray::{Array1, Array2, Ix1};

use super::fit::facts_of;
use super::model::ClusterModel;
use crate::scored::RfmTable;

/// The columns of records.
const FEATURES: [&str; 3] = ["monetary", "frequency", "recency_days"];

impl RfmTable {
    /// Returns the customers as a linfa data set, for its other methods: a record each of monetary, in units of
    /// [`RfmTable::money_scale`], frequency and recency in days, in the order of the table.
    ///
    /// # Examples
    /// ```
    /// # use std::sync::Arc;
    /// # use arrow_array::{ArrayRef, Decimal128Array, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
    /// # use cip_core::{EventBatch, MICROS_PER_DAY, Timestamp};
    /// # let times = [1, 2, 3, 88, 89, 90].map(|day| day * MICROS_PER_DAY);
    /// # let prices = Decimal128Array::from(vec![900, 1000, 1100, 8000, 8100, 8200]);
    /// # let types: DictionaryArray<arrow_array::types::Int32Type> = ["purchase"; 6].into_iter().collect();
    /// # let events = EventBatch::try_new(RecordBatch::try_from_iter([
    /// #     ("user_id", Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5, 6])) as ArrayRef),
    /// #     ("event_time", Arc::new(TimestampMicrosecondArray::from(times.to_vec()).with_timezone("UTC"))),
    /// #     ("event_type", Arc::new(types)),
    /// #     ("price", Arc::new(prices.with_precision_and_scale(18, 2)?)),
    /// # ])?)?;
    /// # let as_of: Timestamp = "1970-04-02".parse()?;
    /// # let customers = cip_rfm::Rfm::new(as_of, events.schema())?.segment(&[events])?;
    /// use cip_rfm::clusters::Clusters;
    /// use linfa::traits::Predict;
    /// let records = customers.dataset();
    /// assert_eq!(records.records().row(0).to_vec(), [900.0, 1.0, 90.0]);
    /// let model = Clusters::new(7).with_most(3)?.fit(&customers, as_of)?.model;
    /// assert_eq!(model.predict(&records).to_vec(), [1, 1, 1, 0, 0, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn dataset(&self) -> Dataset<f64, (), Ix1> {
        let facts = facts_of(self);
        let records = Array2::from_shape_fn((facts.len(), 3), |(row, column)| facts[row][column]);
        Dataset::from(records).with_feature_names(FEATURES.to_vec())
    }
}

/// The cluster of each record of [`RfmTable::dataset`]: -1, -2 and -3 are outliers.
impl PredictInplace<Array2<f64>, Array1<i32>> for ClusterModel {
    /// Writes the cluster of each record of `records` to `clusters`.
    ///
    /// # Panics
    /// Where there are not three columns, or not as many clusters as records, as linfa's models do.
    fn predict_inplace(&self, records: &Array2<f64>, clusters: &mut Array1<i32>) {
        assert_eq!(records.ncols(), 3, "records of monetary, frequency and recency");
        assert_eq!(records.nrows(), clusters.len(), "a cluster for every record");
        for (record, cluster) in records.outer_iter().zip(clusters) {
            *cluster = self.cluster_of(&[record[0], record[1], record[2]]);
        }
    }

    fn default_target(&self, records: &Array2<f64>) -> Array1<i32> {
        Array1::zeros(records.nrows())
    }
}
