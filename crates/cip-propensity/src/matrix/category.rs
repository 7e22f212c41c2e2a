//! Categories: which texts of a feature have a code of their own.

use serde::{Deserialize, Serialize};

use crate::error::PropensityError;

/// The categories of a feature that is no number, each with a code: its place among the names.
///
/// # Method
/// A category is kept where at least ten of the rows learned from have it, and of more than 254 such the most frequent, of equals those
/// that sort first. Names sort by their bytes. Every other text, whether rare or never seen, has the one code behind the last. So a model
/// has seen what it does with what is rare, and a feature has at most 255 codes.
///
/// # Examples
/// ```
/// use cip_propensity::Categories;
///
/// let plans = Categories::new(["Month-to-month", "One year", "Two year"].map(Into::into).to_vec())?;
/// assert_eq!((plans.code("One year"), plans.code("Three years"), plans.other()), (1, 3, 3));
/// assert_eq!((plans.name(1), plans.name(3)), (Some("One year"), None));
/// # Ok::<(), cip_propensity::PropensityError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Categories {
    names: Vec<Box<str>>,
}

impl Categories {
    /// The fewest rows of a category that is kept.
    pub const FEWEST_ROWS: u64 = 10;
    /// The most categories that are kept.
    pub const MOST: usize = 254;

    /// Returns the categories of these names.
    ///
    /// # Errors
    /// [`PropensityError::CategoryOrder`] where the names do not ascend, by their bytes.
    pub fn new(names: Vec<Box<str>>) -> Result<Self, PropensityError> {
        let categories = Self { names };
        categories.check()?;
        Ok(categories)
    }

    /// Checks categories that come from elsewhere.
    pub(crate) fn check(&self) -> Result<(), PropensityError> {
        match self.names.windows(2).find(|pair| pair[0] >= pair[1]) {
            Some(pair) => {
                let [first, second] = [&pair[0], &pair[1]].map(Clone::clone);
                Err(PropensityError::CategoryOrder { first, second })
            }
            None => Ok(()),
        }
    }

    /// The categories that are kept of texts that so many rows have.
    pub(crate) fn of_counts(counts: impl IntoIterator<Item = (Box<str>, u64)>) -> Self {
        let mut kept: Vec<_> = counts.into_iter().filter(|(_, rows)| *rows >= Self::FEWEST_ROWS).collect();
        kept.sort_unstable_by(|(a, a_rows), (b, b_rows)| b_rows.cmp(a_rows).then_with(|| a.cmp(b)));
        kept.truncate(Self::MOST);
        let mut names: Vec<Box<str>> = kept.into_iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        Self { names }
    }

    /// The categories of names that another program numbers in this order, and the code of each.
    ///
    /// # Errors
    /// [`PropensityError::CategoryOrder`] where a name is there twice.
    pub(crate) fn of_numbered(names: &[Box<str>]) -> Result<(Self, Vec<u32>), PropensityError> {
        let mut sorted = names.to_vec();
        sorted.sort_unstable();
        let categories = Self::new(sorted)?;
        let codes = names.iter().map(|name| categories.code(name)).collect();
        Ok((categories, codes))
    }

    /// The names, in the order of their codes.
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// The code of every text that is no category.
    pub fn other(&self) -> u32 {
        self.names.len() as u32
    }

    /// Returns the code of a text.
    pub fn code(&self, text: &str) -> u32 {
        let found = self.names.binary_search_by(|name| (**name).cmp(text));
        found.map_or(self.other(), |place| place as u32)
    }

    /// Returns the category of a code; none where it is that of the others.
    pub fn name(&self, code: u32) -> Option<&str> {
        self.names.get(code as usize).map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_are_kept_and_equals_by_their_names() {
        let of = |counts: &[(&str, u64)]| {
            let kept = Categories::of_counts(counts.iter().map(|&(name, rows)| (name.into(), rows)));
            kept.names().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of(&[("b", 10), ("a", 9), ("", 11), ("é", 10)]), ["", "b", "é"]);
        let many: Vec<(String, u64)> = (0..300).map(|at| (format!("{at:03}"), 10 + at % 2)).collect();
        let kept = of(&many.iter().map(|(name, rows)| (name.as_str(), *rows)).collect::<Vec<_>>());
        assert_eq!(kept.len(), Categories::MOST);
        // All that are odd, with a row more, and the first of the others.
        assert!(kept.contains(&"299".to_owned()) && kept.contains(&"206".to_owned()));
        assert!(!kept.contains(&"208".to_owned()));
        assert!(of(&[]).is_empty());
    }

    #[test]
    fn names_that_do_not_ascend_are_refused() {
        let refuse =
            |names: [&str; 2]| Categories::new(names.map(Into::into).to_vec()).unwrap_err().to_string();
        assert!(refuse(["b", "a"]).starts_with("category `a` stands behind `b`"), "{}", refuse(["b", "a"]));
        assert!(refuse(["a", "a"]).contains("once"));
    }
}
