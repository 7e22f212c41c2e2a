//! One line of a specification: a family, and what it looks at.

use std::ops::RangeInclusive;

use crate::error::FeaturesError;

use super::family::{Family, ZeroRule};
use super::filter::Filter;
use super::look_back::LookBack;
use super::pivot::{Pivot, PivotValues};

/// A feature, or several that differ in their window or in a value: a name, a [`Family`], and the events that it looks at.
///
/// # Examples
/// ```
/// use cip_features::spec::{Family, FeatureRule, Filter};
/// let carts = FeatureRule::new("carts", Family::Count)?
///     .with_filter(Filter::event_type("cart"))?
///     .with_windows(&["7d".parse()?, "30d".parse()?])?;
/// assert_eq!(carts.windows().len(), 2); // carts_7d and carts_30d
/// assert!(FeatureRule::new("7 carts", Family::Count).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureRule {
    name: Box<str>,
    family: Family,
    filter: Filter,
    windows: Windows,
    pivot: Option<Pivot>,
    fill: Option<f64>,
    range: Option<[f64; 2]>,
}

/// The windows of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Windows {
    /// That of the table, or one of its own; the name stays.
    One(Option<LookBack>),
    /// A feature for each, whose name ends with it.
    Each(Vec<LookBack>),
}

impl FeatureRule {
    /// Returns a feature over all events before the cutoff.
    ///
    /// # Errors
    /// [`FeaturesError::FeatureName`] where the name is not made of ASCII letters, digits and `_`, or is `user_id` or `label`;
    /// [`FeaturesError::Argument`] where the family is told what makes no sense.
    pub fn new(name: impl Into<Box<str>>, family: Family) -> Result<Self, FeaturesError> {
        let name = name.into();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(plain) || ["user_id", "label"].contains(&&*name) {
            return Err(FeaturesError::FeatureName { name });
        }
        let rule = Self {
            name,
            family,
            filter: Filter::default(),
            windows: Windows::One(None),
            pivot: None,
            fill: None,
            range: None,
        };
        match &rule.family {
            Family::Ratio { zero: ZeroRule::Fill(value), .. } if !value.is_finite() => {
                Err(rule.refuse("zero", value, "`null`, `zero` or a finite number to fill with"))
            }
            Family::Ratio { zero: ZeroRule::ByNumerator { nonzero, zero }, .. }
                if !(nonzero.is_finite() && zero.is_finite()) =>
            {
                let found = format!("{{ nonzero = {nonzero}, zero = {zero} }}");
                Err(rule.refuse("zero", &found, "two finite numbers"))
            }
            Family::Share { hours: None, weekdays } if weekdays.is_empty() => {
                Err(rule.refuse("hours", &"absent", "hours, weekdays or both: without them the share is 1"))
            }
            Family::Last { k: 0, .. } => {
                Err(rule.refuse("k", &0, "1 for the last event, 2 for the one before it"))
            }
            Family::Last { values, .. } if values.is_empty() => Err(rule.refuse(
                "values",
                &"[]",
                "the values that have a place, such as [\"view\", \"cart\"]",
            )),
            _ => Ok(rule),
        }
    }

    /// Looks only at events that match.
    ///
    /// # Errors
    /// [`FeaturesError::UnusedArgument`] of a ratio, which looks at no events; [`FeaturesError::Argument`] where a test has no values,
    /// or ends that are not finite or not in order.
    pub fn with_filter(mut self, filter: Filter) -> Result<Self, FeaturesError> {
        self.looks_at_events("where")?;
        filter.check(&self.name)?;
        self.filter = filter;
        Ok(self)
    }

    /// Looks only at events of a window that ends at the cutoff. Events before the window of the table are not seen either.
    ///
    /// # Errors
    /// [`FeaturesError::UnusedArgument`] of a ratio.
    pub fn with_window(mut self, window: LookBack) -> Result<Self, FeaturesError> {
        self.looks_at_events("window")?;
        self.windows = Windows::One(Some(window));
        Ok(self)
    }

    /// Multiplies the feature: one for each window, whose name ends with `_` and the window. A ratio divides the features of
    /// the names that it is told which end alike.
    ///
    /// # Errors
    /// [`FeaturesError::Argument`] without windows.
    pub fn with_windows(mut self, windows: &[LookBack]) -> Result<Self, FeaturesError> {
        if windows.is_empty() {
            return Err(self.refuse("windows", &"[]", "windows such as [\"7d\", \"30d\"]"));
        }
        self.windows = Windows::Each(windows.to_vec());
        Ok(self)
    }

    /// Multiplies the feature: one for each of some values of a column.
    ///
    /// # Errors
    /// [`FeaturesError::UnusedArgument`] of a ratio, [`FeaturesError::Argument`] without values or with more than
    /// [`Pivot::MOST`] to find.
    pub fn with_pivot(mut self, pivot: Pivot) -> Result<Self, FeaturesError> {
        self.looks_at_events("pivot")?;
        match pivot.values() {
            PivotValues::Listed(values) if values.is_empty() => {
                return Err(self.refuse("pivot.values", &"[]", "one value or more, or `top`"));
            }
            PivotValues::Top(top) if !(1..=Pivot::MOST).contains(top) => {
                return Err(self.refuse("pivot.top", top, "1 to 1000 values"));
            }
            _ => self.pivot = Some(pivot),
        }
        Ok(self)
    }

    /// Puts a number in the place of null.
    ///
    /// # Errors
    /// [`FeaturesError::UnusedArgument`] of a family that is never null, [`FeaturesError::Argument`] where the number is not
    /// finite, or not whole in a family of whole numbers.
    pub fn with_fill(mut self, fill: f64) -> Result<Self, FeaturesError> {
        /// Up to here every whole number is a 64-bit float.
        const WHOLE: f64 = 9_007_199_254_740_992.0;
        if !self.family.is_nullable(false) {
            return Err(self.unused("fill"));
        }
        let whole = fill.trunc() == fill && fill.abs() <= WHOLE;
        if !fill.is_finite() || (self.family.is_whole() && !whole) {
            let expected = if self.family.is_whole() { "a whole number" } else { "a finite number" };
            return Err(self.refuse("fill", &fill, expected));
        }
        self.fill = Some(fill);
        Ok(self)
    }

    /// Says where the values should lie, the ends included: those outside are kept and counted, see
    /// [`MatrixReport`](crate::MatrixReport). Shares, affinities and volatility lie in 0 to 1 and trends in -1 to 1 without it.
    ///
    /// # Errors
    /// [`FeaturesError::Argument`] where the ends are not finite or the first is beyond the second.
    pub fn with_range(mut self, range: RangeInclusive<f64>) -> Result<Self, FeaturesError> {
        let (low, high) = (*range.start(), *range.end());
        if !(low <= high && low.is_finite() && high.is_finite()) {
            let found = format!("[{low}, {high}]");
            return Err(self.refuse("range", &found, "two finite numbers, the second not below the first"));
        }
        self.range = Some([low, high]);
        Ok(self)
    }

    /// The name, or how the names begin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The family.
    pub const fn family(&self) -> &Family {
        &self.family
    }

    /// Which events it looks at.
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Its windows; none where it looks at that of the table.
    pub fn windows(&self) -> &[LookBack] {
        match &self.windows {
            Windows::One(window) => window.as_slice(),
            Windows::Each(windows) => windows,
        }
    }

    /// The values that it is multiplied by.
    pub const fn pivot(&self) -> Option<&Pivot> {
        self.pivot.as_ref()
    }

    /// What stands in the place of null.
    pub const fn fill(&self) -> Option<f64> {
        self.fill
    }

    /// Where its values should lie.
    pub fn range(&self) -> Option<RangeInclusive<f64>> {
        self.range.or(self.family.range()).map(|[low, high]| low..=high)
    }

    pub(super) fn own_range(&self) -> Option<[f64; 2]> {
        self.range
    }

    pub(super) fn each_window(&self) -> &Windows {
        &self.windows
    }

    fn looks_at_events(&self, argument: &'static str) -> Result<(), FeaturesError> {
        match self.family {
            Family::Ratio { .. } => Err(self.unused(argument)),
            _ => Ok(()),
        }
    }

    /// An argument that the family does not take.
    pub(super) fn unused(&self, argument: &'static str) -> FeaturesError {
        FeaturesError::UnusedArgument { feature: self.name.clone(), family: self.family.name(), argument }
    }

    fn refuse(&self, argument: &str, found: &dyn std::fmt::Display, expected: &'static str) -> FeaturesError {
        FeaturesError::Argument {
            feature: self.name.clone(),
            argument: argument.into(),
            found: found.to_string().into(),
            expected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::family::Statistic;
    use super::*;

    fn text<T>(result: Result<T, FeaturesError>) -> String {
        match result {
            Ok(_) => "taken".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        let count = || FeatureRule::new("n", Family::Count).unwrap();
        let mean = || Family::Number { statistic: Statistic::Mean, column: "price".into() };
        let ratio = |zero| Family::Ratio { numerator: "a".into(), denominator: "b".into(), zero };
        for name in ["", "a b", "a,b", "é", "user_id", "label"] {
            assert!(text(FeatureRule::new(name, Family::Count)).contains("letters, digits and _"), "{name}");
        }
        let last = |k, values| Family::Last { column: "event_type".into(), k, values };
        for (said, what) in [
            (text(count().with_fill(0.0)), "family `count` takes no `fill`"),
            (text(FeatureRule::new("r", ratio(ZeroRule::Fill(f64::NAN)))), "`zero` is NaN, expected `null`"),
            (
                text(FeatureRule::new(
                    "r",
                    ratio(ZeroRule::ByNumerator { nonzero: f64::INFINITY, zero: 0.0 }),
                )),
                "`zero` is { nonzero = inf, zero = 0 }, expected two finite",
            ),
            (
                text(FeatureRule::new("s", Family::Share { hours: None, weekdays: vec![] })),
                "hours, weekdays or both",
            ),
            (text(FeatureRule::new("l", last(0, vec![]))), "`k` is 0, expected 1 for the last"),
            (text(FeatureRule::new("l", last(1, vec![]))), "`values` is [], expected the values"),
            (text(count().with_windows(&[])), "`windows` is [], expected windows such as"),
            (
                text(count().with_pivot(Pivot::new("brand", PivotValues::Top(0)))),
                "`pivot.top` is 0, expected 1 to",
            ),
            (
                text(count().with_pivot(Pivot::new("brand", PivotValues::Top(1_001)))),
                "`pivot.top` is 1001, expected",
            ),
            (
                text(count().with_pivot(Pivot::new("brand", PivotValues::Listed(vec![])))),
                "`pivot.values` is []",
            ),
            (text(count().with_range(1.0..=0.5)), "`range` is [1, 0.5], expected two finite"),
            (text(count().with_range(f64::NAN..=0.5)), "`range` is [NaN, 0.5], expected two finite"),
            (text(count().with_range(0.0..=f64::INFINITY)), "`range` is [0, inf], expected two finite"),
            (
                text(FeatureRule::new("m", mean()).unwrap().with_fill(f64::NAN)),
                "`fill` is NaN, expected a finite",
            ),
            (
                text(FeatureRule::new("a", ratio(ZeroRule::Null)).unwrap().with_filter(Filter::default())),
                "takes no `where`",
            ),
        ] {
            assert!(said.contains(what), "`{what}` is not in: {said}");
        }
        let recency = FeatureRule::new("d", Family::Recency { days: Default::default() }).unwrap();
        assert!(text(recency.clone().with_fill(0.5)).contains("`fill` is 0.5, expected a whole number"));
        assert_eq!(recency.with_fill(999.0).unwrap().fill(), Some(999.0));
    }
}
