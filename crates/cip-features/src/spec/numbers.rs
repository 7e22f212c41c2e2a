//! Statistics of the numbers of one user.

use super::column::{Beyond, Number};
use super::family::Statistic;

/// The digits of a sum: 38 nines at the most.
const MAX_SUM: u128 = 10u128.pow(cip_core::SUM_PRECISION as u32) - 1;

/// What is kept of the numbers so far.
#[derive(Debug, Clone)]
pub(super) enum Numbers {
    Total(Total),
    Extreme(Option<Number>, Statistic),
    Moments(Moments),
}

/// How many there are, and their sum: exact ones apart from floats, of which a column has only one kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Total {
    count: u64,
    exact: i128,
    float: f64,
    statistic: Mean,
}

/// Whether the sum or the mean is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mean {
    #[default]
    Sum,
    Mean,
}

/// Welford's mean and sum of squared differences from it, in units of the column.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Numbers {
    pub(super) fn new(statistic: Statistic) -> Self {
        match statistic {
            Statistic::Sum => Self::Total(Total::default()),
            Statistic::Mean => Self::Total(Total { statistic: Mean::Mean, ..Total::default() }),
            Statistic::Min | Statistic::Max => Self::Extreme(None, statistic),
            Statistic::Std => Self::Moments(Moments::default()),
        }
    }

    /// Adds a number.
    #[inline]
    pub(super) fn add(&mut self, number: Number) -> Result<(), Beyond> {
        match self {
            Self::Total(total) => {
                total.count += 1;
                match number {
                    Number::Exact(value) => total.exact = total.exact.checked_add(value).ok_or(Beyond)?,
                    Number::Float(value) => total.float += value,
                }
            }
            Self::Extreme(found, statistic) => {
                let replaces = found.is_none_or(|found| match statistic {
                    Statistic::Min => is_less(number, found),
                    _ => is_less(found, number),
                });
                if replaces {
                    *found = Some(number);
                }
            }
            Self::Moments(moments) => {
                let value = to_float(number);
                moments.count += 1.0;
                let before = value - moments.mean;
                moments.mean += before / moments.count;
                moments.squares += before * (value - moments.mean);
            }
        }
        Ok(())
    }

    /// Returns what they come to, divided by the column's unit; none where it is unknown.
    pub(super) fn value(&self, unit: f64) -> Result<Option<f64>, Beyond> {
        Ok(match self {
            Self::Total(total) => {
                if total.exact.unsigned_abs() > MAX_SUM {
                    return Err(Beyond);
                }
                // A column has numbers of one kind, so one of the two is 0.
                let sum = total.exact as f64 + total.float;
                match total.statistic {
                    Mean::Sum => Some(sum / unit),
                    // Counts and powers of ten are exact, and so is their product up to 2^53.
                    Mean::Mean => (total.count > 0).then(|| sum / (total.count as f64 * unit)),
                }
            }
            Self::Extreme(found, _) => found.map(|found| to_float(found) / unit),
            Self::Moments(moments) => {
                let variance = moments.squares / (moments.count - 1.0);
                (moments.count > 1.0).then(|| variance.sqrt() / unit)
            }
        })
    }

    pub(super) fn clear(&mut self) {
        match self {
            Self::Total(total) => *total = Total { statistic: total.statistic, ..Total::default() },
            Self::Extreme(found, _) => *found = None,
            Self::Moments(moments) => *moments = Moments::default(),
        }
    }
}

fn to_float(number: Number) -> f64 {
    match number {
        Number::Exact(value) => value as f64,
        Number::Float(value) => value,
    }
}

fn is_less(a: Number, b: Number) -> bool {
    match (a, b) {
        (Number::Exact(a), Number::Exact(b)) => a < b,
        _ => to_float(a) < to_float(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(statistic: Statistic, numbers: &[Number]) -> Result<Option<f64>, Beyond> {
        let mut state = Numbers::new(statistic);
        // What an earlier user left is gone.
        state.add(Number::Exact(77))?;
        state.clear();
        numbers.iter().try_for_each(|&number| state.add(number))?;
        state.value(100.0)
    }

    #[test]
    fn of_no_numbers_only_the_sum_is_known() {
        for statistic in [Statistic::Mean, Statistic::Min, Statistic::Max, Statistic::Std] {
            assert_eq!(of(statistic, &[]), Ok(None), "{statistic:?}");
        }
        assert_eq!(of(Statistic::Sum, &[]), Ok(Some(0.0)));
        assert_eq!(of(Statistic::Std, &[Number::Exact(3)]), Ok(None));
    }

    #[test]
    fn they_are_those_of_a_textbook() {
        // numpy 2.3: np.mean, np.std(ddof=1) of [2, 4, 4, 4, 5, 5, 7, 9] / 100
        let exact = [200, 400, 400, 400, 500, 500, 700, 900].map(Number::Exact);
        let float = [200.0, 400.0, 400.0, 400.0, 500.0, 500.0, 700.0, 900.0].map(Number::Float);
        for numbers in [exact, float] {
            assert_eq!(of(Statistic::Sum, &numbers), Ok(Some(40.0)));
            assert_eq!(of(Statistic::Mean, &numbers), Ok(Some(5.0)));
            assert_eq!(of(Statistic::Min, &numbers), Ok(Some(2.0)));
            assert_eq!(of(Statistic::Max, &numbers), Ok(Some(9.0)));
            let std = of(Statistic::Std, &numbers).unwrap().unwrap();
            assert!((std - 2.138_089_935_299_395).abs() < 1e-14, "{std}");
        }
    }

    #[test]
    fn sums_are_exact_up_to_38_digits_and_refused_beyond() {
        let most = 10i128.pow(38) - 1;
        assert_eq!(of(Statistic::Sum, &[Number::Exact(most), Number::Exact(-most)]), Ok(Some(0.0)));
        assert!(of(Statistic::Sum, &[Number::Exact(most)]).is_ok());
        assert_eq!(of(Statistic::Sum, &[Number::Exact(most), Number::Exact(1)]), Err(Beyond));
        assert_eq!(of(Statistic::Mean, &[Number::Exact(most), Number::Exact(most)]), Err(Beyond));
        assert_eq!(
            of(Statistic::Max, &[Number::Exact(most), Number::Exact(i128::MAX)]).map(|max| max.is_some()),
            Ok(true)
        );
    }
}
