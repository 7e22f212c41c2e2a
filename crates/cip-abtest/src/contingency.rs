//! Tables of counts: whether rows and columns are independent.

use serde::Serialize;

use crate::distribution::chi_square_above;
use crate::error::AbTestError;
use crate::fisher::fisher_two_sided;

/// The most that a sum of counts may be: floating-point numbers count exactly up to here.
pub(crate) const MAX_UNITS: u64 = 1 << 53;

/// A statistic that follows the chi-square distribution where there is no effect.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChiSquare {
    /// The statistic.
    pub statistic: f64,
    /// Its degrees of freedom.
    pub df: u64,
    /// The probability of this or a larger statistic where there is no effect.
    pub p_value: f64,
}

impl ChiSquare {
    pub(crate) fn new(statistic: f64, df: u64) -> Self {
        Self { statistic, df, p_value: chi_square_above(statistic, df) }
    }
}

/// A table of counts of two or more rows and columns, none of them all zeros.
///
/// # Examples
/// ```
/// use cip_abtest::ContingencyTable;
/// // Party identification by gender: Agresti 2007, table 2.5.
/// let table = ContingencyTable::try_new([[762, 327, 468], [484, 239, 477]])?;
/// let independence = table.pearson();
/// assert_eq!(format!("{:.4} {}", independence.statistic, independence.df), "30.0701 2");
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ContingencyTable {
    counts: Vec<u64>,
    row_sums: Vec<u64>,
    column_sums: Vec<u64>,
    total: u64,
}

impl ContingencyTable {
    /// Returns the table of these rows.
    ///
    /// # Errors
    /// [`AbTestError::TableShape`], [`AbTestError::EmptyMargin`], [`AbTestError::TooManyUnits`].
    pub fn try_new<R: AsRef<[u64]>>(rows: impl AsRef<[R]>) -> Result<Self, AbTestError> {
        let rows: Vec<&[u64]> = rows.as_ref().iter().map(AsRef::as_ref).collect();
        let columns = rows.first().map_or(0, |row| row.len());
        if rows.len() < 2 || columns < 2 || rows.iter().any(|row| row.len() != columns) {
            return Err(AbTestError::TableShape { columns: rows.iter().map(|row| row.len()).collect() });
        }
        let total = checked_total(rows.iter().flat_map(|row| row.iter().copied()))?;
        let row_sums: Vec<u64> = rows.iter().map(|row| row.iter().sum()).collect();
        let column_sums: Vec<u64> =
            (0..columns).map(|column| rows.iter().map(|row| row[column]).sum()).collect();
        for (line, sums) in [("row", &row_sums), ("column", &column_sums)] {
            if let Some(index) = sums.iter().position(|&sum| sum == 0) {
                return Err(AbTestError::EmptyMargin { line, index });
            }
        }
        Ok(Self { counts: rows.concat(), row_sums, column_sums, total })
    }

    /// Returns the counts that independence would give, row by row.
    ///
    /// # Formula
    /// row sum x column sum / total.
    pub fn expected(&self) -> impl Iterator<Item = f64> {
        self.row_sums.iter().flat_map(move |&row| {
            self.column_sums.iter().map(move |&column| row as f64 * column as f64 / self.total as f64)
        })
    }

    /// Returns Pearson's test of independence, without correction.
    ///
    /// # Formula
    /// Sum of (observed - expected)^2 / expected, on (rows - 1)(columns - 1) degrees of freedom.
    pub fn pearson(&self) -> ChiSquare {
        self.test(|observed, expected| (observed - expected).powi(2) / expected)
    }

    /// Returns Pearson's test with Yates' correction for continuity.
    ///
    /// # Formula
    /// Sum of (|observed - expected| - c)^2 / expected, where c is 1/2, or |observed - expected| where that is less.
    ///
    /// # Errors
    /// [`AbTestError::NotTwoByTwo`].
    pub fn yates(&self) -> Result<ChiSquare, AbTestError> {
        self.two_by_two()?;
        Ok(self.test(|observed, expected| {
            let distance = (observed - expected).abs();
            (distance - distance.min(0.5)).powi(2) / expected
        }))
    }

    /// Returns the likelihood-ratio test of independence (the G test).
    ///
    /// # Formula
    /// 2 x sum of observed x ln(observed / expected), where 0 x ln 0 is 0.
    pub fn g_test(&self) -> ChiSquare {
        // Each term less its deviation, which sum to 0: all terms are then above zero, and none cancels another.
        self.test(|observed, expected| {
            let ratio = observed / expected;
            let log = if observed > 0.0 { observed * ratio.ln() } else { 0.0 };
            (2.0 * (log - (observed - expected))).max(0.0)
        })
    }

    /// Returns the two-sided p-value of Fisher's exact test: of all tables with these margins, the probability of
    /// those that are no more probable than this one.
    ///
    /// # Method
    /// As R's `fisher.test`: probabilities equal within a factor of 1 + 1e-7 are ties.
    ///
    /// # Complexity
    /// Linear in the standard deviations of a cell, not in the counts.
    ///
    /// # Errors
    /// [`AbTestError::NotTwoByTwo`].
    pub fn fisher(&self) -> Result<f64, AbTestError> {
        let cell = self.two_by_two()?;
        Ok(fisher_two_sided(cell, self.row_sums[0], self.column_sums[0], self.total))
    }

    /// The first cell of a 2 x 2 table.
    fn two_by_two(&self) -> Result<u64, AbTestError> {
        match (self.row_sums.len(), self.column_sums.len()) {
            (2, 2) => Ok(self.counts[0]),
            (rows, columns) => Err(AbTestError::NotTwoByTwo { rows, columns }),
        }
    }

    fn test(&self, term: impl Fn(f64, f64) -> f64) -> ChiSquare {
        let terms = self.counts.iter().zip(self.expected());
        let statistic = terms.map(|(&observed, expected)| term(observed as f64, expected)).sum();
        let df = (self.row_sums.len() as u64 - 1) * (self.column_sums.len() as u64 - 1);
        ChiSquare::new(statistic, df)
    }
}

/// Returns whether counts come in given proportions: Pearson's chi-square test of goodness of fit.
///
/// # Input
/// Counts, and weights of any positive sum.
///
/// # Formula
/// Sum of (observed - expected)^2 / expected on (counts - 1) degrees of freedom, where expected = total x weight /
/// sum of weights.
///
/// # Errors
/// [`AbTestError::GoodnessShape`], [`AbTestError::Weight`] where a weight is not a positive number (it names the
/// position), [`AbTestError::NoUnits`], [`AbTestError::TooManyUnits`].
///
/// # Examples
/// ```
/// // Mendel 1866: round and yellow, wrinkled and yellow, round and green, wrinkled and green peas.
/// let fit = cip_abtest::goodness_of_fit(&[315, 101, 108, 32], &[9.0, 3.0, 3.0, 1.0])?;
/// assert_eq!(format!("{:.4}", fit.p_value), "0.9254");
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
pub fn goodness_of_fit(observed: &[u64], weights: &[f64]) -> Result<ChiSquare, AbTestError> {
    if observed.len() != weights.len() || observed.len() < 2 {
        return Err(AbTestError::GoodnessShape { observed: observed.len(), weights: weights.len() });
    }
    let mut sum = 0.0;
    for (index, &weight) in weights.iter().enumerate() {
        sum += weight;
        if !(weight > 0.0 && sum < f64::INFINITY) {
            return Err(AbTestError::Weight { arm: index.to_string().into(), weight });
        }
    }
    let total = checked_total(observed.iter().copied())?;
    if total == 0 {
        return Err(AbTestError::NoUnits);
    }
    let terms = observed.iter().zip(weights).map(|(&observed, weight)| {
        let expected = total as f64 * (weight / sum);
        let distance = observed as f64 - expected;
        // A share that underflows expects nothing, and is certain to be right about nothing only.
        if distance == 0.0 { 0.0 } else { distance / expected * distance }
    });
    Ok(ChiSquare::new(terms.sum(), observed.len() as u64 - 1))
}

/// The sum of counts, where it is counted exactly.
pub(crate) fn checked_total(mut counts: impl Iterator<Item = u64>) -> Result<u64, AbTestError> {
    counts
        .try_fold(0u64, |sum, count| sum.checked_add(count))
        .filter(|&sum| sum <= MAX_UNITS)
        .ok_or(AbTestError::TooManyUnits { limit: MAX_UNITS })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Within half a unit of the last digit that the source prints.
    #[track_caller]
    fn close(found: f64, expected: f64, unit: f64) {
        assert!((found - expected).abs() <= 0.5 * unit * 1.000_001, "{found} is not {expected}");
    }

    fn two_by_two([(a, n), (b, m)]: [(u64, u64); 2]) -> ContingencyTable {
        ContingencyTable::try_new([[a, n - a], [b, m - b]]).unwrap()
    }

    #[test]
    fn cookie_cats_day_1() {
        // Recomputed from the raw data of Cookie Cats (retention after one day, gate 30 and gate 40).
        let table = two_by_two([(20_034, 44_700), (20_119, 45_489)]);
        close(table.pearson().statistic, 3.182_963_7, 1e-7);
        close(table.pearson().p_value, 0.074_409_7, 1e-7);
        close(table.yates().unwrap().statistic, 3.159_100_8, 1e-7);
        close(table.yates().unwrap().p_value, 0.075_504_8, 1e-7);
    }

    #[test]
    fn cookie_cats_day_7() {
        // Recomputed from the raw data of Cookie Cats (retention after seven days).
        let table = two_by_two([(8_502, 44_700), (8_279, 45_489)]);
        close(table.pearson().statistic, 10.013_167_3, 1e-7);
        close(table.pearson().p_value, 0.001_554_25, 1e-8);
        close(table.yates().unwrap().statistic, 9.959_086_8, 1e-7);
        close(table.yates().unwrap().p_value, 0.001_600_57, 1e-8);
        close(table.g_test().statistic, 10.012_842_1, 1e-7);
        close(table.fisher().unwrap(), 0.001_590_96, 1e-8);
    }

    #[test]
    fn cookie_cats_sample_ratio() {
        let fit = goodness_of_fit(&[44_700, 45_489], &[1.0, 1.0]).unwrap();
        close(fit.statistic, 6.902_404_9, 1e-7);
        close(fit.p_value, 0.008_608_0, 1e-7);
    }

    #[test]
    fn tables_of_the_textbooks() {
        // Agresti 2007, table 2.5, and the example of R's chisq.test.
        let party = ContingencyTable::try_new([[762, 327, 468], [484, 239, 477]]).unwrap().pearson();
        close(party.statistic, 30.070_149_1, 1e-7);
        close(party.p_value, 2.953_59e-7, 1e-12);
        assert_eq!(party.df, 2);
        // R's prop.test: Fleiss 1981, smokers among lung cancer patients in four studies.
        let smokers = [(83, 86), (90, 93), (129, 136), (70, 82)].map(|(x, n)| [x, n - x]);
        let smokers = ContingencyTable::try_new(smokers).unwrap().pearson();
        close(smokers.statistic, 12.600_4, 1e-4);
        close(smokers.p_value, 0.005_585_48, 1e-8);
        assert_eq!(smokers.df, 3);
        // R's UCBAdmissions, both genders over all departments.
        let berkeley = ContingencyTable::try_new([[1198, 1493], [557, 1278]]).unwrap();
        close(berkeley.pearson().statistic, 92.205_280_4, 1e-7);
        close(berkeley.yates().unwrap().statistic, 91.609_597_9, 1e-7);
        // Mendel's peas against 9:3:3:1.
        let peas = goodness_of_fit(&[315, 101, 108, 32], &[9.0, 3.0, 3.0, 1.0]).unwrap();
        close(peas.statistic, 0.470_024_0, 1e-7);
        close(peas.p_value, 0.925_425_9, 1e-7);
    }

    #[test]
    fn the_tea_tasting_lady() {
        // R's fisher.test: Fisher 1935, four cups of each kind.
        let tea = ContingencyTable::try_new([[3, 1], [1, 3]]).unwrap();
        close(tea.fisher().unwrap(), 0.485_714_3, 1e-7);
    }

    #[test]
    fn tables_without_an_answer_are_refused() {
        let refuse = |rows: &[&[u64]]| ContingencyTable::try_new(rows).unwrap_err().to_string();
        assert!(refuse(&[]).contains("expected two or more rows"));
        assert!(refuse(&[&[1, 2]]).contains("[2]"));
        assert!(refuse(&[&[1], &[2]]).contains("[1, 1]"));
        assert!(refuse(&[&[1, 2], &[1]]).contains("[2, 1]"));
        assert!(refuse(&[&[1, 2], &[0, 0]]).contains("row 1 of the table is all zeros"));
        assert!(refuse(&[&[0, 2], &[0, 1]]).contains("column 0 of the table is all zeros"));
        assert!(refuse(&[&[u64::MAX, 2], &[1, 1]]).contains("more than 9007199254740992 units"));
        assert!(refuse(&[&[MAX_UNITS, 1], &[1, 1]]).contains("more than"));
        let wide = ContingencyTable::try_new([[1, 2, 3], [3, 2, 1]]).unwrap();
        assert!(wide.yates().unwrap_err().to_string().contains("2 rows and 3 columns"));
        assert!(wide.fisher().is_err());
    }

    #[test]
    fn weights_that_are_none_are_refused() {
        for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = goodness_of_fit(&[1, 2], &[1.0, weight]).unwrap_err();
            assert!(matches!(error, AbTestError::Weight { .. }), "{weight}");
        }
        assert!(matches!(goodness_of_fit(&[1, 2], &[f64::MAX; 2]), Err(AbTestError::Weight { .. })));
        assert!(matches!(goodness_of_fit(&[0, 0], &[1.0, 1.0]), Err(AbTestError::NoUnits)));
        assert!(matches!(goodness_of_fit(&[1], &[1.0]), Err(AbTestError::GoodnessShape { .. })));
        assert!(matches!(goodness_of_fit(&[1, 2], &[1.0]), Err(AbTestError::GoodnessShape { .. })));
        let far = goodness_of_fit(&[1, 2], &[f64::MAX / 2.0, f64::MIN_POSITIVE]).unwrap();
        assert_eq!((far.statistic, far.p_value), (f64::INFINITY, 0.0));
    }
}
