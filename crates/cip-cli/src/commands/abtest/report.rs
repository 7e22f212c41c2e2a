//! What `cip abtest` says of the arms: for people, and as an object.

use cip::abtest::{CheckKind, CheckStatus, Report, Verdict};
use serde_json::{Value, json};

use crate::number::{grouped, p_value, percent_of};
use crate::output::table;

/// The report for people: the arms, what lies between them, what to know, and the verdict in a sentence.
pub(crate) fn text(report: &Report, control: &str, alpha: f64) -> String {
    text_with(report, control, alpha, "mean", "")
}

/// The same, with the name of what the arms are compared by, and with more that was found before the verdict.
pub(super) fn text_with(report: &Report, control: &str, alpha: f64, level: &str, more: &str) -> String {
    let shares = report.arms.iter().any(|arm| arm.successes.is_some());
    let mean = |mean: Option<f64>| match mean {
        None => "-".to_owned(),
        Some(rate) if shares => format!("{:.2}%", 100.0 * rate),
        Some(mean) => number(mean),
    };
    let rows: Vec<_> = report
        .arms
        .iter()
        .map(|arm| {
            let role = if &*arm.arm == control && control != "control" { " (control)" } else { "" };
            let mut row = vec![format!("{}{role}", arm.arm), grouped(arm.n)];
            row.extend(arm.successes.map(grouped));
            row.push(mean(arm.mean));
            row
        })
        .collect();
    let header: &[&str] =
        if shares { &["arm", "units", "successes", "rate"] } else { &["arm", "units", level] };
    let mut text = table(header, &rows);
    // Of several comparisons each has its part of the level.
    let confidence = 100.0 * (1.0 - alpha / (report.arms.len().max(2) - 1) as f64);
    for found in &report.comparisons {
        let [difference, low, high] = [found.difference, found.ci_low, found.ci_high]
            .map(|value| if shares { format!("{:+.2}", 100.0 * value) } else { signed(value) });
        let unit = if shares { " percentage points" } else { "" };
        let lift = found.relative_lift.map_or_else(String::new, |lift| format!(", {:+.1}%", 100.0 * lift));
        text.push_str(&format!(
            "\n{} - {control}: {difference}{unit}{lift}\n  {} confidence [{low}, {high}], {}\n",
            found.arm,
            percent_of(confidence),
            p_value(found.p_value)
        ));
    }
    text.push('\n');
    if let (Some(chi2), Some(df), Some(p)) = (report.chi2, report.df, report.p_value) {
        let yates = report.p_value_yates.map(|p| format!(" ({} with Yates' correction)", p_value(p)));
        text.push_str(&format!(
            "chi-square {chi2:.4}, df {df}, {}{}\n",
            p_value(p),
            yates.unwrap_or_default()
        ));
    }
    text.push_str(&format!("sample ratio {}\n", p_value(report.srm_p_value)));
    text.push_str(more);
    // That of the sample ratio has a line of its own, and a warning.
    let checks = report.checks.iter().filter(|check| check.kind != CheckKind::SampleRatio);
    for check in checks.filter(|check| check.status != CheckStatus::Passed) {
        let word = if check.status == CheckStatus::Failed { "failed" } else { "warning" };
        text.push_str(&format!("{word}: {}\n", check.found));
    }
    for warning in &report.warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    text.push_str(&format!("\n{}: {}\n", report.verdict, sentence(report, control)));
    text
}

/// The verdict in words.
fn sentence(report: &Report, control: &str) -> String {
    let arms = |verdict| {
        let found = report.comparisons.iter().filter(|found| found.verdict == verdict);
        let arms: Vec<_> = found.map(|found| &*found.arm).collect();
        let verb = if arms.len() > 1 { "are" } else { "is" };
        format!("{} {verb}", arms.join(" and "))
    };
    match report.verdict {
        Verdict::Better => format!("{} higher than {control}", arms(Verdict::Better)),
        Verdict::Worse => format!("{} lower than {control}", arms(Verdict::Worse)),
        Verdict::NoDifference => {
            format!("chance alone would explain what lies between {control} and the rest")
        }
        Verdict::Untrustworthy if report.comparisons.is_empty() => {
            "there are too few units to compare anything".to_owned()
        }
        Verdict::Untrustworthy
            if report
                .checks
                .iter()
                .any(|check| check.status == CheckStatus::Failed && check.kind != CheckKind::SampleRatio) =>
        {
            "a check failed, and whatever was found may come from that: there is no winner".to_owned()
        }
        Verdict::Untrustworthy => {
            "the arms have not the numbers of units that they should: find out why before anything else"
                .to_owned()
        }
    }
}

/// The report as an object, with the control that the differences are from.
pub(crate) fn to_json(report: &Report, control: &str) -> Value {
    let mut object = serde_json::to_value(report).unwrap_or_default();
    object["control"] = json!(control);
    object
}

/// A mean, with digits that say something whatever its size.
fn number(value: f64) -> String {
    if value == 0.0 || (0.01..1e9).contains(&value.abs()) {
        grouped(format!("{value:.4}"))
    } else {
        format!("{value:.4e}")
    }
}

fn signed(value: f64) -> String {
    if value < 0.0 { number(value) } else { format!("+{}", number(value)) }
}
