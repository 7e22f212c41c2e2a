//! The best attempt of one user: which steps it reaches, and when.

use crate::funnel::definition::{Funnel, StepOrder};

/// How far an attempt comes: the time of each step that it reaches.
#[derive(Debug, Default)]
pub(crate) struct Attempt {
    /// They ascend; as many as steps are reached.
    pub(crate) times: Vec<i64>,
}

/// An event of one of the steps.
#[derive(Debug, Clone, Copy)]
struct StepEvent {
    time: i64,
    /// Bit i: it can be step i + 1.
    bits: u32,
}

/// Follows one user through the steps, one stretch of events (all of them, or a session) after the other.
///
/// # Method
/// Forwards, an event extends the chain with the latest start that reaches the step before: of all of them it is the one
/// that the window lets go furthest. So the furthest step of a stretch is known at its end, or as soon as it is the last
/// of the funnel. Backwards, the earliest start that comes as far is found: for every event the end of the fastest chain
/// through it is that of the next event of the next step.
///
/// # Complexity
/// Linear in the events that are steps, times the steps that an event can be; in any order, times all steps. Memory is 16
/// bytes an event of a step, until a user has reached all of them.
#[derive(Debug)]
pub(crate) struct Follower {
    order: StepOrder,
    steps: usize,
    within: u64,
    /// Of the stretch.
    events: Vec<StepEvent>,
    /// In strict order the latest start of a chain that reaches the step; in any order the step's last event.
    latest: Vec<Option<i64>>,
    /// The most steps that an attempt of the stretch reaches.
    furthest: usize,
    best: Attempt,
    /// Reused: the next end of a chain from the step on, or the step's next event.
    ahead: Vec<Option<i64>>,
}

impl Follower {
    pub(crate) fn new(funnel: &Funnel) -> Self {
        let steps = funnel.steps().len();
        Self {
            order: funnel.order(),
            steps,
            within: funnel.within_micros(),
            events: Vec::new(),
            latest: vec![None; steps],
            furthest: 0,
            best: Attempt::default(),
            ahead: vec![None; steps],
        }
    }

    /// Adds the next event of the stretch; it is a step.
    pub(crate) fn push(&mut self, time: i64, bits: u32) {
        if self.best.times.len() == self.steps {
            return;
        }
        self.events.push(StepEvent { time, bits });
        match self.order {
            StepOrder::Strict => self.extend_chains(time, bits),
            StepOrder::Any => {
                self.latest[first(bits)] = Some(time);
                let near = self.latest.iter().flatten().filter(|&&at| reaches(at, time, self.within));
                self.furthest = self.furthest.max(near.count());
            }
        }
        if self.furthest == self.steps {
            self.end_stretch();
        }
    }

    fn extend_chains(&mut self, time: i64, bits: u32) {
        // From the last step down, so that no event fills two.
        let mut rest = bits;
        while rest != 0 {
            let step = last(rest);
            rest &= !(1 << step);
            let start = match step.checked_sub(1) {
                None => Some(time),
                Some(before) => self.latest[before].filter(|&start| reaches(start, time, self.within)),
            };
            if start.is_some() {
                self.latest[step] = start;
                self.furthest = self.furthest.max(step + 1);
            }
        }
    }

    /// Ends the stretch: no attempt goes beyond it. Of two attempts that come as far the earlier is kept.
    pub(crate) fn end_stretch(&mut self) {
        if self.furthest > self.best.times.len() {
            let start = match self.order {
                StepOrder::Strict => self.first_start(),
                StepOrder::Any => self.first_start_of_any(),
            };
            self.take_steps(start);
        }
        self.events.clear();
        self.latest.fill(None);
        self.furthest = 0;
    }

    /// Ends the user; gives the best attempt to `with` where there is one.
    pub(crate) fn end_user<R>(&mut self, with: impl FnOnce(&Attempt) -> R) -> Option<R> {
        self.end_stretch();
        let result = (!self.best.times.is_empty()).then(|| with(&self.best));
        self.best.times.clear();
        result
    }

    /// The position of the first event from which a chain reaches the furthest step.
    fn first_start(&mut self) -> usize {
        self.ahead.fill(None);
        let mut start = 0;
        for (position, event) in self.events.iter().enumerate().rev() {
            // From the first step up, so that no event fills two.
            let mut rest = event.bits;
            while rest != 0 {
                let step = first(rest);
                rest &= rest - 1;
                let end = if step + 1 == self.furthest {
                    Some(event.time)
                } else {
                    self.ahead.get(step + 1).copied().flatten()
                };
                if step >= self.furthest || end.is_none() {
                    continue;
                }
                self.ahead[step] = end;
                if step == 0 && end.is_some_and(|end| reaches(event.time, end, self.within)) {
                    start = position;
                }
            }
        }
        start
    }

    /// The position of the first event from which as many steps as can be lie within the window.
    fn first_start_of_any(&mut self) -> usize {
        self.ahead.fill(None);
        let mut start = 0;
        for (position, event) in self.events.iter().enumerate().rev() {
            self.ahead[first(event.bits)] = Some(event.time);
            let near = self.ahead.iter().flatten().filter(|&&next| reaches(event.time, next, self.within));
            if near.count() == self.furthest {
                start = position;
            }
        }
        start
    }

    /// Makes the attempt that starts at `start` the best.
    fn take_steps(&mut self, start: usize) {
        let times = &mut self.best.times;
        times.clear();
        let mut wanted: u32 = match self.order {
            StepOrder::Strict => 1,
            StepOrder::Any => u32::MAX,
        };
        for event in &self.events[start..] {
            if event.bits & wanted != 0 {
                times.push(event.time);
                match self.order {
                    StepOrder::Strict => wanted <<= 1,
                    StepOrder::Any => wanted &= !event.bits,
                }
                if times.len() == self.furthest {
                    break;
                }
            }
        }
    }
}

/// Whether `time`, which is not before `start`, is no later than `within` behind it.
#[inline]
pub(crate) fn reaches(start: i64, time: i64, within: u64) -> bool {
    // The difference of two i64 in order always fits a u64.
    time.wrapping_sub(start).cast_unsigned() <= within
}

/// The lowest bit of a number that is not 0.
#[inline]
fn first(bits: u32) -> usize {
    bits.trailing_zeros() as usize
}

/// The highest bit of a number that is not 0.
#[inline]
fn last(bits: u32) -> usize {
    bits.ilog2() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn times(order: StepOrder, steps: &[&str], within: u64, events: &[(i64, &str)]) -> Vec<i64> {
        let funnel = Funnel::new(steps.iter().copied(), Duration::from_micros(within)).unwrap();
        let funnel = funnel.with_order(order).unwrap();
        let mut follower = Follower::new(&funnel);
        for &(time, event_type) in events {
            match funnel.bits_of(event_type) {
                0 => {}
                bits => follower.push(time, bits),
            }
        }
        follower.end_user(|best| best.times.clone()).unwrap_or_default()
    }

    #[test]
    fn the_earliest_attempt_that_comes_furthest_counts() {
        let steps = ["view", "cart", "purchase"];
        let strict = |events: &[(i64, &str)]| times(StepOrder::Strict, &steps, 10, events);
        assert!(strict(&[]).is_empty());
        assert!(strict(&[(0, "cart"), (1, "purchase")]).is_empty());
        assert_eq!(strict(&[(0, "view"), (3, "view"), (4, "cart"), (4, "purchase")]), [0, 4, 4]);
        // From the first view the purchase is too late.
        assert_eq!(strict(&[(0, "view"), (3, "view"), (4, "cart"), (13, "purchase")]), [3, 4, 13]);
        // At the limit, and behind it.
        assert_eq!(strict(&[(0, "view"), (1, "cart"), (10, "purchase")]), [0, 1, 10]);
        assert_eq!(strict(&[(0, "view"), (1, "cart"), (11, "purchase")]), [0, 1]);
        // A cart before the view is none of its steps, at the same time as well.
        assert_eq!(strict(&[(5, "cart"), (5, "view"), (6, "purchase")]), [5]);
        // The later attempt comes further than the first.
        assert_eq!(
            strict(&[(0, "view"), (1, "cart"), (50, "view"), (51, "cart"), (52, "purchase")]),
            [50, 51, 52]
        );
    }

    #[test]
    fn steps_that_repeat_want_an_event_each() {
        let twice = |events: &[(i64, &str)]| times(StepOrder::Strict, &["view", "view", "cart"], 10, events);
        assert_eq!(twice(&[(0, "view"), (1, "cart")]), [0]);
        assert_eq!(twice(&[(0, "view"), (1, "view"), (2, "cart")]), [0, 1, 2]);
        assert_eq!(twice(&[(0, "view"), (9, "view"), (11, "view"), (12, "cart")]), [9, 11, 12]);
    }

    #[test]
    fn any_order_counts_what_lies_within_the_window() {
        let any = |events: &[(i64, &str)]| times(StepOrder::Any, &["view", "cart", "purchase"], 10, events);
        assert_eq!(any(&[(0, "purchase"), (2, "cart"), (2, "cart"), (10, "view")]), [0, 2, 10]);
        assert_eq!(any(&[(0, "purchase"), (2, "cart"), (11, "view")]), [0, 2]);
        assert_eq!(any(&[(0, "cart"), (0, "cart")]), [0]);
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let ends = [(i64::MIN, "view"), (i64::MAX, "cart")];
        assert_eq!(times(StepOrder::Strict, &["view", "cart"], i64::MAX as u64, &ends), [i64::MIN]);
        let longest = [(-1, "view"), (i64::MAX - 1, "cart")];
        assert_eq!(
            times(StepOrder::Strict, &["view", "cart"], i64::MAX as u64, &longest),
            [-1, i64::MAX - 1]
        );
    }
}
