//! What looking every day does to four kinds of tests: the table of `docs/experiments.md`.

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;

use cip::abtest::{
    ArmCount, ArmEstimate, EffectEstimate, EffectScale, GroupSequential, Sequential, Spending,
};

const DAYS: u32 = 20;
/// Of each arm.
const USERS_A_DAY: u64 = 200;
const EXPERIMENTS: u32 = 2_000;

fn main() -> Result<(), Box<dyn Error>> {
    let sequence = Sequential::new(0.05)?.with_tuning(4_000.0)?;
    let obrien_fleming = GroupSequential::equally_spaced(DAYS, Spending::ObrienFleming, 0.05)?;
    let pocock = GroupSequential::equally_spaced(DAYS, Spending::Pocock, 0.05)?;
    type Rule<'a> = Box<dyn Fn(usize, &EffectEstimate) -> bool + 'a>;
    let rules: [(&str, Rule<'_>); 5] = [
        ("one look at the end", Box::new(|day, effect| day + 1 == DAYS as usize && effect.p_value() < 0.05)),
        ("the same, every day", Box::new(|_, effect| effect.p_value() < 0.05)),
        ("confidence sequence", Box::new(|_, effect| sequence.test(effect).p_value < 0.05)),
        (
            "O'Brien-Fleming",
            Box::new(|day, effect| effect.statistic().abs() > obrien_fleming.looks()[day].boundary),
        ),
        ("Pocock", Box::new(|day, effect| effect.statistic().abs() > pocock.looks()[day].boundary)),
    ];
    println!("{:<22} {:>15} {:>15} {:>17}", "", "30% and 30%", "30% and 33%", "days, 30% and 33%");
    let mut random = 2;
    let same = experiments(&mut random, [0.3, 0.3])?;
    let better = experiments(&mut random, [0.3, 0.33])?;
    for (name, stops) in &rules {
        let ends = |of: &[Vec<EffectEstimate>]| {
            of.iter()
                .map(|days| days.iter().enumerate().position(|(day, effect)| stops(day, effect)))
                .collect::<Vec<_>>()
        };
        let share =
            |ends: &[Option<usize>]| 100.0 * ends.iter().flatten().count() as f64 / f64::from(EXPERIMENTS);
        let (same, better) = (ends(&same), ends(&better));
        let days: f64 = better.iter().map(|end| end.map_or(f64::from(DAYS), |day| day as f64 + 1.0)).sum();
        println!(
            "{name:<22} {:>14.1}% {:>14.1}% {:>17.1}",
            share(&same),
            share(&better),
            days / f64::from(EXPERIMENTS)
        );
    }
    Ok(())
}

/// The effect after each day of each experiment, of arms with these rates.
fn experiments(random: &mut u64, rates: [f64; 2]) -> Result<Vec<Vec<EffectEstimate>>, Box<dyn Error>> {
    let mut all = Vec::new();
    for _ in 0..EXPERIMENTS {
        let mut successes = [0u64; 2];
        let mut days = Vec::new();
        for day in 1..=u64::from(DAYS) {
            for (successes, rate) in successes.iter_mut().zip(rates) {
                *successes += (0..USERS_A_DAY).filter(|_| uniform(random) < rate).count() as u64;
            }
            let arm = |index: usize| {
                ArmEstimate::of_count(&ArmCount::new("arm", day * USERS_A_DAY, successes[index])?)
            };
            days.push(EffectEstimate::between(&arm(0)?, &arm(1)?, EffectScale::Absolute)?);
        }
        all.push(days);
    }
    Ok(all)
}

/// SplitMix64.
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 11) as f64 / 2f64.powi(53)
}
