//! `cip funnel`: how far users come through steps, and where they leave.

use cip::core::Timestamp;
use cip::line::Line;
use cip::sessionize::{
    Abandonment, AbandonmentCount, Funnel, FunnelScope, FunnelTotals, SessionizeError, StepOrder,
};
use cip::store::EventStore;
use serde_json::{Value, json};

use crate::args::{Common, FunnelArgs, OrderArg, ScopeArg};
use crate::error::CliError;
use crate::number::{duration, grouped, percent};
use crate::output::{Answer, table};

/// Days of abandoned carts that people are shown.
const DAYS_SHOWN: usize = 7;

/// Segments of abandoned carts that people are shown.
const SEGMENTS_SHOWN: usize = 12;

/// Event types of a store that people are shown.
const TYPES_SHOWN: usize = 12;

pub(crate) fn run(args: &FunnelArgs, common: &Common) -> Result<Answer, CliError> {
    let funnel = funnel(args).map_err(|error| CliError::Usage(error.to_string()))?;
    let store = EventStore::open(&args.store)?;
    let totals = Line::new(&store)
        .with_threads(common.threads())
        .with_memory(common.memory)?
        .write_funnel(&funnel, &args.out)?;
    Ok(Answer {
        text: format!("{}\nwritten to {}", text(&totals), args.out.display()),
        json: to_json(&totals),
    })
}

fn funnel(args: &FunnelArgs) -> Result<Funnel, SessionizeError> {
    let order = match args.order {
        OrderArg::Strict => StepOrder::Strict,
        OrderArg::Any => StepOrder::Any,
    };
    let scope = match args.scope {
        ScopeArg::User => FunnelScope::User,
        ScopeArg::Session => FunnelScope::Session,
    };
    let funnel = Funnel::new(args.steps.iter().map(String::as_str), args.within)?;
    let funnel = funnel.with_order(order)?.with_scope(scope);
    Ok(match &args.segment {
        Some(column) => funnel.with_segments(column),
        None => funnel,
    })
}

/// The funnel as a table, then the carts that were left.
fn text(totals: &FunnelTotals) -> String {
    let funnel = totals.funnel();
    let count = funnel.steps().len();
    let first = totals.steps().next().map_or(0, |step| step.users);
    let of_session = match funnel.scope() {
        FunnelScope::User => "",
        FunnelScope::Session => " and in the same session",
    };
    let entry = match funnel.order() {
        StepOrder::Strict => "the first",
        StepOrder::Any => "one",
    };
    let mut text = format!(
        "{} of {} users take {entry} of {count} steps; the others count up to {} behind it{of_session}\n\n",
        grouped(first),
        grouped(totals.users()),
        duration(funnel.within().as_secs_f64())
    );
    let share = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| percent(value, 1.0));
    let rows: Vec<_> = totals
        .steps()
        .map(|step| {
            vec![
                step.event_type.map_or_else(|| format!("{} of {count}", step.step), str::to_owned),
                grouped(step.users),
                share(step.from_first),
                share(step.from_previous),
                step.lost.map_or_else(|| "-".to_owned(), grouped),
                share(step.drop_off),
                step.median_seconds.map_or_else(|| "-".to_owned(), duration),
            ]
        })
        .collect();
    let header = ["step", "users", "of first", "of previous", "lost", "drop-off", "median time"];
    text.push_str(&table(&header, &rows));
    text.push_str(&notes(totals));
    text.push_str(&carts(totals.abandonment()));
    if let Some(column) = funnel.segments() {
        text.push_str(&carts_by(column, totals.abandonment()));
    }
    text
}

/// What a reader should know of the table.
fn notes(totals: &FunnelTotals) -> String {
    let mut text = String::new();
    if totals.skipped_events() > 0 {
        text.push_str(&format!(
            "\n{} events without a user are in no funnel\n",
            grouped(totals.skipped_events())
        ));
    }
    let missing = totals.missing_types();
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|name| format!("`{name}`")).collect();
        text.push_str(&format!(
            "\nno event is {}; the store has {}\n",
            names.join(" or "),
            there_are(totals.event_types())
        ));
    }
    text
}

/// The event types of the store in words.
pub(super) fn there_are<'a>(types: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = types.len().saturating_sub(TYPES_SHOWN);
    let shown: Vec<_> = types.take(TYPES_SHOWN).collect();
    match (shown.is_empty(), more) {
        (true, _) => "no events".to_owned(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{}, and {} more", shown.join(", "), grouped(more)),
    }
}

/// Abandoned carts, overall and on the last days.
fn carts(carts: &Abandonment) -> String {
    let total = carts.total();
    if total.cart_sessions == 0 {
        return String::new();
    }
    let rate = |count: AbandonmentCount| percent(count.abandoned as f64, count.cart_sessions as f64);
    let mut text = format!(
        "\n{} of {} sessions with a cart have no purchase ({})",
        grouped(total.abandoned),
        grouped(total.cart_sessions),
        rate(total)
    );
    let rows: Vec<_> = carts
        .days()
        .rev()
        .take(DAYS_SHOWN)
        .map(|(day, count)| {
            vec![day.to_string(), grouped(count.cart_sessions), grouped(count.abandoned), rate(count)]
        })
        .collect();
    let rows: Vec<_> = rows.into_iter().rev().collect();
    text.push_str(match carts.days().count() {
        1..=DAYS_SHOWN => ":\n\n",
        _ => "; on the last days:\n\n",
    });
    text.push_str(&table(&["day", "with a cart", "abandoned", "rate"], &rows));
    text
}

/// Abandoned carts by segment: those with the most carts.
fn carts_by(column: &str, carts: &Abandonment) -> String {
    let mut segments: Vec<_> = carts.segments().collect();
    if segments.is_empty() {
        return String::new();
    }
    segments.sort_by_key(|&(_, count)| std::cmp::Reverse(count.cart_sessions));
    let rows: Vec<_> = segments
        .iter()
        .take(SEGMENTS_SHOWN)
        .map(|&(segment, count)| {
            vec![
                segment.map_or_else(|| "(none)".to_owned(), ToString::to_string),
                grouped(count.cart_sessions),
                grouped(count.abandoned),
                percent(count.abandoned as f64, count.cart_sessions as f64),
            ]
        })
        .collect();
    let more = match segments.len() - rows.len() {
        0 => String::new(),
        more => format!("and {} more\n", grouped(more as u64)),
    };
    format!("\n{}{more}", table(&[column, "with a cart", "abandoned", "rate"], &rows))
}

fn to_json(totals: &FunnelTotals) -> Value {
    let funnel = totals.funnel();
    let order = match funnel.order() {
        StepOrder::Strict => "strict",
        StepOrder::Any => "any",
    };
    let scope = match funnel.scope() {
        FunnelScope::User => "user",
        FunnelScope::Session => "session",
    };
    let steps: Vec<_> = totals
        .steps()
        .map(|step| {
            json!({
                "step": step.step, "event_type": step.event_type, "users": step.users, "from_first": step.from_first,
                "from_previous": step.from_previous, "lost": step.lost, "drop_off": step.drop_off,
                "median_seconds": step.median_seconds, "mean_seconds": step.mean_seconds,
            })
        })
        .collect();
    let counts = |count: AbandonmentCount| json!({ "cart_sessions": count.cart_sessions, "abandoned": count.abandoned, "rate": count.rate() });
    let carts = totals.abandonment();
    let by_day = |days: &mut dyn Iterator<Item = (Timestamp, AbandonmentCount)>| -> Value {
        let day = |(day, count): (Timestamp, AbandonmentCount)| {
            let mut of_day = counts(count);
            of_day["day"] = day.to_string().into();
            of_day
        };
        days.map(day).collect()
    };
    let mut abandonment = counts(carts.total());
    abandonment["days"] = by_day(&mut carts.days());
    if let Some(column) = funnel.segments() {
        let segments = carts.segments().map(|(segment, count)| {
            let mut of_segment = counts(count);
            of_segment["segment"] = json!(segment);
            of_segment["days"] = by_day(&mut carts.days_of(segment));
            of_segment
        });
        abandonment["segments"] = segments.collect();
        abandonment["segment_column"] = column.into();
    }
    json!({
        "types": funnel.steps().collect::<Vec<_>>(), "within_seconds": funnel.within().as_secs(), "order": order,
        "scope": scope, "users": totals.users(), "skipped_events": totals.skipped_events(), "steps": steps,
        "missing_types": totals.missing_types(), "event_types": totals.event_types().collect::<Vec<_>>(),
        "abandonment": abandonment,
    })
}
