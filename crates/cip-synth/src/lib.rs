//! A seeded, streaming generator of believable shops, invoices and subscriptions: data of any size to try a
//! pipeline on, whose true answers are known.
//!
//! ```
//! use cip_abtest::Experiment;
//! use cip_core::IdRef;
//! use cip_synth::{Generator, World};
//!
//! let experiment = Experiment::from_toml(
//!     r#"
//!     name = "checkout"
//!     assignment = "md5_parity"
//!     [effect]
//!     from = "cart"
//!     to = "purchase"
//!     share = 0.05
//!     "#,
//! )?;
//! let folder = tempfile::tempdir()?;
//! let report = Generator::new(World::Shop, 10_000, 42)
//!     .with_experiment(experiment.clone())
//!     .write_to(folder.path(), &mut |rows_so_far| assert!(rows_so_far <= 10_000))?;
//!
//! assert_eq!(report.rows, 10_000);
//! let names: Vec<_> = report.files.iter().filter_map(|file| file.path.file_name()).collect();
//! assert_eq!(names, ["2019-Oct.csv", "2019-Nov.csv"]);
//! assert_eq!(experiment.assign(IdRef::Int64(541_312_140)), Some("treatment"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Worlds
//! The same world, number of rows and seed give the same bytes: on any machine, with any number of threads. A
//! world has exactly the number of rows asked for, in the order of time; line ends are LF, quotes follow RFC
//! 4180.
//!
//! | world | form | files | time |
//! |---|---|---|---|
//! | [`Shop`](World::Shop) | REES46's multi-category store | `2019-Oct.csv`, `2019-Nov.csv` | 61 days |
//! | [`Retail`](World::Retail) | UCI Online Retail | `2010-12-01.csv` … `2011-12-09.csv` | 374 days, closed on Saturdays |
//! | [`Streamflow`](World::Streamflow) | StreamFlow's subscription events | `streamflow.csv` | 2024-01-01 to 2024-06-30 |
//!
//! What an analysis should find again in a world of some size:
//!
//! - **Shop.** 94.9 % views, 3.6 % carts, 1.5 % purchases; 4.8 events a session, a third of the sessions with
//!   one. A user for 16 events up to 20 million events, then growing with the power 7/16; 25,000 products at 2
//!   million events, 185,000 at 110 million. Every user has a *lasting propensity* to buy, and an activity with
//!   a Pareto tail of index 2: who bought in October buys in November with 22 % against 6.7 % of all October
//!   users, and October's carts and purchases per event rank November's buyers with an AUC of 0.69. Sessions
//!   stay in *themes* of 8 to 40 products: pairs seen together five times or more have a median lift in the
//!   hundreds. One session in a hundred has a pause above 30 minutes; one row in a thousand stands twice, one
//!   in 1,300 has the price 0.00; a third of the rows lack a category code, 14 % a brand.
//! - **Experiment.** The [`Effect`](cip_abtest::Effect) of an [`Experiment`](cip_abtest::Experiment) turns a share
//!   of the events of the shop's users, of all arms but the control, into others: carts into purchases, say. Which
//!   ones is a function of seed and event, so a run with the effect differs from one without it in these rows'
//!   `event_type` alone.
//! - **Retail.** 19 rows an invoice; a quarter of the rows without a customer; 1.7 % in `C` invoices, each of
//!   which cancels lines of an earlier invoice of the same customer; corrections of the stock without
//!   description and price; customers who arrive, order at lasting rates of their own (Pareto again) and leave.
//! - **Streamflow.** A subscriber for 120 events. Each leaves with a lasting hazard, 7 % a month on average; in
//!   the 35 days before, visits thin out to a quarter and errors grow sixfold, a fifth of which go on to support, and
//!   nothing follows the cancellation.
//!
//! # Cost
//! 20 million rows of the shop (2.7 GB) take 3 CPU seconds and what the system needs to write them: measured on
//! two cores, 300 to 1,000 MB/s by the disk's mood, in 21 MB of memory; 109 million rows take 17 CPU seconds
//! and 34 MB. Memory is a few megabytes a thread, 12 bytes a product, and the rows of sessions under way; the
//! retail world holds a few days.
//!
//! # Refusals
//! 0 rows, more than [`MAX_EVENTS`], a folder that is not empty, an experiment outside the shop, without an
//! effect, or with one on events that the shop does not have: see [`SynthError`].

mod calendar;
mod chance;
mod error;
mod generator;
mod retail;
mod shop;
mod simulation;
mod streamflow;
mod text;
mod treatment;

pub use error::SynthError;
pub use generator::{GenerateReport, GeneratedFile, Generator, MAX_EVENTS, World};
