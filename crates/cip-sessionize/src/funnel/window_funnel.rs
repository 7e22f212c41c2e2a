//! The longest chain of steps within a window: ClickHouse's `windowFunnel` for one user.

use std::time::Duration;

use cip_core::Timestamp;

use crate::funnel::attempt::reaches;

/// What interrupts a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FunnelMode {
    /// Nothing: other events may lie between the steps, and times may be equal.
    #[default]
    Default,
    /// Behind the first event of step 1, the search ends at an event that is no step, or a step of which the one before has
    /// not been reached: of the steps A, B, C the events A, B, D, C reach 2 and A, D, B, C reach 1.
    StrictOrder,
    /// The search ends at an event of a step that has been reached already, other than the first, which starts another
    /// attempt: of the steps A, B, C, D the events A, B, C, B, D reach 3.
    StrictDeduplication,
    /// Each step is later than the one before; with equal times it does not count.
    StrictIncrease,
}

/// Returns how many of `steps` the longest chain in `events` has.
///
/// A chain starts at an event of the first step; every further step is an event behind the one before, and no later than
/// `within` after the start. An event exactly at the limit counts. All chains are looked at, not only the first.
///
/// # Input
/// `events` of one user, (time, event type) ascending in time; of equal times the one that stands first came first. Where
/// they do not ascend the answer means nothing. An event is one step at most: where an event type is several steps, the
/// last of those that go on.
///
/// # Method
/// ClickHouse's `windowFunnel(window, mode)(timestamp, cond1, …)` with one event type a condition, and that of DuckDB's
/// extension `behavioral`. Where these leave open which of two events with equal times came first, or take them by their
/// conditions, here it is their position. `StrictIncrease` finds a chain wherever there is one, even where a step comes
/// again at the time of the step behind it.
///
/// # Complexity
/// Events times steps.
///
/// # Examples
/// The example of ClickHouse's documentation: logged in, ordered, searched, ordered again.
/// ```
/// use std::time::Duration;
/// use cip_core::Timestamp;
/// use cip_sessionize::{FunnelMode, window_funnel};
/// let at = |text: &str| text.parse::<Timestamp>();
/// let events = [
///     (at("2019-01-29T10:00:00Z")?, 1003),
///     (at("2019-01-30T08:00:00Z")?, 1009),
///     (at("2019-01-31T09:00:00Z")?, 1007),
///     (at("2019-02-01T08:00:00Z")?, 1010),
/// ];
/// let (steps, week) = ([1003, 1009, 1007, 1010], Duration::from_secs(7 * 86_400));
/// assert_eq!(window_funnel(&events, &steps, week, FunnelMode::Default), 4);
/// assert_eq!(window_funnel(&events, &steps, week / 7, FunnelMode::Default), 2);
/// # Ok::<(), cip_core::CoreError>(())
/// ```
pub fn window_funnel<T: PartialEq>(
    events: &[(Timestamp, T)],
    steps: &[T],
    within: Duration,
    mode: FunnelMode,
) -> usize {
    let within = u64::try_from(within.as_micros()).unwrap_or(u64::MAX);
    let mut reached = Reached::new(steps.len());
    for (time, event_type) in events {
        let time = time.micros();
        reached.move_to(time, mode);
        if reached.ends(steps, event_type, mode) {
            break;
        }
        reached.extend(steps, event_type, time, within, mode);
    }
    reached.count()
}

/// The chains so far.
struct Reached {
    /// The latest start of a chain that reaches the step. None behind the last that is reached.
    starts: Vec<Option<i64>>,
    /// In strict increase: `starts` before the events of the time that is looked at.
    earlier: Vec<Option<i64>>,
    time: Option<i64>,
}

impl Reached {
    fn new(steps: usize) -> Self {
        Self { starts: vec![None; steps], earlier: vec![None; steps], time: None }
    }

    /// Notes that an event at `time` comes.
    fn move_to(&mut self, time: i64, mode: FunnelMode) {
        if mode == FunnelMode::StrictIncrease && self.time != Some(time) {
            self.earlier.copy_from_slice(&self.starts);
            self.time = Some(time);
        }
    }

    /// Whether an event ends the search.
    fn ends<T: PartialEq>(&self, steps: &[T], event_type: &T, mode: FunnelMode) -> bool {
        let mut places =
            steps.iter().enumerate().filter(|(_, step)| *step == event_type).map(|(step, _)| step);
        let begun = self.starts.first().is_some_and(Option::is_some);
        match mode {
            FunnelMode::Default | FunnelMode::StrictIncrease => false,
            // A place that is the first step, or behind one that is reached, goes on.
            FunnelMode::StrictOrder => {
                begun && !places.any(|step| step == 0 || self.starts[step - 1].is_some())
            }
            FunnelMode::StrictDeduplication => {
                // An event type of several steps is a repetition where all of them are reached.
                let mut repeated = false;
                for step in places {
                    if step == 0 || self.starts[step].is_none() {
                        return false;
                    }
                    repeated = true;
                }
                repeated
            }
        }
    }

    fn extend<T: PartialEq>(
        &mut self,
        steps: &[T],
        event_type: &T,
        time: i64,
        within: u64,
        mode: FunnelMode,
    ) {
        // From the last step down, so that no event fills two.
        for step in (0..steps.len()).rev().filter(|&step| steps[step] == *event_type) {
            let before = match mode {
                FunnelMode::StrictIncrease => &self.earlier,
                _ => &self.starts,
            };
            let start = match step.checked_sub(1) {
                None => Some(time),
                Some(before_step) => before[before_step].filter(|&start| reaches(start, time, within)),
            };
            self.starts[step] = start.or(self.starts[step]);
        }
    }

    fn count(&self) -> usize {
        self.starts.iter().take_while(|start| start.is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FunnelMode::{Default, StrictDeduplication, StrictIncrease, StrictOrder};

    /// Letters a second apart, or at the times given.
    fn reached(events: &str, steps: &str, mode: FunnelMode) -> usize {
        let events: Vec<_> = events.chars().zip(0..).map(|(letter, second)| (second, letter)).collect();
        at_times(&events, steps, 1_000, mode)
    }

    fn at_times(events: &[(i64, char)], steps: &str, within: u64, mode: FunnelMode) -> usize {
        let events: Vec<_> = events
            .iter()
            .map(|&(second, letter)| (Timestamp::from_micros(second * 1_000_000), letter))
            .collect();
        let steps: Vec<_> = steps.chars().collect();
        window_funnel(&events, &steps, Duration::from_secs(within), mode)
    }

    /// The cases with which ClickHouse introduced `strict_order`.
    #[test]
    fn strict_order_allows_no_other_events_between() {
        for (events, default, strict) in [
            ("ABC", 3, 3),
            ("ADBC", 3, 1),
            ("AABBCC", 3, 3),
            ("AAAABBCC", 3, 3),
            ("AABBDCC", 3, 2),
            ("BBCCAA", 1, 1),
            ("ABDC", 3, 2),
            ("DABC", 3, 3),
            ("ACBC", 3, 1),
        ] {
            assert_eq!(reached(events, "ABC", Default), default, "{events}");
            assert_eq!(reached(events, "ABC", StrictOrder), strict, "{events}");
        }
    }

    /// The cases with which ClickHouse and its followers introduce the repetition that interrupts.
    #[test]
    fn strict_deduplication_ends_at_a_repetition() {
        assert_eq!(reached("ABCBD", "ABCD", StrictDeduplication), 3);
        assert_eq!(reached("ABCBD", "ABCD", Default), 4);
        let events = [(0, 'A'), (10, 'B'), (11, 'B'), (20, 'C')];
        assert_eq!(at_times(&events, "ABC", 10_000, StrictDeduplication), 2);
        assert_eq!(at_times(&events, "ABC", 10_000, Default), 3);
        assert_eq!(reached("AABC", "ABC", StrictDeduplication), 3);
    }

    #[test]
    fn strict_increase_wants_later_times() {
        let tie = [(100, 'A'), (100, 'B'), (101, 'C')];
        assert_eq!(at_times(&tie, "ABC", 50, Default), 3);
        assert_eq!(at_times(&tie, "ABC", 50, StrictIncrease), 1);
        // The first A is before the B, though another comes at its time.
        assert_eq!(at_times(&[(0, 'A'), (5, 'A'), (5, 'B')], "AB", 50, StrictIncrease), 2);
    }

    #[test]
    fn the_window_counts_from_the_start_and_includes_its_end() {
        let events = [(130, 'A'), (150, 'B'), (180, 'C')];
        assert_eq!(at_times(&events, "ABC", 50, Default), 3);
        assert_eq!(at_times(&events, "ABC", 49, Default), 2);
        assert_eq!(at_times(&events, "ABC", 0, Default), 1);
    }

    #[test]
    fn an_event_is_one_step_at_most() {
        assert_eq!(at_times(&[(100, 'A')], "AA", 50, Default), 1);
        assert_eq!(at_times(&[(100, 'A'), (200, 'A')], "AA", 50, Default), 1);
        assert_eq!(at_times(&[(100, 'A'), (100, 'A'), (300, 'A')], "AAA", 1_000, StrictIncrease), 2);
        assert_eq!(reached("ABA", "ABA", Default), 3);
    }

    #[test]
    fn of_nothing_nothing_is_reached() {
        for mode in [Default, StrictOrder, StrictDeduplication, StrictIncrease] {
            assert_eq!(
                (reached("", "AB", mode), reached("AB", "", mode), reached("BC", "AB", mode)),
                (0, 0, 0)
            );
        }
    }
}
