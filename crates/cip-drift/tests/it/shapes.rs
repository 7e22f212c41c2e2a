//! Tables of any shape.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Date32Array, Int64Array, NullArray, RecordBatch};
use cip_drift::{BinRange, ColumnKind, DriftOptions, DriftReport, Preset, Verdict};

use crate::{compare, numbers, profile, table, texts, uniform};

const PRESETS: [Preset; 3] = [Preset::Cip, Preset::Evidently, Preset::NannyMl];

fn repeated(value: f64, times: usize) -> ArrayRef {
    numbers(std::iter::repeat_n(Some(value), times))
}

#[test]
fn a_constant_that_is_another_has_drifted_in_either_direction() {
    let reference = table(vec![("n", repeated(3.0, 500))]);
    for preset in PRESETS {
        for value in [2.0, 4.0, f64::INFINITY] {
            let report = compare(preset, &reference, &table(vec![("n", repeated(value, 400))])).unwrap();
            assert_eq!(report.verdict, Verdict::Large, "{preset} {value}: {report:?}");
        }
        assert_eq!(compare(preset, &reference, &reference).unwrap().verdict, Verdict::Stable);
    }
    let report = compare(Preset::Cip, &reference, &table(vec![("n", repeated(2.0, 400))])).unwrap();
    let distances = report.features[0].distances.as_ref().unwrap();
    assert_eq!(
        (distances.jensen_shannon, distances.wasserstein, distances.wasserstein_normed),
        (1.0, Some(1.0), None)
    );
}

#[test]
fn a_column_without_values_has_drifted_only_where_it_had_some() {
    let some = || table(vec![("n", repeated(1.0, 300))]);
    let typed = || table(vec![("n", numbers(std::iter::repeat_n(None, 300)))]);
    let untyped = || table(vec![("n", Arc::new(NullArray::new(300)) as ArrayRef)]);
    let empty_texts = || table(vec![("n", texts(std::iter::repeat_n(None, 300)))]);
    for preset in PRESETS {
        for nothing in [typed(), untyped(), empty_texts()] {
            let report = compare(preset, &some(), &nothing).unwrap();
            let feature = &report.features[0];
            assert_eq!((feature.verdict, feature.current.missing_rate), (Verdict::Large, Some(1.0)));
            assert!(
                feature.distances.is_none()
                    && feature.tests.is_empty()
                    && report.columns.changed_kind.is_empty()
            );
            assert_eq!(compare(preset, &nothing, &some()).unwrap().verdict, Verdict::Large);
            assert_eq!(compare(preset, &nothing, &typed()).unwrap().verdict, Verdict::Stable);
        }
    }
}

#[test]
fn more_missing_values_are_drift_of_their_own() {
    let column = |missing: usize| {
        let values = (0..1_000).map(|row| (row >= missing).then_some(f64::from(row as u32 % 7)));
        table(vec![("n", numbers(values))])
    };
    let report = compare(Preset::Cip, &column(10), &column(200)).unwrap();
    let feature = &report.features[0];
    assert_eq!((feature.verdict, feature.missing.difference), (Verdict::Large, 0.2 - 0.01));
    assert!(feature.distances.as_ref().unwrap().psi < 0.01 && feature.missing.q_value < 1e-9);
    // A difference of two shares is no more than chance.
    assert_eq!(compare(Preset::Cip, &column(10), &column(12)).unwrap().verdict, Verdict::Stable);
}

#[test]
fn tables_without_rows_or_without_a_shared_column_are_refused() {
    let some = table(vec![("n", repeated(1.0, 3))]);
    let refuse = |reference: &RecordBatch, current: &RecordBatch| {
        compare(Preset::Cip, reference, current).unwrap_err().to_string()
    };
    assert_eq!(refuse(&some.slice(0, 0), &some), "the reference table has no rows: give one that has some");
    assert_eq!(refuse(&some, &some.slice(0, 0)), "the current table has no rows: give one that has some");
    let other = table(vec![("m", repeated(1.0, 3))]);
    let expected =
        "the tables share no column to compare: the reference has [\"n\"], the current table [\"m\"]";
    assert_eq!(refuse(&some, &other), expected);
}

#[test]
fn one_row_tells_nothing() {
    for preset in [Preset::Cip, Preset::Evidently] {
        let report =
            compare(preset, &table(vec![("n", repeated(1.0, 1))]), &table(vec![("n", repeated(2.0, 1))]));
        assert_eq!(report.unwrap().verdict, Verdict::Stable, "{preset}");
    }
}

#[test]
fn columns_that_come_go_or_change_are_told() {
    let day = || Arc::new(Date32Array::from(vec![1, 2])) as ArrayRef;
    let flag = || Arc::new(BooleanArray::from(vec![true, false])) as ArrayRef;
    let two = || repeated(1.0, 2);
    let words = || texts([Some("1"), Some("2")]);
    let reference =
        table(vec![("same", two()), ("gone", two()), ("code", two()), ("flag", flag()), ("day", day())]);
    let current =
        table(vec![("new", two()), ("code", words()), ("flag", two()), ("same", two()), ("day", day())]);
    let report = compare(Preset::Cip, &reference, &current).unwrap();
    let columns = &report.columns;
    assert_eq!((&*columns.gone[0], &*columns.new[0], columns.skipped.len()), ("gone", "new", 1));
    let changed = &columns.changed_kind[0];
    assert_eq!(
        (&*changed.column, changed.reference, changed.current),
        ("code", ColumnKind::Number, ColumnKind::Category)
    );
    assert_eq!(report.verdict, Verdict::Large);
    // A flag that is written as a number is one.
    let names: Vec<_> = report.features.iter().map(|feature| (&*feature.name, feature.kind)).collect();
    assert_eq!(names, [("same", ColumnKind::Number), ("flag", ColumnKind::Number)]);
}

#[test]
fn infinite_numbers_are_counted_in_the_last_bins() {
    let column = |ends: usize| {
        let ends =
            std::iter::repeat_n(Some(f64::INFINITY), ends).chain(std::iter::repeat_n(Some(f64::NAN), 5));
        table(vec![("n", numbers((0..500).map(|row| Some(f64::from(row))).chain(ends)))])
    };
    let report = compare(Preset::Cip, &column(0), &column(400)).unwrap();
    let feature = &report.features[0];
    assert_eq!(
        (feature.verdict, feature.current.infinite, feature.current.missing),
        (Verdict::Large, 400, 5)
    );
    let distances = feature.distances.as_ref().unwrap();
    assert_eq!((distances.wasserstein, feature.current.mean), (None, None));
    assert!((distances.kolmogorov_smirnov.unwrap() - 400.0 / 900.0).abs() < 1e-12);
    let last = feature.bins.last().unwrap();
    assert_eq!((last.reference, last.current), (50, 450));
    for preset in PRESETS {
        assert_eq!(compare(preset, &column(0), &column(400)).unwrap().verdict, Verdict::Large);
    }
}

#[test]
fn categories_that_are_new_have_a_bin_and_are_named() {
    let plans = |names: &[&'static str]| {
        let column = (0..600).map(|row| Some(names[row % names.len()]));
        table(vec![("plan", texts(column))])
    };
    let report =
        compare(Preset::Cip, &plans(&["basic", "plus"]), &plans(&["basic", "family", "trial"])).unwrap();
    let feature = &report.features[0];
    let categories = feature.categories.as_ref().unwrap();
    assert_eq!((categories.new, categories.gone, feature.verdict), (2, 1, Verdict::Large));
    assert_eq!(categories.examples, [("family".into(), 200), ("trial".into(), 200)]);
    assert!((categories.new_rate - 2.0 / 3.0).abs() < 1e-12);
    let ranges: Vec<_> =
        feature.bins.iter().map(|bin| (bin.range.clone(), bin.reference, bin.current)).collect();
    let named = |name: &str| BinRange::Category(name.into());
    assert_eq!(ranges, [(named("basic"), 300, 200), (named("plus"), 300, 0), (BinRange::Others, 0, 400)]);
}

#[test]
fn a_long_tail_has_new_values_by_chance_alone() {
    // Each of 3,000 rows has one of a thousand million products; or, half of them, the same.
    let products = |seed: u64, best_seller: f64| {
        let names: Vec<String> =
            uniform(seed)
                .take(3_000)
                .map(|u| {
                    if u < best_seller {
                        "kettle".to_owned()
                    } else {
                        format!("product {}", (1e9 * u) as u64)
                    }
                })
                .collect();
        table(vec![("product", texts(names.iter().map(|name| Some(name.as_str()))))])
    };
    let report = compare(Preset::Cip, &products(1, 0.3), &products(2, 0.3)).unwrap();
    let categories = report.features[0].categories.as_ref().unwrap();
    assert_eq!(report.verdict, Verdict::Stable);
    // Nearly all of the tail is new, as so many of the reference came once.
    assert!(
        (categories.new_rate - 0.7).abs() < 0.05 && (categories.expected_rate - 0.7).abs() < 0.05,
        "{categories:?}"
    );
    assert_eq!(compare(Preset::Cip, &products(1, 0.3), &products(2, 0.8)).unwrap().verdict, Verdict::Large);
}

#[test]
fn a_prediction_is_no_feature_and_tells_what_the_model_achieves() {
    let scores = |shift: f64| {
        let scores = (0..1_000).map(|row| Some(f64::from(row) / 2_000.0 + shift));
        table(vec![("n", repeated(1.0, 1_000)), ("score", numbers(scores))])
    };
    let of = |current: &RecordBatch, score: &str| {
        let options = DriftOptions::new(Preset::Cip).with_score(score).with_importance([("n", 1.0)]);
        DriftReport::compare(&profile(&scores(0.0)), &profile(current), &options)
    };
    let report = of(&scores(0.4), "score").unwrap();
    assert_eq!(
        (report.features.len(), report.verdict, report.importance_drifted),
        (1, Verdict::Stable, Some(0.0))
    );
    assert_eq!(report.prediction.unwrap().verdict, Verdict::Large);
    let performance = report.performance.unwrap();
    assert!(
        (performance.reference.positive_rate - 0.249_75).abs() < 1e-9
            && performance.current.positive_rate > 0.6
    );
    // Margins drift, but are no probabilities.
    let margins = of(&scores(3.0), "score").unwrap();
    assert!(margins.prediction.is_some() && margins.performance.is_none());
    let error = of(&scores(0.0), "margin").unwrap_err().to_string();
    assert_eq!(error, "the reference table has no column `margin`: name one of [\"n\", \"score\"]");
    let words = table(vec![("score", texts([Some("high")]))]);
    let error = DriftReport::compare(
        &profile(&scores(0.0)),
        &profile(&words),
        &DriftOptions::new(Preset::Cip).with_score("score"),
    );
    assert!(
        error
            .unwrap_err()
            .to_string()
            .starts_with("score `score` is no column of numbers in the current table")
    );
}

#[test]
fn integers_of_any_width_are_numbers_beside_floating_point_ones() {
    let integers = table(vec![("n", Arc::new(Int64Array::from_iter_values(0..500)) as ArrayRef)]);
    let floats = table(vec![("n", numbers((0..500).map(|n| Some(f64::from(n)))))]);
    let report = compare(Preset::Cip, &integers, &floats).unwrap();
    assert_eq!(report.features[0].distances.as_ref().unwrap().psi, 0.0);
}
