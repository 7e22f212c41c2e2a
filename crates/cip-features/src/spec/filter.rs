//! Which events a feature looks at.

use std::fmt;

use cip_core::{Id, column};

use crate::error::FeaturesError;

/// Conditions on the columns of an event, all of which hold; without any, every event matches.
///
/// # Examples
/// ```
/// use cip_features::spec::{Filter, Test};
/// let filter = Filter::event_type("cart").and("device_type", Test::text("mobile"));
/// assert_eq!(filter.to_string(), "device_type = mobile, event_type = cart");
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    conditions: Vec<(Box<str>, Test)>,
}

/// What is asked of a value. A null passes no test.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Test {
    /// It is one of these, in a column of texts or integers.
    AnyOf(Vec<Id>),
    /// It is none of these, in a column of texts or integers.
    NoneOf(Vec<Id>),
    /// It is a text that starts with this one.
    StartsWith(Box<str>),
    /// It is a number from one on, up to and without another: of integers, floats or money, or `spend`. None: without an end.
    Between {
        /// The least that passes.
        at_least: Option<f64>,
        /// The least that is too much.
        below: Option<f64>,
    },
}

impl Filter {
    /// Returns the events of a type.
    pub fn event_type(name: &str) -> Self {
        Self::default().and(column::EVENT_TYPE, Test::text(name))
    }

    /// Adds a condition; one on the same column gives way to it.
    #[must_use]
    pub fn and(mut self, column: impl Into<Box<str>>, test: Test) -> Self {
        let column = column.into();
        self.conditions.retain(|(other, _)| *other != column);
        let place = self.conditions.partition_point(|(other, _)| *other < column);
        self.conditions.insert(place, (column, test));
        self
    }

    /// The conditions, in the order of their columns: column and test.
    pub fn conditions(&self) -> &[(Box<str>, Test)] {
        &self.conditions
    }

    /// Refuses tests that every value passes, or none.
    pub(super) fn check(&self, feature: &str) -> Result<(), FeaturesError> {
        let wrong = self.conditions.iter().find_map(|(column, test)| Some((column, test, test.expected()?)));
        match wrong {
            None => Ok(()),
            Some((column, test, expected)) => Err(FeaturesError::Argument {
                feature: feature.into(),
                argument: format!("where.{column}").into(),
                found: format!("`{test}`").into(),
                expected,
            }),
        }
    }
}

impl Test {
    /// Returns the test whether a value is this text.
    pub fn text(text: &str) -> Self {
        Self::AnyOf(vec![Id::Utf8(text.into())])
    }

    /// The values that it names.
    pub(super) fn values(&self) -> &[Id] {
        match self {
            Self::AnyOf(values) | Self::NoneOf(values) => values,
            Self::StartsWith(_) | Self::Between { .. } => &[],
        }
    }

    /// What it should be, where it makes no sense.
    fn expected(&self) -> Option<&'static str> {
        match self {
            Self::AnyOf(values) | Self::NoneOf(values) => values.is_empty().then_some("one value or more"),
            Self::StartsWith(_) => None,
            Self::Between { at_least, below } => {
                let ends = [*at_least, *below];
                let finite = ends.iter().flatten().all(|end| end.is_finite());
                let sensible = match ends {
                    [None, None] => false,
                    [Some(at_least), Some(below)] => at_least < below,
                    _ => true,
                };
                (!(finite && sensible))
                    .then_some("`at_least`, `below` or both: finite numbers, the first below the second")
            }
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (column, test)) in self.conditions.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{column} {test}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |values: &[Id]| values.iter().map(Id::to_string).collect::<Vec<_>>().join(" | ");
        match self {
            Self::AnyOf(values) => write!(f, "= {}", joined(values)),
            Self::NoneOf(values) => write!(f, "!= {}", joined(values)),
            Self::StartsWith(text) => write!(f, "= {text}*"),
            Self::Between { at_least: Some(at_least), below: Some(below) } => {
                write!(f, "in [{at_least}, {below})")
            }
            Self::Between { at_least: Some(at_least), below: None } => write!(f, ">= {at_least}"),
            Self::Between { at_least: None, below: Some(below) } => write!(f, "< {below}"),
            Self::Between { at_least: None, below: None } => write!(f, "between nothing"),
        }
    }
}
