//! Features that are written down, not programmed: families, filters and windows, from which a table is made.
//!
//! A [`FeatureSpec`] is a list of [`FeatureRule`]s, in Rust or as TOML. Bound to a window and a schema it is [`SpecFeatures`], which
//! makes the table as [`Features`](crate::Features) does: one row a user, point in time, in one pass over the events.
//!
//! ```
//! # use std::sync::Arc;
//! # use arrow_array::types::{Float64Type, Int32Type, Int64Type};
//! # use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray, cast::AsArray};
//! # use cip_core::{EventBatch, MICROS_PER_DAY, TimeRange};
//! # let times = TimestampMicrosecondArray::from_iter_values([0, 6, 9, 5].map(|day| day * MICROS_PER_DAY));
//! # let types: DictionaryArray<Int32Type> = ["view", "cart", "cart", "view"].into_iter().collect();
//! # let events = EventBatch::try_new(RecordBatch::try_from_iter([
//! #     ("user_id", Arc::new(Int64Array::from(vec![7, 7, 7, 9])) as ArrayRef),
//! #     ("event_time", Arc::new(times.with_timezone("UTC"))),
//! #     ("event_type", Arc::new(types)),
//! # ])?)?;
//! use cip_features::spec::{FeatureSpec, SpecFeatures};
//! let spec = FeatureSpec::from_toml(
//!     r#"
//!     [[features]]
//!     name = "events"
//!     family = "count"
//!     windows = ["1d", "7d"]
//!
//!     [[features]]
//!     name = "since_cart"
//!     family = "recency"
//!     where = { event_type = "cart" }
//!     fill = 999
//!     "#,
//! )?;
//! // User 7 views on day 0, puts into the cart on day 6 and again on day 9, which is behind the cutoff; user 9 views on day 5.
//! let window = TimeRange::new("1970-01-01".parse()?, "1970-01-08".parse()?)?;
//! let table = SpecFeatures::new(&spec, window, events.schema())?.matrix(&[events])?;
//! let counts = |name| table[name].as_primitive::<Int64Type>().values().to_vec();
//! assert_eq!((counts("events_1d"), counts("events_7d")), (vec![1, 0], vec![2, 1]));
//! assert_eq!(counts("since_cart"), [1, 999]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builder;
mod calendar;
mod codes;
mod column;
mod document;
mod expansion;
mod family;
mod filter;
mod gap;
mod kernel;
mod known;
mod look_back;
mod numbers;
mod pivot;
mod plan;
mod rows;
mod rule;
mod selection;
mod spec_features;
mod state;
mod survey;

use cip_core::{Id, TimeZone};
use serde::{Deserialize, Serialize};

use crate::error::FeaturesError;
use document::Document;

pub use builder::SpecBuilder;
pub use family::{DayRule, Family, Hours, Statistic, Weekday, ZeroRule};
pub use filter::{Filter, Test};
pub use gap::Gap;
pub use look_back::LookBack;
pub use pivot::{Pivot, PivotValues};
pub use rule::FeatureRule;
pub use spec_features::SpecFeatures;
pub use survey::Survey;

/// The features of a table, in the order of their columns, and what its label is about. At least one.
///
/// # Input
/// A TOML document; unknown keys are refused. Each `[[features]]` has a `name` of ASCII letters, digits and `_`, a `family`, and:
///
/// | key | of | |
/// |---|---|---|
/// | `column` | `sum`, `mean`, `min`, `max`, `std`, `distinct`, `affinity`, `last` | required but for `last`, which is of `event_type` without it |
/// | `numerator`, `denominator`, `zero` | `ratio` | required; `zero` is `"null"`, `"zero"`, `{ fill = 10 }` or `{ by_numerator = { nonzero = 10, zero = 0 } }` |
/// | `days` | `recency`, `span` | `"dates"` (without it) or `"elapsed"` |
/// | `gap` | `sessions` | `"30m"`; without it the source's sessions, where it has some |
/// | `hours`, `weekdays` | `share` | `[22, 6]`, `["sat", "sun"]`: one or both |
/// | `value` | `affinity` | which value; without it the user's most frequent one |
/// | `k`, `values` | `last` | 1 without it; the values that have a place |
/// | `where` | all but `ratio` | `{ event_type = "cart", brand = ["a", "b"], page = { starts_with = "/help" }, country = { not = "US" }, price = { at_least = 10, below = 50 } }` |
/// | `window`, `windows` | all; of `ratio` only the second | `"7d"`; `["7d", "30d"]` makes a feature of each, whose name ends with it |
/// | `pivot` | all but `ratio` | `{ column = "brand", values = ["a"] }`, or `{ column = "brand", top = 10 }` |
/// | `fill` | what can be null | a number in its place |
/// | `range` | all | `[low, high]`: where values should lie |
///
/// `[label]` has a `where`: 1 for users with such an event in the label window. `time_zone`, above the features, says by whose clocks hours and dates are
/// told: UTC without it.
///
/// [`Family`] has the formulas, [`FeatureRule`] says what each key does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct FeatureSpec {
    rules: Vec<FeatureRule>,
    label: Option<Filter>,
    time_zone: TimeZone,
}

impl FeatureSpec {
    /// Returns a specification without a label of its own.
    ///
    /// # Errors
    /// [`FeaturesError::EmptySpec`] without rules, [`FeaturesError::DuplicateRule`] where two have one name.
    pub fn new(rules: Vec<FeatureRule>) -> Result<Self, FeaturesError> {
        if rules.is_empty() {
            return Err(FeaturesError::EmptySpec);
        }
        for (at, rule) in rules.iter().enumerate() {
            if rules[..at].iter().any(|above| above.name() == rule.name()) {
                return Err(FeaturesError::DuplicateRule { name: rule.name().into() });
            }
        }
        Ok(Self { rules, label: None, time_zone: TimeZone::UTC })
    }

    /// Tells hours, weekdays and dates by the clocks of a time zone: those of shares, active days, and days that are differences of dates. Days of
    /// 24 hours, and all windows, stay what they are.
    #[must_use]
    pub fn with_time_zone(self, time_zone: TimeZone) -> Self {
        Self { time_zone, ..self }
    }

    /// Says what the label is about: 1 for users with an event in the label window that matches.
    ///
    /// # Errors
    /// [`FeaturesError::Argument`] where a test makes no sense, as [`FeatureRule::with_filter`].
    pub fn with_label(self, label: Filter) -> Result<Self, FeaturesError> {
        label.check("label")?;
        Ok(Self { label: Some(label), ..self })
    }

    /// Returns the specification that a TOML document writes.
    ///
    /// # Errors
    /// [`FeaturesError::SpecText`] with line and column where the text is not of the documented form,
    /// [`FeaturesError::MissingArgument`], [`FeaturesError::UnusedArgument`], and the errors of [`FeatureRule`] and
    /// [`FeatureSpec::new`].
    pub fn from_toml(text: &str) -> Result<Self, FeaturesError> {
        toml::from_str::<Document>(text).map_err(Box::new)?.try_into()
    }

    /// Returns the TOML document of the specification: [`FeatureSpec::from_toml`] reads it back.
    ///
    /// # Errors
    /// [`FeaturesError::SpecWriting`].
    pub fn to_toml(&self) -> Result<String, FeaturesError> {
        Ok(toml::to_string(self)?)
    }

    /// The rules, in the order of their columns.
    pub fn rules(&self) -> &[FeatureRule] {
        &self.rules
    }

    /// What the label is about, where it is written down.
    pub const fn label(&self) -> Option<&Filter> {
        self.label.as_ref()
    }

    /// The time zone by whose clocks hours and dates are told.
    pub const fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    /// Whether the values of all pivots are listed, so that a table has the same columns whatever the events are.
    pub fn is_settled(&self) -> bool {
        self.unsettled().next().is_none()
    }

    /// The rules whose pivots have values to be found, by their places.
    fn unsettled(&self) -> impl Iterator<Item = (usize, &FeatureRule, &Pivot, u32)> {
        self.rules.iter().enumerate().filter_map(|(at, rule)| {
            let pivot = rule.pivot()?;
            match pivot.values() {
                PivotValues::Top(top) => Some((at, rule, pivot, *top)),
                PivotValues::Listed(_) => None,
            }
        })
    }

    /// Returns the specification with the values that were found, by rule; a rule without any is left out.
    fn settle(&self, mut found: impl FnMut(usize) -> Option<Vec<Id>>) -> Result<Self, FeaturesError> {
        let mut rules = Vec::with_capacity(self.rules.len());
        for (at, rule) in self.rules.iter().enumerate() {
            match (rule.pivot(), found(at)) {
                (Some(pivot), Some(values)) if !values.is_empty() => {
                    rules.push(
                        rule.clone().with_pivot(Pivot::new(pivot.column(), PivotValues::Listed(values)))?,
                    );
                }
                (Some(_), Some(_)) => {}
                _ => rules.push(rule.clone()),
            }
        }
        Ok(Self { rules: Self::new(rules)?.rules, ..self.clone() })
    }
}
