//! The public files that `CIP_DATA` points to; skipped, saying so, where it is unset.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::{Decimal128Type, Int32Type, Int64Type, UInt8Type};
use cip::store::read_table;

use crate::{args, cip};

pub(crate) fn data(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("CIP_DATA") else {
        println!("skipped: CIP_DATA is not set, so there is no {name}");
        return None;
    };
    Some(PathBuf::from(folder).join(name))
}

/// Counts of the head of the October 2019 clickstream, recomputed from the file with standard text tools.
#[test]
fn the_store_clickstream_is_counted_as_it_is() {
    let Some(file) = data("rees46_2019-Oct-head.csv") else { return };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let said = cip(args!["run", file, "--mapping", "rees46", "--out", out, "--json"]).ok().json();
    assert_eq!(said["account"]["rows"], 17_435);
    assert_eq!(said["account"]["events"], 17_434);
    assert_eq!(said["account"]["rejects"], serde_json::json!({ "field_count": 1 }));
    assert_eq!(said["tables"]["rejects.parquet"], 1);
    for (name, count) in
        [("users", 4_504), ("source_sessions", 5_066), ("session_codes", 5_067), ("products", 6_493)]
    {
        assert_eq!(said[name], count, "{name}");
    }
    assert_eq!(said["sessions"]["events"], 17_434);
    assert_eq!(said["rfm"]["as_of"], "2019-10-02");
}

/// As DuckDB finds them in `scripts/check_sql.py`.
#[test]
fn the_store_clickstream_has_its_funnel() {
    let Some(file) = data("rees46_2019-Oct-head.csv") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (folder.path().join("store"), folder.path().join("f.parquet"));
    cip(args!["ingest", file, "--mapping", "rees46", "--out", store]).ok();
    let steps = "view,cart,purchase";
    let said =
        cip(args!["funnel", store, "--steps", steps, "--within", "1d", "--out", out, "--json"]).ok().json();
    let of = |what: &str| {
        said["steps"].as_array().unwrap().iter().map(|step| step[what].clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("users"), [4_504, 111, 62]);
    assert_eq!(of("median_seconds"), [serde_json::Value::Null, 83.0.into(), 100.5.into()]);
    let carts = &said["abandonment"];
    assert_eq!((&carts["cart_sessions"], &carts["abandoned"]), (&111.into(), &49.into()));
}

/// A customer of the retail data, by the plainest reading of the files.
#[derive(Debug, Clone, PartialEq)]
struct Customer {
    id: i64,
    recency_days: i64,
    frequency: i64,
    /// Thousandths.
    monetary: i128,
}

/// Splits CSV text in which quoted fields may hold commas, quotes and line ends.
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            char => field.push(char),
        }
    }
    if !field.is_empty() || !record.is_empty() {
        record.push(field);
        records.push(record);
    }
    records
}

/// `12.5` as 12500.
fn thousandths(text: &str) -> i128 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = format!("{fraction:0<3}");
    assert_eq!(fraction.len(), 3, "{text}");
    sign * (whole.parse::<i128>().unwrap() * 1_000 + fraction.parse::<i128>().unwrap())
}

/// Days since 0000-03-01 of `YYYY-MM-DD`, by the civil calendar.
fn day_number(date: &str) -> i64 {
    let part = |range: std::ops::Range<usize>| date[range].parse::<i64>().unwrap();
    let (year, month, day) = (part(0..4), part(5..7), part(8..10));
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1
}

fn customers(folder: &Path, as_of: &str) -> (usize, Vec<Customer>) {
    let mut rows = 0;
    let mut found: BTreeMap<i64, (i64, BTreeSet<String>, i128)> = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(File::open(entry.unwrap().path()).unwrap())
            .read_to_string(&mut text)
            .unwrap();
        let records = records(&text);
        let header = [
            "InvoiceNo",
            "StockCode",
            "Description",
            "Quantity",
            "InvoiceDate",
            "UnitPrice",
            "CustomerID",
            "Country",
        ];
        assert_eq!(records[0], header);
        for record in &records[1..] {
            rows += 1;
            let invoice = &record[0];
            if record[6].is_empty() || invoice.starts_with('C') || invoice.starts_with('A') {
                continue;
            }
            let id = record[6].strip_suffix(".0").unwrap().parse().unwrap();
            let (last, invoices, monetary) = found.entry(id).or_insert((i64::MIN, BTreeSet::new(), 0));
            *last = (*last).max(day_number(&record[4]));
            invoices.insert(invoice.clone());
            *monetary += thousandths(&record[5]) * record[3].parse::<i128>().unwrap();
        }
    }
    let customer = |(id, (last, invoices, monetary)): (i64, (i64, BTreeSet<String>, i128))| Customer {
        id,
        recency_days: day_number(as_of) - last,
        frequency: invoices.len() as i64,
        monetary,
    };
    (rows, found.into_iter().map(customer).collect())
}

/// NTILE(5) OVER (ORDER BY key, user_id): the first tiles take the rest, one each.
fn ntile(customers: &[Customer], key: impl Fn(&Customer) -> i128) -> Vec<u8> {
    let mut order: Vec<usize> = (0..customers.len()).collect();
    order.sort_by_key(|&index| (key(&customers[index]), customers[index].id));
    let (each, rest) = (customers.len() / 5, customers.len() % 5);
    let tiles =
        (1u8..=5).flat_map(|tile| std::iter::repeat_n(tile, each + usize::from(usize::from(tile) <= rest)));
    let mut scores = vec![0; customers.len()];
    for (index, tile) in order.into_iter().zip(tiles) {
        scores[index] = tile;
    }
    scores
}

fn table(path: &Path) -> (Vec<Customer>, [Vec<u8>; 3]) {
    let (mut customers, mut scores) = (Vec::new(), [const { Vec::new() }; 3]);
    for batch in read_table(path).unwrap() {
        let batch = batch.unwrap();
        let column = |name| batch.column_by_name(name).unwrap();
        for row in 0..batch.num_rows() {
            customers.push(Customer {
                id: column("user_id").as_primitive::<Int64Type>().value(row),
                recency_days: i64::from(column("recency_days").as_primitive::<Int32Type>().value(row)),
                frequency: column("frequency").as_primitive::<Int64Type>().value(row),
                monetary: column("monetary").as_primitive::<Decimal128Type>().value(row),
            });
        }
        for (score, name) in scores.iter_mut().zip(["r", "f", "m"]) {
            score.extend_from_slice(column(name).as_primitive::<UInt8Type>().values());
        }
    }
    (customers, scores)
}

#[test]
fn every_retail_customer_has_the_score_of_the_definition() {
    let Some(source) = data("online_retail_daily") else { return };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let said = cip(args!["run", source, "--mapping", "online-retail", "--out", out, "--json"]).ok().json();
    assert_eq!(said["account"]["rows"], 541_909);
    assert_eq!(said["account"]["events"], 541_909);
    assert_eq!(said["rfm"]["as_of"], "2011-12-10", "the day after the last event");
    assert_eq!(said["rfm"]["customers"], 4_339);

    let (rows, expected) = customers(&source, "2011-12-10");
    assert_eq!((rows, expected.len()), (541_909, 4_339));
    let revenue: i128 = expected.iter().map(|customer| customer.monetary).sum();
    assert_eq!(revenue, 8_911_407_904);
    let segments = said["rfm"]["segments"].as_array().unwrap();
    let told: i128 = segments.iter().map(|segment| thousandths(segment["revenue"].as_str().unwrap())).sum();
    assert_eq!(told, revenue);

    let (found, scores) = table(&out.join("rfm_segments.parquet"));
    assert_eq!(found, expected);
    let by_orders = |customer: &Customer| match customer.frequency {
        ..=1 => 1,
        2 => 2,
        3 => 3,
        4..=5 => 4,
        6.. => 5,
    };
    let recency = ntile(&expected, |customer| -i128::from(customer.recency_days));
    let monetary = ntile(&expected, |customer| customer.monetary);
    assert_eq!(scores, [recency.clone(), expected.iter().map(by_orders).collect(), monetary.clone()]);

    let ntiles = folder.path().join("ntile.parquet");
    cip(args!["rfm", out.join("store"), "--as-of", "2011-12-10", "--scoring", "ntile", "--out", ntiles]).ok();
    let (found, scores) = table(&ntiles);
    assert_eq!(found, expected);
    assert_eq!(scores, [recency, ntile(&expected, |customer| i128::from(customer.frequency)), monetary]);
}

/// R 4.2.2: `dplyr::ntile` and `findInterval`, of purchases that R added up from the files itself (scripts/r_values.R).
#[test]
fn the_retail_scores_are_those_of_r() {
    let Some(source) = data("online_retail_daily") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (folder.path().join("store"), folder.path().join("r.parquet"));
    cip(args!["ingest", source, "--mapping", "online-retail", "--out", store]).ok();
    let run = |scoring: &[&str]| {
        let common = args!["rfm", store, "--as-of", "2011-12-10", "--out", out, "--scoring"];
        cip(common.into_iter().chain(scoring.iter().map(|arg| (*arg).into()))).ok();
        table(&out)
    };
    let (customers, [r, f, m]) = run(&["ntile"]);
    let codes: Vec<_> = r.iter().zip(&f).zip(&m).map(|((r, f), m)| [*r, *f, *m]).collect();
    let sum: i64 = (customers.iter().zip(&codes))
        .map(|(customer, [r, f, m])| {
            customer.id * i64::from(25 * u32::from(*r) + 5 * u32::from(*f) + u32::from(*m))
        })
        .sum();
    assert_eq!(sum, 6_180_984_327);
    for (code, expected) in
        [([5, 5, 5], 348), ([1, 1, 1], 184), ([5, 1, 2], 16), ([1, 5, 5], 5), ([3, 3, 3], 65)]
    {
        assert_eq!(codes.iter().filter(|found| **found == code).count(), expected, "{code:?}");
    }
    // The cuts are R's quantiles of type 7 as a retailer would write them.
    let cuts = [
        "cuts",
        "--recency-cuts",
        "14,33,72,181",
        "--frequency-cuts",
        "2,3,4,6",
        "--monetary-cuts",
        "250,490,942,2058",
    ];
    let (_, scores) = run(&cuts);
    let sizes =
        scores.map(|of| [1, 2, 3, 4, 5].map(|score| of.iter().filter(|found| **found == score).count()));
    assert_eq!(sizes, [[858, 869, 863, 881, 868], [1_494, 835, 508, 630, 872], [866, 870, 867, 868, 868]]);
}
