//! The schema of events: which of the known columns a source has, and their types.

use arrow_schema::{DataType, Schema, SchemaRef, TimeUnit};

use crate::column;
use crate::error::CoreError;
use crate::id::IdType;
use crate::money::{AMOUNT_PRECISION, MoneyScale};

/// A schema of events whose known columns have their contract's types.
///
/// A column with another name is kept as it is: `country`, `device_type` and the like need no permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSchema {
    schema: SchemaRef,
}

impl EventSchema {
    /// Checks the types of the known columns.
    ///
    /// # Errors
    /// [`CoreError::ColumnType`] where one differs.
    pub fn try_new(schema: SchemaRef) -> Result<Self, CoreError> {
        for field in schema.fields() {
            if let Some(expected) = expectation(field.name())
                && !expected.allows(field.data_type())
            {
                return Err(CoreError::ColumnType {
                    column: field.name().clone(),
                    found: field.data_type().clone(),
                    expected: expected.text(),
                });
            }
        }
        Ok(Self { schema })
    }

    /// The Arrow schema.
    pub fn arrow(&self) -> &SchemaRef {
        &self.schema
    }

    /// Whether there is a column of this name.
    pub fn has(&self, column: &str) -> bool {
        self.schema.index_of(column).is_ok()
    }

    /// The type of an id column, or none where it is absent.
    pub fn id_type(&self, column: &str) -> Option<IdType> {
        match self.schema.field_with_name(column).ok()?.data_type() {
            DataType::Int64 => Some(IdType::Int64),
            DataType::Utf8 => Some(IdType::Utf8),
            _ => None,
        }
    }

    /// The type of `user_id`.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`] where there are no users.
    pub fn user_type(&self) -> Result<IdType, CoreError> {
        self.id_type(column::USER_ID).ok_or(CoreError::MissingColumn { column: column::USER_ID })
    }

    /// The decimals of `price`, or none where there is no price.
    pub fn money_scale(&self) -> Option<MoneyScale> {
        money_scale(self.schema.field_with_name(column::PRICE).ok()?.data_type())
    }

    /// Whether there is a column of this name, of a type that features can be made from: any in
    /// [`EVENT_COLUMNS`](column::EVENT_COLUMNS), whose types are checked; in
    /// [`SERVICE_COLUMNS`](column::SERVICE_COLUMNS) the one that stands there.
    pub fn can_give(&self, column: &str) -> bool {
        let Ok(field) = self.schema.field_with_name(column) else { return false };
        match column {
            column::DEVICE_TYPE => Expectation::Dictionary.allows(field.data_type()),
            column::DURATION_SECONDS => Expectation::Int64.allows(field.data_type()),
            column::REVENUE => Expectation::Money.allows(field.data_type()),
            _ => true,
        }
    }

    /// The decimals of `revenue`, or none where there is no revenue that is money.
    pub fn revenue_scale(&self) -> Option<MoneyScale> {
        money_scale(self.schema.field_with_name(column::REVENUE).ok()?.data_type())
    }

    /// Checks that a batch has every column of this schema with the same type: that it goes on where earlier batches of
    /// a stream left off. Other columns are not looked at.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`], [`CoreError::ColumnType`].
    pub fn require(&self, found: &EventSchema) -> Result<(), CoreError> {
        for expected in self.schema.fields() {
            let Ok(field) = found.schema.field_with_name(expected.name()) else {
                let mut known = column::EVENT_COLUMNS.into_iter().chain(column::SERVICE_COLUMNS);
                let known = known.find(|name| name == expected.name());
                return Err(CoreError::MissingColumn { column: known.unwrap_or("of the first batch") });
            };
            if field.data_type() != expected.data_type() {
                return Err(CoreError::ColumnType {
                    column: expected.name().clone(),
                    found: field.data_type().clone(),
                    expected: match expected.data_type() {
                        DataType::Int64 => "Int64 as in the schema given first",
                        DataType::Utf8 => "Utf8 as in the schema given first",
                        _ => "the type in the schema given first",
                    },
                });
            }
        }
        Ok(())
    }

    /// Returns the schema with only those of `columns` that are there, in this schema's order.
    pub fn project(&self, columns: &[&str]) -> Self {
        let fields: Vec<_> = self
            .schema
            .fields()
            .iter()
            .filter(|field| columns.contains(&field.name().as_str()))
            .cloned()
            .collect();
        Self { schema: Schema::new(fields).into() }
    }
}

/// The Arrow type of instants.
pub(crate) fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The Arrow type of texts that repeat.
pub(crate) fn dictionary_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

#[derive(Clone, Copy)]
enum Expectation {
    Timestamp,
    Dictionary,
    Id,
    Money,
    Int64,
    UInt32,
}

fn expectation(name: &str) -> Option<Expectation> {
    Some(match name {
        column::EVENT_TIME => Expectation::Timestamp,
        column::EVENT_TYPE
        | column::CATEGORY_CODE
        | column::BRAND
        | column::EXPERIMENT_GROUP
        | column::CURRENCY
        | column::SOURCE_FILE => Expectation::Dictionary,
        column::PRODUCT_ID | column::CATEGORY_ID | column::ORDER_ID | column::USER_ID => Expectation::Id,
        column::PRICE => Expectation::Money,
        column::QUANTITY => Expectation::Int64,
        column::SOURCE_SESSION => Expectation::UInt32,
        _ => return None,
    })
}

impl Expectation {
    fn allows(self, found: &DataType) -> bool {
        match self {
            Self::Timestamp => *found == timestamp_type(),
            Self::Dictionary => *found == dictionary_type(),
            Self::Id => matches!(found, DataType::Int64 | DataType::Utf8),
            Self::Money => money_scale(found).is_some(),
            Self::Int64 => *found == DataType::Int64,
            Self::UInt32 => *found == DataType::UInt32,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Timestamp => "Timestamp(µs, \"UTC\")",
            Self::Dictionary => "Dictionary(Int32, Utf8)",
            Self::Id => "Int64 or Utf8",
            Self::Money => "Decimal128(18, 0..=9)",
            Self::Int64 => "Int64",
            Self::UInt32 => "UInt32",
        }
    }
}

fn money_scale(data_type: &DataType) -> Option<MoneyScale> {
    match data_type {
        DataType::Decimal128(AMOUNT_PRECISION, scale) => MoneyScale::new(u8::try_from(*scale).ok()?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::Field;

    fn schema(fields: Vec<Field>) -> Result<EventSchema, CoreError> {
        EventSchema::try_new(Schema::new(fields).into())
    }

    #[test]
    fn known_columns_are_checked_and_others_kept() {
        let good = schema(vec![
            Field::new("user_id", DataType::Utf8, true),
            Field::new("price", DataType::Decimal128(18, 3), true),
            Field::new("device_type", DataType::Float32, true),
        ])
        .unwrap();
        assert_eq!(good.user_type().unwrap(), IdType::Utf8);
        assert_eq!(good.money_scale(), Some(MoneyScale::new(3).unwrap()));
        assert_eq!(good.project(&["price", "brand"]).arrow().fields().len(), 1);
        assert!(good.can_give("price") && !good.can_give("device_type") && !good.can_give("brand"));
        for (name, bad) in [
            ("event_time", DataType::Timestamp(TimeUnit::Microsecond, None)),
            ("price", DataType::Float64),
            ("price", DataType::Decimal128(18, -1)),
            ("user_id", DataType::Int32),
            ("brand", DataType::Utf8),
        ] {
            let error = schema(vec![Field::new(name, bad, true)]).unwrap_err();
            assert!(matches!(error, CoreError::ColumnType { .. }), "{name}: {error}");
        }
    }
}
