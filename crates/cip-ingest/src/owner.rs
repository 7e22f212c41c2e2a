//! Whose a rejected record is: by its user where that can be read, else by every word of it.

use cip_core::{IdRef, IdType, column};
use cip_store::{ErasedUsers, RejectedRow, SourceFile, UserField, Whose};
use serde_json::Value;

use crate::dialect::Quote;
use crate::error::IngestError;
use crate::format::RecordFormat;
use crate::mapping::{SourceMapping, SourceMappingBuilder};
use crate::parse::Parser;
use crate::record::{Marks, unescape};
use crate::reject::Reason;
use crate::source::{Header, MAX_RAW_BYTES};
use crate::target::{ColumnKind, Fill, TargetColumn};
use crate::value;

/// Returns where the user stands in the records of a file; none where the mapping has no users.
pub(crate) fn user_field(parser: &Parser, header: &Header) -> Option<UserField> {
    let from = source_column(&parser.columns)?.0;
    let (format, delimiter, quote) = match header.format {
        RecordFormat::Csv(Marks { delimiter, quote }) => {
            let quote = Some(Quote::of_byte(quote)).filter(|quote| !quote.is_default());
            ("csv", Some(char::from(delimiter)), quote.map(String::from))
        }
        RecordFormat::Blanks => ("blanks", None, None),
        // A record says itself which of its values is the user.
        RecordFormat::NdJson => {
            return Some(UserField {
                format: "ndjson".to_owned(),
                delimiter: None,
                quote: None,
                fields: 1,
                field: 0,
            });
        }
    };
    let field = header.index_of(from)?;
    Some(UserField { format: format.to_owned(), delimiter, quote, fields: header.names.len(), field })
}

/// The source column of the users, and the type of their ids.
fn source_column(columns: &[TargetColumn]) -> Option<(&str, IdType)> {
    let target = columns.iter().find(|target| target.name == column::USER_ID)?;
    let id_type = if target.kind == ColumnKind::Int64 { IdType::Int64 } else { IdType::Utf8 };
    match &target.fill {
        Fill::From(from) => Some((from, id_type)),
        Fill::Constant { .. } => None,
    }
}

/// Tells which records are some users'.
pub(crate) struct Owner<'a> {
    users: &'a ErasedUsers,
    /// The name of the source column, for records that have names.
    names: Vec<String>,
    id_type: IdType,
}

impl<'a> Owner<'a> {
    /// `mapping` is that of the store's manifest.
    pub(crate) fn new(users: &'a ErasedUsers, mapping: &Value) -> Result<Self, IngestError> {
        let rules: SourceMappingBuilder = serde_json::from_value(mapping.clone())?;
        let mapping: SourceMapping = rules.build()?;
        let columns = mapping.targets()?;
        let (names, id_type) = match source_column(&columns) {
            Some((name, id_type)) => (vec![name.to_owned()], id_type),
            None => (Vec::new(), IdType::Utf8),
        };
        Ok(Self { users, names, id_type })
    }

    /// Whether the user of a record is one of them; none where it cannot be read.
    fn user_is_theirs(&self, form: &UserField, record: &[u8]) -> Option<bool> {
        let format = match (form.format.as_str(), form.delimiter) {
            ("csv", Some(delimiter)) => {
                let quote = form.quote.as_ref().map_or(Ok(Quote::default()), |quote| quote.parse()).ok()?;
                RecordFormat::Csv(Marks { delimiter: u8::try_from(delimiter).ok()?, quote: quote.byte() })
            }
            ("blanks", _) => RecordFormat::Blanks,
            ("ndjson", _) => RecordFormat::NdJson,
            _ => return None,
        };
        let mut spans = Vec::new();
        format.split(record, &self.names, &mut spans).ok()?;
        if spans.len() != form.fields {
            return None;
        }
        let span = spans.get(form.field)?;
        let mut buffer = Vec::new();
        let text = unescape(record.get(span.start..span.end)?, span.escape, &mut buffer);
        if text.is_empty() {
            return Some(false);
        }
        match self.id_type {
            IdType::Int64 => value::parse_int64(text).ok().map(|id| self.users.has(IdRef::Int64(id))),
            IdType::Utf8 => std::str::from_utf8(text).ok().map(|id| self.users.has(IdRef::Utf8(id))),
        }
    }
}

/// Reasons of records that are no row of their file, so that nobody can say which field is which.
const NO_ROWS: [Reason; 5] =
    [Reason::FieldCount, Reason::UnclosedQuote, Reason::TextAfterQuote, Reason::InvalidJson, Reason::TooLong];

impl Whose for Owner<'_> {
    fn is_theirs(&self, source: Option<&SourceFile>, row: &RejectedRow<'_>) -> bool {
        let form = source.and_then(|source| source.user_field.as_ref());
        let is_row =
            row.raw.len() < MAX_RAW_BYTES && NO_ROWS.iter().all(|reason| reason.code() != row.reason);
        let known = form.filter(|_| is_row).and_then(|form| self.user_is_theirs(form, row.raw));
        known.unwrap_or_else(|| self.users.named_in(row.raw) > 0)
    }

    fn clear(&self, quality: &mut Value) {
        let is_theirs = |value: &Value| match value {
            Value::String(text) => self.users.has(IdRef::Utf8(text)),
            Value::Number(number) => number.as_i64().is_some_and(|id| self.users.has(IdRef::Int64(id))),
            _ => false,
        };
        let mut lists = Vec::new();
        let expectations = quality.pointer_mut("/contract/expectations").and_then(Value::as_array_mut);
        for (index, expectation) in expectations.into_iter().flatten().enumerate() {
            if expectation.get("column").and_then(Value::as_str) != Some(column::USER_ID) {
                continue;
            }
            let Some(values) = expectation.get_mut("values").and_then(Value::as_array_mut) else { continue };
            let before = values.len();
            values.retain(|value| !is_theirs(value));
            if values.len() < before {
                lists.push((index, values.clone()));
            }
        }
        // The report says the list in words.
        for (index, values) in lists {
            if let Some(bound) = quality.pointer_mut(&format!("/report/expectations/{index}/bound")) {
                let words = values
                    .iter()
                    .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                *bound = Value::String(format!("one of {}", words.collect::<Vec<_>>().join(", ")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(id_type: &str) -> Value {
        let toml = format!(
            r#"
            name = "x"
            [columns]
            event_time = {{ from = "t", type = "timestamp" }}
            event_type = {{ from = "e", type = "dictionary" }}
            user_id = {{ from = "u", type = "{id_type}" }}
            "#
        );
        serde_json::to_value(SourceMapping::from_toml(&toml).unwrap()).unwrap()
    }

    fn source(format: &str, delimiter: Option<char>, fields: usize, field: usize) -> SourceFile {
        let user_field = Some(UserField { format: format.to_owned(), delimiter, quote: None, fields, field });
        let (name, xxh3) = ("a".to_owned(), String::new());
        SourceFile {
            name,
            bytes: 0,
            xxh3,
            account: cip_store::Account::default(),
            records: None,
            replaced_by: None,
            user_field,
            currencies: None,
        }
    }

    #[test]
    fn a_record_that_can_be_read_is_that_of_its_user_and_no_other_field() {
        let users = ErasedUsers::new(IdType::Int64, ["7"]).unwrap();
        let owner = Owner::new(&users, &mapping("int64")).unwrap();
        let csv = source("csv", Some(';'), 4, 2);
        let json = source("ndjson", None, 1, 0);
        let blanks = source("blanks", None, 3, 0);
        let theirs = |source: &SourceFile, reason, raw: &str| {
            owner.is_theirs(Some(source), &RejectedRow { source_file: "a", reason, raw: raw.as_bytes() })
        };
        assert!(theirs(&csv, "invalid_time", "when;view;7;1"));
        assert!(theirs(&csv, "invalid_time", "when;view;\"7.0\";1"));
        assert!(!theirs(&csv, "invalid_time", "7;7;8;7"));
        assert!(!theirs(&csv, "missing_value", "7;7;;7"));
        // Who it is cannot be read: every word counts.
        assert!(theirs(&csv, "invalid_integer", "t;view;7x;7"));
        assert!(!theirs(&csv, "invalid_integer", "t;view;7x;77"));
        assert!(theirs(&csv, "field_count", "7;view"));
        assert!(!theirs(&csv, "field_count", "70;view"));
        assert!(theirs(&json, "invalid_time", r#"{"x":8,"u":7,"t":"?"}"#));
        assert!(!theirs(&json, "invalid_time", r#"{"x":7,"u":8,"t":"?"}"#));
        assert!(theirs(&json, "invalid_json", r#"{"x":8,"u":7,"t"#));
        assert!(
            theirs(&blanks, "invalid_time", "7  ? view") && !theirs(&blanks, "invalid_time", "8  7 view")
        );
        // Where the store does not know how the file was written.
        let unknown = SourceFile { user_field: None, ..csv.clone() };
        assert!(theirs(&unknown, "invalid_time", "7;view;8;1"));
        // A record of which only the start was kept.
        let long = format!("8;view;8;{},7", "x".repeat(MAX_RAW_BYTES - 11));
        assert_eq!(long.len(), MAX_RAW_BYTES);
        assert!(theirs(&csv, "invalid_time", &long));
    }

    #[test]
    fn escapes_of_a_record_are_undone() {
        let users = ErasedUsers::new(IdType::Utf8, ["é"]).unwrap();
        let owner = Owner::new(&users, &mapping("utf8")).unwrap();
        let json = source("ndjson", None, 1, 0);
        let row = RejectedRow { source_file: "a", reason: "invalid_time", raw: br#"{"u":"\u00e9"}"# };
        assert!(owner.is_theirs(Some(&json), &row));
    }

    #[test]
    fn a_list_of_users_in_a_contract_loses_them() {
        let users = ErasedUsers::new(IdType::Int64, ["7"]).unwrap();
        let owner = Owner::new(&users, &mapping("int64")).unwrap();
        let mut kept = serde_json::json!({
            "contract": { "expectations": [
                { "column": "product_id", "values": [7, 8] }, { "column": "user_id", "values": [7, 8, 9] },
            ] },
            "report": { "expectations": [{ "bound": "one of 7, 8" }, { "bound": "one of 7, 8, 9", "checked": 7 }] },
        });
        owner.clear(&mut kept);
        assert_eq!(
            kept,
            serde_json::json!({
                "contract": { "expectations": [
                    { "column": "product_id", "values": [7, 8] }, { "column": "user_id", "values": [8, 9] },
                ] },
                "report": { "expectations": [{ "bound": "one of 7, 8" }, { "bound": "one of 8, 9", "checked": 7 }] },
            })
        );
    }
}
