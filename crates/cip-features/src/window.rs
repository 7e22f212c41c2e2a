//! The windows: where the rows of a user are cut, before any of them is looked at.

use std::ops::Range;

use arrow_array::Array;
use cip_core::{CoreError, DistinctCodes, DistinctIds, EventKind};

use crate::features::Features;
use crate::input::Input;
use crate::service::ServiceKind;
use crate::set::FeatureSet;
use crate::texts::DistinctTexts;

/// The window of the features and, where there is one, that of the label behind it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    start: i64,
    cutoff: i64,
    /// Where the label ends, and which set it is of.
    label: Option<(i64, FeatureSet)>,
}

impl Windows {
    pub(crate) fn new(features: &Features) -> Self {
        Self {
            start: features.window().start().micros(),
            cutoff: features.window().end().micros(),
            label: features.label_until().map(|until| (until.micros(), features.set())),
        }
    }

    /// Cuts rows of one user, which ascend in time: those of the features, and those of the label.
    pub(crate) fn cut<'a>(&self, input: &'a Input<'a>, rows: Range<usize>) -> (KnownRows<'a>, LabelRows<'a>) {
        let times = &input.times[rows.clone()];
        let start = first_from(self.start, times);
        let cutoff = start + first_from(self.cutoff, &times[start..]);
        let label = self.label.map_or(LabelRows::Unasked, |(until, set)| {
            let end = cutoff + first_from(until, &times[cutoff..]);
            let rows = rows.start + cutoff..rows.start + end;
            match set {
                FeatureSet::Commerce => LabelRows::Commerce(known_kinds(&input.kinds, rows)),
                FeatureSet::StreamFlow => LabelRows::StreamFlow(known_kinds(&input.service_kinds, rows)),
            }
        });
        (KnownRows { input, rows: rows.start + start..rows.start + cutoff }, label)
    }

    /// Whether an event lies in one of the windows.
    pub(crate) fn contain(&self, time: i64) -> bool {
        self.start <= time && time < self.label.map_or(self.cutoff, |(until, _)| until)
    }
}

/// The position of the first time that is not before `limit`; mostly all are, or none is.
fn first_from(limit: i64, times: &[i64]) -> usize {
    match times {
        [first, ..] if *first >= limit => 0,
        [.., last] if *last < limit => times.len(),
        _ => times.partition_point(|&time| time < limit),
    }
}

/// The kinds of rows; none where they are not read.
fn known_kinds<K>(kinds: &Option<Vec<K>>, rows: Range<usize>) -> &[K] {
    kinds.as_ref().map_or(&[], |kinds| &kinds[rows])
}

/// Rows of one user inside the window of the label: all that a label can see.
#[derive(Debug)]
pub(crate) enum LabelRows<'a> {
    Unasked,
    Commerce(&'a [EventKind]),
    StreamFlow(&'a [ServiceKind]),
}

impl LabelRows<'_> {
    /// Whether the user did what the label is about.
    pub(crate) fn are_positive(&self) -> bool {
        match self {
            Self::Unasked => false,
            Self::Commerce(kinds) => kinds.contains(&EventKind::Purchase),
            Self::StreamFlow(kinds) => kinds.contains(&ServiceKind::Cancelled),
        }
    }
}

/// Rows of one user inside the window of the features: all that a feature can see.
///
/// Only [`Windows::cut`] makes it, and it gives out no row at or behind the cutoff.
#[derive(Debug)]
pub(crate) struct KnownRows<'a> {
    input: &'a Input<'a>,
    rows: Range<usize>,
}

impl<'a> KnownRows<'a> {
    /// They ascend.
    pub(crate) fn times(&self) -> &'a [i64] {
        &self.input.times[self.rows.clone()]
    }

    pub(crate) fn kinds(&self) -> Option<&'a [EventKind]> {
        self.input.kinds.as_ref().map(|kinds| &kinds[self.rows.clone()])
    }

    pub(crate) fn service_kinds(&self) -> Option<&'a [ServiceKind]> {
        self.input.service_kinds.as_ref().map(|kinds| &kinds[self.rows.clone()])
    }

    /// Returns `sum` plus price x quantity of the purchases, or none beyond the range of an i128.
    pub(crate) fn add_spend(&self, mut sum: i128) -> Option<i128> {
        let (Some(kinds), Some(amounts)) = (&self.input.kinds, &self.input.amounts) else { return Some(sum) };
        for row in self.rows.clone() {
            if kinds[row] == EventKind::Purchase {
                sum = sum.checked_add(amounts.amount(row)?)?;
            }
        }
        Some(sum)
    }

    /// Gives the prices that are not null to `add`, until it returns none.
    pub(crate) fn try_each_price(&self, mut add: impl FnMut(i128) -> Option<()>) -> Option<()> {
        let Some(prices) = self.input.prices else { return Some(()) };
        let values = &prices.values()[self.rows.clone()];
        if prices.null_count() == 0 {
            values.iter().try_for_each(|&price| add(price))
        } else {
            let mut known = self.rows.clone().zip(values).filter(|(row, _)| prices.is_valid(*row));
            known.try_for_each(|(_, &price)| add(price))
        }
    }

    /// Adds the source's sessions; `last` is the one added last, because those of one session mostly come together.
    pub(crate) fn add_sessions(&self, distinct: &mut DistinctCodes, last: &mut Option<u32>) {
        let Some(codes) = self.input.source_sessions else { return };
        let values = &codes.values()[self.rows.clone()];
        let no_nulls = codes.null_count() == 0;
        for (row, &code) in self.rows.clone().zip(values) {
            if *last != Some(code) && (no_nulls || codes.is_valid(row)) {
                distinct.insert(code);
                *last = Some(code);
            }
        }
    }

    pub(crate) fn add_products(&self, distinct: &mut DistinctIds) {
        if let Some(products) = self.input.products {
            distinct.extend(products, self.rows.clone());
        }
    }

    pub(crate) fn add_category_ids(&self, distinct: &mut DistinctIds) {
        if let Some(ids) = self.input.category_ids {
            distinct.extend(ids, self.rows.clone());
        }
    }

    pub(crate) fn add_category_codes(&self, distinct: &mut DistinctTexts) -> Result<(), CoreError> {
        self.input.category_codes.map_or(Ok(()), |codes| distinct.extend(codes, self.rows.clone()))
    }

    pub(crate) fn add_brands(&self, distinct: &mut DistinctTexts) -> Result<(), CoreError> {
        self.input.brands.map_or(Ok(()), |brands| distinct.extend(brands, self.rows.clone()))
    }

    pub(crate) fn add_devices(&self, distinct: &mut DistinctTexts) -> Result<(), CoreError> {
        self.input.devices.map_or(Ok(()), |devices| distinct.extend(devices, self.rows.clone()))
    }

    /// Events from mobile devices.
    pub(crate) fn mobile_events(&self) -> i64 {
        let mobile = self.input.mobile.as_ref().map_or(&[][..], |mobile| &mobile[self.rows.clone()]);
        mobile.iter().map(|&mobile| i64::from(mobile)).sum()
    }

    /// The sum of the durations; nulls add nothing.
    pub(crate) fn seconds(&self) -> i128 {
        let Some(durations) = self.input.durations else { return 0 };
        let known = self.rows.clone().filter(|&row| durations.is_valid(row));
        known.map(|row| i128::from(durations.value(row))).sum()
    }

    /// Returns `sum` plus the revenue, to which nulls add nothing, or none beyond the range of an i128.
    pub(crate) fn add_revenue(&self, sum: i128) -> Option<i128> {
        let Some(revenues) = self.input.revenues else { return Some(sum) };
        let mut known = self.rows.clone().filter(|&row| revenues.is_valid(row));
        known.try_fold(sum, |sum, row| sum.checked_add(revenues.value(row)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_from_a_limit_is_found_at_the_ends_and_between() {
        let times = [1, 3, 3, 5];
        for (limit, expected) in [(0, 0), (1, 0), (2, 1), (3, 1), (4, 3), (5, 3), (6, 4)] {
            assert_eq!(first_from(limit, &times), expected, "{limit}");
        }
        assert_eq!(first_from(0, &[]), 0);
    }
}
