//! Boosted trees: the model, its margins and what it leans on.

use std::sync::Arc;

use arrow_array::RecordBatch;
use ndarray::{Array1, ArrayBase, Data, Ix2, s};
use serde::Serialize;

use crate::boost::Boosting;
use crate::engine::{Engine, Ensemble, Examples, Task};
use crate::error::PropensityError;
use crate::forest::Forest;
use crate::matrix::Categories;
use crate::matrix::columns::Columns;
use crate::matrix::{FeatureMatrix, FeatureMatrixBuilder};
use crate::params::{BoostedTreesParams, BoostedTreesValidParams, ClassWeight};
use crate::tree::Tree;
use crate::weights::over_mean;

/// Gradient-boosted regression trees on the logistic loss: a margin, the log of the odds, for every row.
///
/// # Formula
/// margin = base + sum over the trees of the value of the row's leaf, in 64 bits and in the order of the trees;
/// probability = 1 / (1 + exp(-margin)), as `Predict` gives it, is not calibrated: see
/// [`PropensityModel::score`](crate::PropensityModel::score).
///
/// # Method
/// Friedman 2001 with the second-order gain and leaf values of XGBoost (Chen and Guestrin 2016), features in at most 255
/// bins, and LightGBM's leaf-wise growth (Ke et al. 2017). Derivatives are summed in fixed point (after Shi et al. 2022), so exactly: the order of
/// the rows does not change a tree, nor does the number of threads. An unknown value goes to the side that lowered the loss more
/// in training. Categories are split as sets: each alone where a feature has fewer than four, and otherwise along the order of their leaf
/// values (Fisher 1958), as XGBoost does. Where no row learned from had an unknown value, or one of no category of its own, such values
/// go where more of the rows went.
///
/// # Examples
/// ```
/// use cip_propensity::BoostedTrees;
/// use linfa::traits::{Fit, Predict};
/// use linfa::Dataset;
/// use ndarray::{Array1, Array2};
///
/// // Who came often and lately buys.
/// let visits = Array2::from_shape_fn((400, 2), |(row, column)| (row * (3 + column) % 20) as f32);
/// let buys: Array1<bool> = visits.rows().into_iter().map(|row| 2.0 * row[0] + row[1] > 30.0).collect();
/// let dataset = Dataset::new(visits, buys).with_feature_names(vec!["visits", "recency"]);
///
/// let model = BoostedTrees::params(7).with_trees(40).fit(&dataset)?;
/// let scores = model.predict(&dataset);
/// let right = scores.iter().zip(&dataset.targets).filter(|(score, buys)| (***score > 0.5) == **buys).count();
/// assert!(right > 390, "{right}");
/// assert_eq!(model.importance()[0].feature.as_ref(), "visits");
/// # Ok::<(), cip_propensity::PropensityError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BoostedTrees {
    pub(crate) columns: Arc<Columns>,
    pub(crate) params: BoostedTreesValidParams,
    pub(crate) base_margin: f32,
    pub(crate) trees: Vec<Tree>,
    /// The trees once more, as scoring wants them.
    forest: Box<Forest>,
}

/// How much a model leans on a feature.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Importance {
    /// The feature.
    pub feature: Box<str>,
    /// The sum of the gains of all splits by it: by how much they lowered the training loss.
    pub gain: f64,
    /// Its part of the gain of all features; 0 where no tree has a split.
    pub share: f64,
    /// Splits by it.
    pub splits: u64,
}

impl BoostedTrees {
    /// Returns the parameters, with their documented values and a seed.
    pub const fn params(seed: u64) -> BoostedTreesParams {
        BoostedTreesParams::new(seed)
    }

    pub(crate) fn new(columns: Arc<Columns>, params: BoostedTreesValidParams, ensemble: Ensemble) -> Self {
        let Ensemble { base_margin, trees } = ensemble;
        Self { columns, params, base_margin, forest: Box::new(Forest::new(&trees)), trees }
    }

    /// Checks what a model that comes from elsewhere says beside its trees.
    pub(crate) fn check(
        columns: &Columns,
        params: &BoostedTreesValidParams,
        base_margin: f32,
    ) -> Result<(), PropensityError> {
        let refuse = |reason| Err(PropensityError::ModelHeader { reason });
        let features = columns.names();
        if features.is_empty() {
            return refuse("it has no features");
        }
        let mut names: Vec<&str> = features.iter().map(AsRef::as_ref).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return refuse("it has a feature twice");
        }
        if !base_margin.is_finite() {
            return refuse("its base margin is not a number");
        }
        if params.monotone().keys().any(|name| !features.contains(name)) {
            return refuse("a monotone feature is none of its features");
        }
        if monotone_categories(columns, params).is_some() {
            return refuse("a monotone feature has categories");
        }
        Ok(())
    }

    /// The names of the features, in their order.
    pub fn features(&self) -> &[Box<str>] {
        self.columns.names()
    }

    /// The categories of each feature, in the same order; none where it is a number.
    pub fn categories(&self) -> &[Option<Categories>] {
        self.columns.categories()
    }

    /// Returns the features of some batches as the model takes them, each with the categories that it knows.
    ///
    /// # Errors
    /// As [`FeatureMatrixBuilder::push`].
    pub fn features_of(&self, batches: &[RecordBatch]) -> Result<FeatureMatrix, PropensityError> {
        let mut builder = FeatureMatrixBuilder::of_model(self);
        for batch in batches {
            builder.push(batch)?;
        }
        builder.finish()
    }

    /// The parameters that it was trained with.
    pub const fn trained_with(&self) -> &BoostedTreesValidParams {
        &self.params
    }

    /// The margin of every row before the first tree.
    pub const fn base_margin(&self) -> f32 {
        self.base_margin
    }

    /// The trees, in the order of boosting.
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// Returns the importance of every feature, the highest gain first; equal ones in the order of the features.
    pub fn importance(&self) -> Vec<Importance> {
        let mut found: Vec<Importance> = (self.features().iter())
            .map(|feature| Importance { feature: feature.clone(), gain: 0.0, share: 0.0, splits: 0 })
            .collect();
        for split in self.trees.iter().flat_map(Tree::splits) {
            let importance = &mut found[split.feature as usize];
            importance.gain += f64::from(split.gain);
            importance.splits += 1;
        }
        let total: f64 = found.iter().map(|importance| importance.gain).sum();
        for importance in found.iter_mut().filter(|_| total > 0.0) {
            importance.share = importance.gain / total;
        }
        found.sort_by(|a, b| b.gain.total_cmp(&a.gain));
        found
    }

    /// Returns the margin of every row.
    ///
    /// # Complexity
    /// For each row the depth of every tree.
    ///
    /// # Errors
    /// [`PropensityError::FeatureCount`] where the rows have another number of values than the model has features.
    pub fn margins<D: Data<Elem = f32>>(
        &self,
        rows: &ArrayBase<D, Ix2>,
    ) -> Result<Array1<f64>, PropensityError> {
        /// Rows that go through one tree after the other, while they and it are in the processor's cache.
        const BLOCK: usize = 64;
        let expected = self.columns.len();
        if rows.ncols() != expected {
            return Err(PropensityError::FeatureCount { found: rows.ncols(), expected });
        }
        let mut margins = vec![f64::from(self.base_margin); rows.nrows()];
        let mut values: Vec<f32> = Vec::with_capacity(BLOCK * expected);
        for (block, margins) in margins.chunks_mut(BLOCK).enumerate() {
            values.clear();
            values.extend(rows.slice(s![block * BLOCK..block * BLOCK + margins.len(), ..]).iter());
            self.forest.add(margins, &values, expected);
        }
        Ok(Array1::from_vec(margins))
    }
}

impl BoostedTreesValidParams {
    /// Returns the model of a feature matrix and its labels, without copying the matrix.
    ///
    /// # Errors
    /// [`PropensityError::NoRows`], [`PropensityError::Lengths`], [`PropensityError::OneClass`],
    /// [`PropensityError::MissingColumn`] where a monotone feature is none of them, [`PropensityError::NoValidation`] where
    /// the parameters ask to stop early.
    pub fn fit_matrix(
        &self,
        features: &FeatureMatrix,
        labels: &[bool],
    ) -> Result<BoostedTrees, PropensityError> {
        self.fit_examples(
            Arc::clone(features.columns()),
            Examples { values: features.shared_values(), labels, weights: None },
        )
    }

    /// Returns the model of a feature matrix and its labels as [`BoostedTreesValidParams::fit_matrix`] does, with the trees up to the
    /// round after which the log loss of the rows to `validate` on, weighted by class like those to train on, is lowest.
    ///
    /// Without [`early_stopping`](BoostedTreesValidParams::early_stopping) these rows are not looked at.
    ///
    /// # Errors
    /// As [`BoostedTreesValidParams::fit_matrix`], of either; [`PropensityError::FeatureCount`] and
    /// [`PropensityError::OtherCategories`] where the matrices have other columns.
    pub fn fit_validated(
        &self,
        (features, labels): (&FeatureMatrix, &[bool]),
        validate: (&FeatureMatrix, &[bool]),
    ) -> Result<BoostedTrees, PropensityError> {
        features.columns().require_same(validate.0.columns())?;
        let of = |(features, labels)| {
            let features: &FeatureMatrix = features;
            Examples { values: features.shared_values(), labels, weights: None }
        };
        self.fit_task(Arc::clone(features.columns()), of((features, labels)), Some(of(validate)))
    }

    /// Returns the model of rows of which each counts as much as its weight over the mean of those to train on says, so that the least
    /// weight of a leaf, and the penalties, mean what they mean without weights. Rows to validate on may have weights as well.
    ///
    /// # Errors
    /// As [`BoostedTreesValidParams::fit_validated`]; [`PropensityError::NoWeight`] where weights add up to nothing, [`PropensityError::Parameter`]
    /// where one is not 0 or more.
    pub fn fit_weighted(
        &self,
        (features, labels, weights): (&FeatureMatrix, &[bool], &[f64]),
        validate: Option<(&FeatureMatrix, &[bool], &[f64])>,
    ) -> Result<BoostedTrees, PropensityError> {
        let weights = over_mean(weights, labels.len())?;
        let train = Examples { values: features.shared_values(), labels, weights: Some(&weights) };
        let Some((others, outcomes, other_weights)) = validate else {
            return self.fit_task(Arc::clone(features.columns()), train, None);
        };
        features.columns().require_same(others.columns())?;
        let other_weights = over_mean(other_weights, outcomes.len())?;
        let validate =
            Examples { values: others.shared_values(), labels: outcomes, weights: Some(&other_weights) };
        self.fit_task(Arc::clone(features.columns()), train, Some(validate))
    }

    /// Checks that there is something to learn, and has the engine learn it.
    pub(crate) fn fit_examples(
        &self,
        columns: Arc<Columns>,
        examples: Examples<'_>,
    ) -> Result<BoostedTrees, PropensityError> {
        self.fit_task(columns, examples, None)
    }

    fn fit_task(
        &self,
        columns: Arc<Columns>,
        train: Examples<'_>,
        validate: Option<Examples<'_>>,
    ) -> Result<BoostedTrees, PropensityError> {
        check_labels(train.values.nrows(), train.labels)?;
        let features = columns.names();
        if features.is_empty() {
            return Err(PropensityError::NoFeatures);
        }
        if let Some(column) = self.monotone().keys().find(|name| !features.contains(name)) {
            return Err(PropensityError::MissingColumn {
                column: column.clone(),
                columns: features.to_vec(),
            });
        }
        if let Some(column) = monotone_categories(&columns, self) {
            return Err(PropensityError::MonotoneCategories { column: column.into() });
        }
        let validate = match (self.early_stopping(), validate) {
            (None, _) => None,
            (Some(rounds), None) => return Err(PropensityError::NoValidation { rounds: rounds.get() }),
            (Some(_), Some(rows)) => Some(rows),
        };
        if let Some(validate) = &validate {
            check_labels(validate.values.nrows(), validate.labels)?;
        }
        let own = |row: usize| train.weights.map_or(1.0, |weights| f64::from(weights[row]));
        let all = (0..train.labels.len()).map(own).sum();
        let positives = (0..train.labels.len()).filter(|&row| train.labels[row]).map(own).sum();
        let by_label = self.class_weight().of_rows(all, positives);
        let [train_weights, validate_weights] =
            [Some(&train), validate.as_ref()].map(|rows| self.weights(rows?, by_label));
        let directions = features.iter().map(|name| self.monotone().get(name).copied()).collect();
        let task = Task {
            train: Examples { weights: train_weights.as_deref(), ..train },
            validate: validate.map(|rows| Examples { weights: validate_weights.as_deref(), ..rows }),
            categories: columns.categories(),
            directions,
        };
        let ensemble = Boosting.boost(task, self)?;
        Ok(BoostedTrees::new(columns, self.clone(), ensemble))
    }

    /// The model of amounts, one a row, on the squared error: its margins are amounts.
    pub(crate) fn fit_amounts(
        &self,
        features: &FeatureMatrix,
        amounts: &[f64],
    ) -> Result<BoostedTrees, PropensityError> {
        // The difference of two has to be a number of 32 bits as well.
        const MOST: f64 = 1e38;
        if let Some(&value) = amounts.iter().find(|amount| !(-MOST..=MOST).contains(*amount)) {
            let expected = "from -1e38 to 1e38: give it in a larger unit";
            return Err(PropensityError::Parameter { name: "an amount", value, expected });
        }
        let amounts: Vec<f32> = amounts.iter().map(|&amount| amount as f32).collect();
        let columns = features.columns();
        let ensemble =
            Boosting.boost_amounts(features.shared_values(), &amounts, columns.categories(), self)?;
        Ok(BoostedTrees::new(Arc::clone(columns), self.clone(), ensemble))
    }

    /// The weights of rows: their own times that of their class. None where all are 1.
    fn weights(&self, rows: &Examples<'_>, by_label: [f64; 2]) -> Option<Vec<f32>> {
        if self.class_weight() == ClassWeight::Equal {
            return rows.weights.map(<[f32]>::to_vec);
        }
        let own = |row| rows.weights.map_or(1.0, |weights| f64::from(weights[row]));
        let labels = rows.labels.iter().enumerate();
        Some(labels.map(|(row, &label)| (own(row) * by_label[usize::from(label)]) as f32).collect())
    }
}

/// A feature with categories, which have no order, along which the margin may only rise or fall.
fn monotone_categories<'a>(columns: &'a Columns, params: &BoostedTreesValidParams) -> Option<&'a str> {
    let with_categories = columns.iter().filter(|(_, categories)| categories.is_some());
    with_categories.map(|(name, _)| name).find(|name| params.monotone().contains_key(*name))
}

/// Checks that there are rows, as many labels, and labels of both kinds.
pub(crate) fn check_labels(rows: usize, labels: &[bool]) -> Result<(), PropensityError> {
    if rows != labels.len() {
        return Err(PropensityError::Lengths { rows, labels: labels.len() });
    }
    match labels.first() {
        None => Err(PropensityError::NoRows { what: "train on" }),
        Some(&label) if labels.iter().all(|&other| other == label) => {
            Err(PropensityError::OneClass { rows: rows as u64, label: u8::from(label) })
        }
        Some(_) => Ok(()),
    }
}

/// ln(1 + exp(z)), from the side that does not overflow.
pub(crate) fn softplus(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}

/// Returns the probability that a margin stands for, not calibrated: 1 / (1 + exp(-margin)).
pub fn probability(margin: f64) -> f64 {
    1.0 / (1.0 + (-margin).exp())
}
