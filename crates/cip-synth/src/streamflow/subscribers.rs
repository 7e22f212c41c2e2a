//! The subscribers: when they join, pay and leave, and how they behave before they leave.

use super::DAYS;
use crate::calendar::DAY;
use crate::chance::{Dice, LogLogistic, hash, scatter, unit};

const PURPOSE: u64 = 0x7375_6273;

/// Seconds between two payments.
const CYCLE: u64 = 30 * DAY as u64;

/// Payment dates of a subscriber in the world's time, at most.
const CYCLES: u32 = DAYS.div_ceil(30);

/// Seconds over which somebody who leaves comes less and less often.
const FADING: f64 = 35.0 * DAY as f64;

const COUNTRIES: [&str; 8] = ["US", "GB", "DE", "FR", "CA", "BR", "IN", "AU"];

/// What a subscription costs a month, in cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    Basic,
    Standard,
    Premium,
}

impl Plan {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Standard => "standard",
            Self::Premium => "premium",
        }
    }

    pub(super) const fn cents(self) -> u32 {
        match self {
            Self::Basic => 899,
            Self::Standard => 1299,
            Self::Premium => 1799,
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Basic => Self::Standard,
            Self::Standard | Self::Premium => Self::Premium,
        }
    }
}

/// What happens on a payment date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payment {
    /// Not a subscriber then.
    None,
    Started,
    Renewed,
    /// Renewed in a dearer plan.
    Upgraded,
    /// Cancelled, after a payment that failed or not.
    Cancelled {
        failed: bool,
    },
    /// Failed, and renewed a day later.
    Retried,
}

/// All subscribers, functions of the seed: nothing is stored of any of them.
///
/// # Method
/// Number `u` of `n` pays every 30 days, first `u / n` of 30 days after the start, so that those who pay in a
/// span of time are a range of numbers. On every date a subscriber leaves with a lasting **hazard**
/// (log-logistic, mean 7 %). In the 35 days before, visits thin out to a quarter and errors grow sixfold.
/// Activity is a Pareto law of index 2 and independent of the hazard.
#[derive(Debug)]
pub(super) struct Subscribers {
    seed: u64,
    pub(super) count: u64,
    bits: u32,
    step: u64,
    hazard: LogLogistic,
}

/// A subscriber.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subscriber {
    pub(super) number: u64,
    traits: u64,
    /// Payment date on which the subscription starts; `None` before the world does.
    joins: Option<u32>,
    /// Payment date on which it is cancelled.
    leaves: Option<u32>,
}

impl Subscribers {
    /// The subscribers of a world of `events` events: one for 120.
    pub(super) fn new(events: u64, seed: u64) -> Self {
        let count = (events / 120).max(1);
        let bits = (u64::BITS - count.leading_zeros() + 1).max(20);
        // A step near the golden section that shares no factor with the count visits everybody.
        let mut step = count * 618 / 1_000 + 1;
        while gcd(step, count) != 1 {
            step += 1;
        }
        Self { seed, count, bits, step, hazard: LogLogistic::new(0.05, 12, 0.0, 0.7).with_mean(0.07) }
    }

    /// The subscriber of a number. Number 0 never leaves, so that somebody is always there.
    pub(super) fn get(&self, number: u64) -> Subscriber {
        let traits = hash(self.seed, PURPOSE, number);
        if number == 0 {
            return Subscriber { number, traits, joins: None, leaves: None };
        }
        let old = unit(hash(traits, 1, 0)) < 0.55;
        let joins = (!old).then(|| (unit(hash(traits, 2, 0)) * f64::from(CYCLES)) as u32);
        let hazard = self.hazard.value(traits);
        let first = joins.map_or(0, |cycle| cycle + 1);
        let leaves = (first..CYCLES).find(|&cycle| unit(hash(traits, 3, u64::from(cycle))) < hazard);
        Subscriber { number, traits, joins, leaves }
    }

    /// Somebody who comes at `time`.
    pub(super) fn visitor(&self, time: u32, dice: &mut Dice) -> Subscriber {
        for _ in 0..64 {
            let x = dice.unit();
            let rank = ((x * x * self.count as f64) as u64).min(self.count - 1);
            let number = (u128::from(rank) * u128::from(self.step) % u128::from(self.count)) as u64;
            let subscriber = self.get(number);
            if dice.chance(self.eagerness(subscriber, time)) {
                return subscriber;
            }
        }
        self.get(0)
    }

    /// How much of the usual activity is left at `time`: 1 in good times, less before leaving, 0 outside the
    /// subscription.
    pub(super) fn eagerness(&self, subscriber: Subscriber, time: u32) -> f64 {
        let time = u64::from(time);
        if subscriber.joins.is_some_and(|cycle| time < self.pays_at(subscriber.number, cycle)) {
            return 0.0;
        }
        match subscriber.leaves.map(|cycle| self.pays_at(subscriber.number, cycle)) {
            Some(end) if end <= time => 0.0,
            Some(end) => (0.25 + 0.75 * (end - time) as f64 / FADING).min(1.0),
            None => 1.0,
        }
    }

    /// The second of a payment date.
    pub(super) fn pays_at(&self, number: u64, cycle: u32) -> u64 {
        u64::from(cycle) * CYCLE + (u128::from(number) * u128::from(CYCLE) / u128::from(self.count)) as u64
    }

    /// Calls `each` with everybody who has a payment date in `start..end`, and which one.
    pub(super) fn payers(&self, start: u32, end: u32, mut each: impl FnMut(Subscriber, u32)) {
        // The first number whose date of this cycle is not before `time`.
        let from = |time: u32, cycle: u32| {
            let after = u128::from(u64::from(time).saturating_sub(u64::from(cycle) * CYCLE));
            (after * u128::from(self.count)).div_ceil(u128::from(CYCLE)).min(u128::from(self.count)) as u64
        };
        for cycle in 0..CYCLES {
            (from(start, cycle)..from(end, cycle)).for_each(|number| each(self.get(number), cycle));
        }
    }

    /// The id in the file.
    pub(super) fn id(&self, number: u64) -> u64 {
        1_000_000 + scatter(self.seed, number, self.bits)
    }
}

impl Subscriber {
    /// What happens on payment date `cycle`.
    pub(super) fn payment(self, cycle: u32) -> Payment {
        let bits = |purpose| unit(hash(self.traits, purpose, u64::from(cycle)));
        match (self.joins, self.leaves) {
            (Some(joins), _) if cycle < joins => Payment::None,
            (Some(joins), _) if cycle == joins => Payment::Started,
            (_, Some(leaves)) if cycle > leaves => Payment::None,
            (_, Some(leaves)) if cycle == leaves => Payment::Cancelled { failed: bits(4) < 0.35 },
            _ if self.upgrades(cycle) => Payment::Upgraded,
            _ if bits(4) < 0.04 => Payment::Retried,
            _ => Payment::Renewed,
        }
    }

    fn upgrades(self, cycle: u32) -> bool {
        self.joins.is_none_or(|joins| joins < cycle) && unit(hash(self.traits, 5, u64::from(cycle))) < 0.02
    }

    /// The plan after the payment date `cycle`; before any date, that of the start.
    pub(super) fn plan(self, cycle: Option<u32>) -> Plan {
        let first = match hash(self.traits, 6, 0) % 10 {
            0..5 => Plan::Basic,
            5..8 => Plan::Standard,
            _ => Plan::Premium,
        };
        let upgrades = cycle.map_or(0, |cycle| (0..=cycle).filter(|&cycle| self.upgrades(cycle)).count());
        (0..upgrades).fold(first, |plan, _| plan.next())
    }

    pub(super) fn country(self) -> &'static str {
        let x = unit(hash(self.traits, 7, 0));
        COUNTRIES[(x * x * COUNTRIES.len() as f64) as usize % COUNTRIES.len()]
    }
}

const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_payment_date_is_met_once() {
        let subscribers = Subscribers::new(120 * 997, 5);
        let mut met = vec![0u32; 997 * CYCLES as usize];
        let mut start = 0;
        while start < DAYS * DAY {
            let end = (start + 1_234_567).min(DAYS * DAY);
            subscribers.payers(start, end, |subscriber, cycle| {
                let at = subscribers.pays_at(subscriber.number, cycle);
                assert!((u64::from(start)..u64::from(end)).contains(&at));
                met[subscriber.number as usize * CYCLES as usize + cycle as usize] += 1;
            });
            start = end;
        }
        for (i, n) in met.iter().enumerate() {
            let at = subscribers.pays_at(i as u64 / u64::from(CYCLES), i as u32 % CYCLES);
            assert_eq!(*n, u32::from(at < u64::from(DAYS * DAY)), "{i}");
        }
    }

    #[test]
    fn subscribers_fade_before_they_leave() {
        let subscribers = Subscribers::new(1_200_000, 5);
        let leaver = (1..10_000).map(|n| subscribers.get(n)).find(|s| s.leaves == Some(3)).unwrap();
        let end = subscribers.pays_at(leaver.number, 3) as u32;
        assert_eq!(subscribers.eagerness(leaver, end), 0.0);
        assert!(subscribers.eagerness(leaver, end - DAY) < 0.3);
        assert_eq!(subscribers.eagerness(leaver, end - 40 * DAY), 1.0);
        let left = (1..10_000).filter(|&n| subscribers.get(n).leaves.is_some()).count();
        assert!((2_000..4_000).contains(&left), "{left}");
    }
}
