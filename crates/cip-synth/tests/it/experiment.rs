//! The effect of an experiment on the shop: on whom, how often, and on nothing else.

use cip_synth::{Arm, Assignment, Effect, Experiment, Generator, ShopEvent, World};

use crate::csv::{parse, text};

const KIND: usize = 1;

fn experiment(share: f64) -> Experiment {
    let effect = Effect { from: ShopEvent::Cart, to: ShopEvent::Purchase, share };
    Experiment::new("checkout", Assignment::Md5Parity, effect).unwrap()
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
        let arm = experiment.arm(before[7].parse().unwrap());
        let is_treated_cart = arm == Arm::Treatment && before[KIND] == "cart";
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
    let treated_cart =
        |row: &Vec<String>| row[KIND] == "cart" && all.arm(row[7].parse().unwrap()) == Arm::Treatment;
    assert_eq!(left.iter().filter(|row| treated_cart(row)).count(), 0);
    assert!(left.iter().any(|row| row[KIND] == "cart"), "the control keeps its carts");
}
