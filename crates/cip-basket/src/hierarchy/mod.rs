//! Hierarchies: products under categories and brands, categories under categories.

mod above;
mod builder;
mod known;
mod wider;

pub(crate) use above::Above;
pub use builder::HierarchyBuilder;
pub(crate) use known::BasketItems;
pub use known::Hierarchy;
pub(crate) use wider::Wider;
