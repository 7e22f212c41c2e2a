//! Lifetime models of the CDNOW sample against R 4.2.2: `optim` over the likelihoods, with gsl 2.1-8 (scripts/r_values.R).

use cip_rfm::lifetime::{
    BgNbd, DropOut, Fit, GammaGamma, ParetoNbd, PurchaseModel, RepeatHistory, SpendHistory,
};

use crate::cdnow::{repeats, spend};

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
