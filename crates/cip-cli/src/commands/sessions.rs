//! `cip sessions`: one row a session.

use cip::line::{KeptSessions, SessionTotals};
use cip::sessionize::{SessionBasis, SessionChange, SessionRule, SessionizeError, SourceComparison};
use cip::store::EventStore;
use serde_json::json;

use crate::allocator::keep_freed_memory;
use crate::apart::check_outside;
use crate::args::{BasisArg, Common, SessionsArgs};
use crate::currency;
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::Answer;

pub(crate) fn run(args: &SessionsArgs, common: &Common) -> Result<Answer, CliError> {
    let rule = rule(args).map_err(|error| CliError::Usage(error.to_string()))?;
    keep_freed_memory();
    let store = EventStore::open(&args.store)?;
    let line = currency::line(&store, &args.currency, common)?;
    let compared = args.compare_source.then(|| line.compare_sessions(&rule)).transpose()?;
    let (totals, kept) = match &args.state {
        None => (line.write_sessions(rule, &args.out)?, None),
        Some(folder) => {
            check_outside(folder, &args.out)?;
            let kept = line.keep_sessions(&rule, folder, &args.out)?;
            (kept.totals, Some(kept))
        }
    };
    let (mut text, mut json) = (text(&totals), to_json(&totals));
    if let Some(kept) = kept {
        text.push_str(&kept_text(&kept));
        json["state"] = kept_json(&kept);
    }
    if let Some(compared) = compared {
        text.push_str(&comparison_text(&compared));
        json["source_comparison"] = comparison_json(&compared);
    }
    let mut answer = Answer { text: format!("{text}\nwritten to {}", args.out.display()), json };
    currency::tell(&line, &args.currency, &mut answer);
    Ok(answer)
}

fn rule(args: &SessionsArgs) -> Result<SessionRule, SessionizeError> {
    let basis = match args.by {
        BasisArg::Inactivity => SessionBasis::Inactivity,
        BasisArg::Source if args.compare_source => return Err(SessionizeError::SourceWithSource),
        BasisArg::Source => SessionBasis::Source,
    };
    let mut rule = SessionRule::new(args.timeout)?.with_basis(basis);
    if let Some(length) = args.max_length {
        rule = rule.with_max_length(length)?;
    }
    if let Some(midnight) = &args.cut_at_midnight {
        rule = rule.with_day_cut(midnight.clone());
    }
    for column in &args.cut_on {
        rule = rule.with_attribute_cut(column);
    }
    Ok(rule)
}

/// The totals in a line or two.
pub(crate) fn text(totals: &SessionTotals) -> String {
    let sessions = totals.sessions.max(1) as f64;
    let mut text = format!(
        "{} sessions of {:.1} events and {:.0} s on average; {} with a purchase ({}), {} engaged ({})",
        grouped(totals.sessions),
        totals.events as f64 / sessions,
        totals.duration_seconds as f64 / sessions,
        grouped(totals.purchasing_sessions),
        percent(totals.purchasing_sessions as f64, totals.sessions as f64),
        grouped(totals.engaged_sessions),
        percent(totals.engaged_sessions as f64, totals.sessions as f64),
    );
    if let Some(money) = totals.money {
        let average = totals.revenue / i128::from(totals.purchases.max(1));
        text.push_str(&format!(
            "; {} purchases bring {} ({} each)",
            grouped(totals.purchases),
            grouped(money.display(totals.revenue)),
            grouped(money.display(average))
        ));
    }
    if totals.skipped_events > 0 {
        text.push_str(&format!(
            "; {} events without a user are in no session",
            grouped(totals.skipped_events)
        ));
    }
    text
}

pub(crate) fn to_json(totals: &SessionTotals) -> serde_json::Value {
    json!({
        "sessions": totals.sessions, "events": totals.events, "skipped_events": totals.skipped_events,
        "purchasing_sessions": totals.purchasing_sessions, "purchases": totals.purchases,
        "duration_seconds": i64::try_from(totals.duration_seconds).ok(),
        "revenue": totals.money.map(|money| money.display(totals.revenue).to_string()),
        "engaged_sessions": totals.engaged_sessions, "engagement_rate": totals.engagement_rate(),
    })
}

/// What a run over a kept table did, in a line of its own.
fn kept_text(kept: &KeptSessions) -> String {
    let what = match &kept.rebuilt {
        Some(why) => format!("made anew, as {why}"),
        None if kept.new_commits == 0 => "no commit since the run before: nothing changed".to_owned(),
        None => format!("brought up to date with {} new commits", grouped(kept.new_commits)),
    };
    let mut text = format!("\n{what}");
    if kept.events_read > 0 {
        text.push_str(&format!(
            ": {} users, {} of {} events read; {} inserts, {} updates, {} deletes",
            grouped(kept.users),
            grouped(kept.events_read),
            grouped(kept.events_stored),
            grouped(kept.count(SessionChange::Insert)),
            grouped(kept.count(SessionChange::Update)),
            grouped(kept.count(SessionChange::Delete)),
        ));
    }
    text
}

fn kept_json(kept: &KeptSessions) -> serde_json::Value {
    json!({
        "run": kept.run, "rebuilt": kept.rebuilt.as_ref().map(ToString::to_string), "new_commits": kept.new_commits,
        "inserts": kept.count(SessionChange::Insert), "updates": kept.count(SessionChange::Update),
        "deletes": kept.count(SessionChange::Delete), "users": kept.users, "events_read": kept.events_read,
        "events_stored": kept.events_stored,
    })
}

/// How the sessions of the source lie in these, in a line of its own.
fn comparison_text(compared: &SourceComparison) -> String {
    let mut text = format!(
        "\n{} sessions of the source: {} are the same ({}), {} lie in several of these; {} of these hold several of the source",
        grouped(compared.source_sessions),
        grouped(compared.exact),
        percent(compared.exact as f64, compared.source_sessions as f64),
        grouped(compared.split),
        grouped(compared.merged),
    );
    if compared.without_source > 0 {
        text.push_str(&format!(", {} none", grouped(compared.without_source)));
    }
    text
}

fn comparison_json(compared: &SourceComparison) -> serde_json::Value {
    let parts: Vec<_> = compared
        .parts
        .iter()
        .map(|(parts, count)| json!({ "sessions": parts, "source_sessions": count }))
        .collect();
    json!({
        "sessions": compared.sessions, "source_sessions": compared.source_sessions, "exact": compared.exact,
        "split": compared.split, "parts": parts, "merged": compared.merged, "without_source": compared.without_source,
    })
}
