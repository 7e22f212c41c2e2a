//! Why a world could not be generated.

use std::path::PathBuf;

use crate::World;

/// Why a world could not be generated.
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
    /// An experiment that says who is treated, and not what the treatment does.
    #[error(
        "experiment `{experiment}` has no effect, and nothing to show: add `effect` with `from`, `to` and `share`"
    )]
    NoEffect {
        /// The experiment's name.
        experiment: Box<str>,
    },
    /// An effect on events that the shop does not have.
    #[error(
        "the effect names the event type `{event_type}`, expected view, cart or purchase: the shop has no other"
    )]
    EffectEvent {
        /// The event type.
        event_type: Box<str>,
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
