//! `cip paths`: what sessions start with, or what leads to a purchase.

use std::num::NonZeroUsize;

use cip::core::MemoryBudget;
use cip::line::Line;
use cip::sessionize::{PathCounts, PathScope, Paths, RepeatedTypes, SessionizeError, TopPath};
use cip::store::EventStore;
use serde_json::{Value, json};

use crate::args::{Common, PathsArgs, RepeatsArg, ScopeArg};
use crate::commands::funnel::there_are;
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::{Answer, table};

/// Paths that people are shown.
const SHOWN: usize = 10;

pub(crate) fn run(args: &PathsArgs, common: &Common) -> Result<Answer, CliError> {
    let paths = paths(args, common.memory).map_err(|error| CliError::Usage(error.to_string()))?;
    let store = EventStore::open(&args.store)?;
    let line = Line::new(&store).with_threads(common.threads()).with_memory(common.memory)?;
    let counts = line.write_paths(&paths, args.top, &args.out)?;
    let top = counts.top(args.top);
    Ok(Answer {
        text: format!("{}\nwritten to {}", text(&counts, &top), args.out.display()),
        json: to_json(&counts, &top),
    })
}

fn paths(args: &PathsArgs, memory: MemoryBudget) -> Result<Paths, SessionizeError> {
    /// What a path takes at the most.
    const PATH_BYTES: u64 = 256;
    let scope = match args.scope {
        ScopeArg::User => PathScope::User,
        ScopeArg::Session => PathScope::Session,
    };
    let repeats = match args.repeats {
        RepeatsArg::Collapse => RepeatedTypes::OneStep,
        RepeatsArg::Keep => RepeatedTypes::EachAStep,
    };
    let most = usize::try_from(memory.part(1, 4).bytes() / PATH_BYTES).unwrap_or(usize::MAX);
    let paths = Paths::new(args.max_steps)?
        .with_scope(scope)
        .with_repeats(repeats)
        .with_max_paths(NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN));
    match &args.to {
        Some(target) => paths.with_target(target),
        None => Ok(paths),
    }
}

/// What the paths are of: sessions or users.
fn units(counts: &PathCounts) -> (&'static str, u64) {
    match counts.paths().scope() {
        PathScope::Session => ("sessions", counts.sessions()),
        PathScope::User => ("users", counts.users()),
    }
}

/// The totals in a line, then the most frequent paths.
fn text(counts: &PathCounts, top: &[TopPath<'_>]) -> String {
    let (units, all) = units(counts);
    let different = grouped(counts.different() as u64);
    let mut text = match counts.paths().target() {
        None => format!("{} {units} take {different} different paths\n", grouped(all)),
        Some(target) => format!(
            "{} of {} {units} come to `{target}` ({}), on {different} different paths\n",
            grouped(counts.with_path()),
            grouped(all),
            percent(counts.with_path() as f64, all as f64),
        ),
    };
    if let Some(target) =
        counts.paths().target().filter(|&target| counts.event_types().all(|name| name != target))
    {
        text.push_str(&format!(
            "no event is `{target}`; the store has {}\n",
            there_are(counts.event_types())
        ));
    }
    if counts.skipped_events() > 0 {
        text.push_str(&format!(
            "{} events without a user are in no path\n",
            grouped(counts.skipped_events())
        ));
    }
    if !top.is_empty() {
        let rows: Vec<_> = top
            .iter()
            .take(SHOWN)
            .map(|path| {
                vec![
                    path.steps.join(" > "),
                    grouped(path.sessions),
                    grouped(path.users),
                    percent(path.share, 1.0),
                    percent(path.conversion_rate, 1.0),
                ]
            })
            .collect();
        let header = ["path", "sessions", "users", "share", "with a purchase"];
        text.push_str(&format!("\n{}", table(&header, &rows)));
    }
    text
}

fn to_json(counts: &PathCounts, top: &[TopPath<'_>]) -> Value {
    let paths = counts.paths();
    let repeats = match paths.repeats() {
        RepeatedTypes::OneStep => "collapse",
        RepeatedTypes::EachAStep => "keep",
    };
    let scope = match paths.scope() {
        PathScope::Session => "session",
        PathScope::User => "user",
    };
    let top: Vec<_> = top
        .iter()
        .map(|path| {
            json!({
                "path": path.steps, "steps": path.steps.len(), "sessions": path.sessions, "users": path.users,
                "share": path.share, "conversions": path.conversions, "conversion_rate": path.conversion_rate,
            })
        })
        .collect();
    json!({
        "scope": scope, "repeats": repeats, "max_steps": paths.max_steps(), "to": paths.target(),
        "users": counts.users(), "sessions": counts.sessions(), "with_path": counts.with_path(),
        "different": counts.different(), "skipped_events": counts.skipped_events(),
        "event_types": counts.event_types().collect::<Vec<_>>(), "paths": top,
    })
}
