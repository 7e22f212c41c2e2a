//! From the batches of a table to its matrix.

use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use ndarray::Array2;

use super::FeatureMatrix;
use super::category::Categories;
use crate::boosted::BoostedTrees;
use crate::error::PropensityError;
use crate::matrix::columns::Columns;
use crate::matrix::number::{column, numbers};
use crate::matrix::text::{TextColumn, is_text, texts};

/// Gathers the features of a table, batch by batch.
#[derive(Debug)]
pub struct FeatureMatrixBuilder {
    names: Vec<Box<str>>,
    kinds: Vec<Kind>,
    values: Vec<f32>,
    rows: usize,
    /// Rows that were given, kept or not.
    seen: u64,
}

/// How a column is read.
#[derive(Debug)]
enum Kind {
    /// As its type in the first batch says.
    Unknown,
    Number,
    /// As the categories of a model, or of another matrix.
    Given(Categories),
    /// As the texts that there are, numbered as they come.
    Learned(TextColumn),
}

impl FeatureMatrixBuilder {
    /// Returns an empty builder of the columns `names`, in this order. Text makes a column one of categories.
    ///
    /// # Errors
    /// [`PropensityError::NoFeatures`] without a name, [`PropensityError::DuplicateFeature`].
    pub fn new<N: AsRef<str>>(names: &[N]) -> Result<Self, PropensityError> {
        if names.is_empty() {
            return Err(PropensityError::NoFeatures);
        }
        for (index, name) in names.iter().enumerate() {
            if names[..index].iter().any(|before| before.as_ref() == name.as_ref()) {
                return Err(PropensityError::DuplicateFeature { column: name.as_ref().into() });
            }
        }
        let names: Vec<Box<str>> = names.iter().map(|name| name.as_ref().into()).collect();
        let kinds = names.iter().map(|_| Kind::Unknown).collect();
        Ok(Self { names, kinds, values: Vec::new(), rows: 0, seen: 0 })
    }

    /// Returns an empty builder of the features that a model takes, each with the categories that the model knows.
    pub fn of_model(trees: &BoostedTrees) -> Self {
        Self::of_columns(&trees.columns)
    }

    /// Returns an empty builder of the same columns as a matrix, with its categories.
    pub fn like(features: &FeatureMatrix) -> Self {
        Self::of_columns(&features.columns)
    }

    fn of_columns(columns: &Columns) -> Self {
        let kind = |categories: &Option<Categories>| categories.clone().map_or(Kind::Number, Kind::Given);
        let kinds = columns.categories().iter().map(kind).collect();
        Self { names: columns.names().to_vec(), kinds, values: Vec::new(), rows: 0, seen: 0 }
    }

    /// Makes columns ones of categories whatever their type: such as numbers that are codes of something.
    ///
    /// # Errors
    /// [`PropensityError::MissingColumn`] where one is none of the features.
    pub fn with_categorical<N: AsRef<str>>(mut self, names: &[N]) -> Result<Self, PropensityError> {
        for name in names.iter().map(AsRef::as_ref) {
            let Some(at) = self.names.iter().position(|own| &**own == name) else {
                return Err(PropensityError::MissingColumn { column: name.into(), columns: self.names });
            };
            self.kinds[at] = Kind::Learned(TextColumn::default());
        }
        Ok(self)
    }

    /// Says that the next batch starts at this row of its table, for errors that name a row.
    #[must_use]
    pub fn with_first_row(self, row: u64) -> Self {
        Self { seen: row, ..self }
    }

    /// Adds the rows of a batch; its other columns are not looked at.
    ///
    /// # Errors
    /// [`PropensityError::MissingColumn`], [`PropensityError::FeatureType`], [`PropensityError::NotFinite`],
    /// [`PropensityError::CategoryType`], [`PropensityError::ManyTexts`].
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), PropensityError> {
        self.push_where(batch, |_| true)
    }

    /// Adds the rows of a batch, counted from 0, for which `keep` holds. The others count in the rows that errors name.
    ///
    /// # Errors
    /// As [`FeatureMatrixBuilder::push`].
    pub fn push_where(
        &mut self,
        batch: &RecordBatch,
        keep: impl Fn(usize) -> bool,
    ) -> Result<(), PropensityError> {
        let columns = self.names.len();
        let start = self.values.len();
        let kept = (0..batch.num_rows()).filter(|&row| keep(row)).count();
        self.values.resize(start + kept * columns, f32::NAN);
        for (index, (name, kind)) in self.names.iter().zip(&mut self.kinds).enumerate() {
            if matches!(kind, Kind::Unknown) {
                let text = is_text(column(batch, name)?.data_type());
                *kind = if text { Kind::Learned(TextColumn::default()) } else { Kind::Number };
            }
            let cells = self.values[start..].iter_mut().skip(index).step_by(columns);
            let kept = (0..batch.num_rows()).filter(|&row| keep(row));
            match kind {
                Kind::Unknown | Kind::Number => {
                    let refuse = |found| PropensityError::FeatureType { column: name.clone(), found };
                    let numbers = numbers(batch, name, refuse)?;
                    for (cell, row) in cells.zip(kept) {
                        if numbers.is_null(row) {
                            continue;
                        }
                        let value = numbers.value(row);
                        *cell = value as f32;
                        if cell.is_infinite() {
                            let row = self.seen + row as u64;
                            return Err(PropensityError::NotFinite { column: name.clone(), row, value });
                        }
                    }
                }
                Kind::Given(categories) => {
                    let texts = texts(batch, name, self.seen)?;
                    for (cell, row) in cells.zip(kept).filter(|(_, row)| texts.is_valid(*row)) {
                        *cell = categories.code(texts.value(row)) as f32;
                    }
                }
                Kind::Learned(column) => {
                    let texts = texts(batch, name, self.seen)?;
                    for (cell, row) in cells.zip(kept).filter(|(_, row)| texts.is_valid(*row)) {
                        *cell = column.number(name, texts.value(row))? as f32;
                    }
                }
            }
        }
        self.rows += kept;
        self.seen += batch.num_rows() as u64;
        Ok(())
    }

    /// Returns the matrix. Columns of text whose categories were not given have those that are kept of its rows.
    ///
    /// # Errors
    /// None of its own: the shape is as many values as rows and columns make.
    pub fn finish(self) -> Result<FeatureMatrix, PropensityError> {
        let no_categories = vec![None; self.names.len()];
        self.finish_with(&no_categories)
    }

    /// Returns the matrix with the categories of another of the same columns: what was learned from rows to train on serves for all.
    ///
    /// # Errors
    /// [`PropensityError::OtherCategories`] where a column is text here and a number there.
    pub fn finish_like(self, other: &FeatureMatrix) -> Result<FeatureMatrix, PropensityError> {
        let found = self.finish_with(other.categories())?;
        other.columns.require_same(&found.columns)?;
        Ok(found)
    }

    fn finish_with(self, given: &[Option<Categories>]) -> Result<FeatureMatrix, PropensityError> {
        let Self { names, kinds, values, rows, .. } = self;
        let count = names.len();
        let mut values = Array2::from_shape_vec((rows, count), values).map_err(linfa::Error::from)?;
        let mut different = vec![None; count];
        let mut columns = Vec::with_capacity(count);
        for (index, (name, kind)) in names.into_iter().zip(kinds).enumerate() {
            let given = given.get(index).and_then(Option::as_ref);
            let categories = match kind {
                // No batch has said what it is.
                Kind::Unknown => given.cloned(),
                Kind::Number => None,
                Kind::Given(categories) => Some(categories),
                Kind::Learned(texts) => {
                    let mut cells = values.column_mut(index);
                    different[index] = Some(texts.different());
                    Some(texts.into_codes(cells.iter_mut(), given))
                }
            };
            columns.push((name, categories));
        }
        Ok(FeatureMatrix {
            columns: Arc::new(Columns::new(columns)),
            different: different.into(),
            values: values.into_shared(),
        })
    }
}
