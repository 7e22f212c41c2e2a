//! Did the change help, or was it chance?
//!
//! An [`Experiment`] assigns every user to an arm, always the same. An [`Analysis`] compares what the arms did.
//!
//! ```
//! use cip_abtest::{Analysis, ArmCount, Experiment, Verdict};
//! use cip_core::IdRef;
//!
//! let experiment = Experiment::from_toml("name = 'checkout'\nassignment = 'md5_parity'")?;
//! assert_eq!(experiment.assign(IdRef::Int64(541_312_140)), Some("treatment"));
//!
//! let arms = [ArmCount::new("control", 50_210, 2_511)?, ArmCount::new("treatment", 49_790, 2_688)?];
//! let report = Analysis::of(&experiment).proportions(&arms)?;
//! assert_eq!(report.verdict, Verdict::Better);
//! assert_eq!(format!("{:.4}", report.p_value.unwrap_or(1.0)), "0.0046");
//! assert_eq!(format!("{:+.2} %", 100.0 * report.relative_lift.unwrap_or(0.0)), "+7.95 %");
//! # Ok::<(), cip_abtest::AbTestError>(())
//! ```
//!
//! # Tour
//! - [`Experiment`], [`IdHash`], [`Protocol`]: who is in which arm, and how it is judged, from a TOML document or in code.
//! - [`ConversionCounter`], [`EventMetric`]: from events to users by arm. [`Outcomes`], [`Study`], [`Clusters`]: from a table.
//! - [`ArmCount`], [`ArmMoments`], [`JointSums`]: what is known of an arm. [`Analysis`], [`Report`], [`Verdict`]: the answer.
//! - [`EffectEstimate`]: effects of any metric, between estimates that [`Cuped`], [`post_stratified`] and others make.
//! - [`Sequential`], [`GroupSequential`]: answers that hold at many looks. [`NormalPrior`], [`BetaPrior`]: beliefs.
//! - [`Plan`]: how many units it takes. [`SampleRatio`], [`Trend`], [`Check`]: whether the answer may be believed.
//! - [`ContingencyTable`], [`wilson`], [`welch`], [`mann_whitney`], [`Bootstrap`], [`Correction`]: the tests one by one.
//!
//! # Columns in
//! [`COLUMNS`] are read by [`ConversionCounter`], sorted by user_id (nulls last) and event_time.
//!
//! | column | type | |
//! |---|---|---|
//! | user_id | Int64 or Utf8 | null: unknown, the event is counted and is nobody's |
//! | event_time | Timestamp(us, UTC) | not null; [`with_range`](ConversionCounter::with_range) says which count |
//! | event_type | Dictionary(Int32, Utf8) | not null; events of the metric's type are conversions |
//! | experiment_group | Dictionary(Int32, Utf8) | read with [`Exposure::Recorded`]; null: not exposed by this event |
//!
//! # What it refuses
//! What is no experiment, no number or not sorted: see [`AbTestError`]. What has no answer is none, never NaN, with a [`Warning`].

mod analysis;
mod arm_count;
mod arm_moments;
mod bayes;
mod beta;
mod bootstrap;
mod bucket;
mod contingency;
mod conversions;
mod correction;
mod cuped;
mod distribution;
mod document;
mod effect;
mod enrolment;
mod error;
mod estimate;
mod exact_sum;
mod experiment;
mod fisher;
mod group_sequential;
mod heterogeneity;
mod id_hash;
mod joint_moments;
mod outcomes;
mod plan;
mod power;
mod protocol;
mod quantile;
mod rank;
mod report;
mod sample_ratio;
mod score;
mod sequential;
mod split;
mod stability;
mod study;
mod trust;

pub use analysis::Analysis;
pub use arm_count::{ArmCount, ProportionDifference, proportion_difference};
pub use arm_moments::{ArmMoments, MeanDifference, welch};
pub use bayes::{Belief, BetaPrior, NormalPrior};
pub use bootstrap::{Bootstrap, BootstrapDifference, Statistic};
pub use bucket::{BUCKETS, bucket_v1, bucket_v2};
pub use contingency::{ChiSquare, ContingencyTable, goodness_of_fit};
pub use conversions::{COLUMNS, ConversionCounter, Conversions, Exposure};
pub use correction::Correction;
pub use cuped::{Cuped, post_stratified};
pub use effect::Effect;
pub use enrolment::Namespace;
pub use error::AbTestError;
pub use estimate::{ArmEstimate, EffectEstimate, EffectScale, Interval, MarginTest};
pub use experiment::{Arm, Assignment, Experiment};
pub use group_sequential::{GroupSequential, Look, Spending};
pub use heterogeneity::{Heterogeneity, SegmentEffect};
pub use id_hash::IdHash;
pub use joint_moments::{JointMoments, JointSums};
pub use outcomes::{OutcomeTable, Outcomes};
pub use plan::{Design, Plan, PlannedMetric, PlannedUnits};
pub use power::{detectable_rate, power_of_rates, units_for_power};
pub use protocol::{Guardrail, Protocol};
pub use quantile::quantile_estimate;
pub use rank::{RankMethod, RankTest, mann_whitney};
pub use report::{ArmReport, Comparison, Report, Verdict, Warning};
pub use sample_ratio::{GroupRatio, SampleRatio};
pub use score::{RateInterval, miettinen_nurminen, miettinen_nurminen_ratio, newcombe, wilson};
pub use sequential::{Sequential, SequentialTest};
pub use stability::{Trend, weekday_pattern};
pub use study::{
    ArmFinding, Beliefs, Clusters, DayFinding, DecidingTest, EventMetric, Finding, LookFinding, Measure,
    MetricKind, MetricReader, MetricUnits, PlannedLook, RateFinding, Study, StudyFindings, StudyOptions,
    Unit,
};
pub use trust::{Check, CheckKind, CheckStatus, winsorised};
