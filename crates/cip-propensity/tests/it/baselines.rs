//! Baselines against scikit-learn and plain definitions.

use cip_propensity::{Baseline, FittedBaseline};

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

#[test]
fn rows_of_another_width_are_refused() {
    let (others, _) = learnable(10, 1);
    for baseline in Baseline::ALL {
        let error = fit(baseline).scores(&others.view()).unwrap_err().to_string();
        assert!(error.contains("3 columns") && error.contains("trained with 2"), "{error}");
    }
}
