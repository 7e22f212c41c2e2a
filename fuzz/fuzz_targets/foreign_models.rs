//! Any bytes as a model of XGBoost, LightGBM or cip: they are refused with a message, or they are a model that can be used, written and read.

#![no_main]

use cip_propensity::{Explainer, PropensityError, PropensityModel, UpliftFile};
use libfuzzer_sys::fuzz_target;
use ndarray::Array2;

fuzz_target!(|bytes: &[u8]| {
    let known = [PropensityModel::is_lightgbm(bytes), PropensityModel::is_xgboost(bytes)];
    // What a file is taken for cannot be two programs' at once.
    assert_ne!(known, [true, true]);
    check(PropensityModel::read_lightgbm(bytes, "bought"));
    check(PropensityModel::read_xgboost(bytes, "bought"));
    check(PropensityModel::read_from(bytes));
    if let Err(error) = UpliftFile::read_from(bytes) {
        assert!(!error.to_string().is_empty());
    }
});

fn check(read: Result<PropensityModel, PropensityError>) {
    let model = match read {
        Ok(model) => model,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let trees = model.trees();
    let value = |(row, column): (usize, usize)| [f32::NAN, 0.0, 1.0, 40.0][(row + column) % 4];
    let rows = Array2::from_shape_fn((4, trees.features().len()), value);
    let margins = trees.margins(&rows).unwrap();
    let explainer = Explainer::new(trees);
    let contributions = explainer.contributions(&rows).unwrap();
    for (row, &margin) in contributions.rows().into_iter().zip(&margins) {
        assert!((0.0..=1.0).contains(&model.score(margin)), "{margin}");
        let scale = 1.0 + explainer.base().abs() + row.iter().map(|value| value.abs()).sum::<f64>();
        let apart = (explainer.base() + row.sum() - margin).abs();
        assert!(apart <= 1e-6 * scale, "{margin} {row}");
    }
    let mut file = Vec::new();
    model.write_to(&mut file).unwrap();
    assert_eq!(PropensityModel::read_from(&file[..]).unwrap(), model);
    model.write_xgboost(&mut Vec::new()).unwrap();
    model.write_onnx(&mut Vec::new()).unwrap();
}
