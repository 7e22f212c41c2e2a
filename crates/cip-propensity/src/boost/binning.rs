//! Values as small codes: at most 255 bins a feature, and one for the unknown.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayView2};
use rayon::prelude::*;

use crate::matrix::Categories;
use crate::tree::code;

/// The most bins of known values; their codes and that of the unknown fit in a byte.
const MOST: usize = 255;

/// Features whose cells of a histogram stay in the processor's nearest cache together.
pub(super) const GROUP: usize = 12;

/// What the bins of a feature hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cuts {
    /// Numbers: a value is in the bin of as many thresholds as are not above it.
    Numbers {
        /// They ascend.
        thresholds: Vec<f32>,
        /// Whether the largest number that there is stands above all values.
        below_largest: bool,
    },
    /// Categories: the codes of each bin.
    Codes(Vec<Vec<u32>>),
}

/// A feature in bins.
#[derive(Debug)]
pub(super) struct Feature {
    pub(super) cuts: Cuts,
    /// Bins of known values: the code of the unknown.
    pub(super) bins: u8,
    /// The code of each row.
    pub(super) codes: Vec<u8>,
}

/// Neighbouring features with the codes of a row side by side.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) features: Range<usize>,
    pub(super) codes: Vec<u8>,
}

/// A table in bins, once by columns, where rows are sent to children, and once by rows, where they are summed.
#[derive(Debug)]
pub(super) struct Binned {
    pub(super) features: Vec<Feature>,
    pub(super) groups: Vec<Group>,
}

impl Binned {
    /// The bins of a table, made by so many threads of the pool at most.
    pub(super) fn new(
        values: ArrayView2<'_, f32>,
        categories: &[Option<Categories>],
        threads: usize,
    ) -> Self {
        let feature = |column: usize| Feature::new(values.column(column), categories[column].as_ref());
        let features = made(values.ncols(), threads, feature);
        let groups = features.len().div_ceil(GROUP);
        let width = features.len().div_ceil(groups.max(1)).max(1);
        let group = |group: usize| {
            let columns = group * width..features.len().min((group + 1) * width);
            let mut codes = vec![0; values.nrows() * columns.len()];
            for (at, feature) in features[columns.clone()].iter().enumerate() {
                let places = codes.iter_mut().skip(at).step_by(columns.len());
                places.zip(&feature.codes).for_each(|(to, from)| *to = *from);
            }
            Group { features: columns, codes }
        };
        let groups = made(features.len().div_ceil(width), threads, group);
        Self { features, groups }
    }
}

/// So many things, made by so many threads of the pool at most.
fn made<T: Send>(count: usize, threads: usize, make: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    if threads > 1 {
        (0..count).into_par_iter().with_min_len(count.div_ceil(threads)).map(make).collect()
    } else {
        (0..count).map(make).collect()
    }
}

impl Feature {
    fn new(values: ArrayView1<'_, f32>, categories: Option<&Categories>) -> Self {
        match categories {
            None => Self::of_numbers(values),
            Some(categories) => Self::of_codes(values, categories.other()),
        }
    }

    /// # Method
    /// Where at most 255 numbers differ each has a bin; otherwise bins are filled in the order of the numbers, each with its part of the rows
    /// that are left, and no number is in two. Thresholds are half way between the numbers on their sides.
    fn of_numbers(values: ArrayView1<'_, f32>) -> Self {
        let keys: Vec<u32> = values.iter().map(|&value| key(value)).collect();
        let mut sorted: Vec<u32> = keys.iter().copied().filter(|&key| key != UNKNOWN).collect();
        sort(&mut sorted);
        let edges = edges(&sorted);
        let thresholds: Vec<f32> =
            edges.iter().map(|&[below, above]| between(number(below), number(above))).collect();
        // The codes are looked up by keys: whole numbers compare faster.
        let firsts: Vec<u32> = edges.iter().map(|&[_, above]| above).collect();
        let bins = (thresholds.len() + usize::from(!sorted.is_empty())) as u8;
        let bin = |&key: &u32| {
            if key == UNKNOWN { bins } else { firsts.partition_point(|&first| first <= key) as u8 }
        };
        let below_largest = sorted.last().is_some_and(|&last| number(last) < f32::MAX);
        Self {
            bins,
            codes: keys.iter().map(bin).collect(),
            cuts: Cuts::Numbers { thresholds, below_largest },
        }
    }

    /// Each code that rows have has a bin; of more than 255 the rarest share the last one, of equally rare ones the higher.
    fn of_codes(values: ArrayView1<'_, f32>, other: u32) -> Self {
        let code = |value: f32| code(value).filter(|_| !value.is_nan()).map(|code| code.min(other) as usize);
        let mut rows = vec![0u64; other as usize + 1];
        values.iter().filter_map(|&value| code(value)).for_each(|code| rows[code] += 1);
        let mut seen: Vec<u32> = (0..=other).filter(|&code| rows[code as usize] > 0).collect();
        let mut rare = Vec::new();
        if seen.len() > MOST {
            seen.sort_by_key(|&code| std::cmp::Reverse(rows[code as usize]));
            rare = seen.split_off(MOST - 1);
            seen.sort_unstable();
            rare.sort_unstable();
        }
        let mut codes: Vec<Vec<u32>> = seen.into_iter().map(|code| vec![code]).collect();
        codes.extend((!rare.is_empty()).then_some(rare));
        let bins = codes.len() as u8;
        let mut bin_of = vec![bins; other as usize + 1];
        for (bin, codes) in codes.iter().enumerate() {
            codes.iter().for_each(|&code| bin_of[code as usize] = bin as u8);
        }
        let bin = |&value: &f32| code(value).map_or(bins, |code| bin_of[code]);
        Self { bins, codes: values.iter().map(bin).collect(), cuts: Cuts::Codes(codes) }
    }
}

/// The key of the unknown, which no number has.
const UNKNOWN: u32 = u32::MAX;

/// A word that sorts as the number does; both zeros have the same.
fn key(value: f32) -> u32 {
    if value.is_nan() {
        return UNKNOWN;
    }
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn number(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & !(1 << 31) } else { !key })
}

/// A number above the first, and not above the second, half way if it can be.
fn between(below: f32, above: f32) -> f32 {
    let half = (f64::midpoint(below.into(), above.into()) as f32).clamp(f32::MIN, f32::MAX);
    if below < half && half <= above { half } else { above }
}

/// Sorts by eleven bits at a time, the lowest first.
fn sort(keys: &mut Vec<u32>) {
    const BITS: u32 = 11;
    const FEW: usize = 1 << BITS;
    if keys.len() < FEW {
        keys.sort_unstable();
        return;
    }
    let mut other = vec![0; keys.len()];
    for shift in [0, BITS, 2 * BITS] {
        let digit = |key: u32| (key >> shift) as usize % FEW;
        let mut places = [0; FEW];
        keys.iter().for_each(|&key| places[digit(key)] += 1);
        let mut sum = 0;
        for place in &mut places {
            sum += std::mem::replace(place, sum);
        }
        for &key in keys.iter() {
            let place = &mut places[digit(key)];
            other[*place] = key;
            *place += 1;
        }
        std::mem::swap(keys, &mut other);
    }
}

/// The last key of each bin but the last, and the first of the next.
fn edges(sorted: &[u32]) -> Vec<[u32; 2]> {
    let differ = |pair: &&[u32]| pair[0] != pair[1];
    let each_alone = sorted.windows(2).filter(differ).count() < MOST;
    let mut edges = Vec::new();
    // Rows behind the last edge, of which so many are in the open bin.
    let (mut left, mut filled) = (sorted.len(), 0);
    let mut last = None;
    for run in sorted.chunk_by(|a, b| a == b) {
        // Rather too few than too many, if that is nearer to its part.
        let bins_left = MOST - edges.len();
        let beyond = bins_left > 1 && (2 * filled + run.len()) * bins_left > 2 * left;
        if let Some(below) = last
            && (each_alone || beyond)
        {
            edges.push([below, run[0]]);
            left -= std::mem::take(&mut filled);
        }
        filled += run.len();
        last = Some(run[0]);
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2};
    use proptest::prelude::*;

    fn numbers(values: &[f32]) -> (Vec<f32>, Feature) {
        let feature = Feature::new(Array1::from(values.to_vec()).view(), None);
        let Cuts::Numbers { thresholds, .. } = &feature.cuts else { unreachable!() };
        (thresholds.clone(), feature)
    }

    fn value() -> impl Strategy<Value = f32> {
        prop_oneof![
            4 => (-300i16..300).prop_map(f32::from),
            4 => any::<f32>().prop_filter("finite", |value| value.is_finite()),
            1 => Just(f32::NAN),
            1 => Just(-0.0),
            1 => Just(f32::INFINITY),
            1 => Just(f32::NEG_INFINITY),
        ]
    }

    proptest! {
        #[test]
        fn thresholds_decide_as_the_bins_do(values in proptest::collection::vec(value(), 1..2_500)) {
            let (thresholds, feature) = numbers(&values);
            prop_assert!(thresholds.windows(2).all(|pair| pair[0] < pair[1]) && thresholds.len() < MOST);
            for (&value, &bin) in values.iter().zip(&feature.codes) {
                if value.is_nan() {
                    prop_assert_eq!(bin, feature.bins);
                    continue;
                }
                for (at, &threshold) in thresholds.iter().enumerate() {
                    prop_assert_eq!(value < threshold, usize::from(bin) <= at, "{} {}", value, threshold);
                }
            }
        }

        #[test]
        fn keys_sort_as_numbers_do(mut keys in proptest::collection::vec(any::<u32>(), 0..6_000), a in value(), b in value()) {
            prop_assert!(a.is_nan() || b.is_nan() || a.partial_cmp(&b) == Some(key(a).cmp(&key(b))));
            prop_assert!(a.is_nan() || number(key(a)) == a);
            let mut plain = keys.clone();
            plain.sort_unstable();
            sort(&mut keys);
            prop_assert_eq!(keys, plain);
        }

        #[test]
        fn a_threshold_is_above_the_one_and_not_above_the_other(a in value(), b in value()) {
            let (a, b) = if a < b { (a, b) } else { (b, a) };
            prop_assume!(a < b);
            let half = between(a, b);
            prop_assert!(a < half && half <= b);
        }
    }

    #[test]
    fn few_numbers_have_a_bin_each_and_many_share_them_evenly() {
        let (thresholds, feature) = numbers(&[3.0, f32::NAN, 1.0, -0.0, 0.0, 3.0]);
        assert_eq!(thresholds, [0.5, 2.0]);
        assert_eq!((feature.codes.as_slice(), feature.bins), (&[2, 3, 1, 0, 0, 2][..], 3));

        let many: Vec<f32> = (0..51_000).map(|row| (row * 7_919 % 51_000) as f32).collect();
        let (thresholds, feature) = numbers(&many);
        assert_eq!((thresholds.len(), feature.bins), (254, 255));
        let mut rows = [0; 256];
        feature.codes.iter().for_each(|&bin| rows[usize::from(bin)] += 1);
        assert!(rows[..255].iter().all(|&rows| rows == 200), "{rows:?}");
        // Half of the rows have one number: it takes one bin, and the others share the rest.
        let half: Vec<f32> = many.iter().map(|&value| if value < 25_500.0 { 0.0 } else { value }).collect();
        let (thresholds, feature) = numbers(&half);
        assert_eq!(thresholds.len(), 254);
        rows = [0; 256];
        feature.codes.iter().for_each(|&bin| rows[usize::from(bin)] += 1);
        assert_eq!(rows[0], 25_500);
        assert!(rows[1..255].iter().all(|rows| (99..=102).contains(rows)), "{rows:?}");
    }

    #[test]
    fn what_is_always_the_same_or_never_known_has_no_threshold() {
        for (values, bins) in
            [(vec![2.5; 9], 1), (vec![f32::NAN; 9], 0), (vec![f32::NAN, -1.0], 1), (vec![f32::MAX], 1)]
        {
            let (thresholds, feature) = numbers(&values);
            assert_eq!((thresholds.len(), feature.bins), (0, bins));
            let Cuts::Numbers { below_largest, .. } = feature.cuts else { unreachable!() };
            assert_eq!(below_largest, bins == 1 && values[0] != f32::MAX);
        }
    }

    #[test]
    fn codes_that_rows_have_are_bins_and_the_rarest_of_many_share_one() {
        let categories = Categories::new(["a", "b", "c"].map(Into::into).to_vec()).unwrap();
        let feature = Feature::new(Array1::from(vec![3.0, 0.0, f32::NAN, 3.0]).view(), Some(&categories));
        assert_eq!(
            (&feature.cuts, feature.codes.as_slice()),
            (&Cuts::Codes(vec![vec![0], vec![3]]), &[1, 0, 2, 1][..])
        );

        let names = (0..400).map(|code| format!("{code:03}").into()).collect();
        let categories = Categories::new(names).unwrap();
        // Every third code is there twice.
        let values: Vec<f32> = (0..400u16).chain((0..400).step_by(3)).map(f32::from).collect();
        let feature = Feature::new(Array1::from(values).view(), Some(&categories));
        let Cuts::Codes(codes) = &feature.cuts else { unreachable!() };
        assert_eq!((codes.len(), feature.bins, codes[254].len()), (255, 255, 400 - 254));
        assert!(
            codes[..254].iter().all(|codes| codes.len() == 1)
                && (0..400).step_by(3).all(|code| !codes[254].contains(&code))
        );
        assert_eq!((feature.codes[399], feature.codes[398]), (253, 254));
    }

    #[test]
    fn groups_hold_the_codes_of_their_columns_on_any_number_of_threads() {
        for columns in [0, 1, 12, 13, 30] {
            let values =
                Array2::from_shape_fn((50, columns), |(row, column)| (row * (column + 3) % 17) as f32);
            let binned = Binned::new(values.view(), &vec![None; columns], 3);
            let mut at = 0;
            for group in &binned.groups {
                assert_eq!(group.features.start, at);
                at = group.features.end;
                assert!(group.features.len() <= GROUP);
                for (row, codes) in group.codes.chunks(group.features.len()).enumerate() {
                    for (feature, &code) in group.features.clone().zip(codes) {
                        assert_eq!(code, binned.features[feature].codes[row]);
                    }
                }
            }
            assert_eq!(at, columns);
        }
    }
}
