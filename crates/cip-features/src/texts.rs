//! Distinct texts of one user in dictionary columns, whose codes mean something else in every batch.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, cast::AsArray};
use cip_core::{CoreError, DistinctCodes, IdDictionary, IdRef, IdType};

/// Texts known beyond which those of earlier users are forgotten.
const MANY: usize = 1 << 16;

/// A code of the batch that was not met yet.
const UNMET: u32 = u32::MAX;
/// A code of the batch that stands for null.
const NULL: u32 = u32::MAX - 1;

/// Counts the distinct texts of a user, as codes of its own: a text is looked up once a batch, and not once a row.
#[derive(Debug)]
pub(crate) struct DistinctTexts {
    column: &'static str,
    known: IdDictionary,
    distinct: DistinctCodes,
    /// The dictionary of the batch, and the own code of each of its codes.
    values: Option<ArrayRef>,
    own: Vec<u32>,
}

impl DistinctTexts {
    pub(crate) fn new(column: &'static str) -> Self {
        Self {
            column,
            known: IdDictionary::new(column, IdType::Utf8),
            distinct: DistinctCodes::default(),
            values: None,
            own: Vec::new(),
        }
    }

    /// Begins a batch: the codes that follow are those of its dictionary.
    pub(crate) fn begin(&mut self, coded: &DictionaryArray<Int32Type>) -> Result<(), CoreError> {
        if self.values.as_ref().is_some_and(|values| Arc::ptr_eq(values, coded.values())) {
            return Ok(());
        }
        if self.known.len() > MANY {
            self.forget()?;
        }
        self.values = Some(Arc::clone(coded.values()));
        self.own.clear();
        self.own.resize(coded.values().len(), UNMET);
        Ok(())
    }

    /// Adds the texts of `rows`, which are of the batch begun last; nulls are none.
    pub(crate) fn extend(
        &mut self,
        coded: &DictionaryArray<Int32Type>,
        rows: Range<usize>,
    ) -> Result<(), CoreError> {
        let keys = coded.keys();
        for row in rows {
            if keys.is_valid(row) {
                let code = keys.value(row) as usize;
                let own = match self.own[code] {
                    UNMET => self.meet(coded, code)?,
                    own => own,
                };
                if own != NULL {
                    self.distinct.insert(own);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn count(&self) -> usize {
        self.distinct.count()
    }

    pub(crate) fn clear(&mut self) {
        self.distinct.clear();
    }

    fn meet(&mut self, coded: &DictionaryArray<Int32Type>, code: usize) -> Result<u32, CoreError> {
        let texts = coded.values().as_string::<i32>();
        let own = if texts.is_null(code) { NULL } else { self.known.code(IdRef::Utf8(texts.value(code)))? };
        self.own[code] = own;
        Ok(own)
    }

    /// Keeps only the texts of the open user.
    fn forget(&mut self) -> Result<(), CoreError> {
        let mut known = IdDictionary::new(self.column, IdType::Utf8);
        let mut distinct = DistinctCodes::default();
        for code in self.distinct.iter() {
            if let Some(text) = self.known.id(code) {
                distinct.insert(known.code(text)?);
            }
        }
        (self.known, self.distinct) = (known, distinct);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int32Array, StringArray};

    fn coded(texts: Vec<Option<String>>, keys: Vec<Option<i32>>) -> DictionaryArray<Int32Type> {
        DictionaryArray::new(Int32Array::from(keys), Arc::new(StringArray::from(texts)))
    }

    #[test]
    fn codes_of_batches_are_told_apart_and_nulls_of_both_kinds_are_none() {
        let mut distinct = DistinctTexts::new("brand");
        let text = |text: &str| Some(text.to_owned());
        for (batch, count) in [
            (coded(vec![text("a"), text("b"), None], vec![Some(0), Some(2), None, Some(0)]), 1),
            (coded(vec![text("b"), text("a"), text("a")], vec![Some(1), Some(2)]), 1),
            (coded(vec![text("b"), text("")], vec![Some(0), Some(1)]), 3),
        ] {
            distinct.begin(&batch).unwrap();
            distinct.extend(&batch, 0..batch.len()).unwrap();
            assert_eq!(distinct.count(), count);
        }
    }

    #[test]
    fn many_texts_are_forgotten_but_not_those_of_the_open_user() {
        let mut distinct = DistinctTexts::new("brand");
        for batch in 0..3 {
            let texts: Vec<_> = (0..MANY + 5).map(|n| Some(format!("{batch} {n}"))).collect();
            let rows = texts.len();
            let batch = coded(texts, (0..rows as i32).map(Some).collect());
            distinct.begin(&batch).unwrap();
            distinct.extend(&batch, 0..rows).unwrap();
            distinct.clear();
            distinct.extend(&batch, 0..7).unwrap();
        }
        assert!(distinct.known.len() <= MANY + 5 + 7);
        let again = coded((0..7).map(|n| Some(format!("2 {n}"))).collect(), (0..7).map(Some).collect());
        distinct.begin(&again).unwrap();
        distinct.extend(&again, 0..7).unwrap();
        assert_eq!((distinct.count(), distinct.known.len()), (7, 7));
    }
}
