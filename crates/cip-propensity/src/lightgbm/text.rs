//! Lines of `key=value`, in sections: the header, and one for each tree.

use std::collections::HashMap;
use std::str::FromStr;

use crate::error::PropensityError;
use crate::lightgbm::{END, FIRST_LINE};

/// Some lines of `key=value`.
#[derive(Debug)]
pub(super) struct Section<'a> {
    /// The 1-based line where it starts.
    line: usize,
    fields: HashMap<&'a str, (usize, &'a str)>,
}

/// What a field was expected to be.
type Expected = &'static str;

/// Returns the header, and a section for each tree; what follows the trees is not looked at.
pub(super) fn sections(text: &str) -> Result<Vec<Section<'_>>, PropensityError> {
    let mut sections = Vec::new();
    for (line, content) in (1..).zip(text.lines().map(str::trim_end)) {
        if line == 1 {
            if content != FIRST_LINE {
                return Err(refuse(1, "the first line", content, "`tree`: a text of LightGBM"));
            }
            sections.push(Section { line, fields: HashMap::new() });
            continue;
        }
        if content == END {
            return Ok(sections);
        }
        if content.starts_with("Tree=") {
            sections.push(Section { line, fields: HashMap::new() });
        } else if let (Some(section), false) = (sections.last_mut(), content.is_empty()) {
            // A key alone is a flag.
            let (key, value) = content.split_once('=').unwrap_or((content, ""));
            if section.fields.insert(key, (line, value)).is_some() {
                return Err(refuse(line, "the key", key, "each key once in a section"));
            }
        }
    }
    Err(refuse(text.lines().count(), "the last line", "something else", "`end of trees`: the file is cut"))
}

impl<'a> Section<'a> {
    pub(super) fn has(&self, key: &str) -> bool {
        self.fields.contains_key(key)
    }

    /// The value of a key; none where it is not there.
    pub(super) fn optional(&self, key: &str) -> Option<&'a str> {
        self.fields.get(key).map(|(_, value)| *value)
    }

    pub(super) fn required(&self, key: Expected) -> Result<&'a str, PropensityError> {
        self.optional(key).ok_or_else(|| refuse(self.line, key, "not there", "a line of it in this section"))
    }

    /// Says that a field is not what it should be.
    pub(super) fn refuse(&self, key: Expected, found: &str, expected: Expected) -> PropensityError {
        let line = self.fields.get(key).map_or(self.line, |(line, _)| *line);
        refuse(line, key, found, expected)
    }

    pub(super) fn number<T: FromStr>(&self, key: Expected, expected: Expected) -> Result<T, PropensityError> {
        let text = self.required(key)?;
        text.parse().map_err(|_| self.refuse(key, text, expected))
    }

    /// So many numbers, with blanks between them.
    pub(super) fn numbers<T: FromStr>(
        &self,
        key: Expected,
        count: usize,
        expected: Expected,
    ) -> Result<Vec<T>, PropensityError> {
        let number = |word: &str| word.parse().map_err(|_| self.refuse(key, word, expected));
        let numbers: Vec<T> =
            self.required(key)?.split_ascii_whitespace().map(number).collect::<Result<_, _>>()?;
        if numbers.len() != count {
            let found = format!("{} numbers", numbers.len());
            return Err(self.refuse(key, &found, "as many as the tree has leaves, splits or categories"));
        }
        Ok(numbers)
    }
}

/// A field that is not what it should be, its text shortened.
fn refuse(line: usize, field: Expected, found: &str, expected: Expected) -> PropensityError {
    const SHOWN: usize = 40;
    let mut shown: String = found.chars().take(SHOWN).collect();
    if shown.len() < found.len() {
        shown.push('…');
    }
    PropensityError::ModelLine { line, field, found: shown.into(), expected }
}
