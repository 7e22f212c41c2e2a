//! Pairs that do not fit the memory are the same pairs.

use std::fs;

use cip::basket::{Baskets, Pairs};
use cip::core::MemoryBudget;
use cip::ingest::Ingest;
use cip::line::Line;

use crate::source::Kind;
use crate::threads;

#[test]
fn pairs_of_any_budget_have_the_same_bytes_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut csv = String::from(
        "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n",
    );
    for row in 0u64..500_000 {
        let product = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
        let (user, session, minute) = (row / 24, row / 6, row % 60);
        csv.push_str(&format!(
            "2019-10-01 10:{minute:02}:00 UTC,view,{product},1,,,1.00,{user},00000000-0000-4000-8000-{session:012}\n"
        ));
    }
    fs::write(at("events.csv"), csv).unwrap();
    let ingest = Ingest::new(Kind::Clicks.mapping());
    let (store, _) = ingest.run(&[at("events.csv")], &at("store"), &mut |_| ()).unwrap();
    let write = |budget: MemoryBudget, threads_used: usize| {
        let line = Line::new(&store).with_threads(threads(threads_used));
        let baskets = Baskets::new(store.schema(), budget).unwrap().with_revenue().unwrap();
        let totals = line.write_pairs(&baskets, Pairs::new(2).unwrap(), &at("pairs.parquet"));
        totals.map(|totals| (totals, fs::read(at("pairs.parquet")).unwrap()))
    };
    let whole = write(MemoryBudget::from_mib(64), 2).unwrap();
    assert!(whole.0.pairs > 2_000, "{:?}", whole.0);
    // The baskets of a part of the users alone exceed a third of this; those of all exceed it by far.
    for threads in [1, 3] {
        assert!(write(MemoryBudget::from_mib(4), threads).unwrap() == whole);
    }
    let names =
        || fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert!(names().iter().all(|name| !name.to_string_lossy().contains("scratch")), "{:?}", names());
    // Where not even the products fit, the table stays as it is.
    let refused = write(MemoryBudget::from_bytes(1 << 12), 2).unwrap_err().to_string();
    assert!(refused.contains("needs at least"), "{refused}");
    assert!(fs::read(at("pairs.parquet")).unwrap() == whole.1);
}
