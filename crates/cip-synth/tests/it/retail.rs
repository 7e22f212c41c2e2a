//! The wholesaler: form, shares, cancellations, customers.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use cip_synth::{Generator, World};

use crate::csv::{is_time, rows, share};

const INVOICE: usize = 0;
const CODE: usize = 1;
const DESCRIPTION: usize = 2;
const QUANTITY: usize = 3;
const TIME: usize = 4;
const PRICE: usize = 5;
const CUSTOMER: usize = 6;
const COUNTRY: usize = 7;

/// 200,000 rows.
fn retail() -> &'static [Vec<String>] {
    static RETAIL: OnceLock<Vec<Vec<String>>> = OnceLock::new();
    RETAIL.get_or_init(|| rows(World::Retail, 200_000, 5))
}

#[test]
fn every_row_has_the_form_of_the_real_file() {
    for row in retail() {
        assert_eq!(row.len(), 8, "{row:?}");
        assert!(row[INVOICE].trim_start_matches('C').parse::<u32>().unwrap() >= 536_365, "{row:?}");
        assert!(is_time(&row[TIME], "0000-00-00 00:00:00") && row[TIME].ends_with(":00"), "{row:?}");
        let quantity: i32 = row[QUANTITY].parse().unwrap();
        assert!(quantity != 0 && (quantity < 0 || !row[INVOICE].starts_with('C')), "{row:?}");
        assert!(row[PRICE].contains('.') && row[PRICE].parse::<f64>().unwrap() >= 0.0, "{row:?}");
        let customer = &row[CUSTOMER];
        assert!(
            customer.is_empty() || customer.strip_suffix(".0").unwrap().parse::<u32>().unwrap() >= 12_346
        );
    }
    assert!(retail().is_sorted_by(|a, b| a[TIME] <= b[TIME]));
}

#[test]
fn shares_are_those_of_the_real_file() {
    let retail = retail();
    let invoices: HashSet<&str> = retail.iter().map(|row| row[INVOICE].as_str()).collect();
    let lines = retail.len() as f64 / invoices.len() as f64;
    assert!((17.0..23.0).contains(&lines), "{lines} rows an invoice");
    let within = |what: &str, range: std::ops::Range<f64>, share: f64| {
        assert!(range.contains(&share), "{what}: {share}")
    };
    within("no customer", 0.22..0.29, share(retail, |row| row[CUSTOMER].is_empty()));
    within("cancelled", 0.013..0.021, share(retail, |row| row[INVOICE].starts_with('C')));
    within("home", 0.86..0.96, share(retail, |row| row[COUNTRY] == "United Kingdom"));
    within("no description", 0.001..0.004, share(retail, |row| row[DESCRIPTION].is_empty()));
    within("comma", 0.05..0.25, share(retail, |row| row[DESCRIPTION].contains(',')));
    within("inches", 0.005..0.08, share(retail, |row| row[DESCRIPTION].contains('"')));
}

#[test]
fn an_invoice_is_one_customer_at_one_time() {
    let mut heads: HashMap<&str, [&str; 3]> = HashMap::new();
    let mut last = 0;
    for row in retail() {
        let head = [TIME, CUSTOMER, COUNTRY].map(|column| row[column].as_str());
        assert_eq!(*heads.entry(&row[INVOICE]).or_insert(head), head);
        let number: u32 = row[INVOICE].trim_start_matches('C').parse().unwrap();
        assert!(number == last || number == last + 1 || last == 0, "numbers run on");
        last = number;
    }
}

#[test]
fn a_cancellation_cancels_an_earlier_purchase() {
    let mut bought: HashMap<[&str; 3], i64> = HashMap::new();
    let mut cancelled = 0;
    for row in retail() {
        let quantity: i64 = row[QUANTITY].parse().unwrap();
        let what = [CUSTOMER, CODE, PRICE].map(|column| row[column].as_str());
        let balance = bought.entry(what).or_default();
        *balance += quantity;
        if row[INVOICE].starts_with('C') {
            cancelled += 1;
            assert!(*balance >= 0, "more came back than was bought: {row:?}");
        }
    }
    assert!(cancelled > 1_000);
}

#[test]
fn customers_order_at_rates_of_their_own() {
    let mut orders: HashMap<&str, HashSet<&str>> = HashMap::new();
    for row in retail().iter().filter(|row| !row[CUSTOMER].is_empty() && !row[INVOICE].starts_with('C')) {
        orders.entry(&row[CUSTOMER]).or_default().insert(&row[INVOICE]);
    }
    let mut counts: Vec<usize> = orders.values().map(HashSet::len).collect();
    counts.sort_unstable();
    let (median, top) = (counts[counts.len() / 2], counts[counts.len() - 1]);
    assert!((1..=4).contains(&median) && top > 20 * median, "median {median}, top {top}");
}

#[test]
fn there_is_a_file_for_every_open_day() {
    let folder = tempfile::tempdir().unwrap();
    let report = Generator::new(World::Retail, 30_000, 5).write_to(folder.path(), &mut |_| {}).unwrap();
    let names: Vec<String> = report
        .files
        .iter()
        .map(|file| file.path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names.len(), 312);
    assert_eq!((names[0].as_str(), names[311].as_str()), ("2010-12-01.csv", "2011-12-09.csv"));
    assert!(!names.contains(&"2010-12-04.csv".to_owned()), "a Saturday");
    for (file, name) in report.files.iter().zip(&names) {
        let text = std::fs::read_to_string(&file.path).unwrap();
        assert!(text.lines().skip(1).all(|line| line.contains(&name[..10])), "{name}");
    }
}
