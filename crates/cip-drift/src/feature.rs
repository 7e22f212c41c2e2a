//! What has changed in a column.

use cip_core::benjamini_hochberg;
use serde::Serialize;

use crate::bins::{Bin, bins_of, counts, new_categories};
use crate::column::{ColumnKind, ColumnProfile};
use crate::decision::{DriftTest, LARGE_PSI, MODERATE_PSI, tests_of, z_of};
use crate::distance::Binned;
use crate::kolmogorov::ks_p_value;
use crate::options::{DriftOptions, Preset};
use crate::paired::{Paired, PairedCell};
use crate::tail::normal_beyond;

/// Whether something has changed, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not more than chance.
    Stable,
    /// More than chance, and less than matters to most: an index below .1. It does not count as drift.
    Small,
    /// Enough to look at it.
    Moderate,
    /// Enough to doubt what was learned before. Conventions with one threshold know no other drift.
    Large,
}

/// What is known of a column in one table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ColumnSummary {
    /// Rows.
    pub rows: u64,
    /// Nulls, and NaN.
    pub missing: u64,
    /// Their share of the rows; none of no rows.
    pub missing_rate: Option<f64>,
    /// Numbers without end.
    pub infinite: u64,
    /// The mean of numbers; none where one is infinite.
    pub mean: Option<f64>,
    /// Their standard deviation (of n, not n - 1).
    pub standard_deviation: Option<f64>,
}

/// Distances between the values of a column in two tables, in the bins of the reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Distances {
    /// The population stability index.
    pub psi: f64,
    /// The index that chance exceeds with the level's probability, at these numbers of rows (Yurdakul and Naranjo 2020).
    pub psi_threshold: f64,
    /// How likely such an index is where nothing has changed.
    pub psi_p_value: f64,
    /// The Jensen-Shannon distance, of 0 to 1.
    pub jensen_shannon: f64,
    /// The Hellinger distance, of 0 to 1.
    pub hellinger: f64,
    /// The greatest difference of a bin's shares.
    pub l_infinity: f64,
    /// Pearson's chi-square of homogeneity.
    pub chi_square: f64,
    /// Its degrees of freedom: the bins, but one.
    pub df: usize,
    /// Its p-value.
    pub chi_square_p_value: f64,
    /// Of numbers, the Kolmogorov-Smirnov statistic.
    pub kolmogorov_smirnov: Option<f64>,
    /// Its p-value.
    pub kolmogorov_smirnov_p_value: Option<f64>,
    /// By how much the statistic can be too small, because close numbers share a count; 0 where each has its own.
    pub kolmogorov_smirnov_error: Option<f64>,
    /// Of finite numbers, the Wasserstein distance, in their unit.
    pub wasserstein: Option<f64>,
    /// The same over the reference's standard deviation; none where that is 0.
    pub wasserstein_normed: Option<f64>,
}

/// Categories that came or went.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CategoryChange {
    /// Categories that the reference has not.
    pub new: usize,
    /// Rows with them, of the current rows with a value.
    pub new_rate: f64,
    /// The share that chance alone makes: that of the reference's rows whose category came once (Good 1953).
    pub expected_rate: f64,
    /// The most frequent of them, with their rows.
    pub examples: Vec<(Box<str>, u64)>,
    /// Categories of the reference that the current table has not.
    pub gone: usize,
}

/// How the share of rows without a value has changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MissingChange {
    /// The difference of the shares, current less reference.
    pub difference: f64,
    /// The stability index of missing and present.
    pub psi: f64,
    /// Of the z-test of two shares.
    pub p_value: f64,
    /// The p-value made comparable with those of the other tests.
    pub q_value: f64,
}

/// What has changed in a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FeatureDrift {
    /// The column.
    pub name: Box<str>,
    /// As what its values were compared.
    pub kind: ColumnKind,
    /// The verdict of the values and, by the preset `cip`, of those that are missing: whichever is worse.
    pub verdict: Verdict,
    /// How much the model leans on it, where that was said.
    pub importance: Option<f64>,
    /// The tests of the values, of which the first decides; none where a table has no values.
    pub tests: Vec<DriftTest>,
    /// Those that are missing.
    pub missing: MissingChange,
    /// Distances; none where a table has no values.
    pub distances: Option<Distances>,
    /// Of categories, those that came or went.
    pub categories: Option<CategoryChange>,
    /// The reference.
    pub reference: ColumnSummary,
    /// The current table.
    pub current: ColumnSummary,
    /// The bins in which they were compared.
    pub bins: Vec<Bin>,
}

impl FeatureDrift {
    /// Whether the verdict is moderate or large.
    pub fn drifts(&self) -> bool {
        self.verdict >= Verdict::Moderate
    }

    /// Returns what has changed between two columns that are compared as `kind`; verdicts are not made yet.
    pub(crate) fn new(
        name: &str,
        kind: ColumnKind,
        profiles: [&ColumnProfile; 2],
        options: &DriftOptions,
    ) -> Self {
        let [reference, current] = profiles;
        let pair = Paired::new(&reference.cells, &current.cells);
        let bins = bins_of(kind, &pair, reference, current);
        let known = reference.values() > 0 && current.values() > 0;
        let binned = counts(&bins);
        Self {
            name: name.into(),
            kind,
            verdict: Verdict::Stable,
            importance: options
                .importance
                .iter()
                .find(|(feature, _)| **feature == *name)
                .map(|(_, share)| *share),
            tests: if known { tests_of(options, kind, &pair, &binned, profiles) } else { Vec::new() },
            missing: missing_change(reference, current),
            distances: known.then(|| distances(options, kind, &pair, &binned, profiles)),
            categories: (known && kind != ColumnKind::Number).then(|| categories(kind, &pair, current)),
            reference: summary(kind, reference, &pair, |cell| cell.reference),
            current: summary(kind, current, &pair, |cell| cell.current),
            bins,
        }
    }

    /// Makes the p-values of features comparable, and their verdicts.
    pub(crate) fn judge(features: &mut [Self], options: &DriftOptions) {
        let mut p_values: Vec<&mut f64> = Vec::new();
        for feature in features.iter_mut() {
            // They become q-values in place.
            if let Some(test) = feature.tests.first_mut() {
                test.q_value = test.p_value;
                p_values.extend(test.q_value.as_mut());
            }
            feature.missing.q_value = feature.missing.p_value;
            p_values.push(&mut feature.missing.q_value);
        }
        let q_values = benjamini_hochberg(&p_values.iter().map(|p| **p).collect::<Vec<_>>());
        p_values.into_iter().zip(q_values).for_each(|(p, q)| *p = q);
        for feature in features {
            feature.verdict = feature.judged(options);
        }
    }

    fn judged(&self, options: &DriftOptions) -> Verdict {
        let gone =
            (self.reference.rows > self.reference.missing) != (self.current.rows > self.current.missing);
        if gone {
            return Verdict::Large;
        }
        let Some(test) = self.tests.first() else { return Verdict::Stable };
        let once = |drifted: bool| if drifted { Verdict::Large } else { Verdict::Stable };
        match options.preset() {
            Preset::Cip => {
                let values = of_psi(test.value, test.q_value < Some(options.alpha));
                values.max(of_psi(self.missing.psi, self.missing.q_value < options.alpha))
            }
            Preset::Evidently => match (test.threshold, test.p_value) {
                (Some(threshold), _) => once(test.value >= threshold),
                (None, p_value) => once(p_value.is_some_and(|p| p < options.alpha)),
            },
            Preset::NannyMl => once(test.threshold.is_some_and(|threshold| test.value > threshold)),
        }
    }
}

/// The verdict of a stability index; what may be chance is stable.
fn of_psi(psi: f64, significant: bool) -> Verdict {
    match psi {
        _ if !significant => Verdict::Stable,
        psi if psi >= LARGE_PSI => Verdict::Large,
        psi if psi >= MODERATE_PSI => Verdict::Moderate,
        _ => Verdict::Small,
    }
}

fn missing_change(reference: &ColumnProfile, current: &ColumnProfile) -> MissingChange {
    let binned = Binned::of([(reference.missing, current.missing), (reference.values(), current.values())]);
    let p_value = normal_beyond(z_of(&binned));
    let rate = |column: &ColumnProfile| column.missing as f64 / column.rows as f64;
    MissingChange {
        difference: rate(current) - rate(reference),
        psi: binned.psi(),
        p_value,
        q_value: p_value,
    }
}

fn distances(
    options: &DriftOptions,
    kind: ColumnKind,
    pair: &Paired,
    bins: &Binned,
    [reference, current]: [&ColumnProfile; 2],
) -> Distances {
    let (n, m) = pair.totals();
    let steps = (kind == ColumnKind::Number).then(|| pair.ks_steps());
    let finite = kind == ColumnKind::Number && reference.infinite + current.infinite == 0;
    let wasserstein = if finite { pair.wasserstein() } else { None };
    let deviation = pair.moments(|cell| cell.reference).map(|(_, deviation)| deviation);
    Distances {
        psi: bins.psi(),
        psi_threshold: bins.psi_threshold(options.alpha),
        psi_p_value: bins.psi_p_value(),
        jensen_shannon: bins.jensen_shannon(),
        hellinger: bins.hellinger(),
        l_infinity: bins.l_infinity(),
        chi_square: bins.chi_square(),
        df: bins.df(),
        chi_square_p_value: bins.chi_square_p_value(),
        kolmogorov_smirnov: steps.map(|steps| steps as f64 / (n as f64 * m as f64)),
        kolmogorov_smirnov_p_value: steps.map(|steps| ks_p_value(steps, n, m)),
        kolmogorov_smirnov_error: steps.map(|_| pair.ks_error()),
        wasserstein,
        wasserstein_normed: wasserstein
            .zip(deviation.filter(|deviation| *deviation > 0.0))
            .map(|(distance, deviation)| distance / deviation)
            .filter(|normed| normed.is_finite()),
    }
}

fn categories(kind: ColumnKind, pair: &Paired, current: &ColumnProfile) -> CategoryChange {
    const SHOWN: usize = 10;
    let mut found = new_categories(kind, pair, current);
    let (new, rows) = (found.len(), found.iter().map(|(_, rows)| rows).sum::<u64>());
    found.truncate(SHOWN);
    let once = pair.cells.iter().filter(|cell| cell.reference == 1).count();
    CategoryChange {
        new,
        new_rate: rows as f64 / current.values() as f64,
        expected_rate: once as f64 / pair.totals().0 as f64,
        examples: found,
        gone: pair.cells.iter().filter(|cell| cell.current == 0).count(),
    }
}

fn summary(
    kind: ColumnKind,
    column: &ColumnProfile,
    pair: &Paired,
    count: fn(&PairedCell) -> u64,
) -> ColumnSummary {
    let moments =
        (kind != ColumnKind::Category && column.infinite == 0).then(|| pair.moments(count)).flatten();
    ColumnSummary {
        rows: column.rows,
        missing: column.missing,
        missing_rate: (column.rows > 0).then(|| column.missing as f64 / column.rows as f64),
        infinite: column.infinite,
        mean: moments.map(|(mean, _)| mean),
        standard_deviation: moments.map(|(_, deviation)| deviation),
    }
}
