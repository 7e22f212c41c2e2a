//! The model file: JSON of a documented form, checked before it is used.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use crate::boosted::{BoostedTrees, probability};
use crate::calibration::FittedCalibration;
use crate::engine::Ensemble;
use crate::error::PropensityError;
use crate::evaluation::{Evaluation, ProbabilityLosses};
use crate::matrix::Categories;
use crate::matrix::columns::Columns;
use crate::params::{BoostedTreesParams, BoostedTreesValidParams};
use crate::stamp::read_document;
use crate::tree::Tree;
use crate::weights::WeightedEvaluation;

/// The name that a model file carries.
const FORMAT: &str = "cip-model";
/// The version of the form that is written.
const VERSION: u64 = 4;
/// The first version that is read: it had no categories, and leaf values of 32 bits.
const FIRST_VERSION: u64 = 3;

/// Boosted trees with what one must know to use them again: what they foretell, from how many rows, how sure to be, how well.
///
/// # Output
/// One JSON object: `format` (`cip-model`), `version` (4), `label`, `features` (names, in order), `categories` (names by feature, in the
/// order of their codes), `params`, `training` (rows, positives), `calibration`, `evaluation` (of held-out rows, or null), `base_margin`,
/// `trees` (a list of nodes each). The same model gives the same bytes. Files of version 3, which had no categories, are read.
///
/// # Examples
/// ```
/// # use cip_propensity::{BoostedTrees, FeatureMatrix, PropensityModel};
/// # use std::sync::Arc;
/// # use linfa::ParamGuard;
/// # use arrow_array::{ArrayRef, Float64Array, RecordBatch};
/// # let views: ArrayRef = Arc::new(Float64Array::from_iter_values((0..100).map(f64::from)));
/// # let features = FeatureMatrix::from_batches(&["views"], &[RecordBatch::try_from_iter([("views", views)])?])?;
/// # let labels: Vec<bool> = (0..100).map(|row| row > 60).collect();
/// let trees = BoostedTrees::params(7).with_trees(5).check()?.fit_matrix(&features, &labels)?;
/// let model = PropensityModel::new(trees, "label", &labels);
/// let mut file = Vec::new();
/// model.write_to(&mut file)?;
/// assert_eq!(PropensityModel::read_from(&file[..])?, model);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PropensityModel {
    trees: BoostedTrees,
    label: Box<str>,
    training: Training,
    calibration: FittedCalibration,
    evaluation: Option<Evaluation>,
}

/// The rows that a model was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Rows.
    pub rows: u64,
    /// Rows whose label is 1.
    pub positives: u64,
}

impl PropensityModel {
    /// Returns the model of trees that foretell the column `label`, and were trained on `labels`; its scores are not
    /// calibrated.
    pub fn new(trees: BoostedTrees, label: impl Into<Box<str>>, labels: &[bool]) -> Self {
        let positives = labels.iter().filter(|&&label| label).count() as u64;
        let training = Training { rows: labels.len() as u64, positives };
        let calibration = FittedCalibration::NONE;
        Self { trees, label: label.into(), training, calibration, evaluation: None }
    }

    /// Calibrates its scores.
    #[must_use]
    pub fn with_calibration(self, calibration: FittedCalibration) -> Self {
        Self { calibration, ..self }
    }

    /// Adds how well it did on rows that it was not trained on.
    #[must_use]
    pub fn with_evaluation(self, evaluation: Evaluation) -> Self {
        Self { evaluation: Some(evaluation), ..self }
    }

    /// The trees.
    pub const fn trees(&self) -> &BoostedTrees {
        &self.trees
    }

    /// The column that it foretells.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The rows that it was trained on.
    pub const fn training(&self) -> Training {
        self.training
    }

    /// How its margins become scores.
    pub const fn calibration(&self) -> &FittedCalibration {
        &self.calibration
    }

    /// Returns the score of a margin: the calibrated probability.
    pub fn score(&self, margin: f64) -> f64 {
        self.calibration.probability(margin)
    }

    /// Returns how well it foretells rows with these margins: ranked by the margins, with their scores as probabilities.
    ///
    /// # Errors
    /// As [`Evaluation::new`].
    pub fn evaluate(&self, margins: &[f64], labels: &[bool]) -> Result<Evaluation, PropensityError> {
        let with = |map: &dyn Fn(f64) -> f64| margins.iter().map(|&margin| map(margin)).collect::<Vec<_>>();
        let scores = with(&|margin| self.score(margin));
        let plain = ProbabilityLosses::new(&with(&probability), labels)?;
        Ok(Evaluation::new(margins, &scores, labels)?.with_uncalibrated(plain))
    }

    /// Returns how well it foretells rows with these margins, each counting as often as its weight says.
    ///
    /// # Errors
    /// As [`WeightedEvaluation::new`].
    pub fn evaluate_weighted(
        &self,
        margins: &[f64],
        labels: &[bool],
        weights: &[f64],
    ) -> Result<WeightedEvaluation, PropensityError> {
        let scores: Vec<f64> = margins.iter().map(|&margin| self.score(margin)).collect();
        WeightedEvaluation::new(margins, &scores, labels, weights)
    }

    /// How well it did on rows that it was not trained on, if that is known.
    pub const fn evaluation(&self) -> Option<&Evaluation> {
        self.evaluation.as_ref()
    }

    /// Writes the model file.
    ///
    /// # Errors
    /// [`PropensityError::Io`].
    pub fn write_to(&self, mut writer: impl Write) -> Result<(), PropensityError> {
        let document = Document {
            format: FORMAT.into(),
            version: VERSION,
            label: self.label.clone(),
            features: self.trees.features().to_vec(),
            categories: self.trees.columns.by_name(),
            params: self.trees.params.clone(),
            training: self.training,
            calibration: self.calibration.clone(),
            evaluation: self.evaluation.clone(),
            base_margin: self.trees.base_margin,
            trees: self.trees.trees.clone(),
        };
        serde_json::to_writer(&mut writer, &document).map_err(std::io::Error::from)?;
        Ok(writer.write_all(b"\n")?)
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// [`PropensityError::ModelJson`] with the place where it is not of the documented form,
    /// [`PropensityError::ModelVersion`], [`PropensityError::ModelHeader`] and [`PropensityError::ModelTree`] where it
    /// contradicts itself, [`PropensityError::Io`].
    pub fn read_from(reader: impl Read) -> Result<Self, PropensityError> {
        let document: Document = read_document(reader, FORMAT, FIRST_VERSION..=VERSION)?;
        document.check()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: Box<str>,
    version: u64,
    label: Box<str>,
    features: Vec<Box<str>>,
    #[serde(default)]
    categories: BTreeMap<Box<str>, Categories>,
    params: BoostedTreesValidParams,
    training: Training,
    calibration: FittedCalibration,
    evaluation: Option<Evaluation>,
    base_margin: f32,
    trees: Vec<Tree>,
}

impl Document {
    fn check(self) -> Result<PropensityModel, PropensityError> {
        let columns = Columns::of_file(self.features, self.categories)?;
        BoostedTrees::check(&columns, &self.params, self.base_margin)?;
        if self.training.positives > self.training.rows {
            return Err(PropensityError::ModelHeader { reason: "it has more positives than rows" });
        }
        self.calibration.check().map_err(|reason| PropensityError::ModelHeader { reason })?;
        BoostedTreesParams::from(self.params.clone()).check_ref()?;
        for (index, tree) in self.trees.iter().enumerate() {
            tree.check(columns.categories()).map_err(|(node, reason)| PropensityError::ModelTree {
                tree: index,
                node,
                reason,
            })?;
        }
        let mut trees = self.trees;
        if self.version == FIRST_VERSION {
            trees = trees.into_iter().map(Tree::rounded).collect();
        }
        Ok(PropensityModel {
            trees: BoostedTrees::new(
                Arc::new(columns),
                self.params,
                Ensemble { base_margin: self.base_margin, trees },
            ),
            label: self.label,
            training: self.training,
            calibration: self.calibration,
            evaluation: self.evaluation,
        })
    }
}
