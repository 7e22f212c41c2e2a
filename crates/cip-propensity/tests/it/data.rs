//! Tables to learn from, made from a seed.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use cip_propensity::FeatureMatrix;

/// Knuth's MMIX generator: the upper 31 bits of each state as a number below 1. Simple enough to be written in any
/// language, so that a script can make the same numbers.
pub(crate) fn uniforms(seed: u64) -> impl Iterator<Item = f64> {
    let mut state = seed;
    std::iter::from_fn(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some((state >> 33) as f64 / f64::from(1u32 << 31))
    })
}

pub(crate) fn matrix(columns: &[(&str, Vec<Option<f64>>)]) -> FeatureMatrix {
    let arrays = columns.iter().map(|(name, values)| {
        let array: ArrayRef = Arc::new(Float64Array::from(values.clone()));
        (*name, array, true)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(arrays).unwrap();
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    FeatureMatrix::from_batches(&names, &[batch]).unwrap()
}

/// Rows whose label follows from `a` and from whether `b` is known, with some chance; `noise` says nothing.
pub(crate) fn learnable(rows: usize, seed: u64) -> (FeatureMatrix, Vec<bool>) {
    let mut next = uniforms(seed);
    let mut draw = || next.next().unwrap();
    let (mut a, mut b, mut noise, mut labels) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rows {
        let (x, y) = (draw(), draw());
        let known = draw() < 0.7;
        a.push(Some((x * 50.0).floor()));
        b.push(known.then_some(y));
        noise.push(Some(draw()));
        labels.push(draw() < 0.05 + 0.5 * x * x + if known { 0.0 } else { 0.3 });
    }
    (matrix(&[("a", a), ("b", b), ("noise", noise)]), labels)
}
