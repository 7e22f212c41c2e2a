//! Learning from a table: some ids to train on, some to calibrate on, the others to see how good it is.

use arrow_array::RecordBatch;
use cip_core::{CoreError, IdColumn, IdRef, MemoryBudget};
use cip_propensity::{
    Baseline, BoostedTrees, BoostedTreesParams, Calibration, Evaluation, FeatureMatrix, FeatureMatrixBuilder,
    Finding, FittedBaseline, FittedCalibration, Fold, LabelBuilder, ParamGuard, PropensityError,
    PropensityModel, Search, Searched, Side, WeightBuilder, WeightedEvaluation,
};

use cip_store::TableColumn;

use crate::scoring::{RowSplit, ScoringError, ScoringTable};

/// A table in memory, split by its rows: some to train on, some to stop by, some to calibrate on, the others held out.
#[derive(Debug, Clone)]
pub struct TrainingSet {
    label: Box<str>,
    weight: Option<Box<str>>,
    split: RowSplit,
    train: Examples,
    /// Rows that say when to stop boosting; there may be none.
    validate: Examples,
    /// Rows to calibrate on; there may be none.
    calibrate: Examples,
    held_out: Examples,
    /// Of each row to train on, its day and the number of its group.
    places: Vec<(i64, u64)>,
    begins: Option<Vec<(i64, Side)>>,
    /// Rows whose label looks into a later side.
    overlapping: u64,
}

/// Rows and their labels.
#[derive(Debug, Clone)]
struct Examples {
    features: FeatureMatrix,
    labels: Vec<bool>,
    /// How much each counts, where a column says so.
    weights: Option<Vec<f64>>,
}

/// Which columns of a table are learned from, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LearnedColumns<'a> {
    features: &'a [String],
    label: &'a str,
    categorical: &'a [String],
    weight: Option<&'a str>,
}

impl<'a> LearnedColumns<'a> {
    /// Returns features and a label; text has categories, and all rows count alike.
    pub const fn new(features: &'a [String], label: &'a str) -> Self {
        Self { features, label, categorical: &[], weight: None }
    }

    /// Takes features for categories even where they are numbers.
    #[must_use]
    pub const fn with_categorical(self, columns: &'a [String]) -> Self {
        Self { categorical: columns, ..self }
    }

    /// Lets each row count as much as a column says: in trees, search, calibration, baselines, [`TrainedModel::weighted`] and
    /// [`TrainedModel::weighted_baselines`].
    #[must_use]
    pub const fn with_weight(self, column: &'a str) -> Self {
        Self { weight: Some(column), ..self }
    }
}

/// A model with how well it, and what is plainer, did on the rows that were held out.
#[derive(Debug, Clone)]
pub struct TrainedModel {
    /// The model; it carries its calibration and its evaluation.
    pub model: PropensityModel,
    /// The rows that were held out, by the model.
    pub evaluation: Evaluation,
    /// The same rows, by the baselines that could be fitted on the rows to train on.
    pub baselines: Vec<(Baseline, Evaluation)>,
    /// The rows that were held out, by the model, each counting as much as its weight says; none where rows have no weights.
    pub weighted: Option<WeightedEvaluation>,
    /// The same by the baselines.
    pub weighted_baselines: Option<Vec<(Baseline, WeightedEvaluation)>>,
}

impl TrainedModel {
    /// Returns how well a baseline did on the rows that were held out; none where it could not be fitted.
    pub fn baseline(&self, wanted: Baseline) -> Option<&Evaluation> {
        self.baselines.iter().find(|(baseline, _)| *baseline == wanted).map(|(_, found)| found)
    }
}

impl TrainingSet {
    /// The seed of the groups that parameters are tried on.
    const GROUP_SEED: u64 = 7;

    /// Reads `features` and `label` of a table; every row goes to its side of `split`. Without ids, rows are told apart by their
    /// number.
    ///
    /// # Complexity
    /// Memory for 4 bytes a value, once.
    ///
    /// # Errors
    /// [`ScoringError::LabelIsId`], [`ScoringError::NullId`], [`ScoringError::NullTime`], [`ScoringError::EmptySide`];
    /// [`CoreError::Memory`] where training would need more than `memory`; what a value cannot be:
    /// [`PropensityError::FeatureType`], [`PropensityError::NotFinite`], [`PropensityError::LabelValue`] and others.
    pub fn read(
        table: &ScoringTable,
        features: &[String],
        label: &str,
        split: impl Into<RowSplit>,
        memory: MemoryBudget,
    ) -> Result<Self, ScoringError> {
        Self::read_columns(table, &LearnedColumns::new(features, label), split, memory)
    }

    /// Reads a table as [`TrainingSet::read`] does, with what is told of its columns.
    ///
    /// # Errors
    /// As [`TrainingSet::read`]; [`PropensityError::MissingColumn`] where one of categories is none of the features;
    /// [`PropensityError::WeightType`], [`PropensityError::WeightValue`].
    pub fn read_columns(
        table: &ScoringTable,
        columns: &LearnedColumns<'_>,
        split: impl Into<RowSplit>,
        memory: MemoryBudget,
    ) -> Result<Self, ScoringError> {
        let split = split.into();
        let LearnedColumns { features, label, categorical, weight } = *columns;
        if table.ids().iter().any(|id| id == label) {
            return Err(ScoringError::LabelIsId { column: label.into() });
        }
        let dealt = split.of(table, label)?;
        let id = split.group_column().or(table.ids().first().map(String::as_str));
        let columns: Vec<&str> =
            id.into_iter().chain(features.iter().map(String::as_str)).chain([label]).chain(weight).collect();
        let builder = || {
            let matrix = FeatureMatrixBuilder::new(features)?.with_categorical(categorical)?;
            Ok::<_, PropensityError>((matrix, LabelBuilder::new(label), weight.map(WeightBuilder::new)))
        };
        let sides = [Side::Train, Side::Validate, Side::Calibrate, Side::HeldOut];
        let mut builders = [builder()?, builder()?, builder()?, builder()?];
        let (mut rows, mut overlapping, mut places) = (0u64, 0u64, Vec::new());
        for batch in table.source.batches(&columns)? {
            let batch = batch?;
            let ids = id.map(|id| ids(table, id, &batch, rows)).transpose()?;
            let mut found = Vec::with_capacity(batch.num_rows());
            for row in 0..batch.num_rows() {
                let number = rows + row as u64;
                let id = match (&ids, id) {
                    (Some(ids), Some(column)) => Some(known(ids, row, column, number, &split)?),
                    _ => None,
                }
                .flatten();
                let (side, overlaps) = dealt.side(number, id)?;
                overlapping += u64::from(overlaps);
                if side == Side::Train {
                    let group = id.unwrap_or(IdRef::Int64(number.cast_signed()));
                    places.push((dealt.day(number), Fold::group(group, Self::GROUP_SEED)));
                }
                found.push(side);
            }
            for (side, (features, labels, weights)) in sides.iter().zip(&mut builders) {
                features.push_where(&batch, |row| found[row] == *side)?;
                labels.push_where(&batch, |row| found[row] == *side)?;
                if let Some(weights) = weights {
                    weights.push_where(&batch, |row| found[row] == *side)?;
                }
            }
            rows += batch.num_rows() as u64;
            // Of the rows that are left out nothing is kept.
            require(memory, (rows as f64 * split.sample()) as u64, features.len())?;
        }
        let [train, validate, calibrate, held_out] = builders;
        // What categories there are is learned from the rows to train on alone.
        let weights = |weights: Option<WeightBuilder>| weights.map(WeightBuilder::finish);
        let train =
            Examples { features: train.0.finish()?, labels: train.1.finish(), weights: weights(train.2) };
        let like_train = |(features, labels, of): (FeatureMatrixBuilder, LabelBuilder, _)| {
            let features = features.finish_like(&train.features)?;
            Ok::<_, PropensityError>(Examples { features, labels: labels.finish(), weights: weights(of) })
        };
        let [validate, calibrate, held_out] = [validate, calibrate, held_out].map(like_train);
        let held_out = held_out?;
        for (examples, what) in [(&train, "train on"), (&held_out, "test on")] {
            if examples.labels.is_empty() {
                return Err(ScoringError::EmptySide { rows, what });
            }
        }
        Ok(Self {
            label: label.into(),
            weight: weight.map(Into::into),
            begins: dealt.begins().map(<[_]>::to_vec),
            split,
            validate: validate?,
            calibrate: calibrate?,
            train,
            held_out,
            places,
            overlapping,
        })
    }

    /// Takes all rows of another table to say when to stop boosting, in place of those that the split keeps for it.
    ///
    /// # Errors
    /// As [`TrainingSet::read`].
    pub fn with_validation(self, table: &ScoringTable) -> Result<Self, ScoringError> {
        Ok(Self { validate: self.all_rows(table)?, ..self })
    }

    /// Takes all rows of another table to calibrate on, such as those of a later cutoff, in place of those that the split keeps for it.
    ///
    /// # Errors
    /// As [`TrainingSet::read`].
    pub fn with_calibration(self, table: &ScoringTable) -> Result<Self, ScoringError> {
        Ok(Self { calibrate: self.all_rows(table)?, ..self })
    }

    /// All rows of another table, with the columns and categories of the rows to train on.
    fn all_rows(&self, table: &ScoringTable) -> Result<Examples, ScoringError> {
        let (like, weight) = (&self.train.features, self.weight.as_deref());
        let (mut features, mut labels) = (FeatureMatrixBuilder::like(like), LabelBuilder::new(&*self.label));
        let mut weights = weight.map(WeightBuilder::new);
        let names = like.names().iter().map(AsRef::as_ref);
        let columns: Vec<&str> = names.chain([&*self.label]).chain(weight).collect();
        for batch in table.source.batches(&columns)? {
            let batch = batch?;
            features.push(&batch)?;
            labels.push(&batch)?;
            if let Some(weights) = &mut weights {
                weights.push_where(&batch, |_| true)?;
            }
        }
        let weights = weights.map(WeightBuilder::finish);
        Ok(Examples { features: features.finish()?, labels: labels.finish(), weights })
    }

    /// Rows to train on.
    pub fn train_rows(&self) -> usize {
        self.train.labels.len()
    }

    /// Rows that say when to stop boosting.
    pub fn validation_rows(&self) -> usize {
        self.validate.labels.len()
    }

    /// Rows to calibrate on.
    pub fn calibration_rows(&self) -> usize {
        self.calibrate.labels.len()
    }

    /// Rows that are held out.
    pub fn held_out_rows(&self) -> usize {
        self.held_out.labels.len()
    }

    /// Where each side behind the rows to train on begins, in days since 1970-01-01; none where rows are not split by time.
    pub fn begins(&self) -> Option<&[(i64, Side)]> {
        self.begins.as_deref()
    }

    /// Returns boosted trees of the rows to train on: binning and boosting, and nothing else. Where the parameters stop early, the rows
    /// to validate on say when.
    ///
    /// # Errors
    /// [`PropensityError`], where there is one class only or a parameter makes no sense as well.
    pub fn fit(&self, params: BoostedTreesParams) -> Result<BoostedTrees, ScoringError> {
        let params = params.check()?;
        let Examples { features, labels, weights } = &self.train;
        if let Some(weights) = weights {
            let Examples { features: others, labels: outcomes, weights: of_others } = &self.validate;
            let validate = of_others.as_deref().filter(|weights| !weights.is_empty());
            let validate = validate.map(|weights| (others, &outcomes[..], weights));
            return Ok(params.fit_weighted((features, labels, weights), validate)?);
        }
        if self.validate.labels.is_empty() {
            return Ok(params.fit_matrix(features, labels)?);
        }
        Ok(params.fit_validated((features, labels), (&self.validate.features, &self.validate.labels))?)
    }

    /// Returns which of the candidates of a search does best on `folds` of the rows to train on: rows of later days where rows are split
    /// by time, and other ids where they are split by ids.
    ///
    /// # Errors
    /// As [`Search::run_weighted`].
    pub fn search(
        &self,
        search: Search,
        given: &BoostedTreesParams,
        folds: u32,
    ) -> Result<Searched, ScoringError> {
        let (days, groups): (Vec<i64>, Vec<u64>) = self.places.iter().copied().unzip();
        let folds = if self.begins.is_some() {
            let groups = self.split.has_ids().then_some(&groups[..]);
            Fold::rolling(&days, groups, folds, self.split.gap_days().into())?
        } else {
            Fold::by_group(&groups, folds)?
        };
        let Examples { features, labels, weights } = &self.train;
        Ok(match weights {
            Some(weights) => search.run_weighted(given, (features, labels, weights), &folds)?,
            None => search.run(given, features, labels, &folds)?,
        })
    }

    /// Returns what in the table would make a model look better than it will be.
    ///
    /// # Complexity
    /// Looks at single features in at most 50,000 rows, evenly spaced.
    ///
    /// # Errors
    /// None of its own; [`PropensityError`].
    pub fn lint(&self) -> Result<Vec<Finding>, ScoringError> {
        const MOST_ROWS: usize = 50_000;
        let Examples { features, labels, .. } = &self.train;
        let mut found = if labels.len() <= MOST_ROWS {
            Finding::of_features(features, labels)?
        } else {
            let rows: Vec<usize> = (0..MOST_ROWS)
                .map(|row| (row as u128 * labels.len() as u128 / MOST_ROWS as u128) as usize)
                .collect();
            let labels: Vec<bool> = rows.iter().map(|&row| labels[row]).collect();
            Finding::of_features(&features.select(&rows), &labels)?
        };
        let held_out = (&self.held_out.features, &self.held_out.labels[..]);
        found.extend(Finding::of_duplicates((features, labels), held_out)?);
        if self.overlapping > 0 {
            let of = (self.train_rows() + self.validation_rows() + self.calibration_rows()) as u64;
            found.push(Finding::LabelOverlap { rows: self.overlapping, of });
        }
        Ok(found)
    }

    /// Returns the model of trees that [`TrainingSet::fit`] made, calibrated on the rows that are kept for it, with how well it
    /// and the baselines do on the rows held out.
    ///
    /// Rows that cannot tell how sure to be leave the margins as they are: see [`Calibration::fit`].
    ///
    /// # Errors
    /// [`PropensityError`].
    pub fn evaluate(
        &self,
        trees: BoostedTrees,
        calibration: Calibration,
    ) -> Result<TrainedModel, ScoringError> {
        let calibration = match calibration {
            Calibration::None => FittedCalibration::NONE,
            method => {
                let margins = trees.margins(&self.calibrate.features.view())?.to_vec();
                match &self.calibrate.weights {
                    // Of no rows there is nothing to weigh.
                    Some(weights) if !weights.is_empty() => {
                        method.fit_weighted(&margins, &self.calibrate.labels, weights)?
                    }
                    _ => method.fit(&margins, &self.calibrate.labels)?,
                }
            }
        };
        let Examples { features, labels, weights } = &self.held_out;
        let margins = trees.margins(&features.view())?.to_vec();
        let (mut baselines, mut weighted_baselines) = (Vec::new(), weights.as_ref().map(|_| Vec::new()));
        for baseline in Baseline::ALL {
            let Some(fitted) = self.train.baseline(baseline)? else { continue };
            baselines.push((baseline, fitted.evaluate(features, labels)?));
            if let (Some(weights), Some(found)) = (weights, &mut weighted_baselines) {
                found.push((baseline, fitted.evaluate_weighted(features, labels, weights)?));
            }
        }
        let model =
            PropensityModel::new(trees, self.label.clone(), &self.train.labels).with_calibration(calibration);
        let evaluation = model.evaluate(&margins, labels)?;
        let weighted = weights.as_ref().map(|weights| model.evaluate_weighted(&margins, labels, weights));
        let weighted = weighted.transpose()?;
        let model = model.with_evaluation(evaluation.clone());
        Ok(TrainedModel { model, evaluation, baselines, weighted, weighted_baselines })
    }
}

impl Examples {
    /// A baseline of these rows, where it can be fitted.
    fn baseline(&self, baseline: Baseline) -> Result<Option<FittedBaseline>, PropensityError> {
        match &self.weights {
            Some(weights) => baseline.fit_weighted(&self.features, &self.labels, weights),
            None => baseline.fit(&self.features, &self.labels),
        }
    }
}

/// The ids of a batch: its first column.
fn ids(table: &ScoringTable, name: &str, batch: &RecordBatch, before: u64) -> Result<IdColumn, ScoringError> {
    Ok(TableColumn::new(table.source.path(), name, before, batch.column(0)).ids()?)
}

/// The id of a row; none where it is null and rows are not split by ids.
fn known<'a>(
    ids: &'a IdColumn,
    row: usize,
    column: &str,
    number: u64,
    split: &RowSplit,
) -> Result<Option<IdRef<'a>>, ScoringError> {
    match ids.get(row) {
        None if split.has_ids() => Err(ScoringError::NullId { column: column.into(), row: number }),
        id => Ok(id),
    }
}

/// Checks that so many rows can be trained on.
pub(super) fn require(memory: MemoryBudget, rows: u64, features: usize) -> Result<(), CoreError> {
    /// What a process and its histograms take, and what each value and each row takes, in memory and as bins.
    const BASE_BYTES: u64 = 32 << 20;
    const VALUE_BYTES: u64 = 9;
    const ROW_BYTES: u64 = 64;
    let bytes = BASE_BYTES + rows * (features as u64 * VALUE_BYTES + ROW_BYTES);
    memory.require("training", MemoryBudget::from_bytes(bytes))
}
