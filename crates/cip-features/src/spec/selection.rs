//! Which rows of a batch pass the tests of a filter: found once a batch, for all features that ask the same.

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, DictionaryArray};
use cip_core::Id;

use super::column::{Column, Number};
use super::filter::Test;

/// Tests on columns, each by the column's place in the plan; a row is selected where it passes all.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Selection {
    tests: Vec<(usize, PlannedTest)>,
}

/// A test on values of one type.
#[derive(Debug, Clone, PartialEq)]
enum PlannedTest {
    /// Ascending.
    Integers(Among, Vec<i64>),
    /// Ascending.
    Texts(Among, Vec<Box<str>>),
    StartsWith(Box<str>),
    /// From, and up to; of numbers / unit.
    Between {
        at_least: f64,
        below: f64,
        unit: f64,
    },
}

/// Whether a value is to be one of some, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Among {
    One,
    None,
}

impl Among {
    fn accepts(self, found: bool) -> bool {
        found == (self == Self::One)
    }
}

/// The selections of a plan, each once.
#[derive(Debug, Default)]
pub(super) struct Selections {
    all: Vec<Selection>,
}

impl Selections {
    /// Returns the place of a selection; none where it selects every row.
    pub(super) fn place(&mut self, selection: Selection) -> Option<usize> {
        if selection.tests.is_empty() {
            return None;
        }
        let found = self.all.iter().position(|other| *other == selection);
        Some(found.unwrap_or_else(|| {
            self.all.push(selection);
            self.all.len() - 1
        }))
    }

    pub(super) fn into_all(self) -> Vec<Selection> {
        self.all
    }
}

impl Selection {
    /// Returns the selection of the rows that pass all tests, whose values are of the types of their columns; each with what the
    /// column's numbers are divided by to be read by people.
    pub(super) fn new(tests: impl IntoIterator<Item = (usize, f64, Test)>) -> Self {
        let planned = |(column, unit, test)| (column, PlannedTest::new(test, unit));
        Self { tests: tests.into_iter().map(planned).collect() }
    }

    /// Returns which rows of a batch it selects.
    pub(super) fn mask(&self, columns: &[Column], rows: usize) -> Vec<bool> {
        let mut mask = vec![true; rows];
        self.tests.iter().for_each(|(column, test)| test.mark(&columns[*column], &mut mask));
        mask
    }
}

impl PlannedTest {
    fn new(test: Test, unit: f64) -> Self {
        let (among, values) = match test {
            Test::AnyOf(values) => (Among::One, values),
            Test::NoneOf(values) => (Among::None, values),
            Test::StartsWith(text) => return Self::StartsWith(text),
            Test::Between { at_least, below } => {
                let (at_least, below) =
                    (at_least.unwrap_or(f64::NEG_INFINITY), below.unwrap_or(f64::INFINITY));
                return Self::Between { at_least, below, unit };
            }
        };
        let (mut integers, mut texts) = (Vec::new(), Vec::new());
        for value in values {
            match value {
                Id::Int64(value) => integers.push(value),
                Id::Utf8(value) => texts.push(value),
            }
        }
        integers.sort_unstable();
        texts.sort_unstable();
        if texts.is_empty() { Self::Integers(among, integers) } else { Self::Texts(among, texts) }
    }

    fn integer(&self, value: i64) -> bool {
        match self {
            Self::Integers(among, values) => among.accepts(values.binary_search(&value).is_ok()),
            Self::Texts(..) | Self::StartsWith(_) | Self::Between { .. } => false,
        }
    }

    fn text(&self, value: &str) -> bool {
        match self {
            Self::Texts(among, values) => {
                among.accepts(values.binary_search_by(|known| (**known).cmp(value)).is_ok())
            }
            Self::StartsWith(start) => value.starts_with(&**start),
            Self::Integers(..) | Self::Between { .. } => false,
        }
    }

    /// Takes the rows out of `mask` that do not pass.
    fn mark(&self, column: &Column, mask: &mut [bool]) {
        if let Self::Between { at_least, below, unit } = *self {
            return keep(mask, |row| match column.number_at(row) {
                // A quotient is rounded as a literal is, so 99.99 in money is the 99.99 that was written.
                Ok(Some(Number::Exact(value))) => (at_least..below).contains(&(value as f64 / unit)),
                Ok(Some(Number::Float(value))) => (at_least..below).contains(&value),
                _ => false,
            });
        }
        match column {
            Column::Dictionary(array) => self.mark_coded(array, mask),
            Column::Utf8(array) => keep(mask, |row| array.is_valid(row) && self.text(array.value(row))),
            Column::Int64(array) => keep(mask, |row| array.is_valid(row) && self.integer(array.value(row))),
            Column::UInt32(array) => {
                keep(mask, |row| array.is_valid(row) && self.integer(array.value(row).into()));
            }
            Column::Float64(_) | Column::Money(_) | Column::Spend { .. } => mask.fill(false),
        }
    }

    /// Tests each value of the dictionary once.
    fn mark_coded(&self, array: &DictionaryArray<Int32Type>, mask: &mut [bool]) {
        let texts = array.values().as_string::<i32>();
        let passes: Vec<bool> = texts.iter().map(|text| text.is_some_and(|text| self.text(text))).collect();
        let keys = array.keys();
        match keys.null_count() {
            0 => mask.iter_mut().zip(keys.values()).for_each(|(kept, &key)| *kept &= passes[key as usize]),
            _ => keep(mask, |row| keys.is_valid(row) && passes[keys.value(row) as usize]),
        }
    }
}

fn keep(mask: &mut [bool], passes: impl Fn(usize) -> bool) {
    for (row, kept) in mask.iter_mut().enumerate() {
        *kept = *kept && passes(row);
    }
}
