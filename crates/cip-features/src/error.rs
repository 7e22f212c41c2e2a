//! The errors of features.

use arrow_schema::DataType;
use cip_core::{CoreError, Id, Timestamp, column};

use crate::feature::Feature;

/// Why features were not computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeaturesError {
    /// A window without two halves.
    #[error(
        "the window of the features is [{start}, {cutoff}), expected one with a start, an end and time in between: \
         trends compare its halves"
    )]
    Window {
        /// Where it starts.
        start: Timestamp,
        /// Where it ends.
        cutoff: Timestamp,
    },
    /// A label window that ends before it begins.
    #[error(
        "the label window ends at {label_until}, expected an instant behind the cutoff, {cutoff}: labels come from what \
         follows the cutoff"
    )]
    LabelWindow {
        /// Where it was to end.
        label_until: Timestamp,
        /// Where it begins.
        cutoff: Timestamp,
    },
    /// A name that no feature has.
    #[error("`{name}` is not a feature: expected one of {}", names())]
    UnknownFeature {
        /// What was given.
        name: String,
    },
    /// A feature that was asked for twice.
    #[error("feature `{feature}` is asked for twice: every column of a table has a name of its own")]
    DuplicateFeature {
        /// Which one.
        feature: Feature,
    },
    /// No features were asked for.
    #[error("no features are asked for, expected one or more of {}", names())]
    NoFeatures,
    /// A feature that the source cannot give.
    #[error(
        "feature `{feature}` is made from column {}, which the events do not have: map it in the source mapping, or \
         leave the feature out",
        one_of(columns)
    )]
    Unavailable {
        /// What was asked for.
        feature: Feature,
        /// What is missing: any one of these columns would do.
        columns: &'static [&'static str],
    },
    /// An experiment group that was asked for twice.
    #[error("experiment group `{group}` is asked for twice: every column of a table has a name of its own")]
    DuplicateGroup {
        /// Which one.
        group: Box<str>,
    },
    /// One table cannot hold that much text in its user ids.
    #[error(
        "the user ids of one table of features have more than {limit} bytes: push batches one by one, and write each \
         result before the next"
    )]
    TooMuchText {
        /// Bytes that one table may hold.
        limit: usize,
    },
    /// A specification that is no TOML, or not of the documented form.
    #[error("the specification of features: {0}")]
    SpecText(#[from] Box<toml::de::Error>),
    /// A specification that TOML cannot write.
    #[error("the specification of features cannot be written: {0}")]
    SpecWriting(#[from] toml::ser::Error),
    /// A specification without features.
    #[error("the specification has no features: write one or more under [[features]]")]
    EmptySpec,
    /// A name that a feature cannot have.
    #[error(
        "`{name}` is no name of a feature: expected letters, digits and _ of ASCII, other than user_id and label"
    )]
    FeatureName {
        /// What was given.
        name: Box<str>,
    },
    /// Two features of a specification with one name.
    #[error("the specification has two features `{name}`: give each a name of its own")]
    DuplicateRule {
        /// The name.
        name: Box<str>,
    },
    /// Something that a family must be told.
    #[error("feature `{feature}` of family `{family}` has no `{argument}`: say it")]
    MissingArgument {
        /// Of which feature.
        feature: Box<str>,
        /// Its family.
        family: &'static str,
        /// What is missing.
        argument: &'static str,
    },
    /// Something that a family is told in vain.
    #[error("feature `{feature}` of family `{family}` takes no `{argument}`: leave it out")]
    UnusedArgument {
        /// Of which feature.
        feature: Box<str>,
        /// Its family.
        family: &'static str,
        /// What it does not take.
        argument: &'static str,
    },
    /// A value of a specification that makes no sense.
    #[error("feature `{feature}`: `{argument}` is {found}, expected {expected}")]
    Argument {
        /// Of which feature.
        feature: Box<str>,
        /// Of which key.
        argument: Box<str>,
        /// The value.
        found: Box<str>,
        /// What is allowed.
        expected: &'static str,
    },
    /// A ratio of what does not stand above it.
    #[error(
        "feature `{feature}`: its {argument} `{name}` is none of the features above it: {}",
        listed(above)
    )]
    UnknownPart {
        /// The ratio.
        feature: Box<str>,
        /// Numerator or denominator.
        argument: &'static str,
        /// What was given.
        name: Box<str>,
        /// The features above it.
        above: Vec<Box<str>>,
    },
    /// A column that the events do not have.
    #[error(
        "feature `{feature}` is made from column `{column}`, which the events do not have: map it in the source mapping, or \
         take one of {}",
        listed(columns)
    )]
    UnknownColumn {
        /// Of which feature; `label` for what the label is about.
        feature: Box<str>,
        /// What was asked for.
        column: Box<str>,
        /// The columns that there are.
        columns: Vec<Box<str>>,
    },
    /// A column of a type that a family can make nothing of.
    #[error("feature `{feature}` is made from column `{column}`, which is {found}, expected {expected}")]
    ColumnKind {
        /// Of which feature; `label` for what the label is about.
        feature: Box<str>,
        /// The column.
        column: Box<str>,
        /// Its type.
        found: DataType,
        /// What is allowed.
        expected: &'static str,
    },
    /// A value that a column cannot hold.
    #[error("feature `{feature}`: `{value}` is no value of column `{column}`, expected {expected}")]
    ValueKind {
        /// Of which feature; `label` for what the label is about.
        feature: Box<str>,
        /// The column.
        column: Box<str>,
        /// What was given.
        value: Id,
        /// What is allowed.
        expected: &'static str,
    },
    /// A pivot whose values are not known yet.
    #[error(
        "feature `{feature}` is of the most frequent values of column `{column}`, which are not known: find them with \
         `Survey`, or list them"
    )]
    Unsettled {
        /// Which one.
        feature: Box<str>,
        /// The column.
        column: Box<str>,
    },
    /// A pivot over a column of too many values.
    #[error("column `{column}` has more than {limit} values: list those that are to have a feature")]
    TooManyValues {
        /// The column.
        column: Box<str>,
        /// How many it may have.
        limit: usize,
    },
    /// A name that no feature of a specification has.
    #[error("`{name}` is not a feature of the specification: expected one of {}", listed(names))]
    UnknownName {
        /// What was given.
        name: Box<str>,
        /// Those that there are.
        names: Vec<Box<str>>,
    },
    /// A feature of a specification that was asked for twice.
    #[error("feature `{name}` is asked for twice: every column of a table has a name of its own")]
    AskedTwice {
        /// Which one.
        name: Box<str>,
    },
    /// A label that nothing is said of.
    #[error("the specification does not say what the label is about: add a [label] with a `where`")]
    NoLabel,
    /// A number that is none.
    #[error("row {row}: column `{column}` is {value}, expected a finite number or null")]
    NotFinite {
        /// 0-based row of the batch.
        row: usize,
        /// The column.
        column: Box<str>,
        /// What stands there.
        value: f64,
    },
    /// A value beyond what a number can hold.
    #[error(
        "feature `{feature}` is beyond the range of its numbers, 38 digits of money or 64-bit floating point{}: check the values",
        made_from(column)
    )]
    OutOfRange {
        /// Which one.
        feature: Box<str>,
        /// What it is made from, where that is a column.
        column: Option<Box<str>>,
    },
    /// A column is missing or of another type, rows are not sorted, or a sum of money is too large.
    #[error(transparent)]
    Core(#[from] CoreError),
}

fn names() -> String {
    Feature::ALL.map(Feature::name).join(", ")
}

fn made_from(column: &Option<Box<str>>) -> String {
    column.as_ref().map_or(String::new(), |column| format!(", made from column `{column}`"))
}

fn listed(names: &[Box<str>]) -> String {
    if names.is_empty() { "there are none".to_owned() } else { names.join(", ") }
}

/// The columns, each with the type of the mapping that features are made from where a source may have another.
fn one_of(columns: &[&str]) -> String {
    let named = |name: &&str| match *name {
        column::DEVICE_TYPE => format!("`{name}` (dictionary)"),
        column::DURATION_SECONDS => format!("`{name}` (int64)"),
        column::REVENUE => format!("`{name}` (money)"),
        _ => format!("`{name}`"),
    };
    columns.iter().map(named).collect::<Vec<_>>().join(" or ")
}
