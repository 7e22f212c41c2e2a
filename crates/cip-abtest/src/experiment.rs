//! The specification of an experiment: its arms, and who comes to which.

use cip_core::IdRef;
use serde::{Deserialize, Serialize};

use crate::bucket::BUCKETS;
use crate::effect::Effect;
use crate::error::AbTestError;
use crate::split::{Ranges, md5_is_odd};

/// An experiment: a name, two or more arms of which the first is the control, and a rule that assigns every id to
/// one of them, always the same.
///
/// # Input
/// A TOML document; unknown keys are refused. `name` and `assignment` are required:
///
/// ```toml
/// name = "checkout"
/// assignment = "md5_parity"
/// ```
///
/// | key | |
/// |---|---|
/// | `assignment` | `md5_parity` or `weighted_hash`, see [`Assignment`] |
/// | `seed` | text that is hashed before the id: required by `weighted_hash`, refused by `md5_parity` |
/// | `arms` | `{ name, weight }` each, weights for all or for none (equal ones); without it `control`, `treatment` |
/// | `effect` | `{ from, to, share }`: what a generator makes the treatment do, see [`Effect`]; not used by analysis |
///
/// # Examples
/// ```
/// use cip_abtest::Experiment;
/// use cip_core::IdRef;
///
/// let experiment = Experiment::from_toml(
///     r#"
///     name = "free shipping"
///     assignment = "weighted_hash"
///     seed = "free-shipping-1"
///     arms = [{ name = "as is", weight = 8 }, { name = "from 20", weight = 1 }, { name = "all", weight = 1 }]
///     "#,
/// )?;
/// assert_eq!(experiment.control(), "as is");
/// assert_eq!(experiment.shares(), [0.8, 0.1, 0.1]);
/// assert_eq!(experiment.assign(IdRef::Int64(541_312_140)), "as is");
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct Experiment {
    name: Box<str>,
    assignment: Assignment,
    arms: Vec<Arm>,
    ranges: Ranges,
    effect: Option<Effect>,
}

impl Experiment {
    /// Returns an experiment with the arms `control` and `treatment`, half of the ids each.
    ///
    /// # Errors
    /// [`AbTestError::ExperimentName`] where the name is blank, [`AbTestError::Seed`] where the assignment's seed
    /// is empty.
    pub fn new(name: impl Into<Box<str>>, assignment: Assignment) -> Result<Self, AbTestError> {
        let name = name.into();
        if name.trim().is_empty() {
            return Err(AbTestError::ExperimentName);
        }
        if matches!(&assignment, Assignment::WeightedHash { seed } if seed.is_empty()) {
            return Err(AbTestError::Seed);
        }
        let arms = vec![Arm::new("control", 1.0), Arm::new("treatment", 1.0)];
        Ok(Self { name, assignment, arms, ranges: Ranges::new(&[1.0, 1.0]), effect: None })
    }

    /// Replaces the arms; the first is the control.
    ///
    /// # Errors
    /// [`AbTestError::TooFewArms`], [`AbTestError::BlankArm`], [`AbTestError::DuplicateArm`];
    /// [`AbTestError::Weight`] where a weight is not a positive number; [`AbTestError::NoBucket`] where an arm's
    /// share is so small that the hash gives it nobody; [`AbTestError::ParityArms`] where MD5 parity is to make
    /// anything but two halves.
    pub fn with_arms(mut self, arms: impl IntoIterator<Item = Arm>) -> Result<Self, AbTestError> {
        self.arms = arms.into_iter().collect();
        check_names(self.arms.iter().map(Arm::name))?;
        let weights: Vec<f64> = self.arms.iter().map(Arm::weight).collect();
        let total = check_weights(self.arms.iter().map(|arm| (arm.name(), arm.weight)))?;
        if self.assignment == Assignment::Md5Parity && !matches!(weights[..], [a, b] if a == b) {
            return Err(AbTestError::ParityArms { weights });
        }
        self.ranges = Ranges::new(&weights);
        if let Some((arm, _)) = self.arms.iter().zip(self.ranges.sizes()).find(|(_, size)| *size == 0) {
            return Err(AbTestError::NoBucket { arm: arm.name.clone(), share: arm.weight / total });
        }
        Ok(self)
    }

    /// Sets what the treatment is made to do; without it nothing is said.
    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.effect = Some(effect);
        self
    }

    /// Returns the experiment that a TOML document describes.
    ///
    /// # Errors
    /// [`AbTestError::ExperimentText`] with line and column where the text is not of the documented form or the
    /// effect is refused, [`AbTestError::SomeWeights`] where only some arms have a weight,
    /// [`AbTestError::UnusedSeed`] where MD5 parity is given a seed, and the errors of [`Experiment::new`] and
    /// [`Experiment::with_arms`].
    pub fn from_toml(text: &str) -> Result<Self, AbTestError> {
        toml::from_str::<Document>(text)?.try_into()
    }

    /// The experiment's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How ids come to their arm.
    pub const fn assignment(&self) -> &Assignment {
        &self.assignment
    }

    /// The arms; the first is the control.
    pub fn arms(&self) -> &[Arm] {
        &self.arms
    }

    /// The name of the first arm, that the others are compared with.
    pub fn control(&self) -> &str {
        self.arms.first().map_or("", Arm::name)
    }

    /// What the treatment is made to do, if it is said.
    pub const fn effect(&self) -> Option<&Effect> {
        self.effect.as_ref()
    }

    /// Returns the share of the hash's values that each arm gets, in the order of [`Experiment::arms`]; they sum
    /// to 1.
    ///
    /// These are the weights as the 10,000 buckets can give them: .3334, .3333, .3333 for three equal arms.
    pub fn shares(&self) -> Vec<f64> {
        self.ranges.sizes().map(|size| f64::from(size) / f64::from(BUCKETS)).collect()
    }

    /// Returns the name of the arm of an id: always the same for the same id.
    pub fn assign(&self, id: IdRef<'_>) -> &str {
        self.arms.get(self.assign_index(id)).map_or("", Arm::name)
    }

    /// Returns the position in [`Experiment::arms`] of the arm of an id.
    ///
    /// # Complexity
    /// One hash of the id's text; no memory is allocated.
    pub fn assign_index(&self, id: IdRef<'_>) -> usize {
        match &self.assignment {
            Assignment::Md5Parity => usize::from(md5_is_odd(id)),
            Assignment::WeightedHash { seed } => self.ranges.arm(seed, id),
        }
    }
}

/// How ids come to their arm; an integer id is hashed as its decimal digits, text as its UTF-8 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Assignment {
    /// By the MD5 of the id: the first arm where its last hexadecimal digit is even, the second where it is odd.
    ///
    /// All experiments that use it share the same halves.
    Md5Parity,
    /// By [`bucket_v2`](crate::bucket_v2) of seed and id: each arm has a half-open range of the buckets, in the
    /// order of the arms, as wide as its weight is of the sum of weights.
    WeightedHash {
        /// Hashed before the id, so that experiments with different seeds split their users independently.
        seed: Box<str>,
    },
}

/// An arm of an experiment: a name, and a weight against the other arms' weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Arm {
    name: Box<str>,
    weight: f64,
}

impl Arm {
    /// Returns an arm; [`Experiment::with_arms`] checks it.
    pub fn new(name: impl Into<Box<str>>, weight: f64) -> Self {
        Self { name: name.into(), weight }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The weight, not normalised.
    pub const fn weight(&self) -> f64 {
        self.weight
    }
}

/// Checks that there are two or more names, none of them blank or given twice.
pub(crate) fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), AbTestError> {
    let mut seen: Vec<&str> = Vec::new();
    for arm in names {
        if arm.trim().is_empty() {
            return Err(AbTestError::BlankArm);
        }
        if seen.contains(&arm) {
            return Err(AbTestError::DuplicateArm { arm: arm.into() });
        }
        seen.push(arm);
    }
    if seen.len() < 2 { Err(AbTestError::TooFewArms { arms: seen.len() }) } else { Ok(()) }
}

/// Returns the sum of weights that are all positive numbers.
pub(crate) fn check_weights<'a>(weights: impl Iterator<Item = (&'a str, f64)>) -> Result<f64, AbTestError> {
    let mut total = 0.0;
    for (arm, weight) in weights {
        total += weight;
        // The sum of finite weights may exceed what is finite.
        if !(weight > 0.0 && total < f64::INFINITY) {
            return Err(AbTestError::Weight { arm: arm.into(), weight });
        }
    }
    Ok(total)
}

/// The document, before it is checked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: Box<str>,
    assignment: Rule,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    arms: Option<Vec<DocumentArm>>,
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

impl TryFrom<Document> for Experiment {
    type Error = AbTestError;

    fn try_from(document: Document) -> Result<Self, AbTestError> {
        let assignment = match (document.assignment, document.seed) {
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
        experiment.effect = document.effect;
        Ok(experiment)
    }
}

impl From<Experiment> for Document {
    fn from(experiment: Experiment) -> Self {
        let (assignment, seed) = match experiment.assignment {
            Assignment::Md5Parity => (Rule::Md5Parity, None),
            Assignment::WeightedHash { seed } => (Rule::WeightedHash, Some(seed)),
        };
        let arms = experiment
            .arms
            .into_iter()
            .map(|arm| DocumentArm { name: arm.name, weight: Some(arm.weight) })
            .collect();
        Self { name: experiment.name, assignment, seed, arms: Some(arms), effect: experiment.effect }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARITY: &str = "name = \"checkout\"\nassignment = \"md5_parity\"\n\
                          [effect]\nfrom = \"cart\"\nto = \"purchase\"\nshare = 0.05\n";
    const HASH: &str = "name = \"price\"\nassignment = \"weighted_hash\"\nseed = \"s\"\n\
                        [[arms]]\nname = \"a\"\nweight = 1\n[[arms]]\nname = \"b\"\nweight = 3.0\n";

    fn refuse(text: impl AsRef<str>) -> String {
        Experiment::from_toml(text.as_ref()).unwrap_err().to_string()
    }

    #[test]
    fn documents_are_read_and_written() {
        let parity = Experiment::from_toml(PARITY).unwrap();
        let effect = Effect::new("cart", "purchase", 0.05).unwrap();
        assert_eq!(
            parity,
            Experiment::new("checkout", Assignment::Md5Parity).unwrap().with_effect(effect.clone())
        );
        assert_eq!(
            (parity.name(), parity.control(), parity.effect()),
            ("checkout", "control", Some(&effect))
        );
        let hash = Experiment::from_toml(HASH).unwrap();
        assert_eq!(hash.assignment(), &Assignment::WeightedHash { seed: "s".into() });
        assert_eq!(hash.shares(), [0.25, 0.75]);
        for experiment in [parity, hash] {
            let text = toml::to_string(&experiment).unwrap();
            assert_eq!(Experiment::from_toml(&text).unwrap(), experiment, "{text}");
            assert_eq!(toml::from_str::<Experiment>(&text).unwrap(), experiment, "{text}");
        }
    }

    #[test]
    fn arms_without_weights_are_equal() {
        let arms = "name = \"x\"\nassignment = \"weighted_hash\"\nseed = \"s\"\n\
                    arms = [{ name = \"a\" }, { name = \"b\" }, { name = \"c\" }, { name = \"d\" }]";
        assert_eq!(Experiment::from_toml(arms).unwrap().shares(), [0.25; 4]);
        let renamed =
            "name = \"x\"\nassignment = \"md5_parity\"\narms = [{ name = \"old\" }, { name = \"new\" }]";
        assert_eq!(Experiment::from_toml(renamed).unwrap().assign(IdRef::Int64(1)), "new");
    }

    #[test]
    fn what_is_unknown_missing_or_void_is_refused_with_a_reason() {
        for (text, reason) in [
            (PARITY.replace("name", "nmae"), "unknown field `nmae`"),
            (PARITY.replace("share", "shares"), "unknown field `shares`"),
            (PARITY.replace("share = 0.05", ""), "missing field `share`"),
            (PARITY.replace("md5_parity", "coin"), "unknown variant `coin`"),
            (PARITY.replace("\"purchase\"", "\"cart\""), "turns `cart` into itself"),
            (PARITY.replace("0.05", "1.5"), "share is 1.5, expected 0 to 1"),
            (PARITY.replace("0.05", "nan"), "share is NaN, expected 0 to 1"),
            (PARITY.replace("\"cart\"", "\"\""), "empty event type"),
            (PARITY.replace("checkout", " "), "name is empty"),
            (PARITY.replace("[effect]", "seed = \"s\"\n[effect]"), "md5_parity takes no seed"),
            (HASH.replace("seed = \"s\"\n", ""), "weighted_hash needs a seed"),
            (HASH.replace("\"s\"", "\"\""), "weighted_hash needs a seed"),
            (HASH.replace("weight = 1\n", ""), "arm `a` has no weight while others have"),
            (HASH.replace("weight = 1\n", "wieght = 1\n"), "unknown field `wieght`"),
            (HASH.replace("= 1\n", "= 0\n"), "weight of arm `a` is 0"),
            (HASH.replace("= 1\n", "= -1\n"), "weight of arm `a` is -1"),
            (HASH.replace("= 1\n", "= nan\n"), "weight of arm `a` is NaN"),
            (HASH.replace("= 3.0", "= inf"), "weight of arm `b` is inf"),
            (HASH.replace("= 1\n", "= 1e9\n"), "buckets"),
            (HASH.replace("\"b\"", "\"a\""), "arm `a` is given twice"),
            (HASH.replace("\"b\"", "\" \""), "an arm has no name"),
            (HASH.split("[[arms]]\nname = \"b\"").next().unwrap().to_owned(), "1 arm"),
            (
                HASH.replace("weighted_hash", "md5_parity").replace("seed = \"s\"", ""),
                "two arms of equal weight",
            ),
        ] {
            let message = refuse(&text);
            assert!(message.contains(reason), "{text}\n{message}");
        }
        // The position of a fault is told.
        assert!(refuse("name = \"x\"\nassignment = 7").contains("line 2"));
    }

    #[test]
    fn assignment_is_balanced() {
        let weighted = Experiment::from_toml(HASH).unwrap();
        let treated = (0..100_000).filter(|&id| weighted.assign(IdRef::Int64(id)) == "b").count();
        // Within four standard deviations of 75,000.
        assert!((74_450..75_550).contains(&treated), "{treated}");
        let parity = Experiment::new("x", Assignment::Md5Parity).unwrap();
        let ids = 500_000_000..500_010_000;
        let treated = ids.filter(|&id| parity.assign_index(IdRef::Int64(id)) == 1).count();
        assert!((4_800..5_200).contains(&treated), "{treated}");
    }
}
