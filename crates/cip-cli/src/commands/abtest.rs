//! `cip abtest`: whether the arms of an experiment differ.

mod report;
mod store;

use cip::abtest::{AbTestError, Analysis, Check, Experiment, StudyOptions};
use cip::core::TimeRange;
use cip::store::TableSource;

use crate::args::{AbtestArgs, Common, MeasureArg};
use crate::commands::findings;
use crate::error::CliError;
use crate::experiment;
use crate::output::{Answer, note};
use crate::units;

use report::text_with;
pub(crate) use report::{text, to_json};
pub(crate) use store::recorded;

pub(crate) fn run(args: &AbtestArgs, common: &Common) -> Result<Answer, CliError> {
    if args.input.is_dir() { store::run(args, common) } else { of_table(args, common) }
}

pub(crate) fn usage(error: impl std::fmt::Display) -> CliError {
    CliError::Usage(error.to_string())
}

/// Refuses options that say nothing about this kind of input.
fn only_for(what: &str, given: &[(&str, bool)]) -> Result<(), CliError> {
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => Err(usage(format!("--{option} goes with {what}: leave it out"))),
    }
}

/// A row a unit, or several rows a cluster.
fn of_table(args: &AbtestArgs, common: &Common) -> Result<Answer, CliError> {
    only_for(
        "a store",
        &[
            ("metric", args.metric.is_some()),
            ("measure", args.measure != MeasureArg::Converted),
            ("before", args.before.is_some()),
            ("exposed-by", args.exposed_by.is_some()),
            ("from", args.from.is_some()),
            ("until", args.until.is_some()),
        ],
    )?;
    let (Some(variant), Some(outcome)) = (&args.variant, &args.outcome) else {
        // What is not there at all should be said first.
        TableSource::open(&args.input)?;
        return Err(usage(
            "a table needs --variant and --outcome: the columns of the arm and of what it did",
        ));
    };
    let source = TableSource::open(&args.input)?;
    let experiment = args.experiment.as_deref().map(experiment::read).transpose()?;
    let options = findings::options(args, alpha(args, experiment.as_ref()))?;
    let range = exposures(args, experiment.as_ref())?;
    let units = units::read(&source, args, range, common.memory)?;
    let control = control(&units.study.arms(), variant, args, experiment.as_ref())?;
    let analysis = match &experiment {
        Some(experiment) => Analysis::of(experiment),
        None => Analysis::new(&*control),
    };
    let analysis = levels(analysis, &options).map_err(usage)?.with_rate_interval(options.rate_interval);
    let analysis = match &args.weights[..] {
        [] => analysis,
        weights => analysis.with_weights(weights.iter().cloned()).map_err(usage)?,
    };
    let refused = |error| units::refused(error, args, common.memory);
    let report = units.study.report(&analysis, options.quantile).map_err(refused)?;
    let several = units.in_several_arms.map(|several| Check::several_arms(several, units.study.units()));
    let outside = units.outside.map(Check::outside_experiment);
    let report = report.with_checks([several, outside].into_iter().flatten());
    let found = units.study.analyze(&control, &options).map_err(refused)?;
    let report = found.judge(report);
    findings::write(&report, &found, &control, outcome, &options, args)?;
    if args.control.is_none() && experiment.is_none() && control != "control" {
        note(&format!("note: `{control}` is taken as the control: --control names another"));
    }
    let mut json = to_json(&report, &control);
    findings::add_to(&mut json, &found);
    let more = findings::text(&found, &control, &options, args);
    Ok(Answer {
        text: format!(
            "{} by {variant}\n\n{}",
            findings::metric_name(outcome, args),
            text_with(&report, &control, options.alpha, findings::level_name(&found), &more)
        ),
        json,
    })
}

/// The time in which units may be exposed.
fn exposures(args: &AbtestArgs, experiment: Option<&Experiment>) -> Result<TimeRange, CliError> {
    let planned = experiment.map_or(TimeRange::ALL, |experiment| experiment.protocol().range());
    let range = TimeRange::new(args.start.unwrap_or(planned.start()), args.end.unwrap_or(planned.end()))
        .map_err(usage)?;
    if args.exposed_at.is_some() && range == TimeRange::ALL {
        return Err(usage(
            "--exposed-at needs the time of the experiment: give --start, --end, or an --experiment that has them",
        ));
    }
    Ok(range)
}

/// The allowed probability of a false finding.
fn alpha(args: &AbtestArgs, experiment: Option<&Experiment>) -> f64 {
    args.alpha.or(experiment.map(|experiment| experiment.protocol().alpha())).unwrap_or(0.05)
}

fn levels(analysis: Analysis, options: &StudyOptions) -> Result<Analysis, AbTestError> {
    analysis.with_alpha(options.alpha)?.with_srm_alpha(options.check_alpha)
}

/// The arm that the others are compared with: the one named, else that of the experiment, else `control`, else the first of
/// two.
fn control(
    arms: &[&str],
    variant: &str,
    args: &AbtestArgs,
    experiment: Option<&Experiment>,
) -> Result<String, CliError> {
    let named = args.control.as_deref().or(experiment.map(Experiment::control));
    if let Some(control) = named.or(arms.contains(&"control").then_some("control")) {
        return Ok(control.to_owned());
    }
    match arms {
        [first, _] => Ok((*first).to_owned()),
        [] | [_] => Ok(arms.first().copied().unwrap_or_default().to_owned()),
        _ => {
            const SHOWN: usize = 20;
            let named: Vec<_> = arms.iter().take(SHOWN).map(|arm| format!("`{arm}`")).collect();
            let more = arms.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let named = named.join(", ");
            Err(usage(format!(
                "`{variant}` has no arm named `control`: name one with --control: {named}{more}"
            )))
        }
    }
}
