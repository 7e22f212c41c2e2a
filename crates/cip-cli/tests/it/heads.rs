//! The head of a real clickstream with its rows shuffled, repeated or at other times; skipped, saying so, where `CIP_DATA` is unset.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::{Decimal128Type, Int64Type, TimestampMicrosecondType};
use cip::core::{MICROS_PER_DAY, Timestamp};
use cip::store::read_table;

use crate::real::data;
use crate::{HEADER, Noise, args, cip};

const HOUR: i64 = 3_600_000_000;

/// A row of `fact_sessions` without its key: user, number, start, end, then as in the table.
#[derive(Debug, Clone, PartialEq)]
struct Session {
    user: i64,
    seq: i64,
    start: i64,
    end: i64,
    /// duration_seconds, events, views, carts, removes, purchases, products.
    numbers: [i64; 7],
    cents: i128,
}

/// The whole rows of the head.
fn head() -> Option<Vec<String>> {
    let text = fs::read_to_string(data("rees46_2019-Oct-head.csv")?).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(lines.remove(0), HEADER);
    // The last row is cut off.
    assert_eq!(lines.pop().unwrap().split(',').count(), 8);
    assert_eq!(lines.len(), 17_434);
    Some(lines)
}

fn field(line: &str, place: usize) -> &str {
    line.split(',').nth(place).unwrap()
}

/// Microseconds of `2019-10-01 00:00:00 UTC`.
fn micros(text: &str) -> i64 {
    let (time, zone) = text.split_at(19);
    assert_eq!(zone, " UTC");
    format!("{}Z", time.replace(' ', "T")).parse::<Timestamp>().unwrap().micros()
}

/// The line at another time.
fn at(line: &str, micros: i64) -> String {
    let text = Timestamp::from_micros(micros).to_string();
    let text = if text.len() == 10 {
        format!("{text} 00:00:00 UTC")
    } else {
        text.replace('T', " ").replace('Z', " UTC")
    };
    format!("{text}{}", &line[23..])
}

fn shuffled(lines: &[String], seed: u64) -> Vec<String> {
    let (mut lines, mut noise) = (lines.to_vec(), Noise(seed));
    for place in (1..lines.len()).rev() {
        lines.swap(place, noise.below(place as u64 + 1) as usize);
    }
    lines
}

/// Ingests the lines into a store beside `folder/NAME.csv`.
fn store(folder: &Path, name: &str, lines: &[String]) -> (PathBuf, serde_json::Value) {
    let (file, store) = (folder.join(format!("{name}.csv")), folder.join(name));
    fs::write(&file, format!("{HEADER}\n{}\n", lines.join("\n"))).unwrap();
    let said = cip(args!["ingest", file, "--mapping", "rees46", "--out", store, "--json"]).ok().json();
    fs::remove_file(file).unwrap();
    (store, said)
}

/// The bytes of the sessions of a store.
fn sessions(store: &Path, options: &[&str]) -> Vec<u8> {
    let out = store.with_extension("parquet");
    let options = options.iter().map(std::ffi::OsString::from);
    cip(args!["sessions", store, "--out", out].into_iter().chain(options)).ok();
    fs::read(out).unwrap()
}

fn read(store: &Path) -> Vec<Session> {
    let mut found = Vec::new();
    for table in read_table(&store.with_extension("parquet")).unwrap() {
        let table = table.unwrap();
        let column = |name: &str| table.column_by_name(name).unwrap();
        let int = |name: &str, row| column(name).as_primitive::<Int64Type>().value(row);
        let time = |name: &str, row| column(name).as_primitive::<TimestampMicrosecondType>().value(row);
        for row in 0..table.num_rows() {
            let numbers =
                ["duration_seconds", "events", "views", "carts", "removes", "purchases", "products"];
            found.push(Session {
                user: int("user_id", row),
                seq: int("session_seq", row),
                start: time("session_start", row),
                end: time("session_end", row),
                numbers: numbers.map(|name| int(name, row)),
                cents: column("revenue").as_primitive::<Decimal128Type>().value(row),
            });
        }
    }
    found
}

/// Sessions of 30 minutes that also end at midnight of UTC, by grouping, sorting and looping.
fn oracle(lines: &[String]) -> Vec<Session> {
    let mut users: BTreeMap<i64, Vec<(i64, &str)>> = BTreeMap::new();
    for line in lines {
        users.entry(field(line, 7).parse().unwrap()).or_default().push((micros(field(line, 0)), line));
    }
    let mut found = Vec::new();
    for (user, mut events) in users {
        events.sort_by_key(|(time, _)| *time);
        let day = |time: i64| time.div_euclid(MICROS_PER_DAY);
        let sessions = events.chunk_by(|(a, _), (b, _)| b - a <= HOUR / 2 && day(*a) == day(*b));
        for (session, seq) in sessions.zip(1..) {
            let of = |kind: &str| session.iter().filter(|(_, line)| field(line, 1) == kind).count() as i64;
            let products: BTreeSet<&str> = session.iter().map(|(_, line)| field(line, 2)).collect();
            let spent = session.iter().filter(|(_, line)| field(line, 1) == "purchase");
            let (start, end) = (session[0].0, session[session.len() - 1].0);
            let seconds = (end - start) / 1_000_000;
            let [views, carts, removes, purchases] = ["view", "cart", "remove_from_cart", "purchase"].map(of);
            found.push(Session {
                user,
                seq,
                start,
                end,
                numbers: [
                    seconds,
                    session.len() as i64,
                    views,
                    carts,
                    removes,
                    purchases,
                    products.len() as i64,
                ],
                cents: spent.map(|(_, line)| field(line, 6).replace('.', "").parse::<i128>().unwrap()).sum(),
            });
        }
    }
    found
}

/// Nothing in `fact_sessions` depends on the order of events at one instant where times alone end sessions.
#[test]
fn scrambled_rows_give_the_same_bytes() {
    let Some(lines) = head() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (plain, _) = store(folder.path(), "plain", &lines);
    let expected = sessions(&plain, &["--cut-at-midnight", "UTC"]);
    assert_eq!(read(&plain), oracle(&lines));
    for seed in [1, 2] {
        let name = format!("scrambled-{seed}");
        let (scrambled, said) = store(folder.path(), &name, &shuffled(&lines, seed));
        assert_eq!(said["account"]["events"], 17_434);
        assert!(sessions(&scrambled, &["--cut-at-midnight", "UTC"]) == expected, "seed {seed}");
    }
}

/// Events of one user at one instant have the order of the file, so that what looks at the order of events may differ with it.
/// Without them no rule sees a difference.
#[test]
fn scrambled_rows_without_ties_give_the_same_bytes_by_any_rule() {
    let Some(lines) = head() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut seen = BTreeSet::new();
    let single: Vec<String> = lines
        .into_iter()
        .filter(|line| seen.insert((field(line, 7).to_owned(), field(line, 0).to_owned())))
        .collect();
    assert_eq!(single.len(), 17_425, "nine rows are at the instant of another one of their user");
    let [plain, scrambled] = [("plain", single.clone()), ("scrambled", shuffled(&single, 3))]
        .map(|(name, lines)| store(folder.path(), name, &lines).0);
    for options in [
        &[][..],
        &["--by", "source"],
        &["--cut-on", "event_type,brand", "--cut-at-midnight", "America/Nuuk", "--max-length", "1h"],
    ] {
        assert!(sessions(&plain, options) == sessions(&scrambled, options), "{options:?}");
    }
    let paths = [plain, scrambled].map(|store| {
        let out = store.with_extension("paths");
        cip(args!["paths", store, "--out", out, "--repeats", "keep"]).ok();
        fs::read(out).unwrap()
    });
    assert!(paths[0] == paths[1]);
}

#[test]
fn duplicated_rows_are_the_same_sessions_with_every_event_twice() {
    let Some(lines) = head() else { return };
    let folder = tempfile::tempdir().unwrap();
    let twice: Vec<String> = lines.iter().flat_map(|line| [line.clone(), line.clone()]).collect();
    let (twice, said) = store(folder.path(), "twice", &shuffled(&twice, 4));
    assert_eq!(
        said["account"],
        serde_json::json!({ "rows": 34_868, "events": 34_868, "rejects": {}, "drops": {}, "forgotten": 0 })
    );
    let (plain, _) = store(folder.path(), "plain", &lines);
    for store in [&plain, &twice] {
        sessions(store, &[]);
    }
    let doubled: Vec<Session> = read(&plain)
        .into_iter()
        .map(|session| {
            let [seconds, counts @ .., products] = session.numbers;
            let [events, views, carts, removes, purchases] = counts.map(|count| 2 * count);
            let numbers = [seconds, events, views, carts, removes, purchases, products];
            Session { numbers, cents: 2 * session.cents, ..session }
        })
        .collect();
    assert_eq!(read(&twice), doubled);
}

/// Texts that are no times, and the reason for which each is rejected.
const INVALID: [(&str, &str); 10] = [
    ("2019-02-30 00:00:00 UTC", "invalid_time"),
    ("2019-10-01 24:00:00 UTC", "invalid_time"),
    ("2019-10-01 02:60:00 UTC", "invalid_time"),
    ("2016-12-31 23:59:60 UTC", "invalid_time"),
    ("2019-13-01 00:00:00 UTC", "invalid_time"),
    ("0000-00-00 00:00:00 UTC", "invalid_time"),
    ("10000-01-01 00:00:00 UTC", "invalid_time"),
    ("1569888000", "invalid_time"),
    ("yesterday", "invalid_time"),
    ("", "missing_value"),
];

#[test]
fn skewed_clocks_give_the_sessions_of_their_times_and_invalid_ones_are_rejected() {
    let Some(lines) = head() else { return };
    let folder = tempfile::tempdir().unwrap();
    const YEAR: i64 = 366 * MICROS_PER_DAY;
    let (mut skewed, mut whole, mut rejects) = (Vec::new(), Vec::new(), BTreeMap::<&str, u64>::new());
    let mut noise = Noise(5);
    for (place, line) in lines.iter().enumerate() {
        let user: i64 = field(line, 7).parse().unwrap();
        let shift = match user % 12 {
            0 => 5 * HOUR,
            1 => -7 * HOUR,
            // Years 9900 and 20, and the day about 1970 in which microseconds change their sign.
            2 => 7_870 * YEAR,
            3 => -1_990 * YEAR,
            4 => -micros("2019-10-01 01:00:00 UTC"),
            // Clocks that are wrong from row to row, so that the order of the file is not that of the times.
            5 | 6 => (noise.below(7_200) as i64 - 3_600) * 1_000_000,
            _ => 0,
        };
        let mut line = at(line, micros(field(line, 0)) + shift);
        if place % 97 == 13 {
            let (text, reason) = INVALID[place / 97 % INVALID.len()];
            line = format!("{text}{}", &line[23..]);
            *rejects.entry(reason).or_default() += 1;
        } else {
            whole.push(line.clone());
        }
        skewed.push(line);
    }
    let (store, said) = store(folder.path(), "skewed", &skewed);
    assert_eq!((&said["account"]["rows"], &said["account"]["events"]), (&17_434.into(), &whole.len().into()));
    assert_eq!(said["account"]["rejects"], serde_json::json!(rejects));
    assert_eq!(rejects.values().sum::<u64>(), 180);
    sessions(&store, &["--cut-at-midnight", "UTC"]);
    let expected = oracle(&whole);
    let years: BTreeSet<String> = expected
        .iter()
        .map(|session| Timestamp::from_micros(session.start).to_string()[..2].to_owned())
        .collect();
    assert!(years.iter().eq(["00", "19", "20", "99"]), "{years:?}");
    assert_eq!(read(&store), expected);
}
