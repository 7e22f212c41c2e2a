//! What Evidently and NannyML say of the same tables.
//!
//! Evidently 0.1.50.dev0 (its functions `_ks_stat_test`, `_chi_stat_test`, `_z_stat_test`, `_wasserstein_distance_norm`, `_jensenshannon`) and
//! NannyML 0.13.1 (the methods of `MethodFactory`), with NumPy 2.4.6 and SciPy 1.17.1, on the numbers of [`given`].

use cip_drift::{DriftReport, Preset, Statistic};

use crate::{compare, numbers, table, texts, uniform};

/// Numbers u^power of a uniform u; the quarters and the halves that they are in.
fn given(rows: usize, seed: u64, power: f64) -> arrow_array::RecordBatch {
    let values: Vec<f64> = uniform(seed).take(rows).map(|u| u.powf(power)).collect();
    let quarters = values.iter().map(|value| Some(["a", "b", "c", "d"][(4.0 * value) as usize]));
    let halves = values.iter().map(|&value| Some(if value < 0.5 { "no" } else { "yes" }));
    table(vec![
        ("n", numbers(values.iter().copied().map(Some))),
        ("c", texts(quarters)),
        ("b", texts(halves)),
    ])
}

fn report(preset: Preset, rows: usize, others: usize) -> DriftReport {
    compare(preset, &given(rows, 1, 1.0), &given(others, 2, 1.1)).unwrap()
}

fn close(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
}

#[test]
fn evidently_of_a_small_reference() {
    let report = report(Preset::Evidently, 900, 700);
    let expected = [
        (Statistic::KolmogorovSmirnov, 0.822_798_731_711_908_5),
        (Statistic::ChiSquare, 0.280_077_157_765_603_55),
        (Statistic::Z, 0.344_038_382_962_749_6),
    ];
    for (feature, (statistic, p_value)) in report.features.iter().zip(expected) {
        let test = &feature.tests[0];
        assert_eq!((test.statistic, test.threshold), (statistic, None));
        close(test.p_value.unwrap(), p_value);
    }
}

#[test]
fn evidently_of_a_large_reference() {
    let report = report(Preset::Evidently, 3_000, 2_000);
    let test = |feature: usize| &report.features[feature].tests[0];
    assert_eq!(test(0).statistic, Statistic::WassersteinNormed);
    close(test(0).value, 0.059_777_695_271_156_98);
    assert_eq!(test(1).statistic, Statistic::JensenShannon);
    close(test(1).value, 0.019_396_537_491_629_24);
}

#[test]
fn nannyml_of_numbers_and_categories() {
    for (rows, others, number, category) in [
        (
            900,
            700,
            [0.080_940_679_962_512_88, 0.070_635_526_101_988_23],
            [0.031_701_189_316_957_826, 0.026_395_968_496_881_965, 0.029_841_269_841_269_863],
        ),
        (
            3_000,
            2_000,
            [0.057_920_860_432_993_92, 0.049_036_861_587_007_92],
            [0.023_297_615_834_062_355, 0.019_397_760_852_242_55, 0.023_999_999_999_999_966],
        ),
    ] {
        let report = report(Preset::NannyMl, rows, others);
        let values = |feature: usize| report.features[feature].tests.iter().map(|test| test.value);
        values(0).zip(number).for_each(|(found, expected)| close(found, expected));
        values(1).zip(category).for_each(|(found, expected)| close(found, expected));
        assert_eq!((values(0).count(), values(1).count()), (2, 3));
    }
}
