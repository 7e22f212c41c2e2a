//! One dictionary for a column whose row groups have dictionaries of their own.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray};
use arrow_schema::DataType;

use crate::error::StoreError;

/// The texts of a column so far, each once, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct UnifiedDictionary {
    codes: HashMap<Box<str>, i32>,
    texts: Vec<Box<str>>,
    /// All texts as an array, made again when there are more.
    array: Option<Arc<StringArray>>,
}

/// A dictionary that was looked up before, and the code of each of its texts.
#[derive(Debug, Default)]
pub(crate) struct LastDictionary {
    known: Option<(ArrayRef, Arc<[i32]>)>,
}

impl LastDictionary {
    /// Returns the code that `code` gives each text of a dictionary; it is asked once for neighbouring batches.
    pub(crate) fn codes(
        &mut self,
        values: &ArrayRef,
        mut code: impl FnMut(&str) -> Result<i32, StoreError>,
    ) -> Result<Arc<[i32]>, StoreError> {
        if let Some((known, codes)) = &self.known
            && Arc::ptr_eq(known, values)
        {
            return Ok(Arc::clone(codes));
        }
        let texts = values.as_string::<i32>();
        let codes: Arc<[i32]> = (0..texts.len())
            .map(|text| if texts.is_valid(text) { code(texts.value(text)) } else { Ok(0) })
            .collect::<Result<_, _>>()?;
        self.known = Some((Arc::clone(values), Arc::clone(&codes)));
        Ok(codes)
    }
}

impl UnifiedDictionary {
    /// Returns the code of a text, a new one where it was not there.
    pub(crate) fn code(&mut self, text: &str) -> i32 {
        if let Some(&code) = self.codes.get(text) {
            return code;
        }
        let code = self.texts.len() as i32;
        self.codes.insert(text.into(), code);
        self.texts.push(text.into());
        self.array = None;
        code
    }

    /// Returns the column of these codes.
    pub(crate) fn column(&mut self, codes: &Int32Array) -> Result<ArrayRef, StoreError> {
        let texts = self.array.get_or_insert_with(|| Arc::new(StringArray::from_iter_values(&self.texts)));
        let column = DictionaryArray::<Int32Type>::try_new(codes.clone(), Arc::clone(texts) as ArrayRef)?;
        Ok(Arc::new(column))
    }
}

/// Returns the codes of a dictionary column by those of its texts.
pub(crate) fn recoded(column: &DictionaryArray<Int32Type>, codes: &[i32]) -> Int32Array {
    let keys = column.keys();
    let code = |&key: &i32| codes.get(key as usize).copied().unwrap_or_default();
    Int32Array::new(keys.values().iter().map(code).collect(), keys.nulls().cloned())
}

/// Whether a column of this type has texts that are said once each.
pub(crate) fn is_text_dictionary(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Dictionary(key, value) if **key == DataType::Int32 && **value == DataType::Utf8)
}

/// Returns a batch in whose dictionaries every text stands once: where dictionaries were laid behind each other, it may
/// stand in several places.
pub(crate) fn without_twins(batch: RecordBatch) -> Result<RecordBatch, StoreError> {
    let is_text = |column: &ArrayRef| is_text_dictionary(column.data_type());
    if !batch.columns().iter().any(is_text) {
        return Ok(batch);
    }
    let columns = batch
        .columns()
        .iter()
        .map(|column| if is_text(column) { without_twin_texts(column) } else { Ok(Arc::clone(column)) });
    let columns = columns.collect::<Result<Vec<_>, StoreError>>()?;
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

/// The same of one dictionary of texts.
pub(crate) fn without_twin_texts(column: &ArrayRef) -> Result<ArrayRef, StoreError> {
    let dictionary = column.as_dictionary::<Int32Type>();
    let mut unified = UnifiedDictionary::default();
    let codes = LastDictionary::default().codes(dictionary.values(), |text| Ok(unified.code(text)))?;
    if unified.texts.len() == codes.len() {
        return Ok(Arc::clone(column));
    }
    unified.column(&recoded(dictionary, &codes))
}
