//! Sessions of other rules over a store: those of the kernel over all its rows, on any number of threads.

use std::fs;
use std::time::Duration;

use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::{Int64Type, TimestampMicrosecondType};
use cip::core::EventBatch;
use cip::ingest::{Ingest, SourceMapping};
use cip::line::Line;
use cip::sessionize::{Midnight, SessionRule, compare_sessions, sessionize};
use cip::store::EventStore;

use crate::laws::many_rows;
use crate::{batches, threads};

/// A store of several row groups, with sessions of the source and brands.
fn store(folder: &std::path::Path) -> EventStore {
    let mut text = String::from(
        "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n",
    );
    for (n, row) in many_rows().iter().enumerate().take(300_000) {
        let (day, second) = (row.time / 86_400, row.time % 86_400);
        let time = format!("{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60);
        let brand = ["", "", "aqua", "", "elenberg"][n * 7 % 5];
        let session = if n % 11 == 0 {
            String::new()
        } else {
            format!("00000000-0000-0000-0000-{:012}", second / 1_800 + day * 48)
        };
        let (kind, product, user) = (row.kind, row.product, row.user.unwrap_or_default());
        text.push_str(&format!(
            "2019-10-{:02} {time} UTC,{kind},{product},1,,{brand},1.00,{user},{session}\n",
            day + 1
        ));
    }
    let file = folder.join("events.csv");
    fs::write(&file, text).unwrap();
    let mapping = SourceMapping::built_in("rees46").unwrap();
    Ingest::new(mapping).run(&[file], &folder.join("store"), &mut |_| ()).unwrap().0
}

fn all_rows(store: &EventStore, columns: &[&str]) -> Vec<EventBatch> {
    let partitions = store.scan(columns).partitions();
    partitions.iter().flat_map(|partition| partition.batches().unwrap().map(|batch| batch.unwrap())).collect()
}

#[test]
fn any_rule_over_a_store_is_that_of_its_rows_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let hour = Duration::from_secs(3_600);
    let cut = |rule: SessionRule| rule.with_max_length(hour).unwrap().with_attribute_cut("brand");
    for rule in [
        cut(SessionRule::default()).with_day_cut(Midnight::UTC),
        SessionRule::source(),
        cut(SessionRule::source()).with_day_cut("+05:30".parse().unwrap()),
    ] {
        let rows = all_rows(&store, &rule.columns());
        let expected = sessionize(rule.clone(), &rows).unwrap();
        let written = [1, 3].map(|n| {
            let path = folder.path().join(format!("sessions{n}.parquet"));
            let line = Line::new(&store).with_threads(threads(n));
            let totals = line.write_sessions(rule.clone(), &path).unwrap();
            let tables = batches(&path);
            let mut start = 0;
            for table in &tables {
                assert_eq!(table, &expected.slice(start, table.num_rows()), "{rule:?}");
                start += table.num_rows();
            }
            assert_eq!((start, totals.sessions), (expected.num_rows(), start as u64));
            (fs::read(path).unwrap(), totals)
        });
        assert!(written[0] == written[1], "what is written depends on the threads");
        assert_eq!(written[0].1.events, 300_000);

        let number = |name: &str| expected.column_by_name(name).unwrap().as_primitive::<Int64Type>().values();
        let time =
            |name: &str| expected.column_by_name(name).unwrap().as_primitive::<TimestampMicrosecondType>();
        let engaged = (0..expected.num_rows()).filter(|&row| {
            let micros = time("session_end").value(row) - time("session_start").value(row);
            micros > 10_000_000 || number("views")[row] >= 2 || number("purchases")[row] >= 1
        });
        let engaged = engaged.count() as u64;
        assert_eq!(written[0].1.engaged_sessions, engaged);
        assert_eq!(written[0].1.engagement_rate(), Some(engaged as f64 / written[0].1.sessions as f64));
    }
}

#[test]
fn the_comparison_with_the_source_is_that_of_the_rows_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let rule = SessionRule::new(Duration::from_secs(600)).unwrap();
    for rule in [rule.clone(), rule.with_attribute_cut("brand")] {
        let columns = cip::sessionize::SourceComparer::columns(&rule);
        let expected = compare_sessions(rule.clone(), &all_rows(&store, &columns)).unwrap();
        assert!(expected.exact > 0 && expected.split > 0 && expected.merged > 0, "{expected:?}");
        for n in [1, 3] {
            let line = Line::new(&store).with_threads(threads(n));
            assert_eq!(line.compare_sessions(&rule).unwrap(), expected);
        }
    }
    assert!(Line::new(&store).compare_sessions(&SessionRule::source()).is_err());
    let out = folder.path().join("refused.parquet");
    let rule = SessionRule::default().with_attribute_cut("campaign");
    let error = Line::new(&store).write_sessions(rule, &out).unwrap_err().to_string();
    assert!(error.starts_with("the events have no column `campaign`") && !out.exists(), "{error}");
}
