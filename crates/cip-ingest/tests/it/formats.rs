//! The same rows in other formats: delimiters that are found, JSON lines, columns between blanks.

use std::path::PathBuf;

use arrow_array::cast::AsArray;
use cip_core::Timestamp;
use cip_ingest::{ColumnRule, FileFormat, Ingest, IngestReport, SourceMapping, TimeFormat};
use cip_store::EventStore;
use proptest::prelude::*;

use crate::{HEADER, bytes_of, rees46, threads};

fn ingest(
    mapping: SourceMapping,
    name: &str,
    text: impl AsRef<[u8]>,
) -> Result<(tempfile::TempDir, EventStore, IngestReport), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    std::fs::write(&file, text).unwrap();
    let done = Ingest::new(mapping).run(&[file], &folder.path().join("store"), &mut |_| ());
    let (store, report) = done.map_err(|error| error.to_string())?;
    Ok((folder, store, report))
}

/// The events of a store as lines of text, whatever their files are called.
pub(crate) fn event_lines(store: &EventStore) -> Vec<String> {
    let is_file = |field: &&str| store.manifest().sources().any(|source| source.name == **field);
    let lines = crate::event_lines(store).into_iter();
    lines.map(|line| line.split(',').filter(|field| !is_file(field)).collect::<Vec<_>>().join(",")).collect()
}

fn lines(mapping: SourceMapping, name: &str, text: &str) -> Vec<String> {
    event_lines(&ingest(mapping, name, text).unwrap().1)
}

const ROWS: [&str; 3] = [
    "2019-10-01 00:00:00 UTC,view,1,2,a.b,c,1.50,7,72d76fde-8bb3-4e00-8c23-a032dfed7300",
    "2019-10-01 00:00:01 UTC,cart,1,2,,c,1.50,7,72d76fde-8bb3-4e00-8c23-a032dfed7300",
    "2019-10-01 00:00:02 UTC,view,3,,,,,8,",
];

fn json(header: &str, row: &str) -> String {
    let members = header.split(',').zip(row.split(',')).filter(|(_, value)| !value.is_empty());
    let member = |(key, value): (&str, &str)| match value.parse::<f64>() {
        Ok(_) => format!("\"{key}\": {value}"),
        Err(_) => format!("\"{key}\":{}", serde_json::json!(value)),
    };
    format!("{{{}}}", members.map(member).collect::<Vec<_>>().join(", "))
}

#[test]
fn a_delimiter_is_found_by_the_header() {
    let expected = lines(rees46(), "e.csv", &format!("{HEADER}\n{}\n", ROWS.join("\n")));
    assert_eq!(expected.len(), 3);
    for delimiter in [";", "\t", "|"] {
        let text = format!("{HEADER}\n{}\n", ROWS.join("\n")).replace(',', delimiter);
        assert_eq!(lines(rees46(), "e.tsv", &text), expected);
    }
    // The likeliest one's error says most.
    let error = ingest(rees46(), "e.csv", "a;b\n1;2\n").map(|_| ()).unwrap_err();
    assert!(error.contains("missing `event_time`") && error.contains("found `a;b`"), "{error}");
    let declared = SourceMapping::builder("x")
        .with_column("event_time", ColumnRule::timestamp("t"))
        .with_column("event_type", ColumnRule::dictionary("e"))
        .with_delimiter(',')
        .build()
        .unwrap();
    assert!(ingest(declared, "e.csv", "t;e\n2019-10-01;view\n").is_err(), "what is declared is not searched");
}

#[test]
fn a_delimiter_that_is_never_searched_for_can_be_declared() {
    let mapping = |declared: &str| {
        let columns = "[columns]\nevent_time = { from = 't', type = 'timestamp' }\n\
                       event_type = { from = 'e', type = 'dictionary' }";
        SourceMapping::from_toml(&format!("name = 'x'\n{declared}\n{columns}")).unwrap()
    };
    let text = "t^e\n2019-10-01^\"a^b,c\"\n2019-10-02^view\n";
    let (_folder, store, report) = ingest(mapping("delimiter = '^'"), "e.csv", text).unwrap();
    assert_eq!(
        (report.account.rows, report.account.events, store.manifest().account().rejected()),
        (2, 2, 0)
    );
    let mut types: Vec<String> = Vec::new();
    for partition in store.scan(&["event_type"]).partitions() {
        for events in partition.batches().unwrap() {
            let batch = events.unwrap().record_batch().clone();
            let text = arrow_cast::cast(batch.column(0), &arrow_schema::DataType::Utf8).unwrap();
            types.extend(text.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
    }
    assert_eq!(types, ["a^b,c", "view"]);
    let error = ingest(mapping(""), "e.csv", text).map(|_| ()).unwrap_err();
    assert!(error.contains("missing `t`"), "{error}");
}

#[test]
fn json_lines_are_told_by_their_first_byte() {
    let expected = lines(rees46(), "e.csv", &format!("{HEADER}\n{}\n", ROWS.join("\n")));
    let text: String = ROWS.iter().map(|row| json(HEADER, row) + "\n").collect();
    let (folder, store, report) = ingest(rees46(), "e.ndjson", format!("\u{feff}{text}\n")).unwrap();
    assert_eq!(event_lines(&store), expected);
    assert_eq!((report.account.rows, report.account.drops["blank_line"]), (4, 1));
    drop(folder);
    // Compressed, and found in a folder by its name.
    let folder = tempfile::tempdir().unwrap();
    let zstd = zstd::encode_all(text.as_bytes(), 1).unwrap();
    std::fs::write(folder.path().join("e.jsonl.zst"), zstd).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "no source").unwrap();
    let target = folder.path().join("store");
    let (store, _) = Ingest::new(rees46()).run(&[folder.path().to_owned()], &target, &mut |_| ()).unwrap();
    assert_eq!(event_lines(&store), expected);
}

#[test]
fn json_lines_keep_every_row_and_say_what_is_wrong() {
    let good = json(HEADER, ROWS[0]);
    let more = good.replace('{', "{\"extra\": {\"deep\": [1, \"}\"]}, ");
    let text = [
        good.as_str(),
        "{\"event_time\": \"2019-10-01 00:00:00 UTC\"",
        "[1, 2]",
        more.as_str(),
        &good.replace("\"user_id\"", "\"price\""),
        &good.replace("1.50", "1e3"),
        &good.replace("\"view\"", "null"),
        &good.replace("\"view\"", "\"\\u0076iew\""),
    ];
    let (folder, store, report) = ingest(rees46(), "e.ndjson", text.join("\r\n")).unwrap();
    let rejects: Vec<(&str, u64)> =
        report.account.rejects.iter().map(|(reason, &rows)| (reason.as_str(), rows)).collect();
    assert_eq!(rejects, [("invalid_json", 3), ("invalid_money", 1), ("missing_value", 1)]);
    assert_eq!((report.account.rows, report.account.events), (8, 3));
    assert_eq!(report.unmapped_columns, [""; 0], "the first record has no other keys");
    let lines = event_lines(&store);
    assert!(lines.windows(2).all(|pair| pair[0] == pair[1]), "{lines:?}");
    let reject = store.rejects().unwrap().unwrap().next().unwrap().unwrap();
    let details = format!("{:?}", reject.column_by_name("detail").unwrap());
    for said in ["not a JSON object: EOF", "the key `price` stands twice", "`1e3` is not an amount"] {
        assert!(details.contains(said), "{said} in {details}");
    }
    drop(folder);
    let (_folder, _, report) = ingest(rees46(), "e.ndjson", more).unwrap();
    assert_eq!(report.unmapped_columns, ["extra"]);
    let error = ingest(rees46(), "e.ndjson", "{\"a\": 1}\n").map(|_| ()).unwrap_err();
    assert!(error.contains("missing all of `event_time`"), "{error}");
}

#[test]
fn files_without_a_header_line_are_told_by_their_fields() {
    let mapping = || SourceMapping::built_in("cdnow").unwrap();
    let with_header = " customer_id  date number_of_cds  dollar_value\r\n 00004 19970101  2   29.33\r\n 00004 19970118  2   29.73\r\n";
    let without = " 00004 0001 19970101  2   29.33\r\n 00004 0001 19970118  2   29.73\r\n   \r\n";
    let expected = lines(mapping(), "master.txt", with_header);
    assert_eq!(expected.len(), 2);
    assert_eq!(lines(mapping(), "sample.txt", without), expected);
    let error = ingest(mapping(), "other.txt", "1 2 3\n").map(|_| ()).unwrap_err();
    assert!(error.contains("missing `customer_id`"), "{error}");
    for (wrong, said) in [
        ("format = 'blanks'\ndelimiter = ','", "have no delimiter"),
        ("without_header = [['t', 'x']]", "must name `e`, which the mapping reads, once"),
        ("without_header = [['t', 'e'], ['e', 't']]", "must stand once"),
        ("format = 'xml'", "unknown variant `xml`"),
    ] {
        let toml = format!(
            "name = 'x'\n{wrong}\n[columns]\nevent_time = {{ from = 't', type = 'timestamp' }}\n\
             event_type = {{ from = 'e', type = 'dictionary' }}"
        );
        let error = SourceMapping::from_toml(&toml).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn the_forms_of_times_that_sources_write() {
    let time = |format: TimeFormat, text: &str| {
        let mapping = SourceMapping::builder("x")
            .with_column("event_time", ColumnRule::timestamp("t").with_format(format))
            .with_column("event_type", ColumnRule::dictionary("e"))
            .build()
            .unwrap();
        let (_folder, store, report) = ingest(mapping, "e.csv", format!("t,e\n{text},view\n")).unwrap();
        let first = || Timestamp::from_micros(store.manifest().time_span().unwrap()[0]).to_string();
        (report.account.events == 1).then(first)
    };
    for (format, text, expected) in [
        (TimeFormat::BasicDate, "19970228", "1997-02-28"),
        (TimeFormat::MonthFirst, "12/1/2010 8:26", "2010-12-01T08:26:00Z"),
        (TimeFormat::MonthFirst, "02/29/2012 23:59:59", "2012-02-29T23:59:59Z"),
        (TimeFormat::MonthFirst, "1/31/2011", "2011-01-31"),
    ] {
        assert_eq!(time(format, text).as_deref(), Some(expected), "{text}");
    }
    for (format, text) in [
        (TimeFormat::BasicDate, "19970229"),
        (TimeFormat::BasicDate, "1997-2-28"),
        (TimeFormat::BasicDate, "199702281"),
        (TimeFormat::MonthFirst, "31/12/2010 8:26"),
        (TimeFormat::MonthFirst, "2/30/2010"),
        (TimeFormat::MonthFirst, "12/1/10 8:26"),
        (TimeFormat::MonthFirst, "12/1/2010 8:6"),
        (TimeFormat::MonthFirst, "12/1/2010 24:00"),
        (TimeFormat::MonthFirst, "12/1/2010 8:26 PM"),
        (TimeFormat::MonthFirst, "12/1/2010T8:26"),
    ] {
        assert_eq!(time(format, text), None, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Wherever chunks are cut and on any number of threads, JSON lines and blanks give the same store and lose no row.
    #[test]
    fn the_bytes_depend_on_the_input_alone(
        rows in proptest::collection::vec(
            prop_oneof![
                3 => (0usize..3).prop_map(|row| json(HEADER, ROWS[row])),
                1 => "[{}\":,a-c0-9 \r]{0,20}",
            ],
            1..40,
        ),
        chunk in 1usize..300,
        workers in 1usize..4,
        blanks: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file: PathBuf = folder.path().join("e.ndjson");
        let (mapping, text) = if blanks {
            let rows = rows.iter().enumerate().map(|(n, row)| match row.len() % 3 {
                0 => row.clone(),
                _ => format!(" {n}  1997010{}\t1 {}.50", n % 10, row.len()),
            });
            (SourceMapping::built_in("cdnow").unwrap(), format!("1 19970101 1 2.00\n{}", rows.collect::<Vec<_>>().join("\n")))
        } else {
            (rees46(), format!("{}\n{}", json(HEADER, ROWS[0]), rows.join("\n")))
        };
        std::fs::write(&file, &text).unwrap();
        let run = |name: &str, ingest: Ingest| {
            ingest.run(std::slice::from_ref(&file), &folder.path().join(name), &mut |_| ()).unwrap().1
        };
        let plain = run("plain", Ingest::new(mapping.clone()).with_threads(threads(1)));
        let other = Ingest::new(mapping).with_threads(threads(workers));
        let other = run("other", other.with_chunk_bytes(chunk.try_into().unwrap()));
        plain.account.check().unwrap();
        prop_assert_eq!(plain.account.rows, text.strip_suffix('\n').unwrap_or(&text).split('\n').count() as u64);
        prop_assert_eq!(plain, other);
        prop_assert!(bytes_of(&folder.path().join("plain")) == bytes_of(&folder.path().join("other")));
    }
}

#[test]
fn a_declared_format_is_not_guessed() {
    let mapping = SourceMapping::builder("x")
        .with_column("event_time", ColumnRule::timestamp("{t"))
        .with_column("event_type", ColumnRule::dictionary("e"))
        .with_format(FileFormat::Csv)
        .build()
        .unwrap();
    assert_eq!(lines(mapping, "e.csv", "{t,e\n2019-10-01,view\n").len(), 1);
}
