//! Forms of a session id, and what it takes to make them, to filter, to group and to join by them.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, UInt32Type};
use arrow_array::{Array, ArrayRef, DictionaryArray, FixedSizeBinaryArray, Scalar, StringArray, UInt32Array};
use arrow_ord::cmp::eq;
use cip::core::{IdDictionary, IdRef, IdType, Uuid};
use foldhash::fast::RandomState;

type Map<K, V> = HashMap<K, V, RandomState>;

/// A way to hold session ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionForm {
    /// The text of the UUID, 36 bytes behind a 32-bit offset.
    Utf8,
    /// The text behind a 16-byte view.
    Utf8View,
    /// The 16 bytes that the text writes.
    FixedSizeBinary,
    /// A 32-bit key into the distinct texts.
    Dictionary,
    /// A dense 32-bit code; the ids stand in a table of their own.
    Dense,
}

impl SessionForm {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Utf8, Self::Utf8View, Self::FixedSizeBinary, Self::Dictionary, Self::Dense];

    /// The name in tables and benchmarks.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "Utf8",
            Self::Utf8View => "Utf8View",
            Self::FixedSizeBinary => "FixedSizeBinary(16)",
            Self::Dictionary => "Dictionary(Int32, Utf8)",
            Self::Dense => "dense UInt32",
        }
    }

    /// Returns the ids, given as texts, in this form.
    ///
    /// # Errors
    /// Where a text is no UUID.
    pub fn encode(self, texts: &StringArray) -> Result<ArrayRef, Box<dyn Error>> {
        Ok(match self {
            Self::Utf8 => Arc::new(StringArray::from_iter_values(texts.iter().flatten())),
            Self::Utf8View => {
                let mut views = StringViewBuilder::with_capacity(texts.len());
                texts.iter().flatten().for_each(|text| views.append_value(text));
                Arc::new(views.finish())
            }
            Self::FixedSizeBinary => {
                let parse = |text: &str| Uuid::parse(text.as_bytes()).map(|uuid| uuid.bytes());
                let uuids = texts.iter().flatten().map(parse).collect::<Option<Vec<_>>>();
                Arc::new(FixedSizeBinaryArray::try_from_iter(uuids.ok_or("not a UUID")?.into_iter())?)
            }
            Self::Dictionary => Arc::new(texts.iter().collect::<DictionaryArray<Int32Type>>()),
            Self::Dense => {
                let mut codes = IdDictionary::new("user_session", IdType::Utf8);
                let dense = texts.iter().flatten().map(|text| codes.code(IdRef::Utf8(text)));
                Arc::new(dense.collect::<Result<UInt32Array, _>>()?)
            }
        })
    }
}

/// Returns the distinct texts, in the order in which they are met: the sessions of a table with a row each.
pub fn distinct(texts: &StringArray) -> StringArray {
    let mut seen = std::collections::HashSet::<&str, RandomState>::default();
    StringArray::from_iter_values(texts.iter().flatten().filter(|text| seen.insert(text)))
}

/// Returns how many rows have the id of the first row.
///
/// # Errors
/// None for the forms that [`SessionForm::encode`] makes.
pub fn filter(ids: &ArrayRef) -> Result<usize, Box<dyn Error>> {
    // Of a dictionary the text is looked up once, and then keys are compared.
    let keys = ids.as_dictionary_opt::<Int32Type>().map(|ids| Arc::new(ids.keys().clone()) as ArrayRef);
    let ids = keys.as_ref().unwrap_or(ids);
    Ok(eq(ids, &Scalar::new(ids.slice(0, 1)))?.true_count())
}

/// Returns how many sessions there are, and the rows of the longest, by counting the rows of every session.
pub fn group(ids: &ArrayRef) -> (usize, u32) {
    fn hashed<K: Eq + std::hash::Hash>(ids: impl Iterator<Item = K>) -> (usize, u32) {
        let mut counts: Map<K, u32> = Map::default();
        ids.for_each(|id| *counts.entry(id).or_default() += 1);
        (counts.len(), counts.into_values().max().unwrap_or_default())
    }
    fn indexed(codes: impl Iterator<Item = usize>, distinct: usize) -> (usize, u32) {
        let mut counts = vec![0u32; distinct];
        codes.for_each(|code| counts[code] += 1);
        (counts.iter().filter(|&&count| count > 0).count(), counts.into_iter().max().unwrap_or_default())
    }
    if let Some(texts) = ids.as_string_opt::<i32>() {
        return hashed(texts.iter().flatten());
    }
    if let Some(texts) = ids.as_string_view_opt() {
        return hashed(texts.iter().flatten());
    }
    if let Some(uuids) = ids.as_fixed_size_binary_opt() {
        return hashed(uuids.iter().flatten().filter_map(|uuid| <[u8; 16]>::try_from(uuid).ok()));
    }
    if let Some(dictionary) = ids.as_dictionary_opt::<Int32Type>() {
        let keys = dictionary.keys().values();
        return indexed(keys.iter().map(|&key| key as usize), dictionary.values().len());
    }
    let codes = ids.as_primitive::<UInt32Type>().values();
    let distinct = codes.iter().copied().max().map_or(0, |most| most as usize + 1);
    indexed(codes.iter().map(|&code| code as usize), distinct)
}

/// Returns the sum, over all rows, of the number that a table with a row a session has for the row's session.
///
/// The table is in the same form; a hash table is built of it where the form has no codes.
pub fn join(ids: &ArrayRef, sessions: &ArrayRef, numbers: &UInt32Array) -> u64 {
    fn hashed<K: Eq + std::hash::Hash>(
        ids: impl Iterator<Item = K>,
        sessions: impl Iterator<Item = K>,
        numbers: &UInt32Array,
    ) -> u64 {
        let table: Map<K, u32> = sessions.zip(numbers.values().iter().copied()).collect();
        ids.filter_map(|id| table.get(&id)).map(|&number| u64::from(number)).sum()
    }
    if let (Some(ids), Some(sessions)) = (ids.as_string_opt::<i32>(), sessions.as_string_opt::<i32>()) {
        return hashed(ids.iter().flatten(), sessions.iter().flatten(), numbers);
    }
    if let (Some(ids), Some(sessions)) = (ids.as_string_view_opt(), sessions.as_string_view_opt()) {
        return hashed(ids.iter().flatten(), sessions.iter().flatten(), numbers);
    }
    if let (Some(ids), Some(sessions)) = (ids.as_fixed_size_binary_opt(), sessions.as_fixed_size_binary_opt())
    {
        let bytes = |uuid: &[u8]| <[u8; 16]>::try_from(uuid).ok();
        let (ids, sessions) =
            (ids.iter().flatten().filter_map(bytes), sessions.iter().flatten().filter_map(bytes));
        return hashed(ids, sessions, numbers);
    }
    if let (Some(ids), Some(sessions)) =
        (ids.as_dictionary_opt::<Int32Type>(), sessions.as_dictionary_opt::<Int32Type>())
    {
        // Dictionaries of two tables have codes of their own: they are brought together by text, once a session.
        let texts = |of: &DictionaryArray<Int32Type>| of.values().as_string::<i32>().clone();
        let (of_ids, of_sessions) = (texts(ids), texts(sessions));
        let keys = sessions.keys().values().iter().map(|&key| of_sessions.value(key as usize));
        let table: Map<&str, u32> = keys.zip(numbers.values().iter().copied()).collect();
        let by_key: Vec<u64> = of_ids
            .iter()
            .map(|text| text.and_then(|text| table.get(text)).map_or(0, |&number| number.into()))
            .collect();
        return ids.keys().values().iter().map(|&key| by_key[key as usize]).sum();
    }
    // Row c of the table is the session of code c.
    let codes = ids.as_primitive::<UInt32Type>().values();
    codes.iter().map(|&code| u64::from(numbers.value(code as usize))).sum()
}
