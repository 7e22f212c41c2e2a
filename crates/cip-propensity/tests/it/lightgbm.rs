//! Models of LightGBM: what they say of rows, as LightGBM 4.7 says it, and what is refused.
//!
//! `scripts/lightgbm_fixture.py` wrote the files.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use cip_propensity::{Explainer, FeatureMatrix, PropensityError, PropensityModel, probability};
use proptest::prelude::*;
use serde_json::Value;

const MODEL: &str = include_str!("../data/lightgbm.txt");
const ROWS: &str = include_str!("../data/lightgbm.json");
const SIGMOID: f64 = 1.5;

fn read(text: &str) -> Result<PropensityModel, PropensityError> {
    PropensityModel::read_lightgbm(text.as_bytes(), "bought")
}

fn refused(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

/// The rows as the model takes them, and the document that has them.
fn rows(model: &PropensityModel) -> (FeatureMatrix, Value) {
    let document: Value = serde_json::from_str(ROWS).unwrap();
    let rows = document["rows"].as_array().unwrap();
    let columns = document["columns"].as_array().unwrap().iter().enumerate().map(|(at, name)| {
        let values = rows.iter().map(|row| &row[at]);
        let array: ArrayRef = match name.as_str().unwrap() {
            "views" | "spend" => Arc::new(values.map(Value::as_f64).collect::<Float64Array>()),
            _ => Arc::new(values.map(Value::as_str).collect::<StringArray>()),
        };
        (name.as_str().unwrap(), array, true)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>()).unwrap();
    (model.trees().features_of(&[batch]).unwrap(), document)
}

#[test]
fn margins_and_contributions_are_those_of_lightgbm() {
    let model = read(MODEL).unwrap();
    let names: Vec<&str> = model.trees().features().iter().map(AsRef::as_ref).collect();
    assert_eq!((names, model.trees().trees().len()), (vec!["views", "city", "spend", "zone"], 12));
    let kept = |at: usize| model.trees().categories()[at].as_ref().map(|categories| categories.names().len());
    assert_eq!([0, 1, 2, 3].map(kept), [None, Some(12), None, Some(40)]);

    let (features, document) = rows(&model);
    let number = |value: &Value| value.as_f64().unwrap();
    let margins = model.trees().margins(&features.view()).unwrap();
    let explainer = Explainer::new(model.trees());
    let found = explainer.contributions(&features.view()).unwrap();
    for (row, margin) in margins.iter().enumerate() {
        let raw = number(&document["raw"][row]);
        assert!((margin - SIGMOID * raw).abs() < 1e-12, "row {row}: {margin} {raw}");
        assert!((model.score(*margin) - probability(SIGMOID * raw)).abs() < 1e-12);
        let theirs = &document["contributions"][row];
        for (feature, ours) in found.row(row).iter().chain([&explainer.base()]).enumerate() {
            let theirs = SIGMOID * number(&theirs[feature]);
            assert!((ours - theirs).abs() < 1e-12, "row {row}, feature {feature}: {ours} {theirs}");
        }
    }
    // It is a model as any other: written, read, and the same.
    let mut file = Vec::new();
    model.write_to(&mut file).unwrap();
    assert_eq!(PropensityModel::read_from(&file[..]).unwrap(), model);
}

/// The text with the first line that starts with `key=` changed.
fn with(key: &str, value: &str) -> String {
    let mut done = false;
    let line = |line: &str| match line.strip_prefix(key).is_some_and(|rest| rest.starts_with('=')) && !done {
        true => {
            done = true;
            format!("{key}={value}")
        }
        false => line.to_owned(),
    };
    let lines: Vec<String> = MODEL.lines().map(line).collect();
    assert!(done, "{key}");
    lines.join("\n")
}

#[test]
fn what_is_of_another_kind_says_so() {
    for (key, value, message) in [
        ("num_class", "3", "number of classes is `3`, expected `1`"),
        ("num_tree_per_iteration", "3", "trees a round is `3`"),
        ("objective", "regression", "objective is `regression`, expected `binary` or `cross_entropy`"),
        ("objective", "lambdarank", "objective is `lambdarank`"),
        ("is_linear", "1", "train it without linear_tree"),
    ] {
        assert!(refused(&with(key, value)).contains(message), "{}", refused(&with(key, value)));
    }
    let forest = MODEL.replacen("version=v4", "version=v4\naverage_output", 1);
    assert!(refused(&forest).contains("boosting is `rf`"));
    // Zeros that are unknown go the other way than numbers would: bit 2 in place of bit 3.
    let split = MODEL.find("decision_type=").unwrap();
    let zeros = format!("{}decision_type=4{}", &MODEL[..split], &MODEL[split + "decision_type=2".len()..]);
    assert!(refused(&zeros).contains("tree 0, node 0: it takes zeros for unknown"), "{}", refused(&zeros));
    let same = format!("{}decision_type=6{}", &MODEL[..split], &MODEL[split + "decision_type=2".len()..]);
    assert_eq!(read(&same).unwrap(), read(MODEL).unwrap());
}

#[test]
fn damage_is_told_with_its_place() {
    for (key, value, message) in [
        ("num_leaves", "0", "num_leaves is `0`, expected 1 to 65536"),
        ("num_leaves", "99999999999999999999", "num_leaves is"),
        ("num_leaves", "11", "split_feature is `11 numbers`"),
        ("split_feature", "0 2 1 x 3 1 2 3 3 3 3", "split_feature is `x`, expected places of features"),
        ("split_feature", "9 2 1 2 3 1 2 3 3 3 3", "a feature that the model does not have"),
        ("split_feature", "1 2 1 2 3 1 2 3 3 3 3", "it has a threshold, and its feature has categories"),
        ("threshold", "nan 1 0 1 1 2 1 3 4 5 6", "the threshold is not a number"),
        ("threshold", "1 1 7 1 1 2 1 3 4 5 6", "it names categories that are not there"),
        ("threshold", "1 1 0.5 1 1 2 1 3 4 5 6", "it names categories that are not there"),
        ("threshold", "1 1 1e391 1 1 2 1 3 4 5 6", "it names categories that are not there"),
        ("threshold", "1 1 -1 1 1 2 1 3 4 5 6", "it names categories that are not there"),
        ("decision_type", "12 10 9 10 1 9 8 1 1 1 1", "none that LightGBM has"),
        ("decision_type", "300 10 9 10 1 9 8 1 1 1 1", "decision_type is `300`"),
        ("left_child", "0 6 4 10 -3 -5 7 -2 -7 -8 -1", "more children than the tree has nodes"),
        ("left_child", "3 6 4 10 -3 -5 7 -2 -7 -8 -99", "a leaf is not there"),
        ("left_child", "3 6 4 77 -3 -5 7 -2 -7 -8 -1", "a split is not there"),
        (
            "leaf_count",
            "9999 84 141 420 129 180 46 75 95 127 155 284",
            "not the sum of those of its children",
        ),
        ("leaf_count", "-1 84 141 420 129 180 46 75 95 127 155 284", "the cover is not 0 or more"),
        ("leaf_value", "nan 1 1 1 1 1 1 1 1 1 1 1", "the value is not finite"),
        ("num_cat", "18446744073709551615", "num_cat is"),
        ("num_cat", "-1", "num_cat is `-1`"),
        ("cat_boundaries", "0 1 2 3 4 4 6 7", "ascending numbers from 0"),
        ("cat_threshold", "1", "cat_threshold is `1 numbers`"),
        ("max_feature_idx", "2", "as many names and infos as features"),
        ("max_feature_idx", "18446744073709551615", "as many names and infos as features"),
        ("feature_infos", "a b c d", "feature_infos is `a`"),
        ("feature_names", "a a c d", "a feature twice"),
        ("objective", "binary sigmoid:-1", "a sigmoid above 0"),
        ("tree_sizes", "1", "other trees than its header tells"),
    ] {
        let found = refused(&with(key, value));
        assert!(found.contains(message), "{key}={value}: {found}");
    }
    assert!(refused(&with("left_child", "1")).contains("damaged: line 19: left_child is `1 numbers`"));
    assert!(refused("PAR1").contains("line 1: the first line is `PAR1`"));
    assert!(refused("").contains("the last line"));
    assert!(refused(&MODEL.replace("end of trees", "")).contains("the file is cut"));
    assert!(
        refused(&MODEL.replacen("num_class=1", "num_class=1\nnum_class=1", 1)).contains("line 4: the key")
    );
    assert!(refused(&MODEL.replacen("\"Ulm\", ", "", 1)).contains("it has a category without a name"));
    assert!(
        refused(&MODEL.replacen("\"Ulm\"", "\"Bath\"", 1)).contains("category `Bath` stands behind `Bath`")
    );
    assert!(
        refused(&MODEL.replacen("[[\"Ulm\"", "[[\"a\"], [\"Ulm\"", 1))
            .contains("names of categories of other features")
    );
    assert!(refused(&MODEL.replacen("\"Ulm\"", "[]", 1)).contains("neither text nor a number"));
    assert!(
        PropensityModel::read_lightgbm(&b"tree\nfeature_names=\xff\n"[..], "x")
            .unwrap_err()
            .to_string()
            .contains("line 2")
    );
    assert!(
        PropensityModel::is_lightgbm(b"tree\r\nversion=v4")
            && !PropensityModel::is_lightgbm(b"{\"tree\": 1}")
    );
}

proptest! {
    /// Whatever bytes are changed, cut or doubled, the file is refused or is a model that can be used.
    #[test]
    fn no_damage_makes_a_model_that_cannot_be_used(
        changes in proptest::collection::vec((0usize..MODEL.len(), any::<u8>()), 1..6),
        digits in proptest::collection::vec((0usize..MODEL.len(), prop::sample::select(&b"0123456789- .=\n"[..])), 0..6),
        cut in prop::option::of(0usize..MODEL.len()),
        digits_alone in any::<bool>(),
    ) {
        let mut bytes = MODEL.as_bytes().to_vec();
        let other = if digits_alone { &[] } else { &changes[..] };
        for &(at, byte) in other.iter().chain(&digits) {
            bytes[at] = byte;
        }
        bytes.truncate(cut.unwrap_or(bytes.len()));
        if let Ok(model) = PropensityModel::read_lightgbm(&bytes[..], "bought") {
            let rows = ndarray::Array2::from_shape_fn((3, model.trees().features().len()), |(row, column)| {
                [f32::NAN, 1.0, 40.0][(row + column) % 3]
            });
            let margins = model.trees().margins(&rows).unwrap();
            prop_assert!(margins.iter().all(|margin| (0.0..=1.0).contains(&model.score(*margin))));
            let explainer = Explainer::new(model.trees());
            let found = explainer.contributions(&rows).unwrap();
            for (row, margin) in found.rows().into_iter().zip(margins) {
                let scale = 1.0 + row.iter().map(|value| value.abs()).sum::<f64>();
                prop_assert!((explainer.base() + row.sum() - margin).abs() < 1e-9 * scale);
            }
        }
    }
}
