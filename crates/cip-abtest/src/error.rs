//! The errors of experiments.

use cip_core::{CoreError, Id};

/// Why an experiment, a table of outcomes or an analysis was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AbTestError {
    /// The text of an experiment is not TOML of the documented form.
    #[error("the experiment cannot be read: {0}")]
    ExperimentText(#[from] toml::de::Error),
    /// An experiment whose name is empty.
    #[error("the experiment's name is empty: name it")]
    ExperimentName,
    /// A hash without a seed.
    #[error("weighted_hash needs a seed: write `seed` with a text of this experiment's own")]
    Seed,
    /// A seed that would have no effect.
    #[error("md5_parity takes no seed: leave `seed` out, or use weighted_hash")]
    UnusedSeed,
    /// Nothing to compare.
    #[error("{arms} arm(s), expected two or more")]
    TooFewArms {
        /// Arms given.
        arms: usize,
    },
    /// An arm whose name is empty.
    #[error("an arm has no name: name it")]
    BlankArm,
    /// Two arms of one name.
    #[error("arm `{arm}` is given twice: give each arm once, with a name of its own")]
    DuplicateArm {
        /// The name.
        arm: Box<str>,
    },
    /// Some arms have a weight and some have none.
    #[error(
        "arm `{arm}` has no weight while others have: give weights to all arms, or to none for equal shares"
    )]
    SomeWeights {
        /// The first arm without one.
        arm: Box<str>,
    },
    /// A weight that is not a positive number, or that makes the sum of weights infinite.
    #[error("the weight of arm `{arm}` is {weight}, expected a positive number (and a finite sum of all)")]
    Weight {
        /// The arm.
        arm: Box<str>,
        /// What was given.
        weight: f64,
    },
    /// An arm that nobody would come to.
    #[error(
        "the share of arm `{arm}` is {share}, which is none of the hash's {buckets} buckets: give it more weight"
    )]
    NoBucket {
        /// The arm.
        arm: Box<str>,
        /// Its share of all ids.
        share: f64,
        /// The buckets of the hash.
        buckets: u64,
    },
    /// MD5 parity was to make something other than two halves.
    #[error("md5_parity splits in two arms of equal weight, found weights {weights:?}: use weighted_hash")]
    ParityArms {
        /// The weights of the arms given.
        weights: Vec<f64>,
    },
    /// An option that MD5 parity has not.
    #[error("md5_parity takes no {option}: leave `{option}` out, or use weighted_hash")]
    ParityOption {
        /// The option.
        option: &'static str,
    },
    /// An id that is to be in an arm that there is not.
    #[error("`{id}` is to be in arm `{arm}`, which the experiment does not have: name one of its arms")]
    UnknownOverride {
        /// The id.
        id: Box<str>,
        /// The arm.
        arm: Box<str>,
    },
    /// A range that no user is in.
    #[error(
        "namespace `{id}` from {from} to {to}, expected a name and a range within 0 to 1 that is not empty"
    )]
    Namespace {
        /// Its id.
        id: Box<str>,
        /// Its start.
        from: f64,
        /// Its end.
        to: f64,
    },
    /// The unit of an experiment is empty.
    #[error("the unit is empty: name the column of what is assigned, such as user_id")]
    BlankUnit,
    /// An effect from or to nothing.
    #[error("the effect has an empty event type: name both `from` and `to`")]
    EffectBlank,
    /// An effect that turns events into themselves.
    #[error("the effect turns `{kind}` into itself: give `from` and `to` different event types")]
    EffectKinds {
        /// The event type.
        kind: Box<str>,
    },
    /// A share that is not a share.
    #[error("the effect's share is {share}, expected 0 to 1: write 0.05 for 5 % of the events")]
    EffectShare {
        /// What was given.
        share: f64,
    },

    /// More successes than units.
    #[error("arm `{arm}` has {successes} successes of {n} units, expected at most {n}: count each unit once")]
    Successes {
        /// The arm.
        arm: Box<str>,
        /// Units.
        n: u64,
        /// Successes.
        successes: u64,
    },
    /// Sums that no set of numbers has.
    #[error(
        "arm `{arm}`: no {n} numbers have the sum {sum} and the sum of squares {sum_of_squares}: check how they were \
         summed"
    )]
    Moments {
        /// The arm.
        arm: Box<str>,
        /// Units.
        n: u64,
        /// The sum given.
        sum: f64,
        /// The sum of squares given.
        sum_of_squares: f64,
    },
    /// An outcome that is not a number.
    #[error("row {row}: the outcome is {value}, expected a number: drop or fill these rows first")]
    Outcome {
        /// 0-based row.
        row: u64,
        /// What was given.
        value: f64,
    },
    /// Numbers whose mean or spread is beyond what a floating-point number holds.
    #[error("the outcomes of arm `{arm}` are too large to square: divide them by a constant first")]
    OutcomeRange {
        /// The arm.
        arm: Box<str>,
    },
    /// A unit with several rows: they are not independent.
    #[error(
        "row {row}: unit {unit} occurs before, expected one row a unit: aggregate the table by unit first"
    )]
    DuplicateUnit {
        /// 0-based row of the second occurrence.
        row: u64,
        /// The unit.
        unit: Id,
    },

    /// A unit that has other numbers than those before.
    #[error(
        "row {row}: the unit has not the numbers that those before have: give denominator and covariate of all units, or \
         of none"
    )]
    MixedUnits {
        /// 0-based row.
        row: u64,
    },
    /// A cluster whose rows lie in two segments or strata.
    #[error(
        "row {row}: cluster {cluster} is in `{first}` and in `{second}`, expected one class a cluster: take what was known \
         before the experiment"
    )]
    SplitCluster {
        /// 0-based row of the second.
        row: u64,
        /// The cluster.
        cluster: Id,
        /// The class of the rows before.
        first: Box<str>,
        /// That of this row.
        second: Box<str>,
    },
    /// Every unit is in more than one arm.
    #[error(
        "all {units} clusters are in two arms or more: name the column of what was assigned to an arm as a whole"
    )]
    NoWholeCluster {
        /// Clusters.
        units: u64,
    },
    /// A method needs the numbers of all units, and they were not kept.
    #[error("{what} needs the numbers of all {units} units, of which {most} may be kept: keep as many")]
    NumbersNotKept {
        /// Which method.
        what: &'static str,
        /// Units.
        units: u64,
        /// How many may be kept.
        most: u64,
    },
    /// A method that does not apply to this metric.
    #[error("{what} is of {of}: leave it out, or choose another metric")]
    NotOfThisMetric {
        /// The method.
        what: &'static str,
        /// The metrics that it is of.
        of: &'static str,
    },
    /// A stratum of which an arm has too few units for a variance.
    #[error("stratum `{stratum}` has {n} unit(s) of arm `{arm}`, expected 2 or more: merge it with another")]
    ThinStratum {
        /// The stratum.
        stratum: Box<str>,
        /// The arm.
        arm: Box<str>,
        /// Its units.
        n: u64,
    },
    /// A look that is not planned.
    #[error("look {look} of {looks}, expected 1 to {looks}")]
    UnplannedLook {
        /// Which look.
        look: usize,
        /// The looks that are planned.
        looks: usize,
    },

    /// A level that is not between 0 and 1.
    #[error("{what} is {value}, expected more than 0 and less than 1: write 0.05 for 5 %")]
    Level {
        /// Which level.
        what: &'static str,
        /// What was given.
        value: f64,
    },
    /// The control is not among the arms.
    #[error("no arm is named `{control}`, found {}: name one of them as the control", list(arms))]
    UnknownControl {
        /// The control.
        control: Box<str>,
        /// The arms there are.
        arms: Vec<Box<str>>,
    },
    /// An arm that the weights do not know.
    #[error(
        "arm `{arm}` has no expected share, only {} have: add it to the weights, or drop its units",
        list(arms)
    )]
    UnexpectedArm {
        /// The arm.
        arm: Box<str>,
        /// The arms with a weight.
        arms: Vec<Box<str>>,
    },
    /// No units at all.
    #[error("no arm has any units: check the filter, the dates and the variant column")]
    NoUnits,
    /// More units than a floating-point number counts exactly.
    #[error("more than {limit} units: aggregate less")]
    TooManyUnits {
        /// Units that are counted exactly, 2^53.
        limit: u64,
    },
    /// A table that is too small, or whose rows differ in length.
    #[error(
        "the table has rows of {columns:?} columns, expected two or more rows of the same two or more columns"
    )]
    TableShape {
        /// The length of each row.
        columns: Vec<usize>,
    },
    /// A row or a column of a table that is all zeros, where no share can be expected.
    #[error("{line} {index} of the table is all zeros: leave it out")]
    EmptyMargin {
        /// `row` or `column`.
        line: &'static str,
        /// 0-based row or column.
        index: usize,
    },
    /// A method for 2 x 2 tables was given another.
    #[error("the table has {rows} rows and {columns} columns, expected 2 and 2")]
    NotTwoByTwo {
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
    /// Counts and shares of different number.
    #[error("{observed} counts and {weights} weights, expected two or more and as many of each")]
    GoodnessShape {
        /// Counts given.
        observed: usize,
        /// Weights given.
        weights: usize,
    },
    /// An arm that has too few units for a variance.
    #[error("arm `{arm}` has {n} unit(s), expected 2 or more for a variance")]
    TooFewUnits {
        /// The arm.
        arm: Box<str>,
        /// Its units.
        n: u64,
    },
    /// Arms that are constant and different: a test has no spread to measure by.
    #[error(
        "every outcome of arm `{arm}` is the same, and so is every outcome of the control: no test applies"
    )]
    NoSpread {
        /// The arm.
        arm: Box<str>,
    },
    /// A ratio over nothing.
    #[error(
        "the denominators of arm `{arm}` sum to 0: there is no ratio, check the column that is divided by"
    )]
    ZeroDenominator {
        /// The arm.
        arm: Box<str>,
    },
    /// A relative effect against nothing.
    #[error("the control `{control}` is at 0: ask for the absolute effect, there is no relative one")]
    ZeroControl {
        /// The control.
        control: Box<str>,
    },
    /// An estimate that is none.
    #[error("arm `{arm}`: {what} is {value}, expected {allowed}")]
    Estimate {
        /// The arm.
        arm: Box<str>,
        /// Which number.
        what: &'static str,
        /// What was given.
        value: f64,
        /// What it may be.
        allowed: &'static str,
    },
    /// A number that sets a method up and is out of its range.
    #[error("{what} is {value}, expected {allowed}")]
    Setting {
        /// Which number.
        what: &'static str,
        /// What was given.
        value: f64,
        /// What it may be.
        allowed: &'static str,
    },
    /// Strata or segments of one arm that the other does not have.
    #[error("{control} strata of the control and {arm} of the arm, expected one or more and as many of each")]
    StrataDiffer {
        /// Of the control.
        control: usize,
        /// Of the arm.
        arm: usize,
    },
    /// Looks that are not planned in order.
    #[error("looks at the shares {shares:?}, expected numbers that rise to 1, by 0.005 or more each")]
    Looks {
        /// What was given.
        shares: Vec<f64>,
    },
    /// Rates between which no number of units could tell, or a power that no rate reaches.
    #[error(
        "no answer for rates {control} and {treatment} at power {power}: expect a larger difference, or take more units"
    )]
    NoPower {
        /// The rate of the control.
        control: f64,
        /// The rate of the treatment, the highest one tried where it was asked for.
        treatment: f64,
        /// The power asked for.
        power: f64,
    },
    /// Parts that were counted in different ways.
    #[error("conversions counted with another exposure, event type or time range cannot be combined")]
    PartsDiffer,
    /// A column that has no segments.
    #[error("the events have no column `{column}` of text or integers: name another for the segments")]
    SegmentColumn {
        /// The column.
        column: Box<str>,
    },
    /// The event type of a metric is empty.
    #[error("the metric's event type is empty: name one, such as purchase")]
    BlankMetric,
    /// A column is missing or of another type, or events are not sorted.
    #[error(transparent)]
    Core(#[from] CoreError),
}

fn list(names: &[Box<str>]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
