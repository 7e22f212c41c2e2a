//! Any bytes as source files: no row is lost, nothing panics, and the store does not depend on where chunks are cut.

#![no_main]

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::OnceLock;

use cip_ingest::{Ingest, SourceMapping};
use libfuzzer_sys::fuzz_target;

/// All types of columns, conditions, drops and renames.
const EVERYTHING: &str = r#"
    name = "everything"
    without_header = [["t", "e", "u", "p", "n", "f", "s", "w", "d"]]
    [columns]
    event_time = { from = "t", type = "timestamp" }
    event_type = { constant = "view", type = "dictionary", when = [{ column = "e", starts_with = "b", then = "purchase" }] }
    user_id = { from = "u", type = "utf8", nullable = true }
    product_id = { from = "p", type = "int64", nullable = true }
    price = { from = "n", type = "money", scale = 2, nullable = true }
    weight = { from = "f", type = "float64", nullable = true }
    source_session = { from = "s", type = "utf8", nullable = true }
    other_time = { from = "w", type = "timestamp", format = "month_first", nullable = true }
    brand = { from = "d", type = "dictionary", rename = { a = "b" }, nullable = true }
    category_code = { from = "e", type = "dictionary", nullable = true }
    [[drop]]
    rule = "tests"
    column = "u"
    equals = "test"
"#;

fn mappings() -> &'static [SourceMapping] {
    static MAPPINGS: OnceLock<Vec<SourceMapping>> = OnceLock::new();
    MAPPINGS.get_or_init(|| {
        let built_in = SourceMapping::BUILT_IN.iter().filter_map(|name| SourceMapping::built_in(name));
        built_in.chain(SourceMapping::from_toml(EVERYTHING)).collect()
    })
}

/// Every file of a store, in the order of their names.
fn bytes_of(folder: &Path) -> Vec<(OsString, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        match entry.path().is_dir() {
            true => files.extend(bytes_of(&entry.path())),
            false => files.push((entry.file_name(), std::fs::read(entry.path()).unwrap())),
        }
    }
    files.sort();
    files
}

/// The first byte chooses the mapping, the second where chunks are cut; a zero byte starts another file.
fuzz_target!(|input: &[u8]| {
    let [mapping, chunk, data @ ..] = input else { return };
    let mapping = &mappings()[usize::from(*mapping) % mappings().len()];
    let folder = tempfile::tempdir().unwrap();
    let sources = folder.path().join("sources");
    std::fs::create_dir(&sources).unwrap();
    for (number, data) in data.split(|&byte| byte == 0).take(3).enumerate() {
        std::fs::write(sources.join(format!("{number}.csv")), data).unwrap();
    }
    let run = |name: &str, chunk_bytes: usize| {
        let ingest = Ingest::new(mapping.clone())
            .with_threads(NonZeroUsize::MIN)
            .with_chunk_bytes(NonZeroUsize::new(chunk_bytes).unwrap());
        ingest.run(std::slice::from_ref(&sources), &folder.path().join(name), &mut |_| ())
    };
    match run("whole", 1 << 20) {
        Ok((store, report)) => {
            report.account.check().unwrap();
            assert_eq!(store.manifest().account().events, report.account.events);
            let (_, again) = run("cut", 1 + usize::from(*chunk)).unwrap();
            assert_eq!(again, report);
            let [whole, cut] = ["whole", "cut"].map(|name| bytes_of(&folder.path().join(name)));
            assert!(whole == cut, "the store depends on where chunks are cut");
        }
        Err(error) => {
            let again = run("cut", 1 + usize::from(*chunk)).map(|_| ()).unwrap_err();
            assert_eq!(again.to_string(), error.to_string());
        }
    }
});
