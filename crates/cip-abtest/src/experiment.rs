//! The specification of an experiment: its arms, and who comes to which.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, DictionaryArray, Int32Array, StringArray};
use arrow_buffer::NullBuffer;
use cip_core::{IdColumn, IdRef};
use serde::{Deserialize, Serialize};

use crate::document::Document;
use crate::effect::Effect;
use crate::enrolment::Namespace;
use crate::error::AbTestError;
use crate::id_hash::IdHash;
use crate::protocol::Protocol;
use crate::split::{Ranges, md5_is_odd};

/// An experiment from the first user to the verdict: a name, two or more arms of which the first is the control, a rule that
/// assigns every id that takes part to one of them, always the same, and how it will be judged.
///
/// # Input
/// A TOML document; unknown keys are refused. `name` is required:
///
/// ```toml
/// name = "checkout"
/// assignment = "md5_parity"
/// ```
///
/// | key | |
/// |---|---|
/// | `assignment` | `md5_parity` or `weighted_hash`, see [`Assignment`]; without it `weighted_hash` where there is a `hash`, else `md5_parity` |
/// | `seed` | text that is hashed with the id: required by `weighted_hash`, refused by `md5_parity` |
/// | `hash` | which hash `weighted_hash` uses, see [`IdHash`]; without it `growthbook_v2` |
/// | `arms` | `{ name, weight }` each, weights for all or for none (equal ones); without it `control`, `treatment` |
/// | `coverage` | the share of ids that take part, more than 0 and at most 1; without it all |
/// | `namespace` | `{ id, from, to }`: takes part only who is in it, see [`Namespace`] |
/// | `overrides` | `{ "id" = "arm" }`: ids that have an arm of their own, whatever the rest says |
/// | `unit` | what is assigned, such as `user_id` (without it) or `device_id` |
/// | `start`, `end` | day or instant from which and before which exposures and outcomes count |
/// | `metrics` | event types that are successes, the first of which decides |
/// | `guardrails` | `{ metric, margin }` each: what must not fall by the margin or more |
/// | `alpha`, `power` | allowed probability of a false finding, .05, and of finding the effect planned for, .8 |
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
/// assert_eq!(experiment.assign(IdRef::Int64(541_312_140)), Some("as is"));
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct Experiment {
    name: Box<str>,
    assignment: Assignment,
    hash: IdHash,
    arms: Vec<Arm>,
    ranges: Ranges,
    coverage: f64,
    namespace: Option<Box<Namespace>>,
    overrides: BTreeMap<Box<str>, usize>,
    protocol: Box<Protocol>,
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
        let hash = IdHash::default();
        Ok(Self {
            name,
            assignment,
            hash,
            arms,
            ranges: Ranges::new(&[1.0, 1.0], 1.0, hash),
            coverage: 1.0,
            namespace: None,
            overrides: BTreeMap::new(),
            protocol: Box::default(),
            effect: None,
        })
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
        check_weights(self.arms.iter().map(|arm| (arm.name(), arm.weight)))?;
        if self.assignment == Assignment::Md5Parity && !matches!(weights[..], [a, b] if a == b) {
            return Err(AbTestError::ParityArms { weights });
        }
        // Overrides are of the arms that there were.
        self.overrides.clear();
        self.split()
    }

    /// Sets the hash of a weighted assignment; without it [`IdHash::GrowthbookV2`].
    ///
    /// # Errors
    /// [`AbTestError::ParityOption`] of MD5 parity, [`AbTestError::NoBucket`] where an arm's share is too small for the hash.
    pub fn with_hash(mut self, hash: IdHash) -> Result<Self, AbTestError> {
        self.refuse_of_parity("hash")?;
        self.hash = hash;
        self.split()
    }

    /// Sets the share of ids that take part; without it all do. To raise it moves nobody to another arm.
    ///
    /// # Errors
    /// [`AbTestError::Setting`] where it is not more than 0 and at most 1; [`AbTestError::ParityOption`] and
    /// [`AbTestError::NoBucket`] as [`Experiment::with_hash`].
    pub fn with_coverage(mut self, coverage: f64) -> Result<Self, AbTestError> {
        self.refuse_of_parity("coverage")?;
        if !(0.0 < coverage && coverage <= 1.0) {
            let allowed = "more than 0 and at most 1";
            return Err(AbTestError::Setting { what: "the coverage", value: coverage, allowed });
        }
        self.coverage = coverage;
        self.split()
    }

    /// Sets the namespace in whose range an id must lie to take part.
    #[must_use]
    pub fn with_namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = Some(Box::new(namespace));
        self
    }

    /// Sets ids that have an arm whatever the hash says, such as those of testers; ids as text.
    ///
    /// # Errors
    /// [`AbTestError::UnknownOverride`] where there is no such arm.
    pub fn with_overrides<N: Into<Box<str>>>(
        mut self,
        overrides: impl IntoIterator<Item = (N, N)>,
    ) -> Result<Self, AbTestError> {
        for (id, arm) in overrides {
            let (id, arm) = (id.into(), arm.into());
            match self.arms.iter().position(|known| *known.name == *arm) {
                Some(index) => self.overrides.insert(id, index),
                None => return Err(AbTestError::UnknownOverride { id, arm }),
            };
        }
        Ok(self)
    }

    /// Sets how the experiment is judged.
    #[must_use]
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Box::new(protocol);
        self
    }

    pub(crate) fn overrides(&self) -> BTreeMap<Box<str>, Box<str>> {
        self.overrides.iter().map(|(id, &arm)| (id.clone(), self.arms[arm].name.clone())).collect()
    }

    fn refuse_of_parity(&self, option: &'static str) -> Result<(), AbTestError> {
        if self.assignment == Assignment::Md5Parity {
            Err(AbTestError::ParityOption { option })
        } else {
            Ok(())
        }
    }

    /// Makes the ranges anew.
    fn split(mut self) -> Result<Self, AbTestError> {
        let weights: Vec<f64> = self.arms.iter().map(Arm::weight).collect();
        self.ranges = Ranges::new(&weights, self.coverage, self.hash);
        let total: f64 = weights.iter().sum();
        if let Some((arm, _)) = self.arms.iter().zip(self.ranges.sizes()).find(|(_, size)| *size == 0) {
            return Err(AbTestError::NoBucket {
                arm: arm.name.clone(),
                share: self.coverage * arm.weight / total,
                buckets: self.hash.buckets(),
            });
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
    /// [`AbTestError::UnusedSeed`] where MD5 parity is given a seed, and the errors of [`Experiment::new`], its `with_…` methods
    /// and [`Protocol`].
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

    /// The hash of a weighted assignment.
    pub const fn hash(&self) -> IdHash {
        self.hash
    }

    /// The share of ids that take part, namespaces aside.
    pub const fn coverage(&self) -> f64 {
        self.coverage
    }

    /// The namespace that an id must be in.
    pub fn namespace(&self) -> Option<&Namespace> {
        self.namespace.as_deref()
    }

    /// How the experiment is judged.
    pub fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// Returns the share of those who take part that each arm gets, in the order of [`Experiment::arms`]; they sum to 1.
    ///
    /// These are the weights as the buckets of the hash can give them: .3334, .3333, .3333 for three equal arms of 10,000.
    pub fn shares(&self) -> Vec<f64> {
        let all: u64 = self.ranges.sizes().sum();
        self.ranges.sizes().map(|size| size as f64 / all as f64).collect()
    }

    /// Returns the name of the arm of an id, always the same for the same id; none where the id takes no part.
    pub fn assign(&self, id: IdRef<'_>) -> Option<&str> {
        self.arms.get(self.assign_index(id)?).map(Arm::name)
    }

    /// Returns the position in [`Experiment::arms`] of the arm of an id; none where the id takes no part.
    ///
    /// # Complexity
    /// One hash of the id's text, and one more in a namespace; without these and overrides no memory is allocated.
    pub fn assign_index(&self, id: IdRef<'_>) -> Option<usize> {
        if !self.overrides.is_empty()
            && let Some(&arm) = self.overrides.get(id.to_string().as_str())
        {
            return Some(arm);
        }
        if self.namespace.as_ref().is_some_and(|namespace| !namespace.has(id)) {
            return None;
        }
        match &self.assignment {
            Assignment::Md5Parity => Some(usize::from(md5_is_odd(id))),
            Assignment::WeightedHash { seed } => self.ranges.arm(seed, id),
        }
    }

    /// Returns the arm of every id of a column; null where the id is, or takes no part.
    ///
    /// # Complexity
    /// One hash for each integer, of many at once where the hash is XXH3, Murmur or version 2 of GrowthBook's; else one
    /// assignment for each run of equal ids.
    ///
    /// # Examples
    /// ```
    /// # use std::sync::Arc;
    /// use arrow_array::{ArrayRef, StringArray, cast::AsArray};
    /// use cip_abtest::{Assignment, Experiment};
    /// use cip_core::IdColumn;
    ///
    /// let experiment = Experiment::new("checkout", Assignment::Md5Parity)?;
    /// let ids: ArrayRef = Arc::new(StringArray::from(vec![Some("1"), None, Some("2")]));
    /// let arms = experiment.assign_column(&IdColumn::try_new("user_id", &ids)?);
    /// let names = arms.values().as_string::<i32>();
    /// let arms: Vec<_> = arms.keys().iter().map(|key| key.map(|key| names.value(key as usize))).collect();
    /// assert_eq!(arms, [Some("treatment"), None, Some("control")]);
    /// # Ok::<(), cip_abtest::AbTestError>(())
    /// ```
    pub fn assign_column(&self, ids: &IdColumn) -> DictionaryArray<Int32Type> {
        let arms = self.assign_integers(ids).unwrap_or_else(|| {
            let mut arms: Vec<Option<i32>> = Vec::with_capacity(ids.len());
            for (id, rows) in ids.runs() {
                let arm = id.and_then(|id| self.assign_index(id)).map(|arm| arm as i32);
                arms.resize(rows.end, arm);
            }
            Int32Array::from(arms)
        });
        let names = StringArray::from_iter_values(self.arms.iter().map(Arm::name));
        // Every key is the place of an arm.
        DictionaryArray::new(arms, Arc::new(names))
    }

    /// The places of the arms of integer ids, where nothing but the hash decides and it takes many at once.
    fn assign_integers(&self, ids: &IdColumn) -> Option<Int32Array> {
        let (IdColumn::Int64(ids), Assignment::WeightedHash { seed }) = (ids, &self.assignment) else {
            return None;
        };
        if self.namespace.is_some() || !self.overrides.is_empty() {
            return None;
        }
        let arms = self.ranges.arms(seed, ids.values())?;
        let left_out = arms.contains(&-1).then(|| arms.iter().map(|&arm| arm >= 0).collect::<NullBuffer>());
        let known = NullBuffer::union(ids.nulls(), left_out.as_ref());
        Some(Int32Array::new(arms.into(), known))
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
    /// By the [`IdHash`] of seed and id: each arm has a half-open range of the buckets, in the
    /// order of the arms, as wide as its weight is of the sum of weights.
    WeightedHash {
        /// Hashed with the id, so that experiments with different seeds split their users independently.
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

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Int64Array};
    use proptest::prelude::*;

    const PARITY: &str = "name = \"checkout\"\nassignment = \"md5_parity\"\n\
                          [effect]\nfrom = \"cart\"\nto = \"purchase\"\nshare = 0.05\n";
    const HASH: &str = "name = \"price\"\nassignment = \"weighted_hash\"\nseed = \"s\"\n\
                        [[arms]]\nname = \"a\"\nweight = 1\n[[arms]]\nname = \"b\"\nweight = 3.0\n";

    proptest! {
        #[test]
        fn a_column_has_the_arms_of_its_ids(
            ids in proptest::collection::vec(proptest::option::of(prop_oneof![0..999i64, any::<i64>()]), 0..150),
            seed in "[a-z-]{1,40}", coverage in prop_oneof![Just(1.0), 0.1..1.0f64], from in 0..9usize, text in any::<bool>(),
        ) {
            let array: ArrayRef = if text {
                Arc::new(StringArray::from_iter(ids.iter().map(|id| id.map(|id| id.to_string()))))
            } else {
                Arc::new(Int64Array::from(ids))
            };
            let array = array.slice(from.min(array.len()), array.len().saturating_sub(from));
            let ids = IdColumn::try_new("user_id", &array).unwrap();
            for hash in [IdHash::Xxh3, IdHash::Murmur3, IdHash::GrowthbookV2, IdHash::GrowthbookV2Utf16, IdHash::GrowthbookV1, IdHash::Md5] {
                let arms = [Arm::new("a", 5.0), Arm::new("b", 1.0), Arm::new("c", 4.0)];
                let experiment = Experiment::new("x", Assignment::WeightedHash { seed: seed.as_str().into() })
                    .and_then(|experiment| experiment.with_arms(arms)?.with_hash(hash)?.with_coverage(coverage))
                    .unwrap();
                let column = experiment.assign_column(&ids);
                for row in 0..ids.len() {
                    let arm = ids.get(row).and_then(|id| experiment.assign_index(id));
                    prop_assert_eq!(column.key(row), arm, "{:?} {}", hash, row);
                }
            }
        }
    }

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
        assert_eq!(Experiment::from_toml(renamed).unwrap().assign(IdRef::Int64(1)), Some("new"));
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

    const WHOLE: &str = r#"
        name = "price"
        hash = "murmur3"
        seed = "1886780721"
        arms = [{ name = "a", weight = 1 }, { name = "b", weight = 1 }]
        coverage = 0.5
        namespace = { id = "prices", from = 0.0, to = 0.4 }
        unit = "device_id"
        start = "2019-10-01"
        end = "2019-10-15T12:00:00Z"
        metrics = ["purchase", "cart"]
        guardrails = [{ metric = "view", margin = 0.01 }]
        alpha = 0.01
        power = 0.9

        [overrides]
        tester = "b"
        7 = "a"
    "#;

    #[test]
    fn a_whole_experiment_is_read_and_written() {
        let whole = Experiment::from_toml(WHOLE).unwrap();
        assert_eq!((whole.hash(), whole.coverage(), whole.shares()), (IdHash::Murmur3, 0.5, vec![0.5, 0.5]));
        let protocol = whole.protocol();
        assert_eq!((protocol.unit(), protocol.alpha(), protocol.power()), ("device_id", 0.01, 0.9));
        assert_eq!(
            protocol.metrics().iter().map(|metric| &**metric).collect::<Vec<_>>(),
            ["purchase", "cart"]
        );
        assert_eq!(protocol.guardrails()[0].metric(), "view");
        assert_eq!(protocol.range().end().micros(), 1_571_140_800_000_000);
        for text in [toml::to_string(&whole).unwrap(), serde_json::to_string(&whole).unwrap()] {
            let again: Experiment = if text.starts_with('{') {
                serde_json::from_str(&text).unwrap()
            } else {
                toml::from_str(&text).unwrap()
            };
            assert_eq!(again, whole, "{text}");
        }
        // A document that says no more than before is written as before.
        let plain = serde_json::to_string(&Experiment::from_toml(HASH).unwrap()).unwrap();
        assert_eq!(
            plain,
            r#"{"name":"price","assignment":"weighted_hash","seed":"s","arms":[{"name":"a","weight":1.0},{"name":"b","weight":3.0}]}"#
        );
    }

    #[test]
    fn who_takes_part_is_in_the_namespace_and_covered_or_has_an_arm_anyway() {
        let whole = Experiment::from_toml(WHOLE).unwrap();
        assert_eq!(whole.assign(IdRef::Utf8("tester")), Some("b"));
        assert_eq!((whole.assign(IdRef::Int64(7)), whole.assign(IdRef::Utf8("7"))), (Some("a"), Some("a")));
        let taking = (1_000..11_000).filter(|&id| whole.assign(IdRef::Int64(id)).is_some()).count();
        // A fifth of 10,000, within four standard deviations of 40.
        assert!((1_840..=2_160).contains(&taking), "{taking}");
        let parity = Experiment::from_toml("name = \"x\"").unwrap();
        assert_eq!(parity.assignment(), &Assignment::Md5Parity);
    }

    #[test]
    fn what_the_rest_of_a_document_must_not_say() {
        for (from, to, reason) in [
            ("murmur3", "crc32", "unknown variant `crc32`"),
            ("coverage = 0.5", "coverage = 0", "the coverage is 0, expected more than 0 and at most 1"),
            ("coverage = 0.5", "coverage = nan", "the coverage is NaN"),
            ("to = 0.4", "to = 0.0", "namespace `prices`"),
            ("tester = \"b\"", "tester = \"c\"", "`tester` is to be in arm `c`"),
            ("hash = \"murmur3\"", "assignment = \"md5_parity\"", "md5_parity takes no seed"),
            (
                "hash = \"murmur3\"\n        seed = \"1886780721\"",
                "assignment = \"md5_parity\"",
                "md5_parity takes no coverage",
            ),
            ("\"2019-10-15T12:00:00Z\"", "\"2019-09-01\"", "before it starts"),
            ("\"2019-10-01\"", "\"soon\"", "soon"),
            ("alpha = 0.01", "alpha = 1.0", "alpha is 1"),
            ("power = 0.9", "power = 0.0", "power is 0"),
            ("margin = 0.01", "margin = 0.0", "the margin is 0"),
            ("\"view\"", "\" \"", "the metric's event type is empty"),
            ("\"device_id\"", "\"\"", "the unit is empty"),
        ] {
            assert!(WHOLE.contains(from), "{from}");
            let message = refuse(WHOLE.replace(from, to));
            assert!(message.contains(reason), "{from} {to}\n{message}");
        }
    }

    #[test]
    fn assignment_is_balanced() {
        let weighted = Experiment::from_toml(HASH).unwrap();
        let treated = (0..100_000).filter(|&id| weighted.assign(IdRef::Int64(id)) == Some("b")).count();
        // Within four standard deviations of 75,000.
        assert!((74_450..75_550).contains(&treated), "{treated}");
        let parity = Experiment::new("x", Assignment::Md5Parity).unwrap();
        let ids = 500_000_000..500_010_000;
        let treated = ids.filter(|&id| parity.assign_index(IdRef::Int64(id)) == Some(1)).count();
        assert!((4_800..5_200).contains(&treated), "{treated}");
    }
}
