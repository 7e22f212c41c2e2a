//! Model files: whole, damaged, and of others.

use cip_propensity::{BoostedTrees, Evaluation, PropensityError, PropensityModel};
use linfa::ParamGuard;
use serde_json::{Value, json};

use crate::data::learnable;

fn model() -> PropensityModel {
    let (features, labels) = learnable(500, 9);
    let params = BoostedTrees::params(7).with_trees(3).with_leaves(4).check().unwrap();
    let trees = params.fit_matrix(&features, &labels).unwrap();
    let evaluation = Evaluation::new(&[0.3, 0.1], &[0.3, 0.1], &[true, false]).unwrap();
    PropensityModel::new(trees, "bought", &labels).with_evaluation(evaluation)
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
    assert_eq!((&document["format"], &document["version"]), (&json!("cip-model"), &json!(2)));
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
                    assert!(model.trees().margins(&rows).unwrap().iter().all(|margin| !margin.is_nan()));
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
            .contains("format `xgboost`, version 2, expected `cip-model`")
    );
    // The form of a later version is not looked at.
    assert!(
        text(&|value| *value = json!({"format": "cip-model", "version": 3, "forest": []}))
            .contains("version 3")
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
        text(&|value| value["trees"][0] = json!([{ "value": 1e39, "cover": 1 }]))
            .contains("tree 0, node 0: the value")
    );
    assert!(text(&|value| value["params"]["trees"] = json!(0)).contains("trees is 0"));
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
