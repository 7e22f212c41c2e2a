//! What holds for any input: every row is accounted for, and the bytes depend on the input alone.

use std::num::NonZeroUsize;

use cip_core::MemoryBudget;
use cip_ingest::{Ingest, SourceMapping};
use cip_store::EventLayout;
use proptest::prelude::*;

use crate::tags::checkout;
use crate::{HEADER, bytes_of, event_lines, layouts, lines_of, rees46, threads};

/// Rows that are mostly good, with some of everything that goes wrong.
fn row() -> impl Strategy<Value = String> {
    let session = prop_oneof![
        4 => (0u32..6).prop_map(|n| format!("72d76fde-8bb3-4e00-8c23-a032dfed73{n:02x}")),
        1 => Just(String::new()),
    ];
    let good = (0u32..2_000, prop_oneof!["view", "cart", "purchase"], 1u32..30, 1u32..9, session).prop_map(
        |(second, kind, product, user, session)| {
            let (minute, second) = (second / 60, second % 60);
            format!(
                "2019-10-01 00:{minute:02}:{second:02} UTC,{kind},{product},2,\"c,{product}\",b{},{product}.50,{user},{session}",
                product % 3
            )
        },
    );
    prop_oneof![8 => good, 1 => "[a-z,\"\r\n0-9]{0,40}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_row_is_accounted_for_and_the_bytes_depend_on_the_input_alone(
        rows in proptest::collection::vec(row(), 1..120),
        chunk in 1usize..400,
        workers in 1usize..4,
        tag: bool,
        layout in layouts(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("events.csv");
        std::fs::write(&file, format!("{HEADER}\n{}", rows.join("\n"))).unwrap();
        let run = |name: &str, ingest: Ingest| {
            let ingest = if tag { ingest.with_experiment(checkout()) } else { ingest };
            ingest.with_event_layout(layout).run(std::slice::from_ref(&file), &folder.path().join(name), &mut |_| ())
        };
        let plain = run("plain", Ingest::new(rees46()).with_threads(threads(1)));
        let other = run(
            "other",
            Ingest::new(rees46())
                .with_threads(threads(workers))
                .with_memory(MemoryBudget::from_mib(224))
                .with_chunk_bytes(NonZeroUsize::new(chunk).unwrap()),
        );
        match (plain, other) {
            (Ok((_, plain)), Ok((_, other))) => {
                plain.account.check().unwrap();
                prop_assert_eq!(plain, other);
                let (a, b) = (bytes_of(&folder.path().join("plain")), bytes_of(&folder.path().join("other")));
                prop_assert!(a == b, "the stores differ");
            }
            (plain, other) => prop_assert_eq!(
                plain.map(|_| ()).unwrap_err().to_string(),
                other.map(|_| ()).unwrap_err().to_string()
            ),
        }
    }

    /// A compact store is read as a plain one, by any columns.
    #[test]
    fn layouts_are_read_alike(
        rows in proptest::collection::vec(row(), 1..120),
        columns in proptest::sample::subsequence(
            vec!["event_time", "event_type", "product_id", "category_id", "category_code", "brand", "price", "user_id"],
            1..=8,
        ),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("events.csv");
        std::fs::write(&file, format!("{HEADER}\n{}", rows.join("\n"))).unwrap();
        let run = |layout: EventLayout| {
            let ingest = Ingest::new(rees46()).with_event_layout(layout);
            ingest.run(std::slice::from_ref(&file), &folder.path().join(layout.to_string()), &mut |_| ())
        };
        let (Ok((plain, _)), Ok((compact, report))) = (run(EventLayout::Plain), run(EventLayout::Compact)) else {
            return Ok(());
        };
        compact.verify().unwrap();
        prop_assert_eq!(event_lines(&plain), event_lines(&compact));
        prop_assert_eq!(lines_of(&plain.scan(&columns)), lines_of(&compact.scan(&columns)));
        let transactions = |store: &cip_store::EventStore| lines_of(&store.scan_transactions(&columns));
        prop_assert_eq!(transactions(&plain), transactions(&compact));
        if report.account.events > 0 {
            let offers = compact.manifest().commits[0].compact.as_ref().and_then(|compact| compact.offers.as_ref());
            prop_assert!(offers.is_some_and(|offers| 0 < offers.rows && offers.rows <= report.account.events));
        }
    }

    /// What a mapping says of every product is no part of what the rows say.
    #[test]
    fn constants_are_kept_in_either_layout(rows in proptest::collection::vec(row(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("events.csv");
        std::fs::write(&file, format!("{HEADER}\n{}", rows.join("\n"))).unwrap();
        let constant = SourceMapping::from_toml(
            "name = 'own brand'\n[columns]\nevent_time = { from = 'event_time', type = 'timestamp' }\n\
             event_type = { from = 'event_type', type = 'dictionary' }\n\
             product_id = { from = 'product_id', type = 'int64' }\n\
             brand = { constant = 'ours', type = 'dictionary' }\n\
             price = { from = 'price', type = 'money', scale = 2, nullable = true }\n\
             user_id = { from = 'user_id', type = 'int64' }\n",
        )
        .unwrap();
        let lines = [EventLayout::Plain, EventLayout::Compact].map(|layout| {
            let ingest = Ingest::new(constant.clone()).with_event_layout(layout);
            let store = ingest.run(std::slice::from_ref(&file), &folder.path().join(layout.to_string()), &mut |_| ());
            store.map(|(store, _)| event_lines(&store)).map_err(|error| error.to_string())
        });
        prop_assert_eq!(&lines[0], &lines[1]);
    }

    /// Files of the same rows in another order hold the same events: only ties keep the order of lines.
    #[test]
    fn the_order_of_rows_in_the_file_does_not_matter(
        seconds in proptest::collection::vec(0u32..3_000, 1..80).prop_shuffle(),
    ) {
        let line = |second: u32| {
            let user = second % 5;
            format!("2019-10-01 00:{:02}:{:02} UTC,view,{second},2,,,1.00,{user},\n", second / 60, second % 60)
        };
        let mut distinct = seconds.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let ordered: String = distinct.iter().map(|&second| line(second)).collect();
        let mut seen = std::collections::HashSet::new();
        let shuffled: String =
            seconds.iter().filter(|second| seen.insert(**second)).map(|&second| line(second)).collect();
        let store = |text: String| crate::ingest_text(format!("{HEADER}\n{text}")).unwrap();
        let (_a, ordered, _) = store(ordered);
        let (_b, shuffled, _) = store(shuffled);
        prop_assert_eq!(event_lines(&ordered), event_lines(&shuffled));
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_always_add_up(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let text = [HEADER.as_bytes(), b"\n", &bytes].concat();
        if let Ok((_folder, _, report)) = crate::ingest_text(text) {
            report.account.check().unwrap();
            prop_assert!(report.account.rows > 0);
        }
    }
}

/// Enough rows to spill, to be cut into several row groups, and to have one user who fills more than one of them.
#[test]
fn spilling_and_row_groups_do_not_change_the_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    let mut text = String::from(HEADER);
    text.push('\n');
    for row in 0u64..420_000 {
        let user = if row % 4 == 0 { row * 7_919 % 3_000 } else { 77 };
        let (minute, second) = (row / 60 % 60, row % 60);
        let session = row / 50 % 4_096;
        text.push_str(&format!(
            "2019-10-01 01:{minute:02}:{second:02} UTC,view,{},2,,,1.00,{user},72d76fde-8bb3-4e00-8c23-a032dfed{session:04x}\n",
            row % 1_000
        ));
    }
    std::fs::write(&file, text).unwrap();
    let run = |name: &str, layout: EventLayout, memory: u64, workers: usize| {
        let ingest =
            Ingest::new(rees46()).with_threads(threads(workers)).with_memory(MemoryBudget::from_mib(memory));
        let ingest = ingest.with_experiment(checkout()).with_event_layout(layout);
        let (store, report) =
            ingest.run(std::slice::from_ref(&file), &folder.path().join(name), &mut |_| ()).unwrap();
        assert_eq!(report.account.events, 420_000);
        store
    };
    let [plain, tight] = [EventLayout::Plain, EventLayout::Compact].map(|layout| {
        let roomy = run(&format!("roomy-{layout}"), layout, 4_096, 1);
        let tight = run(&format!("tight-{layout}"), layout, 152, 2);
        assert!(bytes_of(roomy.path()) == bytes_of(tight.path()), "the stores differ");
        tight
    });
    assert!(event_lines(&plain) == event_lines(&tight), "the layouts differ");
    let groups: Vec<u64> = tight.manifest().commits[0]
        .events
        .iter()
        .flat_map(|file| &file.row_groups)
        .map(|group| group.rows)
        .collect();
    assert!(
        groups.len() >= 2 && groups[..groups.len() - 1].iter().all(|&rows| rows >= 131_072),
        "{groups:?}"
    );

    // One partition holds all of the large user, and no user is in two.
    let mut last = None;
    let mut rows = 0;
    for partition in tight.scan(&["user_id"]).partitions() {
        for events in partition.batches().unwrap() {
            let events = events.unwrap();
            rows += events.len();
            for (user, _) in events.users().unwrap().runs() {
                let user = user.map(cip_core::IdRef::to_owned);
                assert!(last <= user, "users ascend");
                last = user;
            }
        }
    }
    assert_eq!(rows, 420_000);
}

#[test]
fn text_users_and_unknown_users_keep_the_order_of_the_contract() {
    let mapping = SourceMapping::from_toml(
        "name = 'text'\n[columns]\nevent_time = { from = 't', type = 'timestamp', format = 'epoch_seconds' }\n\
         event_type = { from = 'e', type = 'dictionary', rename = { buy = 'purchase' } }\n\
         user_id = { from = 'u', type = 'utf8', nullable = true }\nnote = { from = 'n', type = 'utf8', nullable = true }\n\
         [[drop]]\nrule = 'tests'\ncolumn = 'u'\nstarts_with = 'test-'\n",
    )
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    let rows = "t,e,u,n\n5,view,customer-0002,b\n4,buy,customer-0002,a\n9,view,customer-00010,c\n1,view,,x\n0,view,,y\n\
                3,view,test-1,z\n2,view,éa,\n";
    std::fs::write(&file, rows).unwrap();
    let (store, report) =
        Ingest::new(mapping).run(&[file], &folder.path().join("store"), &mut |_| ()).unwrap();
    assert_eq!(report.account.drops["tests"], 1);
    let mut found = Vec::new();
    for partition in store.scan(&["user_id", "event_time", "event_type"]).partitions() {
        for events in partition.batches().unwrap() {
            let events = events.unwrap();
            for row in 0..events.len() {
                let user = events.users().unwrap().get(row).map(|user| user.to_string());
                found.push((
                    user,
                    events.times().unwrap().value(row) / 1_000_000,
                    events.kinds().unwrap()[row],
                ));
            }
        }
    }
    use cip_core::EventKind::{Purchase, View};
    let user = |name: &str| Some(name.to_owned());
    assert_eq!(
        found,
        [
            (user("customer-00010"), 9, View),
            (user("customer-0002"), 4, Purchase),
            (user("customer-0002"), 5, View),
            (user("éa"), 2, View),
            (None, 0, View),
            (None, 1, View),
        ]
    );
}

#[test]
fn a_budget_too_small_is_refused_with_the_smallest_that_would_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    std::fs::write(&file, format!("{HEADER}\n")).unwrap();
    let ingest = Ingest::new(rees46()).with_threads(threads(2)).with_memory(MemoryBudget::from_mib(8));
    let error = ingest.run(&[file], &folder.path().join("store"), &mut |_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ingest needs at least 144MiB of memory, but the budget is 8MiB: give it 144MiB or more"
    );
}
