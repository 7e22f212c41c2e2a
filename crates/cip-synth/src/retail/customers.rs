//! The wholesaler's customers: how often they order, how much, for how long, and from where.

use super::DAYS;
use crate::chance::{Dice, LogLogistic, below, hash, scaled, unit};

const PURPOSE: u64 = 0x6375_7374;

/// The smallest customer id of the real file.
const FIRST_ID: u64 = 12_346;

/// Countries and their share of customers in thousandths.
const COUNTRIES: [(u64, &str); 15] = [
    (895, "United Kingdom"),
    (26, "Germany"),
    (24, "France"),
    (8, "EIRE"),
    (7, "Spain"),
    (6, "Belgium"),
    (5, "Portugal"),
    (5, "Switzerland"),
    (4, "Netherlands"),
    (3, "Norway"),
    (3, "Italy"),
    (3, "Finland"),
    (2, "Channel Islands"),
    (2, "Australia"),
    (2, "Japan"),
];

/// A customer with an account.
#[derive(Debug, Clone, Copy)]
pub(super) struct Customer {
    pub(super) id: u32,
    traits: u64,
}

/// All customers, functions of the seed: nothing is stored of any of them.
///
/// # Method
/// Orders fall on customers by a Pareto law of index 2, as in the shop. A third have been customers from the
/// start, the others arrive over the year; each stays for 20 to 600 days. Basket size and quantities have a
/// lasting factor each.
#[derive(Debug)]
pub(super) struct Customers {
    seed: u64,
    count: u64,
    basket: LogLogistic,
}

impl Customers {
    /// The customers for `rows` rows: about 4,400 at 540,000.
    pub(super) fn new(rows: u64, seed: u64) -> Self {
        let count = scaled(6_600.0, rows, 540_000.0, 12).max(1);
        Self { seed, count, basket: LogLogistic::new(1.0, 6, 0.2, 5.0).with_mean(1.0) }
    }

    /// Somebody who orders on `day`.
    pub(super) fn buyer(&self, day: u32, dice: &mut Dice) -> Customer {
        let mut customer = self.anybody(dice);
        for _ in 0..24 {
            if customer.stays_on(day) {
                break;
            }
            customer = self.anybody(dice);
        }
        customer
    }

    fn anybody(&self, dice: &mut Dice) -> Customer {
        let x = dice.unit();
        let rank = ((x * x * self.count as f64) as u64).min(self.count - 1);
        // Ids in no order of activity: neighbours in rank are far apart. The factor is a prime above any count.
        let place = (u128::from(rank) * 2_147_483_647 + u128::from(self.seed)) % u128::from(self.count);
        Customer { id: (FIRST_ID + place as u64) as u32, traits: hash(self.seed, PURPOSE, place as u64) }
    }

    /// How much larger than the average this customer's baskets are.
    pub(super) fn basket(&self, customer: Customer) -> f64 {
        self.basket.value(hash(customer.traits, PURPOSE, 1))
    }
}

impl Customer {
    /// Whether quantities are a dealer's.
    pub(super) const fn is_dealer(self) -> bool {
        unit(hash(self.traits, PURPOSE, 2)) < 0.06
    }

    pub(super) fn country(self) -> &'static str {
        let mut mark = below(hash(self.traits, PURPOSE, 3), COUNTRIES.iter().map(|(share, _)| share).sum());
        for (share, name) in COUNTRIES {
            if mark < share {
                return name;
            }
            mark -= share;
        }
        "Unspecified"
    }

    fn stays_on(self, day: u32) -> bool {
        let stay = 20 + below(hash(self.traits, PURPOSE, 4), 580) as u32;
        let arrival = unit(hash(self.traits, PURPOSE, 5)) * 1.5 - 0.5;
        let first = (arrival.max(0.0) * f64::from(DAYS)) as u32;
        (first..first + stay).contains(&day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_customers_live_in_the_united_kingdom() {
        let home = (0..5_000u64)
            .filter(|&i| Customer { id: 0, traits: hash(7, 7, i) }.country() == "United Kingdom");
        let home = home.count();
        assert!((4_450..4_700).contains(&home), "{home}");
    }

    #[test]
    fn a_single_customer_orders_every_day() {
        let customers = Customers::new(1, 3);
        assert_eq!(customers.buyer(200, &mut Dice::new(0, 0, 0)).id, 12_346);
    }
}
