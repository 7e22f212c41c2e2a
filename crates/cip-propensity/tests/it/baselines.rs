//! Baselines against scikit-learn and plain definitions.

use cip_propensity::{Baseline, FeatureMatrix, FittedBaseline, PropensityError};
use proptest::prelude::*;

use crate::data::{learnable, matrix, uniforms};

/// Rows with a recency, and labels that follow it.
fn visitors(seed: u64) -> (cip_propensity::FeatureMatrix, Vec<bool>) {
    let mut next = uniforms(seed);
    let mut draw = || next.next().unwrap();
    let (mut days, mut views, mut labels) = (vec![], vec![], vec![]);
    for _ in 0..1_000 {
        let (x, y) = (draw(), draw());
        days.push((y < 0.9).then_some((x * 30.0).floor()));
        views.push(Some((y * 10.0).floor()));
        labels.push(draw() < if y < 0.9 { 0.4 * (1.0 - x) + 0.02 * (y * 10.0).floor() } else { 0.05 });
    }
    (matrix(&[("recency_days", days), ("views", views)]), labels)
}

fn fit(baseline: Baseline) -> FittedBaseline {
    let (features, labels) = visitors(1);
    baseline.fit(&features, &labels).unwrap().unwrap()
}

#[test]
fn everybody_has_the_share_of_all() {
    let (features, labels) = visitors(1);
    let share = labels.iter().filter(|&&label| label).count() as f64 / 1_000.0;
    let scores = fit(Baseline::Constant).scores(&features.view()).unwrap();
    assert!(scores.iter().all(|&score| score == share));
    let found = fit(Baseline::Constant).evaluate(&features, &labels).unwrap();
    assert!((found.auc, found.ece) == (Some(0.5), found.ece) && found.ece < 1e-9, "{found:?}");
}

#[test]
fn who_was_here_last_comes_first_and_the_unknown_last() {
    let (features, _) = visitors(2);
    let scores = fit(Baseline::Recency).scores(&features.view()).unwrap();
    let view = features.view();
    let days = |row: usize| if view[[row, 0]].is_nan() { 1e9 } else { f64::from(view[[row, 0]]) };
    for row in 1..1_000 {
        let order = days(row - 1).total_cmp(&days(row));
        assert_eq!(scores[row].total_cmp(&scores[row - 1]), order, "{row}");
    }
    // A table without a recency has no such rule; a service counts days since the last event.
    let (others, labels) = learnable(200, 1);
    assert!(Baseline::Recency.fit(&others, &labels).unwrap().is_none());
    let service = matrix(&[("days_since_last_event", (0..200).map(|day| Some(f64::from(day))).collect())]);
    assert!(Baseline::Recency.fit(&service, &labels).unwrap().is_some());
}

#[test]
fn logistic_regression_is_that_of_scikit_learn() {
    let (features, labels) = visitors(1);
    let fitted = fit(Baseline::Logistic);
    let scores = fitted.scores(&features.view()).unwrap();
    let mean = scores.iter().sum::<f64>() / 1_000.0;
    let share = labels.iter().filter(|&&label| label).count() as f64 / 1_000.0;
    // At the optimum of a regression with a free constant the mean score is the share of positives.
    assert!((mean - share).abs() < 1e-3, "{mean} {share}");
    let found = fitted.evaluate(&features, &labels).unwrap();
    let constant = fit(Baseline::Constant).evaluate(&features, &labels).unwrap();
    assert!(found.log_loss < constant.log_loss && found.auc.unwrap() > 0.6, "{found:?}");
    LOGISTIC.iter().for_each(|&(row, expected)| {
        assert!((scores[row] - expected).abs() < 2e-4, "{row}: {} {expected}", scores[row]);
    });
}

/// Scores of some rows by scikit-learn 1.9.1, LogisticRegression(C=1.0, tol=1e-10) on the same standardised columns.
const LOGISTIC: [(usize, f64); 6] = [
    (0, 0.27788089),
    (1, 0.29969495),
    (2, 0.20498095),
    (10, 0.35726390),
    (500, 0.24045103),
    (999, 0.18697272),
];

/// Rows count 0, 1 or 2 times, and every seventh half as often again.
fn visitor_weights() -> Vec<f64> {
    (0..1_000).map(|row| f64::from(row % 3) + if row % 7 == 0 { 0.5 } else { 0.0 }).collect()
}

#[test]
fn weighted_logistic_regression_and_constant_are_those_of_scikit_learn() {
    let (features, labels) = visitors(1);
    let weights = visitor_weights();
    let scores = |baseline: Baseline| {
        let fitted = baseline.fit_weighted(&features, &labels, &weights).unwrap().unwrap();
        fitted.scores(&features.view()).unwrap()
    };
    let found = scores(Baseline::Logistic);
    WEIGHTED_LOGISTIC.iter().for_each(|&(row, expected)| {
        assert!((found[row] - expected).abs() < 1e-7, "{row}: {} {expected}", found[row]);
    });
    assert!((scores(Baseline::Constant)[0] - 0.245_679_588_977_113_48).abs() < 1e-12);
}

/// Scores of some rows by scikit-learn 1.9.1, LogisticRegression(C=1.0, tol=1e-12).fit(..., sample_weight) of the weights over their mean, columns
/// standardised by weight.
const WEIGHTED_LOGISTIC: [(usize, f64); 6] = [
    (0, 0.27008876),
    (1, 0.29380252),
    (2, 0.19345955),
    (10, 0.35260028),
    (500, 0.22911504),
    (999, 0.17929279),
];

#[test]
fn our_own_regression_finds_the_optimum_of_linfa() {
    // A row that hardly counts makes weights that differ.
    let (features, labels) = visitors(3);
    let weights: Vec<f64> = (0..1_000).map(|row| if row == 0 { 1.0 + 1e-9 } else { 1.0 }).collect();
    let ours = Baseline::Logistic.fit_weighted(&features, &labels, &weights).unwrap().unwrap();
    let linfas = Baseline::Logistic.fit(&features, &labels).unwrap().unwrap();
    let scores = |fitted: &FittedBaseline| fitted.scores(&features.view()).unwrap();
    for (row, (ours, linfas)) in scores(&ours).into_iter().zip(scores(&linfas)).enumerate() {
        assert!((ours - linfas).abs() < 1e-4, "{row}: {ours} {linfas}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rows_that_count_twice_are_there_twice(
        drawn in proptest::collection::vec((0u8..12, 0u8..6, 0u8..10), 40..120), seed in 0u64..100
    ) {
        // As often as a bootstrap draws each row: some twice, some not at all, as many in all as there are.
        let rows = drawn.len();
        let mut next = crate::data::uniforms(seed);
        let mut counts = vec![0usize; rows];
        (0..rows).for_each(|_| counts[(next.next().unwrap() * rows as f64) as usize] += 1);
        let table = |of: &[usize]| {
            let days = of.iter().map(|&row| (drawn[row].0 < 11).then_some(f64::from(drawn[row].0))).collect();
            let views = of.iter().map(|&row| Some(f64::from(drawn[row].1))).collect();
            let labels = of.iter().map(|&row| drawn[row].2 + drawn[row].1 / 2 > 6).collect::<Vec<_>>();
            (matrix(&[("recency_days", days), ("views", views)]), labels)
        };
        let repeated: Vec<usize> = (0..rows).flat_map(|row| std::iter::repeat_n(row, counts[row])).collect();
        let ((features, labels), (many, truths)) = (table(&(0..rows).collect::<Vec<_>>()), table(&repeated));
        // Platt's curve wants ten rows of a class, and counts those there are once.
        let of_a_class = |label| (0..rows).filter(|&row| counts[row] > 0 && labels[row] == label).count();
        prop_assume!(of_a_class(true) >= 10 && of_a_class(false) >= 10);
        let weights: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
        for baseline in [Baseline::Constant, Baseline::Recency, Baseline::Logistic] {
            let weighted = baseline.fit_weighted(&features, &labels, &weights).unwrap();
            let plain = baseline.fit(&many, &truths).unwrap();
            prop_assert_eq!(weighted.is_some(), plain.is_some());
            let Some((weighted, plain)) = weighted.zip(plain) else { continue };
            let scores = |fitted: &FittedBaseline| fitted.scores(&many.view()).unwrap();
            let allowed = if baseline == Baseline::Logistic { 2e-3 } else { 1e-6 };
            for (found, expected) in scores(&weighted).into_iter().zip(scores(&plain)) {
                prop_assert!((found - expected).abs() < allowed, "{baseline}: {found} {expected}");
            }
            let (found, expected) =
                (plain.evaluate_weighted(&features, &labels, &weights).unwrap(), plain.evaluate(&many, &truths).unwrap());
            prop_assert!((found.log_loss - expected.log_loss).abs() < 1e-7, "{baseline}");
            prop_assert!((found.auc.unwrap() - expected.auc.unwrap()).abs() < 1e-7, "{baseline}");
        }
    }
}

/// linfa's search for a split breaks ties by the order of equal values, which repeated rows change: all values differ here.
#[test]
fn a_tree_of_rows_that_count_twice_is_that_of_rows_that_are_there_twice() {
    for seed in 0..8 {
        let mut next = uniforms(seed);
        let rows: Vec<[f64; 3]> = (0..300).map(|_| [(); 3].map(|()| next.next().unwrap())).collect();
        let mut counts = vec![0usize; rows.len()];
        rows.iter().for_each(|_| counts[(next.next().unwrap() * rows.len() as f64) as usize] += 1);
        let table = |of: &[usize]| {
            let column = |at: usize| of.iter().map(|&row| Some(rows[row][at])).collect();
            let labels = of.iter().map(|&row| rows[row][0] * rows[row][1] > rows[row][2]).collect::<Vec<_>>();
            (matrix(&[("a", column(0)), ("b", column(1))]), labels)
        };
        let repeated: Vec<usize> =
            (0..rows.len()).flat_map(|row| std::iter::repeat_n(row, counts[row])).collect();
        let ((features, labels), (many, truths)) =
            (table(&(0..rows.len()).collect::<Vec<_>>()), table(&repeated));
        let weights: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
        let weighted = Baseline::Tree.fit_weighted(&features, &labels, &weights).unwrap().unwrap();
        let plain = Baseline::Tree.fit(&many, &truths).unwrap().unwrap();
        let scores = |fitted: &FittedBaseline| fitted.scores(&many.view()).unwrap();
        for (found, expected) in scores(&weighted).into_iter().zip(scores(&plain)) {
            assert!((found - expected).abs() < 1e-9, "{seed}: {found} {expected}");
        }
    }
}

#[test]
fn weights_that_are_the_same_are_none_and_others_of_no_use_are_refused() {
    let (features, labels) = visitors(1);
    let scores = |fitted: FittedBaseline| fitted.scores(&features.view()).unwrap();
    for baseline in Baseline::ALL {
        let weighted = baseline.fit_weighted(&features, &labels, &[0.3; 1_000]).unwrap().unwrap();
        for (found, expected) in scores(weighted).into_iter().zip(scores(fit(baseline))) {
            assert!((found - expected).abs() < 1e-12, "{baseline}: {found} {expected}");
        }
        let refuse = |weights: &[f64]| baseline.fit_weighted(&features, &labels, weights).unwrap_err();
        assert!(matches!(refuse(&[0.0; 1_000]), PropensityError::NoWeight { rows: 1_000 }));
        assert!(matches!(refuse(&[1.0; 999]), PropensityError::Lengths { .. }));
        for value in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(matches!(refuse(&[value; 1_000]), PropensityError::Parameter { .. }));
        }
        let negatives: Vec<f64> = labels.iter().map(|&label| if label { 0.0 } else { 2.0 }).collect();
        assert!(matches!(refuse(&negatives), PropensityError::OneClass { rows: 742, label: 0 }));
    }
}

#[test]
fn a_constant_column_and_classes_told_apart_keep_weighted_margins_finite() {
    // A column that is the same wherever there is weight has no say, and a class that is told apart has a finite margin.
    let rows = 60;
    let same = (0..rows).map(|row| Some(if row < 20 { f64::from(row) } else { 5.0 })).collect();
    let tells = (0..rows).map(|row| Some(f64::from(row % 2))).collect();
    let features: FeatureMatrix = matrix(&[("same", same), ("tells", tells)]);
    let labels: Vec<bool> = (0..rows).map(|row| row % 2 == 1).collect();
    let weights: Vec<f64> =
        (0..rows).map(|row| if row < 20 { 0.0 } else { f64::from(1 + row % 3) }).collect();
    let fitted = Baseline::Logistic.fit_weighted(&features, &labels, &weights).unwrap().unwrap();
    let scores = fitted.scores(&features.view()).unwrap();
    assert!(
        scores.iter().zip(&labels).all(|(score, &label)| score.is_finite() && (*score > 0.9) == label),
        "{scores:?}"
    );
}

#[test]
fn rows_of_another_width_are_refused() {
    let (others, _) = learnable(10, 1);
    for baseline in Baseline::ALL {
        let error = fit(baseline).scores(&others.view()).unwrap_err().to_string();
        assert!(error.contains("3 columns") && error.contains("trained with 2"), "{error}");
    }
}
