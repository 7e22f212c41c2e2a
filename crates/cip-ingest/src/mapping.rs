//! Source mappings: which column of a file becomes which column of the store.

use arrow_schema::{Field, Schema};
use cip_core::{CoreError, EventSchema, column};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::dialect::{Dialect, Quote};
use crate::error::MappingError;
use crate::format::{FileFormat, RecordFormat};
use crate::rule::{ColumnRule, Condition, DropRule};
use crate::target::{TargetColumn, target};

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    format: Option<FileFormat>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delimiter: Option<char>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quote: Option<Quote>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    without_header: Vec<Vec<String>>,
    columns: IndexMap<String, ColumnRule>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    drop: Vec<DropRule>,
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

    /// Splits the fields of CSV at this character; without it at the first of comma, semicolon, tab and vertical bar by which a
    /// file's header has all columns.
    pub fn with_delimiter(mut self, delimiter: char) -> Self {
        self.delimiter = Some(delimiter);
        self
    }

    /// Takes this for the quote of CSV; without it `"`.
    pub fn with_quote(mut self, quote: Quote) -> Self {
        self.quote = Some(quote);
        self
    }

    /// Reads files in this format; without it a file that starts with `{` is read as JSON lines and any other as CSV.
    pub fn with_format(mut self, format: FileFormat) -> Self {
        self.format = Some(format);
        self
    }

    /// Names the columns of files without a header line, which are told by the number of their fields. May be given for several
    /// numbers.
    pub fn with_columns_without_header(mut self, columns: &[&str]) -> Self {
        self.without_header.push(columns.iter().map(|&column| column.to_owned()).collect());
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

impl SourceMapping {
    /// Returns a builder; `name` is written into the store's manifest.
    pub fn builder(name: &str) -> SourceMappingBuilder {
        SourceMappingBuilder {
            name: name.to_owned(),
            format: None,
            delimiter: None,
            quote: None,
            without_header: Vec::new(),
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

    /// The mappings that come with the crate: `rees46`, `online-retail`, `streamflow`, `cdnow`.
    pub const BUILT_IN: [&'static str; 4] = ["rees46", "online-retail", "streamflow", "cdnow"];

    /// Returns a mapping that comes with the crate, or none of that name.
    pub fn built_in(name: &str) -> Option<Self> {
        let text = match name {
            "rees46" => include_str!("../mappings/rees46.toml"),
            "online-retail" => include_str!("../mappings/online-retail.toml"),
            "streamflow" => include_str!("../mappings/streamflow.toml"),
            "cdnow" => include_str!("../mappings/cdnow.toml"),
            _ => return None,
        };
        Self::from_toml(text).ok()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.rules.name
    }

    /// Returns what a file that starts with `start` may be written in, the likeliest first.
    pub(crate) fn formats(&self, start: &[u8]) -> Vec<RecordFormat> {
        RecordFormat::candidates(self.rules.format, self.dialect(), start)
    }

    /// The dialect that it declares.
    pub(crate) fn dialect(&self) -> Dialect {
        let SourceMappingBuilder { delimiter, quote, .. } = self.rules;
        let dialect = delimiter.map_or(Dialect::new(), |delimiter| Dialect::new().with_delimiter(delimiter));
        quote.map_or(dialect, |quote| dialect.with_quote(quote))
    }

    /// The same mapping of sources in another dialect, where `dialect` declares one.
    ///
    /// # Errors
    /// As [`SourceMappingBuilder::build`].
    pub(crate) fn in_dialect(&self, dialect: Dialect) -> Result<Self, MappingError> {
        let dialect = dialect.or(self.dialect());
        let rules = SourceMappingBuilder {
            delimiter: dialect.delimiter(),
            quote: dialect.quote(),
            ..self.rules.clone()
        };
        rules.build()
    }

    /// The names of so many columns of a file without a header line.
    pub(crate) fn columns_without_header(&self, fields: usize) -> Option<&[String]> {
        self.rules.without_header.iter().find(|names| names.len() == fields).map(Vec::as_slice)
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
        self.dialect().check()?;
        if let Some(format @ (FileFormat::Blanks | FileFormat::NdJson)) = self.rules.format {
            if self.rules.delimiter.is_some() {
                return Err(MappingError::NoDelimiter { format });
            }
            if self.rules.quote.is_some() {
                return Err(MappingError::NoQuote { format });
            }
        }
        self.check_without_header()?;
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

    fn check_without_header(&self) -> Result<(), MappingError> {
        let wanted = self.source_columns();
        for (index, names) in self.rules.without_header.iter().enumerate() {
            let fields = names.len();
            let once = |name: &&&str| names.iter().filter(|candidate| *candidate == **name).count() == 1;
            let missing = wanted.iter().find(|name| !once(name));
            let twice = self.rules.without_header[..index].iter().any(|before| before.len() == fields);
            if missing.is_some() || twice {
                let column = missing.map(|&name| name.to_owned());
                return Err(MappingError::WithoutHeader { fields, column });
            }
        }
        Ok(())
    }
}

/// One bit a column marks its nulls.
const MAX_COLUMNS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use cip_core::MoneyScale;

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
