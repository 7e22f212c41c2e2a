//! What an experiment does to the shop: the effect on the events of the users who are not in the control.

use std::fmt;

use cip_abtest::Experiment;
use cip_core::IdRef;

use crate::chance::unit;
use crate::error::SynthError;

/// The effect of an experiment in the shop's terms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Treatment<'a> {
    experiment: &'a Experiment,
    from: ShopEvent,
    to: ShopEvent,
    share: f64,
}

impl<'a> Treatment<'a> {
    /// Returns the effect that befalls all arms but the control.
    pub(crate) fn new(experiment: &'a Experiment) -> Result<Self, SynthError> {
        let effect = experiment
            .effect()
            .ok_or_else(|| SynthError::NoEffect { experiment: experiment.name().into() })?;
        Ok(Self {
            experiment,
            from: ShopEvent::named(effect.from())?,
            to: ShopEvent::named(effect.to())?,
            share: effect.share(),
        })
    }

    /// Returns what becomes of an event of `user_id`; `bits` are the event's own and decide by the share.
    pub(crate) fn outcome(&self, kind: ShopEvent, user_id: u32, bits: u64) -> ShopEvent {
        let treated =
            || self.experiment.assign_index(IdRef::Int64(i64::from(user_id))).is_some_and(|arm| arm > 0);
        if kind == self.from && unit(bits) < self.share && treated() { self.to } else { kind }
    }
}

/// The event types of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShopEvent {
    /// A product page was looked at.
    View,
    /// A product was put into the cart.
    Cart,
    /// A product was bought.
    Purchase,
}

impl ShopEvent {
    const ALL: [Self; 3] = [Self::View, Self::Cart, Self::Purchase];

    /// The name in the file.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Cart => "cart",
            Self::Purchase => "purchase",
        }
    }

    fn named(name: &str) -> Result<Self, SynthError> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| SynthError::EffectEvent { event_type: name.into() })
    }
}

impl fmt::Display for ShopEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cip_abtest::{Arm, Assignment, Effect};

    fn experiment(effect: Effect) -> Experiment {
        let assignment = Assignment::WeightedHash { seed: "s".into() };
        let arms = ["as is", "small", "large"].map(|arm| Arm::new(arm, 1.0));
        Experiment::new("x", assignment).unwrap().with_arms(arms).unwrap().with_effect(effect)
    }

    #[test]
    fn every_arm_but_the_control_is_treated() {
        let experiment = experiment(Effect::new("cart", "purchase", 1.0).unwrap());
        let treatment = Treatment::new(&experiment).unwrap();
        for user in 0..1_000 {
            let control = experiment.assign(IdRef::Int64(user.into())) == Some("as is");
            let expected = if control { ShopEvent::Cart } else { ShopEvent::Purchase };
            assert_eq!(treatment.outcome(ShopEvent::Cart, user, 0), expected, "{user}");
            assert_eq!(treatment.outcome(ShopEvent::View, user, 0), ShopEvent::View);
        }
    }

    #[test]
    fn an_effect_is_needed_and_of_the_shops_events() {
        let refuse = |experiment: &Experiment| Treatment::new(experiment).unwrap_err().to_string();
        let without = Experiment::new("checkout", Assignment::Md5Parity).unwrap();
        assert_eq!(
            refuse(&without),
            "experiment `checkout` has no effect, and nothing to show: add `effect` with `from`, `to` and `share`"
        );
        for (from, to) in [("click", "purchase"), ("cart", "click")] {
            let message = refuse(&experiment(Effect::new(from, to, 0.5).unwrap()));
            assert_eq!(
                message,
                "the effect names the event type `click`, expected view, cart or purchase: the shop has no other"
            );
        }
    }
}
