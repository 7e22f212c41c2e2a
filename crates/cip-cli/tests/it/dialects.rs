//! `--delimiter` and `--quote`: CSV in a dialect that is declared.

use std::ffi::OsString;
use std::fs;

use serde_json::json;

use crate::{args, cip};

#[test]
fn a_dialect_is_declared_with_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let (file, store) = (folder.path().join("e.csv"), folder.path().join("store"));
    let mapping = folder.path().join("m.toml");
    fs::write(
        &mapping,
        "name = 'm'\n[columns]\nevent_time = { from = 't', type = 'timestamp' }\n\
         event_type = { from = 'e', type = 'dictionary' }\nword = { from = 'w', type = 'utf8' }\n",
    )
    .unwrap();
    let ingest = |more: &[&str]| {
        let list = args!["ingest", file, "--mapping", mapping, "--out", store, "--rebuild", "--json"];
        cip(list.into_iter().chain(more.iter().map(OsString::from)))
    };
    let account = |rejects: serde_json::Value| json!([1, rejects]);
    let found = |more: &[&str]| {
        let said = ingest(more).ok().json();
        json!([said["account"]["events"], said["account"]["rejects"]])
    };
    fs::write(&file, "t;e;w\n2019-10-01;'a;b';c\n").unwrap();
    assert_eq!(found(&["--quote", "'"]), account(json!({})));
    assert_eq!(found(&["--quote", "'", "--delimiter", ";"]), account(json!({})));
    assert_eq!(found(&[]), json!([0, { "field_count": 1 }]));

    fs::write(&file, "t\te\tw\n2019-10-01\tview\t\"3.5 inch\n").unwrap();
    assert_eq!(found(&["--delimiter", "tab", "--quote", "none"]), account(json!({})));
    assert_eq!(found(&["--delimiter", "\t"]), json!([0, { "unclosed_quote": 1 }]));

    ingest(&["--delimiter", "tabs"]).fails(2, "write one character, or tab");
    ingest(&["--quote", "both"]).fails(2, "\"both\" is no quote: expected one character, or `none`");
    ingest(&["--quote", "'", "--delimiter", "'"]).fails(2, "the delimiter '\\'' cannot split fields");
    ingest(&["--delimiter", "\n"]).fails(2, "the delimiter '\\n' cannot split fields");
    ingest(&["--delimiter", "¦"]).fails(2, "choose an ASCII character other than the quote and line ends");
    ingest(&["--quote", "¦"]).fails(2, "the quote '¦' cannot protect fields");
    let blanks = args!["ingest", file, "--mapping", "cdnow", "--out", store, "--rebuild", "--quote", "none"];
    cip(blanks).fails(2, "files of Blanks have no quotes: leave `quote` or `format` out");
}
