//! `cip abtest STORE`: what the users of a store did in the arms of an experiment.

use cip::abtest::{
    AbTestError, Analysis, ArmCount, ArmEstimate, Check, EffectEstimate, EffectScale, EventMetric,
    Experiment, Exposure, Guardrail, Measure, MetricUnits,
};
use cip::core::TimeRange;
use cip::line::Line;
use cip::store::{EventStore, StoreError};
use serde_json::json;

use super::report::{text, text_with, to_json};
use super::{alpha, levels, only_for, usage};
use crate::args::{AbtestArgs, Common, MeasureArg};
use crate::commands::findings;
use crate::error::CliError;
use crate::experiment;
use crate::number::{grouped, p_value};
use crate::output::Answer;
use crate::units;

/// The report of the users and events of a store.
pub(super) fn run(args: &AbtestArgs, common: &Common) -> Result<Answer, CliError> {
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
