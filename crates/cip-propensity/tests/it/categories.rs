//! Features that are no numbers: what is learned of them, what becomes of what is new, and how they go to a file and back.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use cip_propensity::{
    Baseline, BoostedTrees, Explainer, FeatureMatrix, FeatureMatrixBuilder, Finding, ModelCard, Monotone,
    ParamGuard, PropensityModel, reasons,
};
use serde_json::{Value, json};

use crate::data::uniforms;

const CITIES: [&str; 12] =
    ["Ulm", "Bath", "Oslo", "Nice", "Pisa", "Linz", "York", "Gent", "Brno", "Kiel", "Lodz", "Cork"];

/// Shops: in every other city many buy, and more of those who see much; one in ten cities is not known.
fn shops(rows: usize, seed: u64) -> (RecordBatch, Vec<bool>) {
    let mut next = uniforms(seed);
    let mut draw = || next.next().unwrap();
    let (mut cities, mut views, mut labels) = (vec![], vec![], vec![]);
    for _ in 0..rows {
        let (city, seen) = ((draw() * 12.0) as usize, (draw() * 40.0).floor());
        labels.push(draw() < 0.1 + 0.5 * (city % 2) as f64 + seen / 200.0);
        cities.push((draw() > 0.1).then_some(CITIES[city]));
        views.push(seen);
    }
    let columns: [(&str, ArrayRef, bool); 2] = [
        ("city", Arc::new(StringArray::from(cities)), true),
        ("views", Arc::new(Float64Array::from(views)), false),
    ];
    (RecordBatch::try_from_iter_with_nullable(columns).unwrap(), labels)
}

fn learned(rows: usize, seed: u64) -> (FeatureMatrix, Vec<bool>, BoostedTrees) {
    let (table, labels) = shops(rows, seed);
    let features = FeatureMatrix::from_batches(&["city", "views"], &[table]).unwrap();
    let params = BoostedTrees::params(7).with_trees(20).with_leaves(8).check().unwrap();
    let trees = params.fit_matrix(&features, &labels).unwrap();
    (features, labels, trees)
}

fn model(rows: usize) -> (FeatureMatrix, PropensityModel) {
    let (features, labels, trees) = learned(rows, 3);
    (features, PropensityModel::new(trees, "bought", &labels))
}

/// A row of each city, in this order, and nothing else told.
fn cities(trees: &BoostedTrees, names: &[Option<&str>]) -> FeatureMatrix {
    let columns: [(&str, ArrayRef, bool); 2] = [
        ("city", Arc::new(StringArray::from(names.to_vec())), true),
        ("views", Arc::new(Float64Array::from(vec![20.0; names.len()])), false),
    ];
    trees.features_of(&[RecordBatch::try_from_iter_with_nullable(columns).unwrap()]).unwrap()
}

#[test]
fn categories_tell_what_numbers_cannot() {
    let (features, labels, trees) = learned(3_000, 1);
    let auc = |model: &BoostedTrees, features: &FeatureMatrix| {
        let margins = model.margins(&features.view()).unwrap().to_vec();
        PropensityModel::new(model.clone(), "x", &labels).evaluate(&margins, &labels).unwrap().auc.unwrap()
    };
    let (table, _) = shops(3_000, 1);
    let views = FeatureMatrix::from_batches(&["views"], &[table]).unwrap();
    let plain = trees.trained_with().fit_matrix(&views, &labels).unwrap();
    assert!(auc(&trees, &features) > auc(&plain, &views) + 0.1);

    let found = cities(&trees, &CITIES.map(Some));
    let margins = trees.margins(&found.view()).unwrap();
    let [rare, frequent] = [0, 1].map(|odd| (0..12).filter(move |at| at % 2 == odd).map(|at| margins[at]));
    assert!(rare.fold(f64::MIN, f64::max) + 1.0 < frequent.fold(f64::MAX, f64::min), "{margins}");
    // The baselines know them too.
    for (baseline, least) in [(Baseline::Logistic, 0.7), (Baseline::Tree, 0.62)] {
        let fitted = baseline.fit(&features, &labels).unwrap().unwrap();
        assert!(fitted.evaluate(&features, &labels).unwrap().auc > Some(least), "{baseline}");
    }
}

#[test]
fn what_is_new_goes_where_most_rows_went() {
    let (table, labels) = shops(3_000, 1);
    let known = table.column_by_name("city").unwrap();
    let all_known = arrow_array::cast::AsArray::as_string::<i32>(known.as_ref());
    let rows: Vec<usize> = (0..3_000).filter(|&row| all_known.iter().nth(row).unwrap().is_some()).collect();
    let features = FeatureMatrix::from_batches(&["city", "views"], &[table]).unwrap().select(&rows);
    let labels: Vec<bool> = rows.iter().map(|&row| labels[row]).collect();
    let params = BoostedTrees::params(7).with_trees(1).with_leaves(2).check().unwrap();
    let trees = params.fit_matrix(&features, &labels).unwrap();
    let margins =
        trees.margins(&cities(&trees, &[Some("Rome"), None, Some("Ulm"), Some("Bath")]).view()).unwrap();
    // The one split is by the city, and no row of either kind was there to say where it belongs.
    assert!(margins[2] < margins[3]);
    let of_ulm = features.view().column(0).iter().filter(|&&code| margins[2] == margin(&trees, code)).count();
    let larger = if 2 * of_ulm > features.rows() { margins[2] } else { margins[3] };
    assert_eq!((margins[0], margins[1]), (larger, larger));
}

fn margin(trees: &BoostedTrees, code: f32) -> f64 {
    trees.margins(&ndarray::arr2(&[[code, 20.0]])).unwrap()[0]
}

#[test]
fn contributions_add_up_and_reasons_name_the_category() {
    let (features, _, trees) = learned(2_000, 2);
    let explainer = Explainer::new(&trees);
    let found = explainer.contributions(&features.view()).unwrap();
    let margins = trees.margins(&features.view()).unwrap();
    for (row, margin) in found.rows().into_iter().zip(&margins) {
        assert!((explainer.base() + row.sum() - margin).abs() < 1e-9);
    }
    let rows = cities(&trees, &[Some("Bath"), Some("Rome"), None]);
    let found = explainer.contributions(&rows.view()).unwrap();
    let names: Vec<String> = (0..3)
        .map(|row| {
            let reasons = reasons(&trees, rows.view().row(row), found.row(row), 2);
            reasons.iter().map(ToString::to_string).find(|reason| reason.starts_with("city")).unwrap()
        })
        .collect();
    assert_eq!(names, ["city=Bath", "city=(other)", "city unknown"]);
}

#[test]
fn a_model_with_categories_is_read_as_it_was_written_and_its_card_names_them() {
    let (features, model) = model(2_000);
    let mut file = Vec::new();
    model.write_to(&mut file).unwrap();
    let read = PropensityModel::read_from(&file[..]).unwrap();
    assert_eq!(read, model);
    assert_eq!(read.trees().categories(), features.categories());
    let card = ModelCard::new(&model).to_markdown();
    assert!(card.contains("| city | 12 | Bath, Brno, Cork, Gent, "), "{card}");

    let document: Value = serde_json::from_slice(&file).unwrap();
    let text = |change: &dyn Fn(&mut Value)| {
        let mut changed = document.clone();
        change(&mut changed);
        PropensityModel::read_from(changed.to_string().as_bytes()).unwrap_err().to_string()
    };
    assert!(
        text(&|value| value["categories"] = json!({}))
            .contains("it has categories, and its feature has none")
    );
    assert!(text(&|value| value["categories"]["town"] = json!(["a"])).contains("none of its features"));
    assert!(
        text(&|value| value["categories"]["city"] = json!(["b", "a"]))
            .contains("category `a` stands behind `b`")
    );
    assert!(text(&|value| value["categories"]["city"] = json!(["a"])).contains("are not all of its feature"));
    assert!(
        text(&|value| value["categories"]["views"] = json!(["a"])).contains("its feature has categories")
    );
    let monotone = json!({"city": "increasing"});
    assert!(
        text(&|value| value["params"]["monotone"] = monotone.clone())
            .contains("a monotone feature has categories")
    );
}

#[test]
fn categories_go_to_xgboost_as_codes_and_come_back() {
    let (features, model) = model(2_000);
    let mut file = Vec::new();
    model.write_xgboost(&mut file).unwrap();
    let document: Value = serde_json::from_slice(&file).unwrap();
    assert_eq!(document["learner"]["feature_types"], json!(["c", "float"]));
    let back = PropensityModel::read_xgboost(&file[..], "bought").unwrap();
    // There a category has its code for a name.
    let codes = features.view().column(0).mapv(|code| (!code.is_nan()).then(|| code.to_string()));
    let columns: [(&str, ArrayRef, bool); 2] = [
        ("city", Arc::new(StringArray::from(codes.to_vec())), true),
        (
            "views",
            Arc::new(features.view().column(1).iter().map(|v| Some(f64::from(*v))).collect::<Float64Array>()),
            true,
        ),
    ];
    let coded =
        back.trees().features_of(&[RecordBatch::try_from_iter_with_nullable(columns).unwrap()]).unwrap();
    let margins =
        |model: &PropensityModel, rows: &FeatureMatrix| model.trees().margins(&rows.view()).unwrap();
    for (a, b) in margins(&model, &features).iter().zip(margins(&back, &coded)) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
    // XGBoost 2 writes NaN for the threshold of a split by categories, which is no JSON; only there it means nothing.
    let with_nan = |of_type: u64| {
        let mut document = document.clone();
        document["learner"]["feature_names"] = json!(["\"NaN", "views"]);
        for tree in document["learner"]["gradient_booster"]["model"]["trees"].as_array_mut().unwrap() {
            for (node, of) in tree["split_type"].clone().as_array().unwrap().iter().enumerate() {
                if of.as_u64() == Some(of_type) {
                    tree["split_conditions"][node] = json!("not a number");
                }
            }
        }
        document.to_string().replace("\"not a number\"", "NaN")
    };
    let text = with_nan(1);
    assert!(text.contains("NaN,") && PropensityModel::is_xgboost(text.as_bytes()));
    let read = PropensityModel::read_xgboost(text.as_bytes(), "bought").unwrap();
    assert_eq!((&*read.trees().features()[0], read.trees().trees()), ("\"NaN", back.trees().trees()));
    let error = PropensityModel::read_xgboost(with_nan(0).as_bytes(), "bought").unwrap_err().to_string();
    assert!(error.contains("is no number"), "{error}");
    let mut named = document.clone();
    named["learner"]["gradient_booster"]["model"]["cats"] =
        json!({"enc": [{"offsets": [0, 1], "values": [97]}]});
    let error = PropensityModel::read_xgboost(named.to_string().as_bytes(), "x").unwrap_err().to_string();
    assert!(error.contains("it names categories of other features than it has"), "{error}");
    for (key, value) in [
        ("categories_segments", json!([-1])),
        ("categories_sizes", json!([1_000_000])),
        ("categories", json!([-1])),
    ] {
        let mut damaged = document.clone();
        let trees = damaged["learner"]["gradient_booster"]["model"]["trees"].as_array_mut().unwrap();
        let tree = trees.iter_mut().find(|tree| tree["categories_nodes"] != json!([])).unwrap();
        tree[key].as_array_mut().unwrap()[0] = value[0].clone();
        assert!(PropensityModel::read_xgboost(damaged.to_string().as_bytes(), "x").is_err(), "{key}");
    }
}

#[test]
fn what_has_no_order_cannot_rise_and_other_codes_are_refused() {
    let (features, labels, _) = learned(500, 1);
    let params = BoostedTrees::params(7).with_trees(2).with_monotone("city", Monotone::Increasing);
    let error = params.check().unwrap().fit_matrix(&features, &labels).unwrap_err().to_string();
    assert_eq!(
        error,
        "feature `city` has categories, which have no order: leave it out of the monotone features"
    );
    let patience = std::num::NonZeroU32::MIN;
    let stopping = BoostedTrees::params(7).with_trees(2).with_early_stopping(patience).check().unwrap();
    let few = FeatureMatrix::from_batches(&["city", "views"], &[shops(50, 2).0]).unwrap();
    let error = stopping.fit_validated((&features, &labels), (&few, &labels[..50])).unwrap_err().to_string();
    assert!(error.starts_with("feature `city` has other categories than the rows trained on"), "{error}");
    let mut like = FeatureMatrixBuilder::like(&features);
    like.push(&shops(50, 2).0).unwrap();
    assert!(stopping.fit_validated((&features, &labels), (&like.finish().unwrap(), &labels[..50])).is_ok());
}

#[test]
fn texts_that_tell_rows_apart_or_the_label_are_found() {
    let labels: Vec<bool> = (0..200).map(|row| row % 4 == 0).collect();
    let text = |of: &dyn Fn(usize) -> String| -> ArrayRef {
        Arc::new((0..200).map(|row| Some(of(row))).collect::<StringArray>())
    };
    let table = RecordBatch::try_from_iter([
        ("customer", text(&|row| format!("C{row}"))),
        ("plan", text(&|row| format!("plan {}", row % 3))),
        // Of four states one is that of all who left.
        ("state", text(&|row| ["gone", "new", "old", "back"][row % 4].to_owned())),
    ])
    .unwrap();
    let features = FeatureMatrix::from_batches(&["customer", "plan", "state"], &[table]).unwrap();
    let found = Finding::of_features(&features, &labels).unwrap();
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("`customer` looks like an id: 200 different values in 200 rows"), "{told:?}");
    assert!(told[1].starts_with("`state` tells the label by itself (AUC 1.0000)"), "{told:?}");
}
