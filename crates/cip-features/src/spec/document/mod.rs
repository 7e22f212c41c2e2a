//! The document of a specification, as it is written and read.

mod name;
mod pivot;
mod rule;
mod values;

use cip_core::TimeZone;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::FeatureSpec;
use crate::error::FeaturesError;
use rule::Rule;
use values::{filter, table};

/// The document, before it is checked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time_zone: Option<Box<str>>,
    features: Vec<Rule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<Label>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    #[serde(rename = "where")]
    filter: Table,
}

impl TryFrom<Document> for FeatureSpec {
    type Error = FeaturesError;

    fn try_from(document: Document) -> Result<Self, FeaturesError> {
        let rules = document.features.into_iter().map(Rule::check).collect::<Result<_, _>>()?;
        let mut spec = Self::new(rules)?;
        if let Some(zone) = document.time_zone {
            spec = spec.with_time_zone(zone.parse()?);
        }
        match document.label {
            Some(label) => spec.with_label(filter("label", label.filter)?),
            None => Ok(spec),
        }
    }
}

impl From<FeatureSpec> for Document {
    fn from(spec: FeatureSpec) -> Self {
        Self {
            time_zone: (spec.time_zone != TimeZone::UTC).then(|| spec.time_zone.to_string().into()),
            features: spec.rules.iter().map(Rule::of).collect(),
            label: spec.label.as_ref().map(|filter| Label { filter: table(filter) }),
        }
    }
}

fn refuse(feature: &str, argument: &str, found: &str, expected: &'static str) -> FeaturesError {
    FeaturesError::Argument {
        feature: feature.into(),
        argument: argument.into(),
        found: found.into(),
        expected,
    }
}
