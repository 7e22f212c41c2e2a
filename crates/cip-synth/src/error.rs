//! Why a world could not be generated, or an experiment not read.

use std::path::PathBuf;

use crate::{Arm, World};

/// Why a world could not be generated, or an experiment not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SynthError {
    /// The number of rows asked for lies outside what a world can fill.
    #[error("{events} events asked for, expected 1 to {most}: change the number of events")]
    Events {
        /// What was asked for.
        events: u64,
        /// The most that is allowed, [`MAX_EVENTS`](crate::MAX_EVENTS).
        most: u64,
    },
    /// A name that is none of the worlds.
    #[error("no world is named `{name}`, expected shop, retail or streamflow")]
    UnknownWorld {
        /// The name.
        name: String,
    },
    /// An experiment was given to a world that has no carts to convert.
    #[error("world `{world}` takes no experiment: leave it out, or generate the shop")]
    ExperimentWorld {
        /// The world.
        world: World,
    },
    /// The text of an experiment is not TOML of the documented form.
    #[error("the experiment cannot be read: {0}")]
    ExperimentText(#[from] toml::de::Error),
    /// An experiment whose name is empty.
    #[error("the experiment's name is empty: name it")]
    ExperimentName,
    /// An effect that turns events into themselves.
    #[error("the effect turns `{kind}` into itself: give `from` and `to` different event types")]
    EffectKinds {
        /// The event type.
        kind: crate::ShopEvent,
    },
    /// A share that is not a share.
    #[error(
        "the effect's share is {share}, expected 0 to 1: write 0.05 for 5 % of the {} arm's events",
        Arm::Treatment
    )]
    EffectShare {
        /// What was given.
        share: f64,
    },
    /// The output folder holds something already.
    #[error("`{}` is not empty: give an empty folder", path.display())]
    FolderNotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A file or folder could not be read or written.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The writer that the rows stream into refused them.
    #[error("the rows could not be written: {0}")]
    Stream(#[source] std::io::Error),
    /// A part of the generator ended before all rows were made.
    #[error("only {rows} of {events} rows were made: this is a defect of the generator, please report it")]
    Incomplete {
        /// Rows made.
        rows: u64,
        /// Rows asked for.
        events: u64,
    },
}
