//! Scoring inside a service: a model that was trained elsewhere, on the events that the service holds of a visitor, and why
//! it says what it says.

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;

use cip::core::{EventBatch, Id, IdRef, TimeRange, Timestamp};
use cip::features::{Feature, Features};
use cip::ingest::{Ingest, SourceMapping};
use cip::line::Line;
use cip::propensity::{BoostedTrees, Calibration, Explainer, IdSplit, PropensityModel, Reason, reasons};
use cip::scoring::{ScoringTable, TrainingSet};
use cip::store::EventStore;
use cip::synth::{Generator, World};

/// What the model looks at: few things, that a service knows of a visitor at once.
const FEATURES: [Feature; 5] =
    [Feature::Views, Feature::Carts, Feature::Purchases, Feature::RecencyDays, Feature::MaxPrice];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let store = shop(folder.path())?;
    let file = nightly(&store, folder.path())?;

    // From here on it is the service: the model is read once, and visitors come one by one.
    let model = PropensityModel::read_from(&file[..])?;
    let explainer = Explainer::new(model.trees());
    let now: Timestamp = "2019-12-01".parse()?;
    let window = TimeRange::new("2019-10-31".parse()?, now)?;
    for visitor in visitors(&store, 5)? {
        match score(&model, &explainer, window, &events_of(&store, visitor.clone())?)? {
            Some(prospect) => {
                println!("visitor {visitor}: {:>4.1} % to buy within 30 days", 100.0 * prospect.score);
                for reason in prospect.reasons {
                    println!("    {:+.2}  {reason}", reason.contribution);
                }
            }
            None => println!("visitor {visitor}: nothing is known of the last 31 days"),
        }
    }
    Ok(())
}

/// How likely a visitor is to buy, and why.
struct Prospect {
    score: f64,
    /// The three things that moved it most.
    reasons: Vec<Reason>,
}

/// What the model says of the one user of these events; nothing where there are none in the window.
fn score(
    model: &PropensityModel,
    explainer: &Explainer,
    window: TimeRange,
    events: &[EventBatch],
) -> Result<Option<Prospect>, Box<dyn Error>> {
    let Some(first) = events.first() else { return Ok(None) };
    let known = Features::new(window, first.schema())?.with_columns(&FEATURES)?.matrix(events)?;
    let features = model.trees().features_of(&[known])?;
    let margins = model.trees().margins(&features.view())?;
    let Some(&margin) = margins.first() else { return Ok(None) };
    let contributions = explainer.contributions(&features.view())?;
    let reasons = reasons(model.trees(), features.view().row(0), contributions.row(0), 3);
    Ok(Some(Prospect { score: model.score(margin), reasons }))
}

/// What runs every night: features of the past with what came of them, and a model of it as a file.
fn nightly(store: &EventStore, folder: &std::path::Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let window = TimeRange::new("2019-10-01".parse()?, "2019-11-01".parse()?)?;
    let features = Features::new(window, store.schema())?
        .with_columns(&FEATURES)?
        .with_label_until("2019-12-01".parse()?)?;
    let path = folder.join("features.parquet");
    Line::new(store).write_features(&features, &path)?;

    let table = ScoringTable::open(&path)?;
    let columns = table.columns_without(&["label"]);
    let memory = "256MiB".parse()?;
    let split = IdSplit::new(0.2, 7)?.with_calibration(IdSplit::CALIBRATION_SHARE)?;
    let set = TrainingSet::read(&table, &columns, "label", split, memory)?;
    let trees = set.fit(BoostedTrees::params(7).with_trees(60).with_leaves(15))?;
    let trained = set.evaluate(trees, Calibration::Platt)?;
    let top = trained.evaluation.lift_at(0.05).ok_or("no such fraction")?;
    println!(
        "{} visitors held out: the best 5 % buy {:.1} times as often as all",
        trained.evaluation.rows,
        top.lift.unwrap_or_default()
    );
    let mut file = Vec::new();
    trained.model.write_to(&mut file)?;
    Ok(file)
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
    let scan = store.scan(&["user_id", "event_time", "event_type", "price"]).with_user(visitor);
    let mut events = Vec::new();
    for partition in scan.partitions() {
        for batch in partition.batches()? {
            events.push(batch?);
        }
    }
    Ok(events)
}

fn shop(folder: &std::path::Path) -> Result<EventStore, Box<dyn Error>> {
    let files = folder.join("files");
    std::fs::create_dir(&files)?;
    Generator::new(World::Shop, 200_000, 7).write_to(&files, &mut |_| ())?;
    let mapping = SourceMapping::built_in("rees46").ok_or("no such mapping")?;
    Ok(Ingest::new(mapping).run(&[files], &folder.join("store"), &mut |_| ())?.0)
}
