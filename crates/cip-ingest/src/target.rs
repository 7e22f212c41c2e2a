//! The columns of a store as a mapping fills them, with every rule checked.

use arrow_schema::{DataType, Field};
use cip_core::table::SessionIdType;
use cip_core::{MoneyScale, column};
use indexmap::IndexMap;

use crate::error::MappingError;
use crate::rule::{ColumnRule, Condition, MappedType, TimeFormat};

/// Names that the store fills itself.
const RESERVED: [&str; 3] = [column::EXPERIMENT_GROUP, column::SOURCE_FILE, column::REJECTS_BEFORE];

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

impl TargetColumn {
    pub(crate) fn field(&self) -> Field {
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

/// Checks a rule and returns the column that it fills.
///
/// # Errors
/// [`MappingError::Rule`] where the rule contradicts itself.
pub(crate) fn target(name: &str, rule: &ColumnRule) -> Result<TargetColumn, MappingError> {
    let refuse = |reason| MappingError::Rule { column: name.to_owned(), reason };
    if name.is_empty() || RESERVED.contains(&name) {
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
