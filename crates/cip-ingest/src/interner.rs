//! Dictionaries of texts that repeat, shared by all threads.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use arrow_array::StringArray;
use foldhash::fast::RandomState;
use indexmap::IndexSet;

/// Distinct texts and their codes. Codes depend on which thread came first; they never leave the process.
#[derive(Debug, Default)]
pub(crate) struct SharedDictionary {
    values: RwLock<IndexSet<Box<str>, RandomState>>,
    bytes: AtomicU64,
}

/// What one thread knows of a shared dictionary, without a lock.
#[derive(Debug, Default)]
pub(crate) struct DictionaryCache {
    codes: HashMap<Box<[u8]>, u32, RandomState>,
}

/// A text that is not UTF-8.
#[derive(Debug)]
pub(crate) struct NotUtf8;

impl SharedDictionary {
    /// Returns the code of `text`, which is renamed where it is new.
    pub(crate) fn code(
        &self,
        text: &[u8],
        cache: &mut DictionaryCache,
        rename: &IndexMapOfNames,
    ) -> Result<u32, NotUtf8> {
        if let Some(&code) = cache.codes.get(text) {
            return Ok(code);
        }
        let name = simdutf8::basic::from_utf8(text).map_err(|_| NotUtf8)?;
        let name = rename.get(name).map_or(name, String::as_str);
        let known = self.values.read().unwrap_or_else(PoisonError::into_inner).get_index_of(name);
        let index = match known {
            Some(index) => index,
            None => {
                /// A pointer and a length, a hash, and places in two tables.
                const OVERHEAD: u64 = 64;
                let (index, new) =
                    self.values.write().unwrap_or_else(PoisonError::into_inner).insert_full(name.into());
                self.bytes.fetch_add(if new { name.len() as u64 + OVERHEAD } else { 0 }, Ordering::Relaxed);
                index
            }
        };
        let code = index as u32;
        cache.codes.insert(text.into(), code);
        Ok(code)
    }

    /// About what the texts so far take.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The texts in code order.
    pub(crate) fn to_array(&self) -> StringArray {
        StringArray::from_iter_values(self.values.read().unwrap_or_else(PoisonError::into_inner).iter())
    }
}

pub(crate) type IndexMapOfNames = indexmap::IndexMap<String, String>;
