//! The columns of a matrix, and of a model: their names, and the categories of those that are no numbers.

use std::collections::BTreeMap;

use crate::error::PropensityError;
use crate::matrix::Categories;

/// Names and categories, one of each a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Columns {
    names: Vec<Box<str>>,
    categories: Vec<Option<Categories>>,
}

impl Columns {
    /// Columns of numbers.
    pub(crate) fn numbers(names: Vec<Box<str>>) -> Self {
        let categories = vec![None; names.len()];
        Self { names, categories }
    }

    /// Columns, each with its categories where it has some.
    pub(crate) fn new(columns: impl IntoIterator<Item = (Box<str>, Option<Categories>)>) -> Self {
        let (names, categories) = columns.into_iter().unzip();
        Self { names, categories }
    }

    /// Columns as a file has them: names, and by their name the categories of some. Names that are there twice are not looked for.
    pub(crate) fn of_file(
        names: Vec<Box<str>>,
        mut categories: BTreeMap<Box<str>, Categories>,
    ) -> Result<Self, PropensityError> {
        let columns: Vec<_> = (names.into_iter())
            .map(|name| {
                let categories = categories.remove(&name);
                (name, categories)
            })
            .collect();
        if !categories.is_empty() {
            let reason = "it has categories of what is none of its features";
            return Err(PropensityError::ModelHeader { reason });
        }
        columns.iter().filter_map(|(_, categories)| categories.as_ref()).try_for_each(Categories::check)?;
        Ok(Self::new(columns))
    }

    /// The categories by the names of their columns.
    pub(crate) fn by_name(&self) -> BTreeMap<Box<str>, Categories> {
        self.iter().filter_map(|(name, categories)| Some((name.into(), categories?.clone()))).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// The categories of each column; none of a number.
    pub(crate) fn categories(&self) -> &[Option<Categories>] {
        &self.categories
    }

    /// Each column with its categories.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Option<&Categories>)> {
        self.names.iter().map(AsRef::as_ref).zip(self.categories.iter().map(Option::as_ref))
    }

    /// Checks that others are the same.
    pub(crate) fn require_same(&self, others: &Self) -> Result<(), PropensityError> {
        if self.names != others.names {
            let (found, expected) = (others.len(), self.len());
            return Err(PropensityError::FeatureCount { found, expected });
        }
        match self.iter().zip(others.iter()).find(|(own, other)| own.1 != other.1) {
            Some(((name, _), _)) => Err(PropensityError::OtherCategories { column: name.into() }),
            None => Ok(()),
        }
    }
}
