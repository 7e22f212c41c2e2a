//! Model files: whole, damaged, and of others.

use cip_propensity::{
    BoostedTrees, Calibration, Evaluation, Explainer, FittedCalibration, PropensityError, PropensityModel,
};
use linfa::ParamGuard;
use serde_json::{Value, json};

use crate::data::learnable;

fn model() -> PropensityModel {
    let (features, labels) = learnable(500, 9);
    let params = BoostedTrees::params(7).with_trees(3).with_leaves(4).check().unwrap();
    let trees = params.fit_matrix(&features, &labels).unwrap();
    let evaluation = Evaluation::new(&[0.3, 0.1], &[0.3, 0.1], &[true, false]).unwrap();
    PropensityModel::new(trees, "bought", &labels)
        .with_calibration(calibration(Calibration::Platt))
        .with_evaluation(evaluation)
}

fn calibration(method: Calibration) -> FittedCalibration {
    let margins: Vec<f64> = (0..100).map(|row| f64::from(row) / 7.0 - 7.0).collect();
    let labels: Vec<bool> = (0..100).map(|row| row % 7 < row / 15).collect();
    method.fit(&margins, &labels).unwrap()
}

fn bytes(model: &PropensityModel) -> Vec<u8> {
    let mut file = Vec::new();
    model.write_to(&mut file).unwrap();
    file
}

#[test]
fn a_model_is_read_as_it_was_written() {
    let model = model();
    let file = bytes(&model);
    let read = PropensityModel::read_from(&file[..]).unwrap();
    assert_eq!(read, model);
    assert_eq!(bytes(&read), file);
    assert_eq!((read.label(), read.training().rows), ("bought", 500));
    assert_eq!(read.trees().trees().len(), 3);
    let document: Value = serde_json::from_slice(&file).unwrap();
    assert_eq!((&document["format"], &document["version"]), (&json!("cip-model"), &json!(4)));
}

#[test]
fn a_model_of_the_version_before_is_read_and_a_later_one_is_not() {
    let model = model();
    let mut document: Value = serde_json::from_slice(&bytes(&model)).unwrap();
    document["version"] = json!(3);
    document.as_object_mut().unwrap().remove("categories");
    // It had the shortest digits that tell 32 bits apart.
    for node in
        document["trees"].as_array_mut().unwrap().iter_mut().flat_map(|tree| tree.as_array_mut().unwrap())
    {
        if let Some(value) = node["value"].as_f64() {
            node["value"] = (value as f32).to_string().parse().unwrap();
        }
    }
    assert_eq!(PropensityModel::read_from(document.to_string().as_bytes()).unwrap(), model);
    document["version"] = json!(5);
    let error = PropensityModel::read_from(document.to_string().as_bytes()).unwrap_err().to_string();
    assert!(error.contains("version 5, expected `cip-model`, version 4"), "{error}");
}

#[test]
fn scores_are_the_same_before_and_after_for_every_calibration() {
    let (features, _) = learnable(300, 4);
    for method in Calibration::ALL {
        let model = model().with_calibration(calibration(method));
        let read = PropensityModel::read_from(&bytes(&model)[..]).unwrap();
        assert_eq!((read.calibration().method(), &read), (method, &model));
        let margins = model.trees().margins(&features.view()).unwrap();
        for &margin in &margins {
            assert_eq!(read.score(margin).to_bits(), model.score(margin).to_bits());
        }
    }
}

#[test]
fn a_calibration_that_is_none_is_refused() {
    let document: Value = serde_json::from_slice(&bytes(&model())).unwrap();
    let text = |change: &dyn Fn(&mut Value)| {
        let mut changed = document.clone();
        change(&mut changed["calibration"]);
        PropensityModel::read_from(changed.to_string().as_bytes()).unwrap_err().to_string()
    };
    let descends = "no map that ascends from 0 to 1";
    assert!(text(&|value| value["map"]["platt"]["slope"] = json!(-1)).contains(descends));
    let isotonic = |points: Value| json!({ "method": "isotonic", "map": { "isotonic": { "points": points } }, "rows": 9, "positives": 1, "fallback": null });
    for points in [json!([]), json!([[0, 0.5], [1, 0.4]]), json!([[1, 0.5], [0, 0.6]]), json!([[0, 1.5]])] {
        assert!(text(&|value| *value = isotonic(points.clone())).contains(descends), "{points}");
    }
    assert!(text(&|value| value["method"] = json!("beta")).contains("not of the method that it names"));
    assert!(text(&|value| value["map"] = json!("none")).contains("not of the method that it names"));
    assert!(text(&|value| value["fallback"] = json!("few_rows")).contains("not of the method that it names"));
    assert!(text(&|value| value["rows"] = json!(1)).contains("more positives than rows"));
    assert!(text(&|value| value["method"] = json!("sigmoid")).contains("unknown variant `sigmoid`"));
    assert!(text(&|value| value["map"]["platt"]["colour"] = json!(1)).contains("unknown field `colour`"));
    assert!(text(&|value| value["map"]["platt"]["slope"] = json!(null)).contains("invalid type: null"));
}

/// Whatever a byte is turned into, the file is refused or is a model that can be used.
#[test]
fn no_flipped_byte_makes_a_model_that_cannot_be_used() {
    let file = bytes(&model());
    let rows = ndarray::arr2(&[[1.0, 0.5, 0.5], [f32::NAN, f32::NAN, f32::NAN]]);
    let mut refused = 0;
    for at in 0..file.len() {
        for flip in [1, 0x10, 0x80] {
            let mut damaged = file.clone();
            damaged[at] ^= flip;
            match PropensityModel::read_from(&damaged[..]) {
                Ok(model) if model.trees().features().len() == 3 => {
                    let margins = model.trees().margins(&rows).unwrap();
                    assert!(margins.iter().all(|&margin| (0.0..=1.0).contains(&model.score(margin))));
                    let explainer = Explainer::new(model.trees());
                    let found = explainer.contributions(&rows).unwrap();
                    assert!(found.iter().chain([&explainer.base()]).all(|value| value.is_finite()));
                }
                Ok(_) => {}
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > file.len(), "{refused}");
    for end in 0..file.len() - 1 {
        assert!(PropensityModel::read_from(&file[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn a_file_of_another_kind_says_so() {
    let document: Value = serde_json::from_slice(&bytes(&model())).unwrap();
    let read = |change: &dyn Fn(&mut Value)| {
        let mut changed = document.clone();
        change(&mut changed);
        PropensityModel::read_from(changed.to_string().as_bytes()).unwrap_err()
    };
    let text = |change: &dyn Fn(&mut Value)| read(change).to_string();
    assert!(
        text(&|value| value["format"] = json!("xgboost"))
            .contains("format `xgboost`, version 4, expected `cip-model`")
    );
    // The form of a later version is not looked at.
    assert!(
        text(&|value| *value = json!({"format": "cip-model", "version": 5, "forest": []}))
            .contains("version 5")
    );
    assert!(text(&|value| value["colour"] = json!("red")).contains("unknown field `colour`"));
    assert!(text(&|value| value["features"] = json!([])).contains("no features"));
    assert!(text(&|value| value["features"] = json!(["a", "b", "a"])).contains("a feature twice"));
    assert!(
        text(&|value| value["features"] = json!(["a"]))
            .contains("tests a feature that the model does not have")
    );
    assert!(text(&|value| value["base_margin"] = json!(1e39)).contains("number out of range at line 1"));
    assert!(
        text(&|value| value["trees"][0] = json!([{ "value": 1, "cover": -1 }]))
            .contains("tree 0, node 0: the value")
    );
    assert!(text(&|value| value["params"]["trees"] = json!(0)).contains("trees is 0"));
    assert!(
        text(&|value| value["params"]["monotone"] = json!({"z": "increasing"}))
            .contains("monotone feature is none")
    );
    assert!(
        text(&|value| value["params"]["class_weight"] = json!({"positive": -1}))
            .contains("positive row is -1")
    );
    assert!(
        text(&|value| value["trees"][0][0]["cover"] = json!(1))
            .contains("tree 0, node 0: its cover is not the sum of those of its children")
    );
    assert!(text(&|value| value["trees"][1] = json!([])).contains("tree 1, node 0: the tree has no nodes"));
    assert!(matches!(
        read(&|value| value["trees"][2][0]["left"] = json!(0)),
        PropensityError::ModelTree { tree: 2, node: 0, .. }
    ));
    for text in ["", "[]", "{}", "null", "PAR1", "\u{feff}{}"] {
        assert!(
            matches!(PropensityModel::read_from(text.as_bytes()), Err(PropensityError::ModelJson(_))),
            "{text}"
        );
    }
}
