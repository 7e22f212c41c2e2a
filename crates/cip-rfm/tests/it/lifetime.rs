//! What holds of lifetime models for any customers.

use cip_rfm::RfmError;
use cip_rfm::lifetime::{
    BgNbd, ContractHistory, DropOut, GammaGamma, Histories, Horizon, ParetoNbd, PurchaseModel, RepeatHistory,
    ShiftedBeta, SpendHistory,
};
use proptest::prelude::*;

use crate::cdnow;

const DROP_OUTS: [DropOut; 2] = [DropOut::AfterRepeat, DropOut::AfterAny];

fn parameter() -> impl Strategy<Value = f64> {
    (-2.0f64..2.5).prop_map(f64::exp)
}

fn drop_out() -> impl Strategy<Value = DropOut> {
    prop::sample::select(&DROP_OUTS)
}

prop_compose! {
    fn bg_nbd()(drop_out in drop_out(), r in parameter(), alpha in parameter(), a in parameter(), b in parameter()) -> BgNbd {
        BgNbd::new(drop_out, r, alpha, a, b).unwrap()
    }
}

prop_compose! {
    fn pareto_nbd()(r in parameter(), alpha in parameter(), s in parameter(), beta in parameter()) -> ParetoNbd {
        ParetoNbd::new(r, alpha, s, beta).unwrap()
    }
}

prop_compose! {
    fn history()(frequency in 0u64..30, share in 0.0f64..=1.0, age in 0.0f64..100.0) -> RepeatHistory {
        let recency = if frequency == 0 { 0.0 } else { age * share };
        RepeatHistory::new(frequency, recency, age).unwrap()
    }
}

/// What every model of purchases must do.
fn check_model(model: &impl PurchaseModel, history: &RepeatHistory) -> Result<(), TestCaseError> {
    let alive = model.p_alive(history);
    prop_assert!((0.0..=1.0).contains(&alive), "{alive}");
    let new = RepeatHistory::new(0, 0.0, 0.0).unwrap();
    let (mut before, mut unconditional) = (0.0, 0.0);
    for time in [0.0, 0.5, 1.0, 5.0, 20.0, 100.0] {
        let expected = model.expected_purchases_given(history, time).unwrap();
        // Where almost nothing is expected it is a difference of two almost equal numbers.
        prop_assert!(before - 1e-9 <= expected && expected.is_finite(), "{time}: {before} {expected}");
        before = expected;
        let of_new = model.expected_purchases(time).unwrap();
        prop_assert!(unconditional - 1e-9 <= of_new, "{time}: {unconditional} {of_new}");
        unconditional = of_new;
        let given = model.expected_purchases_given(&new, time).unwrap();
        prop_assert!((of_new - given).abs() <= 1e-9 * (1.0 + of_new), "{time}: {of_new} {given}");
    }
    let horizon = Horizon::new(20).unwrap();
    let undiscounted = model.discounted_purchases(history, horizon).unwrap();
    let discounted = model.discounted_purchases(history, horizon.with_discount_rate(0.01).unwrap()).unwrap();
    prop_assert!(0.8 * undiscounted - 1e-9 <= discounted && discounted <= undiscounted / 1.01 + 1e-9);
    Ok(())
}

/// ∫ f over [low, high] by Simpson's rule.
fn integral(f: impl Fn(f64) -> f64, low: f64, high: f64) -> f64 {
    const STEPS: u32 = 4_000;
    let width = (high - low) / f64::from(STEPS);
    let inner: f64 =
        (1..STEPS).map(|step| f64::from(2 + 2 * (step % 2)) * f(low + f64::from(step) * width)).sum();
    (f(low) + inner + f(high)) * width / 3.0
}

proptest! {
    #[test]
    fn bg_nbd_foretells_what_can_be(model in bg_nbd(), history in history()) {
        check_model(&model, &history)?;
    }

    #[test]
    fn pareto_nbd_foretells_what_can_be(model in pareto_nbd(), history in history()) {
        check_model(&model, &history)?;
    }

    /// The probabilities of all numbers of purchases sum to 1, and their mean is the expected number.
    #[test]
    fn bg_nbd_probabilities_have_the_expected_mean(model in bg_nbd(), time in 0.0f64..10.0) {
        let (mut sum, mut mean, mut purchases) = (0.0, 0.0, 0);
        while sum < 1.0 - 1e-10 && purchases < 3_000 {
            let probability = model.probability_of(purchases, time).unwrap();
            prop_assert!(probability >= -1e-12, "{purchases}: {probability}");
            sum += probability;
            mean += probability * purchases as f64;
            purchases += 1;
        }
        prop_assert!((sum - 1.0).abs() < 1e-8, "{sum}");
        let expected = model.expected_purchases(time).unwrap();
        prop_assert!((mean - expected).abs() < 1e-5 * (1.0 + expected), "{mean} {expected}");
    }

    /// The likelihood of the Pareto/NBD model is its integral, by Simpson's rule, and so is the share of it that is alive.
    #[test]
    fn pareto_nbd_is_its_integral(model in pareto_nbd(), history in history()) {
        let [r, alpha, s, beta] = model.parameters();
        let (x, recency, age) = (history.frequency() as f64, history.recency(), history.age());
        // Over the value at t_x, so that nothing is too small; the times on a scale on which the integrand is smooth.
        let (buying, leaving) = (alpha + recency, beta + recency);
        let grown = |time: f64| ((alpha + time) / buying).powf(-r - x) * ((beta + time) / leaving).powf(-s);
        let least = alpha.min(beta);
        let dying = |ln: f64| {
            let time = ln.exp() - least;
            grown(time) / (beta + time) * (least + time)
        };
        let alive = grown(age);
        let all = alive + s * integral(dying, (least + recency).ln(), (least + age).ln());
        let rising = statrs::function::gamma::ln_gamma(r + x) - statrs::function::gamma::ln_gamma(r);
        let ln = rising + r * alpha.ln() + s * beta.ln() - (r + x) * buying.ln() - s * leaving.ln() + all.ln();
        prop_assert!((model.log_likelihood(&history) - ln).abs() < 1e-7, "{} {ln}", model.log_likelihood(&history));
        prop_assert!((model.p_alive(&history) - alive / all).abs() < 1e-7, "{} {}", model.p_alive(&history), alive / all);
    }

    #[test]
    fn expected_spend_lies_between_one_s_own_and_that_of_all(
        (p, q, v) in (parameter(), parameter(), parameter()),
        transactions in 1u64..50,
        mean in 0.01f64..1_000.0,
    ) {
        let model = GammaGamma::new(p, q, v).unwrap();
        let history = SpendHistory::new(transactions, mean).unwrap();
        let expected = model.expected_spend_given(&history);
        prop_assert_eq!(expected.is_some(), p * transactions as f64 + q > 1.0);
        if let (Some(expected), Some(all)) = (expected, model.expected_spend()) {
            prop_assert!(all.min(mean) * (1.0 - 1e-12) <= expected && expected <= all.max(mean) * (1.0 + 1e-12));
        }
    }

    #[test]
    fn contracts_end_with_certainty(alpha in parameter(), beta in parameter(), renewals in 0u64..20) {
        let model = ShiftedBeta::new(alpha, beta).unwrap();
        let left = |at: u64| model.log_likelihood(&ContractHistory::new(at, at + 1).unwrap()).exp();
        let all = (0..renewals).map(left).sum::<f64>() + model.survival(renewals);
        prop_assert!((all - 1.0).abs() < 1e-10, "{all}");
        let product: f64 = (1..=renewals).map(|renewal| model.retention(renewal)).product();
        prop_assert!((model.survival(renewals) - product).abs() < 1e-11);
        // Ever is what a long time comes to.
        let active = ContractHistory::new(renewals, renewals).unwrap();
        let long = Horizon::new(2_000).unwrap().with_discount_rate(0.02).unwrap();
        let ever = model.residual_lifetime(&active, 0.02).unwrap();
        prop_assert!((model.discounted_renewals(&active, long) - ever).abs() < 1e-10 * ever.max(1.0));
        let gone = ContractHistory::new(renewals, renewals + 1).unwrap();
        prop_assert_eq!((model.discounted_renewals(&gone, long), model.residual_lifetime(&gone, 0.02).unwrap()), (0.0, 0.0));
    }
}

#[test]
fn the_singular_orders_are_the_limits_of_their_neighbours() {
    let history = RepeatHistory::new(3, 20.0, 30.0).unwrap();
    for drop_out in DROP_OUTS {
        let at = |a: f64, b: f64| {
            let model = BgNbd::new(drop_out, 0.5, 4.0, a, b).unwrap();
            (model.expected_purchases(50.0).unwrap(), model.expected_purchases_given(&history, 50.0).unwrap())
        };
        // a = 1 divides by zero, and so does a + b = 1 in the function itself.
        for ((a, b), (near, far)) in
            [((1.0, 2.0), (1.0 + 1e-4, 1.0 - 1e-4)), ((0.4, 0.6), (0.4 + 1e-6, 0.4 - 1e-6))]
        {
            let ((new, known), (above, below)) = (at(a, b), (at(near, b), at(far, b)));
            assert!((new - (above.0 + below.0) / 2.0).abs() < 1e-6, "{new} {above:?} {below:?}");
            assert!((known - (above.1 + below.1) / 2.0).abs() < 1e-6, "{known} {above:?} {below:?}");
        }
    }
    let at = |s: f64| ParetoNbd::new(0.5, 4.0, s, 9.0).unwrap().expected_purchases(50.0).unwrap();
    assert!((at(1.0) - (at(1.0 + 1e-6) + at(1.0 - 1e-6)) / 2.0).abs() < 1e-9);
    let at = |alpha: f64| ParetoNbd::new(0.5, alpha, 0.6, 9.0).unwrap().log_likelihood(&history);
    assert!((at(9.0) - (at(9.0 + 1e-6) + at(9.0 - 1e-6)) / 2.0).abs() < 1e-11);
}

/// Customers who never leave are the NBD model: their purchases are r / α a unit of time.
#[test]
fn without_leaving_purchases_go_on_for_ever() {
    let bg = BgNbd::new(DropOut::AfterRepeat, 0.7, 5.0, 1e-9, 1.0).unwrap();
    let pareto = ParetoNbd::new(0.7, 5.0, 1e-9, 1.0).unwrap();
    let history = RepeatHistory::new(4, 20.0, 30.0).unwrap();
    for model in [&bg as &dyn PurchaseModel, &pareto] {
        assert!((model.expected_purchases(30.0).unwrap() - 4.2).abs() < 1e-6, "{}", model.name());
        let given = model.expected_purchases_given(&history, 35.0).unwrap();
        assert!((given - 4.7).abs() < 1e-6 && (model.p_alive(&history) - 1.0).abs() < 1e-6, "{given}");
    }
}

/// Days instead of weeks: rates are a seventh, nothing else changes; the log-likelihood, a density of times, by a factor.
#[test]
fn the_unit_of_time_changes_rates_alone() {
    let (weeks, days) = (cdnow::repeats_in(|days| days as f64 / 7.0), cdnow::repeats_in(|days| days as f64));
    let in_weeks = BgNbd::fit(DropOut::AfterRepeat, &weeks).unwrap();
    let in_days = BgNbd::fit(DropOut::AfterRepeat, &days).unwrap();
    for (week, day) in in_weeks.parameters().iter().zip(in_days.parameters()) {
        let factor = if week.name == "alpha" { 7.0 } else { 1.0 };
        assert!((factor * week.value / day.value - 1.0).abs() < 1e-7, "{week:?} {day:?}");
        assert!((factor * week.standard_error / day.standard_error - 1.0).abs() < 1e-6, "{week:?} {day:?}");
    }
    let repeats: f64 = weeks.iter().map(|(history, weight)| weight * history.frequency() as f64).sum();
    let difference = in_weeks.log_likelihood() - in_days.log_likelihood();
    assert!((difference - repeats * 7f64.ln()).abs() < 1e-6, "{difference}");
}

/// Twice as many of the same customers: the same estimates, surer by √2.
#[test]
fn weights_are_repetitions() {
    let once = cdnow::spend();
    let twice = once.iter().flat_map(|(history, weight)| [(*history, weight), (*history, weight)]);
    let twice = GammaGamma::fit(&Histories::weighted(twice).unwrap()).unwrap();
    let once = GammaGamma::fit(&once).unwrap();
    assert_eq!(twice.customers(), 2.0 * once.customers());
    assert!((twice.log_likelihood() - 2.0 * once.log_likelihood()).abs() < 1e-7);
    for (at, (one, two)) in once.parameters().iter().zip(twice.parameters()).enumerate() {
        assert!((one.value - two.value).abs() < 1e-8 * one.value);
        assert!((one.standard_error / two.standard_error - 2f64.sqrt()).abs() < 1e-6);
        let variance = once.covariance(at, at).unwrap();
        assert!((variance.sqrt() - one.standard_error).abs() < 1e-15 && once.covariance(at, 3).is_none());
    }
}

/// The same customers in any order give the same bits.
#[test]
fn the_order_of_customers_changes_nothing() {
    let all = cdnow::spend();
    let mut customers: Vec<SpendHistory> =
        all.iter().flat_map(|(history, weight)| vec![*history; weight as usize]).collect();
    customers.reverse();
    customers.rotate_left(300);
    let fit = GammaGamma::fit(&customers.into_iter().collect()).unwrap();
    assert_eq!(fit, GammaGamma::fit(&all).unwrap());
}

#[test]
fn what_no_model_can_be_fitted_to_is_refused() {
    let once: Histories<_> = (1..20).map(|age| RepeatHistory::new(0, 0.0, f64::from(age)).unwrap()).collect();
    let nobody: Histories<RepeatHistory> = [].into_iter().collect();
    for histories in [&once, &nobody, &once.clone().repeaters()] {
        for drop_out in DROP_OUTS {
            assert!(matches!(BgNbd::fit(drop_out, histories), Err(RfmError::NoRepeats { .. })));
        }
        assert!(matches!(ParetoNbd::fit(histories), Err(RfmError::NoRepeats { .. })));
    }
    assert!(matches!(GammaGamma::fit(&[].into_iter().collect()), Err(RfmError::NoSpend)));
    let equal = [SpendHistory::new(2, 5.0).unwrap(); 9].into_iter().collect();
    assert!(matches!(GammaGamma::fit(&equal), Err(RfmError::NoMaximum { model: "Gamma-Gamma", .. })));
    let young = [ContractHistory::new(0, 0).unwrap(); 3].into_iter().collect();
    assert!(matches!(ShiftedBeta::fit(&young), Err(RfmError::NoRenewals { .. })));
    let loyal = [ContractHistory::new(5, 5).unwrap(); 3].into_iter().collect();
    let error = ShiftedBeta::fit(&loyal).unwrap_err().to_string();
    assert!(
        error.starts_with("the likelihood of the sBG model has no maximum that the data tell"),
        "{error}"
    );
}

#[test]
fn parameters_times_and_horizons_are_checked() {
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refused = |result: Result<(), RfmError>| matches!(result, Err(RfmError::Parameter { .. }));
        for drop_out in DROP_OUTS {
            assert!(refused(BgNbd::new(drop_out, 1.0, 1.0, value, 1.0).map(drop)));
        }
        assert!(refused(ParetoNbd::new(1.0, 1.0, 1.0, value).map(drop)));
        assert!(refused(GammaGamma::new(1.0, value, 1.0).map(drop)));
        assert!(refused(ShiftedBeta::new(value, 1.0).map(drop)));
    }
    let model = ParetoNbd::new(1.0, 1.0, 1.0, 1.0).unwrap();
    for time in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(model.expected_purchases(time), Err(RfmError::Time { .. })));
        assert!(Horizon::new(1).unwrap().with_discount_rate(time).is_err());
    }
    assert!(Horizon::new(0).is_err() && Horizon::new(10_001).is_err());
    assert!(
        ShiftedBeta::new(1.0, 1.0)
            .unwrap()
            .residual_lifetime(&ContractHistory::new(0, 0).unwrap(), 0.0)
            .is_err()
    );
    assert_eq!(
        GammaGamma::new(6.25, 0.0, 15.44).unwrap_err().to_string(),
        "parameter `q` of the Gamma-Gamma model is 0, expected a finite number above 0: fit the model"
    );
}
