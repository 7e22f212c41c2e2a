//! `cip run`: the whole line, from files to a folder of results.

use std::path::Path;

use cip::abtest::Analysis;
use cip::basket::BasketError;
use cip::core::{CoreError, TimeRange, Timestamp};
use cip::features::FeaturesError;
use cip::line::{Line, LineError};
use cip::propensity::PropensityError;
use cip::rfm::{Rfm, RfmError, RfmTable};
use cip::scoring::ScoringError;
use cip::sessionize::{SessionRule, SessionizeError};
use cip::store::{EventStore, StagedFolder, StoreStatistics};
use serde_json::{Map, Value, json};

use crate::args::{Common, CurrencyArgs, RunArgs, SourceArgs};
use crate::commands::ingest::{Way, account_json, account_text, ingest, spare_the_sources};
use crate::commands::{abtest, pairs, prospects, rfm, sessions};
use crate::currency;
use crate::error::CliError;
use crate::number::{bytes, grouped};
use crate::output::Answer;
use crate::quality;
use crate::stage::Stages;

pub(crate) fn run(args: &RunArgs, common: &Common) -> Result<Answer, CliError> {
    spare_the_sources(&args.source, &args.out)?;
    let mut stages = Stages::default();
    let results = line(&args.source, &args.out, (args.as_of, &args.currency), common, &mut stages)?;
    Ok(answer(results, &args.out, &stages))
}

/// What the line found, for people and as `summary.json` keeps it.
#[derive(Default)]
pub(crate) struct Results {
    text: String,
    summary: Map<String, Value>,
    /// Rows by table.
    tables: Map<String, Value>,
    /// Reasons by table.
    absent: Map<String, Value>,
}

/// What a stage says of itself.
pub(crate) struct Found {
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Results {
    fn set(&mut self, name: &str, value: Value) {
        self.summary.insert(name.to_owned(), value);
    }

    pub(crate) fn wrote(&mut self, file: &str, rows: u64) {
        self.tables.insert(file.to_owned(), json!(rows));
    }

    pub(crate) fn could_not_write(&mut self, file: &str, reason: &str) {
        self.absent.insert(file.to_owned(), json!(reason));
    }

    pub(crate) fn tell(&mut self, name: &str, found: Found) {
        self.text.push_str(&format!("\n{}\n", found.text.trim_end()));
        self.set(name, found.json);
    }

    /// Notes a stage that writes one table.
    fn enter<T>(
        &mut self,
        (name, file): (&str, &str),
        written: Result<T, String>,
        tell: impl FnOnce(T) -> Result<(u64, Found), CliError>,
    ) -> Result<(), CliError> {
        match written {
            Ok(written) => {
                let (rows, found) = tell(written)?;
                self.wrote(file, rows);
                self.tell(name, found);
            }
            Err(reason) => self.could_not_write(file, &reason),
        }
        Ok(())
    }

    /// Puts the account of files together.
    fn finish(mut self) -> Self {
        // What one thing prevented is told once.
        let absent: Vec<_> = self.absent.iter().collect();
        for tables in absent.chunk_by(|a, b| a.1 == b.1) {
            let names: Vec<_> = tables.iter().map(|(table, _)| table.as_str()).collect();
            let reason = tables[0].1.as_str().unwrap_or_default();
            self.text.push_str(&format!("\nno {}: {reason}\n", names.join(", ")));
        }
        let (tables, absent) = (std::mem::take(&mut self.tables), std::mem::take(&mut self.absent));
        self.set("tables", Value::Object(tables));
        self.set("absent", Value::Object(absent));
        self
    }
}

pub(crate) fn answer(results: Results, out: &Path, stages: &Stages) -> Answer {
    let Results { text, mut summary, .. } = results;
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
    (as_of, only): (Option<Timestamp>, &CurrencyArgs),
    common: &Common,
    stages: &mut Stages,
) -> Result<Results, CliError> {
    let staged = StagedFolder::begin(out)?;
    let path = |name: &str| staged.path().join(name);
    let (store, report) = stages.measure("ingest", || ingest(source, &path("store"), Way::Anew, common))?;
    let line = currency::line(&store, only, common)?;
    let statistics = stages.measure("describe", || store.statistics(common.memory))?;
    let mut results = describe(&store, &statistics);
    results.set("unmapped_columns", json!(report.unmapped_columns));
    if let (Some(code), Some(others)) = (&only.currency, line.events_of_other_currencies()) {
        let json = json!({ "code": code, "events_of_other_currencies": others });
        results.tell("currency", Found { text: currency::left_out(code, others), json });
    }
    if let Some(report) = &report.quality {
        results.tell("quality", Found { text: quality::text(report), json: json!(report) });
    }
    results.wrote("rejects.parquet", line.write_rejects(&path("rejects.parquet"))?);

    let file = "fact_sessions.parquet";
    let rule = SessionRule::default();
    let written = stages.measure("sessions", || optional(line.write_sessions(rule, &path(file))))?;
    results.enter(("sessions", file), written, |totals| {
        let found = Found { text: sessions::text(&totals), json: sessions::to_json(&totals) };
        Ok((totals.sessions, found))
    })?;

    let last = store.manifest().time_span().map(|[_, last]| Timestamp::from_micros(last));
    let today = as_of.or(last.map(Timestamp::next_day));
    let file = "rfm_segments.parquet";
    let written = stages.measure("rfm", || optional(segments(&line, &store, today, &path(file))))?;
    results.enter(("rfm", file), written, |(scored, as_of)| {
        let summary = scored.summary()?;
        let found =
            Found { text: rfm::text(&scored, &summary, as_of), json: rfm::to_json(&scored, &summary, as_of) };
        Ok((scored.len() as u64, found))
    })?;

    prospects::run(&mut results, &line, &store, today, (staged.path(), common), stages)?;

    let file = "product_pairs.parquet";
    let written =
        stages.measure("pairs", || optional(pairs::write(&store, &line, common.memory, &path(file))))?;
    results.enter(("pairs", file), written, |totals| {
        Ok((totals.pairs, Found { text: pairs::text(&totals), json: pairs::to_json(&totals) }))
    })?;

    if source.experiment.is_some() {
        let found = stages.measure("experiment", || verdict(&line, &store))?;
        results.tell("experiment", found);
    }
    let results = results.finish();
    let summary = format!("{:#}\n", Value::Object(results.summary.clone()));
    staged.write("summary.json", summary.as_bytes())?;
    staged.publish()?;
    Ok(results)
}

fn describe(store: &EventStore, statistics: &StoreStatistics) -> Results {
    let account = store.manifest().account();
    let span = store.manifest().time_span();
    let span = span.map(|span| span.map(|micros| Timestamp::from_micros(micros).to_string()));
    let mut results = Results {
        text: format!(
            "{}\n{} users, {} source sessions, {} products; the store takes {}\n",
            account_text(&account),
            grouped(statistics.users),
            grouped(statistics.source_sessions),
            grouped(statistics.products),
            bytes(statistics.bytes)
        ),
        ..Results::default()
    };
    for (name, value) in [
        ("format", json!("cip-run")),
        ("account", account_json(&account)),
        ("time_span", json!(span)),
        ("users", json!(statistics.users)),
        ("source_sessions", json!(statistics.source_sessions)),
        ("session_codes", json!(statistics.session_codes)),
        ("products", json!(statistics.products)),
        ("store_bytes", json!(statistics.bytes)),
    ] {
        results.set(name, value);
    }
    results
}

fn segments(
    line: &Line<'_>,
    store: &EventStore,
    as_of: Option<Timestamp>,
    path: &Path,
) -> Result<(RfmTable, Timestamp), CliError> {
    let as_of = as_of.ok_or(CliError::NoEvents)?;
    let rfm = Rfm::new(as_of, store.schema())?;
    Ok((line.write_rfm(&rfm, path)?, as_of))
}

/// Whether the arms that the events were tagged with differ in purchases.
fn verdict(line: &Line<'_>, store: &EventStore) -> Result<Found, CliError> {
    const METRIC: &str = "purchase";
    let (experiment, exposure) = abtest::recorded(store)?;
    let conversions = line.conversions(&exposure, METRIC, TimeRange::ALL)?;
    let analysis = Analysis::of(&experiment);
    match analysis.proportions(conversions.arms()) {
        Ok(report) => {
            let text = abtest::text(&report, experiment.control(), analysis.alpha());
            let mut json = abtest::to_json(&report, experiment.control());
            json["experiment"] = json!(experiment.name());
            json["metric"] = json!(METRIC);
            let name = experiment.name();
            Ok(Found { text: format!("experiment {name}: users with a {METRIC}\n\n{text}"), json })
        }
        // Nobody is in any arm: there is nothing to say, and the rest is as good.
        Err(error) => Ok(Found {
            text: format!("experiment {}: {error}", experiment.name()),
            json: json!({ "experiment": experiment.name(), "metric": METRIC, "reason": error.to_string() }),
        }),
    }
}

/// What a stage made, or why the data cannot give it.
pub(crate) type Optional<T> = Result<Result<T, String>, CliError>;

/// What the data cannot give is no failure of the run, but a reason to tell.
pub(crate) fn optional<T, E: Into<CliError>>(result: Result<T, E>) -> Optional<T> {
    match result.map_err(Into::into) {
        Ok(value) => Ok(Ok(value)),
        Err(error) if is_of_the_data(&error) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

fn is_of_the_data(error: &CliError) -> bool {
    use CoreError::{Memory, MissingColumn};
    matches!(
        error,
        CliError::NoEvents
            | CliError::FewDays
            | CliError::Line(
                LineError::Core(MissingColumn { .. })
                    | LineError::Sessionize(SessionizeError::Core(MissingColumn { .. }))
                    | LineError::Rfm(RfmError::NoMoney | RfmError::Core(MissingColumn { .. }))
                    | LineError::Features(FeaturesError::Core(MissingColumn { .. }))
                    // Neither sessions nor orders; or more baskets than the memory holds, which the rest need not
                    // suffer for.
                    | LineError::Basket(
                        BasketError::NoBasketKey | BasketError::Core(MissingColumn { .. } | Memory { .. }),
                    ),
            )
            // Nobody bought, or everybody; or too few users for two sides.
            | CliError::Scoring(
                ScoringError::EmptySide { .. }
                    | ScoringError::Core(Memory { .. })
                    | ScoringError::Propensity(PropensityError::OneClass { .. } | PropensityError::NoRows { .. }),
            )
    )
}
