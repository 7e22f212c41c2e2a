//! Input that is broken, cut, huge or not CSV at all: a clear error or a counted reject, never a panic.

use std::path::PathBuf;

use cip_ingest::{Ingest, IngestError, SourceMapping};
use cip_store::StoreError;

use crate::{HEADER, ingest_text, rees46};

const GOOD: &str = "2019-10-01 00:00:00 UTC,view,1,2,,,3.00,7,72d76fde-8bb3-4e00-8c23-a032dfed738c";

fn message(text: impl AsRef<[u8]>) -> String {
    let error = ingest_text(text).unwrap_err();
    // Paths differ from run to run.
    error.to_string().split_once("events.csv ").map_or_else(|| error.to_string(), |(_, tail)| tail.to_owned())
}

#[test]
fn files_that_are_not_what_the_mapping_reads() {
    assert!(
        message("").starts_with("is empty: expected a header line with the columns event_time, event_type")
    );
    assert_eq!(
        message(format!("{HEADER}\n")),
        "there are no data rows in 1 source file(s), only headers: check the export"
    );
    let wrong = message("a,b,c\n1,2,3\n");
    assert!(wrong.contains("mapping `rees46`") && wrong.contains("missing `event_time`"), "{wrong}");
    assert!(wrong.contains("found `a,b,c`"), "{wrong}");
    assert!(message(format!("{HEADER},price\n{GOOD},1\n")).contains("stands 2 times"));
    assert!(message([0u8, 159, 146, 150, 10, 3]).starts_with("does not start with a CSV header"));
    assert!(message(b"\xff\xfee\0v\0").contains("UTF-16"));
}

#[test]
fn paths_that_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("store");
    let run = |path: PathBuf| Ingest::new(rees46()).run(&[path], &target, &mut |_| ()).unwrap_err();
    assert!(matches!(run(folder.path().join("none.csv")), IngestError::Io { .. }));
    assert!(matches!(run(folder.path().to_owned()), IngestError::NoSources { .. }));
    assert!(!target.exists());
}

#[test]
fn every_broken_row_is_a_reject_with_its_reason() {
    let session = "72d76fde-8bb3-4e00-8c23-a032dfed738c";
    let row = |time: &str, price: &str, user: &str, session: &str| {
        format!("{time},view,1,2,,,{price},{user},{session}")
    };
    let time = "2019-10-01 00:00:00 UTC";
    let cases = [
        ("field_count", format!("{time},view,1")),
        ("field_count", format!("{GOOD},extra")),
        ("invalid_time", row("yesterday", "1.00", "7", session)),
        ("missing_value", row("", "1.00", "7", session)),
        ("missing_value", row(time, "1.00", "", session)),
        ("scale", row(time, "1.005", "7", session)),
        ("invalid_money", row(time, "NaN", "7", session)),
        ("out_of_range", row(time, "99999999999999999999.00", "7", session)),
        ("invalid_integer", row(time, "1.00", "seven", session)),
        ("out_of_range", row(time, "1.00", "99999999999999999999", session)),
        ("invalid_uuid", row(time, "1.00", "7", "session-1")),
        ("text_after_quote", format!("{time},\"view\"s,1,2,,,1.00,7,{session}")),
        ("unclosed_quote", format!("{time},\"view,1,2,,,1.00,7,{session}")),
    ];
    let mut text = format!("{HEADER}\n");
    for (_, row) in &cases {
        text.push_str(&format!("{row}\n{GOOD}\n"));
    }
    text.push_str("\n\r\n");
    let (_folder, store, report) = ingest_text(&text).unwrap();
    assert_eq!(report.account.events, cases.len() as u64);
    assert_eq!(report.account.drops["blank_line"], 2);
    let mut found = Vec::new();
    for batch in store.rejects().unwrap().unwrap() {
        use arrow_array::cast::AsArray;
        let batch = batch.unwrap();
        let reasons =
            batch.column_by_name("reason").unwrap().as_dictionary::<arrow_array::types::Int32Type>();
        let lines = batch.column_by_name("line").unwrap().as_primitive::<arrow_array::types::UInt64Type>();
        let starts =
            batch.column_by_name("byte_start").unwrap().as_primitive::<arrow_array::types::UInt64Type>();
        let ends = batch.column_by_name("byte_end").unwrap().as_primitive::<arrow_array::types::UInt64Type>();
        let raws = batch.column_by_name("raw").unwrap().as_binary::<i32>();
        for row in 0..batch.num_rows() {
            let reason = reasons.values().as_string::<i32>().value(reasons.keys().value(row) as usize);
            found.push((reason.to_owned(), lines.value(row)));
            let bytes = &text.as_bytes()[starts.value(row) as usize..ends.value(row) as usize];
            assert_eq!(
                bytes.strip_suffix(b"\n").unwrap(),
                raws.value(row),
                "the byte range holds the raw line"
            );
        }
    }
    let expected: Vec<_> = cases
        .iter()
        .enumerate()
        .map(|(index, (reason, _))| (String::from(*reason), 2 + 2 * index as u64))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn line_ends_marks_and_quotes_that_real_files_have() {
    let crlf = format!("\u{feff}{HEADER}\r\n{GOOD}\r\n{GOOD}");
    let (_folder, _, report) = ingest_text(crlf).unwrap();
    assert_eq!((report.account.rows, report.account.events), (2, 2));

    let quoted = format!("{HEADER}\n2019-10-01 00:00:00 UTC,view,1,2,\"a,\"\"b\"\"\nc\",,3.00,7,\n{GOOD}\n");
    let (_folder, store, report) = ingest_text(quoted).unwrap();
    assert_eq!(report.account.events, 2);
    assert!(crate::event_lines(&store).iter().any(|line| line.contains("a,\"b\"\nc")));

    let invalid = [HEADER.as_bytes(), b"\n2019-10-01 00:00:00 UTC,view,1,2,,caf\xe9,3.00,7,\n"].concat();
    let (_folder, _, report) = ingest_text(invalid).unwrap();
    assert_eq!(report.account.rejects["invalid_utf8"], 1);
}

#[test]
fn a_field_of_ten_megabytes_costs_one_row() {
    let huge = "x".repeat(10 << 20);
    for text in [
        format!("{HEADER}\n{GOOD}\n2019-10-01 00:00:00 UTC,view,1,2,{huge},,3.00,7,\n{GOOD}\n"),
        format!("{HEADER}\n{GOOD}\n2019-10-01 00:00:00 UTC,view,1,2,\"{huge}\",,3.00,7,\n{GOOD}\n"),
        format!("{HEADER}\n{GOOD}\n{GOOD}\n2019-10-01 00:00:00 UTC,view,1,2,\"{huge}"),
    ] {
        let (_folder, _, report) = ingest_text(text).unwrap();
        assert_eq!((report.account.rows, report.account.events), (3, 2));
        assert_eq!(report.account.rejects["too_long"], 1);
    }
}

/// A quote that is closed only after more than a record may hold costs its own line, wherever chunks are cut.
#[test]
fn a_quote_closed_too_late_gives_the_same_bytes_for_any_chunk() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    let filler = format!("{GOOD}\n").repeat((1 << 20) / GOOD.len() + 50);
    let late = format!("{}\",,3.00,7,\n", "x".repeat(200_000));
    std::fs::write(
        &file,
        format!("{HEADER}\n{GOOD}\n2019-10-01 00:00:00 UTC,view,1,2,\"oops\n{filler}{late}{GOOD}\n"),
    )
    .unwrap();
    let run = |name: &str, chunk: usize| {
        let ingest = Ingest::new(rees46()).with_chunk_bytes(std::num::NonZeroUsize::new(chunk).unwrap());
        let (store, _) =
            ingest.run(std::slice::from_ref(&file), &folder.path().join(name), &mut |_| ()).unwrap();
        crate::bytes_of(store.path())
    };
    let whole = run("whole", 8 << 20);
    for chunk in [1 << 10, 100_000, 600_000, (1 << 20) + 100, 1_200_000] {
        assert!(run("cut", chunk) == whole, "chunks of {chunk} bytes");
    }
}

/// Rows of one mebibyte, larger than any share of the memory, and more of them than one row group should hold.
#[test]
fn rows_with_long_texts_stay_inside_their_row_groups() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    let mapping = SourceMapping::from_toml(
        "name = 'notes'\n[columns]\nevent_time = { from = 't', type = 'timestamp' }\n\
         event_type = { from = 'e', type = 'dictionary' }\nuser_id = { from = 'u', type = 'int64' }\n\
         note = { from = 'n', type = 'utf8' }\n",
    )
    .unwrap();
    let mut text = String::from("t,e,u,n\n");
    for row in 0..60 {
        text.push_str(&format!("2019-10-01,view,{},{}\n", row % 2, "n".repeat(1_040_000)));
    }
    std::fs::write(&file, text).unwrap();
    let run = |name: &str, memory: u64, threads: usize| {
        let ingest = Ingest::new(mapping.clone())
            .with_memory(cip_core::MemoryBudget::from_mib(memory))
            .with_threads(crate::threads(threads));
        ingest.run(std::slice::from_ref(&file), &folder.path().join(name), &mut |_| ()).unwrap().0
    };
    let (tight, roomy) = (run("tight", 112, 1), run("roomy", 2_048, 2));
    assert!(crate::bytes_of(tight.path()) == crate::bytes_of(roomy.path()), "the stores differ");
    let groups = tight.manifest().commits[0].events.iter().flat_map(|file| &file.row_groups);
    let rows: Vec<u64> = groups.map(|group| group.rows).collect();
    assert_eq!(rows.iter().sum::<u64>(), 60);
    assert!(rows.iter().all(|&rows| rows <= 25), "{rows:?}");
}

#[test]
fn archives_that_are_whole_and_cut() {
    use std::io::Write;
    let text = format!("{HEADER}\n{}", format!("{GOOD}\n").repeat(50_000));
    let folder = tempfile::tempdir().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::stream::encode_all(text.as_bytes(), 1).unwrap();
    for (name, bytes) in [("a.csv.gz", &gzip), ("b.csv.zst", &zstd)] {
        let file = folder.path().join(name);
        let target = folder.path().join("store");
        std::fs::write(&file, bytes).unwrap();
        let run =
            |file: &PathBuf| Ingest::new(rees46()).run(std::slice::from_ref(file), &target, &mut |_| ());
        assert_eq!(run(&file).unwrap().1.account.events, 50_000, "{name}");
        let kept = crate::bytes_of(&target);
        std::fs::write(&file, &bytes[..bytes.len() - 100]).unwrap();
        let error = run(&file).unwrap_err();
        assert!(matches!(error, IngestError::Compression { .. }), "{name}: {error}");
        assert_eq!(crate::bytes_of(&target), kept, "the old store is as it was");
    }
}

#[test]
fn more_rejects_than_allowed_stop_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    std::fs::write(&file, format!("{HEADER}\n{GOOD}\nx\ny\n")).unwrap();
    let target = folder.path().join("store");
    let ingest = Ingest::new(rees46()).with_max_rejects(1);
    let error = ingest.run(std::slice::from_ref(&file), &target, &mut |_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "2 rows were rejected, more than the 1 allowed; first: events.csv line 3: 1 fields, expected 9 (field_count)"
    );
    assert!(!target.exists());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn a_folder_that_cip_did_not_write_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    std::fs::write(&file, format!("{HEADER}\n{GOOD}\n")).unwrap();
    let error =
        Ingest::new(rees46()).run(std::slice::from_ref(&file), folder.path(), &mut |_| ()).unwrap_err();
    assert!(matches!(error, IngestError::Store(StoreError::NotOurs { .. })));
    assert!(file.exists());
}
