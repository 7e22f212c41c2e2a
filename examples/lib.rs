//! Small programs worth copying. Run one with `cargo run --release -p cip-examples --example NAME`.
//!
//! - `line`: from a synthetic shop to sessions and segments, end to end.
//! - `rfm_service`: segments over a service's own record batches, without files.
//! - `own_mapping`: a source with other columns, names and decimals.
//! - `experiment`: assignment in a service and analysis, from one specification.
//! - `scoring_service`: a model that is trained at night and scores visitors one by one.
//! - `feature_spec`: features that are written down, for the table that a model learns from and for a service.
//! - `live_sessions`: a service's events one by one, sessions as they end.
//! - `basket_service`: pairs, itemsets, rules, recommendations and sequences of a service's own record batches, without files.
//! - `peeking`: what looking at an experiment every day does, to one test and to those that are made for it.
//! - `false_findings`: how often each test finds an effect that is not there, and one that is.
//!
//! `shop_features.toml` and `streamflow_features.toml` are specifications for `cip features --spec`.
