//! Columns of lists of item names.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{ListBuilder, StringBuilder};
use cip_core::table;

/// A column of lists of item names.
#[derive(Debug)]
pub(crate) struct Lists(ListBuilder<StringBuilder>);

impl Default for Lists {
    fn default() -> Self {
        Self(ListBuilder::new(StringBuilder::new()).with_field(table::itemset_item()))
    }
}

impl Lists {
    pub(crate) fn push(&mut self, names: &[Box<str>], items: &[u32]) {
        items.iter().for_each(|&item| self.0.values().append_value(&names[item as usize]));
        self.0.append(true);
    }

    pub(crate) fn finish(mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}
