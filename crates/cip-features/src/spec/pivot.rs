//! One feature a value of a column.

use cip_core::Id;

/// Multiplies a feature: one for each of some values of a column, that looks only at the events with this value. Its name ends
/// with `_` and the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pivot {
    column: Box<str>,
    values: PivotValues,
}

/// The values that a [`Pivot`] has a feature for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PivotValues {
    /// These, in this order.
    Listed(Vec<Id>),
    /// As many as this, at most: those that most events have, the most frequent first and equally frequent ones in the order of
    /// the values. A [`Survey`](super::Survey) of the events before the cutoff finds them.
    Top(u32),
}

impl Pivot {
    /// The most values that [`PivotValues::Top`] may ask for.
    pub const MOST: u32 = 1_000;

    /// Returns a feature for each of these values of a column of texts or integers.
    pub fn new(column: impl Into<Box<str>>, values: PivotValues) -> Self {
        Self { column: column.into(), values }
    }

    /// The column.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// The values.
    pub fn values(&self) -> &PivotValues {
        &self.values
    }
}
