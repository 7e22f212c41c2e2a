//! What holds for any rows and any contract: the account adds up, the bytes depend on the input alone, and a plain reading
//! of the contract, row by row, finds the same.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;

use cip_ingest::{Action, Contract, Expectation, Ingest, LengthUnit, QualityReport};
use proptest::prelude::*;

use crate::contracts::{COLUMNS, mapping, rejects};
use crate::{bytes_of, threads};

/// A row that can be parsed, and whether it is.
#[derive(Debug, Clone)]
struct Row {
    second: u32,
    kind: String,
    user: Option<i64>,
    cents: Option<i64>,
    category: Option<i64>,
    brand: Option<String>,
    quarters: Option<i32>,
    note: Option<String>,
    broken: bool,
}

impl Row {
    fn line(&self) -> String {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let number = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
        let cents = self.cents.map(|cents| {
            format!("{}{}.{:02}", if cents < 0 { "-" } else { "" }, cents.abs() / 100, cents.abs() % 100)
        });
        let rate = self.quarters.map(|quarters| (f64::from(quarters) / 4.0).to_string()).unwrap_or_default();
        let time =
            if self.broken { "yesterday".to_owned() } else { format!("2019-10-01 00:00:{:02}", self.second) };
        format!(
            "{time},{},{},{},{},{},{rate},{}\n",
            self.kind,
            number(self.user),
            cents.unwrap_or_default(),
            number(self.category),
            text(&self.brand),
            text(&self.note)
        )
    }
}

fn row() -> impl Strategy<Value = Row> {
    let text = |pattern: &'static str| proptest::option::weighted(0.8, pattern);
    (
        (
            0u32..60,
            "view|cart|look",
            proptest::option::weighted(0.8, 0i64..6),
            proptest::option::weighted(0.8, -150i64..150),
        ),
        (
            proptest::option::weighted(0.8, 0i64..4),
            text("[ab]{1,3}"),
            proptest::option::weighted(0.8, -8i32..8),
            text("[xyé]{1,4}"),
        ),
        proptest::bool::weighted(0.1),
    )
        .prop_map(|((second, kind, user, cents), (category, brand, quarters, note), broken)| Row {
            second,
            kind,
            user,
            cents,
            category,
            brand,
            quarters,
            note,
            broken,
        })
}

/// What an expectation is, read plainly: what it says of a value that is there; the values that it compares.
enum Plain {
    Row(fn(&Row) -> Option<bool>),
    Unique(fn(&Row) -> Option<String>),
    NullRate(fn(&Row) -> bool, f64),
    RowCount(u64),
    Freshness(u32),
}

/// The expectations that contracts are made of, and their plain readings.
fn pool(index: usize, name: &str, action: Action) -> (Expectation, Plain) {
    use Plain::{Freshness, NullRate, RowCount, Unique};
    let whole = if matches!(action, Action::Fail) { Action::Fail } else { Action::Warn };
    let list = ["b", "ab"];
    match index {
        0 => (Expectation::not_null(name, "user_id", action), Plain::Row(|row| Some(row.user.is_some()))),
        1 => (Expectation::not_null(name, "brand", action), Plain::Row(|row| Some(row.brand.is_some()))),
        2 => (
            Expectation::accepted_values(name, "event_type", ["view", "cart"], action),
            Plain::Row(|row| Some(row.kind != "look")),
        ),
        3 => (
            Expectation::referential(name, "category_id", action).with_values([0, 1, 2]),
            Plain::Row(|row| row.category.map(|category| category < 3)),
        ),
        4 => (
            Expectation::range(name, "price", action).with_min("-0.50").with_below(1),
            Plain::Row(|row| row.cents.map(|cents| (-50..100).contains(&cents))),
        ),
        5 => (
            Expectation::range(name, "rate", action).with_above(-1.0).with_max(1.25),
            Plain::Row(|row| row.quarters.map(|quarters| -4 < quarters && quarters <= 5)),
        ),
        6 => (
            Expectation::range(name, "event_time", action).with_below("2019-10-01T00:00:50Z"),
            Plain::Row(|row| Some(row.second < 50)),
        ),
        7 => (
            Expectation::length(name, "note", LengthUnit::Characters, action).with_max(3),
            Plain::Row(|row| row.note.as_ref().map(|note| note.chars().count() <= 3)),
        ),
        8 => (
            Expectation::length(name, "note", LengthUnit::Bytes, action).with_min(2),
            Plain::Row(|row| row.note.as_ref().map(|note| note.len() >= 2)),
        ),
        9 => (
            Expectation::regex(name, "brand", "a+|b", action),
            Plain::Row(|row| {
                row.brand.as_ref().map(|brand| brand == "b" || brand.bytes().all(|byte| byte == b'a'))
            }),
        ),
        10 => (
            Expectation::accepted_values(name, "brand", list, action),
            Plain::Row(|row| row.brand.as_ref().map(|brand| brand == "b" || brand == "ab")),
        ),
        11 => (
            Expectation::range(name, "category_id", action).with_max(2),
            Plain::Row(|row| row.category.map(|category| category <= 2)),
        ),
        12 => (
            Expectation::unique(name, &["user_id", "event_type"], action),
            Unique(|row| row.user.map(|user| format!("{user},{}", row.kind))),
        ),
        13 => (
            Expectation::unique(name, &["brand", "category_id", "price"], action),
            Unique(|row| Some(format!("{},{},{}", row.brand.as_ref()?, row.category?, row.cents?))),
        ),
        14 => (
            Expectation::null_rate(name, "note", whole).with_max(0.2),
            NullRate(|row| row.note.is_none(), 0.2),
        ),
        15 => (
            Expectation::null_rate(name, "category_id", whole).with_max(0.2),
            NullRate(|row| row.category.is_none(), 0.2),
        ),
        16 => (Expectation::row_count(name, whole).with_min(5), RowCount(5)),
        _ => (Expectation::freshness(name, "5s", whole), Freshness(54)),
    }
}

const POOL: usize = 18;

/// What a plain reading finds: drops and rejects by their names, counts by expectation, gold; or the line or expectation that stops.
#[derive(Debug, PartialEq)]
struct Outcome {
    drops: BTreeMap<String, u64>,
    rejects: BTreeMap<String, u64>,
    rejected_lines: Vec<u64>,
    events: u64,
    gold: u64,
    /// checked, nulls, violations, warned, dropped, quarantined; and whether it holds.
    counts: Vec<([u64; 6], bool)>,
}

fn read_plainly(rows: &[Row], contract: &[(Expectation, Plain)]) -> Result<Outcome, String> {
    let mut found = Outcome {
        drops: BTreeMap::new(),
        rejects: BTreeMap::new(),
        rejected_lines: Vec::new(),
        events: 0,
        gold: 0,
        counts: vec![([0; 6], true); contract.len()],
    };
    let mut seen: Vec<HashSet<String>> = vec![HashSet::new(); contract.len()];
    let mut kept: Vec<&Row> = Vec::new();
    for (line, row) in (2u64..).zip(rows) {
        if row.broken {
            *found.rejects.entry("invalid_time".to_owned()).or_default() += 1;
            found.rejected_lines.push(line);
            continue;
        }
        // Single rows first, then rows among each other; each time the first that does more than warn decides.
        let mut warnings = Vec::new();
        let mut decided = None;
        for round in 0..2 {
            for (index, (expectation, plain)) in contract.iter().enumerate() {
                let says = match plain {
                    Plain::Row(test) if round == 0 => test(row),
                    Plain::Unique(key) if round == 1 => key(row).map(|key| !seen[index].contains(&key)),
                    _ => continue,
                };
                let counts = &mut found.counts[index].0;
                counts[0] += 1;
                let missing = match plain {
                    Plain::Row(_) if expectation.expect().name() == "not_null" => says == Some(false),
                    _ => says.is_none(),
                };
                counts[1] += u64::from(missing);
                if says == Some(false) {
                    counts[2] += 1;
                    if expectation.action() == Action::Warn {
                        warnings.push(index);
                    } else {
                        decided = decided.or(Some(index));
                    }
                }
            }
            if decided.is_some() {
                break;
            }
        }
        let Some(decided) = decided else {
            for (index, (_, plain)) in contract.iter().enumerate() {
                if let Plain::Unique(key) = plain {
                    seen[index].extend(key(row));
                }
            }
            warnings.iter().for_each(|&index| found.counts[index].0[3] += 1);
            found.gold += u64::from(warnings.is_empty());
            kept.push(row);
            continue;
        };
        let expectation = &contract[decided].0;
        match expectation.action() {
            Action::Drop => {
                found.counts[decided].0[4] += 1;
                *found.drops.entry(expectation.name().to_owned()).or_default() += 1;
            }
            Action::Quarantine => {
                found.counts[decided].0[5] += 1;
                *found.rejects.entry(expectation.expect().name().to_owned()).or_default() += 1;
                found.rejected_lines.push(line);
            }
            _ => return Err(format!("events.csv line {line}: {}: ", expectation.name())),
        }
    }
    found.events = kept.len() as u64;
    for ((expectation, plain), (counts, holds)) in contract.iter().zip(&mut found.counts) {
        *holds = match plain {
            Plain::Row(_) | Plain::Unique(_) => {
                *holds = counts[2] == 0;
                continue;
            }
            Plain::NullRate(is_null, most) => {
                counts[1] = kept.iter().filter(|row| is_null(row)).count() as u64;
                kept.is_empty() || counts[1] as f64 / kept.len() as f64 <= *most
            }
            Plain::RowCount(least) => found.events >= *least,
            Plain::Freshness(second) => kept.iter().any(|row| row.second >= *second),
        };
        counts[0] = found.events;
        if !*holds && expectation.action() == Action::Fail {
            return Err(format!("(`{}`)", expectation.name()));
        }
    }
    Ok(found)
}

fn outcome(report: &QualityReport, account: &cip_store::Account, rejected_lines: Vec<u64>) -> Outcome {
    let counts = report.expectations.iter().map(|found| {
        let counts =
            [found.checked, found.nulls, found.violations, found.warned, found.dropped, found.quarantined];
        (counts, found.holds)
    });
    Outcome {
        drops: account.drops.clone(),
        rejects: account.rejects.clone(),
        rejected_lines,
        events: account.events,
        gold: report.gold,
        counts: counts.collect(),
    }
}

fn contract() -> impl Strategy<Value = Vec<(usize, Action)>> {
    let action = prop_oneof![
        6 => Just(Action::Warn),
        6 => Just(Action::Drop),
        6 => Just(Action::Quarantine),
        1 => Just(Action::Fail),
    ];
    proptest::collection::vec((0..POOL, action), 0..7)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_plain_reading_finds_the_same_and_the_bytes_depend_on_the_input_alone(
        rows in proptest::collection::vec(row(), 1..80),
        expectations in contract(),
        workers in 1usize..4,
        chunk in 1usize..600,
    ) {
        let expectations: Vec<_> = (expectations.iter().enumerate())
            .map(|(number, (index, action))| pool(*index, &format!("e{number}"), *action))
            .collect();
        let parts = Contract::builder("c");
        let parts = expectations.iter().fold(parts, |parts, (expectation, _)| parts.with_expectation(expectation.clone()));
        let contract = parts.build().unwrap().with_as_of("2019-10-01T00:00:59Z".parse().unwrap());

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("events.csv");
        let text: String = rows.iter().map(Row::line).collect();
        std::fs::write(&file, format!("{COLUMNS}\n{text}")).unwrap();
        let run = |name: &str, ingest: Ingest| {
            ingest.with_contract(contract.clone()).run(std::slice::from_ref(&file), &folder.path().join(name), &mut |_| ())
        };
        let plain = run("plain", Ingest::new(mapping()).with_threads(threads(1)));
        let chunk = NonZeroUsize::new(chunk).unwrap();
        let other = run("other", Ingest::new(mapping()).with_threads(threads(workers)).with_chunk_bytes(chunk));
        match (plain, other, read_plainly(&rows, &expectations)) {
            (Ok((store, report)), Ok((_, other)), Ok(expected)) => {
                report.account.check().unwrap();
                prop_assert_eq!(&report, &other);
                let (a, b) = (bytes_of(&folder.path().join("plain")), bytes_of(&folder.path().join("other")));
                prop_assert!(a == b, "the stores differ");
                let lines = rejects(&store).into_iter().map(|reject| reject.line).collect();
                let quality = report.quality.as_ref().unwrap();
                prop_assert_eq!((quality.bronze, quality.silver), (rows.len() as u64, report.account.events));
                prop_assert_eq!(outcome(quality, &report.account, lines), expected);
            }
            (Err(plain), Err(other), Err(expected)) => {
                prop_assert_eq!(plain.to_string(), other.to_string());
                prop_assert!(plain.to_string().contains(&expected), "{} is not in {}", expected, plain);
                prop_assert!(!folder.path().join("plain").exists());
            }
            (plain, _, expected) => prop_assert!(false, "{:?} where {:?} was expected", plain.map(|done| done.1), expected),
        }
    }
}
