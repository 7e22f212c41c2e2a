//! Which features say nearly the same: Pearson's correlation of every two columns of a table.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{ArrayRef, RecordBatch};

/// Correlations of every two of some columns, over all batches that were added.
///
/// # Formula
/// r = sum of (a - mean a)(b - mean b) / root of (sum of (a - mean a)^2 x sum of (b - mean b)^2), over the users of whom both are
/// known.
///
/// # Method
/// Means and sums are updated user by user (Welford 1962, extended to products), so the result does not depend on how the table is
/// cut into batches.
///
/// # Complexity
/// Time is linear in the users times the pairs, memory in the pairs.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
/// use cip_features::Correlations;
/// let table = RecordBatch::try_from_iter([
///     ("carts", Arc::new(Int64Array::from(vec![Some(1), Some(2), Some(4), None])) as ArrayRef),
///     ("spend", Arc::new(Float64Array::from(vec![10.0, 20.0, 40.0, 99.0]))),
///     ("days", Arc::new(Int64Array::from(vec![1, 0, 1, 0]))),
/// ])?;
/// let mut correlations = Correlations::new(["carts", "spend", "days"]);
/// correlations.add(&table);
/// let close = correlations.at_least(0.9);
/// assert_eq!(close.len(), 1);
/// assert_eq!((&*close[0].a, &*close[0].b, close[0].r, close[0].users), ("carts", "spend", 1.0, 3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Correlations {
    names: Vec<Box<str>>,
    /// Of each column with each behind it.
    pairs: Vec<Moments>,
}

/// The correlation of two columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Correlation {
    /// The first column.
    pub a: Box<str>,
    /// The second, which stands behind the first.
    pub b: Box<str>,
    /// -1 to 1.
    pub r: f64,
    /// Users of whom both are known.
    pub users: u64,
}

/// Means of two columns, and the sums of squares and of products of what differs from them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Moments {
    users: u64,
    mean_a: f64,
    mean_b: f64,
    squares_a: f64,
    squares_b: f64,
    products: f64,
}

impl Correlations {
    /// Returns the correlations of no users yet; numbers in columns that are Int64 or Float64 count.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<Box<str>> = names.into_iter().map(Box::from).collect();
        let pairs = names.len() * names.len().saturating_sub(1) / 2;
        Self { names, pairs: vec![Moments::default(); pairs] }
    }

    /// Adds rows of the table; columns that it does not have add nothing.
    pub fn add(&mut self, batch: &RecordBatch) {
        let column = |name: &str| batch.column_by_name(name).map_or(Vec::new(), numbers);
        let columns: Vec<Vec<Option<f64>>> = self.names.iter().map(|name| column(name)).collect();
        let mut pairs = self.pairs.iter_mut();
        for (place, a) in columns.iter().enumerate() {
            for (b, moments) in columns[place + 1..].iter().zip(&mut pairs) {
                a.iter().zip(b).filter_map(|(a, b)| a.zip(*b)).for_each(|(a, b)| moments.add(a, b));
            }
        }
    }

    /// Returns the pairs of which |r| is `limit` or more, the greatest first and equal ones in the order of the columns. Pairs with a
    /// column that is the same for all users have no correlation.
    pub fn at_least(&self, limit: f64) -> Vec<Correlation> {
        let names = |place: usize| self.names[place + 1..].iter().map(move |b| (&self.names[place], b));
        let pairs = (0..self.names.len()).flat_map(names).zip(&self.pairs);
        let mut found: Vec<Correlation> = pairs
            .filter_map(|((a, b), moments)| {
                let r = moments.correlation().filter(|r| r.abs() >= limit)?;
                Some(Correlation { a: a.clone(), b: b.clone(), r, users: moments.users })
            })
            .collect();
        found.sort_by(|one, other| other.r.abs().total_cmp(&one.r.abs()));
        found
    }
}

impl Moments {
    #[inline]
    fn add(&mut self, a: f64, b: f64) {
        self.users += 1;
        let users = self.users as f64;
        let (before_a, before_b) = (a - self.mean_a, b - self.mean_b);
        self.mean_a += before_a / users;
        self.mean_b += before_b / users;
        let after_b = b - self.mean_b;
        self.squares_a += before_a * (a - self.mean_a);
        self.squares_b += before_b * after_b;
        self.products += before_a * after_b;
    }

    fn correlation(&self) -> Option<f64> {
        // Each root by itself: the product of the squares may be beyond the range of floats.
        let scale = self.squares_a.sqrt() * self.squares_b.sqrt();
        let r = self.products / scale;
        r.is_finite().then(|| r.clamp(-1.0, 1.0))
    }
}

fn numbers(column: &ArrayRef) -> Vec<Option<f64>> {
    if let Some(counts) = column.as_primitive_opt::<Int64Type>() {
        counts.iter().map(|count| count.map(|count| count as f64)).collect()
    } else if let Some(ratios) = column.as_primitive_opt::<Float64Type>() {
        ratios.iter().collect()
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, Int64Array};
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    fn table(columns: [&[Option<f64>]; 3]) -> RecordBatch {
        let whole: Int64Array = columns[0].iter().map(|value| value.map(|value| value as i64)).collect();
        let [b, c] = [1, 2].map(|place| Arc::new(columns[place].iter().copied().collect::<Float64Array>()));
        RecordBatch::try_from_iter([("a", Arc::new(whole) as ArrayRef), ("b", b), ("c", c)]).unwrap()
    }

    /// By two passes.
    fn plain(a: &[Option<f64>], b: &[Option<f64>]) -> Option<(f64, u64)> {
        let pairs: Vec<(f64, f64)> = a.iter().zip(b).filter_map(|(a, b)| a.zip(*b)).collect();
        let n = pairs.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
        let (mean_a, mean_b) = (mean(|pair| pair.0), mean(|pair| pair.1));
        let sum =
            |of: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|(a, b)| of(a - mean_a, b - mean_b)).sum::<f64>();
        let (aa, bb) = (sum(&|a, _| a * a), sum(&|_, b| b * b));
        (aa > 1e-12 && bb > 1e-12).then(|| (sum(&|a, b| a * b) / (aa * bb).sqrt(), pairs.len() as u64))
    }

    proptest! {
        #[test]
        fn they_are_those_of_two_passes_however_the_table_is_cut(
            rows in proptest::collection::vec(proptest::array::uniform3(option::weighted(0.8, -9i32..9)), 0..40),
            cut in any::<prop::sample::Index>(),
        ) {
            let column = |place: usize| -> Vec<Option<f64>> { rows.iter().map(|row| row[place].map(f64::from)).collect() };
            let columns = [0, 1, 2].map(column);
            let whole = table([&columns[0], &columns[1], &columns[2]]);
            let mut at_once = Correlations::new(["a", "b", "c", "absent"]);
            at_once.add(&whole);
            let mut in_two = Correlations::new(["a", "b", "c", "absent"]);
            let cut = cut.index(rows.len() + 1);
            in_two.add(&whole.slice(0, cut));
            in_two.add(&whole.slice(cut, rows.len() - cut));
            prop_assert_eq!(&in_two, &at_once);
            let found = at_once.at_least(0.0);
            prop_assert!(found.is_sorted_by(|one, other| one.r.abs() >= other.r.abs()));
            for (a, b) in [(0, 1), (0, 2), (1, 2)] {
                let names = [a, b].map(|place| ["a", "b", "c"][place]);
                let found = found.iter().find(|found| [&*found.a, &*found.b] == names);
                match (found, plain(&columns[a], &columns[b])) {
                    (Some(found), Some((r, users))) => {
                        prop_assert!((found.r - r).abs() < 1e-12, "{} {}", found.r, r);
                        prop_assert_eq!(found.users, users);
                    }
                    (found, expected) => prop_assert!(found.is_none() && expected.is_none(), "{:?} {:?}", found, expected),
                }
            }
        }
    }
}
