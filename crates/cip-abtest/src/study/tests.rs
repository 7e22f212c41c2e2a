//! Studies of units whose effect is known.

use super::*;
use crate::bootstrap::Bootstrap;
use crate::correction::Correction;
use crate::group_sequential::Spending;
use crate::outcomes::Outcomes;
use crate::report::Verdict;
use crate::score::RateInterval;
use crate::sequential::Sequential;
use crate::study::options::{Beliefs, DecidingTest, PlannedLook};
use crate::trust::{CheckKind, CheckStatus};
use proptest::prelude::*;

fn options() -> StudyOptions {
    StudyOptions {
        correction: Correction::Holm,
        beliefs: Beliefs::Told,
        non_inferiority: Some(0.05),
        winsorise: Some(0.999),
        ..StudyOptions::default()
    }
}

/// Units that do `effect` more in arm b, with a covariate that foretells most of it.
fn units(effect: impl Fn(i64) -> f64) -> Vec<Unit<'static>> {
    let unit = |unit: i64| {
        let noise = |factor: i64| ((unit * factor) % 1_009) as f64 / 1_009.0 - 0.5;
        let (before, day) = (10.0 * noise(7_919), unit % 14);
        let (arm, effect) = if unit / 14 % 2 == 0 { ("a", 0.0) } else { ("b", effect(day)) };
        let segment = Some(if unit % 3 == 0 { "app" } else { "web" });
        let outcome = before + noise(104_729) + effect;
        Unit { arm, outcome, covariate: Some(before), segment, day: Some(day), ..Unit::default() }
    };
    (0..4_000).map(unit).collect()
}

fn study<'a>(units: impl IntoIterator<Item = Unit<'a>>) -> Study {
    let mut study = Study::new();
    units.into_iter().for_each(|unit| study.push(unit).unwrap());
    study
}

#[test]
fn a_covariate_finds_what_would_be_lost_in_noise() {
    let units = units(|_| 0.1);
    let whole = study(units.clone());
    let found = whole.analyze("a", &options()).unwrap();
    let arm = &found.arms[0];
    assert!(found.variance_explained.unwrap() > 0.95 && arm.verdict == Verdict::Better, "{arm:?}");
    assert!((arm.absolute.effect - 0.1).abs() < 0.02, "{arm:?}");
    assert!(arm.segments.as_ref().unwrap().segments.len() == 2 && arm.days.len() == 14);
    assert_eq!(arm.days[13].effect, arm.absolute.effect);
    assert!(arm.belief.unwrap().chance_to_win > 0.99 && arm.ranks.is_some() && arm.rates.is_none());
    assert!(found.checks.iter().all(|check| check.status == CheckStatus::Passed), "{:?}", found.checks);
    let plain = study(units.iter().map(|unit| Unit { covariate: None, ..*unit }));
    assert!(
        plain.analyze("a", &options()).unwrap().arms[0].absolute.standard_error
            > 4.0 * arm.absolute.standard_error
    );
    let sequential = StudyOptions { sequential: Some(Sequential::new(0.05).unwrap()), ..options() };
    let looked = &whole.analyze("a", &sequential).unwrap().arms[0];
    assert_eq!(looked.adjusted_p_value, looked.sequential.unwrap().p_value);
    assert!(looked.sequential.unwrap().interval.low < arm.absolute.interval.low);
}

#[test]
fn what_fades_is_told() {
    let found = study(units(|day| 1.0 - day as f64 / 10.0)).analyze("a", &options()).unwrap();
    let novelty = found.checks.iter().find(|check| check.kind == CheckKind::Novelty).unwrap();
    assert!(novelty.status == CheckStatus::Warned && novelty.found.contains("fades"), "{novelty:?}");
}

#[test]
fn a_segment_that_one_arm_loses_is_told() {
    let units = units(|_| 0.1).into_iter();
    let lost =
        units.enumerate().filter(|(row, unit)| unit.segment != Some("app") || unit.arm == "a" || row % 4 > 0);
    let found = study(lost.map(|(_, unit)| unit)).analyze("a", &options()).unwrap();
    let failed: Vec<_> = found.checks.iter().filter(|check| check.status == CheckStatus::Failed).collect();
    assert!(failed.len() == 1 && failed[0].found.contains("1 of 2 segments, the first `app`"), "{failed:?}");
}

#[test]
fn zeros_and_ones_are_counted_and_a_report_is_judged() {
    let (mut study, mut outcomes) = (Study::new(), Outcomes::new());
    for unit in 0..2_000_u32 {
        let arm = if unit % 2 == 0 { "a" } else { "b" };
        let outcome = f64::from(u8::from(unit * 7_919 % 1_000 < if arm == "a" { 100 } else { 160 }));
        study.push(Unit { arm, outcome, ..Unit::default() }).unwrap();
        outcomes.push(arm, outcome, None).unwrap();
    }
    let found = study.analyze("a", &options()).unwrap();
    let arm = &found.arms[0];
    let rates = arm.rates.unwrap();
    assert!(
        rates.fisher_p_value < 0.01 && arm.ranks.is_none() && arm.segments.is_none() && arm.days.is_empty()
    );
    let report = outcomes.finish().unwrap().analyze(&Analysis::new("a")).unwrap();
    assert_eq!(study.report(&Analysis::new("a"), None).unwrap(), report);
    assert!((report.comparisons[0].difference - arm.absolute.effect).abs() < 1e-12);
    assert_eq!(
        (arm.deciding_p_value, Some(rates.yates_p_value)),
        (report.comparisons[0].p_value, report.p_value_yates)
    );
    assert_eq!(found.judge(report.clone()).verdict, Verdict::Better);
    // At any time there would not be enough yet.
    let patient = StudyOptions { sequential: Some(Sequential::new(1e-6).unwrap()), alpha: 1e-6, ..options() };
    assert_eq!(study.analyze("a", &patient).unwrap().judge(report).verdict, Verdict::NoDifference);
    // Each test decides where it is chosen.
    for (test, p_value) in [
        (DecidingTest::Yates, rates.yates_p_value),
        (DecidingTest::GTest, rates.g_p_value),
        (DecidingTest::Fisher, rates.fisher_p_value),
    ] {
        let chosen = study.analyze("a", &StudyOptions { test, ..options() }).unwrap();
        assert_eq!(chosen.arms[0].deciding_p_value, p_value);
    }
    for (rate_interval, interval) in
        [(RateInterval::Score, rates.score_interval), (RateInterval::Newcombe, rates.newcombe_interval)]
    {
        let chosen = study.analyze("a", &StudyOptions { rate_interval, ..options() }).unwrap();
        assert_eq!(chosen.arms[0].absolute.interval, interval);
        let analysis = Analysis::new("a").with_rate_interval(rate_interval);
        assert_eq!(study.report(&analysis, None).unwrap().ci_low, Some(interval.low));
    }
}

#[test]
fn an_early_look_needs_more_than_a_late_one() {
    let units = units(|_| 0.3).into_iter().map(|unit| Unit { covariate: None, ..unit });
    let study = study(units);
    let at = |look| {
        let look = Some(PlannedLook::equally_spaced(5, look, Spending::ObrienFleming).unwrap());
        study.analyze("a", &StudyOptions { look, ..StudyOptions::default() }).unwrap().arms[0].clone()
    };
    let (first, last) = (at(1), at(5));
    assert_eq!(first.absolute, last.absolute);
    assert!(last.absolute.p_value < 0.05, "{last:?}");
    assert_eq!((first.verdict, last.verdict), (Verdict::NoDifference, Verdict::Better));
    let (first, last) = (first.look.unwrap(), last.look.unwrap());
    assert!(!first.crossed && last.crossed && first.boundary > 4.0 && (last.spent - 0.05).abs() < 1e-6);
    assert!(first.interval.low < 0.0 && last.interval.low > 0.0);
}

#[test]
fn strata_take_out_what_chance_put_into_one_arm() {
    // Arm b got more of those who do much; within a stratum nothing differs.
    let unit = |unit: i64| {
        let (arm, stratum) =
            (if unit % 2 == 0 { "a" } else { "b" }, if unit % 10 < 5 { "much" } else { "little" });
        let noise = (unit * 7_919 % 1_009) as f64 / 1_009.0;
        let outcome = noise + if stratum == "much" { 10.0 } else { 0.0 };
        Unit { arm, outcome, stratum: Some(stratum), ..Unit::default() }
    };
    let units: Vec<_> = (0..4_000)
        .map(unit)
        .filter(|unit| unit.arm == "a" || unit.stratum == Some("much") || unit.outcome > 0.1)
        .collect();
    let raw = study(units.iter().map(|unit| Unit { stratum: None, ..*unit }));
    let [raw, post] = [raw, study(units)]
        .map(|study| study.analyze("a", &StudyOptions::default()).unwrap().arms[0].absolute);
    assert!(
        raw.standard_error > 10.0 * post.standard_error && raw.effect.abs() > 4.0 * post.effect.abs(),
        "{raw:?} {post:?}"
    );
    let thin =
        study([("x", "a"), ("x", "a"), ("x", "b"), ("y", "b"), ("y", "b")].map(|(stratum, arm)| Unit {
            arm,
            stratum: Some(stratum),
            ..Unit::default()
        }));
    let error = thin.analyze("a", &StudyOptions::default()).unwrap_err().to_string();
    assert_eq!(error, "stratum `x` has 1 unit(s) of arm `b`, expected 2 or more: merge it with another");
}

#[test]
fn a_quantile_is_that_of_its_function_and_is_resampled() {
    let units = units(|_| 1.0).into_iter().map(|unit| Unit {
        arm: unit.arm,
        outcome: unit.outcome,
        ..Unit::default()
    });
    let units: Vec<_> = units.collect();
    let values =
        |arm: &str| units.iter().filter(|unit| unit.arm == arm).map(|unit| unit.outcome).collect::<Vec<_>>();
    let options = StudyOptions {
        quantile: Some(0.9),
        bootstrap: Some(Bootstrap::new(3).with_resamples(200).unwrap()),
        ..StudyOptions::default()
    };
    let whole = study(units.clone());
    let arm = whole.analyze("a", &options).unwrap().arms[0].clone();
    let [a, b] = ["a", "b"].map(|arm| crate::quantile::quantile_estimate(arm, &values(arm), 0.9).unwrap());
    assert_eq!(arm.absolute.effect, b.value() - a.value());
    let resampled = arm.bootstrap.unwrap();
    assert!((resampled.difference - arm.absolute.effect).abs() < 1e-12);
    assert!(resampled.low < resampled.difference && resampled.difference < resampled.high);
    let report = whole.report(&Analysis::new("a"), Some(0.9)).unwrap();
    assert_eq!((report.arms[0].mean, report.difference), (Some(a.value()), Some(arm.absolute.effect)));
    // Of nearly equal numbers a quantile has no standard error, and no winner.
    let tied = study((0..400).map(|unit| Unit {
        arm: if unit % 2 == 0 { "a" } else { "b" },
        outcome: f64::from(2 + unit % 2) + if unit > 396 { 0.5 } else { 0.0 },
        ..Unit::default()
    }));
    let options = StudyOptions { quantile: Some(0.5), ..StudyOptions::default() };
    assert!(matches!(tied.analyze("a", &options), Err(AbTestError::NoSpread { .. })));
}

#[test]
fn what_needs_each_outcome_says_so_where_there_are_too_many() {
    let mut study = Study::new().with_most_kept(100);
    units(|_| 0.1).into_iter().for_each(|unit| study.push(Unit { covariate: None, ..unit }).unwrap());
    let found = study.analyze("a", &StudyOptions::default()).unwrap();
    assert_eq!((found.arms[0].ranks, study.bytes()), (None, (2 + 2 * 2 + 2 * 14) * 2_048));
    for options in [
        StudyOptions { test: DecidingTest::MannWhitney, ..StudyOptions::default() },
        StudyOptions { bootstrap: Some(Bootstrap::new(1)), ..StudyOptions::default() },
        StudyOptions { winsorise: Some(0.99), ..StudyOptions::default() },
    ] {
        let found = study.analyze("a", &options);
        assert!(
            matches!(found, Err(AbTestError::NumbersNotKept { units: 4_000, most: 100, .. })),
            "{found:?}"
        );
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let units = units(|_| 0.1);
    let adjusted = study(units.clone());
    let ratio = study(units.iter().map(|unit| Unit { denominator: Some(1.0), covariate: None, ..*unit }));
    let strata =
        study(units.iter().map(|unit| Unit { denominator: Some(1.0), stratum: unit.segment, ..*unit }));
    let plain = StudyOptions::default;
    let sequential = Some(Sequential::new(0.05).unwrap());
    let look = Some(PlannedLook::equally_spaced(2, 1, Spending::Pocock).unwrap());
    for (study, options, text) in [
        (&ratio, StudyOptions { quantile: Some(0.5), ..plain() }, "a quantile is of a number a unit"),
        (
            &adjusted,
            StudyOptions { quantile: Some(0.5), ..plain() },
            "a segment, a covariate or a stratum is of means",
        ),
        (&strata, plain(), "a stratum is of means and rates"),
        (
            &adjusted,
            StudyOptions { bootstrap: Some(Bootstrap::new(1)), ..plain() },
            "the bootstrap is of means",
        ),
        (
            &ratio,
            StudyOptions { winsorise: Some(0.9), ..plain() },
            "the check of outliers is of means and rates",
        ),
        (&ratio, StudyOptions { test: DecidingTest::Fisher, ..plain() }, "Fisher's exact test is of rates"),
        (
            &ratio,
            StudyOptions { test: DecidingTest::MannWhitney, ..plain() },
            "the Mann-Whitney test is of numbers",
        ),
        (&ratio, StudyOptions { look, sequential, ..plain() }, "a planned look is of planned looks alone"),
    ] {
        let error = study.analyze("a", &options).unwrap_err().to_string();
        assert!(error.starts_with(text), "{error}");
    }
    let mut few = Study::new();
    let unit = Unit { arm: "a", outcome: 1.0, ..Unit::default() };
    for broken in [
        Unit { outcome: f64::NAN, ..unit },
        Unit { covariate: Some(f64::INFINITY), ..unit },
        Unit { denominator: Some(f64::NEG_INFINITY), ..unit },
    ] {
        assert!(matches!(few.push(broken), Err(AbTestError::Outcome { row: 0, .. })));
    }
    assert!(matches!(few.analyze("a", &options()), Err(AbTestError::UnknownControl { .. })));
    few.push(unit).unwrap();
    let other = Unit { covariate: Some(1.0), ..unit };
    assert!(matches!(few.push(other), Err(AbTestError::MixedUnits { row: 1 })));
    assert!(few.analyze("a", &options()).unwrap().arms.is_empty());
    assert!(few.analyze("a", &StudyOptions { alpha: f64::NAN, ..options() }).is_err());
    let nothing = study((0..9).map(|row| Unit {
        arm: if row % 2 == 0 { "a" } else { "b" },
        denominator: Some(0.0),
        ..unit
    }));
    assert!(matches!(nothing.analyze("a", &plain()), Err(AbTestError::ZeroDenominator { .. })));
}

proptest! {
    #[test]
    fn any_split_and_order_finds_the_same_bits(
        rows in proptest::collection::vec((0..3usize, -1e3f64..1e3, 0.5f64..5.0, 0..3usize, 0..5i64), 30..80),
        at in any::<proptest::sample::Index>(), shape in 0..4u8,
    ) {
        let unit = |&(arm, outcome, more, segment, day): &(usize, f64, f64, usize, i64)| Unit {
            arm: ["a", "b", "c"][arm],
            outcome,
            denominator: (shape & 1 == 1).then_some(more),
            covariate: (shape & 2 == 2).then_some(more - outcome / 7.0),
            segment: Some(["x", "y", "z"][segment]),
            day: Some(day),
            ..Unit::default()
        };
        let units: Vec<_> = rows.iter().map(unit).collect();
        let whole = study(units.clone());
        let (left, right) = units.split_at(at.index(units.len()));
        let mut merged = study(right.iter().copied());
        merged.merge(&study(left.iter().copied())).unwrap();
        let backwards = study(units.into_iter().rev());
        let analyze = |study: &Study| study.analyze("a", &StudyOptions::default()).map_err(|error| error.to_string());
        prop_assert_eq!(&analyze(&merged), &analyze(&whole));
        prop_assert_eq!(&analyze(&backwards), &analyze(&whole));
    }
}

#[test]
fn rates_are_told_beside_what_adjusts_them() {
    let units =
        units(|_| 0.3).into_iter().map(|unit| Unit { outcome: f64::from(unit.outcome > 2.0), ..unit });
    let found = study(units).analyze("a", &StudyOptions::default()).unwrap();
    let arm = &found.arms[0];
    // The covariate decides, and the tests of the rates as they are stand beside it.
    assert_eq!(arm.deciding_p_value, arm.absolute.p_value);
    assert!(arm.rates.unwrap().fisher_p_value > 1.5 * arm.absolute.p_value, "{arm:?}");
}
