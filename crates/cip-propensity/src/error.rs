//! The errors of propensity models.

use std::io;

use arrow_schema::DataType;
use cip_core::CoreError;

use crate::matrix::text::is_text;

/// Why a table, a parameter, a model file or a fit was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PropensityError {
    /// A parameter outside what makes sense.
    #[error("{name} is {value}, expected {expected}")]
    Parameter {
        /// Which one.
        name: &'static str,
        /// What was given.
        value: f64,
        /// What is allowed.
        expected: &'static str,
    },
    /// A table without rows to learn from.
    #[error("there are no rows to {what}: check the cutoff, the filter and the split")]
    NoRows {
        /// What they were wanted for.
        what: &'static str,
    },
    /// A table without columns to learn from.
    #[error("no column is left to learn from: give the table at least one column besides ids and label")]
    NoFeatures,
    /// A column that is asked for and not there.
    #[error("column `{column}` is missing, the table has {}: name one of them", list(columns))]
    MissingColumn {
        /// The column that was asked for.
        column: Box<str>,
        /// The columns there are.
        columns: Vec<Box<str>>,
    },
    /// The same column twice among the features.
    #[error("feature `{column}` is given twice: give each feature once")]
    DuplicateFeature {
        /// The column.
        column: Box<str>,
    },
    /// A feature that is neither a number nor text, or text where a model was trained with numbers.
    #[error(
        "feature `{column}` is {found}, expected numbers or booleans{}: leave it out of the features, or encode it",
        if is_text(found) { "" } else { ", or text" }
    )]
    FeatureType {
        /// The column.
        column: Box<str>,
        /// Its type.
        found: DataType,
    },
    /// A feature that is to have categories, and is of a type that has none.
    #[error(
        "feature `{column}` is {found}, expected text, whole numbers or booleans for its categories: leave it out of the features, or encode it"
    )]
    CategoryType {
        /// The column.
        column: Box<str>,
        /// Its type.
        found: DataType,
    },
    /// A number with a fraction where categories are.
    #[error(
        "feature `{column}` is {value} in row {row} (from 0), expected a whole number for its category: write it as text, or take it as a number"
    )]
    CategoryNumber {
        /// The column.
        column: Box<str>,
        /// 0-based row.
        row: u64,
        /// What was found.
        value: f64,
    },
    /// A feature of more different texts than anything but an id has.
    #[error(
        "feature `{column}` has more than {most} different texts, as ids have: name it as an id, or leave it out of the features"
    )]
    ManyTexts {
        /// The column.
        column: Box<str>,
        /// The most that are read.
        most: usize,
    },
    /// A feature whose categories are not those of other rows.
    #[error(
        "feature `{column}` has other categories than the rows trained on: make both of one table, or the second like the first"
    )]
    OtherCategories {
        /// The column.
        column: Box<str>,
    },
    /// A direction along categories.
    #[error("feature `{column}` has categories, which have no order: leave it out of the monotone features")]
    MonotoneCategories {
        /// The column.
        column: Box<str>,
    },
    /// Names of categories that do not ascend.
    #[error(
        "category `{second}` stands behind `{first}`, expected each once and in the order of their bytes"
    )]
    CategoryOrder {
        /// The name that stands first.
        first: Box<str>,
        /// The one behind it.
        second: Box<str>,
    },
    /// A feature value that is infinite, or too large for 32 bits.
    #[error(
        "feature `{column}` is {value} in row {row} (from 0), expected a number of at most 3.4e38 or null: drop, cap or null such rows first"
    )]
    NotFinite {
        /// The column.
        column: Box<str>,
        /// 0-based row.
        row: u64,
        /// What was found.
        value: f64,
    },
    /// A label of a type that is not yes or no.
    #[error(
        "label `{column}` is {found}, expected booleans, numbers that are 0 or 1, or text that is yes or no"
    )]
    LabelType {
        /// The column.
        column: Box<str>,
        /// Its type.
        found: DataType,
    },
    /// A label that is unknown or neither 0 nor 1.
    #[error("label `{column}` is {} in row {row} (from 0), expected 0 or 1: drop such rows first", or_null(*value))]
    LabelValue {
        /// The column.
        column: Box<str>,
        /// 0-based row.
        row: u64,
        /// What was found; none for null.
        value: Option<f64>,
    },
    /// A label that is a text and neither yes nor no.
    #[error(
        "label `{column}` is `{text}` in row {row} (from 0), expected yes or no, true or false, or 1 or 0: write it so, or drop such rows first"
    )]
    LabelText {
        /// The column.
        column: Box<str>,
        /// 0-based row.
        row: u64,
        /// What was found.
        text: Box<str>,
    },
    /// Amounts that are no numbers.
    #[error("amount `{column}` is {found}, expected numbers: name another column")]
    AmountType {
        /// The column.
        column: Box<str>,
        /// Its type.
        found: DataType,
    },
    /// An amount that is unknown or not finite.
    #[error("amount `{column}` is {} in row {row} (from 0), expected a finite number: drop such rows first", or_null(*value))]
    AmountValue {
        /// The column.
        column: Box<str>,
        /// 0-based row.
        row: u64,
        /// What was found; none for null.
        value: Option<f64>,
    },
    /// A weight that is no number.
    #[error("weight `{column}` is {found}, expected numbers: name another column")]
    WeightType {
        /// The column.
        column: Box<str>,
        /// Its type.
        found: DataType,
    },
    /// A weight that is unknown, negative or not finite.
    #[error("weight `{column}` is {} in row {row} (from 0), expected a number of 0 or more: drop such rows first", or_null(*value))]
    WeightValue {
        /// The column.
        column: Box<str>,
        /// 0-based row.
        row: u64,
        /// What was found; none for null.
        value: Option<f64>,
    },
    /// Weights that add up to nothing.
    #[error("the weights of all {rows} rows are 0, expected some above it")]
    NoWeight {
        /// Rows.
        rows: u64,
    },
    /// A table in which there is nothing to tell apart.
    #[error("all {rows} labels are {label}, expected both 0 and 1: a model learns what tells them apart")]
    OneClass {
        /// Rows.
        rows: u64,
        /// The only label, 0 or 1.
        label: u8,
    },
    /// Boosting is to stop early, and there are no rows to say when.
    #[error(
        "boosting is to stop after {rounds} rounds without a lower loss, and there are no rows to validate on: give some, or leave early stopping out"
    )]
    NoValidation {
        /// Rounds without a lower loss.
        rounds: u32,
    },
    /// Fewer times than sides to split by them.
    #[error(
        "the rows have {found} different times, expected at least {sides}, one for each side: add earlier ones, or leave the validation or the calibration out"
    )]
    FewTimes {
        /// Different times.
        found: usize,
        /// Sides.
        sides: usize,
    },
    /// No fold on which parameters could be tried.
    #[error(
        "no fold has rows of both classes to train on and to try the model on: take fewer folds, a shorter gap, or more rows"
    )]
    NoFolds,
    /// A fold with a row that is not there.
    #[error("a fold names row {row} (from 0), expected one of the {rows} rows")]
    FoldRow {
        /// 0-based row.
        row: usize,
        /// Rows.
        rows: usize,
    },
    /// Records and labels, or scores and labels, of different number.
    #[error("{rows} rows and {labels} labels, expected as many of each")]
    Lengths {
        /// Rows.
        rows: usize,
        /// Labels.
        labels: usize,
    },
    /// Records with another number of columns than the model was trained with.
    #[error(
        "the records have {found} columns, the model was trained with {expected}: give its features in their order"
    )]
    FeatureCount {
        /// Columns found.
        found: usize,
        /// Columns of the model.
        expected: usize,
    },
    /// A score that cannot be ranked or is no probability.
    #[error("score {row} is {value}, expected {expected}")]
    Score {
        /// 0-based row.
        row: u64,
        /// What was found.
        value: f64,
        /// What is allowed.
        expected: &'static str,
    },
    /// A name that no calibration has.
    #[error("there is no calibration `{found}`, expected platt, isotonic, beta or none")]
    UnknownCalibration {
        /// What was given.
        found: Box<str>,
    },
    /// An id column whose name a column of the scores has.
    #[error("id `{column}` has the name of a column of the scores: rename it, or score without it")]
    IdName {
        /// The column.
        column: Box<str>,
    },
    /// A file that is not JSON of the documented form.
    #[error("the model file cannot be read: {0}")]
    ModelJson(#[source] serde_json::Error),
    /// A file of another program, or of a later version of this one.
    #[error(
        "the model file has format `{format}`, version {version}, expected `{expected}`, version {supported}: train the model again, or use the version of cip that wrote it"
    )]
    ModelVersion {
        /// The format that it names.
        format: Box<str>,
        /// The version that it names.
        version: u64,
        /// The format that is read.
        expected: &'static str,
        /// The version that is read.
        supported: u64,
    },
    /// Text that is no method of uplift.
    #[error("`{found}` is no method of uplift: write two-model or transformed-outcome")]
    UnknownUplift {
        /// The text.
        found: Box<str>,
    },
    /// Rows that were all treated, or all not.
    #[error("all {rows} rows are of one arm, and none is {missing}: give rows of both, treated and control")]
    OneArm {
        /// Rows.
        rows: u64,
        /// `treated` or `control`.
        missing: &'static str,
    },
    /// A model of another program, of a kind that is not read.
    #[error("the model's {what} is `{found}`, expected {expected}: such models are not read")]
    ForeignModel {
        /// What of it.
        what: &'static str,
        /// What was found.
        found: Box<str>,
        /// What is read.
        expected: &'static str,
    },
    /// A model file that contradicts itself.
    #[error("the model file is damaged: tree {tree}, node {node}: {reason}")]
    ModelTree {
        /// 0-based tree.
        tree: usize,
        /// 0-based node.
        node: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A model file of text with a line that is not of its form.
    #[error("the model file is damaged: line {line}: {field} is `{found}`, expected {expected}")]
    ModelLine {
        /// 1-based line.
        line: usize,
        /// What of it.
        field: &'static str,
        /// What was found.
        found: Box<str>,
        /// What is allowed.
        expected: &'static str,
    },
    /// A model file whose header contradicts itself.
    #[error("the model file is damaged: {reason}")]
    ModelHeader {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A model of another program whose names of categories cannot be read.
    #[error("the model file is damaged: the names of the categories of feature `{feature}`: {reason}")]
    CategoryNames {
        /// The feature.
        feature: Box<str>,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// Reading or writing a model failed.
    #[error("the model: {0}")]
    Io(#[from] io::Error),
    /// linfa refused what it was given.
    #[error("linfa: {0}")]
    Linfa(#[from] linfa::Error),
    /// A column is of a type that ids cannot have.
    #[error(transparent)]
    Core(#[from] CoreError),
}

fn list(names: &[Box<str>]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn or_null(value: Option<f64>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| value.to_string())
}
