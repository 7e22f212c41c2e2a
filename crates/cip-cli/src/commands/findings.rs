//! What `cip abtest` finds of a table beyond the report: in words, as a table, and as a page.

use std::sync::Arc;

use cip::abtest::{
    AbTestError, Beliefs, Correction, Interval, Report, Sequential, StudyFindings, StudyOptions, Verdict,
};
use cip::arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use cip::core::{CoreError, table};
use cip::store::{StagedFile, TableWriter};

use crate::args::{AbtestArgs, CorrectionArg};
use crate::chart::{Bar, Range, bars, intervals, page};
use crate::commands::srm::day_text;
use crate::error::CliError;
use crate::number::{grouped, p_value, percent, percent_of, significant};

pub(crate) fn refused(error: AbTestError) -> CliError {
    match error {
        AbTestError::Level { .. } | AbTestError::Setting { .. } => CliError::Usage(error.to_string()),
        error => error.into(),
    }
}

/// How the table is to be looked at.
pub(crate) fn options(args: &AbtestArgs) -> Result<StudyOptions, CliError> {
    let sequential = match (args.sequential, args.tuning) {
        (false, _) => None,
        (true, None) => Some(Sequential::new(args.alpha())),
        (true, Some(units)) => {
            Some(Sequential::new(args.alpha()).and_then(|look| look.with_tuning(units as f64)))
        }
    };
    Ok(StudyOptions {
        alpha: args.alpha(),
        check_alpha: args.srm_alpha,
        correction: match args.correction {
            CorrectionArg::Bonferroni => Correction::Bonferroni,
            CorrectionArg::Holm => Correction::Holm,
            CorrectionArg::BenjaminiHochberg => Correction::BenjaminiHochberg,
            CorrectionArg::None => Correction::None,
        },
        sequential: sequential.transpose().map_err(refused)?,
        beliefs: if args.bayesian { Beliefs::Told } else { Beliefs::Silent },
        non_inferiority: args.non_inferiority,
        equivalence: args.equivalence,
        winsorise: args.winsorise,
    })
}

/// What was asked for beyond the report, in words.
pub(crate) fn text(found: &StudyFindings, control: &str, args: &AbtestArgs) -> String {
    let mut text = String::new();
    if let (Some(theta), Some(explained)) = (found.theta, found.variance_explained) {
        let covariate = args.covariate.as_deref().unwrap_or_default();
        let share = percent(explained, 1.0);
        text.push_str(&format!(
            "covariate {covariate}: slope {}, explains {share} of the variance\n",
            significant(theta)
        ));
    }
    let range = |interval: &Interval| format!("[{}, {}]", signed(interval.low), signed(interval.high));
    let confidence = percent_of(100.0 * (1.0 - args.alpha()));
    let column = args.segment.as_deref().unwrap_or_default();
    for arm in &found.arms {
        let mut lines: Vec<String> = Vec::new();
        if let Some(relative) = &arm.relative {
            let [low, high] =
                [relative.interval.low, relative.interval.high].map(|end| format!("{:+.1}%", 100.0 * end));
            lines.push(format!("relative {:+.1}% [{low}, {high}]", 100.0 * relative.effect));
        }
        if found.theta.is_some() {
            let (effect, p) = (&arm.absolute, p_value(arm.absolute.p_value));
            lines.push(format!("adjusted {} {}, {p}", signed(effect.effect), range(&effect.interval)));
        }
        lines.extend(arm.fisher_p_value.map(|p| format!("Fisher's exact test {}", p_value(p))));
        lines.extend(arm.ranks.map(|ranks| {
            format!(
                "higher in {} of pairs (Mann-Whitney {})",
                percent(ranks.superiority, 1.0),
                p_value(ranks.p_value)
            )
        }));
        lines.extend(
            arm.sequential
                .map(|look| format!("at any time {}, {}", range(&look.interval), p_value(look.p_value))),
        );
        lines.extend(arm.belief.map(|belief| {
            format!(
                "chance to win {}; choosing it loses {} on average, keeping {control} {}",
                percent(belief.chance_to_win, 1.0),
                significant(belief.risk_of_arm),
                significant(belief.risk_of_control)
            )
        }));
        for (test, what) in [(arm.non_inferiority, "not worse by"), (arm.equivalence, "the same within")] {
            lines.extend(test.map(|test| {
                let holds = if test.holds { "" } else { "not shown: " };
                format!("{holds}{what} {} ({})", significant(test.margin), p_value(test.p_value))
            }));
        }
        if let Some(segments) = &arm.segments {
            for segment in &segments.segments {
                lines.push(format!(
                    "{column} {}: {} {}, adjusted {}",
                    segment.segment,
                    signed(segment.effect),
                    range(&segment.interval),
                    p_value(segment.adjusted_p_value)
                ));
            }
            lines.push(format!(
                "segments differ with {} (I squared {})",
                p_value(segments.q.p_value),
                percent(segments.i_squared, 1.0)
            ));
        }
        if !lines.is_empty() {
            text.push_str(&format!("{} - {control}, {confidence} confidence each\n", arm.arm));
            lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        }
    }
    text
}

/// The table and the page that were asked for.
pub(crate) fn write(
    report: &Report,
    found: &StudyFindings,
    control: &str,
    outcome: &str,
    args: &AbtestArgs,
) -> Result<(), CliError> {
    if let Some(path) = &args.out {
        let schema = table::experiment_effects();
        let mut writer = TableWriter::create(path, "experiment_effects", &schema)?;
        writer.write(effects(found).map_err(CoreError::from)?)?;
        writer.finish()?;
    }
    if let Some(path) = &args.chart {
        let staged = StagedFile::begin(path)?;
        let page = charts(report, found, control, outcome, args.alpha());
        std::fs::write(staged.path(), page).map_err(|source| CliError::Io {
            action: "write",
            path: path.clone(),
            source,
        })?;
        staged.publish()?;
    }
    Ok(())
}

/// A row an effect: of each arm, all units first, then each segment, then each day.
fn effects(found: &StudyFindings) -> Result<RecordBatch, cip::arrow_schema::ArrowError> {
    let mut names: [Vec<String>; 3] = Default::default();
    let mut numbers: [Vec<f64>; 3] = Default::default();
    let mut p_values: [Vec<Option<f64>>; 2] = Default::default();
    let mut push = |cells: [&str; 3], effect: f64, interval: &Interval, p: [Option<f64>; 2]| {
        names.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell.to_owned()));
        numbers
            .iter_mut()
            .zip([effect, interval.low, interval.high])
            .for_each(|(column, cell)| column.push(cell));
        p_values.iter_mut().zip(p).for_each(|(column, cell)| column.push(cell));
    };
    for arm in &found.arms {
        let of = &arm.absolute;
        push([&arm.arm, "all", ""], of.effect, &of.interval, [Some(of.p_value), Some(arm.adjusted_p_value)]);
        if let Some(of) = &arm.relative {
            push([&arm.arm, "relative", ""], of.effect, &of.interval, [Some(of.p_value), None]);
        }
        if let Some(look) = &arm.sequential {
            push([&arm.arm, "sequential", ""], of.effect, &look.interval, [Some(look.p_value), None]);
        }
        for of in arm.segments.iter().flat_map(|segments| &segments.segments) {
            let p = [Some(of.p_value), Some(of.adjusted_p_value)];
            push([&arm.arm, "segment", &of.segment], of.effect, &of.interval, p);
        }
        for day in &arm.days {
            push([&arm.arm, "until_day", &day_text(day.day)], day.effect, &day.interval, [None, None]);
        }
    }
    let names = names.map(|column| Arc::new(StringArray::from(column)) as ArrayRef);
    let numbers = numbers.map(|column| Arc::new(Float64Array::from(column)) as ArrayRef);
    let p_values = p_values.map(|column| Arc::new(Float64Array::from(column)) as ArrayRef);
    RecordBatch::try_new(table::experiment_effects(), [&names[..], &numbers, &p_values].concat())
}

/// The page: the arms, the effects with their intervals, segments, and the effect over time.
fn charts(report: &Report, found: &StudyFindings, control: &str, outcome: &str, alpha: f64) -> String {
    let levels: Vec<Bar> = report
        .arms
        .iter()
        .flat_map(|arm| {
            let n = Bar {
                name: format!("{}: units", arm.arm),
                from: 0.0,
                to: arm.n as f64,
                note: grouped(arm.n),
            };
            let successes = arm.successes.map(|successes| Bar {
                name: format!("{}: successes", arm.arm),
                from: 0.0,
                to: successes as f64,
                note: grouped(successes),
            });
            [Some(n), successes].into_iter().flatten()
        })
        .collect();
    let range = |name: String, effect: f64, interval: &Interval| Range {
        name,
        low: interval.low,
        middle: effect,
        high: interval.high,
        note: signed(effect),
    };
    let confidence = percent_of(100.0 * (1.0 - alpha));
    let all =
        found.arms.iter().map(|arm| range(arm.arm.to_string(), arm.absolute.effect, &arm.absolute.interval));
    let mut pictures = vec![
        bars("From units to successes", &levels),
        intervals(&format!("Difference from {control}, {confidence} confidence"), &all.collect::<Vec<_>>()),
    ];
    for arm in &found.arms {
        if let Some(segments) = &arm.segments {
            let rows = segments.segments.iter();
            let rows: Vec<_> =
                rows.map(|of| range(of.segment.to_string(), of.effect, &of.interval)).collect();
            pictures.push(intervals(&format!("{} - {control} by segment", arm.arm), &rows));
        }
        if !arm.days.is_empty() {
            let rows: Vec<_> =
                arm.days.iter().map(|day| range(day_text(day.day), day.effect, &day.interval)).collect();
            pictures.push(intervals(&format!("{} - {control}, all units up to the day", arm.arm), &rows));
        }
    }
    let verdict = match report.verdict {
        Verdict::Better => "an arm is better",
        Verdict::Worse => "an arm is worse, and none is better",
        Verdict::NoDifference => "no difference was found",
        Verdict::Untrustworthy => "not to be trusted: a check failed",
    };
    let checks: Vec<_> = report.checks.iter().map(|check| check.found.to_string()).collect();
    page(&format!("{outcome}: {verdict}"), &checks, &pictures)
}

fn signed(value: f64) -> String {
    if value < 0.0 { significant(value) } else { format!("+{}", significant(value)) }
}
