//! `cip run`: the whole line, from files to a folder of results.

use std::path::Path;

use cip::basket::BasketError;
use cip::core::{CoreError, Timestamp};
use cip::line::{Line, LineError};
use cip::rfm::{Rfm, RfmError};
use cip::sessionize::{SessionRule, SessionizeError};
use cip::store::{EventStore, StagedFolder};
use serde_json::{Map, Value, json};

use crate::args::{Common, RunArgs, SourceArgs};
use crate::commands::ingest::{account_json, account_text, ingest, spare_the_sources};
use crate::commands::{pairs, rfm, sessions};
use crate::error::CliError;
use crate::number::{bytes, grouped};
use crate::output::Answer;
use crate::stage::Stages;

pub(crate) fn run(args: &RunArgs, common: &Common) -> Result<Answer, CliError> {
    spare_the_sources(&args.source, &args.out)?;
    let mut stages = Stages::default();
    let results = line(&args.source, &args.out, args.as_of, common, &mut stages)?;
    Ok(answer(results, &args.out, &stages))
}

/// What the line found, for people and as `summary.json` keeps it.
pub(crate) struct Results {
    text: String,
    summary: Map<String, Value>,
}

pub(crate) fn answer(results: Results, out: &Path, stages: &Stages) -> Answer {
    let Results { text, mut summary } = results;
    summary.insert("stages".to_owned(), stages.to_json());
    Answer {
        text: format!("{text}\n{}\nresults are in {}", stages.to_text(), out.display()),
        json: Value::Object(summary),
    }
}

/// Runs every stage into a staged folder and puts it in place.
pub(crate) fn line(
    source: &SourceArgs,
    out: &Path,
    as_of: Option<Timestamp>,
    common: &Common,
    stages: &mut Stages,
) -> Result<Results, CliError> {
    let staged = StagedFolder::begin(out)?;
    let path = |name: &str| staged.path().join(name);
    let (store, report) = stages.measure("ingest", || ingest(source, &path("store"), common))?;
    let line = Line::new(&store).with_threads(common.threads()).with_memory(common.memory)?;
    let statistics = stages.measure("describe", || store.statistics(common.memory))?;
    line.write_rejects(&path("rejects.parquet"))?;

    let mut tables = Map::new();
    let mut absent = Map::new();
    let mut text = format!(
        "{}\n{} users, {} source sessions, {} products; the store takes {}\n",
        account_text(&report.account),
        grouped(statistics.users),
        grouped(statistics.source_sessions),
        grouped(statistics.products),
        bytes(statistics.bytes)
    );
    let mut summary = Map::new();
    summary.insert("format".to_owned(), json!("cip-run"));
    summary.insert("account".to_owned(), account_json(&report.account));
    summary.insert("unmapped_columns".to_owned(), json!(report.unmapped_columns));
    summary.insert(
        "time_span".to_owned(),
        json!(
            store
                .manifest()
                .time_span()
                .map(|span| { span.map(|micros| Timestamp::from_micros(micros).to_string()) })
        ),
    );
    for (name, value) in [
        ("users", statistics.users),
        ("source_sessions", statistics.source_sessions),
        ("session_codes", statistics.session_codes),
        ("products", statistics.products),
        ("store_bytes", statistics.bytes),
    ] {
        summary.insert(name.to_owned(), json!(value));
    }
    tables.insert("rejects.parquet".to_owned(), json!(report.account.rejected()));

    let written = stages.measure("sessions", || {
        optional(line.write_sessions(SessionRule::default(), &path("fact_sessions.parquet")))
    })?;
    match written {
        Ok(totals) => {
            text.push_str(&format!("{}\n", sessions::text(&totals)));
            tables.insert("fact_sessions.parquet".to_owned(), json!(totals.sessions));
            summary.insert("sessions".to_owned(), sessions::to_json(&totals));
        }
        Err(reason) => {
            absent.insert("fact_sessions.parquet".to_owned(), json!(reason));
        }
    }

    let written = stages.measure("rfm", || segments(&store, &line, as_of, &path("rfm_segments.parquet")))?;
    match written {
        Ok((scored, as_of)) => {
            let found = scored.summary()?;
            text.push_str(&format!("\n{}", rfm::text(&scored, &found, as_of)));
            tables.insert("rfm_segments.parquet".to_owned(), json!(scored.len()));
            summary.insert("rfm".to_owned(), rfm::to_json(&scored, &found, as_of));
        }
        Err(reason) => {
            absent.insert("rfm_segments.parquet".to_owned(), json!(reason));
        }
    }
    let written = stages.measure("pairs", || {
        optional(pairs::write(&store, &line, common.memory, &path("product_pairs.parquet")))
    })?;
    match written {
        Ok(totals) => {
            text.push_str(&format!("\n{}", pairs::text(&totals)));
            tables.insert("product_pairs.parquet".to_owned(), json!(totals.pairs));
            summary.insert("pairs".to_owned(), pairs::to_json(&totals));
        }
        Err(reason) => {
            absent.insert("product_pairs.parquet".to_owned(), json!(reason));
        }
    }
    for (table, reason) in &absent {
        text.push_str(&format!("\nno {table}: {}\n", reason.as_str().unwrap_or_default()));
    }
    summary.insert("tables".to_owned(), Value::Object(tables));
    summary.insert("absent".to_owned(), Value::Object(absent));
    staged.write("summary.json", format!("{:#}\n", Value::Object(summary.clone())).as_bytes())?;
    staged.publish()?;
    Ok(Results { text, summary })
}

type Optional<T> = Result<Result<T, String>, CliError>;

/// What the data cannot give is no failure of the run, but a reason to tell.
fn optional<T>(result: Result<T, LineError>) -> Optional<T> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(
            error @ (LineError::Core(CoreError::MissingColumn { .. })
            | LineError::Sessionize(SessionizeError::Core(CoreError::MissingColumn { .. }))
            | LineError::Rfm(RfmError::NoMoney | RfmError::Core(CoreError::MissingColumn { .. }))
            // Neither sessions nor orders; or more baskets than the memory holds, which the rest need not suffer for.
            | LineError::Basket(
                BasketError::NoBasketKey
                | BasketError::Core(CoreError::MissingColumn { .. } | CoreError::Memory { .. }),
            )),
        ) => Ok(Err(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

fn segments(
    store: &EventStore,
    line: &Line<'_>,
    as_of: Option<Timestamp>,
    path: &Path,
) -> Optional<(cip::rfm::RfmTable, Timestamp)> {
    let last = store.manifest().time_span().map(|[_, last]| Timestamp::from_micros(last).next_day());
    let Some(as_of) = as_of.or(last) else { return Ok(Err("there are no events".to_owned())) };
    let scored =
        Rfm::new(as_of, store.schema()).map_err(LineError::from).and_then(|rfm| line.write_rfm(&rfm, path));
    Ok(optional(scored)?.map(|scored| (scored, as_of)))
}
