//! The errors of features.

use cip_core::{CoreError, Timestamp, column};

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
    /// A column is missing or of another type, rows are not sorted, or a sum of money is too large.
    #[error(transparent)]
    Core(#[from] CoreError),
}

fn names() -> String {
    Feature::ALL.map(Feature::name).join(", ")
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
