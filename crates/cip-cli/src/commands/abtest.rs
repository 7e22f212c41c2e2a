//! `cip abtest`: whether the arms of an experiment differ.

use cip::abtest::{
    AbTestError, Analysis, ArmCount, ArmEstimate, Check, CheckKind, CheckStatus, EffectEstimate, EffectScale,
    EventMetric, Experiment, Exposure, Guardrail, Measure, MetricUnits, Report, StudyOptions, Verdict,
};
use cip::core::TimeRange;
use cip::line::Line;
use cip::store::{EventStore, StoreError, TableSource};
use serde_json::{Value, json};

use crate::args::{AbtestArgs, Common, MeasureArg};
use crate::commands::findings;
use crate::error::CliError;
use crate::experiment;
use crate::number::{grouped, p_value, percent_of};
use crate::output::{Answer, note, table};
use crate::units;

pub(crate) fn run(args: &AbtestArgs, common: &Common) -> Result<Answer, CliError> {
    if args.input.is_dir() { of_store(args, common) } else { of_table(args, common) }
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

/// Users and events of a store.
fn of_store(args: &AbtestArgs, common: &Common) -> Result<Answer, CliError> {
    only_for(
        "a table",
        &[
            ("variant", args.variant.is_some()),
            ("outcome", args.outcome.is_some()),
            ("unit", args.unit.is_some()),
            ("control", args.control.is_some()),
            ("weights", !args.weights.is_empty()),
            ("covariate", args.covariate.is_some()),
            ("day", args.day.is_some()),
            ("denominator", args.denominator.is_some()),
            ("cluster", args.cluster.is_some()),
            ("strata", args.strata.is_some()),
            ("exposed-at", args.exposed_at.is_some()),
        ],
    )?;
    let store = EventStore::open(&args.input)?;
    let (experiment, exposure) = match &args.experiment {
        Some(path) => {
            let experiment = experiment::read(path)?;
            (experiment.clone(), Exposure::Assigned(experiment))
        }
        None => recorded(&store)?,
    };
    let protocol = experiment.protocol();
    let event_type =
        args.metric.as_deref().or(protocol.metrics().first().map(|metric| &**metric)).ok_or_else(|| {
            usage("a store needs --metric: the event type that is a success, such as purchase")
        })?;
    let range = TimeRange::new(
        args.from.unwrap_or(protocol.range().start()),
        args.until.unwrap_or(protocol.range().end()),
    )
    .map_err(usage)?;
    let line = Line::new(&store).with_threads(common.threads()).with_memory(common.memory)?;
    let options = findings::options(args, alpha(args, Some(&experiment)))?;
    let metric = event_metric(&exposure, event_type, range, args)?;
    let metric = metric.with_most_kept(units::most_kept(args, common.memory));
    let units = line.metric_units(&metric)?;
    let control = experiment.control();
    let analysis = levels(Analysis::of(&experiment), &options).map_err(usage)?;
    let refused = |error| units::refused(error, args, common.memory);
    let report = units
        .study
        .report(&analysis.with_rate_interval(options.rate_interval), options.quantile)
        .map_err(refused)?;
    let several = Check::several_arms(units.users_in_several_arms, units.study.units());
    let early = args.exposed_by.as_ref().map(|_| Check::outside_experiment(units.exposed_before));
    let report = report.with_checks([Some(several), early].into_iter().flatten());
    // Where the control has no users the report says so, and there is nothing to find.
    let found = match units.study.analyze(control, &options) {
        Err(AbTestError::UnknownControl { .. }) => None,
        found => Some(found.map_err(refused)?),
    };
    let report = match &found {
        Some(found) => found.judge(report),
        None => report,
    };
    let mut guarded = Vec::new();
    for guardrail in protocol.guardrails() {
        let conversions = line.conversions(&exposure, guardrail.metric(), range)?;
        guarded.extend(guard(guardrail, conversions.arms(), control, options.alpha)?);
    }
    let measured = findings::measure_name(event_type, args.measure);
    let mut json = to_json(&report, control);
    let said = match &found {
        None => text(&report, control, options.alpha),
        Some(found) => {
            findings::write(&report, found, control, &measured, &options, args)?;
            findings::add_to(&mut json, found);
            let more = findings::text(found, control, &options, args);
            text_with(&report, control, options.alpha, findings::level_name(found), &more)
        }
    };
    json["guardrails"] = json!(guarded);
    json["experiment"] = json!(experiment.name());
    json["metric"] = json!(event_type);
    json["skipped_events"] = json!(units.skipped_events);
    json["users_in_several_arms"] = json!(units.users_in_several_arms);
    Ok(Answer {
        text: format!(
            "experiment {}, {}\n\n{said}{}{}",
            experiment.name(),
            findings::metric_name(&measured, args),
            guarded.iter().map(Guarded::text).collect::<String>(),
            left_out(&units)
        ),
        json,
    })
}

/// What is measured of the users of a store.
fn event_metric(
    exposure: &Exposure,
    event_type: &str,
    range: TimeRange,
    args: &AbtestArgs,
) -> Result<EventMetric, CliError> {
    let measure = match args.measure {
        MeasureArg::Converted => Measure::Converted,
        MeasureArg::Events => Measure::Events,
        MeasureArg::Amount => Measure::Amount,
        MeasureArg::AmountPerEvent => Measure::AmountPerEvent,
    };
    let mut metric = EventMetric::new(exposure.clone(), event_type, measure)?.with_range(range);
    if let Some(before) = args.before {
        if range.start() == TimeRange::ALL.start() {
            return Err(usage("--before needs a start: give --from, or an experiment that has one"));
        }
        metric = metric.with_before(i64::try_from(before.as_micros()).unwrap_or(i64::MAX)).map_err(usage)?;
    }
    if let Some(column) = &args.segment {
        metric = metric.with_segment(column.as_str());
    }
    if let Some(exposing) = &args.exposed_by {
        metric = metric.with_exposing(exposing.as_str());
    }
    Ok(metric)
}

/// What became of a guardrail in an arm.
#[derive(Debug, serde::Serialize)]
struct Guarded {
    metric: String,
    arm: String,
    difference: f64,
    margin: f64,
    p_value: f64,
    holds: bool,
}

impl Guarded {
    fn text(&self) -> String {
        format!(
            "guardrail {}, {}: {:+.2} percentage points; a fall of {:.2} is {} ({})\n",
            self.metric,
            self.arm,
            100.0 * self.difference,
            100.0 * self.margin,
            if self.holds { "ruled out" } else { "not ruled out" },
            p_value(self.p_value)
        )
    }
}

/// Whether the rate of each arm that can be compared has not fallen by the margin or more.
fn guard(
    guardrail: &Guardrail,
    arms: &[ArmCount],
    control: &str,
    alpha: f64,
) -> Result<Vec<Guarded>, CliError> {
    let (base, others): (Vec<_>, Vec<_>) =
        arms.iter().filter(|arm| arm.n() > 1).partition(|arm| arm.arm() == control);
    let mut guarded = Vec::new();
    for (base, arm) in base.iter().flat_map(|base| others.iter().map(move |arm| (base, arm))) {
        let (a, b) = (ArmEstimate::of_count(base)?, ArmEstimate::of_count(arm)?);
        let effect = EffectEstimate::between(&a, &b, EffectScale::Absolute)?;
        let test = effect.non_inferiority(guardrail.margin(), alpha)?;
        guarded.push(Guarded {
            metric: guardrail.metric().to_owned(),
            arm: arm.arm().to_owned(),
            difference: effect.effect,
            margin: test.margin,
            p_value: test.p_value,
            holds: test.holds,
        });
    }
    Ok(guarded)
}

/// The experiment by which the store was tagged, whose arms its events record.
pub(crate) fn recorded(store: &EventStore) -> Result<(Experiment, Exposure), CliError> {
    let kept = store.manifest().experiment.clone().ok_or_else(|| {
        usage(format!(
            "the events of {} have no arms: give the --experiment, or ingest with it",
            store.path().display()
        ))
    })?;
    let experiment = serde_json::from_value(kept).map_err(|error| {
        let path = store.path().join("manifest.json");
        StoreError::Manifest { path, reason: format!("its experiment is none: {error}") }
    })?;
    Ok((experiment, Exposure::Recorded))
}

/// What of the events did not count.
fn left_out(units: &MetricUnits) -> String {
    let mut text = String::new();
    if units.skipped_events > 0 {
        text.push_str(&format!("{} events are nobody's\n", grouped(units.skipped_events)));
    }
    if units.users_in_several_arms > 0 {
        let users = grouped(units.users_in_several_arms);
        text.push_str(&format!("{users} users were in several arms, and count in none\n"));
    }
    text
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

/// The report for people: the arms, what lies between them, what to know, and the verdict in a sentence.
pub(crate) fn text(report: &Report, control: &str, alpha: f64) -> String {
    text_with(report, control, alpha, "mean", "")
}

/// The same, with the name of what the arms are compared by, and with more that was found before the verdict.
fn text_with(report: &Report, control: &str, alpha: f64, level: &str, more: &str) -> String {
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
