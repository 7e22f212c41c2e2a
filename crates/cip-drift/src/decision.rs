//! The statistic that decides about a feature, by each preset's conventions.

use serde::Serialize;

use crate::column::{ColumnKind, ColumnProfile};
use crate::distance::Binned;
use crate::kolmogorov::ks_p_value;
use crate::options::{DriftOptions, Preset};
use crate::paired::Paired;
use crate::tail::{chi_square_above, normal_beyond};

/// Which statistic a [`DriftTest`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// The population stability index.
    Psi,
    /// The Jensen-Shannon distance.
    JensenShannon,
    /// The Hellinger distance.
    Hellinger,
    /// The greatest difference of shares.
    LInfinity,
    /// The greatest difference of distribution functions.
    KolmogorovSmirnov,
    /// The Wasserstein distance over the reference's standard deviation.
    WassersteinNormed,
    /// Chi-square.
    ChiSquare,
    /// The difference of two shares over its standard error.
    Z,
}

/// A statistic that is held to a threshold, or to a level of significance.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DriftTest {
    /// Which.
    pub statistic: Statistic,
    /// Its value.
    pub value: f64,
    /// From where on it is drift; none where the p-value decides.
    pub threshold: Option<f64>,
    /// How likely such a value is where nothing has changed.
    pub p_value: Option<f64>,
    /// The p-value made comparable with those of the other features (Benjamini and Hochberg 1995).
    pub q_value: Option<f64>,
}

/// What is lower is stable.
pub(crate) const MODERATE_PSI: f64 = 0.1;
pub(crate) const LARGE_PSI: f64 = 0.25;
/// Evidently's and NannyML's threshold of every distance.
const DISTANCE: f64 = 0.1;

/// Returns the tests of two columns, of which the first decides; `bins` are those of the reference.
pub(crate) fn tests_of(
    options: &DriftOptions,
    kind: ColumnKind,
    pair: &Paired,
    bins: &Binned,
    [reference, current]: [&ColumnProfile; 2],
) -> Vec<DriftTest> {
    match options.preset() {
        Preset::Cip => {
            let (value, p_value) = (bins.psi(), Some(bins.psi_p_value()));
            vec![DriftTest {
                statistic: Statistic::Psi,
                value,
                threshold: Some(MODERATE_PSI),
                p_value,
                q_value: None,
            }]
        }
        Preset::Evidently => vec![evidently(kind, pair, reference)],
        Preset::NannyMl => nannyml(kind, pair, reference.infinite + current.infinite),
    }
}

fn by_p(statistic: Statistic, value: f64, p_value: f64) -> DriftTest {
    DriftTest { statistic, value, threshold: None, p_value: Some(p_value), q_value: None }
}

fn by_value(statistic: Statistic, value: f64) -> DriftTest {
    DriftTest { statistic, value, threshold: Some(DISTANCE), p_value: None, q_value: None }
}

fn every_value(pair: &Paired) -> Binned {
    Binned::of(pair.cells.iter().map(|cell| (cell.reference, cell.current)))
}

fn evidently(kind: ColumnKind, pair: &Paired, reference: &ColumnProfile) -> DriftTest {
    const FEW_ROWS: u64 = 1_000;
    const FEW_VALUES: usize = 5;
    let (n, m) = pair.totals();
    let number = kind == ColumnKind::Number && pair.cells.len() > FEW_VALUES;
    // It counts nulls among the rows of numbers, and not among those of categories.
    let rows = if kind == ColumnKind::Number { reference.rows } else { n };
    match (rows <= FEW_ROWS, number) {
        (true, true) => {
            let steps = pair.ks_steps();
            by_p(Statistic::KolmogorovSmirnov, steps as f64 / (n as f64 * m as f64), ks_p_value(steps, n, m))
        }
        (true, false) if pair.cells.len() > 2 => {
            // Its chi-square has the current counts in the place of the expected ones.
            let ratio = m as f64 / n as f64;
            let term = |expected: f64, found: f64| (expected - found).powi(2) / found;
            let terms =
                pair.cells.iter().map(|cell| term(cell.reference as f64 * ratio, cell.current as f64));
            let value = terms.sum::<f64>().min(f64::MAX);
            by_p(Statistic::ChiSquare, value, chi_square_above(value, pair.cells.len() - 1))
        }
        (true, false) => {
            let value = z_of(&every_value(pair));
            by_p(Statistic::Z, value, normal_beyond(value))
        }
        (false, true) => {
            const LEAST_NORM: f64 = 0.001;
            let deviation = pair
                .moments(|cell| cell.reference)
                .map_or(LEAST_NORM, |(_, deviation)| deviation.max(LEAST_NORM));
            let distance = pair.wasserstein().unwrap_or(f64::MAX);
            by_value(Statistic::WassersteinNormed, (distance / deviation).min(f64::MAX))
        }
        // In natural units of information, not in bits.
        (false, false) => by_value(
            Statistic::JensenShannon,
            every_value(pair).jensen_shannon() * std::f64::consts::LN_2.sqrt(),
        ),
    }
}

/// The difference of the shares of the first bin over its standard error where they are equal; 0 of one bin.
pub(crate) fn z_of(binned: &Binned) -> f64 {
    let (n, m) = binned.totals();
    let (n, m) = (n as f64, m as f64);
    let [Some(&r), Some(&c)] = [binned.reference.first(), binned.current.first()] else { return 0.0 };
    let (r, c) = (r as f64, c as f64);
    let pooled = (r + c) / (n + m);
    let variance = pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m);
    if variance > 0.0 { (r / n - c / m) / variance.sqrt() } else { 0.0 }
}

fn nannyml(kind: ColumnKind, pair: &Paired, infinite: u64) -> Vec<DriftTest> {
    let binned = match kind {
        ColumnKind::Number if infinite == 0 => doane(pair),
        _ => {
            // All that the reference has not is one bin.
            let seen = pair
                .cells
                .iter()
                .filter(|cell| cell.reference > 0)
                .map(|cell| (cell.reference, cell.current));
            let unseen = pair.cells.iter().filter(|cell| cell.reference == 0).map(|cell| cell.current).sum();
            Binned::of(seen.chain([(0, unseen)]))
        }
    };
    let mut tests = vec![
        by_value(Statistic::JensenShannon, binned.jensen_shannon()),
        by_value(Statistic::Hellinger, binned.hellinger()),
    ];
    if kind != ColumnKind::Number {
        tests.push(by_value(Statistic::LInfinity, every_value(pair).l_infinity()));
    }
    tests
}

/// The reference's range in as many bins as Doane's rule (1976) makes of its rows and skewness, as NumPy has it.
fn doane(pair: &Paired) -> Binned {
    let (n, _) = pair.totals();
    let n = n as f64;
    let range = pair.range(|cell| cell.reference).unwrap_or_default();
    let (mean, deviation) = pair.moments(|cell| cell.reference).unwrap_or_default();
    let bins = if n > 2.0 && deviation > 0.0 {
        let cubes = pair
            .cells
            .iter()
            .map(|cell| cell.reference as f64 / n * ((cell.value - mean) / deviation).powi(3));
        let skewness = cubes.sum::<f64>().abs();
        let error = (6.0 * (n - 2.0) / ((n + 1.0) * (n + 3.0))).sqrt();
        (1.0 + n.log2() + (1.0 + skewness / error).log2()).ceil() as usize
    } else {
        1
    };
    let (counts, outside) = pair.histogram(range, bins);
    Binned::of(counts.into_iter().chain([outside]))
}
