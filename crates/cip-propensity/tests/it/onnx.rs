//! Models of ONNX: what is written, read back by a plain reader of protocol buffers. `scripts/check_onnx.py` runs them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use cip_propensity::{BoostedTrees, Calibration, FeatureMatrix, ParamGuard, PropensityModel};

use crate::data::uniforms;

/// The fields of a message: numbers, and those with a length.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let value = varint(&mut bytes);
        let content = match tag & 7 {
            0 => &[][..],
            2 => {
                let (content, rest) = bytes.split_at(value as usize);
                bytes = rest;
                content
            }
            wire => unreachable!("wire type {wire}"),
        };
        found.push((tag >> 3, value, content));
    }
    found
}

fn first(bytes: &[u8], number: u64) -> &[u8] {
    fields(bytes).into_iter().find(|field| field.0 == number).unwrap().2
}

/// The values of an attribute, of which one list has some.
type Values = (Vec<i64>, Vec<f32>, Vec<String>);

/// The attributes of the first operator: whole numbers, numbers of 32 bits and texts.
fn attributes(graph: &[u8]) -> HashMap<String, Values> {
    let attribute = |bytes: &[u8]| {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (mut ints, mut floats, mut texts) = (vec![], vec![], vec![]);
        for (number, _, content) in fields(bytes) {
            match number {
                7 => {
                    floats.extend(content.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())))
                }
                8 => {
                    let mut rest = content;
                    while !rest.is_empty() {
                        let length = rest.iter().position(|byte| *byte < 0x80).unwrap() + 1;
                        let parts = rest[..length].iter().enumerate();
                        ints.push(parts.map(|(at, byte)| i64::from(byte & 0x7f) << (7 * at)).sum());
                        rest = &rest[length..];
                    }
                }
                9 => texts.push(text(content)),
                _ => {}
            }
        }
        (text(first(bytes, 1)), (ints, floats, texts))
    };
    fields(first(graph, 1)).into_iter().filter(|field| field.0 == 5).map(|field| attribute(field.2)).collect()
}

fn learned() -> (FeatureMatrix, PropensityModel) {
    let mut next = uniforms(5);
    let mut draw = || next.next().unwrap();
    let (mut cities, mut views, mut labels) = (vec![], vec![], vec![]);
    for _ in 0..1_500 {
        let (city, seen) = ((draw() * 9.0) as usize, (draw() * 40.0).floor());
        labels.push(draw() < 0.1 + 0.2 * (city % 3) as f64 + seen / 200.0);
        cities.push((city > 0).then(|| format!("city {city}")));
        views.push((draw() > 0.1).then_some(seen));
    }
    let columns: [(&str, ArrayRef, bool); 2] = [
        ("city", Arc::new(StringArray::from(cities)), true),
        ("views", Arc::new(Float64Array::from(views)), true),
    ];
    let table = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let features = FeatureMatrix::from_batches(&["city", "views"], &[table]).unwrap();
    let params = BoostedTrees::params(7).with_trees(12).with_leaves(9).check().unwrap();
    let trees = params.fit_matrix(&features, &labels).unwrap();
    let margins = trees.margins(&features.view()).unwrap().to_vec();
    let calibration = Calibration::Platt.fit(&margins, &labels).unwrap();
    let model = PropensityModel::new(trees, "bought", &labels).with_calibration(calibration);
    (features, model)
}

#[test]
fn the_operator_walks_as_the_trees_do() {
    let (features, model) = learned();
    let mut file = Vec::new();
    model.write_onnx(&mut file).unwrap();
    assert!(file.starts_with(PropensityModel::ONNX_MARK));
    let graph = first(&file, 7);
    let operators: Vec<&[u8]> =
        fields(graph).into_iter().filter(|field| field.0 == 1).map(|field| first(field.2, 4)).collect();
    assert_eq!(operators, [&b"TreeEnsembleRegressor"[..], b"Mul", b"Add", b"Sigmoid"]);
    let found = attributes(graph);
    let ints = |name: &str| &found[name].0;
    let (values, modes) = (&found["nodes_values"].1, &found["nodes_modes"].2);
    assert!(modes.iter().any(|mode| mode == "BRANCH_EQ") && modes.iter().any(|mode| mode == "BRANCH_LT"));
    let places: HashMap<(i64, i64), usize> =
        ints("nodes_treeids").iter().copied().zip(ints("nodes_nodeids").iter().copied()).zip(0..).collect();
    assert_eq!(places.len(), values.len(), "every node is there once");
    let weights: HashMap<(i64, i64), f32> = (ints("target_treeids").iter().copied())
        .zip(ints("target_nodeids").iter().copied())
        .zip(found["target_weights"].1.iter().copied())
        .collect();
    let margins = model.trees().margins(&features.view()).unwrap();
    for (row, margin) in features.view().rows().into_iter().zip(margins) {
        let mut sum = f64::from(found["base_values"].1[0]);
        for tree in 0..12 {
            let mut node = 0;
            loop {
                let at = places[&(tree, node)];
                let value = row[ints("nodes_featureids")[at] as usize];
                let passes = match modes[at].as_str() {
                    "LEAF" => break,
                    _ if value.is_nan() => ints("nodes_missing_value_tracks_true")[at] == 1,
                    "BRANCH_LT" => value < values[at],
                    _ => value == values[at],
                };
                node = ints(if passes { "nodes_truenodeids" } else { "nodes_falsenodeids" })[at];
            }
            sum += f64::from(weights[&(tree, node)]);
        }
        assert!((sum - margin).abs() < 1e-9, "{sum} {margin}");
    }
}

#[test]
fn every_calibration_has_operators_and_the_same_model_the_same_bytes() {
    let (features, model) = learned();
    let margins = model.trees().margins(&features.view()).unwrap().to_vec();
    let labels: Vec<bool> =
        (0..margins.len()).map(|row| margins[row] + (row % 7) as f64 / 3.0 > 0.5).collect();
    for (method, last) in
        [(Calibration::None, "Sigmoid"), (Calibration::Beta, "Sigmoid"), (Calibration::Isotonic, "Min")]
    {
        let model = model.clone().with_calibration(method.fit(&margins, &labels).unwrap());
        let files = [(), ()].map(|()| {
            let mut file = Vec::new();
            model.write_onnx(&mut file).unwrap();
            file
        });
        assert_eq!(files[0], files[1]);
        let mut nodes = fields(first(&files[0], 7)).into_iter().filter(|field| field.0 == 1);
        assert_eq!(first(nodes.next_back().unwrap().2, 4), last.as_bytes(), "{method}");
    }
}
