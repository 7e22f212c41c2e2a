//! What SciPy 1.17.1 and statsmodels 0.15.0 say of the same numbers; `scripts/check_experiments.py` holds the command to them.

use cip_abtest::{
    ArmCount, ArmEstimate, ArmMoments, BetaPrior, Bootstrap, ContingencyTable, Correction, Cuped,
    EffectEstimate, EffectScale, Heterogeneity, JointMoments, JointSums, Statistic, mann_whitney,
    miettinen_nurminen_ratio, newcombe, wilson,
};

#[track_caller]
fn close(found: f64, expected: f64, digits: f64) {
    assert!((found - expected).abs() <= digits * expected.abs(), "{found} is not {expected}");
}

/// i^2 7 + 3 i modulo 101 of 60 units, and i^2 11 + 5 i modulo 113 of 70.
fn numbers() -> (Vec<f64>, Vec<f64>) {
    let of = |n: u32, square: u32, line: u32, modulus: u32| {
        (0..n).map(|i| f64::from((i * i * square + line * i) % modulus)).collect()
    };
    (of(60, 7, 3, 101), of(70, 11, 5, 113))
}

fn joint<const K: usize>(arm: &str, values: &[f64], row: impl Fn(u32, f64) -> [f64; K]) -> JointMoments<K> {
    let mut sums = JointSums::new();
    (0..).zip(values).for_each(|(i, &value)| sums.push(row(i, value)).unwrap());
    sums.moments(arm).unwrap()
}

fn difference(control: &ArmEstimate, arm: &ArmEstimate) -> EffectEstimate {
    EffectEstimate::between(control, arm, EffectScale::Absolute).unwrap()
}

fn moments(values: &[f64]) -> ArmEstimate {
    ArmEstimate::of_moments(&ArmMoments::from_values("x", values.iter().copied()).unwrap()).unwrap()
}

#[test]
fn ranks_as_scipy_mannwhitneyu() {
    let (control, arm) = numbers();
    let found = mann_whitney(&control, &arm).unwrap();
    assert_eq!(found.u, 2460.0);
    close(found.p_value, 0.093_125_767_357_242_2, 1e-10);
    let found = mann_whitney(
        &[2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 1.0, 6.0, 7.0],
        &[3.0, 9.0, 27.0, 81.0, 5.0, 25.0, 125.0],
    )
    .unwrap();
    assert_eq!(found.u, 43.0);
    close(found.p_value, 0.252_272_727_272_727_3, 1e-12);
}

#[test]
fn score_intervals_as_statsmodels() {
    let count = |(n, successes)| ArmCount::new("x", n, successes).unwrap();
    // proportion_confint (wilson), confint_proportions_2indep (newcomb diff; score ratio with correction).
    for (arm, control, own, diff, ratio) in [
        (
            (70, 56),
            (80, 48),
            (0.691_833_555_037_469_5, 0.876_952_607_516_370_5),
            (0.052_431_472_402_364_98, 0.333_872_654_036_906_14),
            (1.079_047_119_534_421_8, 1.672_145_359_089_767_5),
        ),
        (
            (500, 1),
            (480, 9),
            (0.000_353_136_394_559_275_43, 0.011_240_706_705_146_76),
            (-0.033_328_590_145_253_96, -0.003_951_619_609_485_557_5),
            (0.017_490_430_046_619_432, 0.647_637_305_269_382_3),
        ),
        (
            (45_489, 16_119),
            (44_700, 20_034),
            (0.349_966_357_824_415_3, 0.358_757_046_230_383_85),
            (-0.100_202_816_511_069_6, -0.087_463_687_053_796_51),
            (0.777_982_417_490_991_1, 0.803_464_723_718_958_9),
        ),
    ] {
        let (arm, control) = (count(arm), count(control));
        for (found, expected) in [
            (wilson(&arm, 0.05), own),
            (newcombe(&control, &arm, 0.05), diff),
            (miettinen_nurminen_ratio(&control, &arm, 0.05), ratio),
        ] {
            let found = found.unwrap();
            close(found.low, expected.0, 1e-8);
            close(found.high, expected.1, 1e-8);
        }
    }
}

#[test]
fn corrections_as_statsmodels_multipletests() {
    let p = [0.001, 0.0412, 0.0301, 0.9, 0.04, 0.2, 0.0049];
    for (correction, expected) in [
        (Correction::Bonferroni, [0.007, 0.2884, 0.2107, 1.0, 0.28, 1.0, 0.0343]),
        (Correction::Holm, [0.007, 0.16, 0.1505, 0.9, 0.16, 0.4, 0.0294]),
        (Correction::BenjaminiHochberg, [0.007, 0.05768, 0.05768, 0.9, 0.05768, 0.7 / 3.0, 0.01715]),
    ] {
        for (found, expected) in correction.adjust(&p).into_iter().zip(expected) {
            close(found, expected, 1e-12);
        }
    }
}

#[test]
fn margins_as_statsmodels_ttost_ind() {
    let (control, arm) = numbers();
    let found = difference(&moments(&control), &moments(&arm));
    let same = found.equivalence(20.0, 0.05).unwrap();
    close(same.p_value, 0.055_939_176_974_176, 1e-9);
    assert!(!same.holds && found.equivalence(20.0, 0.06).unwrap().holds);
    close(found.df, 127.979_282_651_587_95, 1e-12);
    // CompareMeans.ttest_ind(alternative="larger", usevar="unequal", value=-5).
    close(found.non_inferiority(5.0, 0.05).unwrap().p_value, 0.005_114_561_245_874_872, 1e-9);
}

#[test]
fn segments_as_statsmodels_combine_effects() {
    let of = |effect: f64, variance: f64| {
        let zero = ArmEstimate::new("a", 50, 0.0, 0.0, f64::INFINITY).unwrap();
        let arm = ArmEstimate::new("b", 50, effect, variance.sqrt(), f64::INFINITY).unwrap();
        difference(&zero, &arm)
    };
    let segments =
        [("a", of(0.3, 0.01)), ("b", of(-0.1, 0.02)), ("c", of(0.2, 0.04)), ("d", of(0.05, 0.0025))];
    let found = Heterogeneity::of(&segments, 0.05, Correction::Holm).unwrap();
    close(found.pooled, 0.086_956_521_739_130_43, 1e-12);
    close(found.q.statistic, 7.152_173_913_043_478_5, 1e-12);
    close(found.i_squared, 0.580_547_112_462_006_1, 1e-12);
    close(found.segments[0].interval.low, 0.104_003_6, 1e-6);
}

#[test]
fn tables_as_scipy() {
    let table = ContingencyTable::try_new([[20, 15, 7], [10, 30, 9]]).unwrap().g_test();
    close(table.statistic, 8.206_613_158_353_779, 1e-12);
    close(table.p_value, 0.016_517_967_036_988_313, 1e-10);
    let fisher = |rows: [[u64; 2]; 2]| ContingencyTable::try_new(rows).unwrap().fisher().unwrap();
    close(fisher([[2, 7], [8, 2]]), 0.023_014_137_565_221_16, 1e-12);
    close(fisher([[8_502, 36_198], [8_279, 37_210]]), 0.001_590_961_583_984_235, 1e-8);
}

/// The delta method and the regression, written out in numpy.
#[test]
fn ratios_and_covariates_as_numpy() {
    let (control, arm) = numbers();
    let visits = |i: u32, value: f64| [value, f64::from(1 + i % 4)];
    for (values, ratio, standard_error) in [
        (&control, 18.593_333_333_333_334, 1.889_970_993_908_489_2),
        (&arm, 23.052_023_121_387_283, 2.107_942_078_713_733_7),
    ] {
        let found = ArmEstimate::of_moments(&joint("x", values, visits).ratio().unwrap().into()).unwrap();
        close(found.value(), ratio, 1e-12);
        close(found.standard_error(), standard_error, 1e-12);
    }
    let before = |i: u32, value: f64| [value, value + f64::from(i * 13 % 37)];
    let (a, b) = (joint("a", &control, before), joint("b", &arm, before));
    let cuped = Cuped::fit([&a, &b]).unwrap();
    // The slope of statsmodels' OLS on arm and covariate, and Welch's test of the adjusted numbers.
    close(cuped.theta(), 0.919_005_705_773_656_7, 1e-12);
    let found = difference(&cuped.adjust(&a).unwrap(), &cuped.adjust(&b).unwrap());
    close(found.effect, 0.943_564_550_988_831_7, 1e-11);
    close(found.statistic(), 0.513_371_402_115_419_3, 1e-11);
    close(found.p_value(), 0.608_605_550_621_530_2, 1e-9);
    close(found.df, 123.929_310_952_336_59, 1e-11);
}

/// Of 200,000 resamples; ours are others, and 20,000 of them.
#[test]
fn the_bootstrap_as_scipy() {
    let (control, arm) = numbers();
    let bootstrap = Bootstrap::new(1).with_resamples(20_000).unwrap();
    let found = bootstrap.difference(&control, &arm, Statistic::Mean, 0.05).unwrap();
    assert!((found.standard_error - 5.899).abs() < 0.1, "{found:?}");
    assert!((found.low + 1.157).abs() < 0.4 && (found.high - 22.005).abs() < 0.4, "{found:?}");
    let found = bootstrap.difference(&control, &arm, Statistic::Quantile(0.5), 0.05).unwrap();
    assert!((found.standard_error - 10.41).abs() < 0.2, "{found:?}");
    assert!((found.low + 9.0).abs() < 1.0 && (found.high - 30.5).abs() < 1.0, "{found:?}");
}

/// By scipy.integrate.quad over scipy.stats.beta.
#[test]
fn beliefs_as_scipy_integrates_them() {
    let (control, arm) = (ArmCount::new("a", 1_000, 100).unwrap(), ArmCount::new("b", 1_000, 120).unwrap());
    let found = BetaPrior::UNIFORM.belief(&control, &arm, 0.05).unwrap();
    close(found.chance_to_win, 0.923_183_438_973_559_6, 1e-9);
    close(found.risk_of_arm, 0.000_484_613_926_356_443_54, 1e-6);
    close(found.interval.low, -0.007_470_692_707_561_065, 1e-5);
    close(found.interval.high, 0.047_469_692_724_262_58, 1e-5);
}
