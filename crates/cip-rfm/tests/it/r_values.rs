//! Lifetime models of the CDNOW sample against R 4.2.2: `optim` over the likelihoods, with gsl 2.1-8 (scripts/r_values.R), and what is
//! published of the packages BTYD, BTYDplus and CLVTools.

use cip_rfm::lifetime::{
    BgNbd, DropOut, Estimate, Fit, GammaGamma, Histories, ParetoNbd, PurchaseModel, RepeatHistory,
    SpendHistory,
};

use crate::cdnow::{repeats, repeats_in, spend};

#[track_caller]
fn assert_close(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 2e-6, "{found} {expected}");
}

#[track_caller]
fn assert_maximum<M>(fit: &Fit<M>, parameters: &[f64], log_likelihood: f64) {
    let found: Vec<f64> = fit.parameters().iter().map(|estimate| estimate.value).collect();
    assert_eq!(found.len(), parameters.len());
    found.into_iter().zip(parameters).for_each(|(found, expected)| assert_close(found, *expected));
    assert!((fit.log_likelihood() - log_likelihood).abs() < 1e-6, "{}", fit.log_likelihood());
}

/// Two repeats, the last after 30.43 of 38.86 weeks.
fn customer() -> RepeatHistory {
    RepeatHistory::new(2, 30.43, 38.86).unwrap()
}

#[test]
fn models_of_purchases_have_the_maxima_of_r_and_foretell_the_same() {
    let bg_nbd = BgNbd::fit(DropOut::AfterRepeat, &repeats()).unwrap();
    let expected = [0.2425928795, 4.4135307467, 0.7928863280, 2.4257541160];
    assert_maximum(&bg_nbd, &expected, -9_582.425_560_567_4);
    assert_close(bg_nbd.model().p_alive(&customer()), 0.726_609_145);
    assert_close(bg_nbd.model().expected_purchases_given(&customer(), 39.0).unwrap(), 1.225_910_43);

    let mbg_nbd = BgNbd::fit(DropOut::AfterAny, &repeats()).unwrap();
    let expected = [0.5248380232, 6.1829919268, 0.8913560684, 1.6139989310];
    assert_maximum(&mbg_nbd, &expected, -9_582.132_684_899_9);

    let pareto_nbd = ParetoNbd::fit(&repeats()).unwrap();
    let expected = [0.5532754141, 10.5776122607, 0.6062136849, 11.6679187468];
    assert_maximum(&pareto_nbd, &expected, -9_594.973_929_826_9);
    assert_close(pareto_nbd.model().p_alive(&customer()), 0.869_118_716);
    assert_close(pareto_nbd.model().expected_purchases_given(&customer(), 39.0).unwrap(), 1.455_112_879);
}

#[test]
fn the_model_of_spend_has_the_maximum_of_r_and_foretells_the_same() {
    let fit = GammaGamma::fit(&spend()).unwrap();
    assert_maximum(&fit, &[6.248803632, 3.744588488, 15.447745056], -4_055.923_243_503);
    let history = SpendHistory::new(2, 22.35).unwrap();
    assert_close(fit.model().expected_spend_given(&history).unwrap(), 24.658_615_72);
}

/// The sample in weeks of exact days, as the R packages make it of its purchases.
fn exact() -> Histories<RepeatHistory> {
    repeats_in(|days| days as f64 / 7.0)
}

/// The tests of the R package CLVTools hold its fits of `cdnow`, split at 1997-09-30, to these (tests/testthat/test_correctness_bgnbd.R and
/// test_correctness_pnbd.R).
#[test]
fn models_have_the_estimates_of_clvtools() {
    let assert_near = |estimates: &[Estimate], expected: [f64; 4], tolerance: f64| {
        for (found, expected) in estimates.iter().zip(expected) {
            assert!((found.value / expected - 1.0).abs() < tolerance, "{found:?} {expected}");
        }
    };
    let bg_nbd = BgNbd::fit(DropOut::AfterRepeat, &exact()).unwrap();
    assert_near(bg_nbd.parameters(), [0.242_594_5, 4.413_601_9, 0.792_919_9, 2.425_888_1], 1e-5);
    assert_eq!(format!("{:.3}", bg_nbd.log_likelihood()), "-9582.429");
    let pareto_nbd = ParetoNbd::fit(&exact()).unwrap();
    // A thousandth is the tolerance of those tests.
    assert_near(pareto_nbd.parameters(), [0.553_15, 10.576_33, 0.606_25, 11.671_50], 1e-3);
    assert_eq!(format!("{:.3}", pareto_nbd.log_likelihood()), "-9594.976");
}

/// What the walk-through of the R package BTYD prints of the sample ("Buy 'Til You Die - A Walkthrough", Pareto/NBD). Its optimiser stops a
/// little before the maximum, so three digits of most agree.
#[test]
fn the_pareto_nbd_model_foretells_what_btyd_does() {
    let fit = ParetoNbd::fit(&exact()).unwrap();
    let model = fit.model();
    assert_eq!(format!("{:.4}", model.expected_purchases(52.0).unwrap()), "1.4734");
    let assert_near = |found: f64, expected: f64| {
        assert!((found / expected - 1.0).abs() < 1e-3, "{found} {expected}");
    };
    // Customer 1516: 26 repeats, the last on day 216 of 217.
    let customer = RepeatHistory::new(26, 216.0 / 7.0, 31.0).unwrap();
    assert_near(model.expected_purchases_given(&customer, 52.0).unwrap(), 25.456_47);
    assert_close(model.p_alive(&customer), 0.997_874);
    // The paradox of increasing frequency.
    for (frequency, expected) in
        [(10, 0.706_228_9), (15, 0.144_239_6), (20, 0.022_506_58), (25, 0.003_092_67)]
    {
        let silent = RepeatHistory::new(frequency, 20.0, 39.0).unwrap();
        assert_near(model.expected_purchases_given(&silent, 52.0).unwrap(), expected);
    }
    // Its first estimates have the same likelihood to three decimals.
    let stopped = ParetoNbd::new(0.553_397_1, 10.580_198_5, 0.606_062_5, 11.656_223_7).unwrap();
    let log_likelihood: f64 =
        exact().iter().map(|(history, weight)| weight * stopped.log_likelihood(history)).sum();
    assert_eq!(format!("{log_likelihood:.3}"), "-9594.976");
    // The manual, `pnbd.PAlive`, by parameters of its own.
    let rounded = ParetoNbd::new(0.55, 10.56, 0.61, 11.64).unwrap();
    assert_close(rounded.p_alive(&RepeatHistory::new(0, 0.0, 39.0).unwrap()), 0.292_403_1);
}

/// What customers of 0, 1, … 5 repeats are expected to buy on average in 39 weeks, and how sure it is that they are there, by the demo of
/// the R package BTYDplus ("cdnow").
#[test]
fn customers_of_each_frequency_are_foretold_as_btydplus_does() {
    let assert_model = |model: &dyn PurchaseModel, expected: [&str; 6], alive: Option<&str>| {
        for (frequency, expected) in (0..).zip(expected) {
            let (mut purchases, mut customers) = (0.0, 0.0);
            for (history, weight) in exact().iter().filter(|(history, _)| history.frequency() == frequency) {
                purchases += weight * model.expected_purchases_given(history, 39.0).unwrap();
                customers += weight;
            }
            assert_eq!(format!("{:.2}", purchases / customers), expected, "{} {frequency}", model.name());
        }
        let all = exact();
        let there: f64 = all.iter().map(|(history, weight)| weight * model.p_alive(history)).sum();
        let there = format!("{:.4}", there / all.customers());
        assert!(alive.is_none_or(|alive| alive == there), "{} {there}", model.name());
    };
    let pareto_nbd = ParetoNbd::new(0.553_397_1, 10.580_198_5, 0.606_062_5, 11.656_223_7).unwrap();
    assert_model(&pareto_nbd, ["0.14", "0.60", "1.20", "1.71", "2.40", "2.91"], Some("0.4462"));
    let bg_nbd = *BgNbd::fit(DropOut::AfterRepeat, &exact()).unwrap().model();
    assert_model(&bg_nbd, ["0.23", "0.52", "1.04", "1.52", "2.16", "2.65"], Some("0.8134"));
    let mbg_nbd = *BgNbd::fit(DropOut::AfterAny, &exact()).unwrap().model();
    assert_model(&mbg_nbd, ["0.19", "0.55", "1.05", "1.49", "2.10", "2.56"], None);
}
