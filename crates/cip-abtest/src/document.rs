//! The document of an experiment, as it is written and read.

use std::collections::BTreeMap;

use cip_core::{TimeRange, Timestamp};
use serde::{Deserialize, Serialize};

use crate::effect::Effect;
use crate::enrolment::Namespace;
use crate::error::AbTestError;
use crate::experiment::{Arm, Assignment, Experiment};
use crate::id_hash::IdHash;
use crate::protocol::{Guardrail, Protocol};

/// The document, before it is checked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    name: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    assignment: Option<Rule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hash: Option<IdHash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    arms: Option<Vec<DocumentArm>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    coverage: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<Namespace>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<Box<str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    guardrails: Vec<DocumentGuardrail>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alpha: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    power: Option<f64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    overrides: BTreeMap<Box<str>, Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    effect: Option<Effect>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Rule {
    Md5Parity,
    WeightedHash,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentArm {
    name: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentGuardrail {
    metric: Box<str>,
    margin: f64,
}

impl TryFrom<Document> for Experiment {
    type Error = AbTestError;

    fn try_from(document: Document) -> Result<Self, AbTestError> {
        let weighted = document.hash.is_some();
        let rule = document.assignment.unwrap_or(if weighted { Rule::WeightedHash } else { Rule::Md5Parity });
        let assignment = match (rule, document.seed) {
            (Rule::Md5Parity, None) => Assignment::Md5Parity,
            (Rule::Md5Parity, Some(_)) => return Err(AbTestError::UnusedSeed),
            (Rule::WeightedHash, seed) => Assignment::WeightedHash { seed: seed.ok_or(AbTestError::Seed)? },
        };
        let mut experiment = Self::new(document.name, assignment)?;
        if let Some(arms) = document.arms {
            let weighted = arms.iter().filter(|arm| arm.weight.is_some()).count();
            if let Some(arm) = arms.iter().find(|arm| arm.weight.is_none() && weighted > 0) {
                return Err(AbTestError::SomeWeights { arm: arm.name.clone() });
            }
            let arms = arms.into_iter().map(|arm| Arm::new(arm.name, arm.weight.unwrap_or(1.0)));
            experiment = experiment.with_arms(arms)?;
        }
        if let Some(hash) = document.hash {
            experiment = experiment.with_hash(hash)?;
        }
        if let Some(coverage) = document.coverage {
            experiment = experiment.with_coverage(coverage)?;
        }
        if let Some(namespace) = document.namespace {
            experiment = experiment.with_namespace(namespace);
        }
        if let Some(effect) = document.effect {
            experiment = experiment.with_effect(effect);
        }
        let mut protocol = Protocol::default().with_metrics(document.metrics)?;
        if let Some(unit) = document.unit {
            protocol = protocol.with_unit(unit)?;
        }
        let instant = |text: Option<Box<str>>, otherwise| text.map_or(Ok(otherwise), |text| text.parse());
        let start = instant(document.start, TimeRange::ALL.start())?;
        protocol = protocol.with_range(TimeRange::new(start, instant(document.end, TimeRange::ALL.end())?)?);
        if let Some(alpha) = document.alpha {
            protocol = protocol.with_alpha(alpha)?;
        }
        if let Some(power) = document.power {
            protocol = protocol.with_power(power)?;
        }
        for DocumentGuardrail { metric, margin } in document.guardrails {
            protocol = protocol.with_guardrail(Guardrail::new(metric, margin)?);
        }
        experiment.with_protocol(protocol).with_overrides(document.overrides)
    }
}

impl From<Experiment> for Document {
    fn from(experiment: Experiment) -> Self {
        let (assignment, seed) = match experiment.assignment() {
            Assignment::Md5Parity => (Rule::Md5Parity, None),
            Assignment::WeightedHash { seed } => (Rule::WeightedHash, Some(seed.clone())),
        };
        let arms = experiment.arms().iter();
        let arms =
            arms.map(|arm| DocumentArm { name: arm.name().into(), weight: Some(arm.weight()) }).collect();
        let (protocol, plain) = (experiment.protocol(), Protocol::default());
        let (range, all) = (protocol.range(), TimeRange::ALL);
        let instant = |at: Timestamp, otherwise| (at != otherwise).then(|| at.to_string().into());
        let level = |value: f64, otherwise| (value != otherwise).then_some(value);
        let guardrails = protocol.guardrails().iter();
        Self {
            name: experiment.name().into(),
            assignment: Some(assignment),
            seed,
            hash: (experiment.hash() != IdHash::default()).then(|| experiment.hash()),
            arms: Some(arms),
            coverage: level(experiment.coverage(), 1.0),
            namespace: experiment.namespace().cloned(),
            unit: (protocol.unit() != plain.unit()).then(|| protocol.unit().into()),
            start: instant(range.start(), all.start()),
            end: instant(range.end(), all.end()),
            metrics: protocol.metrics().to_vec(),
            guardrails: guardrails
                .map(|guardrail| DocumentGuardrail {
                    metric: guardrail.metric().into(),
                    margin: guardrail.margin(),
                })
                .collect(),
            alpha: level(protocol.alpha(), plain.alpha()),
            power: level(protocol.power(), plain.power()),
            overrides: experiment.overrides(),
            effect: experiment.effect().cloned(),
        }
    }
}
