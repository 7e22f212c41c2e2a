//! `cip recommend`: what goes with a product, and what comes next in a session.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use cip::basket::{BasketError, NextProductQuality, Recommender, RecommenderParams, Similarity};
use cip::core::{Id, IdRef, IdType, TimeRange, Timestamp};
use cip::line::{Line, LineError};
use cip::store::{EventStore, StagedFile, StoreError};
use serde_json::{Value, json};

use crate::args::{Common, RecommendArgs};
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::{Answer, table};

/// Products of a visit beyond which it is left out: crawlers and test accounts.
const MOST_PRODUCTS: usize = 50;

pub(crate) fn run(args: &RecommendArgs, common: &Common) -> Result<Answer, CliError> {
    if args.source.is_dir() { learn(args, common) } else { ask(args) }
}

fn usage(error: impl std::fmt::Display) -> CliError {
    CliError::Usage(error.to_string())
}

fn refuse(what: &str, given: &[(&str, bool)]) -> Result<(), CliError> {
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => Err(usage(format!("--{option} goes with {what}: leave it out"))),
    }
}

/// A store becomes an index.
fn learn(args: &RecommendArgs, common: &Common) -> Result<Answer, CliError> {
    refuse("an index", &[("session", !args.session.is_empty()), ("owned", !args.owned.is_empty())])?;
    let out = args.out.as_ref().ok_or_else(|| usage("a store needs --out: the index file to write"))?;
    may_replace(out)?;
    let similarity = args.similarity.map_or(Similarity::default(), Similarity::from);
    let mut params = RecommenderParams::new(similarity);
    if let Some(neighbours) = args.neighbours {
        params = params.with_neighbours(neighbours).map_err(usage)?;
    }
    let store = EventStore::open(&args.source)?;
    let line = Line::new(&store).with_threads(common.threads()).with_memory(common.memory)?;
    let level = args.level.level()?;
    let range = |start, end| TimeRange::new(start, end).map_err(usage);
    let split = args.split.unwrap_or(TimeRange::ALL.end());
    let read = |range| line.visits(range, level, MOST_PRODUCTS, common.memory.part(1, 2));
    let visits = read(range(TimeRange::ALL.start(), split)?)?;
    if let Some(half_life) = args.half_life {
        let days = half_life.as_secs_f64() / 86_400.0;
        let as_of = args.split.or_else(|| visits.last()).unwrap_or(Timestamp::from_micros(0));
        params = params.with_half_life(days, as_of).map_err(usage)?;
    }
    let recommender = params.train(&visits).map_err(LineError::from)?;
    let quality = match args.split {
        Some(split) => Some(recommender.evaluate(&read(range(split, TimeRange::ALL.end())?)?, args.count)),
        None => None,
    };
    let mut bytes = Vec::new();
    recommender.write_to(&mut bytes).map_err(LineError::from)?;
    let staged = StagedFile::begin(out)?;
    let io = |source| CliError::Io { action: "write", path: staged.path().to_owned(), source };
    fs::write(staged.path(), &bytes).map_err(io)?;
    staged.publish()?;
    let text = format!(
        "{} visits of {} products, {} similar products kept\n{}written to {}",
        grouped(visits.len()),
        grouped(recommender.products()),
        grouped(recommender.neighbours()),
        quality.as_ref().map_or_else(String::new, |quality| quality_text(quality, args.count)),
        out.display()
    );
    let json = json!({
        "visits": visits.len(), "too_long": visits.too_long(), "products": recommender.products(),
        "neighbours": recommender.neighbours(), "bytes": bytes.len(),
        "evaluation": quality.map(|quality| quality_json(&quality, args.count)),
    });
    Ok(Answer { text, json })
}

/// An index replaces one: never somebody's source or notes.
fn may_replace(path: &Path) -> Result<(), CliError> {
    if !path.is_file() {
        return Ok(());
    }
    let io = |source| CliError::Io { action: "read", path: path.to_owned(), source };
    let ours = fs::metadata(path).map_err(io)?.len() == 0 || read_index(path).is_ok();
    if ours { Ok(()) } else { Err(StoreError::NotOurs { path: path.to_owned() }.into()) }
}

fn read_index(path: &Path) -> Result<Recommender, CliError> {
    let file =
        File::open(path).map_err(|source| CliError::Io { action: "read", path: path.to_owned(), source })?;
    let refuse = |source: BasketError| CliError::Index { path: path.to_owned(), source };
    Recommender::read_from(BufReader::new(file)).map_err(refuse)
}

/// An index answers.
fn ask(args: &RecommendArgs) -> Result<Answer, CliError> {
    let of_stores = [
        ("out", args.out.is_some()),
        ("similarity", args.similarity.is_some()),
        ("half-life", args.half_life.is_some()),
        ("neighbours", args.neighbours.is_some()),
        ("split", args.split.is_some()),
        ("level", !args.level.are_default()),
    ];
    refuse("a store", &of_stores)?;
    let recommender = read_index(&args.source)?;
    let ids = |texts: &[String]| {
        texts.iter().map(|text| id(text, recommender.product_type())).collect::<Result<Vec<_>, _>>()
    };
    let (session, owned) = (ids(&args.session)?, ids(&args.owned)?);
    let session: Vec<IdRef<'_>> = session.iter().map(Id::as_ref).collect();
    let owned: Vec<IdRef<'_>> = owned.iter().map(Id::as_ref).collect();
    let found = recommender.next(&session, &owned, args.count);
    let rows: Vec<_> =
        found.iter().map(|next| vec![next.product.to_string(), format!("{:.4}", next.score)]).collect();
    let products: Vec<Value> = found
        .iter()
        .map(|next| json!({ "product_id": next.product.to_string(), "score": next.score }))
        .collect();
    Ok(Answer {
        text: table(&["product", "score"], &rows),
        json: json!({ "count": found.len(), "recommended": products }),
    })
}

fn id(text: &str, id_type: IdType) -> Result<Id, CliError> {
    match id_type {
        IdType::Utf8 => Ok(Id::Utf8(text.into())),
        IdType::Int64 => text
            .parse()
            .map(Id::Int64)
            .map_err(|_| usage(format!("`{text}` is no product of this index: its ids are whole numbers"))),
    }
}

fn quality_text(quality: &NextProductQuality, count: usize) -> String {
    let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), |rate| percent(rate, 1.0));
    let mean = |mean: Option<f64>| mean.map_or_else(|| "-".to_owned(), |mean| format!("{mean:.4}"));
    let rows = [
        vec!["recommended".to_owned(), rate(quality.hit_rate()), mean(quality.mean_reciprocal_rank())],
        vec![
            "most popular".to_owned(),
            rate(quality.popular_hit_rate()),
            mean(quality.popular_mean_reciprocal_rank()),
        ],
    ];
    let header = [format!("next product among {count}"), "hit rate".to_owned(), "MRR".to_owned()];
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    format!("\n{} later products that came next\n\n{}\n", grouped(quality.predictions), table(&header, &rows))
}

fn quality_json(quality: &NextProductQuality, count: usize) -> Value {
    json!({
        "count": count, "predictions": quality.predictions, "hit_rate": quality.hit_rate(),
        "mean_reciprocal_rank": quality.mean_reciprocal_rank(), "popular_hit_rate": quality.popular_hit_rate(),
        "popular_mean_reciprocal_rank": quality.popular_mean_reciprocal_rank(),
    })
}
