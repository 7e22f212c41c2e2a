//! The customer intelligence platform: raw events in, sessions and segments out.
//!
//! This crate re-exports the others, one feature a crate, and adds [`mod@line`]: the stages put in line over a store, in
//! parallel and in bounded memory. A service that has its own batches takes the kernels alone
//! (`default-features = false, features = ["rfm"]`) and pays for nothing else.
//!
//! ```
//! use cip::ingest::{Ingest, SourceMapping};
//! use cip::sessionize::SessionRule;
//! # let folder = tempfile::tempdir()?;
//! # let (events, store) = (folder.path().join("events.csv"), folder.path().join("store"));
//! # let sessions = folder.path().join("fact_sessions.parquet");
//! # std::fs::write(&events, "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session
//! # 2019-10-01 00:00:00 UTC,view,1,2,,,9.90,7,
//! # 2019-10-01 00:29:00 UTC,purchase,1,2,,,9.90,7,
//! # 2019-10-01 02:00:00 UTC,view,1,2,,,9.90,7,
//! # ")?;
//! let mapping = SourceMapping::built_in("rees46").ok_or("no such mapping")?;
//! let (store, report) = Ingest::new(mapping).run(&[events], &store, &mut |_| ())?;
//! assert_eq!((report.account.rows, report.account.events), (3, 3));
//! let totals = cip::line::Line::new(&store).write_sessions(SessionRule::default(), &sessions)?;
//! assert_eq!((totals.sessions, totals.purchasing_sessions), (2, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | feature | module | what |
//! |---|---|---|
//! | always | [`core`] | typed batches, ids, money, time, memory |
//! | `store` | [`store`] | the event store and result tables |
//! | `ingest` | [`ingest`] | files to store |
//! | `sessionize` | [`sessionize`] | events to sessions and funnels |
//! | `rfm` | [`rfm`] | customers to scores, segments, cohorts and lifetime value |
//! | `propensity` | [`propensity`] | feature tables to models and scores |
//! | `basket` | [`basket`] | events to product pairs, sequences and recommendations, baskets to itemsets and rules, of one level or several |
//! | `features` | [`features`] | users to what was known of them before a date |
//! | `abtest` | [`abtest`] | experiments: assignment and analysis |
//! | `drift` | [`drift`] | two tables to what has changed between them |
//! | `synth` | [`synth`] | synthetic worlds |

#[cfg(all(
    feature = "store",
    feature = "sessionize",
    feature = "rfm",
    feature = "basket",
    feature = "features",
    feature = "propensity",
    feature = "abtest"
))]
pub mod line;
#[cfg(all(feature = "store", feature = "propensity"))]
pub mod scoring;

/// Arrow's arrays, of the version that every CIP crate uses.
pub use arrow_array;
/// Arrow's schemas, of the version that every CIP crate uses.
pub use arrow_schema;
#[cfg(feature = "abtest")]
pub use cip_abtest as abtest;
#[cfg(feature = "basket")]
pub use cip_basket as basket;
pub use cip_core as core;
#[cfg(feature = "drift")]
pub use cip_drift as drift;
#[cfg(feature = "features")]
pub use cip_features as features;
#[cfg(feature = "ingest")]
pub use cip_ingest as ingest;
#[cfg(feature = "propensity")]
pub use cip_propensity as propensity;
#[cfg(feature = "rfm")]
pub use cip_rfm as rfm;
#[cfg(feature = "sessionize")]
pub use cip_sessionize as sessionize;
#[cfg(feature = "store")]
pub use cip_store as store;
#[cfg(feature = "synth")]
pub use cip_synth as synth;
