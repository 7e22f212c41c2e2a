//! Columns of any table as what a reader wants of them: ids, labels, or numbers.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef, DictionaryArray, Float64Array, Int64Array};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};
use cip_core::{IdColumn, IdType, MICROS_PER_DAY, Timestamp};

use crate::error::StoreError;

/// A column of a batch of a table, whatever its type; path, name and rows are for errors.
#[derive(Debug, Clone, Copy)]
pub struct TableColumn<'a> {
    path: &'a Path,
    name: &'a str,
    /// Rows of the batches before.
    rows_before: u64,
    array: &'a ArrayRef,
}

impl<'a> TableColumn<'a> {
    /// Returns the column `name` of the table at `path`; `rows_before` rows stand in the batches before this one.
    pub fn new(path: &'a Path, name: &'a str, rows_before: u64, array: &'a ArrayRef) -> Self {
        Self { path, name, rows_before, array }
    }

    /// The type of ids that a column of this type gives; none where such values are no ids.
    pub fn id_type(data_type: &DataType) -> Option<IdType> {
        match data_type {
            DataType::Dictionary(_, values) => Self::id_type(values),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(IdType::Utf8),
            integer if integer.is_integer() => Some(IdType::Int64),
            _ => None,
        }
    }

    /// Returns text of any kind, or integers of any width, as ids; nulls stay null.
    ///
    /// # Errors
    /// [`StoreError::ColumnKind`] for any other type, [`StoreError::IdRange`] where an integer needs more than 64 bits with
    /// a sign.
    pub fn ids(&self) -> Result<IdColumn, StoreError> {
        let Some(id_type) = Self::id_type(self.array.data_type()) else {
            return Err(self.wrong_kind("integers or text: write ids as one of these"));
        };
        // What does not fit becomes null.
        let ids = cast(self.array, &id_type.data_type())?;
        if ids.null_count() != self.array.logical_null_count() {
            let wide = cast(self.array, &DataType::UInt64)?;
            let lost = (0..ids.len()).find(|&row| ids.is_null(row) && wide.is_valid(row)).unwrap_or_default();
            return Err(StoreError::IdRange {
                path: self.path.to_owned(),
                row: self.rows_before + lost as u64 + 1,
                column: self.name.to_owned(),
                id: wide.as_primitive::<UInt64Type>().value(lost),
            });
        }
        Ok(IdColumn::try_new(self.name, &ids)?)
    }

    /// Returns text, integers or booleans as labels: integers by their digits, booleans as `true` and `false`.
    ///
    /// # Errors
    /// As [`TableColumn::ids`].
    pub fn labels(&self) -> Result<Vec<Option<String>>, StoreError> {
        if let Some(flags) = self.array.as_boolean_opt() {
            return Ok(flags.iter().map(|flag| flag.map(|flag| flag.to_string())).collect());
        }
        let ids = self.ids()?;
        Ok((0..ids.len()).map(|row| ids.get(row).map(|id| id.to_string())).collect())
    }

    /// Returns the same labels as a dictionary, in which each text stands once a batch or a few times; nulls stay null.
    ///
    /// # Errors
    /// As [`TableColumn::ids`].
    pub fn categories(&self) -> Result<DictionaryArray<Int32Type>, StoreError> {
        if self.array.as_boolean_opt().is_some() {
            return Ok(self.labels()?.iter().map(Option::as_deref).collect());
        }
        let packed = match self.array.data_type() {
            DataType::Dictionary(..) => Arc::clone(self.array),
            _ => match self.ids()? {
                IdColumn::Int64(ids) => Arc::new(ids) as ArrayRef,
                IdColumn::Utf8(ids) => Arc::new(ids) as ArrayRef,
            },
        };
        let values = match TableColumn::id_type(packed.data_type()) {
            Some(id_type) => id_type.data_type(),
            None => return Err(self.wrong_kind("integers or text: write ids as one of these")),
        };
        let packed = cast(&packed, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(values)))?;
        let packed = packed.as_dictionary::<Int32Type>();
        Ok(packed.with_values(cast(packed.values(), &DataType::Utf8)?))
    }

    /// Returns integers, floating-point numbers, decimals or booleans (false 0, true 1) as numbers; nulls stay null.
    ///
    /// # Errors
    /// [`StoreError::ColumnKind`] for any other type.
    pub fn numbers(&self) -> Result<Float64Array, StoreError> {
        let numeric = |data_type: &DataType| {
            data_type.is_numeric() || matches!(data_type, DataType::Boolean | DataType::Null)
        };
        let fits = match self.array.data_type() {
            DataType::Dictionary(_, values) => numeric(values),
            data_type => numeric(data_type),
        };
        if !fits {
            return Err(self.wrong_kind("booleans or numbers"));
        }
        Ok(cast(self.array, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
    }

    /// Returns dates, timestamps, or text that starts with a date such as `2019-10-01`, as days since 1970-01-01 (UTC); nulls
    /// stay null.
    ///
    /// # Errors
    /// [`StoreError::ColumnKind`] for any other type, and for text of which any does not start with a date.
    pub fn days(&self) -> Result<Vec<Option<i64>>, StoreError> {
        const EXPECTED: &str = "dates, timestamps, or text that starts with a date such as 2019-10-01";
        let is_text = Self::id_type(self.array.data_type()) == Some(IdType::Utf8);
        if is_text {
            let day = |text: &str| {
                let date = text.get(..10)?.parse::<Timestamp>().ok()?;
                Some(date.micros().div_euclid(MICROS_PER_DAY))
            };
            let texts = self.labels()?.into_iter();
            let days = texts.map(|text| text.map(|text| day(&text).ok_or(())).transpose());
            return days.collect::<Result<_, ()>>().map_err(|()| self.wrong_kind(EXPECTED));
        }
        let dated = |data_type: &DataType| {
            matches!(
                data_type,
                DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) | DataType::Null
            )
        };
        if !dated(self.array.data_type()) {
            return Err(self.wrong_kind(EXPECTED));
        }
        // An instant is one whatever zone it is shown in: its day is that of UTC, and no table of zones is asked.
        if let DataType::Timestamp(_, zone @ Some(_)) = self.array.data_type() {
            let instants = cast(self.array, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
            let day = |micros: i64| micros.div_euclid(MICROS_PER_DAY);
            return Ok(instants
                .as_primitive::<TimestampMicrosecondType>()
                .iter()
                .map(|micros| micros.map(day))
                .collect());
        }
        let days = cast(self.array, &DataType::Date32)?;
        Ok(days.as_primitive::<Date32Type>().iter().map(|day| day.map(i64::from)).collect())
    }

    /// Returns dates (their midnight, UTC), timestamps, or text such as `2019-10-01` or `2019-10-01T12:00:00Z`, as microseconds since
    /// 1970-01-01 (UTC); nulls stay null.
    ///
    /// # Errors
    /// [`StoreError::ColumnKind`] for any other type, and for text that is neither.
    pub fn instants(&self) -> Result<Int64Array, StoreError> {
        const EXPECTED: &str = "dates, timestamps, or text such as 2019-10-01 or 2019-10-01T12:00:00Z";
        match self.array.data_type() {
            data_type if Self::id_type(data_type) == Some(IdType::Utf8) => {
                let parse = |text: String| text.parse::<Timestamp>().map(Timestamp::micros);
                let instants = self.labels()?.into_iter().map(|text| text.map(parse).transpose());
                instants.collect::<Result<_, _>>().map_err(|_| self.wrong_kind(EXPECTED))
            }
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) | DataType::Null => {
                let micros = cast(self.array, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
                Ok(cast(&micros, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            _ => Err(self.wrong_kind(EXPECTED)),
        }
    }

    fn wrong_kind(&self, expected: &'static str) -> StoreError {
        StoreError::ColumnKind {
            path: self.path.to_owned(),
            column: self.name.to_owned(),
            found: self.array.data_type().clone(),
            expected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::types::Int8Type;
    use arrow_array::{
        BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Int64Array, LargeStringArray,
        StringArray, StringViewArray, TimestampMicrosecondArray, TimestampSecondArray, UInt64Array,
    };
    use std::sync::Arc;

    fn column(array: &ArrayRef) -> TableColumn<'_> {
        TableColumn::new(Path::new("t"), "c", 10, array)
    }

    fn texts(array: ArrayRef) -> Vec<Option<String>> {
        let ids = column(&array).ids().unwrap();
        (0..ids.len()).map(|row| ids.get(row).map(|id| id.to_string())).collect()
    }

    #[test]
    fn ids_are_those_of_the_table_whatever_its_types() {
        let expected = [Some("a".to_owned()), None, Some("b".to_owned())];
        let given = [Some("a"), None, Some("b")];
        let dictionary: DictionaryArray<Int8Type> = given.into_iter().collect();
        for array in [
            Arc::new(StringArray::from(given.to_vec())) as ArrayRef,
            Arc::new(LargeStringArray::from(given.to_vec())),
            Arc::new(StringViewArray::from(given.to_vec())),
            Arc::new(dictionary),
        ] {
            assert_eq!(texts(Arc::clone(&array)), expected);
            // A slice reads its own rows.
            assert_eq!(texts(array.slice(1, 2)), expected[1..]);
        }
        assert_eq!(texts(Arc::new(UInt64Array::from(vec![7]))), [Some("7".to_owned())]);
        let beyond: ArrayRef = Arc::new(UInt64Array::from(vec![1, u64::MAX]));
        let error = column(&beyond).ids().unwrap_err().to_string();
        assert!(error.starts_with("t row 12: `c`: 18446744073709551615 is beyond"), "{error}");
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
        let error = column(&floats).ids().unwrap_err().to_string();
        assert_eq!(error, "t: column `c` is Float64, expected integers or text: write ids as one of these");
    }

    #[test]
    fn integers_of_a_dictionary_are_ids_as_well() {
        let keys = arrow_array::Int8Array::from(vec![Some(1), None, Some(0)]);
        let dictionary = DictionaryArray::new(keys, Arc::new(Int64Array::from(vec![7, 8])));
        assert_eq!(texts(Arc::new(dictionary)), [Some("8".to_owned()), None, Some("7".to_owned())]);
    }

    #[test]
    fn categories_are_the_labels() {
        let texts = [Some("b"), None, Some("a"), Some("b")];
        let dictionary: DictionaryArray<Int8Type> = texts.into_iter().collect();
        let keys = arrow_array::Int8Array::from(vec![Some(1), None, Some(0)]);
        let numbered = DictionaryArray::new(keys, Arc::new(Int64Array::from(vec![7, 8])));
        for array in [
            Arc::new(StringArray::from(texts.to_vec())) as ArrayRef,
            Arc::new(LargeStringArray::from(texts.to_vec())),
            Arc::new(StringViewArray::from(texts.to_vec())),
            Arc::new(dictionary),
            Arc::new(numbered),
            Arc::new(Int64Array::from(vec![Some(-3), None, Some(40)])),
            Arc::new(UInt64Array::from(vec![7, 7, 1])),
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        ] {
            for array in [Arc::clone(&array), array.slice(1, 2), array.slice(0, 0)] {
                let found = column(&array).categories().unwrap();
                let found = found.downcast_dict::<StringArray>().unwrap();
                let found: Vec<_> = found.into_iter().map(|text| text.map(str::to_owned)).collect();
                assert_eq!(found, column(&array).labels().unwrap(), "{:?}", array.data_type());
            }
        }
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
        assert!(column(&floats).categories().is_err());
    }

    #[test]
    fn instants_are_those_of_utc() {
        let instants =
            |array: ArrayRef| column(&array).instants().map(|found| found.iter().collect::<Vec<_>>());
        let texts = StringArray::from(vec![Some("1970-01-02"), None, Some("1970-01-01T00:00:01Z")]);
        assert_eq!(instants(Arc::new(texts)).unwrap(), [Some(MICROS_PER_DAY), None, Some(1_000_000)]);
        assert_eq!(instants(Arc::new(TimestampMicrosecondArray::from(vec![-1]))).unwrap(), [Some(-1)]);
        assert_eq!(instants(Arc::new(Date32Array::from(vec![-1]))).unwrap(), [Some(-MICROS_PER_DAY)]);
        for array in
            [Arc::new(StringArray::from(vec!["soon"])) as ArrayRef, Arc::new(Int64Array::from(vec![1]))]
        {
            let error = instants(array).unwrap_err().to_string();
            assert!(error.contains("expected dates, timestamps, or text such as"), "{error}");
        }
    }

    #[test]
    fn numbers_are_numbers() {
        let numbers =
            |array: ArrayRef| column(&array).numbers().map(|numbers| numbers.iter().collect::<Vec<_>>());
        let money = Decimal128Array::from(vec![Some(-125), None]).with_precision_and_scale(18, 2).unwrap();
        assert_eq!(numbers(Arc::new(money)).unwrap(), [Some(-1.25), None]);
        let flags = BooleanArray::from(vec![Some(true), Some(false), None]);
        assert_eq!(numbers(Arc::new(flags)).unwrap(), [Some(1.0), Some(0.0), None]);
        assert!(numbers(Arc::new(StringArray::from(vec!["1"]))).is_err());
    }

    #[test]
    fn days_are_those_of_utc() {
        let days = |array: ArrayRef| column(&array).days();
        let texts = StringArray::from(vec![Some("1970-01-02"), None, Some("1969-12-31 23:59:59 UTC")]);
        assert_eq!(days(Arc::new(texts)).unwrap(), [Some(1), None, Some(-1)]);
        let instants = TimestampMicrosecondArray::from(vec![Some(-1), None, Some(MICROS_PER_DAY)]);
        assert_eq!(days(Arc::new(instants.clone())).unwrap(), [Some(-1), None, Some(1)]);
        for zone in ["UTC", "Europe/Berlin", "+05:00"] {
            let instants = instants.clone().with_timezone(zone);
            assert_eq!(days(Arc::new(instants)).unwrap(), [Some(-1), None, Some(1)], "{zone}");
        }
        let seconds = TimestampSecondArray::from(vec![86_399, 86_400]).with_timezone("UTC");
        assert_eq!(days(Arc::new(seconds)).unwrap(), [Some(0), Some(1)]);
        assert_eq!(days(Arc::new(Date32Array::from(vec![7]))).unwrap(), [Some(7)]);
        for array in
            [Arc::new(StringArray::from(vec!["monday"])) as ArrayRef, Arc::new(Int64Array::from(vec![1]))]
        {
            let error = days(array).unwrap_err().to_string();
            assert!(error.contains("expected dates, timestamps, or text that starts with a date"), "{error}");
        }
    }
}
