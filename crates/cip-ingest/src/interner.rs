//! Dictionaries of texts that repeat, shared by all threads.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use arrow_array::StringArray;
use foldhash::fast::RandomState;
use indexmap::IndexSet;

use crate::field::{FieldText, TextWords};

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
    /// Short texts that were looked up lately, each at the one place that its hash gives.
    recent: Vec<Recent>,
}

/// A text of at most 32 bytes and its code; an empty one, which is never looked up, in a place that was not filled.
#[derive(Debug, Clone, Default)]
struct Recent {
    words: TextWords,
    code: u32,
}

impl DictionaryCache {
    const PLACES: usize = 1 << 11;

    /// The place of a text; it need not hold it.
    #[inline(always)]
    fn place(words: &TextWords) -> usize {
        let first = words.a ^ words.b.rotate_left(23) ^ words.length;
        let second = words.c ^ words.d.rotate_left(23);
        let mixed = first.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ second.wrapping_mul(0xd1b5_4a32_d192_ed03);
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % Self::PLACES
    }
}

/// A text that is not UTF-8.
#[derive(Debug)]
pub(crate) struct NotUtf8;

impl SharedDictionary {
    /// Returns the code of a text that is not empty; it is renamed where it is new.
    #[inline(always)]
    pub(crate) fn code(
        &self,
        field: &FieldText<'_>,
        cache: &mut DictionaryCache,
        rename: &IndexMapOfNames,
    ) -> Result<u32, NotUtf8> {
        let Some(words) = field.words() else { return self.look_up(field.bytes(), cache, rename) };
        let place = DictionaryCache::place(&words);
        if let Some(recent) = cache.recent.get(place)
            && recent.words == words
        {
            return Ok(recent.code);
        }
        let code = self.look_up(field.bytes(), cache, rename)?;
        if cache.recent.is_empty() {
            cache.recent.resize(DictionaryCache::PLACES, Recent::default());
        }
        cache.recent[place] = Recent { words, code };
        Ok(code)
    }

    /// Returns the code of a text of at most 32 bytes that this thread looked up lately, if it is.
    #[inline(always)]
    pub(crate) fn known(text: &TextWords, cache: &DictionaryCache) -> Option<u32> {
        let recent = cache.recent.get(DictionaryCache::place(text))?;
        (recent.words == *text).then_some(recent.code)
    }

    fn look_up(
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

    /// Gives `visit` the text of a code; none where it was not given.
    pub(crate) fn with_text<R>(&self, code: u32, visit: impl FnOnce(&str) -> R) -> Option<R> {
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        values.get_index(code as usize).map(|text| visit(text))
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
