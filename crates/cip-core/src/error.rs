//! The errors of typed tables: a column that is absent or of another type, a value that does not fit.

use arrow_schema::DataType;

/// Why a batch, an id, an amount, a date or a budget was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// A stage asked for a column that the batch does not have.
    #[error(
        "column `{column}` is missing: map it in the source mapping, or read it from the store with this stage's columns"
    )]
    MissingColumn {
        /// The column that was asked for.
        column: &'static str,
    },
    /// A known column has a type that its contract does not allow.
    #[error("column `{column}` is {found}, expected {expected}: cast it before the batch is made")]
    ColumnType {
        /// The column.
        column: String,
        /// Its type in the batch.
        found: DataType,
        /// What the contract allows.
        expected: &'static str,
    },
    /// A column that must not be null has nulls.
    #[error("column `{column}` has {nulls} nulls, expected none: drop or fill these rows first")]
    UnexpectedNulls {
        /// The column.
        column: &'static str,
        /// How many.
        nulls: usize,
    },
    /// A stage that needs events in user and time order met a row that goes back.
    #[error(
        "row {row} comes before the row above it, expected events sorted by user_id, event_time: \
         sort them with `EventBatch::sorted`"
    )]
    NotSorted {
        /// 0-based row over all batches given so far.
        row: u64,
    },
    /// Text that is not an amount of money at the scale asked for.
    #[error("`{text}` is not an amount with at most {scale} decimals: {reason}")]
    Money {
        /// The text, shortened.
        text: String,
        /// Decimals allowed.
        scale: u8,
        /// What is wrong with it.
        reason: MoneyFault,
    },
    /// A sum of money that no longer fits 38 digits.
    #[error("the sum of `{column}` exceeds 38 digits: check the amounts")]
    MoneyOverflow {
        /// The column summed.
        column: &'static str,
    },
    /// Text that is neither an offset from UTC nor the name of a time zone.
    #[error(
        "`{text}` is no time zone: write UTC, an offset up to 18 hours such as +01:00, or a name of the IANA database such as Europe/Berlin"
    )]
    TimeZone {
        /// What was given.
        text: Box<str>,
    },
    /// Text that is neither a UTC day nor an RFC 3339 instant.
    #[error(
        "`{text}` is not a date: write a UTC day such as 2019-11-01, or RFC 3339 such as 2019-11-01T00:00:00Z"
    )]
    Date {
        /// The text.
        text: String,
    },
    /// A range that ends before it starts.
    #[error("the time range ends at {end} before it starts at {start}: swap the two")]
    TimeRange {
        /// First instant, UTC microseconds.
        start: i64,
        /// End instant (exclusive), UTC microseconds.
        end: i64,
    },
    /// Text that is not a size or a duration.
    #[error("`{text}` is not {expected}")]
    Quantity {
        /// The text.
        text: String,
        /// What was expected, with an example.
        expected: &'static str,
    },
    /// A part needs more memory than the caller's budget leaves it.
    #[error(
        "{what} needs at least {smallest} of memory, but the budget is {budget}: give it {smallest} or more"
    )]
    Memory {
        /// The part that asked.
        what: &'static str,
        /// What the caller allowed.
        budget: crate::MemoryBudget,
        /// The smallest budget that would do.
        smallest: crate::MemoryBudget,
    },
    /// More distinct ids than a dense 32-bit code can number.
    #[error("more than {limit} distinct values of `{column}`: a dense code has 32 bits")]
    TooManyCodes {
        /// The column coded.
        column: &'static str,
        /// Codes there are.
        limit: u64,
    },
    /// An Arrow kernel failed.
    #[error("arrow: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
}

/// What is wrong with an amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoneyFault {
    /// Not a decimal number.
    #[error("not a decimal number")]
    NotDecimal,
    /// More decimals than the column keeps.
    #[error("more decimals than the column keeps")]
    Scale,
    /// More than 18 digits.
    #[error("more than 18 digits")]
    Overflow,
}
