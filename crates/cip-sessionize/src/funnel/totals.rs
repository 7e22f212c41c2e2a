//! What a funnel says of all users: how many reach each step, and how long they take.

use std::collections::BTreeSet;

use crate::error::SessionizeError;
use crate::funnel::abandonment::Abandonment;
use crate::funnel::definition::{Funnel, StepOrder};
use crate::funnel::durations::DurationCounts;

/// The most segments: carts by product are no segments.
const MAX_SEGMENTS: usize = 1_000;

/// Totals of a funnel. Those of parts with different users add up to those of the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunnelTotals {
    funnel: Funnel,
    users: u64,
    skipped_events: u64,
    /// By step: how many users reached it.
    reached: Vec<u64>,
    /// By step: how long after the step before; of the first step nothing.
    seconds: Vec<DurationCounts>,
    event_types: BTreeSet<Box<str>>,
    abandonment: Abandonment,
}

/// One step of a funnel, over all users.
#[derive(Debug, Clone, PartialEq)]
pub struct FunnelStep<'a> {
    /// Its number, from 1.
    pub step: usize,
    /// Its event type; none in any order, where step 2 is the second that is reached, whichever it is.
    pub event_type: Option<&'a str>,
    /// Users who reached it.
    pub users: u64,
    /// Their share of the users who reached the first step; none where nobody did.
    pub from_first: Option<f64>,
    /// Their share of the users who reached the step before; none for the first step, and where nobody did.
    pub from_previous: Option<f64>,
    /// Users who reached the step before and not this one; none for the first step.
    pub lost: Option<u64>,
    /// Their share of the users who reached the step before; none as `from_previous`.
    pub drop_off: Option<f64>,
    /// The median of the seconds from the step before: the one in the middle, or the mean of the two; none for the first
    /// step, and where nobody came so far.
    pub median_seconds: Option<f64>,
    /// The mean of the seconds from the step before; none as the median.
    pub mean_seconds: Option<f64>,
}

impl FunnelTotals {
    pub(crate) fn new(funnel: &Funnel) -> Self {
        let steps = funnel.steps().len();
        Self {
            funnel: funnel.clone(),
            users: 0,
            skipped_events: 0,
            reached: vec![0; steps],
            seconds: vec![DurationCounts::default(); steps],
            event_types: BTreeSet::new(),
            abandonment: Abandonment::default(),
        }
    }

    /// The funnel.
    pub fn funnel(&self) -> &Funnel {
        &self.funnel
    }

    /// Users with an event, of whatever type.
    pub fn users(&self) -> u64 {
        self.users
    }

    /// Events without a user, who are in no funnel.
    pub fn skipped_events(&self) -> u64 {
        self.skipped_events
    }

    /// The event types that occur, sorted, also those of events without a user.
    pub fn event_types(&self) -> impl ExactSizeIterator<Item = &str> {
        self.event_types.iter().map(AsRef::as_ref)
    }

    /// The event types of steps that never occur, in the order of the steps, each once.
    pub fn missing_types(&self) -> Vec<&str> {
        let mut missing: Vec<&str> = Vec::new();
        for step in self.funnel.steps() {
            if !self.event_types.contains(step) && !missing.contains(&step) {
                missing.push(step);
            }
        }
        missing
    }

    /// Sessions with a cart, and those without a purchase, by [`Funnel::session_rule`].
    pub fn abandonment(&self) -> &Abandonment {
        &self.abandonment
    }

    /// How long the users who reached `step`, from 1, took from the step before: in whole seconds, as the difference of the
    /// table's columns. None for a step that there is not.
    pub fn seconds(&self, step: usize) -> Option<&DurationCounts> {
        self.seconds.get(step.checked_sub(1)?)
    }

    /// The steps, in their order.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = FunnelStep<'_>> {
        let names = self.funnel.steps().zip(&self.reached).zip(&self.seconds).enumerate();
        names.map(|(index, ((event_type, &users), seconds))| {
            let share = |of: u64| (of > 0).then(|| users as f64 / of as f64);
            let before = index.checked_sub(1).map(|before| self.reached[before]);
            let from_previous = before.and_then(share);
            FunnelStep {
                step: index + 1,
                event_type: (self.funnel.order() == StepOrder::Strict).then_some(event_type),
                users,
                from_first: share(self.reached[0]),
                from_previous,
                lost: before.map(|before| before - users),
                drop_off: before
                    .filter(|&before| before > 0)
                    .map(|before| (before - users) as f64 / before as f64),
                median_seconds: seconds.median(),
                mean_seconds: seconds.mean(),
            }
        })
    }

    /// Adds the totals of other users.
    ///
    /// # Errors
    /// [`SessionizeError::OtherFunnel`] where `part` is of another funnel, [`SessionizeError::TooManySegments`].
    pub fn merge(&mut self, part: &Self) -> Result<(), SessionizeError> {
        if self.funnel != part.funnel {
            return Err(SessionizeError::OtherFunnel);
        }
        self.users += part.users;
        self.skipped_events += part.skipped_events;
        for (sum, users) in self.reached.iter_mut().zip(&part.reached) {
            *sum += users;
        }
        for (sum, seconds) in self.seconds.iter_mut().zip(&part.seconds) {
            sum.merge(seconds);
        }
        for name in part.event_types.difference(&self.event_types).cloned().collect::<Vec<_>>() {
            self.event_types.insert(name);
        }
        self.abandonment.merge(&part.abandonment);
        self.check_segments()
    }

    /// Checks that the carts are counted by no more values than a person would want.
    pub(crate) fn check_segments(&self) -> Result<(), SessionizeError> {
        match self.funnel.segments() {
            Some(column) if self.abandonment.segments().len() > MAX_SEGMENTS => {
                Err(SessionizeError::TooManySegments { column: column.into(), limit: MAX_SEGMENTS })
            }
            _ => Ok(()),
        }
    }

    /// Adds a user with an event.
    pub(crate) fn add_user(&mut self) {
        self.users += 1;
    }

    /// Adds what a user reached: the seconds from the first step to each step, the first included.
    pub(crate) fn add_attempt(&mut self, seconds: &[i64]) {
        for (step, pair) in seconds.windows(2).enumerate() {
            self.seconds[step + 1].add(pair[1] - pair[0]);
        }
        for users in &mut self.reached[..seconds.len()] {
            *users += 1;
        }
    }

    pub(crate) fn skip(&mut self, events: usize) {
        self.skipped_events += events as u64;
    }

    pub(crate) fn event_types_mut(&mut self) -> &mut BTreeSet<Box<str>> {
        &mut self.event_types
    }

    pub(crate) fn abandonment_mut(&mut self) -> &mut Abandonment {
        &mut self.abandonment
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn totals(steps: &[&str]) -> FunnelTotals {
        FunnelTotals::new(&Funnel::new(steps.iter().copied(), Duration::from_secs(60)).unwrap())
    }

    #[test]
    fn shares_are_of_the_first_step_and_of_the_one_before() {
        let mut totals = totals(&["view", "cart", "purchase"]);
        for seconds in [&[0][..], &[0, 10], &[0, 20, 25], &[0, 31, 40]] {
            totals.add_attempt(seconds);
        }
        let steps: Vec<_> = totals.steps().collect();
        let users: Vec<_> = steps.iter().map(|step| step.users).collect();
        assert_eq!(users, [4, 3, 2]);
        assert_eq!((steps[0].from_first, steps[0].from_previous, steps[0].lost), (Some(1.0), None, None));
        assert_eq!(
            (steps[1].from_previous, steps[1].drop_off, steps[1].lost),
            (Some(0.75), Some(0.25), Some(1))
        );
        assert_eq!((steps[2].from_first, steps[2].median_seconds), (Some(0.5), Some(7.0)));
        assert_eq!((steps[1].median_seconds, steps[1].mean_seconds), (Some(20.0), Some(61.0 / 3.0)));
        assert_eq!(totals.seconds(3).map(DurationCounts::len), Some(2));
        assert!(totals.seconds(0).is_none() && totals.seconds(4).is_none());
    }

    #[test]
    fn of_nobody_there_is_no_share() {
        let totals = totals(&["view", "cart"]);
        assert!(
            totals
                .steps()
                .all(|step| step.users == 0 && step.from_first.is_none() && step.drop_off.is_none())
        );
        assert_eq!(totals.missing_types(), ["view", "cart"]);
    }

    #[test]
    fn totals_of_another_funnel_are_refused() {
        let text = totals(&["view", "cart"]).merge(&totals(&["view", "wish"])).unwrap_err().to_string();
        assert_eq!(text, "the totals are of two different funnels: add up parts of one");
    }
}
