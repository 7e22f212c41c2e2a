//! Rows of a subscription service as plain values, and as batches.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Decimal128Array, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use cip_core::EventBatch;

/// The event types of tests, one of them twice, and some that are nearly others.
pub(crate) const TYPES: [&str; 16] = [
    "page_view",
    "video_start",
    "video_complete",
    "search",
    "feature_click",
    "share",
    "download",
    "support_ticket",
    "support",
    "subscription_cancelled",
    "video_pause",
    "supporter_joined",
    "purchase",
    "video_start",
    "Search",
    "subscription_started",
];

/// The devices of tests: more than there should be, and some that are nearly mobile.
pub(crate) const DEVICES: [&str; 6] = ["smart_tv", "mobile", "desktop", "tablet", "Mobile", ""];

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Use {
    pub(crate) user: Option<i64>,
    pub(crate) time: i64,
    /// Position in [`TYPES`].
    pub(crate) kind: usize,
    /// Position in [`DEVICES`].
    pub(crate) device: Option<usize>,
    pub(crate) seconds: Option<i64>,
    /// Cents.
    pub(crate) revenue: Option<i64>,
}

impl Use {
    /// Of user 1, without anything else.
    pub(crate) fn at(time: i64, name: &str) -> Self {
        let kind = TYPES.iter().position(|&kind| kind == name).unwrap();
        Self { user: Some(1), time, kind, device: None, seconds: None, revenue: None }
    }

    pub(crate) fn name(&self) -> &'static str {
        TYPES[self.kind]
    }
}

/// Dictionaries begin at `turn`, so that codes of two batches differ; rows without a device use a null of the values and one of
/// the keys in turn.
pub(crate) fn batch_turned(events: &[Use], turn: usize) -> EventBatch {
    let turned = |names: &[&'static str]| -> Vec<Option<&'static str>> {
        (0..names.len()).map(|at| Some(names[(at + turn) % names.len()])).collect()
    };
    let code = |at: usize, len: usize| ((at + len - turn % len) % len) as i32;
    let kinds: Int32Array = events.iter().map(|event| code(event.kind, TYPES.len())).collect();
    let devices: Int32Array = events
        .iter()
        .enumerate()
        .map(|(row, event)| match event.device {
            Some(device) => Some(code(device, DEVICES.len())),
            None => (row % 2 == 1).then_some(DEVICES.len() as i32),
        })
        .collect();
    let mut device_names = turned(&DEVICES);
    device_names.push(None);
    let times = TimestampMicrosecondArray::from_iter_values(events.iter().map(|event| event.time));
    let seconds: Int64Array = events.iter().map(|event| event.seconds).collect();
    let revenue: Decimal128Array = events.iter().map(|event| event.revenue.map(i128::from)).collect();
    let columns: [(&str, ArrayRef); 6] = [
        ("user_id", Arc::new(events.iter().map(|event| event.user).collect::<Int64Array>())),
        ("event_time", Arc::new(times.with_timezone("UTC"))),
        (
            "event_type",
            Arc::new(DictionaryArray::<Int32Type>::new(kinds, Arc::new(StringArray::from(turned(&TYPES))))),
        ),
        (
            "device_type",
            Arc::new(DictionaryArray::<Int32Type>::new(devices, Arc::new(StringArray::from(device_names)))),
        ),
        ("duration_seconds", Arc::new(seconds)),
        ("revenue", Arc::new(revenue.with_precision_and_scale(18, 2).unwrap())),
    ];
    EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
}

/// In the order of the store.
pub(crate) fn sort(events: &[Use]) -> Vec<Use> {
    let mut sorted = events.to_vec();
    sorted.sort_by_key(|event| (event.user.is_none(), event.user, event.time));
    sorted
}

pub(crate) fn sorted(events: &[Use]) -> EventBatch {
    batch_turned(&sort(events), 0)
}

/// Sorted, in batches that begin at the given rows: in turn batches with dictionaries of their own, and slices of one.
pub(crate) fn split(events: &[Use], cuts: &[usize]) -> Vec<EventBatch> {
    let all = sort(events);
    let whole = batch_turned(&all, 0);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (all.len() + 1)).collect();
    cuts.extend([0, all.len()]);
    cuts.sort_unstable();
    cuts.windows(2)
        .enumerate()
        .map(|(turn, rows)| match turn % 2 {
            0 => batch_turned(&all[rows[0]..rows[1]], turn),
            _ => whole.slice(rows[0], rows[1] - rows[0]),
        })
        .collect()
}
