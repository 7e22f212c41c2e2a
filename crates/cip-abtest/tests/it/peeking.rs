//! Looking every day: what it does to an ordinary test, and that it does nothing to those that allow it.

use cip_abtest::{ArmCount, ArmEstimate, EffectEstimate, EffectScale, GroupSequential, Sequential, Spending};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

const DAYS: u32 = 20;
const USERS: u64 = 200;
const EXPERIMENTS: u32 = 400;

/// The effect as it stands after each day, of arms with these rates.
fn days(random: &mut Xoshiro256PlusPlus, rates: [f64; 2]) -> Vec<EffectEstimate> {
    let mut successes = [0u64; 2];
    (1..=u64::from(DAYS))
        .map(|day| {
            for (successes, rate) in successes.iter_mut().zip(rates) {
                let chance = (rate * 2f64.powi(64)) as u64;
                *successes += (0..USERS).filter(|_| random.next_u64() < chance).count() as u64;
            }
            let [a, b] = successes.map(|successes| {
                ArmEstimate::of_count(&ArmCount::new("x", day * USERS, successes).unwrap()).unwrap()
            });
            EffectEstimate::between(&a, &b, EffectScale::Absolute).unwrap()
        })
        .collect()
}

#[test]
fn peeking_errs_often_with_one_test_and_seldom_with_those_made_for_it() {
    let sequential = Sequential::new(0.05).unwrap().with_tuning(4_000.0).unwrap();
    let spending = |kind| GroupSequential::equally_spaced(DAYS, kind, 0.05).unwrap();
    let designs = [spending(Spending::ObrienFleming), spending(Spending::Pocock)];
    let mut random = Xoshiro256PlusPlus::seed_from_u64(2);
    let mut count = |rates: [f64; 2]| {
        let mut found = [0u32; 5];
        for _ in 0..EXPERIMENTS {
            let days = days(&mut random, rates);
            found[0] += u32::from(days.last().unwrap().p_value() < 0.05);
            found[1] += u32::from(days.iter().any(|day| day.p_value() < 0.05));
            found[2] += u32::from(days.iter().any(|day| sequential.test(day).p_value < 0.05));
            for (design, found) in designs.iter().zip(&mut found[3..]) {
                let mut looks = design.looks().iter().zip(&days);
                *found += u32::from(looks.any(|(look, day)| day.statistic().abs() > look.boundary));
            }
        }
        found
    };
    let [once, peeking, sequence, obrien_fleming, pocock] = count([0.3, 0.3]);
    // 5 % of 400 are 20, with a standard deviation of 4.4: four of them allow 3 to 37.
    for (what, found) in [("one look", once), ("O'Brien-Fleming", obrien_fleming), ("Pocock", pocock)] {
        assert!((3..=37).contains(&found), "{what}: {found}");
    }
    assert!(sequence <= 37, "confidence sequence: {sequence}");
    // A fifth and more of experiments without an effect find one by and by.
    assert!(peeking > 80, "peeking: {peeking}");
    // And yet they find what is there: 3 percentage points in 8,000 users, which one look finds in 84 % of cases.
    let [once, _, sequence, obrien_fleming, pocock] = count([0.3, 0.33]);
    assert!(
        once > 300 && obrien_fleming > 290 && pocock > 230 && sequence > 160,
        "{once} {obrien_fleming} {pocock} {sequence}"
    );
}
