//! The shop: form, shares, and the answers that an analysis should find.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::OnceLock;

use cip_synth::World;

use crate::csv::{auc, is_time, is_uuid, rows, share};

const TIME: usize = 0;
const KIND: usize = 1;
const PRODUCT: usize = 2;
const USER: usize = 7;
const SESSION: usize = 8;

/// A shop of 300,000 events. Shares vary by a fortieth between seeds at this size, by a hundredth at 4 million.
fn shop() -> &'static [Vec<String>] {
    static SHOP: OnceLock<Vec<Vec<String>>> = OnceLock::new();
    SHOP.get_or_init(|| rows(World::Shop, 300_000, 20_191_001))
}

#[test]
fn every_row_has_the_form_of_the_real_file() {
    for row in shop() {
        assert_eq!(row.len(), 9, "{row:?}");
        assert!(is_time(&row[TIME], "0000-00-00 00:00:00 UTC"), "{row:?}");
        assert!(matches!(row[KIND].as_str(), "view" | "cart" | "purchase"), "{row:?}");
        assert!((1_000_000..u64::from(u32::MAX)).contains(&row[PRODUCT].parse().unwrap()), "{row:?}");
        assert!((2_053_013_552_000_000_000..2_053_013_566_000_000_000i64).contains(&row[3].parse().unwrap()));
        assert!(
            row[4].bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'.' | b'_')),
            "{row:?}"
        );
        let (whole, cents) = row[6].split_once('.').unwrap();
        assert!(whole.parse::<u32>().unwrap() <= 2_574 && cents.len() == 2, "{row:?}");
        assert!((500_000_000..568_000_000).contains(&row[USER].parse::<u64>().unwrap()), "{row:?}");
        assert!(is_uuid(&row[SESSION]), "{row:?}");
    }
}

#[test]
fn rows_are_in_the_order_of_time_over_two_months() {
    let shop = shop();
    assert!(shop.is_sorted_by(|a, b| a[TIME] <= b[TIME]));
    assert!(shop[0][TIME].starts_with("2019-10-01 00:"));
    assert!(shop[shop.len() - 1][TIME].starts_with("2019-11-30 23:"));
    let hour = |hour: &str| share(shop, |row| &row[TIME][11..13] == hour);
    assert!(hour("16") > 5.0 * hour("01"), "afternoons are busier than nights");
}

#[test]
fn shares_and_lengths_are_those_of_the_real_file() {
    let shop = shop();
    let kind = |kind: &str| share(shop, |row| row[KIND] == kind);
    assert!((0.943..0.956).contains(&kind("view")), "{}", kind("view"));
    assert!((0.034..0.038).contains(&kind("cart")), "{}", kind("cart"));
    assert!((0.0138..0.0162).contains(&kind("purchase")), "{}", kind("purchase"));

    let sessions: HashSet<&str> = shop.iter().map(|row| row[SESSION].as_str()).collect();
    let length = shop.len() as f64 / sessions.len() as f64;
    assert!((4.65..4.95).contains(&length), "{length} events a session");
    let users: HashSet<&str> = shop.iter().map(|row| row[USER].as_str()).collect();
    let events = shop.len() as f64 / users.len() as f64;
    assert!((14.0..19.0).contains(&events), "{events} events a user");

    assert!((0.27..0.40).contains(&share(shop, |row| row[4].is_empty())), "category codes");
    assert!((0.10..0.18).contains(&share(shop, |row| row[5].is_empty())), "brands");
    assert!((0.0004..0.0012).contains(&share(shop, |row| row[6] == "0.00")), "prices");
    let distinct: HashSet<&Vec<String>> = shop.iter().collect();
    let twice = (shop.len() - distinct.len()) as f64 / shop.len() as f64;
    assert!((0.0005..0.0020).contains(&twice), "{twice}");
}

#[test]
fn products_and_sessions_are_what_they_are() {
    let mut products: HashMap<&str, [&str; 4]> = HashMap::new();
    let mut owners: HashMap<&str, &str> = HashMap::new();
    for row in shop() {
        let facts = [3, 4, 5, 6].map(|column| row[column].as_str());
        let known = products.entry(&row[PRODUCT]).or_insert(facts);
        assert_eq!(known[..3], facts[..3], "category and brand are fixed");
        if known[3] == "0.00" {
            known[3] = facts[3];
        }
        assert!(facts[3] == "0.00" || known[3] == facts[3], "so is the price");
        assert_eq!(
            *owners.entry(&row[SESSION]).or_insert(&row[USER]),
            row[USER].as_str(),
            "a session is one user's"
        );
    }
    let ids: HashSet<&str> = products.values().map(|facts| facts[0]).collect();
    let codes: HashSet<[&str; 2]> = products.values().map(|facts| [facts[0], facts[1]]).collect();
    assert_eq!(ids.len(), codes.len(), "a category has one code");
}

/// Sessions of the source and sessions by a pause of 30 minutes differ, but little.
#[test]
fn some_sessions_have_a_long_pause() {
    let seconds = |time: &str| {
        let part = |from: usize| time[from..from + 2].parse::<u32>().unwrap();
        ((part(5) * 31 + part(8)) * 24 + part(11)) * 3_600 + part(14) * 60 + part(17)
    };
    let mut last: HashMap<&str, u32> = HashMap::new();
    let mut long = 0;
    for row in shop() {
        let now = seconds(&row[TIME]);
        if last.insert(&row[SESSION], now).is_some_and(|before| now - before > 1_800) {
            long += 1;
        }
    }
    let share = f64::from(long) / last.len() as f64;
    assert!((0.005..0.02).contains(&share), "{share} pauses a session");
}

/// The lasting propensity: October tells about November.
#[test]
fn october_behaviour_says_who_buys_in_november() {
    #[derive(Default)]
    struct User {
        events: f64,
        carts: f64,
        bought: f64,
        buys: bool,
    }
    let mut users: HashMap<&str, User> = HashMap::new();
    for row in shop() {
        let user = users.entry(&row[USER]).or_default();
        match (&row[TIME][..7], row[KIND].as_str()) {
            ("2019-11", kind) => user.buys |= kind == "purchase",
            (_, kind) => {
                user.events += 1.0;
                user.carts += f64::from(u8::from(kind == "cart"));
                user.bought += f64::from(u8::from(kind == "purchase"));
            }
        }
    }
    users.retain(|_, user| user.events > 0.0);
    let rate =
        |buyers: Vec<&User>| buyers.iter().filter(|user| user.buys).count() as f64 / buyers.len() as f64;
    let base = rate(users.values().collect());
    let again = rate(users.values().filter(|user| user.bought > 0.0).collect());
    assert!((0.04..0.10).contains(&base), "{base}");
    assert!(again > 2.5 * base, "{again} of October's buyers against {base}");
    let score = |user: &User| ((user.carts + user.bought + 0.05) / (user.events + 5.0), user.buys);
    let auc = auc(users.values().map(score).collect());
    assert!((0.64..0.80).contains(&auc), "{auc}");
}

/// Themes: products of a theme are seen together far more often than chance would have it.
#[test]
fn themes_give_product_pairs_a_lift() {
    let mut sessions: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    for row in shop() {
        sessions.entry(&row[SESSION]).or_default().insert(&row[PRODUCT]);
    }
    let mut single: HashMap<&str, f64> = HashMap::new();
    let mut pairs: HashMap<(&str, &str), f64> = HashMap::new();
    for products in sessions.values().filter(|products| products.len() <= 50) {
        for (i, a) in products.iter().enumerate() {
            *single.entry(a).or_default() += 1.0;
            for b in products.iter().skip(i + 1) {
                *pairs.entry((a, b)).or_default() += 1.0;
            }
        }
    }
    let lift = |(&(a, b), &n): (&(&str, &str), &f64)| n * sessions.len() as f64 / (single[a] * single[b]);
    let mut lifts: Vec<f64> = pairs.iter().filter(|(_, n)| **n >= 5.0).map(lift).collect();
    lifts.sort_by(f64::total_cmp);
    assert!(lifts.len() > 800, "{} pairs", lifts.len());
    assert!(lifts[lifts.len() / 2] > 20.0, "median lift {}", lifts[lifts.len() / 2]);
}
