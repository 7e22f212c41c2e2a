//! Lifetime models against what is published of the CDNOW sample, and of contracts.

use cip_rfm::lifetime::{
    BgNbd, ContractHistory, DropOut, Fit, GammaGamma, Histories, ParetoNbd, PurchaseModel, RepeatHistory,
    ShiftedBeta, SpendHistory,
};

/// The rows of a file of numbers behind its comments and its header.
fn numbers<const N: usize>(text: &str) -> impl Iterator<Item = [u64; N]> {
    let rows = text.lines().filter(|line| !line.starts_with('#')).skip(1);
    rows.map(|line| {
        let values: Vec<u64> = line.split(',').map(|value| value.parse().unwrap()).collect();
        values.try_into().unwrap()
    })
}

/// In weeks with two decimals, as the estimates that are published were made from.
pub(crate) fn repeats() -> Histories<RepeatHistory> {
    repeats_in(|days| two_decimals(days as f64 / 7.0))
}

fn two_decimals(value: f64) -> f64 {
    (100.0 * value).round() / 100.0
}

/// In another unit of time.
pub(crate) fn repeats_in(unit: impl Fn(u64) -> f64) -> Histories<RepeatHistory> {
    let rows = numbers(include_str!("../data/cdnow_repeats.csv"));
    let histories = rows.map(|[frequency, recency, age, customers]| {
        (RepeatHistory::new(frequency, unit(recency), unit(age)).unwrap(), customers as f64)
    });
    Histories::weighted(histories).unwrap()
}

/// In dollars with two decimals, as the estimates that are published were made from.
pub(crate) fn spend() -> Histories<SpendHistory> {
    let rows = numbers(include_str!("../data/cdnow_spend.csv"));
    let histories = rows.map(|[frequency, cents, customers]| {
        // Half a cent is rounded up.
        let mean = ((2 * cents + frequency) / (2 * frequency)) as f64 / 100.0;
        (SpendHistory::new(frequency, mean).unwrap(), customers as f64)
    });
    Histories::weighted(histories).unwrap()
}

/// The parameters with as many decimals as are published; those refitted in Python (scipy 1.17), with the standard errors of
/// numerical second derivatives there, and the log-likelihood to 1e-4.
#[track_caller]
fn assert_fit<M>(fit: &Fit<M>, published: &[(&str, &str)], refitted: &[(f64, f64)], log_likelihood: f64) {
    for ((estimate, (name, text)), (value, error)) in fit.parameters().iter().zip(published).zip(refitted) {
        let decimals = text.split_once('.').unwrap().1.len();
        assert_eq!((estimate.name, format!("{:.decimals$}", estimate.value).as_str()), (*name, *text));
        assert!((estimate.value - value).abs() <= 2e-6 * value, "{estimate:?} {value}");
        assert!((estimate.standard_error - error).abs() <= 1e-4 * error, "{estimate:?} {error}");
    }
    assert_eq!(fit.parameters().len(), published.len());
    assert!((fit.log_likelihood() - log_likelihood).abs() < 1e-4, "{}", fit.log_likelihood());
}

/// Fader, Hardie and Lee (2005), Table 2.
#[test]
fn bg_nbd_has_the_published_estimates() {
    let fit = BgNbd::fit(DropOut::AfterRepeat, &repeats()).unwrap();
    assert_eq!((fit.customers(), fit.distinct()), (2_357.0, 1_016));
    let published = [("r", "0.243"), ("alpha", "4.414"), ("a", "0.793"), ("b", "2.426")];
    assert_fit(
        &fit,
        &published,
        &[(0.24259291, 0.012557), (4.41353176, 0.378221), (0.79288614, 0.185719), (2.42575337, 0.705346)],
        -9_582.425_56,
    );
    let model = fit.model();
    let expected = [1.0, 32.0, 78.0].map(|week| format!("{:.4}", model.expected_purchases(week).unwrap()));
    assert_eq!(expected, ["0.0532", "1.0437", "1.8580"]);
    // "Implementing the BG/NBD Model for Customer Base Analysis in Excel" (2005), and from the refitted parameters.
    let rounded = BgNbd::new(DropOut::AfterRepeat, 0.243, 4.414, 0.793, 2.426).unwrap();
    assert_eq!(format!("{:.7}", rounded.probability_of(0, 39.0).unwrap()), "0.5737864");
    let refitted = BgNbd::new(DropOut::AfterRepeat, 0.24259, 4.41353, 0.79289, 2.42576).unwrap();
    assert_eq!(format!("{:.7}", refitted.probability_of(0, 39.0).unwrap()), "0.5743111");
    let customer = RepeatHistory::new(2, 30.43, 38.86).unwrap();
    assert_eq!(format!("{:.3}", rounded.expected_purchases_given(&customer, 39.0).unwrap()), "1.226");
    // Nobody has left before the first repeat.
    assert_eq!(model.p_alive(&RepeatHistory::new(0, 0.0, 38.86).unwrap()), 1.0);
}

/// Batislam, Denizel and Filiztekin (2007), Table 2.
#[test]
fn mbg_nbd_has_the_published_estimates() {
    let fit = BgNbd::fit(DropOut::AfterAny, &repeats()).unwrap();
    let published = [("r", "0.525"), ("alpha", "6.183"), ("a", "0.891"), ("b", "1.614")];
    assert_fit(
        &fit,
        &published,
        &[(0.52483804, 0.083264), (6.18299244, 0.695598), (0.89135609, 0.154785), (1.61399911, 0.537473)],
        -9_582.132_68,
    );
    assert!(fit.model().p_alive(&RepeatHistory::new(0, 0.0, 38.86).unwrap()) < 0.7);
}

/// Fader, Hardie and Lee (2005), Table 2.
#[test]
fn pareto_nbd_has_the_published_estimates() {
    let fit = ParetoNbd::fit(&repeats()).unwrap();
    let published = [("r", "0.553"), ("alpha", "10.578"), ("s", "0.606"), ("beta", "11.67")];
    assert_fit(
        &fit,
        &published,
        &[(0.55327552, 0.047629), (10.57761269, 0.842724), (0.60621348, 0.187279), (11.66790587, 6.211014)],
        -9_594.973_93,
    );
    // The walk-through of the R package BTYD.
    let customer = RepeatHistory::new(26, 30.86, 31.0).unwrap();
    assert_eq!(format!("{:.2}", fit.model().expected_purchases_given(&customer, 52.0).unwrap()), "25.46");
}

/// Fader and Hardie (2013), "The Gamma-Gamma Model of Monetary Value".
#[test]
fn gamma_gamma_has_the_published_estimates() {
    let fit = GammaGamma::fit(&spend()).unwrap();
    assert_eq!(fit.customers(), 946.0);
    assert_fit(
        &fit,
        &[("p", "6.25"), ("q", "3.74"), ("v", "15.45")],
        &[(6.24880315, 1.189686), (3.74458885, 0.290166), (15.44774785, 4.159991)],
        -4_055.923_22,
    );
    let model = fit.model();
    assert!((model.expected_spend().unwrap() - 35.171).abs() < 5e-4);
    for (transactions, mean, expected) in [(2, 22.35, 24.65), (1, 11.77, 18.91)] {
        let history = SpendHistory::new(transactions, mean).unwrap();
        let found = model.expected_spend_given(&history).unwrap();
        assert!((found - expected).abs() < 0.1, "{found} {expected}");
    }
}

/// Fader and Hardie (2007), "How to Project Customer Retention": 1,000 customers of each kind, and how many of them were left
/// after each of seven years.
#[test]
fn sbg_has_the_published_estimates() {
    let regular = [1_000, 631, 468, 382, 326, 289, 262, 241];
    let high_end = [1_000, 869, 743, 653, 593, 551, 517, 491];
    let cases = [
        (regular, ["0.704", "1.182"], -1_680.3, [0.223, 0.207, 0.194, 0.183, 0.173]),
        (high_end, ["0.668", "3.806"], -1_611.2, [0.468, 0.445, 0.427, 0.409, 0.394]),
    ];
    for (left, published, log_likelihood, later) in cases {
        let gone = left.windows(2).zip(0..).map(|(pair, renewals)| (renewals, pair[0] - pair[1]));
        let all = gone.chain([(7, left[7])]);
        let histories = all
            .map(|(renewals, customers)| (ContractHistory::new(renewals, 7).unwrap(), f64::from(customers)));
        let fit = ShiftedBeta::fit(&Histories::weighted(histories).unwrap()).unwrap();
        let found: Vec<_> =
            fit.parameters().iter().map(|estimate| format!("{:.3}", estimate.value)).collect();
        assert_eq!(found, published);
        assert!((fit.log_likelihood() - log_likelihood).abs() < 0.05, "{}", fit.log_likelihood());
        // What came in the years that the model had not seen.
        for (year, share) in (8..).zip(later) {
            assert!(
                (fit.model().survival(year) - share).abs() < 0.02,
                "{year} {}",
                fit.model().survival(year)
            );
        }
    }
}
