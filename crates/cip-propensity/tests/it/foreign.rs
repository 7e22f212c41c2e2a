//! Models of other programs: read as they are, or refused with the reason.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Int64Array, RecordBatch, StringArray};
use cip_propensity::{BoostedTrees, Explainer, FeatureMatrix, ParamGuard, PropensityModel};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::data::learnable;

fn written() -> (PropensityModel, Value) {
    let (features, labels) = learnable(1_000, 4);
    let params = BoostedTrees::params(7).with_trees(4).with_leaves(9).check().unwrap();
    let model = PropensityModel::new(params.fit_matrix(&features, &labels).unwrap(), "bought", &labels);
    let mut file = Vec::new();
    model.write_xgboost(&mut file).unwrap();
    (model, serde_json::from_slice(&file).unwrap())
}

fn read(document: &Value) -> Result<PropensityModel, String> {
    PropensityModel::read_xgboost(document.to_string().as_bytes(), "bought")
        .map_err(|error| error.to_string())
}

#[test]
fn a_model_comes_back_as_it_went() {
    let (model, document) = written();
    let back = read(&document).unwrap();
    let (features, _) = learnable(500, 5);
    let margins = |model: &PropensityModel| model.trees().margins(&features.view()).unwrap();
    for (&a, &b) in margins(&model).iter().zip(&margins(&back)) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
    assert_eq!((back.label(), back.trees().features()), ("bought", model.trees().features()));
    assert_eq!(back.training().rows, 0);
    // A model that was read is a model: it can be written here.
    let mut file = Vec::new();
    back.write_to(&mut file).unwrap();
    assert_eq!(PropensityModel::read_from(&file[..]).unwrap(), back);
}

/// As XGBoost 3.1 and later write it: a list for the base score, more keys than are looked at.
#[test]
fn other_versions_names_that_are_missing_and_deleted_nodes_are_read() {
    let tree = json!({
        "base_weights": [0, 0, 0, 0, 0], "categories": [], "categories_nodes": [], "categories_segments": [], "categories_sizes": [],
        "default_left": [true, false, false, false, false], "id": 0,
        // Node 1 was pruned away; 3 and 4 hang from the root.
        "left_children": [3, -1, -1, -1, -1], "right_children": [4, -1, -1, -1, -1], "parents": [2147483647, 0, 0, 0, 0],
        "loss_changes": [1.5, 0, 0, 0, 0], "split_conditions": [2.5, 9, 9, -1, 1], "split_indices": [1, 0, 0, 0, 0],
        "split_type": [0, 0, 0, 0, 0], "sum_hessian": [4, 0, 0, 1, 3],
        "tree_param": {"num_deleted": "2", "num_feature": "2", "num_nodes": "5", "size_leaf_vector": "1"},
    });
    let document = json!({
        "learner": {
            "attributes": {}, "feature_names": [], "feature_types": [],
            "gradient_booster": { "name": "gbtree", "model": {
                "cats": {"enc": []}, "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": "1"},
                "iteration_indptr": [0, 1], "tree_info": [0], "trees": [tree],
            } },
            "learner_model_param": {"base_score": "[2.5E-1]", "boost_from_average": "1", "num_class": "0", "num_feature": "2", "num_target": "1"},
            "objective": {"name": "binary:logistic", "reg_loss_param": {"scale_pos_weight": "1"}},
        },
        "version": [3, 1, 0],
    });
    let model = read(&document).unwrap();
    let names: Vec<&str> = model.trees().features().iter().map(AsRef::as_ref).collect();
    assert_eq!(names, ["f0", "f1"]);
    let rows = ndarray::arr2(&[[0.0, 2.0], [0.0, 3.0], [0.0, f32::NAN]]);
    let base = (0.25f64 / 0.75).ln();
    for (margin, leaf) in model.trees().margins(&rows).unwrap().iter().zip([-1.0, 1.0, -1.0]) {
        assert!((margin - base - leaf).abs() < 1e-6, "{margin}");
    }
}

#[test]
fn what_is_of_another_kind_or_damaged_says_so() {
    let (_, document) = written();
    let refuse = |path: &str, value: Value| {
        let mut changed = document.clone();
        *changed.pointer_mut(path).unwrap() = value;
        read(&changed).unwrap_err()
    };
    let learner = "/learner/learner_model_param";
    assert!(
        refuse("/learner/gradient_booster/name", json!("dart"))
            .contains("booster is `dart`, expected `gbtree`")
    );
    assert!(
        refuse("/learner/objective/name", json!("reg:squarederror"))
            .contains("objective is `reg:squarederror`")
    );
    assert!(refuse(&format!("{learner}/num_class"), json!("3")).contains("number of classes is `3`"));
    assert!(refuse(&format!("{learner}/num_target"), json!("2")).contains("number of targets is `2`"));
    for score in ["1", "0", "nan", "half", "[1E-1,2E-1]"] {
        assert!(refuse(&format!("{learner}/base_score"), json!(score)).contains("base score is"), "{score}");
    }
    for count in ["1048577", "99999999999", "-1", "three"] {
        assert!(
            refuse(&format!("{learner}/num_feature"), json!(count)).contains("number of features is"),
            "{count}"
        );
    }
    assert!(refuse("/learner/feature_names", json!(["a"])).contains("other names than features"));
    assert!(refuse("/learner/feature_names", json!(["a", "a", "b"])).contains("a feature twice"));
    let tree = "/learner/gradient_booster/model/trees/1";
    assert!(
        refuse(&format!("{tree}/split_type/0"), json!(1))
            .contains("tree 1, node 0: it is a split by categories, and has none")
    );
    assert!(
        refuse(&format!("{tree}/left_children/0"), json!(0))
            .contains("tree 1, node 0: a child does not stand behind")
    );
    assert!(refuse(&format!("{tree}/left_children/0"), json!(99)).contains("a child does not stand behind"));
    assert!(
        refuse(&format!("{tree}/split_indices/0"), json!(3))
            .contains("a feature that the model does not have")
    );
    assert!(refuse(&format!("{tree}/sum_hessian"), json!([1])).contains("different lengths"));
    assert!(refuse(tree, json!({})).contains("missing field"));
    for text in ["", "[]", "{}", "PAR1", "{\"format\": \"cip-model\", \"version\": 3}"] {
        assert!(PropensityModel::read_xgboost(text.as_bytes(), "x").is_err(), "{text}");
    }
    // Cut anywhere, it is an error and never a panic.
    let text = document.to_string();
    for end in (0..text.len()).step_by(7) {
        assert!(PropensityModel::read_xgboost(&text.as_bytes()[..end], "x").is_err(), "cut at {end}");
    }
}

/// `scripts/xgboost_fixture.py` wrote the files: XGBoost 3.2, with categories that have names.
const NAMED: &str = include_str!("../data/xgboost.json");
const NAMED_ROWS: &str = include_str!("../data/xgboost_rows.json");

#[test]
fn named_categories_are_those_of_xgboost() {
    let model = PropensityModel::read_xgboost(NAMED.as_bytes(), "bought").unwrap();
    let names = |at: usize| {
        let categories = model.trees().categories()[at].as_ref();
        categories.map(|categories| categories.names().iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let plans = ["", "a, b", "nobody's", "none", "one year", "two years"].map(ToOwned::to_owned);
    assert_eq!((names(0), names(1)), (Some(plans.to_vec()), None));
    assert_eq!(names(2), Some(["-5", "10", "20", "30", "7"].map(ToOwned::to_owned).to_vec()));

    let document: Value = serde_json::from_str(NAMED_ROWS).unwrap();
    let rows = document["rows"].as_array().unwrap();
    let column = |at: usize| rows.iter().map(move |row| &row[at]);
    let plan: ArrayRef = Arc::new(column(0).map(Value::as_str).collect::<StringArray>());
    let views: ArrayRef =
        Arc::new(column(1).map(|value| value.as_f64().map(|value| value as f32)).collect::<Float32Array>());
    let zone: ArrayRef = Arc::new(column(2).map(Value::as_i64).collect::<Int64Array>());
    let table = |columns: [(&'static str, ArrayRef); 3]| -> FeatureMatrix {
        let batch =
            RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)));
        model.trees().features_of(&[batch.unwrap()]).unwrap()
    };
    let features = table([("plan", plan.clone()), ("views", views.clone()), ("zone", zone.clone())]);
    let margins = model.trees().margins(&features.view()).unwrap();
    for (row, (found, expected)) in margins.iter().zip(document["margins"].as_array().unwrap()).enumerate() {
        let expected = expected.as_f64().unwrap();
        assert!((found - expected).abs() < 1e-6, "row {row}: {found} {expected}");
    }
    // What is no category there has a margin too, and numbers are names as texts are.
    let zone_text: StringArray = column(2).map(|zone| zone.as_i64().map(|zone| zone.to_string())).collect();
    let texts = table([("plan", plan), ("views", views.clone()), ("zone", Arc::new(zone_text))]);
    assert_eq!(model.trees().margins(&texts.view()).unwrap(), margins);
    let unseen: ArrayRef = Arc::new(StringArray::from(vec![Some("three years"); rows.len()]));
    let unseen = table([("plan", unseen), ("views", views), ("zone", zone)]);
    assert!(model.trees().margins(&unseen.view()).unwrap().iter().all(|margin| margin.is_finite()));
}

#[test]
fn damaged_names_of_categories_say_so() {
    let document: Value = serde_json::from_str(NAMED).unwrap();
    let refuse = |path: &str, value: Value| {
        let mut changed = document.clone();
        *changed.pointer_mut(&format!("/learner/gradient_booster/model/cats/enc{path}")).unwrap() = value;
        read(&changed).unwrap_err()
    };
    let of_plan = "the names of the categories of feature `plan`: ";
    assert!(refuse("/0/offsets/0", json!(1)).contains(&format!("{of_plan}the offsets do not go")));
    assert!(refuse("/0/offsets/1", json!(1000)).contains(&format!("{of_plan}an offset is less")));
    assert!(refuse("/0/values/0", json!(-3)).contains(&format!("{of_plan}one has letters beyond ASCII")));
    assert!(refuse("/0/values/0", json!(500)).contains(&format!("{of_plan}a value is no byte")));
    assert!(refuse("/2/values", json!([30])).contains("feature `zone`: a split has a code behind the last"));
    assert!(
        refuse("/2/values/0", json!(10)).contains("category `10` stands behind `10`, expected each once")
    );
    assert!(refuse("", json!([{"values": [1]}])).contains("categories of other features than it has"));
    assert!(refuse("/0", json!({"offsets": []})).contains("missing field `values`"));
    assert!(refuse("/2/values/0", json!("x")).contains("expected i64"));
    // A feature that splits by numbers cannot have names.
    assert!(refuse("/1", json!({"values": [1, 2]})).contains("feature"));
}

proptest! {
    /// Whatever bytes are changed or cut, the file is refused or is a model that can be used.
    #[test]
    fn no_damage_makes_a_model_that_cannot_be_used(
        changes in proptest::collection::vec((0usize..NAMED.len(), any::<u8>()), 0..3),
        digits in proptest::collection::vec((0usize..NAMED.len(), prop::sample::select(&b"0123456789-.,eE"[..])), 0..6),
        cut in prop::option::weighted(0.1, 0usize..NAMED.len()),
    ) {
        let mut bytes = NAMED.as_bytes().to_vec();
        for &(at, byte) in changes.iter().chain(&digits) {
            // Digits stand where digits stood, or hardly any file could be read at all.
            if bytes[at].is_ascii_digit() || changes.contains(&(at, byte)) {
                bytes[at] = byte;
            }
        }
        bytes.truncate(cut.unwrap_or(bytes.len()));
        if let Ok(model) = PropensityModel::read_xgboost(&bytes[..], "bought") {
            let rows = ndarray::Array2::from_shape_fn((3, model.trees().features().len().min(64)), |(row, column)| {
                [f32::NAN, 1.0, 4.0][(row + column) % 3]
            });
            if let Ok(margins) = model.trees().margins(&rows) {
                let explainer = Explainer::new(model.trees());
                let found = explainer.contributions(&rows).unwrap();
                for (row, &margin) in found.rows().into_iter().zip(&margins) {
                    prop_assert!((0.0..=1.0).contains(&model.score(margin)));
                    let scale = 1.0 + explainer.base().abs() + row.iter().map(|value| value.abs()).sum::<f64>();
                    prop_assert!((explainer.base() + row.sum() - margin).abs() < 1e-9 * scale);
                }
            }
        }
    }
}
