//! A table with a row a unit, summed so that its size does not matter: by arm, segment, stratum and day.

mod clusters;
mod comparison;
mod event_metric;
mod findings;
mod groups;
mod kept_numbers;
mod options;
mod unit_sums;

use crate::analysis::Analysis;
use crate::arm_count::ArmCount;
use crate::error::AbTestError;
use crate::outcomes::OutcomeTable;
use crate::report::Report;
use comparison::Comparing;
use groups::Groups;
use kept_numbers::KeptNumbers;
use unit_sums::{Numbers, UnitSums};

pub use clusters::Clusters;
pub use event_metric::{EventMetric, Measure, MetricReader, MetricUnits};
pub use findings::{ArmFinding, DayFinding, Finding, LookFinding, MetricKind, RateFinding, StudyFindings};
pub use options::{Beliefs, DecidingTest, PlannedLook, StudyOptions};

/// What is known of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Unit<'a> {
    /// Its arm.
    pub arm: &'a str,
    /// What it did; of a ratio the numerator.
    pub outcome: f64,
    /// Of a ratio the denominator, for all units or for none.
    pub denominator: Option<f64>,
    /// What it did before the experiment, for all units or for none.
    pub covariate: Option<f64>,
    /// The denominator of the covariate, 1 where there is none.
    pub covariate_denominator: Option<f64>,
    /// Its segment, for all units or for none.
    pub segment: Option<&'a str>,
    /// Its stratum, for all units or for none: effects are those of a population with the strata of both arms together.
    pub stratum: Option<&'a str>,
    /// The day of its exposure since 1970-01-01, for all units or for none.
    pub day: Option<i64>,
}

/// The units of an experiment, summed by arm and by the arm in each segment, stratum and day.
///
/// # Complexity
/// A few kilobytes for each arm, segment, stratum and day, whatever the number of units; and where outcomes are kept for methods
/// that need each of them, up to 40 bytes a unit while it is analysed.
///
/// # Examples
/// ```
/// use cip_abtest::{Study, StudyOptions, Unit, Verdict};
/// // Revenue by order: units are users, who have orders.
/// let mut study = Study::new();
/// for user in 0..2_000_u32 {
///     let (arm, more) = if user % 2 == 0 { ("control", 0.0) } else { ("treatment", 3.0) };
///     let orders = f64::from(1 + user / 2 % 3);
///     let outcome = orders * (20.0 + more) + f64::from(user / 2 * 7_919 % 100) / 10.0;
///     study.push(Unit { arm, outcome, denominator: Some(orders), ..Unit::default() })?;
/// }
/// let found = study.analyze("control", &StudyOptions::default())?;
/// assert_eq!(format!("{:+.1}", found.arms[0].absolute.effect), "+3.0");
/// assert_eq!(found.arms[0].verdict, Verdict::Better);
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Study {
    pub(crate) arms: Vec<ArmUnits>,
    pub(crate) numbers: Option<Numbers>,
    /// Whether every outcome is 0 or 1.
    pub(crate) zero_or_one: bool,
    pub(crate) segments: Groups<Box<str>>,
    pub(crate) strata: Groups<Box<str>>,
    pub(crate) days: Groups<i64>,
    pub(crate) kept: KeptNumbers,
    units: u64,
}

/// The units of an arm.
#[derive(Debug, Clone)]
pub(crate) struct ArmUnits {
    pub(crate) count: ArmCount,
    pub(crate) sums: UnitSums,
}

impl ArmUnits {
    pub(crate) fn name(&self) -> &str {
        self.count.arm()
    }
}

impl Study {
    /// Bytes that an outcome takes that is kept, at most, while it is analysed.
    pub const BYTES_KEPT: u64 = 40;

    /// Returns a study without units, which keeps their outcomes.
    pub fn new() -> Self {
        Self {
            arms: Vec::new(),
            numbers: None,
            zero_or_one: true,
            segments: Groups::new(),
            strata: Groups::new(),
            days: Groups::new(),
            kept: KeptNumbers::new(u64::MAX),
            units: 0,
        }
    }

    /// Sets how many units there may be for their outcomes to be kept, for ranks, quantiles, resampling and outliers; of more, none
    /// is.
    #[must_use]
    pub fn with_most_kept(self, most: u64) -> Self {
        Self { kept: KeptNumbers::new(most), ..self }
    }

    /// Adds a unit.
    ///
    /// # Errors
    /// [`AbTestError::Outcome`] where a number is not finite, [`AbTestError::MixedUnits`] where it has other numbers than the
    /// units before. Nothing is added then.
    pub fn push(&mut self, unit: Unit<'_>) -> Result<(), AbTestError> {
        let row = self.units;
        let given = [Some(unit.outcome), unit.denominator, unit.covariate, unit.covariate_denominator];
        if let Some(value) = given.into_iter().flatten().find(|value| !value.is_finite()) {
            return Err(AbTestError::Outcome { row, value });
        }
        let numbers = match (unit.denominator, unit.covariate, unit.covariate_denominator) {
            (None, None, _) => Numbers::Mean,
            (Some(_), None, _) => Numbers::Ratio,
            (None, Some(_), None) => Numbers::AdjustedMean,
            (_, Some(_), _) => Numbers::AdjustedRatio,
        };
        if *self.numbers.get_or_insert(numbers) != numbers {
            return Err(AbTestError::MixedUnits { row });
        }
        let values = [
            unit.outcome,
            unit.denominator.unwrap_or(1.0),
            unit.covariate.unwrap_or(0.0),
            unit.covariate_denominator.unwrap_or(1.0),
        ];
        let arm = self.place(unit.arm, numbers);
        self.arms[arm].sums.push(values)?;
        self.arms[arm].count.push(unit.outcome == 1.0);
        self.zero_or_one &= unit.outcome == 0.0 || unit.outcome == 1.0;
        if let Some(segment) = unit.segment {
            self.segments.sums(segment, arm, numbers).push(values)?;
        }
        if let Some(stratum) = unit.stratum {
            self.strata.sums(stratum, arm, numbers).push(values)?;
        }
        if let Some(day) = unit.day {
            self.days.sums(&day, arm, numbers).push(values)?;
        }
        self.kept.push(arm, unit.outcome);
        self.units += 1;
        Ok(())
    }

    /// Adds the units of another part: parts may be summed on different threads, and any split into parts gives the same findings.
    ///
    /// # Errors
    /// [`AbTestError::MixedUnits`] where they have other numbers.
    pub fn merge(&mut self, other: &Self) -> Result<(), AbTestError> {
        let Some(numbers) = other.numbers else { return Ok(()) };
        if *self.numbers.get_or_insert(numbers) != numbers {
            return Err(AbTestError::MixedUnits { row: self.units });
        }
        let mut places = Vec::new();
        for arm in &other.arms {
            let place = self.place(arm.name(), numbers);
            self.arms[place].count.add(&arm.count);
            self.arms[place].sums.merge(&arm.sums)?;
            places.push(place);
        }
        self.segments.merge(&other.segments, &places, numbers)?;
        self.strata.merge(&other.strata, &places, numbers)?;
        self.days.merge(&other.days, &places, numbers)?;
        self.kept.merge(&other.kept, &places);
        self.zero_or_one &= other.zero_or_one;
        self.units += other.units;
        Ok(())
    }

    /// Units.
    pub const fn units(&self) -> u64 {
        self.units
    }

    /// Returns about how many bytes the sums by arm, segment, stratum and day take, without the outcomes that are kept.
    pub fn bytes(&self) -> u64 {
        let cells = self.segments.cells() + self.strata.cells() + self.days.cells() + self.arms.len();
        self.numbers.map_or(0, |numbers| cells as u64 * UnitSums::bytes(numbers))
    }

    /// The names of the arms, in their order.
    pub fn arms(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.arms.iter().map(ArmUnits::name).collect();
        names.sort_unstable();
        names
    }

    /// Returns what the arms did against the control, and the checks that the units allow.
    ///
    /// Arms and segments with fewer than two units in either arm are left out.
    ///
    /// # Method
    /// Of strata the effect of all units is post-stratified; those of segments and days are not. By a quantile, arms are compared
    /// as a whole alone.
    ///
    /// # Errors
    /// [`AbTestError::UnknownControl`], [`AbTestError::Level`], [`AbTestError::Setting`] of the margins,
    /// [`AbTestError::OutcomeRange`], [`AbTestError::ZeroDenominator`], [`AbTestError::ThinStratum`];
    /// [`AbTestError::NotOfThisMetric`] where an option makes no sense of it; [`AbTestError::NumbersNotKept`] where it needs
    /// outcomes that were too many; [`AbTestError::NoSpread`] where arms differ and nothing within them does.
    pub fn analyze(&self, control: &str, options: &StudyOptions) -> Result<StudyFindings, AbTestError> {
        Comparing::new(self, control, options)?.findings()
    }

    /// Returns the report of the arms as they are, without covariate and strata: of rates that of [`Analysis::proportions`], of numbers
    /// that of [`Analysis::means`], of ratios and of a quantile that of [`Analysis::estimates`]. Arms stand in the order of their
    /// weights, else by name.
    ///
    /// # Errors
    /// Those of these, and of [`Study::analyze`].
    pub fn report(&self, analysis: &Analysis, quantile: Option<f64>) -> Result<Report, AbTestError> {
        if quantile.is_none() && matches!(self.numbers, None | Some(Numbers::Mean | Numbers::AdjustedMean)) {
            return self.table(analysis)?.analyze(analysis);
        }
        let arms = self.ordered(analysis).into_iter().map(|arm| self.raw_estimate(arm, quantile));
        analysis.estimates(&arms.collect::<Result<Vec<_>, _>>()?)
    }

    /// The arms of units that have an outcome and no denominator.
    fn table(&self, analysis: &Analysis) -> Result<OutcomeTable, AbTestError> {
        let arms: Vec<&ArmUnits> = self.ordered(analysis).into_iter().map(|arm| &self.arms[arm]).collect();
        if self.zero_or_one {
            return Ok(OutcomeTable::Proportions(arms.iter().map(|arm| arm.count.clone()).collect()));
        }
        let moments = arms.iter().map(|arm| Ok(arm.sums.moments(arm.name())?.metric().into()));
        moments.collect::<Result<_, AbTestError>>().map(OutcomeTable::Means)
    }

    /// The places of the arms in the order of their weights, else by name.
    fn ordered(&self, analysis: &Analysis) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.arms.len()).collect();
        places.sort_by_key(|&arm| {
            let name = self.arms[arm].name();
            (analysis.place(name), name)
        });
        places
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.arms.iter().position(|arm| arm.name() == name)
    }

    fn place(&mut self, name: &str, numbers: Numbers) -> usize {
        self.position(name).unwrap_or_else(|| {
            self.arms.push(ArmUnits { count: ArmCount::empty(name), sums: UnitSums::new(numbers) });
            self.arms.len() - 1
        })
    }
}

impl Default for Study {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
