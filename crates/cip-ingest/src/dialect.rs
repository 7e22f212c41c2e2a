//! The dialect of CSV: between what its fields stand, and in what quotes, where that is declared and not found.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::MappingError;

/// What protects the fields of CSV that hold delimiters or line ends.
///
/// As a text it is one character, or `none`.
///
/// # Examples
/// ```
/// use cip_ingest::Quote;
/// assert_eq!("'".parse::<Quote>()?, Quote::Mark('\''));
/// assert_eq!("none".parse::<Quote>()?, Quote::None);
/// assert_eq!(Quote::default(), Quote::Mark('"'));
/// # Ok::<(), cip_ingest::MappingError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Quote {
    /// This character before and after the text; two of it inside stand for one.
    Mark(char),
    /// Nothing: every delimiter ends a field, every line end a record, and quotes are text.
    None,
}

impl Default for Quote {
    /// `"`, as in RFC 4180.
    fn default() -> Self {
        Self::Mark('"')
    }
}

impl Quote {
    const NONE: &'static str = "none";

    /// Whether it is the one that is taken where none is declared.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Its byte; none where nothing quotes.
    pub(crate) fn byte(self) -> Option<u8> {
        match self {
            Self::Mark(mark) => u8::try_from(mark).ok(),
            Self::None => None,
        }
    }

    pub(crate) fn of_byte(byte: Option<u8>) -> Self {
        byte.map_or(Self::None, |byte| Self::Mark(char::from(byte)))
    }
}

impl fmt::Display for Quote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mark(mark) => write!(f, "{mark}"),
            Self::None => f.write_str(Self::NONE),
        }
    }
}

impl FromStr for Quote {
    type Err = MappingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut marks = text.chars();
        match (marks.next(), marks.next()) {
            (Some(mark), None) => Ok(Self::Mark(mark)),
            _ if text == Self::NONE => Ok(Self::None),
            _ => Err(MappingError::QuoteText { text: text.to_owned() }),
        }
    }
}

impl TryFrom<String> for Quote {
    type Error = MappingError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Quote> for String {
    fn from(quote: Quote) -> Self {
        quote.to_string()
    }
}

/// How the CSV of a source is written; what is not declared is found, a file at a time.
///
/// # Examples
/// ```
/// use cip_ingest::{Dialect, Quote};
/// let dialect = Dialect::new().with_delimiter(';').with_quote(Quote::Mark('\''));
/// assert_eq!((dialect.delimiter(), dialect.quote()), (Some(';'), Some(Quote::Mark('\''))));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dialect {
    delimiter: Option<char>,
    quote: Option<Quote>,
}

impl Dialect {
    /// Returns a dialect of which nothing is declared.
    pub const fn new() -> Self {
        Self { delimiter: None, quote: None }
    }

    /// Declares the character between fields.
    pub fn with_delimiter(mut self, delimiter: char) -> Self {
        self.delimiter = Some(delimiter);
        self
    }

    /// Declares what quotes fields.
    pub fn with_quote(mut self, quote: Quote) -> Self {
        self.quote = Some(quote);
        self
    }

    /// The character between fields, where it is declared.
    pub fn delimiter(&self) -> Option<char> {
        self.delimiter
    }

    /// What quotes fields, where it is declared.
    pub fn quote(&self) -> Option<Quote> {
        self.quote
    }

    /// Returns what this one declares, and the rest as `other` does.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { delimiter: self.delimiter.or(other.delimiter), quote: self.quote.or(other.quote) }
    }

    pub(crate) fn is_declared(self) -> bool {
        self != Self::default()
    }

    /// The delimiter and the quote as bytes, once they are checked; of what is not declared, the usual quote.
    pub(crate) fn bytes(self) -> (Option<u8>, Option<u8>) {
        let delimiter = self.delimiter.and_then(|delimiter| u8::try_from(delimiter).ok());
        (delimiter, self.quote.unwrap_or_default().byte())
    }

    /// Checks that the characters can be told from the text and from each other.
    ///
    /// # Errors
    /// [`MappingError::Delimiter`], [`MappingError::Quote`].
    pub(crate) fn check(self) -> Result<(), MappingError> {
        let can_mark = |mark: char| mark.is_ascii() && !matches!(mark, '\0' | '\n' | '\r');
        if let Quote::Mark(quote) = self.quote.unwrap_or_default() {
            if !can_mark(quote) {
                return Err(MappingError::Quote { quote });
            }
            if self.delimiter == Some(quote) {
                return Err(MappingError::Delimiter { delimiter: quote });
            }
        }
        match self.delimiter {
            Some(delimiter) if !can_mark(delimiter) => Err(MappingError::Delimiter { delimiter }),
            _ => Ok(()),
        }
    }
}
