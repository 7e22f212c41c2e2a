//! Evaluations against scikit-learn's on the same scores, and against the plainest definitions.

use cip_propensity::{Evaluation, FRACTIONS, PropensityError};
use proptest::prelude::*;

use crate::data::uniforms;

/// 2,000 scores and labels: `state = 12345` for the generator, scores from every first of two numbers and labels from every
/// second, 1 where it is below 0.05 + 0.4 score^3.
fn scored() -> (Vec<f64>, Vec<bool>) {
    let numbers: Vec<f64> = uniforms(12_345).take(4_000).collect();
    numbers.chunks(2).map(|pair| (pair[0], pair[1] < 0.05 + 0.4 * pair[0].powi(3))).unzip()
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12 * expected.abs().max(1.0), "{found} {expected}");
}

/// roc_auc_score, average_precision_score, log_loss and brier_score_loss of scikit-learn 1.9.1; the calibration error and
/// the lift (equal scores sharing what is left of the top) by numpy 2.
#[test]
fn the_values_are_scikit_learns() {
    let (scores, labels) = scored();
    let found = Evaluation::new(&scores, &scores, &labels).unwrap();
    assert_eq!((found.rows, found.positives), (2_000, 285));
    close(found.auc.unwrap(), 0.72236714234566);
    close(found.average_precision.unwrap(), 0.2777420745278503);
    close(found.log_loss, 0.8829319001621104);
    close(found.brier, 0.28883661825499213);
    close(found.ece, 0.373974721477367);
    let top = found.lift_at(0.05).unwrap();
    assert_eq!((top.rows, top.positives), (100, 34.0));
    close(top.lift.unwrap(), 2.385964912280702);
    close(top.conversion, 0.34);
    close(top.captured.unwrap(), 34.0 / 285.0);

    // The bins of the calibration error: it is what they say.
    assert_eq!(found.reliability.len(), 15);
    assert_eq!(found.reliability.iter().map(|bin| bin.rows).sum::<u64>(), 2_000);
    let bins = found.reliability.iter();
    let error =
        bins.map(|bin| bin.rows as f64 * (bin.mean_score - bin.observed).abs()).sum::<f64>() / 2_000.0;
    close(found.ece, error);
    for bin in &found.reliability {
        let inside: Vec<_> =
            scores.iter().zip(&labels).filter(|(score, _)| (bin.from..bin.to).contains(score)).collect();
        assert_eq!(inside.len() as u64, bin.rows);
        close(bin.mean_score, inside.iter().map(|(score, _)| **score).sum::<f64>() / bin.rows as f64);
        close(bin.observed, inside.iter().filter(|(_, label)| **label).count() as f64 / bin.rows as f64);
    }
}

#[test]
fn the_values_are_scikit_learns_where_scores_tie() {
    let (scores, labels) = scored();
    let tied: Vec<f64> = scores.iter().map(|score| (score * 20.0).floor() / 20.0).collect();
    let found = Evaluation::new(&tied, &tied, &labels).unwrap();
    close(found.auc.unwrap(), 0.7227313180911462);
    close(found.average_precision.unwrap(), 0.27389387669873594);
    close(found.log_loss, 0.8984614946187915);
    close(found.brier, 0.27071249999999997);
    close(found.ece, 0.35075);
    let lifts = [
        2.358354903652574,
        2.358354903652574,
        2.367167919799499,
        2.148421052631579,
        1.945213911972915,
        1.5920389208314907,
    ];
    assert_eq!(found.lift.len(), lifts.len());
    for (expected, lift) in lifts.iter().zip(&found.lift) {
        close(lift.lift.unwrap(), *expected);
    }
}

#[test]
fn what_has_no_answer_is_none_and_never_nan() {
    for (labels, auc, lift) in [([false; 3], None, None), ([true; 3], None, Some(1.0))] {
        let found = Evaluation::new(&[0.0, 1.0, 0.5], &[0.0, 1.0, 0.5], &labels).unwrap();
        assert_eq!((found.auc, found.lift[1].lift), (auc, lift));
        assert_eq!(found.average_precision.is_some(), labels[0]);
        assert!([found.log_loss, found.brier, found.ece].iter().all(|value| value.is_finite()));
        let text = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Evaluation>(&text).unwrap(), found);
    }
    let one = Evaluation::new(&[-7.0], &[0.25], &[true]).unwrap();
    assert!(one.lift.iter().all(|lift| (lift.rows, lift.positives) == (1, 1.0)));
}

#[test]
fn what_cannot_be_evaluated_is_refused() {
    let refuse = |ranking: &[f64], probabilities: &[f64], labels: &[bool]| {
        Evaluation::new(ranking, probabilities, labels).unwrap_err().to_string()
    };
    assert_eq!(refuse(&[1.0], &[1.0], &[]), "1 rows and 0 labels, expected as many of each");
    assert!(refuse(&[], &[], &[]).contains("no rows to evaluate"));
    assert_eq!(refuse(&[0.0, f64::NAN], &[0.0; 2], &[true; 2]), "score 1 is NaN, expected a number");
    assert_eq!(refuse(&[0.0], &[1.1], &[true]), "score 0 is 1.1, expected a probability, 0 to 1");
    assert!(matches!(
        Evaluation::new(&[0.0], &[f64::NAN], &[true]),
        Err(PropensityError::Score { row: 0, .. })
    ));
    // The infinities have a place in a ranking.
    Evaluation::new(&[f64::INFINITY, f64::NEG_INFINITY], &[1.0, 0.0], &[true, false]).unwrap();
}

proptest! {
    /// AUC by counting pairs; average precision by walking thresholds; lift by the expectation over the ties.
    #[test]
    fn the_ranking_metrics_are_their_definitions(
        rows in proptest::collection::vec((-4i32..4, any::<bool>()), 1..60),
        turn in 0usize..60,
    ) {
        let scores: Vec<f64> = rows.iter().map(|(score, _)| f64::from(*score) / 2.0).collect();
        let labels: Vec<bool> = rows.iter().map(|(_, label)| *label).collect();
        let probabilities = vec![0.5; rows.len()];
        let found = Evaluation::new(&scores, &probabilities, &labels).unwrap();

        let (mut pairs, mut wins) = (0.0, 0.0);
        for (a, _) in scores.iter().zip(&labels).filter(|(_, label)| **label) {
            for (b, _) in scores.iter().zip(&labels).filter(|(_, label)| !**label) {
                pairs += 1.0;
                wins += if a > b { 1.0 } else if a == b { 0.5 } else { 0.0 };
            }
        }
        let auc = (pairs > 0.0).then(|| wins / pairs);
        prop_assert!(auc.zip(found.auc).is_none_or(|(a, b): (f64, f64)| (a - b).abs() < 1e-12));
        prop_assert_eq!(auc.is_some(), found.auc.is_some());

        let positives = labels.iter().filter(|label| **label).count() as f64;
        let mut thresholds = scores.clone();
        thresholds.sort_by(|a, b| b.total_cmp(a));
        thresholds.dedup();
        let at = |threshold: f64| {
            let taken = scores.iter().zip(&labels).filter(|(score, _)| **score >= threshold);
            (taken.clone().count() as f64, taken.filter(|(_, label)| **label).count() as f64)
        };
        let (mut precision, mut before) = (0.0, 0.0);
        for &threshold in &thresholds {
            let (rows, hits) = at(threshold);
            precision += (hits - before) / positives * (hits / rows);
            before = hits;
        }
        if positives > 0.0 {
            prop_assert!((precision - found.average_precision.unwrap()).abs() < 1e-12);
        }

        for (fraction, lift) in FRACTIONS.iter().zip(&found.lift) {
            let top = ((rows.len() as f64 * fraction) as usize).max(1) as f64;
            let threshold = *thresholds.iter().find(|&&threshold| at(threshold).0 >= top).unwrap();
            let (with, hits_with) = at(threshold);
            let (above, hits_above) = at(threshold + 0.25);
            let share = (top - above) / (with - above);
            prop_assert!((hits_above + share * (hits_with - hits_above) - lift.positives).abs() < 1e-9);
        }

        // The order of the rows does not matter.
        let (mut scores, mut labels) = (scores, labels);
        let middle = turn % scores.len();
        scores.rotate_left(middle);
        labels.rotate_left(middle);
        prop_assert_eq!(Evaluation::new(&scores, &probabilities, &labels).unwrap().lift, found.lift);
    }
}
