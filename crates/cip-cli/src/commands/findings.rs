//! What `cip abtest` finds of a table beyond the report: in words, as a table, and as a page.

use std::sync::Arc;

use cip::abtest::{
    ArmFinding, Beliefs, Bootstrap, Correction, DecidingTest, Interval, MetricKind, PlannedLook,
    RateInterval, Report, Sequential, Spending, StudyFindings, StudyOptions, Verdict,
};
use cip::arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use cip::core::{CoreError, table};
use cip::store::{StagedFile, TableWriter};
use serde_json::{Value, json};

use crate::args::{AbtestArgs, CorrectionArg, IntervalArg, MeasureArg, SpendingArg, TestArg};
use crate::chart::{Bar, Range, bars, intervals, page, sequence};
use crate::commands::abtest::usage;
use crate::commands::srm::day_text;
use crate::error::CliError;
use crate::number::{grouped, p_value, percent, percent_of, significant};

/// How the table is to be looked at.
pub(crate) fn options(args: &AbtestArgs, alpha: f64) -> Result<StudyOptions, CliError> {
    let sequential = args.sequential.then(|| {
        let sequential = Sequential::new(alpha)?;
        match (args.tuning, args.prior_deviation) {
            (Some(units), _) => sequential.with_tuning(units as f64),
            (None, Some(deviation)) => sequential.with_prior_deviation(deviation),
            (None, None) => Ok(sequential),
        }
    });
    let look = args.looks.map(|looks| {
        let spending = match args.spending {
            SpendingArg::ObrienFleming => Spending::ObrienFleming,
            SpendingArg::Pocock => Spending::Pocock,
        };
        PlannedLook::equally_spaced(looks, args.look.unwrap_or(looks) as usize, spending)
    });
    let bootstrap = args.bootstrap.map(|resamples| {
        Bootstrap::new(args.seed).with_resamples(usize::try_from(resamples).unwrap_or(usize::MAX))
    });
    let correction = match args.correction {
        CorrectionArg::Bonferroni => Correction::Bonferroni,
        CorrectionArg::Holm => Correction::Holm,
        CorrectionArg::BenjaminiHochberg => Correction::BenjaminiHochberg,
        CorrectionArg::None => Correction::None,
    };
    if look.is_some() && matches!(correction, Correction::Holm | Correction::BenjaminiHochberg) {
        return Err(usage(
            "--looks shares the level of several arms alike: leave --correction out, or give none",
        ));
    }
    Ok(StudyOptions {
        alpha,
        check_alpha: args.srm_alpha,
        correction,
        test: match args.test {
            TestArg::Usual => DecidingTest::Usual,
            TestArg::Yates => DecidingTest::Yates,
            TestArg::G => DecidingTest::GTest,
            TestArg::Fisher => DecidingTest::Fisher,
            TestArg::MannWhitney => DecidingTest::MannWhitney,
        },
        rate_interval: rate_interval(args),
        quantile: args.quantile,
        sequential: sequential.transpose().map_err(usage)?,
        look: look.transpose().map_err(usage)?,
        bootstrap: bootstrap.transpose().map_err(usage)?,
        beliefs: if args.bayesian { Beliefs::Told } else { Beliefs::Silent },
        non_inferiority: args.non_inferiority,
        equivalence: args.equivalence,
        winsorise: args.winsorise,
    })
}

/// The interval around differences of rates.
pub(crate) fn rate_interval(args: &AbtestArgs) -> RateInterval {
    match args.interval {
        IntervalArg::Wald => RateInterval::Wald,
        IntervalArg::Newcombe => RateInterval::Newcombe,
        IntervalArg::Score => RateInterval::Score,
    }
}

/// What the arms are compared by, in words.
pub(crate) fn metric_name(outcome: &str, args: &AbtestArgs) -> String {
    let ratio = args.denominator.as_ref().map(|denominator| format!("{outcome} / {denominator}"));
    let metric = ratio.unwrap_or_else(|| outcome.to_owned());
    let cluster = args
        .cluster
        .as_ref()
        .map_or_else(String::new, |cluster| format!(", rows of one {cluster} together,"));
    let quantile = args.quantile.map_or_else(String::new, |p| format!("{} quantile of ", significant(p)));
    format!("{quantile}{metric}{cluster}")
}

/// What is measured of the users of a store, in words.
pub(crate) fn measure_name(event_type: &str, measure: MeasureArg) -> String {
    match measure {
        MeasureArg::Converted => format!("users with {event_type}"),
        MeasureArg::Events => format!("{event_type} events a user"),
        MeasureArg::Amount => format!("amount of {event_type} a user"),
        MeasureArg::AmountPerEvent => format!("amount a {event_type}"),
    }
}

/// What the number of an arm is.
pub(crate) const fn level_name(found: &StudyFindings) -> &'static str {
    match found.metric {
        MetricKind::Rate => "rate",
        MetricKind::Ratio => "ratio",
        MetricKind::Quantile => "quantile",
        MetricKind::Mean => "mean",
    }
}

/// Adds what was found to the object that is printed.
pub(crate) fn add_to(json: &mut Value, found: &StudyFindings) {
    json["metric_kind"] = json!(found.metric);
    json["findings"] = serde_json::to_value(&found.arms).unwrap_or_default();
    json["theta"] = json!(found.theta);
    json["variance_explained"] = json!(found.variance_explained);
}

/// What was asked for beyond the report, in words.
pub(crate) fn text(
    found: &StudyFindings,
    control: &str,
    options: &StudyOptions,
    args: &AbtestArgs,
) -> String {
    let mut text = String::new();
    if let (Some(theta), Some(explained)) = (found.theta, found.variance_explained) {
        let covariate = args.covariate.as_deref().unwrap_or("of the time before");
        let share = percent(explained, 1.0);
        text.push_str(&format!(
            "covariate {covariate}: slope {}, explains {share} of the variance\n",
            significant(theta)
        ));
    }
    let confidence = percent_of(100.0 * (1.0 - options.alpha));
    for arm in &found.arms {
        let mut lines = of_effect(arm, found, args);
        lines.extend(of_decision(arm, options, control));
        lines.extend(of_segments(arm, args.segment.as_deref().unwrap_or_default()));
        if !lines.is_empty() {
            text.push_str(&format!("{} - {control}, {confidence} confidence each\n", arm.arm));
            lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        }
    }
    text
}

fn range(interval: &Interval) -> String {
    format!("[{}, {}]", signed(interval.low), signed(interval.high))
}

/// The effect told in other ways, and by other tests.
fn of_effect(arm: &ArmFinding, found: &StudyFindings, args: &AbtestArgs) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(relative) = &arm.relative {
        let [low, high] =
            [relative.interval.low, relative.interval.high].map(|end| format!("{:+.1}%", 100.0 * end));
        lines.push(format!("relative {:+.1}% [{low}, {high}]", 100.0 * relative.effect));
    }
    let how = match (found.theta.is_some(), args.strata.is_some()) {
        (true, true) => Some("adjusted and post-stratified"),
        (true, false) => Some("adjusted"),
        (false, true) => Some("post-stratified"),
        (false, false) => None,
    };
    lines.extend(how.map(|how| {
        let (effect, p) = (&arm.absolute, p_value(arm.absolute.p_value));
        format!("{how} {} {}, {p}", signed(effect.effect), range(&effect.interval))
    }));
    if let Some(rates) = &arm.rates {
        lines.push(format!("Fisher's exact test {}", p_value(rates.fisher_p_value)));
        if args.test == TestArg::G {
            lines.push(format!("G test {}", p_value(rates.g_p_value)));
        }
    }
    lines.extend(arm.ranks.map(|ranks| {
        format!(
            "higher in {} of pairs (Mann-Whitney {})",
            percent(ranks.superiority, 1.0),
            p_value(ranks.p_value)
        )
    }));
    lines.extend(arm.bootstrap.map(|found| {
        let interval = Interval { low: found.low, high: found.high };
        format!("by resampling {} {} (BCa)", signed(found.difference), range(&interval))
    }));
    lines
}

/// What else decides, or is asked.
fn of_decision(arm: &ArmFinding, options: &StudyOptions, control: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    lines.extend(
        arm.sequential
            .map(|look| format!("at any time {}, {}", range(&look.interval), p_value(look.p_value))),
    );
    lines.extend(arm.look.map(|look| {
        format!(
            "look {} of {}: {} {}, boundary {}",
            look.look,
            look.looks,
            if look.crossed { "crossed," } else { "not crossed," },
            range(&look.interval),
            p_value(look.nominal_p)
        )
    }));
    if options.test != DecidingTest::Usual {
        let adjusted = p_value(arm.adjusted_p_value);
        lines.push(format!("decided by {} (adjusted {adjusted})", p_value(arm.deciding_p_value)));
    }
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
    lines
}

/// The effect in each segment of a column.
fn of_segments(arm: &ArmFinding, column: &str) -> Vec<String> {
    let Some(segments) = &arm.segments else { return Vec::new() };
    let mut lines: Vec<String> = segments
        .segments
        .iter()
        .map(|segment| {
            format!(
                "{column} {}: {} {}, adjusted {}",
                segment.segment,
                signed(segment.effect),
                range(&segment.interval),
                p_value(segment.adjusted_p_value)
            )
        })
        .collect();
    lines.push(format!(
        "segments differ with {} (I squared {})",
        p_value(segments.q.p_value),
        percent(segments.i_squared, 1.0)
    ));
    lines
}

/// The table and the page that were asked for.
pub(crate) fn write(
    report: &Report,
    found: &StudyFindings,
    control: &str,
    outcome: &str,
    options: &StudyOptions,
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
        let page = charts(report, found, control, &metric_name(outcome, args), options.alpha);
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
        if let Some(look) = &arm.look {
            push([&arm.arm, "look", &look.look.to_string()], of.effect, &look.interval, [None, None]);
        }
        if let Some(found) = &arm.bootstrap {
            let interval = Interval { low: found.low, high: found.high };
            push([&arm.arm, "bootstrap", ""], found.difference, &interval, [None, None]);
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
                note: format!("{} ({})", grouped(successes), percent(successes as f64, arm.n as f64)),
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
            pictures.push(sequence(&format!("{} - {control}, all units up to the day", arm.arm), &rows));
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
