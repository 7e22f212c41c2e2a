//! What models learn, and what they do with tables that are hostile.

use std::num::NonZeroUsize;

use cip_propensity::{
    Baseline, BoostedTrees, BoostedTreesParams, Evaluation, FeatureMatrix, FittedBaseline, PropensityError,
    PropensityModel, probability,
};
use linfa::traits::{Fit, Predict};
use linfa::{Dataset, ParamGuard};
use ndarray::Array1;

use crate::data::{learnable, matrix};

fn fit(
    params: BoostedTreesParams,
    features: &FeatureMatrix,
    labels: &[bool],
) -> Result<BoostedTrees, PropensityError> {
    params.check()?.fit_matrix(features, labels)
}

fn tree(features: &FeatureMatrix, labels: &[bool]) -> FittedBaseline {
    Baseline::Tree.fit(features, labels).unwrap().unwrap()
}

fn few() -> BoostedTreesParams {
    BoostedTrees::params(7).with_trees(20).with_leaves(8)
}

fn evaluate(model: &BoostedTrees, features: &FeatureMatrix, labels: &[bool]) -> Evaluation {
    let margins = model.margins(&features.view()).unwrap().to_vec();
    let scores: Vec<f64> = margins.iter().map(|&margin| probability(margin)).collect();
    Evaluation::new(&margins, &scores, labels).unwrap()
}

#[test]
fn a_model_foretells_rows_that_it_has_not_seen_and_beats_the_baseline() {
    let (features, labels) = learnable(6_000, 1);
    let (others, outcomes) = learnable(6_000, 2);
    let model = fit(few(), &features, &labels).unwrap();
    let found = evaluate(&model, &others, &outcomes);
    let base = tree(&features, &labels).evaluate(&others, &outcomes).unwrap();
    assert!(found.auc.unwrap() > 0.74, "{found:?}");
    assert!(base.auc.unwrap() > 0.65 && base.auc < found.auc, "{base:?}");
    assert!(found.log_loss < base.log_loss && found.ece < 0.05, "{found:?}");
    assert!(found.lift_at(0.05).unwrap().lift.unwrap() > 1.8, "{found:?}");
    // What says nothing is what it leans on least.
    let importance = model.importance();
    assert_eq!((importance[0].feature.as_ref(), importance[2].feature.as_ref()), ("a", "noise"));
    assert!((importance.iter().map(|of| of.share).sum::<f64>() - 1.0).abs() < 1e-12);
}

#[test]
fn the_bytes_of_a_model_depend_on_neither_threads_nor_chance() {
    let (features, labels) = learnable(20_000, 3);
    let bytes = |threads: usize| {
        let params = few().with_threads(NonZeroUsize::new(threads).unwrap());
        let trees = fit(params, &features, &labels).unwrap();
        let mut file = Vec::new();
        PropensityModel::new(trees, "label", &labels).write_to(&mut file).unwrap();
        file
    };
    let first = bytes(1);
    for threads in [1, 2, 3] {
        assert!(bytes(threads) == first, "{threads} threads");
    }
}

#[test]
fn linfas_way_gives_the_same_model() {
    let (features, labels) = learnable(2_000, 4);
    let names: Vec<String> = features.names().iter().map(|name| name.to_string()).collect();
    let dataset =
        Dataset::new(features.view().to_owned(), Array1::from(labels.clone())).with_feature_names(names);
    let model = few().fit(&dataset).unwrap();
    assert_eq!(model, fit(few(), &features, &labels).unwrap());
    let margins = model.margins(&features.view()).unwrap();
    let scores = model.predict(&dataset);
    assert!(scores.iter().zip(&margins).all(|(score, &margin)| **score == probability(margin) as f32));

    // Records in column-major order are the same records; features without names get some.
    let turned = features.view().t().as_standard_layout().into_owned().reversed_axes();
    assert!(!turned.is_standard_layout());
    let turned = Dataset::new(turned, dataset.targets.clone());
    let unnamed = few().fit(&turned).unwrap();
    assert_eq!(unnamed.trees(), model.trees());
    assert_eq!(unnamed.features()[2].as_ref(), "f2");

    // A weight of two is as good as a row twice.
    let weighted = dataset.with_weights(Array1::from_elem(2_000, 2.0));
    let doubled: Vec<usize> = (0..2_000).flat_map(|row| [row, row]).collect();
    let twice: Vec<bool> = doubled.iter().map(|&row| labels[row]).collect();
    let (weighted, doubled) =
        (few().fit(&weighted).unwrap(), fit(few(), &features.select(&doubled), &twice).unwrap());
    let near = |a: f64, b: f64| (a - b).abs() < 0.05;
    let (a, b) = (weighted.margins(&features.view()).unwrap(), doubled.margins(&features.view()).unwrap());
    assert!(a.iter().zip(&b).all(|(&a, &b)| near(a, b)));

    let infinite =
        Dataset::new(ndarray::arr2(&[[1.0, f32::INFINITY], [0.0, 1.0]]), Array1::from(vec![true, false]));
    assert!(few().fit(&infinite).unwrap_err().to_string().contains("feature `f1` is inf in row 0 (from 0)"));
}

#[test]
fn constant_and_unknown_columns_are_learned_from_by_nobody() {
    let (features, labels) = learnable(3_000, 5);
    let column = |index: usize| {
        let values = features.view().column(index).to_vec();
        values.into_iter().map(|value| (!value.is_nan()).then_some(f64::from(value))).collect::<Vec<_>>()
    };
    let rows = labels.len();
    let hostile = matrix(&[
        ("constant", vec![Some(3.0); rows]),
        ("unknown", vec![None; rows]),
        ("a", column(0)),
        ("b", column(1)),
        ("huge", (0..rows).map(|row| Some(if row % 2 == 0 { 3e38 } else { -3e38 })).collect()),
    ]);
    let model = fit(few(), &hostile, &labels).unwrap();
    let splits =
        |name: &str| model.importance().iter().find(|of| of.feature.as_ref() == name).unwrap().splits;
    assert_eq!((splits("constant"), splits("unknown")), (0, 0));
    assert!(splits("a") > 0 && evaluate(&model, &hostile, &labels).auc.unwrap() > 0.74);
    for baseline in Baseline::ALL {
        if let Some(fitted) = baseline.fit(&hostile, &labels).unwrap() {
            let scores = fitted.scores(&hostile.view()).unwrap();
            assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{baseline}");
        }
    }

    // With nothing to learn from, every row has the odds of all.
    let nothing = matrix(&[("constant", vec![Some(3.0); rows]), ("unknown", vec![None; rows])]);
    let model = fit(few(), &nothing, &labels).unwrap();
    let share = labels.iter().filter(|label| **label).count() as f64 / rows as f64;
    let margins = model.margins(&nothing.view()).unwrap();
    assert!(
        margins.iter().all(|&margin| (probability(margin) - share).abs() < 1e-4),
        "{} {share}",
        margins[0]
    );
    assert!(model.importance().iter().all(|of| (of.gain, of.share) == (0.0, 0.0)));
    let scores = tree(&nothing, &labels).scores(&nothing.view()).unwrap();
    assert!(scores.iter().all(|&score| (score - share).abs() < 1e-3));
}

#[test]
fn what_cannot_be_learned_is_refused() {
    let one = matrix(&[("a", vec![Some(1.0), Some(2.0), Some(3.0)])]);
    let refuse = |labels: &[bool]| {
        let error = fit(few(), &one, labels).unwrap_err().to_string();
        for baseline in Baseline::ALL {
            assert_eq!(baseline.fit(&one, labels).unwrap_err().to_string(), error);
        }
        error
    };
    assert!(refuse(&[false; 3]).starts_with("all 3 labels are 0, expected both 0 and 1"));
    assert!(refuse(&[true; 3]).starts_with("all 3 labels are 1"));
    assert_eq!(refuse(&[true]), "3 rows and 1 labels, expected as many of each");
    let none = matrix(&[("a", vec![])]);
    assert!(fit(few(), &none, &[]).unwrap_err().to_string().contains("no rows to train on"));
    assert!(fit(few().with_trees(0), &one, &[true, false, true]).is_err());

    // Two rows are little, and no reason to fail.
    let model = fit(few(), &one, &[true, false, true]).unwrap();
    let other = matrix(&[("a", vec![None]), ("b", vec![None])]);
    let error = model.margins(&other.view()).unwrap_err().to_string();
    assert!(error.contains("2 columns, the model was trained with 1"), "{error}");
    assert_eq!(model.margins(&none.view()).unwrap().len(), 0);
}
