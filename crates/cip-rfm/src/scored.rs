//! Scored customers: the table `rfm_segments`.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, UInt8Array,
};
use arrow_schema::ArrowError;
use cip_core::{CoreError, MoneyScale, SUM_PRECISION, table};

use crate::customers::CustomerTable;
use crate::error::RfmError;
use crate::score_bins::{ScoreBin, bins_of};
use crate::scoring::{Scores, Scoring};
use crate::segment_map::SegmentMap;
use crate::summary::{SegmentSummary, summarize};
use crate::weights::Weights;

/// Every customer with scores and a segment, sorted by user_id; made by [`Rfm::score`](crate::Rfm::score).
///
/// [`RfmTable::record_batch`] has all columns, the ids among them; the other accessors are its columns as
/// slices, row by row alike.
#[derive(Debug, Clone)]
pub struct RfmTable {
    batch: RecordBatch,
    money: MoneyScale,
    recency_days: Int32Array,
    frequency: Int64Array,
    monetary: Decimal128Array,
    r: UInt8Array,
    f: UInt8Array,
    m: UInt8Array,
    score: Option<Float64Array>,
    currency: Option<Arc<str>>,
    skipped_events: u64,
    before: u64,
    bins: u8,
    map: SegmentMap,
}

impl RfmTable {
    pub(crate) fn try_new(
        customers: CustomerTable,
        scoring: &Scoring,
        map: &SegmentMap,
        weights: Option<Weights>,
    ) -> Result<Self, RfmError> {
        let scores = scoring.score(&customers);
        Ok(Self::assemble(customers, scores, map.clone(), weights).map_err(CoreError::from)?)
    }

    fn assemble(
        mut customers: CustomerTable,
        scores: Scores,
        map: SegmentMap,
        weights: Option<Weights>,
    ) -> Result<Self, ArrowError> {
        let users = customers.take_users()?;
        let (user_type, money) = (customers.facts().input.users, customers.facts().input.money);
        let currency = customers.facts().currency.clone();
        let scale = money.decimals().cast_signed();
        let codes = || scores.r.iter().zip(&scores.f).zip(&scores.m).map(|((&r, &f), &m)| [r, f, m]);
        let segments = Int32Array::from_iter_values(codes().map(|code| map.position(code) as i32));
        let score = weights
            .map(|weights| Float64Array::from_iter_values(codes().map(|[r, f, m]| weights.score(r, f, m))));
        let names = map.segments().iter().map(|segment| segment.name.as_str());
        let names: ArrayRef = Arc::new(StringArray::from_iter_values(names));
        let segments = DictionaryArray::<Int32Type>::try_new(segments, names)?;
        let mut table = Self {
            batch: RecordBatch::new_empty(match &score {
                Some(_) => table::weighted_rfm_segments(user_type, money),
                None => table::rfm_segments(user_type, money),
            }),
            money,
            recency_days: customers.recency_days.into(),
            frequency: customers.frequency.into(),
            monetary: Decimal128Array::from(customers.monetary)
                .with_precision_and_scale(SUM_PRECISION, scale)?,
            r: scores.r.into(),
            f: scores.f.into(),
            m: scores.m.into(),
            score,
            currency,
            skipped_events: customers.skipped_events,
            before: customers.before,
            bins: map.bins(),
            map,
        };
        let mut columns: Vec<ArrayRef> = vec![
            users,
            Arc::new(table.recency_days.clone()),
            Arc::new(table.frequency.clone()),
            Arc::new(table.monetary.clone()),
            Arc::new(table.r.clone()),
            Arc::new(table.f.clone()),
            Arc::new(table.m.clone()),
            Arc::new(segments),
        ];
        if let Some(score) = &table.score {
            columns.push(Arc::new(score.clone()));
        }
        table.batch = RecordBatch::try_new(table.batch.schema(), columns)?;
        Ok(table)
    }

    /// The table as [`cip_core::table::rfm_segments`] describes it, with weights as [`cip_core::table::weighted_rfm_segments`] does. The dictionary of `segment` is always
    /// all segments of the map.
    pub fn record_batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// Customers.
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many events had no user.
    pub fn skipped_events(&self) -> u64 {
        self.skipped_events
    }

    /// How many users bought before the window and not in it: they have no row. 0 without a window.
    pub fn customers_before(&self) -> u64 {
        self.before
    }

    /// Calendar days since the last purchase.
    pub fn recency_days(&self) -> &[i32] {
        self.recency_days.values()
    }

    /// Orders.
    pub fn frequency(&self) -> &[i64] {
        self.frequency.values()
    }

    /// Money, in units of [`RfmTable::money_scale`].
    pub fn monetary(&self) -> &[i128] {
        self.monetary.values()
    }

    /// The decimals of money.
    pub fn money_scale(&self) -> MoneyScale {
        self.money
    }

    /// The currency of money; none where it is not known.
    pub fn currency(&self) -> Option<&str> {
        self.currency.as_deref()
    }

    /// Scores of recency.
    pub fn r(&self) -> &[u8] {
        self.r.values()
    }

    /// Scores of frequency.
    pub fn f(&self) -> &[u8] {
        self.f.values()
    }

    /// Scores of monetary.
    pub fn m(&self) -> &[u8] {
        self.m.values()
    }

    /// The weighted scores; none without [`Rfm::with_weights`](crate::Rfm::with_weights).
    pub fn scores(&self) -> Option<&[f64]> {
        self.score.as_ref().map(|score| score.values().as_ref())
    }

    /// The names of segments.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.positions().map(|at| self.map.segments()[at].name.as_str())
    }

    /// The map that named them.
    pub fn map(&self) -> &SegmentMap {
        &self.map
    }

    /// The positions of segments in the map.
    pub(crate) fn positions(&self) -> impl Iterator<Item = usize> {
        self.r().iter().zip(self.f()).zip(self.m()).map(|((&r, &f), &m)| self.map.position([r, f, m]))
    }

    /// Returns what each score of recency holds, from 1 on, in days.
    pub fn recency_bins(&self) -> Vec<ScoreBin> {
        bins_of(self.bins, self.r(), self.recency_days().iter().map(|&days| i128::from(days)))
    }

    /// Returns what each score of frequency holds, from 1 on.
    pub fn frequency_bins(&self) -> Vec<ScoreBin> {
        bins_of(self.bins, self.f(), self.frequency().iter().map(|&orders| i128::from(orders)))
    }

    /// Returns what each score of monetary holds, from 1 on, in units of [`RfmTable::money_scale`].
    pub fn monetary_bins(&self) -> Vec<ScoreBin> {
        bins_of(self.bins, self.m(), self.monetary().iter().copied())
    }

    /// Returns what each segment holds, in the order of the map, empty ones too.
    ///
    /// # Errors
    /// [`CoreError::MoneyOverflow`] where the sum of all customers' money exceeds 38 digits.
    pub fn summary(&self) -> Result<Vec<SegmentSummary>, RfmError> {
        summarize(self)
    }
}
