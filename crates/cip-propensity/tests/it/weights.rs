//! Weights of rows: a row of weight 3 is three rows, for metrics, calibrations and trees.

use cip_propensity::{
    BoostedTrees, Calibration, CalibrationMap, ClassWeight, Evaluation, ParamGuard, PropensityError,
    WeightBuilder, WeightedEvaluation,
};
use linfa::traits::Fit;
use proptest::prelude::*;

use crate::data::learnable;

#[test]
fn metrics_are_those_of_scikit_learn_with_sample_weight() {
    let scores = [0.1, 0.4, 0.35, 0.8, 0.4, 0.65];
    let labels = [false, false, true, true, true, false];
    let weights = [1.0, 2.5, 0.75, 3.0, 0.5, 1.25];
    let found = WeightedEvaluation::new(&scores, &scores, &labels, &weights).unwrap();
    // scikit-learn 1.9.1: roc_auc_score, average_precision_score, log_loss and brier_score_loss with sample_weight.
    for (ours, theirs) in [
        (found.auc.unwrap(), 0.798_761_609_907_120_8),
        (found.average_precision.unwrap(), 0.856_427_484_787_018_4),
        (found.log_loss, 0.512_182_760_438_873_9),
        (found.brier, 0.172_777_777_777_777_8),
    ] {
        assert!((ours - theirs).abs() < 1e-8, "{ours} {theirs}");
    }
    assert_eq!((found.weight, found.positive_weight), (9.0, 4.25));
}

proptest! {
    #[test]
    fn a_weight_is_so_many_rows(rows in proptest::collection::vec((0u8..8, any::<bool>(), 0usize..4), 1..80)) {
        let weights: Vec<f64> = rows.iter().map(|row| row.2 as f64).collect();
        prop_assume!(weights.iter().sum::<f64>() > 0.0);
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0) / 8.0).collect();
        let labels: Vec<bool> = rows.iter().map(|row| row.1).collect();
        let repeated = || rows.iter().flat_map(|row| std::iter::repeat_n(row, row.2));
        let (many, truths): (Vec<f64>, Vec<bool>) = repeated().map(|row| (f64::from(row.0) / 8.0, row.1)).unzip();
        let found = WeightedEvaluation::new(&scores, &scores, &labels, &weights).unwrap();
        let plain = Evaluation::new(&many, &many, &truths).unwrap();
        let near = |a: f64, b: f64| (a - b).abs() < 1e-7;
        let both = |a: Option<f64>, b: Option<f64>| a.zip(b).map_or(a == b, |(a, b)| near(a, b));
        prop_assert!(both(found.auc, plain.auc) && both(found.average_precision, plain.average_precision));
        prop_assert!(near(found.log_loss, plain.log_loss) && near(found.brier, plain.brier), "{found:?} {plain:?}");
        // The order of the rows does not matter to a ranking, to the last bit.
        let turned = |values: &[f64]| values.iter().rev().copied().collect::<Vec<_>>();
        let labels_turned: Vec<bool> = labels.iter().rev().copied().collect();
        let again = WeightedEvaluation::new(&turned(&scores), &turned(&scores), &labels_turned, &turned(&weights));
        prop_assert_eq!(again.unwrap().auc, found.auc);
    }
}

#[test]
fn a_calibration_of_weights_is_that_of_as_many_rows() {
    let margins: Vec<f64> = (0..120).map(|row| f64::from(row % 40) / 10.0 - 2.0).collect();
    let labels: Vec<bool> = (0..120).map(|row| row * 7 % 40 < row % 40).collect();
    let weights: Vec<f64> = (0..120).map(|row| f64::from(1 + row % 3)).collect();
    let repeated = |row: usize| std::iter::repeat_n(row, 1 + row % 3);
    let rows: Vec<usize> = (0..120).flat_map(repeated).collect();
    let many: Vec<f64> = rows.iter().map(|&row| margins[row]).collect();
    let truths: Vec<bool> = rows.iter().map(|&row| labels[row]).collect();
    for method in [Calibration::Isotonic, Calibration::Platt] {
        let found = method.fit_weighted(&margins, &labels, &weights).unwrap();
        assert_eq!(found.rows(), 120);
        // Platt's targets count rows; the mean weight is 1, so his are of 120 here and of 240 there.
        let allowed = if method == Calibration::Isotonic { 1e-8 } else { 0.01 };
        let plain = method.fit(&many, &truths).unwrap();
        for margin in [-2.0, -1.1, 0.0, 0.7, 1.9] {
            let [a, b] = [found.probability(margin), plain.probability(margin)];
            assert!((a - b).abs() < allowed, "{method} {margin}: {a} {b}");
        }
    }
    let equal = Calibration::Platt.fit_weighted(&margins, &labels, &[2.5; 120]).unwrap();
    let CalibrationMap::Platt { slope, .. } = *equal.map() else { unreachable!() };
    let plain = Calibration::Platt.fit(&margins, &labels).unwrap();
    assert!(
        matches!(*plain.map(), CalibrationMap::Platt { slope: other, .. } if (slope - other).abs() < 1e-9)
    );
}

#[test]
fn trees_learn_from_what_has_weight() {
    let (features, labels) = learnable(3_000, 1);
    let params = BoostedTrees::params(7).with_trees(10).with_leaves(8).check().unwrap();
    let plain = params.fit_matrix(&features, &labels).unwrap();
    // Weights that are all the same are none.
    let same = params.fit_weighted((&features, &labels, &[3.0; 3_000]), None).unwrap();
    assert_eq!(same, plain);
    // Weights by class are the weight of a class.
    let weights: Vec<f64> = labels.iter().map(|&label| if label { 4.0 } else { 1.0 }).collect();
    let weighted = params.fit_weighted((&features, &labels, &weights), None).unwrap();
    let by_class =
        BoostedTrees::params(7).with_trees(10).with_leaves(8).with_class_weight(ClassWeight::Positive(4.0));
    let by_class = by_class.check().unwrap().fit_matrix(&features, &labels).unwrap();
    let margins = |model: &BoostedTrees| model.margins(&features.view()).unwrap();
    for (a, b) in margins(&weighted).iter().zip(margins(&by_class)) {
        assert!((a - b).abs() < 1e-3, "{a} {b}");
    }
    // And both at once, balanced, leave nothing of the difference.
    let balanced = |params: cip_propensity::BoostedTreesParams| {
        params.with_class_weight(ClassWeight::Balanced).check().unwrap()
    };
    let base = || BoostedTrees::params(7).with_trees(10).with_leaves(8);
    let with = balanced(base()).fit_weighted((&features, &labels, &weights), None).unwrap();
    let without = balanced(base()).fit_matrix(&features, &labels).unwrap();
    for (a, b) in margins(&with).iter().zip(margins(&without)) {
        assert!((a - b).abs() < 1e-3, "{a} {b}");
    }
}

#[test]
fn what_is_no_weight_is_refused() {
    let (features, labels) = learnable(200, 1);
    let params = BoostedTrees::params(7).with_trees(2).check().unwrap();
    let refuse =
        |weights: &[f64]| params.fit_weighted((&features, &labels, weights), None).unwrap_err().to_string();
    assert!(refuse(&[0.0; 200]).contains("the weights of all 200 rows are 0"));
    assert!(refuse(&[f64::NAN; 200]).contains("a weight is NaN, expected 0 or more"));
    assert!(refuse(&[-1.0; 200]).contains("a weight is -1"));
    assert!(refuse(&[1.0; 7]).contains("200 rows"));
    // Those of a dataset of linfa as well.
    for (weights, told) in
        [(vec![f32::NAN; 200], "a weight is NaN"), (vec![0.0; 200], "are 0"), (vec![1.0; 7], "200 rows")]
    {
        let dataset = linfa::Dataset::new(features.view().to_owned(), labels.iter().copied().collect());
        let dataset: linfa::Dataset<f32, bool, ndarray::Ix1> = dataset.with_weights(weights.into());
        let error = params.fit(&dataset).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    assert!(WeightedEvaluation::new(&[0.5], &[0.5], &[true], &[f64::INFINITY]).is_err());
    assert!(Calibration::Platt.fit_weighted(&[0.5], &[true], &[0.0]).is_err());
    let column = |array: arrow_array::ArrayRef| {
        let batch = arrow_array::RecordBatch::try_from_iter_with_nullable([("w", array, true)]).unwrap();
        let mut builder = WeightBuilder::new("w");
        builder.push_where(&batch, |row| row > 0).map(|()| builder.finish())
    };
    let floats = |values: Vec<Option<f64>>| std::sync::Arc::new(arrow_array::Float64Array::from(values));
    // The first row is not kept, and counts in what errors name.
    assert_eq!(column(floats(vec![None, Some(2.0)])).unwrap(), [2.0]);
    for value in [None, Some(-0.5), Some(f64::NAN), Some(f64::INFINITY)] {
        let error = column(floats(vec![Some(1.0), value])).unwrap_err();
        assert!(matches!(error, PropensityError::WeightValue { row: 1, .. }), "{error}");
    }
    let text = column(std::sync::Arc::new(arrow_array::StringArray::from(vec!["1", "2"]))).unwrap_err();
    assert!(text.to_string().contains("weight `w` is Utf8, expected numbers"));
}
