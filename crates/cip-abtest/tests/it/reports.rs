//! What a report says, and what is refused.

use cip_abtest::{
    AbTestError, Analysis, ArmCount, ArmMoments, Assignment, Check, CheckStatus, Experiment, Report, Verdict,
    Warning,
};

fn arms<const N: usize>(arms: [(&str, u64, u64); N]) -> Vec<ArmCount> {
    arms.into_iter().map(|(arm, n, successes)| ArmCount::new(arm, n, successes).unwrap()).collect()
}

fn means<const N: usize>(arms: [(&str, &[f64]); N]) -> Vec<ArmMoments> {
    arms.into_iter()
        .map(|(arm, values)| ArmMoments::from_values(arm, values.iter().copied()).unwrap())
        .collect()
}

fn report<const N: usize>(of: [(&str, u64, u64); N]) -> Report {
    Analysis::new("a").proportions(&arms(of)).unwrap()
}

#[track_caller]
fn close(found: Option<f64>, expected: f64, unit: f64) {
    let found = found.unwrap();
    assert!((found - expected).abs() <= 0.51 * unit, "{found} is not {expected}");
}

#[test]
fn cookie_cats_is_untrustworthy_unless_the_ratio_is_excused() {
    // Recomputed from the raw data of Cookie Cats.
    let day_7 = arms([("gate_30", 44_700, 8_502), ("gate_40", 45_489, 8_279)]);
    let found = Analysis::new("gate_30").proportions(&day_7).unwrap();
    assert_eq!((found.verdict, found.warnings.len()), (Verdict::Untrustworthy, 1));
    assert!(matches!(found.warnings[0], Warning::SampleRatio { .. }));
    close(Some(found.srm_chi2), 6.902_404_9, 1e-7);
    close(Some(found.srm_p_value), 0.008_608_0, 1e-7);
    let found = Analysis::new("gate_30").with_srm_alpha(0.001).unwrap().proportions(&day_7).unwrap();
    assert_eq!((found.verdict, found.warnings.len(), found.df), (Verdict::Worse, 0, Some(1.0)));
    close(found.chi2, 10.013_167_3, 1e-7);
    close(found.p_value, 0.001_554_25, 1e-8);
    close(found.p_value_yates, 0.001_600_57, 1e-8);
    close(found.difference, -0.008_201_3, 1e-7);
    close(found.ci_low, -0.013_281_6, 1e-7);
    close(found.ci_high, -0.003_121_0, 1e-7);
    let day_1 = arms([("gate_30", 44_700, 20_034), ("gate_40", 45_489, 20_119)]);
    let found = Analysis::new("gate_30").with_srm_alpha(0.001).unwrap().proportions(&day_1).unwrap();
    assert_eq!(found.verdict, Verdict::NoDifference);
    close(found.p_value, 0.074_409_7, 1e-7);
}

#[test]
fn the_json_has_the_documented_names() {
    let found = serde_json::to_value(report([("a", 1_000, 100), ("b", 1_000, 150)])).unwrap();
    let names: Vec<_> = found.as_object().unwrap().keys().map(String::as_str).collect();
    for name in [
        "arms",
        "chi2",
        "df",
        "p_value",
        "p_value_yates",
        "difference",
        "ci_low",
        "ci_high",
        "relative_lift",
        "srm_p_value",
        "warnings",
        "verdict",
    ] {
        assert!(names.contains(&name), "{name}");
    }
    assert_eq!(found["verdict"], "better");
    assert_eq!(found["df"].to_string(), "1");
    assert_eq!(found["arms"][0].to_string(), r#"{"arm":"a","n":1000,"successes":100,"mean":0.1}"#);
    assert_eq!(found["relative_lift"], found["comparisons"][0]["relative_lift"]);
    let found = Analysis::new("a").means(&means([("a", &[1.0, 2.0]), ("b", &[])])).unwrap();
    let found = serde_json::to_value(found).unwrap();
    assert_eq!(found["arms"][1].to_string(), r#"{"arm":"b","n":0,"mean":null}"#);
    assert_eq!(found["warnings"][0], "arm `b` has no units: it is not compared");
    assert!(found["difference"].is_null());
}

#[test]
fn no_and_all_successes_are_no_difference_with_a_warning() {
    for successes in [0, 100] {
        let found = report([("a", 100, successes), ("b", 100, successes)]);
        assert_eq!(found.verdict, Verdict::NoDifference);
        assert_eq!(
            (found.chi2, found.df, found.p_value, found.p_value_yates),
            (Some(0.0), Some(1.0), Some(1.0), Some(1.0))
        );
        assert_eq!((found.difference, found.ci_low, found.ci_high), (Some(0.0), Some(0.0), Some(0.0)));
        assert!(found.warnings.contains(&Warning::NoVariation { arm: "b".into() }));
    }
    let zero = report([("a", 100, 0), ("b", 100, 20)]);
    assert_eq!((zero.verdict, zero.relative_lift), (Verdict::Better, None));
    assert_eq!(zero.warnings, [Warning::ZeroControl]);
}

#[test]
fn an_arm_without_units_is_told_and_never_compared() {
    // Three units of one arm are no mismatch yet, but nothing can be compared.
    for of in [[("a", 3, 1), ("b", 0, 0)], [("a", 0, 0), ("b", 3, 1)]] {
        let found = report(of);
        assert_eq!((found.verdict, found.chi2, found.difference), (Verdict::Untrustworthy, None, None));
        assert!(matches!(found.warnings[..], [Warning::EmptyArm { .. }]), "{found:?}");
    }
    assert!(matches!(report([("a", 300, 1), ("b", 0, 0)]).warnings[0], Warning::SampleRatio { .. }));
    assert!(matches!(
        Analysis::new("a").proportions(&arms([("a", 0, 0), ("b", 0, 0)])),
        Err(AbTestError::NoUnits)
    ));
    // An arm of the experiment that the data do not have is an empty arm.
    let experiment = Experiment::new("x", Assignment::Md5Parity).unwrap();
    let found = Analysis::of(&experiment).proportions(&arms([("control", 50, 5)])).unwrap();
    assert_eq!((found.verdict, found.arms.len()), (Verdict::Untrustworthy, 2));
}

#[test]
fn small_cells_are_told() {
    let found = report([("a", 20, 2), ("b", 20, 6)]);
    assert_eq!(found.warnings, [Warning::SmallExpected { expected: 4.0 }]);
}

#[test]
fn several_arms_share_the_level() {
    // Alone, b differs at p .03; of two comparisons each has .025.
    let (a, b, c) = (("a", 1_000, 100), ("b", 1_000, 131), ("c", 1_000, 100));
    let two = report([a, b]);
    assert!(two.p_value.unwrap() < 0.05 && two.p_value.unwrap() > 0.025, "{two:?}");
    assert_eq!(two.verdict, Verdict::Better);
    let three = report([a, b, c]);
    assert_eq!((three.verdict, three.difference, three.df), (Verdict::NoDifference, None, Some(2.0)));
    assert!(three.comparisons[0].ci_low < two.ci_low.unwrap());
    let three = report([a, ("b", 1_000, 200), ("c", 1_000, 50)]);
    assert_eq!(three.verdict, Verdict::Better);
    let verdicts: Vec<_> = three.comparisons.iter().map(|found| found.verdict).collect();
    assert_eq!(verdicts, [Verdict::Better, Verdict::Worse]);
}

#[test]
fn weights_say_what_ratio_is_expected() {
    let nine_to_one = arms([("a", 9_000, 900), ("b", 1_000, 100)]);
    let analysis = Analysis::new("a");
    assert_eq!(analysis.proportions(&nine_to_one).unwrap().verdict, Verdict::Untrustworthy);
    let weighted = analysis.with_weights([("a", 90.0), ("b", 10.0)]).unwrap();
    let found = weighted.proportions(&nine_to_one).unwrap();
    assert_eq!((found.verdict, found.srm_p_value), (Verdict::NoDifference, 1.0));
}

#[test]
fn means_are_compared_by_welch() {
    // R's sleep data, t.test(extra ~ group).
    let first: &[f64] = &[0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
    let second: &[f64] = &[1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
    let found = Analysis::new("2").means(&means([("1", first), ("2", second)])).unwrap();
    close(found.t, -1.860_813_5, 1e-7);
    close(found.df, 17.776_473_5, 1e-7);
    close(found.p_value, 0.079_394_1, 1e-7);
    assert_eq!((found.verdict, found.chi2), (Verdict::NoDifference, None));
    // gbstats' own tests: the relative difference of means.
    let control = ArmMoments::from_sums("a", 3407, 1396.87, 52_377.976_7).unwrap();
    let arm = ArmMoments::from_sums("b", 3461, 2422.7, 134_698.29).unwrap();
    close(Analysis::new("a").means(&[control, arm]).unwrap().relative_lift, 0.707_32, 1e-5);
    let one = Analysis::new("a").means(&means([("a", &[1.0]), ("b", &[1.0, 2.0])])).unwrap();
    assert_eq!(one.verdict, Verdict::Untrustworthy);
    assert!(one.warnings.contains(&Warning::OneUnit { arm: "a".into() }));
    let constant = Analysis::new("a").means(&means([("a", &[1.0; 3]), ("b", &[1.0; 3])])).unwrap();
    assert_eq!((constant.verdict, constant.p_value), (Verdict::NoDifference, Some(1.0)));
    let apart = Analysis::new("a").means(&means([("a", &[1.0; 3]), ("b", &[2.0; 3])]));
    assert!(matches!(apart, Err(AbTestError::NoSpread { .. })));
}

#[test]
fn what_cannot_be_compared_is_refused_with_a_reason() {
    let refuse = |analysis: &Analysis, of: &[ArmCount]| analysis.proportions(of).unwrap_err().to_string();
    let two = arms([("a", 10, 1), ("b", 10, 2)]);
    assert_eq!(
        refuse(&Analysis::new("c"), &two),
        "no arm is named `c`, found `a`, `b`: name one of them as the control"
    );
    assert_eq!(refuse(&Analysis::new("a"), &two[..1]), "1 arm(s), expected two or more");
    let twice = arms([("a", 10, 1), ("a", 10, 2)]);
    assert!(refuse(&Analysis::new("a"), &twice).starts_with("arm `a` is given twice"));
    let weighted = Analysis::new("a").with_weights([("a", 1.0), ("c", 1.0)]).unwrap();
    assert_eq!(
        refuse(&weighted, &two),
        "arm `b` has no expected share, only `a`, `c` have: add it to the weights, or drop its units"
    );
    assert!(Analysis::new("a").with_weights([("a", 0.0), ("b", 0.0)]).is_err());
    for weight in [-1.0, f64::NAN, f64::INFINITY] {
        let error = Analysis::new("a").with_weights([("a", 1.0), ("b", weight)]).unwrap_err();
        assert!(matches!(error, AbTestError::Weight { .. }), "{weight}");
    }
    for level in [0.0, 1.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            Analysis::new("a").with_alpha(level),
            Err(AbTestError::Level { what: "alpha", .. })
        ));
        assert!(matches!(
            Analysis::new("a").with_srm_alpha(level),
            Err(AbTestError::Level { what: "srm_alpha", .. })
        ));
    }
    let many = arms([("a", u64::MAX, 1), ("b", u64::MAX, 2)]);
    assert!(matches!(Analysis::new("a").proportions(&many), Err(AbTestError::TooManyUnits { .. })));
}

#[test]
fn units_of_an_arm_that_should_have_none_make_it_untrustworthy() {
    let analysis = Analysis::new("a").with_weights([("a", 1.0), ("b", 1.0), ("c", 0.0)]).unwrap();
    let two = [("a", 1_000, 100), ("b", 1_000, 150)];
    let found = analysis.proportions(&arms(two)).unwrap();
    assert_eq!((found.verdict, found.arms.len(), found.difference.is_some()), (Verdict::Better, 2, true));
    assert_eq!((found.checks.len(), found.checks[0].status), (1, CheckStatus::Passed));
    let found = analysis.proportions(&arms([two[0], two[1], ("c", 1, 0)])).unwrap();
    assert_eq!((found.verdict, found.srm_p_value), (Verdict::Untrustworthy, 0.0));
    assert!(found.checks[0].found.contains("1 units are in arms that should have none"));
}

#[test]
fn no_winner_is_called_where_a_check_fails() {
    let found = report([("a", 1_000, 100), ("b", 1_000, 150)]);
    assert_eq!(found.verdict, Verdict::Better);
    let warned = found.clone().with_checks([Check::several_arms(1, 2_000), Check::outside_experiment(0)]);
    assert_eq!((warned.verdict, warned.checks.len()), (Verdict::Better, 3));
    let failed = warned.with_checks([Check::outside_experiment(4)]);
    assert_eq!(failed.verdict, Verdict::Untrustworthy);
    assert_eq!(failed.comparisons[0].verdict, Verdict::Untrustworthy);
}
