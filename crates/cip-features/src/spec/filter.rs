//! Which events a feature looks at.

use std::fmt;

use cip_core::{Id, column};

/// Conditions on the columns of an event, all of which hold; without any, every event matches.
///
/// # Examples
/// ```
/// use cip_features::spec::{Filter, Test};
/// let filter = Filter::event_type("cart").and("device_type", Test::text("mobile"));
/// assert_eq!(filter.to_string(), "device_type = mobile, event_type = cart");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Filter {
    conditions: Vec<(Box<str>, Test)>,
}

/// What is asked of a value in a column of texts or integers. A null passes no test.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Test {
    /// It is one of these.
    AnyOf(Vec<Id>),
    /// It is none of these.
    NoneOf(Vec<Id>),
    /// It is a text that starts with this one.
    StartsWith(Box<str>),
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
            Self::StartsWith(_) => &[],
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
        }
    }
}
