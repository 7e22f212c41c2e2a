//! The rules of a mapping: where a column comes from, and tests of a field's text.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Where a column of the store comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnRule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) constant: Option<String>,
    #[serde(rename = "type")]
    pub(crate) data_type: MappedType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scale: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<TimeFormat>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) nullable: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) when: Vec<WhenRule>,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub(crate) rename: IndexMap<String, String>,
}

/// The type that a mapped column has in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MappedType {
    /// 64-bit integer; `17850.0` is read as 17850.
    Int64,
    /// 64-bit float, finite.
    Float64,
    /// Text that seldom repeats.
    Utf8,
    /// Text that repeats.
    Dictionary,
    /// UTC microseconds.
    Timestamp,
    /// Exact decimal with the rule's `scale`.
    Money,
    /// UUID; only for `source_session`.
    Uuid,
}

/// How a source writes its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TimeFormat {
    /// `2019-10-01 00:00:00 UTC`, `2019-10-01T00:00:00.5Z`, `2019-10-01T02:00:00+02:00`, `2019-10-01`. Without a zone:
    /// UTC.
    #[default]
    Iso8601,
    /// Whole seconds since 1970-01-01T00:00:00Z.
    EpochSeconds,
    /// Whole milliseconds since 1970-01-01T00:00:00Z.
    EpochMillis,
    /// `20191001`: a day in the basic format of ISO 8601.
    BasicDate,
    /// `10/1/2019 8:26`, `10/01/2019 08:26:30`, `10/1/2019`: the month first; UTC.
    MonthFirst,
}

/// A value that replaces a column's constant where another column of the row fits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhenRule {
    pub(crate) column: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) starts_with: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) equals: Option<String>,
    pub(crate) then: String,
}

/// Rows to leave out, counted under the rule's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DropRule {
    pub(crate) rule: String,
    pub(crate) column: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) starts_with: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) equals: Option<String>,
}

/// A test of a field's text.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The text is exactly this; the empty text fits empty fields.
    Equals(String),
    /// The text starts with this.
    StartsWith(String),
}

impl ColumnRule {
    fn new(data_type: MappedType, from: Option<&str>) -> Self {
        Self {
            from: from.map(str::to_owned),
            constant: None,
            data_type,
            scale: None,
            format: None,
            nullable: false,
            when: Vec::new(),
            rename: IndexMap::new(),
        }
    }

    /// A 64-bit integer.
    pub fn int64(from: &str) -> Self {
        Self::new(MappedType::Int64, Some(from))
    }

    /// A 64-bit float.
    pub fn float64(from: &str) -> Self {
        Self::new(MappedType::Float64, Some(from))
    }

    /// Text that seldom repeats.
    pub fn utf8(from: &str) -> Self {
        Self::new(MappedType::Utf8, Some(from))
    }

    /// Text that repeats.
    pub fn dictionary(from: &str) -> Self {
        Self::new(MappedType::Dictionary, Some(from))
    }

    /// A time in [`TimeFormat::Iso8601`].
    pub fn timestamp(from: &str) -> Self {
        Self::new(MappedType::Timestamp, Some(from))
    }

    /// An amount with `scale` decimals.
    pub fn money(from: &str, scale: u8) -> Self {
        Self { scale: Some(scale), ..Self::new(MappedType::Money, Some(from)) }
    }

    /// A UUID.
    pub fn uuid(from: &str) -> Self {
        Self::new(MappedType::Uuid, Some(from))
    }

    /// The same text in every row, but for [`ColumnRule::with_when`].
    pub fn constant(value: &str) -> Self {
        Self { constant: Some(value.to_owned()), ..Self::new(MappedType::Dictionary, None) }
    }

    /// Lets empty fields be null; without it they reject the row.
    pub fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// Reads times in another format.
    pub fn with_format(mut self, format: TimeFormat) -> Self {
        self.format = Some(format);
        self
    }

    /// Writes `to` where the source has `from` (dictionary columns).
    pub fn with_rename(mut self, from: &str, to: &str) -> Self {
        self.rename.insert(from.to_owned(), to.to_owned());
        self
    }

    /// Replaces a constant by `then` where a source column fits; the first rule that fits counts.
    pub fn with_when(mut self, column: &str, condition: Condition, then: &str) -> Self {
        let (equals, starts_with) = condition.into_parts();
        self.when.push(WhenRule { column: column.to_owned(), starts_with, equals, then: then.to_owned() });
        self
    }
}

impl Condition {
    pub(crate) fn into_parts(self) -> (Option<String>, Option<String>) {
        match self {
            Self::Equals(text) => (Some(text), None),
            Self::StartsWith(text) => (None, Some(text)),
        }
    }

    pub(crate) fn from_parts(equals: &Option<String>, starts_with: &Option<String>) -> Option<Self> {
        match (equals, starts_with) {
            (Some(text), None) => Some(Self::Equals(text.clone())),
            (None, Some(text)) => Some(Self::StartsWith(text.clone())),
            _ => None,
        }
    }

    pub(crate) fn fits(&self, text: &[u8]) -> bool {
        match self {
            Self::Equals(wanted) => text == wanted.as_bytes(),
            Self::StartsWith(wanted) => text.starts_with(wanted.as_bytes()),
        }
    }
}
