//! CSV in a dialect that is declared: the same rows as in the usual one, and the same account.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, UInt64Type};
use cip_ingest::{
    Dialect, Erasure, FileFormat, Ingest, IngestError, IngestReport, MappingError, Quote, SourceMapping,
};
use cip_store::EventStore;
use proptest::prelude::*;

use crate::{HEADER, event_lines, rees46, threads};

const USUAL: Dialect = Dialect::new();

/// Exchanges comma and double quote for the characters of another dialect, and these for them.
fn exchanged(text: &str, delimiter: char, quote: char) -> String {
    let exchange = |mark| match mark {
        ',' => delimiter,
        '"' => quote,
        mark if mark == delimiter => ',',
        mark if mark == quote => '"',
        mark => mark,
    };
    text.chars().map(exchange).collect()
}

/// Rows of which the category has a comma and a quote, and some that are none; the characters of other dialects are text.
fn row() -> impl Strategy<Value = String> {
    let good = (0u32..60, prop_oneof!["view", "cart"], 1u32..9, 1u32..5).prop_map(|(second, kind, product, user)| {
        format!("2019-10-01 00:00:{second:02} UTC,{kind},{product},2,\"c,\"\"{product}\",b;'{product},1.50,{user},")
    });
    prop_oneof![6 => good, 1 => "[a-z,;'|\"\r\n0-9]{0,40}"]
}

fn ingest(folder: &Path, text: &str, ingest: &Ingest) -> Result<(EventStore, IngestReport), IngestError> {
    let file: PathBuf = folder.join("events.csv");
    std::fs::write(&file, text).unwrap();
    ingest.run(&[file], &folder.join("store"), &mut |_| ())
}

/// Line, bytes, reason and text of every reject.
fn rejects(store: &EventStore) -> Vec<(u64, u64, u64, String, String)> {
    let mut found = Vec::new();
    for batch in store.rejects().unwrap().unwrap() {
        let batch = batch.unwrap();
        let number = |name| batch.column_by_name(name).unwrap().as_primitive::<UInt64Type>().clone();
        let [line, start, end] = ["line", "byte_start", "byte_end"].map(number);
        let reasons = batch.column_by_name("reason").unwrap().as_dictionary::<Int32Type>();
        let raw = batch.column_by_name("raw").unwrap().as_binary::<i32>();
        for row in 0..batch.num_rows() {
            let reason = reasons.values().as_string::<i32>().value(reasons.keys().value(row) as usize);
            let raw = String::from_utf8(raw.value(row).to_vec()).unwrap();
            found.push((line.value(row), start.value(row), end.value(row), reason.to_owned(), raw));
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_file_in_other_characters_gives_the_same_rows(
        rows in proptest::collection::vec(row(), 1..60),
        delimiter in proptest::sample::select(vec![';', '|', '\t', '\'', ',']),
        quote in proptest::sample::select(vec!['\'', '|', '$', '"', '~']),
        declared_by_mapping: bool,
        chunk in 1usize..400,
        workers in 1usize..4,
    ) {
        prop_assume!(delimiter != quote);
        let usual = format!("{HEADER}\n{}", rows.join("\n"));
        let other = exchanged(&usual, delimiter, quote);
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let expected = ingest(one.path(), &usual, &Ingest::new(rees46()));
        let dialect = Dialect::new().with_delimiter(delimiter).with_quote(Quote::Mark(quote));
        let reader = if declared_by_mapping {
            let toml = include_str!("../../mappings/rees46.toml");
            let quoted = |mark: char| toml::Value::String(mark.to_string());
            let declared = format!("delimiter = {}\nquote = {}\n{toml}", quoted(delimiter), quoted(quote));
            Ingest::new(SourceMapping::from_toml(&declared).unwrap())
        } else {
            Ingest::new(rees46()).with_dialect(dialect).unwrap()
        };
        let reader = reader.with_threads(threads(workers)).with_chunk_bytes(NonZeroUsize::new(chunk).unwrap());
        let found = ingest(two.path(), &other, &reader);
        let ((expected, expected_report), (found, found_report)) = match (expected, found) {
            (Ok(expected), Ok(found)) => (expected, found),
            (expected, found) => {
                prop_assert!(expected.is_err() && found.is_err());
                return Ok(());
            }
        };
        found_report.account.check().unwrap();
        prop_assert_eq!(&found_report.account, &expected_report.account);
        // The words of a category and a brand are exchanged with the rest.
        let back: Vec<String> = rejects(&found).iter().map(|row| exchanged(&row.4, delimiter, quote)).collect();
        let places = |store: &EventStore| -> Vec<(u64, u64, u64, String)> {
            rejects(store).into_iter().map(|(line, start, end, reason, _)| (line, start, end, reason)).collect()
        };
        prop_assert_eq!(places(&found), places(&expected));
        prop_assert_eq!(back, rejects(&expected).into_iter().map(|row| row.4).collect::<Vec<_>>());
        let lines: Vec<String> = event_lines(&expected).iter().map(|line| {
            // What stands between the columns of a line of this test is no text of theirs.
            let columns = line.split(',').collect::<Vec<_>>();
            let middle = columns.len() - 3;
            let category = exchanged(&columns[5..middle - 1].join(","), delimiter, quote);
            let brand = exchanged(columns[middle - 1], delimiter, quote);
            [&columns[..5].join(","), &category, &brand, &columns[middle..].join(",")].map(String::as_str).join(",")
        }).collect();
        prop_assert_eq!(event_lines(&found), lines);
        if !declared_by_mapping {
            // The mapping of the store is the one that was given.
            prop_assert_eq!(&found.manifest().mapping, &expected.manifest().mapping);
        }
    }

    /// Without quotes every line is a row, and its fields stand between delimiters.
    #[test]
    fn without_quotes_every_line_is_a_row(
        rows in proptest::collection::vec("2019-10-0[1-9],[a-c\"]{1,3},[\"',a-c]{0,4}\r?|[a-c,\"\r]{0,20}", 1..60),
        chunk in 1usize..100,
        last_end: bool,
    ) {
        let mapping = SourceMapping::from_toml(
            "name = 'plain'\nquote = 'none'\n[columns]\nevent_time = { from = 't', type = 'timestamp' }\n\
             event_type = { from = 'e', type = 'dictionary' }\nword = { from = 'w', type = 'utf8', nullable = true }\n",
        ).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let text = format!("t,e,w\n{}{}", rows.join("\n"), if last_end { "\n" } else { "" });
        let reader = Ingest::new(mapping).with_chunk_bytes(NonZeroUsize::new(chunk).unwrap());
        // By hand: the lines, and of those that are not empty the fields.
        let mut lines: Vec<&str> = text.strip_suffix('\n').unwrap_or(&text).split('\n').skip(1).collect();
        if !last_end && lines.last() == Some(&"") {
            lines.pop();
        }
        let lines: Vec<&str> = lines.into_iter().map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
        let mut events: Vec<(String, String, String)> = Vec::new();
        for fields in lines.iter().map(|line| line.split(',').collect::<Vec<_>>()) {
            if let [time, kind, word] = fields[..] && time.starts_with("2019") && !kind.is_empty() {
                events.push((time.to_owned(), kind.to_owned(), word.to_owned()));
            }
        }
        events.sort_by(|a, b| a.0.cmp(&b.0));
        let blank = lines.iter().filter(|line| line.is_empty()).count() as u64;
        let (store, report) = match ingest(folder.path(), &text, &reader) {
            Ok(done) => done,
            Err(error) => {
                prop_assert!(lines.is_empty(), "{}", error);
                return Ok(());
            }
        };
        report.account.check().unwrap();
        prop_assert_eq!((report.account.rows, report.account.events), (lines.len() as u64, events.len() as u64));
        prop_assert_eq!(report.account.drops.get("blank_line").copied().unwrap_or_default(), blank);
        let mut found = Vec::new();
        for partition in store.scan(&["event_type", "word"]).partitions() {
            for batch in partition.batches().unwrap() {
                let batch = batch.unwrap();
                let words = batch.record_batch().column_by_name("word").unwrap().as_string::<i32>().clone();
                let kinds = batch.event_types().unwrap();
                for row in 0..batch.len() {
                    let kind = kinds.values().as_string::<i32>().value(kinds.keys().value(row) as usize);
                    found.push((kind.to_owned(), words.iter().nth(row).unwrap().unwrap_or_default().to_owned()));
                }
            }
        }
        prop_assert_eq!(found, events.into_iter().map(|(_, kind, word)| (kind, word)).collect::<Vec<_>>());
    }
}

/// A mapping without a dialect of its own.
fn app() -> SourceMapping {
    SourceMapping::from_toml(
        "name = 'app'\n[columns]\nevent_time = { from = 't', type = 'timestamp' }\n\
         event_type = { from = 'e', type = 'dictionary' }\nuser_id = { from = 'u', type = 'utf8' }\n",
    )
    .unwrap()
}

#[test]
fn what_is_not_declared_is_found_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let apostrophes = Ingest::new(app()).with_dialect(Dialect::new().with_quote(Quote::Mark('\''))).unwrap();
    for delimiter in [',', ';', '\t', '|'] {
        let text = "t,e,u\n2019-10-01,'a;,|\tb','it''s'\n".to_owned();
        let (head, rest) = text.split_at(6);
        let rest = rest.replacen(",'", &format!("{delimiter}'"), 2);
        let text = format!("{}{rest}", head.replace(',', &delimiter.to_string()));
        let (store, report) = ingest(folder.path(), &text, &apostrophes).unwrap();
        assert_eq!((report.account.rows, report.account.events), (1, 1), "{text}");
        let users = store.manifest().commits[0].events[0].row_groups[0].users[0].clone();
        assert_eq!(users.unwrap().to_string(), "it's");
    }
    // A quote that is one of the delimiters that are tried is none of them.
    let bars = Ingest::new(app()).with_dialect(Dialect::new().with_quote(Quote::Mark('|'))).unwrap();
    assert_eq!(ingest(folder.path(), "t,e,u\n2019-10-01,|a,b|,c\n", &bars).unwrap().1.account.events, 1);
    // A file that looks like JSON is CSV where a dialect is declared.
    let braces = SourceMapping::builder("braces")
        .with_column("event_time", cip_ingest::ColumnRule::timestamp("{t"))
        .with_column("event_type", cip_ingest::ColumnRule::dictionary("e"))
        .with_quote(Quote::None)
        .build()
        .unwrap();
    let (_, report) = ingest(folder.path(), "{t,e\n2019-10-01,view\n", &Ingest::new(braces)).unwrap();
    assert_eq!(report.account.events, 1);
}

#[test]
fn files_of_one_store_may_come_in_several_dialects_and_their_rejects_are_read_in_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let (plain, other) = (
        write("a.csv", "t,e,u,w\n2019-10-01,view,one,2019-10-01\nnever,view,one,2019-10-01\n"),
        write(
            "b.csv",
            "t;e;u;w\n2019-10-01;view;two;2019-10-01\nnever;view;'tw;o';2019-10-02\nnever;view;one;'2019-10-03'\n",
        ),
    );
    let semicolons = Dialect::new().with_delimiter(';').with_quote(Quote::Mark('\''));
    Ingest::new(app()).append(&[plain], &store, &mut |_| ()).unwrap();
    let declared = Ingest::new(app()).with_dialect(semicolons).unwrap();
    let (appended, report) = declared.append(&[other], &store, &mut |_| ()).unwrap();
    assert_eq!((report.account.events, report.account.rejected()), (1, 2));
    let kept = &appended.manifest().commits[1].sources[0];
    assert_eq!(kept.records.as_ref().unwrap()["quote"], "'");
    assert_eq!(kept.user_field.as_ref().unwrap().quote.as_deref(), Some("'"));
    let usual = &appended.manifest().commits[0].sources[0];
    assert!(usual.records.as_ref().unwrap().get("quote").is_none());

    // Whose a reject is, is read in its dialect: the user `tw;o` has one.
    let (erased, _) = Erasure::new(["tw;o"]).run(&store).unwrap();
    assert_eq!(erased.manifest().account().forgotten, 1);
    assert_eq!(erased.manifest().account().rejected(), 2);
}

#[test]
fn rejects_of_a_declared_dialect_are_replayed_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let text = "t;e;u;w\n2019-10-01;view;two;2019-10-01\nnever;view;'on;e';'2019-10-03'\n";
    let declare = |mapping| {
        let dialect = Dialect::new().with_delimiter(';').with_quote(Quote::Mark('\''));
        Ingest::new(mapping).with_dialect(dialect).unwrap()
    };
    let (store, _) = ingest(folder.path(), text, &declare(app())).unwrap();
    let mended = SourceMapping::from_toml(
        "name = 'app'\n[columns]\nevent_time = { from = 'w', type = 'timestamp' }\n\
         event_type = { from = 'e', type = 'dictionary' }\nuser_id = { from = 'u', type = 'utf8' }\n",
    )
    .unwrap();
    let error = Ingest::new(mended.clone()).replay(store.path(), &mut |_| ()).unwrap_err().to_string();
    assert!(
        error.contains("are written in CSV with the delimiter ';' and the quote '\\'', which"),
        "{error}"
    );
    let (replayed, report) = declare(mended.clone()).replay(store.path(), &mut |_| ()).unwrap();
    assert_eq!((report.account.events, replayed.manifest().account().rejected()), (1, 0));
    let whole = tempfile::tempdir().unwrap();
    let (whole, _) = ingest(whole.path(), text, &declare(mended)).unwrap();
    assert_eq!(crate::bytes_of(replayed.path()), crate::bytes_of(whole.path()));
}

#[test]
fn a_sample_is_read_in_the_dialect_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    for (text, quote) in [
        ("t;'e;''x';u\n2019-10-01;'vi;ew';'it''s'\n", Quote::Mark('\'')),
        ("t;e;u;\"\n2019-10-01;\"view;it's;\n", Quote::None),
    ] {
        std::fs::write(&file, text).unwrap();
        let from = if quote == Quote::None { "e" } else { "e;'x" };
        let mapping = SourceMapping::builder("odd")
            .with_column("event_time", cip_ingest::ColumnRule::timestamp("t"))
            .with_column("event_type", cip_ingest::ColumnRule::dictionary(from))
            .with_column("user_id", cip_ingest::ColumnRule::utf8("u"))
            .build()
            .unwrap();
        let dialect = Dialect::new().with_delimiter(';').with_quote(quote);
        let ingest = Ingest::new(mapping).with_dialect(dialect).unwrap();
        let preview = ingest.preview(std::slice::from_ref(&file)).unwrap();
        assert_eq!((preview.account.rows, preview.account.events), (1, 1), "{text}");
        let user = preview.columns.iter().find(|column| column.column == "user_id").unwrap();
        assert_eq!(user.examples, ["it's"]);
    }
}

#[test]
fn nonsense_is_refused_before_any_file_is_read() {
    let delimiter = |mark| Dialect::new().with_delimiter(mark);
    let quote = |mark| Dialect::new().with_quote(Quote::Mark(mark));
    for (dialect, expected) in [
        (
            delimiter('"'),
            "the delimiter '\"' cannot split fields: choose an ASCII character other than the quote and line ends",
        ),
        (delimiter('\n'), "the delimiter '\\n' cannot split fields"),
        (delimiter('\r'), "the delimiter '\\r' cannot split fields"),
        (delimiter('\0'), "the delimiter '\\0' cannot split fields"),
        (delimiter('¦'), "the delimiter '¦' cannot split fields"),
        (
            quote('\n'),
            "the quote '\\n' cannot protect fields: choose an ASCII character other than line ends, or `none`",
        ),
        (quote('\r'), "the quote '\\r' cannot protect fields"),
        (quote('\0'), "the quote '\\0' cannot protect fields"),
        (quote('»'), "the quote '»' cannot protect fields"),
        (quote(';').with_delimiter(';'), "the delimiter ';' cannot split fields"),
    ] {
        let error = Ingest::new(app()).with_dialect(dialect).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    // With another quote, the double quote may stand between fields.
    Ingest::new(app()).with_dialect(quote('\'').with_delimiter('"')).unwrap();
    Ingest::new(app()).with_dialect(Dialect::new().with_quote(Quote::None).with_delimiter('"')).unwrap();
    Ingest::new(app()).with_dialect(USUAL).unwrap();

    for (text, expected) in [
        ("quote = ''", "\"\" is no quote: expected one character, or `none`"),
        ("quote = 'no'", "\"no\" is no quote"),
        ("quote = '»'", "the quote '»' cannot protect fields"),
        ("delimiter = '|'\nquote = '|'", "the delimiter '|' cannot split fields"),
        (
            "format = 'blanks'\nquote = 'none'",
            "files of Blanks have no quotes: leave `quote` or `format` out",
        ),
        ("format = 'ndjson'\nquote = 'x'", "files of NdJson have no quotes"),
    ] {
        let toml = format!(
            "{text}\nname = 'x'\n[columns]\nevent_time = {{ from = 't', type = 'timestamp' }}\n\
             event_type = {{ from = 'e', type = 'dictionary' }}\n"
        );
        let error = SourceMapping::from_toml(&toml).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let blanks = SourceMapping::builder("blanks")
        .with_column("event_time", cip_ingest::ColumnRule::timestamp("t"))
        .with_column("event_type", cip_ingest::ColumnRule::dictionary("e"))
        .with_format(FileFormat::Blanks)
        .build()
        .unwrap();
    let error = Ingest::new(blanks).with_dialect(quote('\'')).unwrap_err();
    assert_eq!(error, MappingError::NoQuote { format: FileFormat::Blanks });
}
