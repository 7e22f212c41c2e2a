//! From rules to features: one for each window and each value.

use std::collections::HashSet;

use cip_core::Id;

use super::FeatureSpec;
use super::family::Family;
use super::filter::{Filter, Test};
use super::look_back::LookBack;
use super::pivot::PivotValues;
use super::rule::{FeatureRule, Windows};
use crate::error::FeaturesError;

/// A single feature, whose parts are told by their names.
#[derive(Debug, Clone)]
pub(super) struct Single {
    pub(super) name: Box<str>,
    pub(super) family: Family,
    pub(super) filter: Filter,
    /// What it is a value of, where it is one of a pivot.
    pub(super) value: Option<(Box<str>, Id)>,
    pub(super) window: Option<LookBack>,
    pub(super) fill: Option<f64>,
    pub(super) range: Option<[f64; 2]>,
}

/// Returns the features of a specification, in the order of their columns: of each rule window by window, and in each value by
/// value.
pub(super) fn expand(spec: &FeatureSpec) -> Result<Vec<Single>, FeaturesError> {
    let (mut singles, mut names): (Vec<Single>, HashSet<Box<str>>) = Default::default();
    for rule in spec.rules() {
        for single in singles_of(rule)? {
            if let Family::Ratio { numerator, denominator, .. } = &single.family {
                for (argument, name) in [("numerator", numerator), ("denominator", denominator)] {
                    if !names.contains(name) {
                        return Err(FeaturesError::UnknownPart {
                            feature: single.name.clone(),
                            argument,
                            name: name.clone(),
                            above: singles.iter().map(|single| single.name.clone()).collect(),
                        });
                    }
                }
            }
            // `carts` with a value `7d` and `carts` in the last 7 days are two features of one name.
            if !names.insert(single.name.clone()) {
                return Err(FeaturesError::DuplicateRule { name: single.name });
            }
            singles.push(single);
        }
    }
    Ok(singles)
}

fn singles_of(rule: &FeatureRule) -> Result<Vec<Single>, FeaturesError> {
    let windows: Vec<(String, Option<LookBack>)> = match rule.each_window() {
        Windows::One(window) => vec![(String::new(), *window)],
        Windows::Each(windows) => {
            windows.iter().map(|window| (format!("_{window}"), Some(*window))).collect()
        }
    };
    let values: Vec<Option<(Box<str>, Id)>> = match rule.pivot().map(|pivot| (pivot.column(), pivot.values()))
    {
        None => vec![None],
        Some((column, PivotValues::Listed(values))) => {
            values.iter().map(|value| Some((column.into(), value.clone()))).collect()
        }
        Some((column, PivotValues::Top(_))) => {
            return Err(FeaturesError::Unsettled { feature: rule.name().into(), column: column.into() });
        }
    };
    let mut singles = Vec::with_capacity(windows.len() * values.len());
    for (suffix, window) in &windows {
        for value in &values {
            let of_value = value.as_ref().map_or(String::new(), |(_, value)| format!("_{value}"));
            singles.push(Single {
                name: format!("{}{of_value}{suffix}", rule.name()).into(),
                family: with_suffix(rule.family(), suffix),
                filter: rule.filter().clone(),
                value: value.clone(),
                window: *window,
                fill: rule.fill(),
                range: rule.range().map(|range| [*range.start(), *range.end()]),
            });
        }
    }
    Ok(singles)
}

/// The ratio of the parts whose names end alike.
fn with_suffix(family: &Family, suffix: &str) -> Family {
    match family {
        Family::Ratio { numerator, denominator, zero } => Family::Ratio {
            numerator: format!("{numerator}{suffix}").into(),
            denominator: format!("{denominator}{suffix}").into(),
            zero: *zero,
        },
        other => other.clone(),
    }
}

impl Single {
    /// All that is asked of its events: column and test.
    pub(super) fn conditions(&self) -> impl Iterator<Item = (&str, Test)> {
        let own = self.filter.conditions().iter().map(|(column, test)| (&**column, test.clone()));
        own.chain(self.value.iter().map(|(column, value)| (&**column, Test::AnyOf(vec![value.clone()]))))
    }

    /// Whether it looks at every event of the table's window.
    pub(super) fn sees_all(&self) -> bool {
        self.window.is_none() && self.value.is_none() && self.filter.conditions().is_empty()
    }
}
