//! How a document writes pivots.

use serde::{Deserialize, Serialize};
use toml::Value;

use super::refuse;
use super::values::{LIST, ids, list_of};
use crate::error::FeaturesError;
use crate::spec::pivot::{Pivot, PivotValues};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PivotTable {
    column: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    values: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    top: Option<u32>,
}

impl PivotTable {
    pub(super) fn check(self, feature: &str) -> Result<Pivot, FeaturesError> {
        let values = match (self.values, self.top) {
            (Some(values), None) => {
                let listed =
                    ids(&values).ok_or_else(|| refuse(feature, "pivot.values", &values.to_string(), LIST));
                PivotValues::Listed(listed?)
            }
            (None, Some(top)) => PivotValues::Top(top),
            (Some(_), Some(_)) => {
                return Err(refuse(feature, "pivot.top", "beside `values`", "only one of the two"));
            }
            (None, None) => {
                return Err(refuse(feature, "pivot", "without `values`", "`values = [...]` or `top = 10`"));
            }
        };
        Ok(Pivot::new(self.column, values))
    }

    pub(super) fn of(pivot: &Pivot) -> Self {
        let (values, top) = match pivot.values() {
            PivotValues::Listed(values) => (Some(list_of(values)), None),
            PivotValues::Top(top) => (None, Some(*top)),
        };
        Self { column: pivot.column().into(), values, top }
    }
}
