//! The errors of RFM and of lifetime value.

use cip_core::{CoreError, Id, MemoryBudget, StateFault, Timestamp};

/// Why customers were not scored, or a model not fitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RfmError {
    /// The events have no price.
    #[error(
        "column `price` is missing, and the monetary value of a customer needs money: map it in the source mapping, or \
         read it from the store with this stage's columns"
    )]
    NoMoney,
    /// The bounds between scores do not ascend.
    #[error("the {measure} cuts are {cuts:?}, expected each greater than the one before")]
    Cuts {
        /// `recency`, `frequency` or `monetary`.
        measure: &'static str,
        /// What was given.
        cuts: Vec<i128>,
    },
    /// Too few or too many bounds between scores, or not as many for each measure.
    #[error("there are {counts:?} cuts of recency, frequency and monetary, expected 2 to 9, as many of each")]
    CutCounts {
        /// What was given of each.
        counts: [usize; 3],
    },
    /// Weights of the scores that are none.
    #[error(
        "the weights are `{text}`, expected r, f and m once each, numbers of 0 to 1000000 with up to 6 decimals, one of them above 0: \
         write r=0.5,f=0.3,m=0.2"
    )]
    Weights {
        /// What was given.
        text: String,
    },
    /// A window without an instant.
    #[error("the window begins at {from} and ends before {as_of}, expected a beginning before its end")]
    Window {
        /// The first instant.
        from: Timestamp,
        /// The first instant behind it.
        as_of: Timestamp,
    },
    /// Too few or too many bins.
    #[error("there are {bins} bins, expected 3 to 10")]
    Bins {
        /// What was given.
        bins: u8,
    },
    /// A map of segments that is not one.
    #[error("the map of segments cannot be read: {0}")]
    MapSyntax(#[from] toml::de::Error),
    /// A map of segments has no segment, or more than can be told apart.
    #[error("the map has {segments} segments, expected 1 to {most}")]
    MapSegments {
        /// How many it has.
        segments: usize,
        /// The most.
        most: usize,
    },
    /// A code of scores, or a range of them, that there is not.
    #[error(
        "segment `{segment}` has {scores}, expected scores of 1 to {bins}, three of them or ranges [low, high]"
    )]
    MapScores {
        /// The segment.
        segment: String,
        /// What it says.
        scores: String,
        /// The greatest score of the map.
        bins: u8,
    },
    /// A code of scores that has two segments.
    #[error(
        "the scores {r}-{f}-{m} are in segment `{first}` and in segment `{second}`, expected one: take them out of the other"
    )]
    MapOverlap {
        /// The score of recency.
        r: u8,
        /// That of frequency.
        f: u8,
        /// That of monetary.
        m: u8,
        /// The one segment.
        first: String,
        /// The other.
        second: String,
    },
    /// A code of scores that has no segment.
    #[error("the scores {r}-{f}-{m}, and {others} others, are in no segment, expected one: add them to one")]
    MapGap {
        /// The score of recency.
        r: u8,
        /// That of frequency.
        f: u8,
        /// That of monetary.
        m: u8,
        /// How many more codes have none.
        others: usize,
    },
    /// Scores that the map of segments does not know.
    #[error(
        "the scores go from 1 to {scores}, but the map of segments is of 1 to {map}: choose another map, or as many bins"
    )]
    MapBins {
        /// The greatest score.
        scores: u8,
        /// The greatest that the map knows.
        map: u8,
    },
    /// Sums without times cannot tell what lies before a date or in a window.
    #[error(
        "sums of all events up to {newest} have no times, expected a date behind it, here {as_of}, and no window: keep times"
    )]
    NoTimes {
        /// The date that was asked for.
        as_of: Timestamp,
        /// The time of the latest purchase or cancellation.
        newest: Timestamp,
    },
    /// A window begins before what is still told apart.
    #[error(
        "purchases before {until} are forgotten, expected a window that begins there or later: read the events again"
    )]
    Forgotten {
        /// What lies before is forgotten.
        until: Timestamp,
    },
    /// A state of RFM cannot be read or written, or is not the one that was asked for.
    #[error(transparent)]
    State(#[from] StateFault),
    /// A part of the customers does not come behind the other part.
    #[error(
        "customer {first} was appended behind customer {last}, expected ranges of users that ascend and do not \
         overlap: append the parts in the order of their users"
    )]
    PartsOverlap {
        /// The last customer of the table.
        last: Id,
        /// The first customer of the part.
        first: Id,
    },
    /// Two tables of customers that mean different things.
    #[error(
        "customers counted with another date, window, treatment of returns, currency, type of user_id or money scale cannot be combined: \
         count all parts, and score them, with one `Rfm`"
    )]
    PartsDiffer,
    /// More different histories than fit in memory.
    #[error(
        "the histories of {customers} customers differ too much for {budget} of memory: give {enough}, which is enough where no two \
         are alike, or count times in whole days or weeks and money in whole cents, of which fewer differ"
    )]
    ManyHistories {
        /// How many customers there are.
        customers: u64,
        /// What their histories may take.
        budget: MemoryBudget,
        /// What they take at most.
        enough: MemoryBudget,
    },
    /// More customers than one table can rank.
    #[error("more than {limit} customers: score parts of them")]
    TooManyCustomers {
        /// Customers that one table can have.
        limit: u64,
    },
    /// One table cannot hold that much text in its user ids.
    #[error("the user ids of one table of customers have more than {limit} bytes: score parts of them")]
    TooMuchText {
        /// Bytes that one table may hold.
        limit: usize,
    },
    /// Times of a customer that cannot be.
    #[error(
        "a customer has frequency {frequency}, recency {recency} and T {age}, expected 0 <= recency <= T, and recency 0 \
         where frequency is 0: count both times from the first purchase, in one unit"
    )]
    History {
        /// Repeat purchases.
        frequency: u64,
        /// From the first purchase to the last.
        recency: f64,
        /// From the first purchase to the end of the observation.
        age: f64,
    },
    /// Spend that no model can be of.
    #[error(
        "a customer has {transactions} transactions of {mean} on average, expected at least one, and a mean above 0: leave \
         out customers without"
    )]
    Spend {
        /// Transactions.
        transactions: u64,
        /// Their mean.
        mean: f64,
    },
    /// More renewals than there could have been.
    #[error(
        "a contract was renewed {renewals} times of {opportunities}, expected no more renewals than opportunities: give T as \
         the number of times that it could have been renewed"
    )]
    Contract {
        /// Renewals.
        renewals: u64,
        /// How many there could have been.
        opportunities: u64,
    },
    /// A weight that stands for no customers.
    #[error("a weight is {weight}, expected a finite number above 0: leave out what has no weight")]
    Weight {
        /// The weight.
        weight: f64,
    },
    /// No customers to cluster.
    #[error("there are no customers to cluster, expected one or more: choose a later date")]
    NoCustomers,
    /// A number of clusters that cannot be tried.
    #[error("up to {most} clusters are to be tried, expected 2 to 20")]
    MostClusters {
        /// What was given.
        most: usize,
    },
    /// K-means failed.
    #[error("k-means: {0}")]
    KMeans(#[from] linfa_clustering::KMeansError),
    /// A file that is no model of clusters.
    #[error("the file is no model of clusters: {0}")]
    ModelFile(#[from] serde_json::Error),
    /// A model of clusters of another version, or that contradicts itself.
    #[error(
        "the model of clusters is of version {version} or damaged, expected version {expected}: fit it again"
    )]
    ModelVersion {
        /// Of the file.
        version: u32,
        /// Of this crate.
        expected: u32,
    },
    /// A model of money of another scale.
    #[error(
        "the customers have money of {found} decimals, but the model of clusters is of {expected}: fit a model to them"
    )]
    ModelScale {
        /// Of the customers.
        found: u8,
        /// Of the model.
        expected: u8,
    },
    /// A model of money in another currency.
    #[error(
        "the customers have money in {found}, but the model of clusters is of {expected}: fit a model to them"
    )]
    ModelCurrency {
        /// Of the customers.
        found: String,
        /// Of the model.
        expected: String,
    },
    /// Columns of different lengths.
    #[error("there are {found} {what} for {expected} customers, expected one each")]
    Rows {
        /// What was given.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many customers there are.
        expected: usize,
    },
    /// A hold-out without a day.
    #[error(
        "the hold-out ends at {until}, expected a day at least behind the calibration, which ends at {calibrated}"
    )]
    HoldOut {
        /// The end of the calibration.
        calibrated: Timestamp,
        /// The end of the hold-out.
        until: Timestamp,
    },
    /// A parameter of a model that is not above 0.
    #[error(
        "parameter `{parameter}` of the {model} model is {value}, expected a finite number above 0: fit the model"
    )]
    Parameter {
        /// The model.
        model: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// What was given.
        value: f64,
    },
    /// Nobody bought again.
    #[error(
        "none of {customers} customers has a repeat purchase in a time above 0, and the {model} model is of repeat purchases: \
         observe them for longer"
    )]
    NoRepeats {
        /// The model.
        model: &'static str,
        /// How many there are.
        customers: f64,
    },
    /// Nobody spent anything.
    #[error(
        "no customer has a transaction above 0 to learn from: give the mean of the repeat purchases as monetary_value"
    )]
    NoSpend,
    /// No contract could have been renewed.
    #[error("none of {customers} contracts could have been renewed: observe them beyond their first period")]
    NoRenewals {
        /// How many there are.
        customers: f64,
    },
    /// The data do not tell a parameter.
    #[error(
        "the likelihood of the {model} model has no maximum that the data tell, parameter `{parameter}` runs to {value:e}: fit \
         more customers over a longer time, or another model"
    )]
    NoMaximum {
        /// The model.
        model: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// Where the search ended.
        value: f64,
    },
    /// A time that is none.
    #[error("the time to foretell is {time}, expected a finite number of 0 or more")]
    Time {
        /// What was given.
        time: f64,
    },
    /// Too few or too many periods.
    #[error("the horizon is {periods} periods, expected 1 to {most}")]
    Periods {
        /// What was given.
        periods: u32,
        /// The most.
        most: u32,
    },
    /// A rate that does not discount.
    #[error(
        "the discount rate a period is {rate}, expected a finite number of 0 or more, and above 0 for a lifetime without end"
    )]
    DiscountRate {
        /// What was given.
        rate: f64,
    },
    /// A column is missing or of another type, users are not sorted, or a sum of money is too large.
    #[error(transparent)]
    Core(#[from] CoreError),
}
