//! What the event types of a batch are to a funnel, and which there are.

use std::collections::BTreeSet;

use arrow_array::types::Int32Type;
use arrow_array::{Array, DictionaryArray, cast::AsArray};
use cip_core::EventKind;

use crate::funnel::definition::Funnel;

/// What one event type is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TypeOf {
    /// Bit i: it is step i + 1.
    pub(crate) bits: u32,
    pub(crate) kind: EventKind,
}

/// Fills `types` with what each code of the dictionary is.
pub(crate) fn types_of(funnel: &Funnel, events: &DictionaryArray<Int32Type>, types: &mut Vec<TypeOf>) {
    let names = events.values().as_string::<i32>();
    types.clear();
    types.extend((0..names.len()).map(|code| {
        let name = names.value(code);
        TypeOf { bits: funnel.bits_of(name), kind: EventKind::from_event_type(name) }
    }));
}

/// Adds the names that occur to `seen`.
pub(crate) fn note_types(events: &DictionaryArray<Int32Type>, seen: &mut BTreeSet<Box<str>>) {
    let names = events.values().as_string::<i32>();
    let mut occurs = vec![false; names.len()];
    for &code in events.keys().values() {
        occurs[code as usize] = true;
    }
    for code in (0..names.len()).filter(|&code| occurs[code]) {
        let name = names.value(code);
        if !seen.contains(name) {
            seen.insert(name.into());
        }
    }
}
