//! Experiments without an effect: how often one is found.

use cip_abtest::{Analysis, Arm, ArmCount, Assignment, Experiment, Outcomes, Verdict};
use cip_core::IdRef;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

const USERS: i64 = 1_000;
const EXPERIMENTS: u32 = 600;

/// The probability that the verdict finds a difference, where there is none, is alpha; that the sample ratio is
/// flagged, `srm_alpha`.
#[test]
fn a_a_experiments_find_what_chance_allows() {
    // The same users with the same outcomes throughout: the assignment alone is random.
    let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
    let converted: Vec<bool> = (0..USERS).map(|_| random.next_u64() % 10 < 3).collect();
    let revenue: Vec<f64> =
        (0..USERS).map(|_| -((random.next_u64() >> 11) as f64 / 2f64.powi(53) + 1e-9).ln()).collect();
    let (mut found, mut mismatched, mut means_found, mut of_three) = (0, 0, 0, 0);
    for seed in 0..EXPERIMENTS {
        let assignment = Assignment::WeightedHash { seed: format!("a/a {seed}").into() };
        let experiment = Experiment::new("a/a", assignment.clone()).unwrap();
        let mut counts = [(0, 0); 2];
        let mut outcomes = Outcomes::new();
        for user in 0..USERS {
            let arm = experiment.assign_index(IdRef::Int64(user)).unwrap();
            counts[arm].0 += 1;
            counts[arm].1 += u64::from(converted[user as usize]);
            outcomes.push(experiment.arms()[arm].name(), revenue[user as usize], None).unwrap();
        }
        let arms = [("control", counts[0]), ("treatment", counts[1])]
            .map(|(arm, (n, successes))| ArmCount::new(arm, n, successes).unwrap());
        let analysis = Analysis::of(&experiment).with_srm_alpha(1e-9).unwrap();
        let report = analysis.proportions(&arms).unwrap();
        found += u32::from(report.verdict != Verdict::NoDifference);
        mismatched += u32::from(report.srm_p_value < 0.05);
        let report = outcomes.finish().unwrap().analyze(&analysis).unwrap();
        means_found += u32::from(report.verdict != Verdict::NoDifference);

        let three = experiment.with_arms(["a", "b", "c"].map(|arm| Arm::new(arm, 1.0))).unwrap();
        let mut counts = [(0, 0); 3];
        for user in 0..USERS {
            let arm = three.assign_index(IdRef::Int64(user)).unwrap();
            counts[arm].0 += 1;
            counts[arm].1 += u64::from(converted[user as usize]);
        }
        let arms = [0, 1, 2]
            .map(|arm| ArmCount::new(three.arms()[arm].name(), counts[arm].0, counts[arm].1).unwrap());
        let report = Analysis::of(&three).with_srm_alpha(1e-9).unwrap().proportions(&arms).unwrap();
        of_three += u32::from(report.verdict != Verdict::NoDifference);
    }
    // 5 % of 600 are 30, with a standard deviation of 5.3; four of them allow 9 to 51.
    for (what, found) in [("proportions", found), ("means", means_found), ("ratio", mismatched)] {
        assert!((9..=51).contains(&found), "{what}: {found} of {EXPERIMENTS}");
    }
    // Bonferroni keeps the family below alpha, and not far below it.
    assert!((6..=51).contains(&of_three), "{of_three} of {EXPERIMENTS}");
}

#[test]
fn arms_are_balanced_and_experiments_independent() {
    let experiment =
        |seed: &str| Experiment::new("x", Assignment::WeightedHash { seed: seed.into() }).unwrap();
    let (one, other) = (experiment("one"), experiment("other"));
    let mut table = [[0u64; 2]; 2];
    for user in 0..20_000 {
        let id = IdRef::Int64(user);
        table[one.assign_index(id).unwrap()][other.assign_index(id).unwrap()] += 1;
    }
    let independence = cip_abtest::ContingencyTable::try_new(table).unwrap().pearson();
    assert!(independence.p_value > 1e-4, "{table:?}");
    for row in table {
        let units = row[0] + row[1];
        // Within four standard deviations of half.
        assert!((9_717..=10_283).contains(&units), "{table:?}");
    }
}
