//! Models as ONNX: the trees as one operator, and the calibration as a few.

mod protobuf;
mod trees;

use std::io::Write;

use serde_json::json;

use crate::calibration::CalibrationMap;
use crate::error::PropensityError;
use crate::file::PropensityModel;
use crate::onnx::protobuf::Message;

/// The operators of trees.
const ML_DOMAIN: &str = "ai.onnx.ml";
/// Names of what goes in and comes out.
const FEATURES: &str = "features";
const MARGIN: &str = "margin";
const SCORE: &str = "score";
/// The types of values and attributes, as ONNX numbers them.
const FLOAT: i64 = 1;

impl PropensityModel {
    /// What a model of ONNX starts with that was written here: whoever writes one knows the older one by it.
    pub const ONNX_MARK: &'static [u8] = b"\x08\x08\x12\x03cip";

    /// Writes the model as ONNX.
    ///
    /// # Output
    /// A graph with the input `features`, 32-bit numbers of a row a row in the order of the model's features: NaN is unknown, and a category
    /// is its code, a place in [`BoostedTrees::categories`](crate::BoostedTrees::categories). It has the outputs `margin` and `score`,
    /// each of one column: the log of the odds, and the calibrated probability. The operator of the trees is `TreeEnsembleRegressor` of
    /// `ai.onnx.ml` 1 with the sum of the trees; the calibration is made of operators of ONNX 13. Sums are of 32 bits there.
    ///
    /// A split by categories is a chain of splits by one each. The names of the features, the label and the names of the categories stand in
    /// `metadata_props`. Left out is how well the model did.
    ///
    /// # Errors
    /// [`PropensityError::Io`].
    ///
    /// # Examples
    /// ```
    /// # use std::sync::Arc;
    /// # use arrow_array::{ArrayRef, Float64Array, RecordBatch};
    /// # use cip_propensity::{BoostedTrees, FeatureMatrix, ParamGuard, PropensityModel};
    /// # let views: ArrayRef = Arc::new(Float64Array::from_iter_values((0..100).map(f64::from)));
    /// # let features = FeatureMatrix::from_batches(&["views"], &[RecordBatch::try_from_iter([("views", views)])?])?;
    /// # let labels: Vec<bool> = (0..100).map(|row| row > 60).collect();
    /// # let trees = BoostedTrees::params(7).with_trees(5).check()?.fit_matrix(&features, &labels)?;
    /// let mut file = Vec::new();
    /// PropensityModel::new(trees, "bought", &labels).write_onnx(&mut file)?;
    /// assert!(file.starts_with(PropensityModel::ONNX_MARK));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_onnx(&self, mut writer: impl Write) -> Result<(), PropensityError> {
        const IR_VERSION: i64 = 8;
        const OPERATORS: i64 = 13;
        const TREE_OPERATORS: i64 = 1;
        let operators = |domain: &str, version| Message::default().text(1, domain).int(2, version);
        let property = |key: &str, value: String| Message::default().text(1, key).text(2, &value);
        let trees = self.trees();
        let categories: serde_json::Map<_, _> = (trees.columns.iter())
            .filter_map(|(name, categories)| Some((name.to_owned(), json!(categories?))))
            .collect();
        let model = Message::default()
            .int(1, IR_VERSION)
            .text(2, "cip")
            .message(7, self.graph())
            .message(8, operators("", OPERATORS))
            .message(8, operators(ML_DOMAIN, TREE_OPERATORS))
            .message(14, property("label", self.label().to_owned()))
            .message(14, property("features", json!(trees.features()).to_string()))
            .message(14, property("categories", serde_json::Value::Object(categories).to_string()))
            .message(14, property("calibration", self.calibration().method().to_string()));
        Ok(writer.write_all(&model.into_bytes())?)
    }

    fn graph(&self) -> Message {
        let columns = self.trees().features().len() as i64;
        let trees = trees::attributes(self.trees()).into_iter();
        let node = node("TreeEnsembleRegressor", &[FEATURES], MARGIN).text(7, ML_DOMAIN);
        let mut graph = Graph::default();
        graph.nodes.push(trees.fold(node, |node, attribute| node.message(5, attribute)));
        graph.calibrate(self.calibration().map());
        let Graph { nodes, constants } = graph;
        let mut message = nodes.into_iter().fold(Message::default(), |graph, node| graph.message(1, node));
        message = message.text(2, "propensity");
        message = constants.into_iter().fold(message, |graph, constant| graph.message(5, constant));
        message
            .message(11, value(FEATURES, columns))
            .message(12, value(MARGIN, 1))
            .message(12, value(SCORE, 1))
    }
}

/// The nodes of a graph, in an order in which each finds what it needs, and its constants.
#[derive(Debug, Default)]
struct Graph {
    nodes: Vec<Message>,
    constants: Vec<Message>,
}

impl Graph {
    /// Adds what makes the score of the margin.
    fn calibrate(&mut self, map: &CalibrationMap) {
        match map {
            CalibrationMap::None => self.nodes.push(node("Sigmoid", &[MARGIN], SCORE)),
            CalibrationMap::Platt { slope, intercept } => {
                let steeper = self.with("Mul", MARGIN, "slope", *slope, "steeper");
                let odds = self.with("Add", steeper, "intercept", *intercept, "odds");
                self.nodes.push(node("Sigmoid", &[odds], SCORE));
            }
            // ln s = -softplus(-m), and ln(1 - s) = -softplus(m).
            CalibrationMap::Beta { a, b, c } => {
                self.nodes.push(node("Neg", &[MARGIN], "opposite"));
                self.nodes.push(node("Softplus", &["opposite"], "low"));
                self.nodes.push(node("Softplus", &[MARGIN], "high"));
                let low = self.with("Mul", "low", "a", -a, "of_low");
                let high = self.with("Mul", "high", "b", *b, "of_high");
                self.nodes.push(node("Add", &[low, high], "both"));
                let odds = self.with("Add", "both", "c", *c, "odds");
                self.nodes.push(node("Sigmoid", &[odds], SCORE));
            }
            // The first probability, and from each point on the slope times the way to the next, as far as the margin is on it.
            CalibrationMap::Isotonic { points } => {
                let (mut starts, mut ways, mut slopes) = (Vec::new(), Vec::new(), Vec::new());
                let first = points.first().map_or([0.0, 0.5], |point| *point);
                for pair in points.windows(2) {
                    let way = pair[1][0] - pair[0][0];
                    starts.push(pair[0][0]);
                    ways.push(way);
                    slopes.push((pair[1][1] - pair[0][1]) / way);
                }
                if starts.is_empty() {
                    (starts, ways, slopes) = (vec![first[0]], vec![0.0], vec![0.0]);
                }
                let count = starts.len() as i64;
                self.constant("starts", &[1, count], &starts);
                self.constant("ways", &[1, count], &ways);
                self.constant("slopes", &[count, 1], &slopes);
                self.constant("none", &[1], &[0.0]);
                self.nodes.push(node("Sub", &[MARGIN, "starts"], "beyond"));
                self.nodes.push(node("Max", &["beyond", "none"], "begun"));
                self.nodes.push(node("Min", &["begun", "ways"], "gone"));
                self.nodes.push(node("MatMul", &["gone", "slopes"], "risen"));
                let score = self.with("Add", "risen", "first", first[1], "probability");
                self.constant("whole", &[1], &[1.0]);
                self.nodes.push(node("Min", &[score, "whole"], SCORE));
            }
        }
    }

    /// Adds an operator of a value and a constant, and returns the name of what comes out.
    fn with<'a>(&mut self, operator: &str, value: &str, name: &str, constant: f64, out: &'a str) -> &'a str {
        self.constant(name, &[1], &[constant]);
        self.nodes.push(node(operator, &[value, name], out));
        out
    }

    fn constant(&mut self, name: &str, shape: &[i64], values: &[f64]) {
        let tensor = Message::default()
            .ints(1, shape.iter().copied())
            .int(2, FLOAT)
            .floats(4, values.iter().map(|&value| value as f32))
            .text(8, name);
        self.constants.push(tensor);
    }
}

/// An operator with its inputs and its output, of which it has the name.
fn node(operator: &str, inputs: &[&str], output: &str) -> Message {
    let node = inputs.iter().fold(Message::default(), |node, input| node.text(1, input));
    node.text(2, output).text(3, output).text(4, operator)
}

/// A table of so many columns, and of any number of rows.
fn value(name: &str, columns: i64) -> Message {
    let dimension = Message::default();
    let shape = Message::default()
        .message(1, dimension.clone().text(2, "rows"))
        .message(1, dimension.int(1, columns));
    let tensor = Message::default().int(1, FLOAT).message(2, shape);
    Message::default().text(1, name).message(2, Message::default().message(1, tensor))
}
