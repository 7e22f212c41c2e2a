//! Source mappings: which column of a file becomes which column of the store.

use arrow_schema::{DataType, Field, Schema};
use cip_core::table::SessionIdType;
use cip_core::{CoreError, EventSchema, MoneyScale, column};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::error::MappingError;

/// How the rows of a source become events: for every column of the store its source, type and nullability, and the
/// rows to drop by a declared rule.
///
/// A mapping is built in code or read from TOML, and checked once. Columns that the store's contract names have
/// the contract's type; any other name is kept as it is mapped. Source columns that no rule names are left out, and
/// the report says which.
///
/// # Examples
/// ```
/// use cip_ingest::{ColumnRule, SourceMapping};
///
/// let mapping = SourceMapping::builder("app")
///     .with_column("event_time", ColumnRule::timestamp("ts"))
///     .with_column("event_type", ColumnRule::dictionary("action").with_rename("add_to_cart", "cart"))
///     .with_column("user_id", ColumnRule::utf8("visitor"))
///     .with_column("price", ColumnRule::money("amount", 2).nullable())
///     .build()?;
/// let same = SourceMapping::from_toml(r#"
///     name = "app"
///     [columns]
///     event_time = { from = "ts", type = "timestamp" }
///     event_type = { from = "action", type = "dictionary", rename = { add_to_cart = "cart" } }
///     user_id = { from = "visitor", type = "utf8" }
///     price = { from = "amount", type = "money", scale = 2, nullable = true }
/// "#)?;
/// assert_eq!(mapping, same);
/// # Ok::<(), cip_ingest::MappingError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct SourceMapping {
    rules: SourceMappingBuilder,
}

/// A mapping that is not checked yet: see [`SourceMapping::builder`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceMappingBuilder {
    name: String,
    #[serde(default = "comma", skip_serializing_if = "is_comma")]
    delimiter: char,
    columns: IndexMap<String, ColumnRule>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    drop: Vec<DropRule>,
}

fn comma() -> char {
    ','
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_comma(delimiter: &char) -> bool {
    *delimiter == ','
}

/// Where a column of the store comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnRule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    constant: Option<String>,
    #[serde(rename = "type")]
    data_type: MappedType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scale: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    format: Option<TimeFormat>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    nullable: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    when: Vec<WhenRule>,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    rename: IndexMap<String, String>,
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
}

/// A value that replaces a column's constant where another column of the row fits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WhenRule {
    column: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    starts_with: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    equals: Option<String>,
    then: String,
}

/// Rows to leave out, counted under the rule's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DropRule {
    rule: String,
    column: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    starts_with: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    equals: Option<String>,
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
    fn into_parts(self) -> (Option<String>, Option<String>) {
        match self {
            Self::Equals(text) => (Some(text), None),
            Self::StartsWith(text) => (None, Some(text)),
        }
    }

    fn from_parts(equals: &Option<String>, starts_with: &Option<String>) -> Option<Self> {
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

impl SourceMappingBuilder {
    /// Maps a column of the store.
    pub fn with_column(mut self, name: &str, rule: ColumnRule) -> Self {
        self.columns.insert(name.to_owned(), rule);
        self
    }

    /// Drops rows whose source column fits, counted under `rule`.
    pub fn with_drop(mut self, rule: &str, column: &str, condition: Condition) -> Self {
        let (equals, starts_with) = condition.into_parts();
        self.drop.push(DropRule { rule: rule.to_owned(), column: column.to_owned(), starts_with, equals });
        self
    }

    /// Splits fields at another character than the comma.
    pub fn with_delimiter(mut self, delimiter: char) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// Checks the mapping.
    ///
    /// # Errors
    /// [`MappingError`], which names the column and the mend.
    pub fn build(self) -> Result<SourceMapping, MappingError> {
        let mapping = SourceMapping { rules: self };
        mapping.check()?;
        Ok(mapping)
    }
}

/// A column of the store and how to fill it, resolved.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TargetColumn {
    pub(crate) name: String,
    pub(crate) fill: Fill,
    pub(crate) kind: ColumnKind,
    pub(crate) nullable: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fill {
    From(String),
    Constant { value: String, when: Vec<(String, Condition, String)> },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ColumnKind {
    Int64,
    Float64,
    Utf8,
    Dictionary(IndexMap<String, String>),
    Timestamp(TimeFormat),
    Money(MoneyScale),
    Session(SessionIdType),
}

impl SourceMapping {
    /// Returns a builder; `name` is written into the store's manifest.
    pub fn builder(name: &str) -> SourceMappingBuilder {
        SourceMappingBuilder {
            name: name.to_owned(),
            delimiter: ',',
            columns: IndexMap::new(),
            drop: Vec::new(),
        }
    }

    /// Reads a mapping from TOML.
    ///
    /// # Errors
    /// [`MappingError::Toml`] with the place, or what is wrong with a column.
    pub fn from_toml(text: &str) -> Result<Self, MappingError> {
        let rules: SourceMappingBuilder = toml::from_str(text)
            .map_err(|error| MappingError::Toml { reason: error.to_string().trim_end().to_owned() })?;
        rules.build()
    }

    /// The mappings that come with the crate: `rees46`, `online-retail`, `streamflow`.
    pub const BUILT_IN: [&'static str; 3] = ["rees46", "online-retail", "streamflow"];

    /// Returns a mapping that comes with the crate, or none of that name.
    pub fn built_in(name: &str) -> Option<Self> {
        let text = match name {
            "rees46" => include_str!("../mappings/rees46.toml"),
            "online-retail" => include_str!("../mappings/online-retail.toml"),
            "streamflow" => include_str!("../mappings/streamflow.toml"),
            _ => return None,
        };
        Self::from_toml(text).ok()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.rules.name
    }

    pub(crate) fn delimiter(&self) -> u8 {
        self.rules.delimiter as u8
    }

    /// The schema of the events that it makes: the contract's columns in their order, then the others as mapped.
    pub fn schema(&self) -> Result<EventSchema, MappingError> {
        let fields: Vec<Field> = self.targets()?.iter().map(TargetColumn::field).collect();
        EventSchema::try_new(Schema::new(fields).into()).map_err(|error| match error {
            CoreError::ColumnType { column, found, expected } => {
                MappingError::Contract { column, found, expected }
            }
            error => MappingError::Toml { reason: error.to_string() },
        })
    }

    /// The columns of the source that it reads, each once.
    pub fn source_columns(&self) -> Vec<&str> {
        let mapped = self.rules.columns.values().flat_map(|rule| {
            rule.from.iter().chain(rule.when.iter().map(|when| &when.column)).map(String::as_str)
        });
        let all: indexmap::IndexSet<&str> = mapped.chain(self.drops().map(|(_, column, _)| column)).collect();
        all.into_iter().collect()
    }

    pub(crate) fn drops(&self) -> impl Iterator<Item = (&str, &str, Condition)> {
        self.rules.drop.iter().filter_map(|drop| {
            Some((
                drop.rule.as_str(),
                drop.column.as_str(),
                Condition::from_parts(&drop.equals, &drop.starts_with)?,
            ))
        })
    }

    /// The columns of the store in their order.
    pub(crate) fn targets(&self) -> Result<Vec<TargetColumn>, MappingError> {
        let known = column::EVENT_COLUMNS.iter().filter_map(|&name| self.rules.columns.get_key_value(name));
        let other =
            self.rules.columns.iter().filter(|(name, _)| !column::EVENT_COLUMNS.contains(&name.as_str()));
        known.chain(other).map(|(name, rule)| target(name, rule)).collect()
    }

    fn check(&self) -> Result<(), MappingError> {
        if !self.rules.delimiter.is_ascii() || matches!(self.rules.delimiter, '"' | '\n' | '\r') {
            return Err(MappingError::Delimiter { delimiter: self.rules.delimiter });
        }
        for required in [column::EVENT_TIME, column::EVENT_TYPE] {
            let rule = self.rules.columns.get(required).ok_or(MappingError::Required { column: required })?;
            if rule.nullable {
                return Err(MappingError::Rule {
                    column: required.to_owned(),
                    reason: "it cannot be nullable",
                });
            }
        }
        for drop in &self.rules.drop {
            if Condition::from_parts(&drop.equals, &drop.starts_with).is_none() {
                let reason = "a drop rule needs one of `equals` and `starts_with`";
                return Err(MappingError::Rule { column: drop.column.clone(), reason });
            }
        }
        if self.rules.columns.len() > MAX_COLUMNS {
            return Err(MappingError::TooManyColumns {
                columns: self.rules.columns.len(),
                limit: MAX_COLUMNS,
            });
        }
        self.schema().map(|_| ())
    }
}

/// One bit a column marks its nulls.
const MAX_COLUMNS: usize = 64;

impl TargetColumn {
    fn field(&self) -> Field {
        // Where the contract wants another type, the schema's check says so.
        let data_type = match &self.kind {
            ColumnKind::Int64 => DataType::Int64,
            ColumnKind::Float64 => DataType::Float64,
            ColumnKind::Utf8 => DataType::Utf8,
            ColumnKind::Dictionary(_) => {
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
            }
            ColumnKind::Timestamp(_) => {
                DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, Some("UTC".into()))
            }
            ColumnKind::Money(scale) => scale.amount_type(),
            ColumnKind::Session(_) => DataType::UInt32,
        };
        Field::new(&self.name, data_type, self.nullable)
    }
}

fn target(name: &str, rule: &ColumnRule) -> Result<TargetColumn, MappingError> {
    let refuse = |reason| MappingError::Rule { column: name.to_owned(), reason };
    if name.is_empty() || name == column::EXPERIMENT_GROUP {
        return Err(refuse("the name is not free to be mapped"));
    }
    let is_session = name == column::SOURCE_SESSION;
    let kind = match (rule.data_type, rule.scale) {
        (MappedType::Money, Some(scale)) => {
            ColumnKind::Money(MoneyScale::new(scale).map_err(|_| refuse("scale must be 0 to 9"))?)
        }
        (MappedType::Money, None) => {
            return Err(refuse("money needs a `scale`: the decimals of its currency"));
        }
        (_, Some(_)) => return Err(refuse("only money has a `scale`")),
        (MappedType::Uuid, _) if is_session => ColumnKind::Session(SessionIdType::Uuid),
        (MappedType::Utf8, _) if is_session => ColumnKind::Session(SessionIdType::Utf8),
        (_, _) if is_session => return Err(refuse("source_session is `uuid` or `utf8`")),
        (MappedType::Uuid, _) => return Err(refuse("only source_session is a `uuid`; map it as `utf8`")),
        (MappedType::Int64, _) => ColumnKind::Int64,
        (MappedType::Float64, _) => ColumnKind::Float64,
        (MappedType::Utf8, _) => ColumnKind::Utf8,
        (MappedType::Dictionary, _) => ColumnKind::Dictionary(rule.rename.clone()),
        (MappedType::Timestamp, _) => ColumnKind::Timestamp(rule.format.unwrap_or_default()),
    };
    if rule.format.is_some() && rule.data_type != MappedType::Timestamp {
        return Err(refuse("only a timestamp has a `format`"));
    }
    if !rule.rename.is_empty() && rule.data_type != MappedType::Dictionary {
        return Err(refuse("only a dictionary has a `rename`"));
    }
    let fill = match (&rule.from, &rule.constant) {
        (Some(from), None) if rule.when.is_empty() => Fill::From(from.clone()),
        (Some(_), None) => return Err(refuse("`when` goes with `constant`")),
        (None, Some(value)) if rule.data_type == MappedType::Dictionary => {
            let when = rule.when.iter().map(|when| {
                let condition = Condition::from_parts(&when.equals, &when.starts_with)
                    .ok_or_else(|| refuse("`when` needs one of `equals` and `starts_with`"))?;
                Ok((when.column.clone(), condition, when.then.clone()))
            });
            Fill::Constant { value: value.clone(), when: when.collect::<Result<_, MappingError>>()? }
        }
        (None, Some(_)) => return Err(refuse("a `constant` is a `dictionary`")),
        _ => return Err(refuse("it needs one of `from` and `constant`")),
    };
    Ok(TargetColumn { name: name.to_owned(), fill, kind, nullable: rule.nullable })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_mapping_is_valid_and_survives_toml() {
        for name in SourceMapping::BUILT_IN {
            let mapping = SourceMapping::built_in(name).unwrap();
            assert_eq!(mapping.name(), name);
            let again = SourceMapping::from_toml(&toml::to_string(&mapping).unwrap()).unwrap();
            assert_eq!(mapping, again);
        }
        assert!(SourceMapping::built_in("nope").is_none());
    }

    #[test]
    fn the_store_has_the_contracts_columns_first() {
        let schema = SourceMapping::built_in("online-retail").unwrap().schema().unwrap();
        let names: Vec<_> = schema.arrow().fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(
            names,
            [
                "user_id",
                "event_time",
                "event_type",
                "product_id",
                "price",
                "quantity",
                "order_id",
                "description",
                "country"
            ]
        );
        assert_eq!(schema.money_scale(), Some(MoneyScale::new(3).unwrap()));
    }

    #[test]
    fn what_is_wrong_is_named_with_the_mend() {
        let base = "name = 'x'\n[columns]\nevent_time = { from = 't', type = 'timestamp' }\n";
        let with_type = format!("{base}event_type = {{ from = 'e', type = 'dictionary' }}\n");
        let cases = [
            ("name = 'x'", "missing field `columns`"),
            (base, "`event_type` is not mapped"),
            (&format!("{with_type}price = {{ from = 'p', type = 'money' }}"), "needs a `scale`"),
            (
                &format!("{with_type}price = {{ from = 'p', type = 'float64' }}"),
                "the store keeps it as Decimal128",
            ),
            (
                &format!("{with_type}user_id = {{ from = 'p', type = 'float64' }}"),
                "the store keeps it as Int64 or Utf8",
            ),
            (&format!("{with_type}a = {{ from = 'p', type = 'uuid' }}"), "map it as `utf8`"),
            (&format!("{with_type}a = {{ type = 'int64' }}"), "one of `from` and `constant`"),
            (
                &format!("{with_type}a = {{ from = 'x', type = 'int64', colour = 'red' }}"),
                "unknown field `colour`",
            ),
            (&format!("{with_type}experiment_group = {{ from = 'x', type = 'dictionary' }}"), "not free"),
            (&format!("delimiter = '\"'\n{with_type}"), "delimiter"),
        ];
        for (text, expected) in cases {
            let error = SourceMapping::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}\n→ {error}");
        }
    }
}
