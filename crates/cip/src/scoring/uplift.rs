//! Uplift of a table: which rows were treated, what became of them, and what the treatment adds for each.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{Float64Array, Int64Array, RecordBatch, UInt64Array};
use arrow_select::take::take;
use cip_core::{CoreError, IdRef, MemoryBudget, table};
use cip_propensity::{
    AmountBuilder, BoostedTreesValidParams, FeatureMatrix, FeatureMatrixBuilder, IdFolds, LabelBuilder,
    PropensityError, UpliftEvaluation, UpliftMethod, UpliftModel, cross_fitted_amounts, cross_fitted_uplift,
    ranks,
};
use cip_store::{TableColumn, TableWriter};

use crate::scoring::training::require;
use crate::scoring::{ScoringError, ScoringTable};

/// Which values of a column say that a row was treated, and which that it was not; rows with another are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Arms {
    /// `true` or 1, and `false` or 0; no other may be there.
    #[default]
    Flag,
    /// Two of the values that there are.
    Named {
        /// Of rows that were treated.
        treated: String,
        /// Of rows that were not.
        control: String,
    },
}

impl Arms {
    /// Whether a row was treated; none where it is of neither arm.
    fn treated(&self, value: &str) -> Option<bool> {
        let (treated, control): (&[&str], &[&str]) = match self {
            Self::Flag => (&["true", "1"], &["false", "0"]),
            Self::Named { treated, control } => (&[treated], &[control]),
        };
        if treated.contains(&value) {
            return Some(true);
        }
        control.contains(&value).then_some(false)
    }
}

/// Which column is the outcome, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeColumn<'a> {
    /// Yes or no.
    Label(&'a str),
    /// Amounts, such as what was spent.
    Amount(&'a str),
}

impl<'a> OutcomeColumn<'a> {
    /// The name of the column.
    pub const fn name(self) -> &'a str {
        match self {
            Self::Label(name) | Self::Amount(name) => name,
        }
    }
}

/// The outcomes of some rows.
#[derive(Debug, Clone)]
enum Outcomes {
    Labels(Vec<bool>),
    Amounts(Vec<f64>),
}

/// Gathers outcomes.
enum OutcomeBuilder {
    Labels(LabelBuilder),
    Amounts(AmountBuilder),
}

impl OutcomeBuilder {
    fn new(column: OutcomeColumn<'_>) -> Self {
        match column {
            OutcomeColumn::Label(name) => Self::Labels(LabelBuilder::new(name)),
            OutcomeColumn::Amount(name) => Self::Amounts(AmountBuilder::new(name)),
        }
    }

    fn push_where(
        &mut self,
        batch: &RecordBatch,
        keep: impl Fn(usize) -> bool,
    ) -> Result<(), PropensityError> {
        match self {
            Self::Labels(labels) => labels.push_where(batch, keep),
            Self::Amounts(amounts) => amounts.push_where(batch, keep),
        }
    }

    fn finish(self) -> Outcomes {
        match self {
            Self::Labels(labels) => Outcomes::Labels(labels.finish()),
            Self::Amounts(amounts) => Outcomes::Amounts(amounts.finish()),
        }
    }
}

/// A table in memory: the features, arm and outcome of every row of two arms, and the fold that it is in.
#[derive(Debug, Clone)]
pub struct UpliftSet {
    features: FeatureMatrix,
    treated: Vec<bool>,
    outcomes: Outcomes,
    folds: Vec<u32>,
    /// The rows of the table that are in it, from 0.
    rows: Vec<u64>,
    left_out: u64,
}

/// What the treatment adds for each row of an [`UpliftSet`], by models that have not seen it.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundUplift {
    /// One a row.
    pub uplift: Vec<f64>,
    /// How well it ranks them.
    pub evaluation: UpliftEvaluation,
}

impl UpliftSet {
    /// Reads `features`, `treatment` and `outcome` of a table; rows of one id are in one fold. Without ids, rows are told apart by their
    /// number.
    ///
    /// # Complexity
    /// Memory for 4 bytes a value, and as much again while models learn.
    ///
    /// # Errors
    /// [`ScoringError::NullArm`], [`ScoringError::UnknownArm`], [`ScoringError::NullId`]; [`CoreError::Memory`] where learning would need more
    /// than `memory`; what a value cannot be, as [`TrainingSet::read`](crate::scoring::TrainingSet::read).
    pub fn read(
        table: &ScoringTable,
        features: &[String],
        (treatment, arms): (&str, &Arms),
        outcome: OutcomeColumn<'_>,
        folds: IdFolds,
        memory: MemoryBudget,
    ) -> Result<Self, ScoringError> {
        let id = table.ids().first();
        let columns = id.into_iter().chain(features).map(String::as_str).chain([outcome.name(), treatment]);
        let (mut matrix, mut outcomes) = (FeatureMatrixBuilder::new(features)?, OutcomeBuilder::new(outcome));
        let (mut treated, mut kept_rows, mut kept_folds) = (Vec::new(), Vec::new(), Vec::new());
        let mut before = 0;
        for batch in table.source.batches(&columns.collect::<Vec<_>>())? {
            let batch = batch?;
            let of = arms_of(table, &batch, (treatment, arms), before)?;
            let fold_of = folds_of(table, &batch, folds, before)?;
            matrix.push_where(&batch, |row| of[row].is_some())?;
            outcomes.push_where(&batch, |row| of[row].is_some())?;
            for (row, arm) in of.iter().enumerate() {
                if let Some(arm) = arm {
                    treated.push(*arm);
                    kept_rows.push(before + row as u64);
                    kept_folds.push(fold_of[row]);
                }
            }
            before += batch.num_rows() as u64;
            // Each model has a copy of its rows.
            require(memory, 2 * treated.len() as u64, features.len())?;
        }
        let left_out = before - kept_rows.len() as u64;
        let (features, outcomes) = (matrix.finish()?, outcomes.finish());
        Ok(Self { features, treated, outcomes, folds: kept_folds, rows: kept_rows, left_out })
    }

    /// Rows of the two arms.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Rows of other arms.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Returns the uplift of every row by models that have not seen it, and how well it ranks them.
    ///
    /// # Errors
    /// [`PropensityError`](cip_propensity::PropensityError), where an arm has no rows or one outcome only as well.
    pub fn cross_fit(
        &self,
        method: UpliftMethod,
        params: &BoostedTreesValidParams,
    ) -> Result<FoundUplift, ScoringError> {
        let Self { features, treated, outcomes, folds, .. } = self;
        let (uplift, evaluation) = match outcomes {
            Outcomes::Labels(labels) => {
                let uplift = cross_fitted_uplift(method, params, features, treated, labels, folds)?;
                let evaluation = UpliftEvaluation::new(&uplift, treated, labels)?;
                (uplift, evaluation)
            }
            Outcomes::Amounts(amounts) => {
                let uplift = cross_fitted_amounts(method, params, features, treated, amounts, folds)?;
                let evaluation = UpliftEvaluation::of_amounts(&uplift, treated, amounts)?;
                (uplift, evaluation)
            }
        };
        Ok(FoundUplift { uplift, evaluation })
    }

    /// Returns a model of all rows, for other tables: how well it ranks is what [`UpliftSet::cross_fit`] tells of its like.
    ///
    /// # Errors
    /// As [`UpliftSet::cross_fit`].
    pub fn fit(
        &self,
        method: UpliftMethod,
        params: &BoostedTreesValidParams,
    ) -> Result<UpliftModel, ScoringError> {
        let Self { features, treated, outcomes, .. } = self;
        Ok(match outcomes {
            Outcomes::Labels(labels) => UpliftModel::fit(method, params, features, treated, labels)?,
            Outcomes::Amounts(amounts) => {
                UpliftModel::fit_amounts(method, params, features, treated, amounts)?
            }
        })
    }

    /// Writes the uplift and rank of every row of the two arms to `path`, with the ids of `table`, from which the set was read, and
    /// returns how many there are.
    ///
    /// # Errors
    /// [`ScoringError`]; the old file at `path` is then still there.
    pub fn write_uplift(
        &self,
        table: &ScoringTable,
        found: &FoundUplift,
        path: &Path,
    ) -> Result<u64, ScoringError> {
        let ids = table.id_fields();
        let schema = table::uplift(ids.iter().cloned());
        let names: Vec<&str> = ids.iter().map(|field| field.name().as_str()).collect();
        let ranks = ranks(&found.uplift);
        let mut writer = TableWriter::create(path, "uplift", &schema)?;
        let (mut before, mut at) = (0, 0);
        for batch in table.source.batches(&names)? {
            let batch = batch?;
            let end = before + batch.num_rows() as u64;
            let count = self.rows[at..].partition_point(|row| *row < end);
            let chosen = at..at + count;
            let places: UInt64Array =
                self.rows[chosen.clone()].iter().map(|row| Some(row - before)).collect();
            let kept = batch.columns().iter().map(|column| take(column, &places, None));
            let mut columns = kept.collect::<Result<Vec<_>, _>>().map_err(CoreError::from)?;
            columns.push(Arc::new(
                self.rows[chosen.clone()].iter().map(|row| Some(row.cast_signed())).collect::<Int64Array>(),
            ));
            columns.push(Arc::new(Float64Array::from(found.uplift[chosen.clone()].to_vec())));
            columns.push(Arc::new(Int64Array::from(ranks[chosen].to_vec())));
            writer.write(RecordBatch::try_new(Arc::clone(&schema), columns).map_err(CoreError::from)?)?;
            (before, at) = (end, at + count);
        }
        Ok(writer.finish()?)
    }
}

/// Whether each row was treated; none for rows of another arm.
fn arms_of(
    table: &ScoringTable,
    batch: &RecordBatch,
    (treatment, arms): (&str, &Arms),
    before: u64,
) -> Result<Vec<Option<bool>>, ScoringError> {
    let column =
        TableColumn::new(table.source.path(), treatment, before, batch.column(batch.num_columns() - 1));
    let arm = |(row, value): (usize, Option<String>)| {
        let row = before + row as u64;
        let Some(value) = value else {
            return Err(ScoringError::NullArm { column: treatment.into(), row });
        };
        match (arms.treated(&value), arms) {
            (None, Arms::Flag) => {
                Err(ScoringError::UnknownArm { column: treatment.into(), value: value.into(), row })
            }
            (arm, _) => Ok(arm),
        }
    };
    column.labels()?.into_iter().enumerate().map(arm).collect()
}

/// The fold of each row; the id, if there is one, is the first column.
fn folds_of(
    table: &ScoringTable,
    batch: &RecordBatch,
    folds: IdFolds,
    before: u64,
) -> Result<Vec<u32>, ScoringError> {
    let number = |row: usize| before + row as u64;
    let Some(name) = table.ids().first() else {
        let fold = |row| folds.fold(IdRef::Int64(number(row).cast_signed()));
        return Ok((0..batch.num_rows()).map(fold).collect());
    };
    let ids = TableColumn::new(table.source.path(), name, before, batch.column(0)).ids()?;
    let fold = |row| match ids.get(row) {
        Some(id) => Ok(folds.fold(id)),
        None => Err(ScoringError::NullId { column: name.as_str().into(), row: number(row) }),
    };
    (0..ids.len()).map(fold).collect()
}
