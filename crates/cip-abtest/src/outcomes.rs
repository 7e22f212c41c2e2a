//! From a table with a row a unit to the arms' summaries.

use cip_core::{IdDictionary, IdRef, IdType};

use crate::analysis::Analysis;
use crate::arm_count::ArmCount;
use crate::arm_moments::ArmMoments;
use crate::error::AbTestError;
use crate::joint_moments::JointSums;
use crate::report::Report;

/// Sums a table of outcomes by arm, a row at a time; the order of rows does not matter.
///
/// # Examples
/// ```
/// use cip_abtest::{OutcomeTable, Outcomes};
/// use cip_core::IdRef;
///
/// let mut outcomes = Outcomes::new();
/// for (arm, revenue, user) in [("a", 12.5, 1), ("b", 0.0, 2), ("a", 0.0, 3), ("b", 7.25, 4)] {
///     outcomes.push(arm, revenue, Some(IdRef::Int64(user)))?;
/// }
/// let OutcomeTable::Means(arms) = outcomes.finish()? else { unreachable!() };
/// assert_eq!((arms[0].arm(), arms[0].n(), arms[0].mean()), ("a", 2, Some(6.25)));
/// // A user with two rows is refused: the rows would not be independent.
/// let mut outcomes = Outcomes::new();
/// outcomes.push("a", 1.0, Some(IdRef::Int64(1)))?;
/// assert!(outcomes.push("b", 1.0, Some(IdRef::Int64(1))).is_err());
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
#[derive(Debug)]
pub struct Outcomes {
    names: IdDictionary,
    /// By the code of the name.
    arms: Vec<(ArmCount, JointSums<1>)>,
    units: Option<IdDictionary>,
    rows: u64,
    all_zero_or_one: bool,
}

/// The arms of a table of outcomes, in the order of their names.
#[derive(Debug, Clone, PartialEq)]
pub enum OutcomeTable {
    /// Every outcome is 0 or 1.
    Proportions(Vec<ArmCount>),
    /// Some outcome is another number.
    Means(Vec<ArmMoments>),
}

impl OutcomeTable {
    /// Returns the comparison of the arms, as proportions or as means.
    ///
    /// # Errors
    /// As [`Analysis::proportions`] or [`Analysis::means`].
    pub fn analyze(&self, analysis: &Analysis) -> Result<Report, AbTestError> {
        match self {
            Self::Proportions(arms) => analysis.proportions(arms),
            Self::Means(arms) => analysis.means(arms),
        }
    }
}

impl Outcomes {
    /// Returns an empty table.
    pub fn new() -> Self {
        let names = IdDictionary::new("variant", IdType::Utf8);
        Self { names, arms: Vec::new(), units: None, rows: 0, all_zero_or_one: true }
    }

    /// Adds the outcome of a unit of an arm.
    ///
    /// # Complexity
    /// With units, memory for each of their ids; without, for each arm.
    ///
    /// # Errors
    /// [`AbTestError::Outcome`] where it is not finite; [`AbTestError::DuplicateUnit`] where the unit was added
    /// before, to any arm; [`CoreError`](cip_core::CoreError) where units are of two types or above 2^32. Nothing
    /// is counted then.
    pub fn push(&mut self, arm: &str, outcome: f64, unit: Option<IdRef<'_>>) -> Result<(), AbTestError> {
        let row = self.rows;
        if !outcome.is_finite() {
            return Err(AbTestError::Outcome { row, value: outcome });
        }
        if let Some(unit) = unit {
            let id_type = match unit {
                IdRef::Int64(_) => IdType::Int64,
                IdRef::Utf8(_) => IdType::Utf8,
            };
            let units = self.units.get_or_insert_with(|| IdDictionary::new("unit", id_type));
            let before = units.len();
            if units.code(unit)? as usize != before {
                return Err(AbTestError::DuplicateUnit { row, unit: unit.to_owned() });
            }
        }
        let code = self.names.code(IdRef::Utf8(arm))? as usize;
        if code == self.arms.len() {
            self.arms.push((ArmCount::empty(arm), JointSums::new()));
        }
        let (count, sums) = &mut self.arms[code];
        sums.push([outcome])?;
        count.push(outcome == 1.0);
        self.all_zero_or_one &= outcome == 0.0 || outcome == 1.0;
        self.rows += 1;
        Ok(())
    }

    /// Returns the arms.
    ///
    /// # Errors
    /// [`AbTestError::OutcomeRange`] where the squares of outcomes overflow.
    pub fn finish(mut self) -> Result<OutcomeTable, AbTestError> {
        self.arms.sort_by(|(a, _), (b, _)| a.arm().cmp(b.arm()));
        if self.all_zero_or_one {
            return Ok(OutcomeTable::Proportions(self.arms.into_iter().map(|(count, _)| count).collect()));
        }
        let moments = self.arms.iter().map(|(count, sums)| Ok(sums.moments(count.arm())?.into()));
        moments.collect::<Result<_, AbTestError>>().map(OutcomeTable::Means)
    }
}

impl Default for Outcomes {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_and_ones_are_proportions() {
        let mut outcomes = Outcomes::new();
        for (arm, outcome) in [("b", 1.0), ("a", 0.0), ("b", 1.0), ("b", 0.0)] {
            outcomes.push(arm, outcome, None).unwrap();
        }
        let expected = [ArmCount::new("a", 1, 0).unwrap(), ArmCount::new("b", 3, 2).unwrap()];
        let table = outcomes.finish().unwrap();
        assert_eq!(table, OutcomeTable::Proportions(expected.to_vec()));
        let report = table.analyze(&Analysis::new("a")).unwrap();
        assert_eq!(report.difference, Some(2.0 / 3.0));
    }

    #[test]
    fn what_cannot_be_summed_is_refused_with_its_row() {
        let mut outcomes = Outcomes::new();
        outcomes.push("a", 1.0, Some(IdRef::Utf8("u"))).unwrap();
        let error = outcomes.push("a", 1.0, Some(IdRef::Utf8("u"))).unwrap_err().to_string();
        assert_eq!(
            error,
            "row 1: unit u occurs before, expected one row a unit: aggregate the table by unit first"
        );
        assert!(outcomes.push("a", 1.0, Some(IdRef::Int64(1))).is_err());
        for outcome in [f64::NAN, f64::INFINITY] {
            assert!(matches!(outcomes.push("a", outcome, None), Err(AbTestError::Outcome { row: 1, .. })));
        }
        outcomes.push("a", 1e300, None).unwrap();
        outcomes.push("a", -1e300, None).unwrap();
        assert!(matches!(outcomes.finish(), Err(AbTestError::OutcomeRange { .. })));
    }

    #[test]
    fn an_empty_table_has_no_arms_to_compare() {
        let table = Outcomes::new().finish().unwrap();
        let error = table.analyze(&Analysis::new("a")).unwrap_err();
        assert!(matches!(error, AbTestError::TooFewArms { arms: 0 }), "{error}");
    }
}
