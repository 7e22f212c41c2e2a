//! The rules at work on the rows of a batch.

use cip_core::{Id, IdRef, ZonePeriod};

use crate::attribute::AttributeColumn;
use crate::rule::ClockRule;

/// Tells where the session of a user ends, row by row.
pub(crate) trait Cuts {
    /// Notes that a session starts at `row`.
    fn begin(&mut self, row: usize, time: i64);

    /// Whether `row`, at `next`, starts a new session behind an event at `time`; where it does not, it is in the session.
    fn splits(&mut self, row: usize, time: i64, next: i64) -> bool;
}

/// A timeout in microseconds, and no other rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeout(pub(crate) u64);

impl Cuts for Timeout {
    #[inline]
    fn begin(&mut self, _: usize, _: i64) {}

    #[inline]
    fn splits(&mut self, _: usize, time: i64, next: i64) -> bool {
        next.wrapping_sub(time).cast_unsigned() > self.0
    }
}

/// What the rules must know of an open session, from one batch to the next.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenCuts {
    start: i64,
    /// The last value of each attribute.
    values: Vec<Option<Id>>,
    /// Where the last days were looked up.
    near: ZonePeriod,
}

/// All rules.
#[derive(Debug)]
pub(crate) struct AllCuts<'a> {
    clock: &'a ClockRule,
    attributes: &'a [AttributeColumn<'a>],
    start: i64,
    /// One for each attribute.
    values: Vec<Option<IdRef<'a>>>,
    /// Where the last days were looked up.
    near: ZonePeriod,
}

impl<'a> AllCuts<'a> {
    /// Goes on with a session where an earlier batch left it.
    pub(crate) fn new(
        clock: &'a ClockRule,
        attributes: &'a [AttributeColumn<'a>],
        open: &'a OpenCuts,
    ) -> Self {
        let mut values: Vec<_> = open.values.iter().map(|value| value.as_ref().map(Id::as_ref)).collect();
        values.resize(attributes.len(), None);
        Self { clock, attributes, start: open.start, values, near: open.near }
    }

    /// What the next batch must know.
    pub(crate) fn keep(&self) -> OpenCuts {
        let values = self.values.iter().map(|value| value.map(IdRef::to_owned)).collect();
        OpenCuts { start: self.start, values, near: self.near }
    }
}

impl Cuts for AllCuts<'_> {
    fn begin(&mut self, row: usize, time: i64) {
        self.start = time;
        for (value, attribute) in self.values.iter_mut().zip(self.attributes) {
            *value = attribute.get(row);
        }
    }

    fn splits(&mut self, row: usize, time: i64, next: i64) -> bool {
        if self.clock.splits(self.start, time, next, &mut self.near) {
            return true;
        }
        change(&mut self.values, self.attributes.iter().map(|attribute| attribute.get(row)))
    }
}

/// Whether a value differs from the last one of its attribute; an attribute without one takes it over.
///
/// Where one of them differs, the session begins anew and the others are set again.
pub(crate) fn change<V: PartialEq>(last: &mut [Option<V>], next: impl Iterator<Item = Option<V>>) -> bool {
    last.iter_mut().zip(next).any(|(before, value)| match (&*before, value) {
        (Some(before), Some(value)) => *before != value,
        (None, value) => {
            *before = value;
            false
        }
        (Some(_), None) => false,
    })
}
