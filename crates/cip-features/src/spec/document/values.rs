//! How a document writes values, and conditions on them.

use cip_core::Id;
use toml::{Table, Value};

use super::refuse;
use crate::error::FeaturesError;
use crate::spec::filter::{Filter, Test};

const VALUES: &str = "a text, an integer, a list of them, or one of { not = … }, { starts_with = \"…\" }, { at_least = 1, below = 9 }";
pub(super) const LIST: &str = "a list of texts or of integers";

/// The conditions that a table writes.
pub(super) fn filter(feature: &str, table: Table) -> Result<Filter, FeaturesError> {
    let mut filter = Filter::default();
    for (column, value) in table {
        let test = test(&value)
            .ok_or_else(|| refuse(feature, &format!("where.{column}"), &value.to_string(), VALUES))?;
        filter = filter.and(column, test);
    }
    Ok(filter)
}

fn test(value: &Value) -> Option<Test> {
    let Value::Table(table) = value else { return some_ids(value).map(Test::AnyOf) };
    let mut keys = table.iter().map(|(key, value)| (key.as_str(), value));
    match (keys.next()?, keys.next(), keys.next()) {
        (("not", value), None, None) => some_ids(value).map(Test::NoneOf),
        (("starts_with", Value::String(text)), None, None) => Some(Test::StartsWith(text.as_str().into())),
        (("at_least", value), None, None) => {
            Some(Test::Between { at_least: Some(number(value)?), below: None })
        }
        (("below", value), None, None) => Some(Test::Between { at_least: None, below: Some(number(value)?) }),
        (("at_least", low), Some(("below", high)), None)
        | (("below", high), Some(("at_least", low)), None) => {
            Some(Test::Between { at_least: Some(number(low)?), below: Some(number(high)?) })
        }
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

pub(super) fn table(filter: &Filter) -> Table {
    let one_of = |values: &[Id]| match values {
        [value] => value_of(value),
        values => list_of(values),
    };
    let named = |key: &str, value: Value| (key.to_owned(), value);
    let value = |test: &Test| match test {
        Test::AnyOf(values) => one_of(values),
        Test::NoneOf(values) => Value::Table(Table::from_iter([named("not", one_of(values))])),
        Test::StartsWith(text) => {
            Value::Table(Table::from_iter([named("starts_with", Value::String(text.to_string()))]))
        }
        Test::Between { at_least, below } => {
            let ends = [("at_least", at_least), ("below", below)];
            let ends = ends.into_iter().filter_map(|(key, end)| Some(named(key, Value::Float((*end)?))));
            Value::Table(ends.collect())
        }
    };
    filter.conditions().iter().map(|(column, test)| (column.to_string(), value(test))).collect()
}

/// One value, or a list.
fn some_ids(value: &Value) -> Option<Vec<Id>> {
    id(value).map(|id| vec![id]).or_else(|| ids(value))
}

pub(super) fn ids(value: &Value) -> Option<Vec<Id>> {
    value.as_array()?.iter().map(id).collect()
}

pub(super) fn id(value: &Value) -> Option<Id> {
    match value {
        Value::String(text) => Some(Id::Utf8(text.as_str().into())),
        Value::Integer(number) => Some(Id::Int64(*number)),
        _ => None,
    }
}

pub(super) fn value_of(id: &Id) -> Value {
    match id {
        Id::Int64(number) => Value::Integer(*number),
        Id::Utf8(text) => Value::String(text.to_string()),
    }
}

pub(super) fn list_of(values: &[Id]) -> Value {
    Value::Array(values.iter().map(value_of).collect())
}
