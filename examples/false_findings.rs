//! How often each test finds an effect that is not there, and one that is: the table of `docs/experiments.md`.

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;

use cip::abtest::{
    ArmCount, ArmEstimate, ArmMoments, Cuped, EffectEstimate, EffectScale, JointSums, mann_whitney,
    proportion_difference, quantile_estimate, winsorised,
};

const EXPERIMENTS: u32 = 2_000;
const USERS: usize = 1_000;
const ALPHA: f64 = 0.05;

/// What a user spends in the experiment, and spent before it.
type User = [f64; 2];

fn main() -> Result<(), Box<dyn Error>> {
    println!("{:<28} {:>12} {:>12}", "", "no effect", "15% more");
    let mut random = 5;
    let none = found(&mut random, 1.0)?;
    let some = found(&mut random, 1.15)?;
    for ((name, none), (_, some)) in none.iter().zip(&some) {
        let share = |count: &u32| 100.0 * f64::from(*count) / f64::from(EXPERIMENTS);
        println!("{name:<28} {:>11.1}% {:>11.1}%", share(none), share(some));
    }
    Ok(())
}

/// How many experiments each test finds an effect in, where the users of one arm spend so many times as much.
fn found(random: &mut u64, times: f64) -> Result<Vec<(&'static str, u32)>, Box<dyn Error>> {
    let mut counts: Vec<(&str, u32)> = Vec::new();
    for _ in 0..EXPERIMENTS {
        let control: Vec<User> = (0..USERS).map(|_| user(random, 1.0)).collect();
        let arm: Vec<User> = (0..USERS).map(|_| user(random, times)).collect();
        for (index, (name, p_value)) in p_values(&control, &arm)?.into_iter().enumerate() {
            if index == counts.len() {
                counts.push((name, 0));
            }
            counts[index].1 += u32::from(p_value < ALPHA);
        }
    }
    Ok(counts)
}

fn p_values(control: &[User], arm: &[User]) -> Result<[(&'static str, f64); 7], Box<dyn Error>> {
    let spent = |users: &[User]| users.iter().map(|[spent, _]| *spent).collect::<Vec<_>>();
    let (a, b) = (spent(control), spent(arm));
    let bought = |of: &[f64]| {
        ArmCount::new("arm", of.len() as u64, of.iter().filter(|spent| **spent > 5.0).count() as u64)
    };
    let mean = |of: &[f64]| ArmEstimate::of_moments(&ArmMoments::from_values("arm", of.iter().copied())?);
    let effect = |a: &ArmEstimate, b: &ArmEstimate, scale| {
        EffectEstimate::between(a, b, scale).map(|effect| effect.p_value())
    };
    let joint = |users: &[User]| {
        let mut sums = JointSums::<2>::new();
        users.iter().try_for_each(|user| sums.push(*user))?;
        sums.moments("arm")
    };
    let (joint_a, joint_b) = (joint(control)?, joint(arm)?);
    let cuped = Cuped::fit([&joint_a, &joint_b])?;
    let cut = winsorised(&[&a, &b], 0.99)?;
    Ok([
        ("share above 5, pooled z", proportion_difference(&bought(&a)?, &bought(&b)?, ALPHA)?.p_value),
        ("mean, Welch", effect(&mean(&a)?, &mean(&b)?, EffectScale::Absolute)?),
        ("mean, relative", effect(&mean(&a)?, &mean(&b)?, EffectScale::Relative)?),
        ("mean, winsorised at 0.99", effect(&mean(&cut[0])?, &mean(&cut[1])?, EffectScale::Absolute)?),
        ("mean, CUPED", effect(&cuped.adjust(&joint_a)?, &cuped.adjust(&joint_b)?, EffectScale::Absolute)?),
        (
            "median, by its quantile",
            effect(
                &quantile_estimate("arm", &a, 0.5)?,
                &quantile_estimate("arm", &b, 0.5)?,
                EffectScale::Absolute,
            )?,
        ),
        ("ranks, Mann-Whitney", mann_whitney(&a, &b)?.p_value),
    ])
}

/// Skewed spending, of which a habit that was there before makes a good part.
fn user(random: &mut u64, times: f64) -> User {
    let mut exponential = || -(uniform(random) + 1e-12).ln();
    let habit = exponential() + exponential();
    [times * habit * (0.5 + exponential()), habit * (0.5 + exponential())]
}

/// SplitMix64.
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 11) as f64 / 2f64.powi(53)
}
