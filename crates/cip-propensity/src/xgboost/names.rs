//! The names of categories in a model of XGBoost.

use crate::error::PropensityError;
use crate::xgboost::document::{CategoryNames, FeatureNames};

impl CategoryNames {
    pub(super) fn is_empty(&self) -> bool {
        self.enc.is_empty()
    }

    /// The names of each of so many features, in the order of their codes; none of a feature that has none.
    pub(super) fn of_features(
        &self,
        features: &[Box<str>],
    ) -> Result<Vec<Option<Vec<Box<str>>>>, PropensityError> {
        if self.is_empty() {
            return Ok(vec![None; features.len()]);
        }
        if self.enc.len() != features.len() {
            return Err(PropensityError::ModelHeader {
                reason: "it names categories of other features than it has",
            });
        }
        let named = self.enc.iter().zip(features).map(|(names, feature)| {
            let names = names.read();
            let names = names
                .map_err(|reason| PropensityError::CategoryNames { feature: feature.clone(), reason })?;
            Ok((!names.is_empty()).then_some(names))
        });
        named.collect()
    }
}

impl FeatureNames {
    /// The names, or why they cannot be read.
    fn read(&self) -> Result<Vec<Box<str>>, &'static str> {
        let Some(offsets) = &self.offsets else {
            return Ok(self.values.iter().map(|number| number.to_string().into()).collect());
        };
        let byte = |&value: &i64| {
            let signed = i8::try_from(value).map(i8::cast_unsigned);
            signed.or_else(|_| u8::try_from(value)).map_err(|_| "a value is no byte, -128 to 255")
        };
        let bytes = self.values.iter().map(byte).collect::<Result<Vec<u8>, _>>()?;
        // Where names come from pandas, the offsets of XGBoost 3.2 count letters and its values are cut to as many bytes: such names are
        // others than they were, and nothing tells them from names that are right.
        if !bytes.is_ascii() {
            return Err(
                "one has letters beyond ASCII, which XGBoost cuts at wrong places: give it names without, or codes",
            );
        }
        let place = |&offset: &i64| usize::try_from(offset).ok();
        let ends: Option<Vec<usize>> = offsets.iter().map(place).collect();
        let ends = ends.unwrap_or_default();
        let whole = match (ends.first(), ends.last()) {
            (Some(first), Some(last)) => *first == 0 && *last == bytes.len(),
            _ => offsets.is_empty() && bytes.is_empty(),
        };
        if !whole {
            return Err("the offsets do not go from 0 to the number of bytes");
        }
        let name = |ends: &[usize]| {
            let bytes = bytes.get(ends[0]..ends[1]).ok_or("an offset is less than the one before it")?;
            Ok(bytes.iter().copied().map(char::from).collect())
        };
        ends.windows(2).map(name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_texts_or_numbers_and_what_is_neither_says_why() {
        let read = |offsets: Option<&[i64]>, values: &[i64]| {
            let names =
                FeatureNames { offsets: offsets.map(<[i64]>::to_vec), values: values.to_vec() }.read();
            names.map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(read(Some(&[0, 2, 2, 3]), &[98, 99, 97]).unwrap(), ["bc", "", "a"]);
        assert_eq!(read(None, &[30, -5]).unwrap(), ["30", "-5"]);
        assert_eq!(
            (read(Some(&[]), &[]), read(None, &[]), read(Some(&[0]), &[])),
            (Ok(vec![]), Ok(vec![]), Ok(vec![]))
        );
        for (offsets, values, reason) in [
            (&[0, 2][..], &[97][..], "the offsets do not go"),
            (&[1, 1], &[97], "the offsets do not go"),
            (&[-1, 1], &[97], "the offsets do not go"),
            (&[], &[97], "the offsets do not go"),
            (&[0, 2, 1, 3], &[97, 98, 99], "an offset is less"),
            (&[0, 9, 1], &[97], "an offset is less"),
            (&[0, 2], &[-61, -68], "one has letters beyond ASCII"),
            (&[0, 2], &[195, 188], "one has letters beyond ASCII"),
            (&[0, 1], &[256], "a value is no byte"),
            (&[0, 1], &[-129], "a value is no byte"),
        ] {
            assert!(read(Some(offsets), values).unwrap_err().starts_with(reason), "{offsets:?} {values:?}");
        }
    }
}
