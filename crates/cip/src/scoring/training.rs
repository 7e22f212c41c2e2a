//! Learning from a table: some ids to train on, some to calibrate on, the others to see how good it is.

use arrow_array::RecordBatch;
use cip_core::{CoreError, IdRef, MemoryBudget};
use cip_propensity::{
    BoostedTrees, BoostedTreesParams, Calibration, Evaluation, FeatureMatrix, FeatureMatrixBuilder,
    FittedCalibration, IdSplit, LabelBuilder, ParamGuard, PropensityError, PropensityModel, Side,
    TreeBaseline,
};

use cip_store::TableColumn;

use crate::scoring::{ScoringError, ScoringTable};

/// A table in memory, split by its ids: some rows to train on, some to calibrate on, the others held out.
#[derive(Debug, Clone)]
pub struct TrainingSet {
    label: Box<str>,
    train: Examples,
    /// Rows to calibrate on; there may be none.
    calibrate: Examples,
    held_out: Examples,
}

/// Rows and their labels.
#[derive(Debug, Clone)]
struct Examples {
    features: FeatureMatrix,
    labels: Vec<bool>,
}

/// A model with how well it, and the baseline, did on the rows that were held out.
#[derive(Debug, Clone)]
pub struct TrainedModel {
    /// The model; it carries its calibration and its evaluation.
    pub model: PropensityModel,
    /// The rows that were held out, by the model.
    pub evaluation: Evaluation,
    /// The same rows, by one decision tree that was trained on the same rows.
    pub baseline: Evaluation,
}

impl TrainingSet {
    /// Reads `features` and `label` of a table; the rows of an id are all on one side of `split`. Without ids, rows are told
    /// apart by their number.
    ///
    /// # Complexity
    /// Memory for 4 bytes a value, once.
    ///
    /// # Errors
    /// [`ScoringError::LabelIsId`], [`ScoringError::NullId`], [`ScoringError::EmptySide`];
    /// [`CoreError::Memory`] where training would need more than `memory`; what a value cannot be:
    /// [`PropensityError::FeatureType`], [`PropensityError::NotFinite`], [`PropensityError::LabelValue`] and others.
    pub fn read(
        table: &ScoringTable,
        features: &[String],
        label: &str,
        split: IdSplit,
        memory: MemoryBudget,
    ) -> Result<Self, ScoringError> {
        if table.ids().iter().any(|id| id == label) {
            return Err(ScoringError::LabelIsId { column: label.into() });
        }
        let id = table.ids().first();
        let columns = id.into_iter().chain(features).map(String::as_str).chain([label]);
        let builder =
            || Ok::<_, PropensityError>((FeatureMatrixBuilder::new(features)?, LabelBuilder::new(label)));
        let (mut train, mut calibrate, mut held_out) = (builder()?, builder()?, builder()?);
        let mut rows = 0u64;
        for batch in table.source.batches(&columns.collect::<Vec<_>>())? {
            let batch = batch?;
            let sides = sides(table, &batch, split, rows)?;
            for (side, (features, labels)) in
                [(Side::Train, &mut train), (Side::Calibrate, &mut calibrate), (Side::HeldOut, &mut held_out)]
            {
                features.push_where(&batch, |row| sides[row] == side)?;
                labels.push_where(&batch, |row| sides[row] == side)?;
            }
            rows += batch.num_rows() as u64;
            // Of the rows that are left out nothing is kept.
            require(memory, (rows as f64 * split.sample()) as u64, features.len())?;
        }
        let side = |(features, labels): (FeatureMatrixBuilder, LabelBuilder)| {
            Ok::<_, PropensityError>(Examples { features: features.finish()?, labels: labels.finish() })
        };
        let (train, calibrate, held_out) = (side(train)?, side(calibrate)?, side(held_out)?);
        for (examples, what) in [(&train, "train on"), (&held_out, "test on")] {
            if examples.labels.is_empty() {
                return Err(ScoringError::EmptySide { rows, what });
            }
        }
        Ok(Self { label: label.into(), train, calibrate, held_out })
    }

    /// Rows to train on.
    pub fn train_rows(&self) -> usize {
        self.train.labels.len()
    }

    /// Rows to calibrate on.
    pub fn calibration_rows(&self) -> usize {
        self.calibrate.labels.len()
    }

    /// Rows that are held out.
    pub fn held_out_rows(&self) -> usize {
        self.held_out.labels.len()
    }

    /// Returns boosted trees of the rows to train on: binning and boosting, and nothing else.
    ///
    /// # Errors
    /// [`PropensityError`], where there is one class only or a parameter makes no sense as well.
    pub fn fit(&self, params: BoostedTreesParams) -> Result<BoostedTrees, ScoringError> {
        Ok(params.check()?.fit_matrix(&self.train.features, &self.train.labels)?)
    }

    /// Returns the model of trees that [`TrainingSet::fit`] made, calibrated on the rows that are kept for it, with how well it
    /// and the baseline do on the rows held out.
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
                method.fit(&margins, &self.calibrate.labels)?
            }
        };
        let Examples { features, labels } = &self.held_out;
        let margins = trees.margins(&features.view())?.to_vec();
        let scores = TreeBaseline::fit(&self.train.features, &self.train.labels)?.scores(&features.view());
        let baseline = Evaluation::new(&scores, &scores, labels)?;
        let model =
            PropensityModel::new(trees, self.label.clone(), &self.train.labels).with_calibration(calibration);
        let evaluation = model.evaluate(&margins, labels)?;
        Ok(TrainedModel { model: model.with_evaluation(evaluation.clone()), evaluation, baseline })
    }
}

/// The side of each row of a batch; the id, if there is one, is its first column.
fn sides(
    table: &ScoringTable,
    batch: &RecordBatch,
    split: IdSplit,
    before: u64,
) -> Result<Vec<Side>, ScoringError> {
    let number = |row: usize| before + row as u64;
    let Some(name) = table.ids().first() else {
        let side = |row| split.side(IdRef::Int64(number(row).cast_signed()));
        return Ok((0..batch.num_rows()).map(side).collect());
    };
    let ids = TableColumn::new(table.source.path(), name, before, batch.column(0)).ids()?;
    let side = |row| match ids.get(row) {
        Some(id) => Ok(split.side(id)),
        None => Err(ScoringError::NullId { column: name.as_str().into(), row: number(row) }),
    };
    (0..ids.len()).map(side).collect()
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
