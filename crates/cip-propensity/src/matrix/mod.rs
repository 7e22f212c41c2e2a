//! Feature tables as numbers: row-major, 32 bits, NaN where a value is unknown.

mod category;
pub(crate) mod columns;
pub(crate) mod number;
pub(crate) mod text;

use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use ndarray::{ArcArray2, Array2, ArrayView2, Axis};

use crate::boosted::BoostedTrees;
use crate::error::PropensityError;
use crate::matrix::columns::Columns;
use crate::matrix::number::{column, numbers};
use crate::matrix::text::{TextColumn, is_text, texts};

pub use category::Categories;

/// The features of some rows, as a model takes them.
///
/// # Input
/// Columns of integers, floating-point numbers, decimals or booleans, or of text (dictionaries of it as well); null and NaN are unknown,
/// infinities are refused. Values are rounded to 32 bits, which keeps whole numbers up to 16,777,216 exact. Text is the code of its
/// category: see [`Categories`].
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch};
/// use cip_propensity::FeatureMatrix;
/// # let batch = RecordBatch::try_from_iter([
/// #     ("user_id", Arc::new(Int64Array::from(vec![7, 8])) as ArrayRef),
/// #     ("views", Arc::new(Int64Array::from(vec![Some(3), None]))),
/// #     ("returning", Arc::new(BooleanArray::from(vec![true, false]))),
/// # ])?;
/// let features = FeatureMatrix::from_batches(&["views", "returning"], &[batch])?;
/// assert_eq!(features.view().shape(), [2, 2]);
/// assert_eq!(features.view().row(0).to_vec(), [3.0, 1.0]);
/// assert!(features.view()[[1, 0]].is_nan());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct FeatureMatrix {
    columns: Arc<Columns>,
    /// Of each column of text, how many different ones there were.
    different: Arc<[Option<u64>]>,
    values: ArcArray2<f32>,
}

impl FeatureMatrix {
    /// Returns the columns `names` of all batches; categories are learned from their rows.
    ///
    /// # Errors
    /// As [`FeatureMatrixBuilder::new`] and [`FeatureMatrixBuilder::push`].
    pub fn from_batches<N: AsRef<str>>(
        names: &[N],
        batches: &[RecordBatch],
    ) -> Result<Self, PropensityError> {
        let mut builder = FeatureMatrixBuilder::new(names)?;
        for batch in batches {
            builder.push(batch)?;
        }
        builder.finish()
    }

    /// The names of the columns.
    pub fn names(&self) -> &[Box<str>] {
        self.columns.names()
    }

    /// The categories of each column; none where it is a number.
    pub fn categories(&self) -> &[Option<Categories>] {
        self.columns.categories()
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.values.nrows()
    }

    /// Returns the values, one row a row, as ndarray and linfa have them.
    pub fn view(&self) -> ArrayView2<'_, f32> {
        self.values.view()
    }

    /// Returns some of the rows, in the order given.
    ///
    /// # Panics
    /// Where a row is out of bounds, as slices do.
    pub fn select(&self, rows: &[usize]) -> Self {
        Self { values: self.values.select(Axis(0), rows).into_shared(), ..self.clone() }
    }

    pub(crate) fn columns(&self) -> &Arc<Columns> {
        &self.columns
    }

    /// Of each column of text, how many different ones its rows had before the rare became one.
    pub(crate) fn different_texts(&self) -> &[Option<u64>] {
        &self.different
    }

    /// The values without copying them; another handle on the same memory.
    pub(crate) fn shared_values(&self) -> ArcArray2<f32> {
        self.values.clone()
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::types::Int32Type;
    use arrow_array::{
        ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
        Int8Array, Int64Array, NullArray, StringArray, UInt64Array,
    };
    use arrow_cast::cast;
    use arrow_schema::DataType;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
            .unwrap()
    }

    #[test]
    fn every_kind_of_number_is_read_and_nulls_are_unknown() {
        let money = Decimal128Array::from(vec![Some(1_250), None]).with_precision_and_scale(18, 2).unwrap();
        let batch = batch(vec![
            ("int8", Arc::new(Int8Array::from(vec![Some(-3), None]))),
            ("uint64", Arc::new(UInt64Array::from(vec![Some(1 << 40), None]))),
            ("float32", Arc::new(Float32Array::from(vec![Some(0.5), Some(f32::NAN)]))),
            ("float64", Arc::new(Float64Array::from(vec![Some(0.25), None]))),
            ("boolean", Arc::new(BooleanArray::from(vec![Some(true), None]))),
            ("money", Arc::new(money)),
            ("null", Arc::new(NullArray::new(2))),
        ]);
        let names = ["int8", "uint64", "float32", "float64", "boolean", "money", "null"];
        let matrix = FeatureMatrix::from_batches(&names, &[batch.clone(), batch]).unwrap();
        assert_eq!((matrix.rows(), matrix.view().ncols()), (4, 7));
        let row = matrix.view().row(2).to_vec();
        assert_eq!(row[..6], [-3.0, (1u64 << 40) as f32, 0.5, 0.25, 1.0, 12.5]);
        assert!(row[6].is_nan() && matrix.view().row(1).iter().all(|value| value.is_nan()));
        assert_eq!(matrix.select(&[3, 0]).view().row(1).to_vec()[..6], row[..6]);
    }

    /// Sixty rows of plans, as text of four kinds and as numbers; one in six is null, one in six is rare.
    fn plans(rows: std::ops::Range<usize>) -> RecordBatch {
        let of = |row: usize| match row % 6 {
            0 => None,
            1 => Some(if row == 1 { "trial" } else { "staff" }),
            2 | 3 => Some("yearly"),
            _ => Some("monthly"),
        };
        let text = || rows.clone().map(of);
        let strings: StringArray = text().collect();
        let number = |row: usize| of(row).map(|plan| plan.len() as i64);
        batch(vec![
            ("utf8", Arc::new(strings.clone())),
            ("view", cast(&strings, &DataType::Utf8View).unwrap()),
            ("large", cast(&strings, &DataType::LargeUtf8).unwrap()),
            ("dictionary", Arc::new(text().collect::<DictionaryArray<Int32Type>>())),
            ("number", Arc::new(rows.clone().map(number).collect::<Int64Array>())),
            (
                "float",
                Arc::new(rows.clone().map(|row| number(row).map(|n| n as f64)).collect::<Float64Array>()),
            ),
        ])
    }

    #[test]
    fn text_is_the_code_of_its_category_however_it_is_stored_and_cut() {
        let names = ["utf8", "view", "large", "dictionary", "number", "float"];
        let builder = || FeatureMatrixBuilder::new(&names).unwrap().with_categorical(&names[4..]).unwrap();
        let mut whole = builder();
        whole.push(&plans(0..60)).unwrap();
        let whole = whole.finish().unwrap();
        for (name, categories) in names.iter().zip(whole.categories()) {
            let kept: Vec<&str> = categories.as_ref().unwrap().names().iter().map(AsRef::as_ref).collect();
            // Of lengths there is one more: trial and staff have the same.
            let expected = match *name {
                "number" | "float" => ["5", "6", "7"].as_slice(),
                _ => ["monthly", "yearly"].as_slice(),
            };
            assert_eq!(kept, expected, "{name}");
        }
        let row = |matrix: &FeatureMatrix, row: usize| matrix.view().row(row).to_vec();
        assert_eq!(row(&whole, 1), [2.0, 2.0, 2.0, 2.0, 0.0, 0.0]);
        assert_eq!(row(&whole, 2), [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(row(&whole, 5), [0.0, 0.0, 0.0, 0.0, 2.0, 2.0]);
        assert!(row(&whole, 0).iter().all(|value| value.is_nan()));
        assert_eq!(whole.different_texts()[..2], [Some(4), Some(4)]);

        // In any parts, and sliced.
        let mut parts = builder();
        for (from, rows) in [(0, 7), (7, 0), (7, 40), (47, 13)] {
            parts.push(&plans(0..60).slice(from, rows)).unwrap();
        }
        let parts = parts.finish().unwrap();
        assert_eq!(parts.columns, whole.columns);
        for at in 0..60 {
            assert_eq!(format!("{:?}", row(&parts, at)), format!("{:?}", row(&whole, at)));
        }

        // Other rows have the same codes, by either way, and what is new is what is rare.
        let other = plans(2..4);
        let (mut like, mut finished) = (FeatureMatrixBuilder::like(&whole), builder());
        like.push(&other).unwrap();
        finished.push(&other).unwrap();
        let finished = finished.finish_like(&whole).unwrap();
        assert_eq!(like.finish().unwrap().view(), finished.view());
        assert_eq!(row(&finished, 0), row(&whole, 2));
        let mut number = FeatureMatrixBuilder::new(&names).unwrap();
        number.push(&other).unwrap();
        let error = number.finish_like(&whole).unwrap_err().to_string();
        assert!(error.starts_with("feature `number` has other categories"), "{error}");
    }

    #[test]
    fn what_has_no_categories_is_refused_with_its_place() {
        let refuse = |array: ArrayRef| {
            let mut builder = FeatureMatrixBuilder::new(&["x"]).unwrap().with_categorical(&["x"]).unwrap();
            builder.push(&batch(vec![("x", array)])).unwrap_err().to_string()
        };
        assert!(
            refuse(Arc::new(Float64Array::from(vec![1.0, f64::NAN, -2.5])))
                .contains("feature `x` is -2.5 in row 2 (from 0), expected a whole number")
        );
        assert!(refuse(Arc::new(Float64Array::from(vec![f64::INFINITY]))).contains("is inf in row 0"));
        assert!(refuse(Arc::new(Date32Array::from(vec![1]))).contains("is Date32, expected text"));
        let gone =
            FeatureMatrixBuilder::new(&["x"]).unwrap().with_categorical(&["y"]).unwrap_err().to_string();
        assert!(gone.contains("`y` is missing"), "{gone}");
        // A number where a model has numbers, and text that says nothing.
        let numbers = matrix_of(Arc::new(Float64Array::from(vec![1.0])));
        let like = |text: Option<&str>| {
            let mut like = FeatureMatrixBuilder::like(&numbers);
            like.push(&batch(vec![("x", Arc::new(StringArray::from(vec![text])) as ArrayRef)]))?;
            like.finish()
        };
        assert!(like(None).unwrap().view()[[0, 0]].is_nan());
        let error = like(Some("1")).unwrap_err().to_string();
        assert!(error.starts_with("feature `x` is Utf8, expected numbers or booleans:"), "{error}");
    }

    fn matrix_of(array: ArrayRef) -> FeatureMatrix {
        FeatureMatrix::from_batches(&["x"], &[batch(vec![("x", array)])]).unwrap()
    }

    #[test]
    fn what_is_no_feature_is_refused_with_its_place() {
        let good: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0]));
        let batch = batch(vec![
            ("good", good),
            ("infinite", Arc::new(Float64Array::from(vec![0.0, f64::NEG_INFINITY]))),
            ("huge", Arc::new(Float64Array::from(vec![1e39, 0.0]))),
            ("day", Arc::new(Date32Array::from(vec![1, 2]))),
        ]);
        let refuse = |names: &[&str]| {
            let mut builder = match FeatureMatrixBuilder::new(names) {
                Ok(builder) => builder,
                Err(error) => return error.to_string(),
            };
            builder
                .push(&batch.slice(0, 1))
                .err()
                .or_else(|| builder.push(&batch.slice(1, 1)).err())
                .unwrap()
                .to_string()
        };
        assert!(refuse(&["infinite"]).contains("feature `infinite` is -inf in row 1 (from 0)"));
        assert!(
            refuse(&["good", "huge"])
                .contains("feature `huge` is 1000000000000000000000000000000000000000 in row 0 (from 0)")
        );
        assert!(refuse(&["day"]).contains("feature `day` is Date32, expected numbers or booleans, or text"));
        assert!(refuse(&["gone"]).contains("the table has `good`, `infinite`, `huge`, `day`"));
        assert!(refuse(&["good", "good"]).contains("given twice"));
        assert!(refuse(&[]).contains("no column is left"));
    }
}
