//! One specification for the whole of an experiment: a service assigns its users by it, and the analysis reads it again.

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;

use cip::abtest::{Analysis, Experiment, Outcomes};
use cip::core::IdRef;

/// Kept where the service and the analysis find it.
const SPECIFICATION: &str = r#"
name = "free shipping"
assignment = "weighted_hash"
seed = "free-shipping-1"
arms = [{ name = "from 50", weight = 3 }, { name = "from 20", weight = 1 }]
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let experiment = Experiment::from_toml(SPECIFICATION)?;

    // The service: a request comes in, and the user sees what the arm says. Nothing is stored.
    let threshold = |user: i64| match experiment.assign(IdRef::Int64(user)) {
        Some("from 20") => 20,
        _ => 50,
    };
    println!("user 7 ships free from {}, user 8 from {}", threshold(7), threshold(8));

    // The analysis, weeks later: one row a user, with what the user did.
    let mut outcomes = Outcomes::new();
    for user in 0..40_000 {
        let ordered = made_up_order(user, threshold(user));
        let user = IdRef::Int64(user);
        if let Some(arm) = experiment.assign(user) {
            outcomes.push(arm, f64::from(ordered), Some(user))?;
        }
    }
    let report = outcomes.finish()?.analyze(&Analysis::of(&experiment))?;
    for arm in &report.arms {
        println!("{:<8} {:>6} users, {:.2}% ordered", arm.arm, arm.n, 100.0 * arm.mean.unwrap_or(0.0));
    }
    for found in &report.comparisons {
        println!(
            "{} against {}: {:+.2} percentage points, 95% confidence [{:+.2}, {:+.2}], p {:.1e}",
            found.arm,
            experiment.control(),
            100.0 * found.difference,
            100.0 * found.ci_low,
            100.0 * found.ci_high,
            found.p_value
        );
    }
    println!("shares as expected with p {:.3}", report.srm_p_value);
    println!("verdict: {}", report.verdict);
    Ok(())
}

/// Stands for the world: every tenth user orders, and a few more where shipping is free from less.
fn made_up_order(user: i64, threshold: u32) -> bool {
    let chance = if threshold == 20 { 115 } else { 100 };
    // SplitMix64, so that neighbours have nothing in common.
    let mut bits = user.cast_unsigned().wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ (bits >> 31)) % 1_000 < chance
}
