//! What holds for all counts.

use cip_abtest::{
    Analysis, Arm, ArmCount, ArmMoments, Assignment, ContingencyTable, Experiment, Report, Verdict,
    goodness_of_fit, proportion_difference, welch,
};
use cip_core::{Id, IdRef};
use proptest::prelude::*;

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3)
}

/// Units and successes of an arm, of any size, none and all among them.
fn count() -> impl Strategy<Value = (u64, u64)> {
    let n = prop_oneof![0u64..6, 0u64..3_000, 0u64..(1 << 50)];
    n.prop_flat_map(|n| (Just(n), prop_oneof![Just(0), Just(n), 0..=n]))
}

fn some_count() -> impl Strategy<Value = (u64, u64)> {
    (1u64..100_000).prop_flat_map(|n| (Just(n), 0..=n))
}

fn arm(name: &str, (n, successes): (u64, u64)) -> ArmCount {
    ArmCount::new(name, n, successes).unwrap()
}

/// Every number that a report has.
fn numbers(report: &Report) -> Vec<f64> {
    let of_arms = report.arms.iter().filter_map(|arm| arm.mean);
    let of_comparisons = report.comparisons.iter().flat_map(|found| {
        [
            found.difference,
            found.ci_low,
            found.ci_high,
            found.statistic,
            found.p_value,
            found.relative_lift.unwrap_or(0.0),
        ]
    });
    let whole = [
        report.chi2,
        report.t,
        report.df,
        report.p_value,
        report.p_value_yates,
        report.difference,
        report.ci_low,
        report.ci_high,
        report.relative_lift,
        Some(report.srm_chi2),
        Some(report.srm_p_value),
    ];
    of_arms.chain(of_comparisons).chain(whole.into_iter().flatten()).collect()
}

proptest! {
    #[test]
    fn no_counts_give_nan(counts in proptest::collection::vec(count(), 2..5), srm in 1e-12..0.5) {
        let names = ["a", "b", "c", "d"];
        let arms: Vec<_> = names.iter().zip(&counts).map(|(name, &count)| arm(name, count)).collect();
        let analysis = Analysis::new("a").with_srm_alpha(srm).unwrap();
        let Ok(report) = analysis.proportions(&arms) else {
            prop_assert!(counts.iter().all(|&(n, _)| n == 0));
            return Ok(());
        };
        prop_assert!(numbers(&report).iter().all(|number| number.is_finite()), "{:?}", report);
        for p_value in report.comparisons.iter().map(|found| found.p_value).chain(report.p_value) {
            prop_assert!((0.0..=1.0).contains(&p_value));
        }
        for found in &report.comparisons {
            prop_assert!(found.ci_low <= found.difference && found.difference <= found.ci_high);
        }
        prop_assert_eq!(report.comparisons.is_empty() && report.verdict != Verdict::Untrustworthy, false);
        prop_assert!(serde_json::to_string(&report).is_ok());
    }

    #[test]
    fn exchanging_the_arms_flips_the_sign(a in some_count(), b in some_count()) {
        let (a, b) = (arm("a", a), arm("b", b));
        let (there, back) =
            (proportion_difference(&a, &b, 0.05).unwrap(), proportion_difference(&b, &a, 0.05).unwrap());
        prop_assert_eq!(there.difference, -back.difference);
        prop_assert!(close(there.ci_low, -back.ci_high) && close(there.z, -back.z));
        let srm = 1e-300;
        let report = |control| Analysis::new(control).with_srm_alpha(srm).unwrap().proportions(&[a.clone(), b.clone()]).unwrap();
        let (there, back) = (report("a"), report("b"));
        prop_assert_eq!(there.chi2, back.chi2);
        prop_assert_eq!(there.p_value, back.p_value);
        prop_assert_eq!(there.verdict == Verdict::Better, back.verdict == Verdict::Worse);
        prop_assert_eq!(there.verdict == Verdict::NoDifference, back.verdict == Verdict::NoDifference);
    }

    #[test]
    fn the_chi_square_of_two_arms_is_the_pooled_z_squared(a in some_count(), b in some_count()) {
        let z = proportion_difference(&arm("a", a), &arm("b", b), 0.05).unwrap();
        let report = Analysis::new("a").proportions(&[arm("a", a), arm("b", b)]).unwrap();
        prop_assert!(close(report.chi2.unwrap(), z.z * z.z), "{:?} {:?}", report, z);
        prop_assert!((report.p_value.unwrap() - z.p_value).abs() < 1e-6);
        prop_assert!(report.p_value_yates.unwrap() >= report.p_value.unwrap() - 1e-9);
    }

    #[test]
    fn scaling_all_counts_scales_the_statistics(cells in proptest::array::uniform6(1u64..10_000), k in 2u64..50) {
        let [a, b, c, d, e, f] = cells;
        let rows = [[a, b, c], [d, e, f]];
        let table = ContingencyTable::try_new(rows).unwrap();
        let scaled = ContingencyTable::try_new(rows.map(|row| row.map(|count| k * count))).unwrap();
        prop_assert!(close(scaled.pearson().statistic, k as f64 * table.pearson().statistic));
        prop_assert!(close(scaled.g_test().statistic, k as f64 * table.g_test().statistic));
        let exchanged = ContingencyTable::try_new([[e, d, f], [b, a, c]]).unwrap();
        prop_assert!(close(exchanged.pearson().statistic, table.pearson().statistic));
        let transposed = ContingencyTable::try_new([[a, d], [b, e], [c, f]]).unwrap();
        prop_assert!(close(transposed.pearson().p_value, table.pearson().p_value));
        let expected: Vec<f64> = table.expected().collect();
        prop_assert!(close(expected.iter().sum(), (a + b + c + d + e + f) as f64));
        prop_assert!(close(expected[0] + expected[3], (a + d) as f64));
    }

    #[test]
    fn expected_shares_have_any_sum(counts in proptest::array::uniform3(0u64..10_000), scale in 1e-6..1e6) {
        prop_assume!(counts.iter().sum::<u64>() > 0);
        let weights = [1.0, 2.0, 7.0];
        let fit = goodness_of_fit(&counts, &weights).unwrap();
        let scaled = goodness_of_fit(&counts, &weights.map(|weight| weight * scale)).unwrap();
        prop_assert!(close(fit.statistic, scaled.statistic));
    }

    #[test]
    fn welch_moves_and_scales_with_its_units(
        a in proptest::collection::vec(-100.0..100.0, 2..30),
        b in proptest::collection::vec(-100.0..100.0, 2..30),
        shift in -1e3..1e3,
        scale in 0.01..100.0,
    ) {
        let moments = |values: &[f64], scale: f64, shift: f64| {
            ArmMoments::from_values("x", values.iter().map(|value| scale * value + shift)).unwrap()
        };
        let found = welch(&moments(&a, 1.0, 0.0), &moments(&b, 1.0, 0.0), 0.05).unwrap();
        let moved = welch(&moments(&a, scale, shift), &moments(&b, scale, shift), 0.05).unwrap();
        prop_assert!((moved.t - found.t).abs() < 1e-5 * found.t.abs().max(1.0), "{:?} {:?}", moved, found);
        let (least, most) = (a.len().min(b.len()) - 1, a.len() + b.len() - 2);
        prop_assert!(least as f64 - 1e-6 <= found.df && found.df <= most as f64 + 1e-6);
        // The interval leaves 0 out where the p-value is below its level.
        let without = found.ci_low > 0.0 || found.ci_high < 0.0;
        prop_assert!(without == (found.p_value < 0.05) || (found.p_value - 0.05).abs() < 1e-9);
        // Sums tell the same as values.
        let sums = |values: &[f64]| {
            let squares = values.iter().map(|value| value * value).sum();
            ArmMoments::from_sums("x", values.len() as u64, values.iter().sum(), squares).unwrap()
        };
        let summed = welch(&sums(&a), &sums(&b), 0.05).unwrap();
        prop_assert!((summed.t - found.t).abs() < 1e-5 * found.t.abs().max(1.0));
    }

    #[test]
    fn an_id_has_one_arm_whatever_its_type(id in any::<i64>(), seed in "[a-z]{1,8}", weights in proptest::collection::vec(0.01..10.0, 2..6)) {
        let arms = weights.iter().enumerate().map(|(index, &weight)| Arm::new(format!("arm {index}"), weight));
        let hash = Experiment::new("x", Assignment::WeightedHash { seed: seed.into() }).unwrap().with_arms(arms).unwrap();
        let parity = Experiment::new("x", Assignment::Md5Parity).unwrap();
        let text = Id::Utf8(id.to_string().into());
        for experiment in [&hash, &parity] {
            prop_assert_eq!(experiment.assign(IdRef::Int64(id)), experiment.assign(text.as_ref()));
        }
        let shares = hash.shares();
        prop_assert!(close(shares.iter().sum(), 1.0));
        let total: f64 = weights.iter().sum();
        for (share, weight) in shares.iter().zip(&weights) {
            prop_assert!((share - weight / total).abs() <= 1.000_001e-4);
        }
    }
}
