//! Calibrations against scikit-learn's on the same rows, their laws, and rows that cannot tell how sure to be.

use cip_propensity::{Calibration, CalibrationFallback, CalibrationMap, FittedCalibration};
use proptest::prelude::*;

use crate::data::uniforms;

/// 800 margins and labels: `state = 777` for the generator; a margin is 8 u - 5 rounded down to sixteenths, for every first
/// number u, and a label is 1 where the second is below 1 / (1 + exp(-(0.6 margin - 0.7))).
fn rows() -> (Vec<f64>, Vec<bool>) {
    let numbers: Vec<f64> = uniforms(777).take(1_600).collect();
    let margin = |u: f64| ((8.0 * u - 5.0) * 16.0).floor() / 16.0;
    let label = |margin: f64, u: f64| u < 1.0 / (1.0 + (-(0.6 * margin - 0.7)).exp());
    numbers.chunks(2).map(|pair| (margin(pair[0]), label(margin(pair[0]), pair[1]))).unzip()
}

fn fit(method: Calibration) -> FittedCalibration {
    let (margins, labels) = rows();
    let fitted = method.fit(&margins, &labels).unwrap();
    assert_eq!((fitted.rows(), fitted.positives(), fitted.fallback()), (800, 228, None));
    fitted
}

fn close(found: f64, expected: f64, within: f64) {
    assert!((found - expected).abs() < within, "{found} {expected}");
}

/// The slope and intercept, negated, of `_SigmoidCalibration` (that of `CalibratedClassifierCV`) of scikit-learn 1.9.1, which
/// stops early; and to more digits those of its `LogisticRegression(C=inf, solver="newton-cholesky", tol=1e-14)` on every row
/// twice, as a positive and a negative one, weighted by the smoothed target and its rest.
#[test]
fn platt_is_scikit_learns() {
    let fitted = fit(Calibration::Platt);
    let CalibrationMap::Platt { slope, intercept } = *fitted.map() else { panic!("{fitted:?}") };
    close(slope, 0.6097960471998387, 1e-7);
    close(intercept, -0.7229375114520117, 1e-7);
    close(slope, 0.6097960501868943, 1e-12);
    close(intercept, -0.7229375114640255, 1e-12);
    let expected = [
        (-6.0, 0.012349494135086111),
        (-1.01, 0.2077022804858433),
        (0.0, 0.3267464511627575),
        (2.5, 0.6903065007252775),
        (4.0, 0.8476447527351623),
    ];
    for (margin, expected) in expected {
        close(fitted.probability(margin), expected, 1e-7);
    }
}

/// As above, on the columns ln s and -ln(1 - s), s = 1 / (1 + exp(-margin)).
#[test]
fn beta_is_scikit_learns() {
    let fitted = fit(Calibration::Beta);
    let CalibrationMap::Beta { a, b, c } = *fitted.map() else { panic!("{fitted:?}") };
    close(a, 0.6485693399025372, 1e-11);
    close(b, 0.5630656572428052, 1e-11);
    close(c, -0.6335201664630117, 1e-11);
}

/// `IsotonicRegression(out_of_bounds="clip", y_min=0, y_max=1)` of scikit-learn 1.9.1.
#[test]
fn isotonic_is_scikit_learns() {
    let fitted = fit(Calibration::Isotonic);
    let CalibrationMap::Isotonic { points } = fitted.map() else { panic!("{fitted:?}") };
    assert_eq!(points.len(), 26);
    let expected = [
        (-6.0, 0.0),
        (-4.5, 0.027777777777777776),
        (-3.03, 0.06756756756756757),
        (-1.01, 0.16666666666666666),
        (-0.2, 0.3333333333333333),
        (0.0, 0.34782608695652173),
        (0.4, 0.34782608695652173),
        (1.23, 0.5138888888888888),
        (2.5, 0.7464788732394366),
        (4.0, 0.7464788732394366),
    ];
    for (margin, expected) in expected {
        close(fitted.probability(margin), expected, 1e-14);
    }
}

#[test]
fn none_is_the_logistic_function() {
    let fitted = fit(Calibration::None);
    assert_eq!((fitted.map(), fitted.method()), (&CalibrationMap::None, Calibration::None));
    assert_eq!(fitted.probability(0.0), 0.5);
    assert_eq!(FittedCalibration::NONE.probability(3.0), cip_propensity::probability(3.0));
}

#[test]
fn rows_that_cannot_tell_leave_the_margins_as_they_are() {
    let many: Vec<f64> = (0..100).map(f64::from).collect();
    let labels = |positives: usize| (0..100).map(|row| row < positives).collect::<Vec<_>>();
    for method in [Calibration::Platt, Calibration::Isotonic, Calibration::Beta] {
        for positives in [0, 9, 91, 100] {
            let fitted = method.fit(&many, &labels(positives)).unwrap();
            assert_eq!(fitted.fallback(), Some(CalibrationFallback::FewRows), "{method} {positives}");
            assert_eq!((fitted.map(), fitted.method()), (&CalibrationMap::None, method));
        }
        assert_eq!(method.fit(&[], &[]).unwrap().fallback(), Some(CalibrationFallback::FewRows));
        let fitted = method.fit(&[-0.5; 100], &labels(50)).unwrap();
        assert_eq!(fitted.fallback(), Some(CalibrationFallback::OneMargin));
        assert!(method.fit(&many, &labels(10)).unwrap().fallback().is_none());
        // The other way round than it should be: at least it says the share of all.
        let fitted = method.fit(&many, &labels(50)).unwrap();
        let found = [0.0, 50.0, 99.0].map(|margin| fitted.probability(margin));
        assert!(found.iter().all(|value| (value - 0.5).abs() < 1e-9), "{method}: {found:?}");
        let error = method.fit(&[0.0, f64::NAN], &[true, false]).unwrap_err().to_string();
        assert_eq!(error, "score 1 is NaN, expected a finite margin");
        assert!(method.fit(&[f64::INFINITY], &[true]).is_err() && method.fit(&[0.0], &[]).is_err());
    }
}

/// Margins that tell the labels apart without a fault leave finite curves, as no target is certain; margins of any size are fitted.
#[test]
fn margins_of_any_size_are_fitted() {
    for scale in [1e-300, 1e-9, 1.0, 1e6, 1e38, 1e200] {
        let margins: Vec<f64> = (0..200).map(|row| (f64::from(row) - 99.5) * scale).collect();
        for (method, apart) in [Calibration::Platt, Calibration::Isotonic, Calibration::Beta]
            .into_iter()
            .flat_map(|method| [(method, 0), (method, 20)])
        {
            let labels: Vec<bool> = (0..200).map(|row| row + apart * (row % 2) > 100).collect();
            let fitted = method.fit(&margins, &labels).unwrap();
            let found: Vec<f64> = margins.iter().map(|&margin| fitted.probability(margin)).collect();
            assert!(found.iter().all(|value| (0.0..=1.0).contains(value)), "{method} {scale}: {fitted:?}");
            assert!(found.windows(2).all(|pair| pair[0] <= pair[1] + 1e-15), "{method} {scale}: {fitted:?}");
        }
    }
}

fn method() -> impl Strategy<Value = Calibration> {
    prop_oneof![Just(Calibration::Platt), Just(Calibration::Isotonic), Just(Calibration::Beta)]
}

proptest! {
    #[test]
    fn probabilities_ascend_within_bounds_and_the_order_of_rows_does_not_matter(
        rows in proptest::collection::vec((-40i32..40, any::<bool>()), 20..200),
        margins in proptest::collection::vec(-30.0f64..30.0, 1..50),
        method in method(),
        turn in 0usize..200,
    ) {
        let fit = |rows: &[(i32, bool)]| {
            let (margins, labels): (Vec<f64>, Vec<bool>) =
                rows.iter().map(|&(margin, label)| (f64::from(margin) / 8.0, label)).unzip();
            method.fit(&margins, &labels).unwrap()
        };
        let fitted = fit(&rows);
        let mut margins = margins;
        margins.extend([f64::NEG_INFINITY, f64::INFINITY, f64::MIN, f64::MAX, 0.0]);
        margins.sort_by(f64::total_cmp);
        let found: Vec<f64> = margins.iter().map(|&margin| fitted.probability(margin)).collect();
        prop_assert!(found.iter().all(|value| (0.0..=1.0).contains(value)), "{:?}", found);
        prop_assert!(found.windows(2).all(|pair| pair[0] <= pair[1] + f64::EPSILON), "{:?}", found);

        let mut turned = rows.clone();
        turned.rotate_left(turn % rows.len());
        turned.reverse();
        prop_assert_eq!(fit(&turned), fitted.clone());

        // The file's form keeps it to the last bit.
        let text = serde_json::to_string(&fitted).unwrap();
        prop_assert_eq!(serde_json::from_str::<FittedCalibration>(&text).unwrap(), fitted.clone());

        // Isotonic shares are those of the rows, however often each is there; the mean of what it says of them is their share.
        if method == Calibration::Isotonic && fitted.fallback().is_none() {
            let twice: Vec<_> = rows.iter().flat_map(|row| [*row; 3]).collect();
            let tripled = fit(&twice);
            prop_assert_eq!(tripled.map(), fitted.map());
        }
        if fitted.fallback().is_none() {
            let mean = rows.iter().map(|(margin, _)| fitted.probability(f64::from(*margin) / 8.0)).sum::<f64>()
                / rows.len() as f64;
            let (ones, all) = (fitted.positives() as f64, rows.len() as f64);
            let zeros = all - ones;
            // The curves meet the mean of their targets, since they have a constant.
            let expected = match method {
                Calibration::Isotonic => ones / all,
                _ => (ones * (ones + 1.0) / (ones + 2.0) + zeros / (zeros + 2.0)) / all,
            };
            prop_assert!((mean - expected).abs() < 1e-9, "{} {}", mean, expected);
        }
    }
}
