//! Two tables, compared: the laws of profiles, what other programs say of the same tables, and tables of any shape.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod laws;
mod others;
mod shapes;

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use cip_drift::{DriftError, DriftOptions, DriftReport, Preset, TableProfile};

/// A table of nullable columns.
pub(crate) fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .unwrap()
}

pub(crate) fn numbers(values: impl IntoIterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Float64Array>())
}

pub(crate) fn texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

pub(crate) fn profile(table: &RecordBatch) -> TableProfile {
    let mut profile = TableProfile::new(&table.schema());
    profile.push(table).unwrap();
    profile
}

pub(crate) fn compare(
    preset: Preset,
    reference: &RecordBatch,
    current: &RecordBatch,
) -> Result<DriftReport, DriftError> {
    DriftReport::compare(&profile(reference), &profile(current), &DriftOptions::new(preset))
}

/// Numbers that look random and are the same in every run: of 0 to 1.
pub(crate) fn uniform(seed: u64) -> impl Iterator<Item = f64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    })
}
