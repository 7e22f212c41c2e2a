//! How a model is learned: when it stops, what rows weigh, which way a margin may go, and which parameters do best.

use std::num::NonZeroU32;

use cip_propensity::{
    BoostedTrees, BoostedTreesParams, Calibration, ClassWeight, Evaluation, FeatureMatrix, Fold, Monotone,
    Node, ParamGuard, PropensityModel, Search, Tree, probability,
};
use proptest::prelude::*;

use crate::data::{learnable, matrix, uniforms};

fn params(trees: u32) -> BoostedTreesParams {
    BoostedTrees::params(7).with_trees(trees).with_leaves(16)
}

fn log_loss(model: &BoostedTrees, features: &FeatureMatrix, labels: &[bool]) -> f64 {
    let margins = model.margins(&features.view()).unwrap().to_vec();
    let scores: Vec<f64> = margins.iter().map(|&margin| probability(margin)).collect();
    Evaluation::new(&margins, &scores, labels).unwrap().log_loss
}

/// The trees of one and the same boosting, however many are kept: every number of them can be tried by hand.
#[test]
fn boosting_stops_at_the_lowest_loss_of_the_rows_to_validate_on() {
    let ((features, labels), (others, outcomes)) = (learnable(1_500, 1), learnable(1_500, 2));
    let patience = NonZeroU32::new(8).unwrap();
    let stopping = params(150).with_early_stopping(patience).check().unwrap();
    let stopped = stopping.fit_validated((&features, &labels), (&others, &outcomes)).unwrap();
    let kept = stopped.trees().len();
    assert!((2..142).contains(&kept), "{kept}");
    let losses: Vec<f64> = (1..=kept as u32 + 8)
        .map(|trees| {
            let model = params(trees).check().unwrap().fit_matrix(&features, &labels).unwrap();
            log_loss(&model, &others, &outcomes)
        })
        .collect();
    let best = losses.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    assert_eq!(best + 1, kept, "{losses:?}");
    let whole = params(kept as u32).check().unwrap().fit_matrix(&features, &labels).unwrap();
    assert_eq!(whole.trees(), stopped.trees());

    let error = stopping.fit_matrix(&features, &labels).unwrap_err().to_string();
    assert!(error.contains("after 8 rounds") && error.contains("no rows to validate on"), "{error}");
    let other = matrix(&[("z", vec![Some(1.0), Some(2.0)])]);
    assert!(stopping.fit_validated((&features, &labels), (&other, &[true, false])).is_err());
    assert!(stopping.fit_validated((&features, &labels), (&others, &outcomes[1..])).is_err());
    // Without early stopping the rows are not looked at.
    let plain = params(5).check().unwrap();
    let with = plain.fit_validated((&features, &labels), (&others, &outcomes)).unwrap();
    assert_eq!(with, plain.fit_matrix(&features, &labels).unwrap());
}

#[test]
fn weights_lift_the_margins_of_a_rare_class_and_a_calibration_mends_them() {
    let (features, labels) = learnable(6_000, 1);
    let positives: Vec<usize> = (0..labels.len()).filter(|&row| labels[row]).collect();
    let rows: Vec<usize> =
        (0..labels.len()).filter(|&row| !labels[row]).chain(positives.into_iter().take(400)).collect();
    let (features, labels) =
        (features.select(&rows), rows.iter().map(|&row| labels[row]).collect::<Vec<_>>());
    let share = 400.0 / rows.len() as f64;
    let mean = |weight: ClassWeight| {
        let model =
            params(30).with_class_weight(weight).check().unwrap().fit_matrix(&features, &labels).unwrap();
        let margins = model.margins(&features.view()).unwrap().to_vec();
        let calibrated = Calibration::Platt.fit(&margins, &labels).unwrap();
        let over = |of: &dyn Fn(f64) -> f64| {
            margins.iter().map(|&margin| of(margin)).sum::<f64>() / rows.len() as f64
        };
        [over(&probability), over(&|margin| calibrated.probability(margin))]
    };
    let [equal, _] = mean(ClassWeight::Equal);
    assert!((equal - share).abs() < 0.01, "{equal} {share}");
    let [balanced, mended] = mean(ClassWeight::Balanced);
    assert!(balanced > 0.3 && (mended - share).abs() < 0.01, "{balanced} {mended}");
    assert_eq!(mean(ClassWeight::Positive(1.0))[0], equal);
    let [heavier, _] = mean(ClassWeight::Positive(2.0));
    assert!(equal < heavier && heavier < balanced, "{equal} {heavier} {balanced}");
}

#[test]
fn a_monotone_margin_never_goes_the_other_way() {
    // More is better up to the middle, then worse; a constraint hears the first half alone.
    let mut next = uniforms(5);
    let mut draw = || next.next().unwrap();
    let (mut hill, mut known, mut labels) = (vec![], vec![], vec![]);
    for _ in 0..4_000 {
        let (x, y) = (draw(), draw());
        hill.push(Some(x));
        known.push((y < 0.8).then_some(y));
        labels.push(draw() < 0.6 - 2.0 * (x - 0.5).abs() + 0.2 * y);
    }
    let features = matrix(&[("hill", hill), ("other", known)]);
    let fit = |params: BoostedTreesParams| params.check().unwrap().fit_matrix(&features, &labels);
    let moves = |model: &BoostedTrees| {
        let (mut up, mut down) = (0, 0);
        for other in [0.1f32, 0.5, 0.7, f32::NAN] {
            let grid = ndarray::Array2::from_shape_fn((200, 2), |(row, column)| {
                if column == 0 { row as f32 / 200.0 } else { other }
            });
            for pair in model.margins(&grid).unwrap().to_vec().windows(2) {
                up += u32::from(pair[1] > pair[0] + 1e-12);
                down += u32::from(pair[1] < pair[0] - 1e-12);
            }
        }
        (up > 0, down > 0)
    };
    assert_eq!(moves(&fit(params(40)).unwrap()), (true, true));
    let rising = fit(params(40).with_monotone("hill", Monotone::Increasing)).unwrap();
    assert_eq!(moves(&rising), (true, false));
    assert_eq!(moves(&fit(params(40).with_monotone("hill", Monotone::Decreasing)).unwrap()), (false, true));
    let error = fit(params(4).with_monotone("hills", Monotone::Increasing)).unwrap_err().to_string();
    assert!(error.contains("column `hills` is missing") && error.contains("`hill`, `other`"), "{error}");

    let mut file = Vec::new();
    let model = PropensityModel::new(rising, "label", &labels);
    model.write_to(&mut file).unwrap();
    assert_eq!(PropensityModel::read_from(&file[..]).unwrap(), model);
}

#[test]
fn no_leaf_is_deeper_than_asked() {
    fn depth(tree: &Tree, at: u32) -> u32 {
        match &tree.nodes()[at as usize] {
            Node::Leaf(_) => 0,
            Node::Split(split) => 1 + depth(tree, split.left).max(depth(tree, split.right)),
        }
    }
    let (features, labels) = learnable(3_000, 8);
    for most in [1, 4] {
        let params = params(20).with_depth(NonZeroU32::new(most).unwrap()).check().unwrap();
        let model = params.fit_matrix(&features, &labels).unwrap();
        assert_eq!(model.trees().iter().map(|tree| depth(tree, 0)).max(), Some(most));
    }
}

#[test]
fn a_search_takes_what_does_best_on_later_rows() {
    let (features, labels) = learnable(2_400, 9);
    let times: Vec<i64> = (0..2_400).map(|row| row / 100).collect();
    let folds = Fold::rolling(&times, None, 3, 1).unwrap();
    assert_eq!(folds.len(), 3);
    let search = Search::new(4, 5).unwrap();
    let given = params(60).with_learning_rate(1.0).with_leaves(256);
    let found = search.run(&given, &features, &labels, &folds).unwrap();
    assert_eq!((found.trials.len(), found.trials[0].aucs.len()), (4, 3));
    let best = found.trials.iter().map(|trial| trial.mean_auc).fold(0.0, f64::max);
    assert!(best > found.trials[0].mean_auc, "{:?}", found.trials);
    let checked = found.best.check_ref().unwrap();
    let winner = found.trials.iter().find(|trial| trial.mean_auc == best).unwrap();
    assert_eq!((checked.leaves(), checked.learning_rate()), (winner.leaves, winner.learning_rate));
    assert_eq!(search.run(&given, &features, &labels, &folds).unwrap(), found);

    let one_class = vec![false; 2_400];
    let error = search.run(&given, &features, &one_class, &folds).unwrap_err().to_string();
    assert!(error.contains("no fold has rows of both classes"), "{error}");
    assert!(search.run(&given, &features, &labels[1..], &folds).is_err());
    let beyond = Fold { train: vec![0], validate: vec![2_400] };
    assert!(search.run(&given, &features, &labels, &[beyond]).is_err());
}

#[test]
fn a_search_counts_rows_by_their_weights() {
    let (features, labels) = learnable(900, 4);
    let (train, validate): (Vec<usize>, Vec<usize>) = (0..900).partition(|&row| row < 600);
    let folds = [Fold { train: train.clone(), validate }];
    let search = Search::new(3, 5).unwrap();
    let given = params(10);
    let plain = search.run(&given, &features, &labels, &folds).unwrap();
    // Weights that are all the same are none.
    let same = search.run_weighted(&given, (&features, &labels, &[0.7; 900]), &folds).unwrap();
    assert_eq!(same, plain);

    // Rows to try on that count 0, 1 or 2 times are there so often.
    let count = |row: usize| if row < 600 { 1 } else { row % 3 };
    let weights: Vec<f64> = (0..900).map(|row| count(row) as f64).collect();
    let found = search.run_weighted(&given, (&features, &labels, &weights), &folds).unwrap();
    let validate = (600..900).flat_map(|row| std::iter::repeat_n(row, count(row))).collect();
    let repeated = search.run(&given, &features, &labels, &[Fold { train, validate }]).unwrap();
    assert_ne!(found, plain);
    for (found, expected) in found.trials.iter().zip(&repeated.trials) {
        assert!((found.mean_auc - expected.mean_auc).abs() < 1e-9, "{found:?} {expected:?}");
    }

    // The trees are those of rows with weights.
    let weights: Vec<f64> = (0..900).map(|row| if row < 600 { (row % 3) as f64 } else { 1.0 }).collect();
    let taught = search.run_weighted(&given, (&features, &labels, &weights), &folds).unwrap();
    let params = given.check_ref().unwrap();
    let rows = |from: usize, to: usize| features.select(&(from..to).collect::<Vec<_>>());
    let trees = params.fit_weighted((&rows(0, 600), &labels[..600], &weights[..600]), None).unwrap();
    let margins = trees.margins(&rows(600, 900).view()).unwrap().to_vec();
    let scores: Vec<f64> = margins.iter().map(|&margin| probability(margin)).collect();
    let expected = Evaluation::new(&margins, &scores, &labels[600..]).unwrap().auc.unwrap();
    assert!((taught.trials[0].mean_auc - expected).abs() < 1e-12, "{taught:?} {expected}");
    let one_class: Vec<f64> = (0..900).map(|row| if row >= 600 && labels[row] { 0.0 } else { 1.0 }).collect();
    let refused = |weights: &[f64]| {
        search.run_weighted(&given, (&features, &labels, weights), &folds).unwrap_err().to_string()
    };
    assert!(refused(&one_class).contains("no fold has rows of both classes"));
    assert!(refused(&[f64::NAN; 900]).contains("a weight is NaN"));
    assert!(refused(&[0.0; 900]).contains("are 0"));
    assert!(refused(&[1.0; 3]).contains("900 rows"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// The order of the rows to validate on says nothing.
    #[test]
    fn when_to_stop_does_not_depend_on_the_order_of_the_validation(turn in 1usize..400) {
        let ((features, labels), (others, outcomes)) = (learnable(400, 1), learnable(400, 2));
        let stopping = params(30).with_early_stopping(NonZeroU32::new(3).unwrap()).check().unwrap();
        let rows: Vec<usize> = (turn..400).chain(0..turn).collect();
        let turned: Vec<bool> = rows.iter().map(|&row| outcomes[row]).collect();
        let found = stopping.fit_validated((&features, &labels), (&others, &outcomes)).unwrap();
        prop_assert_eq!(&found, &stopping.fit_validated((&features, &labels), (&others.select(&rows), &turned)).unwrap());
    }
}
