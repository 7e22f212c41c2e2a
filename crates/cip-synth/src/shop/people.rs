//! The shop's users: ids, activity, presence and the lasting propensity to buy, all functions of the seed.

use crate::chance::{Dice, LogLogistic, below, hash, mix, power, scatter};

const PURPOSE: u64 = 0x7065_6f70_6c65;

/// Days of the shop.
pub(super) const DAYS: u32 = 61;

/// The smallest user id; the real ones lie between 512 and 567 million, a few below.
const FIRST_ID: u64 = 500_000_000;

/// A user: a rank by activity, 0 is the most active.
#[derive(Debug, Clone, Copy)]
pub(super) struct User {
    pub(super) rank: u64,
    /// What the user is like: 64 bits that never change.
    traits: u64,
}

/// All users. Nothing is stored of any of them.
///
/// # Method
/// - **Activity**: sessions fall on rank `r` of `n` with density proportional to `(r/n)^(-1/2)`: a Pareto tail
///   of index 2.
/// - **Presence**: half of the users are around all the time; the others for 3 to 30 days, with a uniform
///   start.
/// - **Propensity**: a log-logistic multiplier of the rates of carts and purchases, the same on every day.
#[derive(Debug)]
pub(super) struct People {
    seed: u64,
    count: u64,
    bits: u32,
    propensity: LogLogistic,
}

impl People {
    /// The users of a shop of `events` events: in proportion up to 20 million, with the power 7/16 beyond.
    pub(super) fn new(events: u64, seed: u64) -> Self {
        let linear = events.min(20_000_000) as f64 / 11.0;
        let beyond = power(events.max(20_000_000) as f64 / 2e7, 7);
        let count = ((linear * beyond) as u64).max(1);
        let bits = (u64::BITS - count.leading_zeros() + 1).max(26);
        let propensity = LogLogistic::new(0.3, 20, 0.0, 24.0).with_mean(1.0);
        Self { seed, count, bits, propensity }
    }

    /// Somebody who comes on `day`.
    #[inline]
    pub(super) fn visitor(&self, day: u32, dice: &mut Dice) -> User {
        let mut user = self.anybody(dice);
        for _ in 0..16 {
            if user.is_around(day) {
                break;
            }
            user = self.anybody(dice);
        }
        user
    }

    fn anybody(&self, dice: &mut Dice) -> User {
        let x = dice.unit();
        let rank = ((x * x * self.count as f64) as u64).min(self.count - 1);
        User { rank, traits: hash(self.seed, PURPOSE, rank) }
    }

    /// How much likelier than the average user this one is to put things into the cart.
    ///
    /// Ranks take it from a golden-section sequence instead of a hash: neighbours differ as much as they can,
    /// so that the shop's average does not hang on the few who come most.
    #[inline]
    pub(super) fn propensity(&self, user: User) -> f64 {
        self.propensity.value(user.rank.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(mix(self.seed)))
    }

    /// One of the user's three favourites: 64 bits that stand for it.
    #[inline]
    pub(super) fn favourite(&self, user: User, dice: &mut Dice) -> u64 {
        hash(user.traits, PURPOSE, dice.below(3))
    }

    /// The id in the file: ranks scattered over all ids, without collision.
    #[inline]
    pub(super) fn id(&self, user: User) -> u32 {
        (FIRST_ID + scatter(self.seed, user.rank, self.bits)) as u32
    }
}

impl User {
    fn is_around(self, day: u32) -> bool {
        let kind = self.traits & 0xff;
        if kind < 128 {
            return true;
        }
        let length = 3 + ((self.traits >> 8) & 0xff) % 28;
        let last_start = u64::from(DAYS) + length;
        let start = below(self.traits << 20, last_start);
        (start..start + length).contains(&(u64::from(day) + length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_unique_and_look_real() {
        for events in [1_000, 3_000_000] {
            let people = People::new(events, 9);
            let ids: HashSet<u32> =
                (0..people.count).map(|rank| people.id(User { rank, traits: 0 })).collect();
            assert_eq!(ids.len() as u64, people.count);
            assert!(ids.iter().all(|id| (500_000_000..567_200_000).contains(id)));
        }
        let many = People::new(crate::MAX_EVENTS, 9);
        assert!(u64::from(many.id(User { rank: many.count - 1, traits: 0 })) >= FIRST_ID);
    }

    #[test]
    fn every_day_has_the_same_share_of_users_around() {
        let people = People::new(2_000_000, 3);
        let mut dice = Dice::new(1, 1, 1);
        let users: Vec<User> = (0..20_000).map(|_| people.anybody(&mut dice)).collect();
        for day in [0, 15, 30, 45, 60] {
            let around = users.iter().filter(|user| user.is_around(day)).count();
            assert!((11_000..12_800).contains(&around), "day {day}: {around}");
        }
    }

    #[test]
    fn one_user_is_enough() {
        let people = People::new(1, 0);
        assert_eq!(people.visitor(60, &mut Dice::new(0, 0, 0)).rank, 0);
    }
}
