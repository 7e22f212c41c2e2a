//! From rows to the units that were assigned: sessions to users, pupils to schools.

use cip_core::{IdDictionary, IdRef, IdType};

use crate::error::AbTestError;
use crate::study::{Study, Unit};

/// Sums rows by the unit that was assigned, so that rows of one unit are not taken for independent.
///
/// The unit's numbers are the sums of its rows; without a denominator that is the number of rows, so that the metric is the mean of
/// all rows.
///
/// # Method
/// Deng, Knoblich and Lu 2018. Sums keep 106 bits, so that the order of the rows does not matter where a unit's numbers are of like
/// size.
///
/// # Complexity
/// [`Clusters::BYTES`] for each unit.
///
/// # Examples
/// ```
/// use cip_abtest::{Clusters, Study, Unit};
/// use cip_core::IdRef;
///
/// let (mut clusters, mut study) = (Clusters::new(), Study::new());
/// for (user, arm, seconds) in [(1, "a", 30.0), (2, "b", 50.0), (1, "a", 10.0), (3, "a", 20.0), (4, "b", 70.0)] {
///     clusters.push(IdRef::Int64(user), Unit { arm, outcome: seconds, ..Unit::default() })?;
/// }
/// assert_eq!(clusters.finish(&mut study)?, 0);
/// assert_eq!(study.units(), 4);
/// let found = study.analyze("a", &Default::default())?;
/// // Sessions of b last 60 seconds, those of a 20.
/// assert!((found.arms[0].absolute.effect - 40.0).abs() < 1e-12);
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
#[derive(Debug)]
pub struct Clusters {
    ids: Option<IdDictionary>,
    names: IdDictionary,
    /// By the code of the id.
    sums: Vec<ClusterSums>,
    rows: u64,
}

/// What is known of a cluster so far.
#[derive(Debug, Clone, Copy)]
struct ClusterSums {
    arm: u32,
    in_several_arms: bool,
    segment: Option<u32>,
    stratum: Option<u32>,
    day: Option<i64>,
    /// Outcome, denominator, covariate and the denominator of that; each a sum and what rounding left out of it.
    numbers: [[f64; 2]; 4],
    has_covariate: bool,
}

impl Clusters {
    /// Bytes that a unit takes, at most, beside the text of its id.
    pub const BYTES: u64 = 400;

    /// Returns no clusters.
    pub fn new() -> Self {
        Self { ids: None, names: IdDictionary::new("name", IdType::Utf8), sums: Vec::new(), rows: 0 }
    }

    /// Adds a row of the unit `cluster`. Its day is that of its first row by time.
    ///
    /// # Errors
    /// [`AbTestError::Outcome`], [`AbTestError::SplitCluster`] where its rows are in two segments or strata,
    /// [`AbTestError::MixedUnits`] where some rows have a covariate; [`CoreError`](cip_core::CoreError) where ids are of two types.
    pub fn push(&mut self, cluster: IdRef<'_>, row: Unit<'_>) -> Result<(), AbTestError> {
        let given = [Some(row.outcome), row.denominator, row.covariate, row.covariate_denominator];
        if let Some(value) = given.into_iter().flatten().find(|value| !value.is_finite()) {
            return Err(AbTestError::Outcome { row: self.rows, value });
        }
        let id_type = match cluster {
            IdRef::Int64(_) => IdType::Int64,
            IdRef::Utf8(_) => IdType::Utf8,
        };
        let ids = self.ids.get_or_insert_with(|| IdDictionary::new("cluster", id_type));
        let place = ids.code(cluster)? as usize;
        let arm = self.names.code(IdRef::Utf8(row.arm))?;
        let [segment, stratum] = [row.segment, row.stratum]
            .map(|name| name.map(|name| self.names.code(IdRef::Utf8(name))).transpose());
        let (segment, stratum) = (segment?, stratum?);
        if place == self.sums.len() {
            self.sums.push(ClusterSums {
                arm,
                in_several_arms: false,
                segment,
                stratum,
                day: row.day,
                numbers: [[0.0; 2]; 4],
                has_covariate: row.covariate.is_some(),
            });
        }
        let sums = &mut self.sums[place];
        for (known, name) in [(sums.segment, segment), (sums.stratum, stratum)] {
            if known != name {
                let text = |code: Option<u32>| {
                    let name = code.and_then(|code| self.names.id(code));
                    name.map_or_else(|| "nothing".into(), |name| name.to_string().into_boxed_str())
                };
                let cluster = cluster.to_owned();
                return Err(AbTestError::SplitCluster {
                    row: self.rows,
                    cluster,
                    first: text(known),
                    second: text(name),
                });
            }
        }
        if sums.has_covariate != row.covariate.is_some() {
            return Err(AbTestError::MixedUnits { row: self.rows });
        }
        sums.in_several_arms |= sums.arm != arm;
        sums.day = sums.day.min(row.day);
        let numbers = [
            row.outcome,
            row.denominator.unwrap_or(1.0),
            row.covariate.unwrap_or(0.0),
            row.covariate_denominator.unwrap_or(1.0),
        ];
        for (sum, number) in sums.numbers.iter_mut().zip(numbers) {
            *sum = plus(*sum, number);
        }
        self.rows += 1;
        Ok(())
    }

    /// Units so far.
    pub fn len(&self) -> usize {
        self.sums.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// Adds the units to a study, and returns how many were in several arms, which are left out.
    ///
    /// # Errors
    /// [`AbTestError::NoWholeCluster`] where all are left out, and those of [`Study::push`].
    pub fn finish(self, study: &mut Study) -> Result<u64, AbTestError> {
        if !self.is_empty() && self.sums.iter().all(|sums| sums.in_several_arms) {
            return Err(AbTestError::NoWholeCluster { units: self.sums.len() as u64 });
        }
        let mut in_several_arms = 0;
        for sums in &self.sums {
            if sums.in_several_arms {
                in_several_arms += 1;
                continue;
            }
            let name = |code: u32| match self.names.id(code) {
                Some(IdRef::Utf8(name)) => name,
                _ => "",
            };
            let [outcome, denominator, covariate, before] = sums.numbers.map(|[sum, rest]| sum + rest);
            study.push(Unit {
                arm: name(sums.arm),
                outcome,
                denominator: Some(denominator),
                covariate: sums.has_covariate.then_some(covariate),
                covariate_denominator: sums.has_covariate.then_some(before),
                segment: sums.segment.map(name),
                stratum: sums.stratum.map(name),
                day: sums.day,
            })?;
        }
        Ok(in_several_arms)
    }
}

impl Default for Clusters {
    fn default() -> Self {
        Self::new()
    }
}

/// A sum of two parts and another number, by Knuth's exact addition.
fn plus([sum, rest]: [f64; 2], number: f64) -> [f64; 2] {
    let (total, lost) = exactly(sum, number);
    let (total, rest) = exactly(total, rest + lost);
    [total, rest]
}

/// The sum of two numbers, and what rounding leaves out of it.
fn exactly(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, (a - (sum - of_b)) + (b - of_b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::options::StudyOptions;
    use proptest::prelude::*;

    fn row(arm: &str, outcome: f64) -> Unit<'_> {
        Unit { arm, outcome, ..Unit::default() }
    }

    proptest! {
        #[test]
        fn rows_in_any_order_are_the_sums_by_cluster(
            mut rows in proptest::collection::vec((0..40i64, -1e6f64..1e6, 0.0..5.0f64, 0..9i64), 30..120),
            turn in any::<proptest::sample::Index>(),
        ) {
            let arm = |id: i64| if id % 2 == 0 { "a" } else { "b" };
            let clustered = |rows: &[(i64, f64, f64, i64)]| {
                let (mut clusters, mut study) = (Clusters::new(), Study::new());
                for &(id, outcome, before, day) in rows {
                    let unit = Unit { covariate: Some(before), day: Some(day), ..row(arm(id), outcome) };
                    clusters.push(IdRef::Int64(id), unit).unwrap();
                }
                assert_eq!(clusters.finish(&mut study).unwrap(), 0);
                study
            };
            let mut by_hand = Study::new();
            for id in 0..40 {
                let of: Vec<_> = rows.iter().filter(|row| row.0 == id).collect();
                if of.is_empty() { continue; }
                let count = Some(of.len() as f64);
                by_hand.push(Unit {
                    outcome: of.iter().map(|row| row.1).sum(),
                    denominator: count,
                    covariate: Some(of.iter().map(|row| row.2).sum()),
                    covariate_denominator: count,
                    day: of.iter().map(|row| row.3).min(),
                    ..row(arm(id), 0.0)
                }).unwrap();
            }
            let analyze = |study: &Study| study.analyze("a", &StudyOptions::default());
            let found = clustered(&rows);
            if let (Ok(found), Ok(expected)) = (analyze(&found), analyze(&by_hand)) {
                let [a, b] = [&found, &expected].map(|of| of.arms[0].absolute);
                prop_assert!((a.effect - b.effect).abs() <= 1e-6 && (a.standard_error - b.standard_error).abs() <= 1e-6, "{:?} {:?}", a, b);
                prop_assert_eq!(found.arms[0].days.len(), expected.arms[0].days.len());
                let at = turn.index(rows.len());
                rows.rotate_left(at);
                prop_assert_eq!(analyze(&clustered(&rows)).unwrap(), found);
            }
        }
    }

    #[test]
    fn what_is_in_two_places_is_told() {
        let (mut clusters, mut study) = (Clusters::new(), Study::new());
        for (id, arm) in [("u", "a"), ("u", "b"), ("v", "a"), ("w", "b")] {
            clusters.push(IdRef::Utf8(id), row(arm, 1.0)).unwrap();
        }
        assert!(clusters.push(IdRef::Int64(1), row("a", 1.0)).is_err());
        assert!(matches!(
            clusters.push(IdRef::Utf8("v"), row("a", f64::NAN)),
            Err(AbTestError::Outcome { row: 4, .. })
        ));
        let covered = Unit { covariate: Some(1.0), ..row("a", 1.0) };
        assert!(matches!(clusters.push(IdRef::Utf8("v"), covered), Err(AbTestError::MixedUnits { row: 4 })));
        let elsewhere = Unit { segment: Some("app"), ..row("a", 1.0) };
        let error = clusters.push(IdRef::Utf8("v"), elsewhere).unwrap_err().to_string();
        assert_eq!(
            error,
            "row 4: cluster v is in `nothing` and in `app`, expected one class a cluster: take what was known before the \
             experiment"
        );
        assert_eq!((clusters.len(), clusters.is_empty()), (3, false));
        assert_eq!((clusters.finish(&mut study).unwrap(), study.units()), (1, 2));
        let mut towns = Clusters::new();
        for (town, arm) in [("x", "a"), ("x", "b"), ("y", "b"), ("y", "a")] {
            towns.push(IdRef::Utf8(town), row(arm, 1.0)).unwrap();
        }
        let error = towns.finish(&mut study).unwrap_err().to_string();
        assert!(error.starts_with("all 2 clusters are in two arms or more: name the column"), "{error}");
    }
}
