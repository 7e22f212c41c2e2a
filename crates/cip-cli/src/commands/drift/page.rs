//! The page of `cip drift`: one HTML file that needs no other.

use cip::drift::{Bin, BinRange, DriftReport, FeatureDrift};

use crate::args::DriftArgs;
use crate::chart::{Bar, Twin, bars, grid, page as page_of, twins};
use crate::commands::drift::{
    HEADER, PERFORMANCE, PERFORMANCE_HEADER, cells, column_lines, name_of, performance_cells, rows_text,
    verdict_text, worst_first,
};
use crate::number::{grouped, percent, significant};

/// Returns the page of a comparison: all features in a table, and the bins of those that moved most.
pub(super) fn page(report: &DriftReport, args: &DriftArgs) -> String {
    /// Features with a picture.
    const PICTURES: usize = 40;
    let features = worst_first(report);
    let mut paragraphs = vec![rows_text(report), format!("Reference: {}", args.reference.display())];
    paragraphs.push(format!("Current: {}", args.current.display()));
    paragraphs.extend(column_lines(&report.columns));
    let mut parts = vec![grid(&HEADER, &features.iter().map(|feature| cells(feature)).collect::<Vec<_>>())];
    if let Some(prediction) = &report.prediction {
        parts.push(grid(&HEADER, &[cells(prediction)]));
        parts.push(histogram(prediction));
    }
    if let Some(performance) = &report.performance {
        parts.push(format!("<p>{PERFORMANCE}</p>\n"));
        parts.push(grid(&PERFORMANCE_HEADER, &performance_cells(performance)));
    }
    let psi: Vec<_> = features.iter().take(PICTURES).filter_map(|feature| psi_bar(feature)).collect();
    if !psi.is_empty() {
        parts.push(bars("How far features have moved: population stability index", &psi));
    }
    parts.extend(
        features.iter().take(PICTURES).filter(|feature| !feature.bins.is_empty()).map(|of| histogram(of)),
    );
    page_of(&format!("Drift: {}", verdict_text(report)), &paragraphs, &parts)
}

fn psi_bar(feature: &FeatureDrift) -> Option<Bar> {
    let psi = feature.distances.as_ref()?.psi;
    Some(Bar { name: feature.name.to_string(), from: 0.0, to: psi, note: significant(psi) })
}

/// The shares of a feature's bins in both tables.
fn histogram(feature: &FeatureDrift) -> String {
    let total = |count: fn(&Bin) -> u64| feature.bins.iter().map(count).sum::<u64>() as f64;
    let (reference, current) = (total(|bin| bin.reference), total(|bin| bin.current));
    let share = |count: u64, of: f64| if of > 0.0 { count as f64 / of } else { 0.0 };
    let twin = |bin: &Bin| {
        let values = [share(bin.reference, reference), share(bin.current, current)];
        Twin { name: range_name(&bin.range), values, notes: values.map(|value| percent(value, 1.0)) }
    };
    let title = format!("{}: {}{}", feature.name, name_of(feature.verdict), new_text(feature));
    twins(&title, ["reference", "current"], &feature.bins.iter().map(twin).collect::<Vec<_>>())
}

/// What is said of values that are new.
fn new_text(feature: &FeatureDrift) -> String {
    let Some(categories) = feature.categories.as_ref().filter(|categories| categories.new > 0) else {
        return String::new();
    };
    format!(", new values ({}) in {} of the rows", grouped(categories.new), percent(categories.new_rate, 1.0))
}

fn range_name(range: &BinRange) -> String {
    match range {
        BinRange::Numbers { above: None, to: Some(to) } => format!("up to {}", significant(*to)),
        BinRange::Numbers { above: Some(above), to: Some(to) } => {
            let (above, to) = (significant(*above), significant(*to));
            // Of one value alone, or of values too close to be told apart.
            if above == to { to } else { format!("above {above} to {to}") }
        }
        BinRange::Numbers { above: Some(above), to: None } => format!("above {}", significant(*above)),
        BinRange::Category(name) => name.to_string(),
        BinRange::Others => "(others)".to_owned(),
        BinRange::Numbers { above: None, to: None } => "all".to_owned(),
    }
}
