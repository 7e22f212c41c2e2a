//! Features that are written down: one specification makes the table that a model learns from at night, and what a service knows of
//! a visitor who comes by day.

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;
use std::path::Path;

use cip::core::{EventBatch, Id, IdRef, TimeRange};
use cip::features::spec::{FeatureSpec, SpecFeatures};
use cip::ingest::{Ingest, SourceMapping};
use cip::line::Line;
use cip::propensity::{BoostedTrees, Calibration, FeatureMatrix, IdSplit, PropensityModel};
use cip::scoring::{ScoringTable, TrainingSet};
use cip::store::EventStore;
use cip::synth::{Generator, World};

/// The specification that ships with this program; it has a feature of every family.
const SPECIFICATION: &str = include_str!("shop_features.toml");

/// What the night leaves to the day: the specification with the values that it found, and the model.
struct Learned {
    specification: String,
    model: Vec<u8>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let store = shop(folder.path())?;
    let learned = night(&store, folder.path())?;

    // From here on it is the service. Both are read once; visitors come one by one, with the events that the service has of them.
    let specification = FeatureSpec::from_toml(&learned.specification)?;
    let model = PropensityModel::read_from(&learned.model[..])?;
    let window = TimeRange::new("2019-10-31".parse()?, "2019-12-01".parse()?)?;
    for visitor in visitors(&store, 5)? {
        let events = events_of(&store, visitor.clone())?;
        match score(&specification, &model, window, &events)? {
            Some(score) => println!("visitor {visitor}: {:>4.1} % to buy within 30 days", 100.0 * score),
            None => println!("visitor {visitor}: nothing is known of the last 31 days"),
        }
    }
    Ok(())
}

/// How likely the one user of these events is to buy; nothing where there are none in the window.
fn score(
    specification: &FeatureSpec,
    model: &PropensityModel,
    window: TimeRange,
    events: &[EventBatch],
) -> Result<Option<f64>, Box<dyn Error>> {
    let Some(first) = events.first() else { return Ok(None) };
    let known = SpecFeatures::new(specification, window, first.schema())?.matrix(events)?;
    let features = FeatureMatrix::from_batches(model.trees().features(), &[known])?;
    let margins = model.trees().margins(&features.view())?;
    Ok(margins.first().map(|&margin| model.score(margin)))
}

/// Finds the brands that have a feature of their own, makes the table, and learns from it.
fn night(store: &EventStore, folder: &Path) -> Result<Learned, Box<dyn Error>> {
    let line = Line::new(store);
    let window = TimeRange::new("2019-10-01".parse()?, "2019-11-01".parse()?)?;
    let specification = line.settle(&FeatureSpec::from_toml(SPECIFICATION)?, window)?;
    // The specification says what the label is about, so nothing else has to.
    let features = SpecFeatures::new(&specification, window, store.schema())?
        .with_label_until("2019-12-01".parse()?, None)?;
    let path = folder.join("features.parquet");
    let totals = line.write_spec_features(&features, &path)?;
    println!("{} visitors, {} features each", totals.users, features.names().count());

    let table = ScoringTable::open(&path)?;
    let columns = table.columns_without(&["label"]);
    let split = IdSplit::new(0.2, 7)?.with_calibration(IdSplit::CALIBRATION_SHARE)?;
    let set = TrainingSet::read(&table, &columns, "label", split, "256MiB".parse()?)?;
    let trees = set.fit(BoostedTrees::params(7).with_trees(60).with_leaves(15))?;
    let trained = set.evaluate(trees, Calibration::Platt)?;
    let top = trained.evaluation.lift_at(0.05).ok_or("no such fraction")?;
    println!("the best 5 % of those held out buy {:.1} times as often as all", top.lift.unwrap_or_default());
    let mut model = Vec::new();
    trained.model.write_to(&mut model)?;
    Ok(Learned { specification: specification.to_toml()?, model })
}

/// Some of the visitors that the store knows.
fn visitors(store: &EventStore, number: usize) -> Result<Vec<Id>, Box<dyn Error>> {
    let mut visitors = Vec::new();
    for partition in store.scan(&["user_id"]).partitions() {
        for events in partition.batches()? {
            visitors.extend(events?.users()?.runs().filter_map(|(user, _)| user.map(IdRef::to_owned)));
        }
    }
    visitors.dedup();
    let step = (visitors.len() / number).max(1);
    Ok(visitors.into_iter().step_by(step).take(number).collect())
}

/// What the service holds of a visitor, sorted by time; here it comes from the store.
fn events_of(store: &EventStore, visitor: Id) -> Result<Vec<EventBatch>, Box<dyn Error>> {
    let columns = ["user_id", "event_time", "event_type", "product_id", "brand", "price"];
    let mut events = Vec::new();
    for partition in store.scan(&columns).with_user(visitor).partitions() {
        for batch in partition.batches()? {
            events.push(batch?);
        }
    }
    Ok(events)
}

fn shop(folder: &Path) -> Result<EventStore, Box<dyn Error>> {
    let files = folder.join("files");
    std::fs::create_dir(&files)?;
    Generator::new(World::Shop, 200_000, 7).write_to(&files, &mut |_| ())?;
    let mapping = SourceMapping::built_in("rees46").ok_or("no such mapping")?;
    Ok(Ingest::new(mapping).run(&[files], &folder.join("store"), &mut |_| ())?.0)
}
