//! How well uplift ranks rows: by what the treatment did to those that it puts first.

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::PropensityError;
use crate::scores::ranks;
use crate::uplift::curve::{Counts, Curve};
use crate::uplift::model::check_arms;

/// How well uplift ranks rows that were treated at random.
///
/// # Formula
/// Over the rows by their uplift, the highest first, up to a rank with n_t treated and n_c other rows, of which y_t and y_c are positive:
/// Qini's curve is y_t - y_c n_t / n_c (Radcliffe 2007), the uplift curve (y_t / n_t - y_c / n_c)(n_t + n_c), a quotient by 0 being 0. Rows of
/// equal uplift are one step. The area of a curve above chance is that between it and the straight line to its end. `qini` and `auuc` are
/// that area over the area of a perfect ranking: for Qini's curve the treated positives first and the positives that were not treated
/// last, as scikit-uplift's `qini_auc_score` and `uplift_auc_score` have it. 0 is a ranking by chance, and the best that can be reached
/// is far below 1, as nobody is seen treated and not treated.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct UpliftEvaluation {
    /// Rows.
    pub rows: u64,
    /// Rows that were treated.
    pub treated_rows: u64,
    /// The share of positives among the treated, or the mean of their amounts.
    pub treated_rate: f64,
    /// The share of positives among the others, or the mean of their amounts.
    pub control_rate: f64,
    /// The difference of both: what the treatment did on average.
    pub average_effect: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Qini's coefficient; none where a perfect ranking is no better than chance, and of amounts.
    pub qini: Option<f64>,
    /// The share of rankings at random that are as good by Qini's coefficient, with this one among them: at the least 0.01. None where
    /// a perfect ranking is no better than chance.
    pub qini_p_value: Option<f64>,
    /// The area under the uplift curve; none as above.
    pub auuc: Option<f64>,
    /// The area of Qini's curve above chance, over the rows: positives, or amounts, that were won.
    pub qini_area: f64,
    /// The area of the uplift curve above chance, over the rows.
    pub auuc_area: f64,
    /// What the treatment did to those with the highest uplift.
    pub top: Vec<UpliftTop>,
}

/// What a treatment did to the rows with the highest uplift.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct UpliftTop {
    /// The share of the rows, those with the highest uplift; equal ones in the order of the rows.
    pub fraction: f64,
    /// Rows.
    pub rows: u64,
    /// The share of positives among the treated, or the mean of their amounts; none of none.
    pub treated_rate: Option<f64>,
    /// The share of positives among the others, or the mean of their amounts; none of none.
    pub control_rate: Option<f64>,
    /// The difference of both.
    pub uplift: Option<f64>,
    /// Its standard error.
    pub standard_error: Option<f64>,
    /// The value of Qini's curve: positives, or amounts, that the treatment won among them.
    pub incremental: f64,
}

impl UpliftEvaluation {
    /// Returns how well `uplift` ranks rows, by what they did.
    ///
    /// # Input
    /// Uplift of models that have not seen the rows, such as [`cross_fitted_uplift`](crate::cross_fitted_uplift) gives.
    ///
    /// # Complexity
    /// A hundred sorts of the rows.
    ///
    /// # Errors
    /// [`PropensityError::Lengths`], [`PropensityError::NoRows`], [`PropensityError::OneArm`]; [`PropensityError::Parameter`] where an uplift is not
    /// finite.
    ///
    /// # Examples
    /// ```
    /// use cip_propensity::UpliftEvaluation;
    /// let (treated, outcomes) = ([true, false, true, false], [true, false, false, true]);
    /// let found = UpliftEvaluation::new(&[0.9, 0.8, 0.2, 0.1], &treated, &outcomes)?;
    /// assert_eq!((found.qini, found.average_effect), (Some(1.0), 0.0));
    /// # Ok::<(), cip_propensity::PropensityError>(())
    /// ```
    pub fn new(uplift: &[f64], treated: &[bool], outcomes: &[bool]) -> Result<Self, PropensityError> {
        check_arms(uplift.len(), treated, outcomes.len())?;
        let amounts: Vec<f64> = outcomes.iter().map(|&outcome| f64::from(u8::from(outcome))).collect();
        let mut found = Self::of_amounts(uplift, treated, &amounts)?;
        let best =
            |curve: Curve| curve.area_above_chance(&curve.best_scores(treated, outcomes), treated, &amounts);
        let ratio = |area: f64, best: f64| (best > 0.0).then(|| area / best);
        found.qini = ratio(found.qini_area, best(Curve::Qini));
        found.auuc = ratio(found.auuc_area, best(Curve::Uplift));
        if found.qini.is_none() {
            found.qini_p_value = None;
        }
        Ok(found)
    }

    /// Returns how well `uplift` ranks rows whose outcomes are amounts, such as what was spent.
    ///
    /// # Formula
    /// As [`UpliftEvaluation::new`], with sums of amounts in the place of positives and means in the place of shares; the standard error is that
    /// of a difference of means. `qini` and `auuc` are none: of amounts, which may be of any size and sign, no ranking is perfect by its
    /// definition. `qini_area` and `auuc_area` are amounts, how high a curve runs above chance on average.
    ///
    /// # Errors
    /// As [`UpliftEvaluation::new`]; [`PropensityError::Parameter`] where an amount is not finite.
    ///
    /// # Examples
    /// ```
    /// use cip_propensity::UpliftEvaluation;
    /// let (treated, spent) = ([true, false, true, false], [30.0, 10.0, 5.0, 5.0]);
    /// let found = UpliftEvaluation::of_amounts(&[0.9, 0.8, 0.2, 0.1], &treated, &spent)?;
    /// assert_eq!((found.average_effect, found.top[4].incremental), (10.0, 20.0));
    /// # Ok::<(), cip_propensity::PropensityError>(())
    /// ```
    pub fn of_amounts(uplift: &[f64], treated: &[bool], amounts: &[f64]) -> Result<Self, PropensityError> {
        check_arms(uplift.len(), treated, amounts.len())?;
        if let Some(&value) = amounts.iter().find(|value| !value.is_finite()) {
            return Err(PropensityError::Parameter { name: "an amount", value, expected: "a finite number" });
        }
        if let Some(&value) = uplift.iter().find(|value| !value.is_finite()) {
            return Err(PropensityError::Parameter { name: "an uplift", value, expected: "a finite number" });
        }
        let mut all = Counts::default();
        treated.iter().zip(amounts).for_each(|(&treated, &amount)| all.add(treated, amount));
        let area = |curve: Curve| curve.area_above_chance(uplift, treated, amounts);
        let (qini_area, auuc_area) = (area(Curve::Qini), area(Curve::Uplift));
        let (treated_rate, control_rate) = all.rates();
        Ok(Self {
            rows: all.rows(),
            treated_rows: all.treated,
            treated_rate,
            control_rate,
            average_effect: treated_rate - control_rate,
            standard_error: all.standard_error(),
            qini: None,
            qini_p_value: Some(chance_of(qini_area, treated, amounts)),
            auuc: None,
            qini_area,
            auuc_area,
            top: top(uplift, treated, amounts),
        })
    }
}

/// The share of rankings at random, this one among them, with an area of Qini's curve that is as large.
fn chance_of(area: f64, treated: &[bool], outcomes: &[f64]) -> f64 {
    const RANKINGS: u64 = 99;
    let as_good = (1..=RANKINGS).filter(|&seed| {
        let score = |row: u64| xxh3_64_with_seed(&row.to_le_bytes(), seed) as f64;
        let scores: Vec<f64> = (0..treated.len() as u64).map(score).collect();
        Curve::Qini.area_above_chance(&scores, treated, outcomes) >= area
    });
    (1 + as_good.count()) as f64 / (1 + RANKINGS) as f64
}

fn top(uplift: &[f64], treated: &[bool], outcomes: &[f64]) -> Vec<UpliftTop> {
    const TENTHS: u64 = 10;
    let mut by_rank = vec![0; uplift.len()];
    for (row, rank) in ranks(uplift).into_iter().enumerate() {
        by_rank[(rank - 1) as usize] = row;
    }
    let rows = uplift.len() as u64;
    let (mut counts, mut taken) = (Counts::default(), 0);
    (1..=TENTHS)
        .map(|tenth| {
            let end = (rows * tenth).div_ceil(TENTHS) as usize;
            by_rank[taken..end].iter().for_each(|&row| counts.add(treated[row], outcomes[row]));
            taken = end;
            let (treated_rate, control_rate) = counts.rates();
            let treated_rate = (counts.treated > 0).then_some(treated_rate);
            let control_rate = (counts.control > 0).then_some(control_rate);
            let difference = treated_rate.zip(control_rate).map(|(treated, control)| treated - control);
            UpliftTop {
                fraction: tenth as f64 / TENTHS as f64,
                rows: counts.rows(),
                treated_rate,
                control_rate,
                uplift: difference,
                standard_error: difference.map(|_| counts.standard_error()),
                incremental: Curve::Qini.at(&counts),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A hundred rows: numbers that look random.
    fn given() -> (Vec<f64>, Vec<bool>, Vec<bool>) {
        let mixed = |row: u64, salt: u64| (row * 3 + salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        let uplift = (0..100).map(|row| (mixed(row, 1) % 40) as f64 / 40.0).collect();
        let treated = (0..100).map(|row| mixed(row, 2) % 5 < 2).collect();
        let outcomes = (0..100).map(|row| mixed(row, 0) % 3 == 0).collect();
        (uplift, treated, outcomes)
    }

    #[test]
    fn coefficients_of_scikit_uplift() {
        // scikit-uplift 0.5.1: qini_auc_score and uplift_auc_score of the same rows.
        let (uplift, treated, outcomes) = given();
        let found = UpliftEvaluation::new(&uplift, &treated, &outcomes).unwrap();
        assert!((found.qini.unwrap() - 0.129_155_397_988_800_19).abs() < 1e-12, "{found:?}");
        assert!((found.auuc.unwrap() - 0.131_643_082_136_241_76).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn what_is_not_finite_is_refused_and_one_score_for_all_is_chance() {
        let (_, treated, outcomes) = given();
        for value in [f64::NAN, f64::INFINITY] {
            let error = UpliftEvaluation::new(&[value; 100], &treated, &outcomes).unwrap_err().to_string();
            assert!(error.contains("expected a finite number"), "{error}");
        }
        let found = UpliftEvaluation::new(&[0.5; 100], &treated, &outcomes).unwrap();
        assert_eq!((found.qini, found.auuc, found.qini_area), (Some(0.0), Some(0.0), 0.0));
        let last = found.top.last().unwrap();
        assert_eq!((last.rows, last.uplift, last.fraction), (100, Some(found.average_effect), 1.0));
        assert!(found.qini_p_value.unwrap() > 0.2 && found.qini_p_value.unwrap() < 0.8, "{found:?}");
        // Whoever did what the treatment wants, first: no ranking at random is as good.
        let best: Vec<f64> =
            treated.iter().zip(&outcomes).map(|(t, y)| f64::from(u8::from(t == y))).collect();
        assert_eq!(UpliftEvaluation::new(&best, &treated, &outcomes).unwrap().qini_p_value, Some(0.01));
        // Without an outcome there is nothing to rank.
        assert_eq!(UpliftEvaluation::new(&[0.5; 100], &treated, &[false; 100]).unwrap().qini, None);
    }

    /// A row of each arm after the other, so that both have rows at every step: areas of the curves by the definition.
    #[test]
    fn amounts_are_counted_by_hand() {
        let treated = [true, false, false, true, true, false];
        let spent = [9.0, 2.0, -1.0, 4.5, 0.0, 3.0];
        let uplift = [6.0, 5.0, 4.0, 3.0, 2.0, 1.0];
        let found = UpliftEvaluation::of_amounts(&uplift, &treated, &spent).unwrap();
        assert_eq!((found.treated_rate, found.control_rate), (4.5, 4.0 / 3.0));
        let (mut curve, mut sums, mut rows) = (vec![0.0], [0.0; 2], [0.0; 2]);
        for (&treated, &spent) in treated.iter().zip(&spent) {
            sums[usize::from(treated)] += spent;
            rows[usize::from(treated)] += 1.0;
            curve.push(sums[1] - if rows[0] > 0.0 { sums[0] * rows[1] / rows[0] } else { 0.0 });
        }
        let area: f64 = curve.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0).sum();
        assert!((found.qini_area - (area - 6.0 * curve[6] / 2.0) / 6.0).abs() < 1e-12, "{found:?}");
        assert_eq!((found.qini, found.auuc), (None, None));
        // numpy 2: sqrt(var([9, 4.5, 0]) / 3 + var([2, -1, 3]) / 3).
        assert!((found.standard_error - 2.337_298_218_662_514_4).abs() < 1e-12, "{}", found.standard_error);
        for amount in [f64::NAN, f64::INFINITY] {
            let amounts = [amount, 1.0, 1.0, 1.0, 1.0, 1.0];
            assert!(UpliftEvaluation::of_amounts(&uplift, &treated, &amounts).is_err());
        }
        // Outcomes of yes and no are amounts of 1 and 0.
        let (uplift, treated, outcomes) = given();
        let labels = UpliftEvaluation::new(&uplift, &treated, &outcomes).unwrap();
        let amounts: Vec<f64> = outcomes.iter().map(|&outcome| f64::from(u8::from(outcome))).collect();
        let found = UpliftEvaluation::of_amounts(&uplift, &treated, &amounts).unwrap();
        assert_eq!((found.qini_area, found.qini_p_value), (labels.qini_area, labels.qini_p_value));
        assert_eq!(found.top, labels.top);
    }

    proptest! {
        #[test]
        fn the_order_of_rows_does_not_matter_and_tenths_are_counts(
            rows in proptest::collection::vec((0u8..6, any::<bool>(), any::<bool>()), 4..60),
        ) {
            let uplift: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
            let treated: Vec<bool> = rows.iter().map(|row| row.1).collect();
            let outcomes: Vec<bool> = rows.iter().map(|row| row.2).collect();
            prop_assume!(treated.iter().any(|t| *t) && treated.iter().any(|t| !*t));
            let found = UpliftEvaluation::new(&uplift, &treated, &outcomes).unwrap();
            prop_assert!(found.qini_area.is_finite() && found.auuc_area.is_finite());
            // The order of the rows, and what is added to all scores, do not matter.
            let back = |values: &[bool]| values.iter().rev().copied().collect::<Vec<_>>();
            let moved: Vec<f64> = uplift.iter().rev().map(|value| value / 8.0 - 1.0).collect();
            let again = UpliftEvaluation::new(&moved, &back(&treated), &back(&outcomes)).unwrap();
            prop_assert_eq!((found.qini, found.auuc), (again.qini, again.auuc));
            // A count by hand at each tenth.
            for top in &found.top {
                let mut order: Vec<usize> = (0..rows.len()).collect();
                order.sort_by(|&a, &b| uplift[b].total_cmp(&uplift[a]));
                let chosen = &order[..top.rows as usize];
                let of = |arm: bool| chosen.iter().filter(|&&row| treated[row] == arm).count() as f64;
                let hits = |arm: bool| chosen.iter().filter(|&&row| treated[row] == arm && outcomes[row]).count() as f64;
                prop_assert_eq!(top.treated_rate, (of(true) > 0.0).then(|| hits(true) / of(true)));
                prop_assert_eq!(top.control_rate, (of(false) > 0.0).then(|| hits(false) / of(false)));
            }
        }
    }
}
