//! The effect of an experiment on the shop: on whom, how often, and on nothing else.

use cip_abtest::{Arm, Assignment, Effect, Experiment};
use cip_core::IdRef;
use cip_synth::{Generator, World};
use md5::{Digest, Md5};

use crate::csv::{parse, text};

const KIND: usize = 1;

fn experiment(share: f64) -> Experiment {
    let effect = Effect::new("cart", "purchase", share).unwrap();
    Experiment::new("checkout", Assignment::Md5Parity).unwrap().with_effect(effect)
}

fn arm<'a>(experiment: &'a Experiment, row: &[String]) -> &'a str {
    experiment.assign(IdRef::Int64(row[7].parse().unwrap())).unwrap()
}

/// What an experiment means must not change by accident, as little as a seed.
#[test]
fn an_experiment_gives_the_bytes_it_always_gave() {
    let text = text(&Generator::new(World::Shop, 20_000, 42).with_experiment(experiment(0.05)));
    let digest: String = Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, "221c8db099df73e42be187ef6f6f2d70");
}

#[test]
fn a_share_of_the_treated_carts_turns_and_nothing_else_changes() {
    let experiment = experiment(0.05);
    let shop = Generator::new(World::Shop, 300_000, 11);
    let without = parse(&text(&shop));
    let with = parse(&text(&shop.with_experiment(experiment.clone())));
    assert_eq!(without.len(), with.len());
    let (mut treated, mut turned) = (0.0, 0.0);
    for (before, after) in without.iter().zip(&with) {
        let is_treated_cart = arm(&experiment, before) == "treatment" && before[KIND] == "cart";
        treated += f64::from(u8::from(is_treated_cart));
        if before != after {
            assert!(is_treated_cart && after[KIND] == "purchase", "{before:?} became {after:?}");
            turned += 1.0;
            assert!(before.iter().zip(after).enumerate().all(|(i, (b, a))| i == KIND || a == b));
        }
    }
    assert!(treated > 4_000.0, "{treated}");
    assert!((0.04..0.06).contains(&(turned / treated)), "{turned} of {treated}");
}

#[test]
fn a_share_of_none_or_all_is_exact() {
    let shop = Generator::new(World::Shop, 30_000, 11);
    let without = text(&shop);
    assert!(without == text(&shop.clone().with_experiment(experiment(0.0))));
    let all = experiment(1.0);
    let left = parse(&text(&shop.with_experiment(all.clone())));
    let treated_cart = |row: &Vec<String>| row[KIND] == "cart" && arm(&all, row) == "treatment";
    assert_eq!(left.iter().filter(|row| treated_cart(row)).count(), 0);
    assert!(left.iter().any(|row| row[KIND] == "cart"), "the control keeps its carts");
}

#[test]
fn arms_by_a_weighted_hash_are_treated_alike_and_the_control_never() {
    let experiment = Experiment::new("button", Assignment::WeightedHash { seed: "button-1".into() })
        .unwrap()
        .with_arms([Arm::new("grey", 2.0), Arm::new("red", 1.0), Arm::new("green", 1.0)])
        .unwrap()
        .with_effect(Effect::new("view", "cart", 1.0).unwrap());
    let rows = parse(&text(&Generator::new(World::Shop, 30_000, 11).with_experiment(experiment.clone())));
    let views =
        |name: &str| rows.iter().filter(|row| arm(&experiment, row) == name && row[KIND] == "view").count();
    assert_eq!((views("red"), views("green")), (0, 0));
    assert!(views("grey") > 10_000, "{}", views("grey"));
}
