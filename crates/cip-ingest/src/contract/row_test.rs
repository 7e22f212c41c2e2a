//! Tests of one typed value.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use regex::Regex;

use super::error::ContractError;
use super::expectation::LengthUnit;

/// A test of a value that is there.
#[derive(Debug)]
pub(crate) enum RowTest {
    /// Being there is enough.
    Present,
    /// Integers, money and times, both ends inclusive.
    Integers {
        least: i64,
        greatest: i64,
    },
    /// Finite floats, both ends inclusive.
    Floats {
        least: f64,
        greatest: f64,
    },
    OneOfIntegers(HashSet<i64, RandomState>),
    OneOfTexts(HashSet<Box<str>, RandomState>),
    /// Both ends inclusive.
    Length {
        unit: LengthUnit,
        least: u64,
        greatest: u64,
    },
    Matches(Regex),
}

impl RowTest {
    #[inline]
    pub(crate) fn holds_integer(&self, value: i64) -> bool {
        match self {
            Self::Integers { least, greatest } => *least <= value && value <= *greatest,
            Self::OneOfIntegers(values) => values.contains(&value),
            _ => true,
        }
    }

    #[inline]
    pub(crate) fn holds_float(&self, value: f64) -> bool {
        match self {
            Self::Floats { least, greatest } => *least <= value && value <= *greatest,
            _ => true,
        }
    }

    pub(crate) fn holds_text(&self, value: &str) -> bool {
        match self {
            Self::OneOfTexts(values) => values.contains(value),
            Self::Length { unit, least, greatest } => {
                let length = match unit {
                    LengthUnit::Characters => value.chars().count(),
                    LengthUnit::Bytes => value.len(),
                };
                (*least..=*greatest).contains(&(length as u64))
            }
            Self::Matches(pattern) => pattern.is_match(value),
            _ => true,
        }
    }
}

/// Returns the pattern that matches whole texts.
///
/// # Errors
/// [`ContractError::Pattern`] where it is not one, or too large.
pub(crate) fn whole_pattern(expectation: &str, pattern: &str) -> Result<Regex, ContractError> {
    let refuse = |error: regex::Error| ContractError::Pattern {
        expectation: expectation.to_owned(),
        reason: error.to_string(),
    };
    // By itself first: `a)|(?:b` is no pattern, though it is one between parentheses.
    Regex::new(pattern).map_err(refuse)?;
    Regex::new(&format!(r"\A(?:{pattern})\z")).map_err(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        let fits = |pattern, text| whole_pattern("x", pattern).unwrap().is_match(text);
        assert!(fits("[0-9]{5}", "12345") && !fits("[0-9]{5}", "123456") && !fits("[0-9]{5}", "x12345"));
        assert!(fits("a|b", "b") && !fits("a|b", "ab") && !fits("a|b", "a\n"));
        assert!(fits("", "") && !fits("", "a") && fits("^é.$", "éa"));
        for pattern in ["a)|(?:b", "(", "(?<=a)b", r"(a)\1", "a{1000}{1000}{1000}", "(?x) a # open"] {
            let error = whole_pattern("x", pattern).unwrap_err().to_string();
            assert!(error.starts_with("expectation `x`: the pattern cannot be used: "), "{error}");
        }
        // What takes others forever takes time in proportion to the text.
        assert!(!fits("(a+)+b", &"a".repeat(100_000)));
    }

    #[test]
    fn lengths_are_of_characters_or_bytes() {
        let of = |unit| RowTest::Length { unit, least: 2, greatest: 2 };
        assert!(of(LengthUnit::Characters).holds_text("éa") && !of(LengthUnit::Characters).holds_text("é"));
        assert!(of(LengthUnit::Bytes).holds_text("é") && !of(LengthUnit::Bytes).holds_text("éa"));
        assert!(!of(LengthUnit::Bytes).holds_text(""));
    }
}
