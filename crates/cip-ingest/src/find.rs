//! Which source files there are: files, folders of files, patterns of names, and the same in object stores.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use cip_store::TableFormat;
use glob::MatchOptions;

use crate::address::Address;
use crate::error::IngestError;
use crate::origin::{Origin, read_full};
use crate::source::{Compression, Source};
use crate::stores::{Buckets, Stores};

const ENDINGS: [&str; 4] = [".csv", ".tsv", ".ndjson", ".jsonl"];
const TABLE_ENDINGS: [&str; 3] = [".parquet", ".arrow", ".feather"];

/// As a shell has it: `*` stays inside of a folder, and a hidden name is matched by its dot alone.
pub(crate) const MATCHING: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Whether a file of a folder is a source, by its name.
pub(crate) fn is_source(name: &str) -> bool {
    let name = name.to_lowercase();
    let plain = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    let is_text = ENDINGS.iter().any(|ending| plain.ends_with(ending));
    !name.starts_with('.') && (is_text || TABLE_ENDINGS.iter().any(|ending| name.ends_with(ending)))
}

/// Whether a name has wildcards.
pub(crate) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// Returns the files behind `paths` (files, folders, patterns and addresses of objects), by name.
pub(crate) fn find_sources(paths: &[PathBuf], stores: &Stores) -> Result<Vec<Source>, IngestError> {
    let mut buckets = Buckets::new(stores);
    let mut sources = Vec::new();
    for path in paths {
        match Address::of(path) {
            Some(address) => sources.extend(buckets.find(&address)?),
            None => {
                for file in local_files(path)? {
                    sources.push(local_source(file)?);
                }
            }
        }
    }
    if sources.is_empty() {
        return Err(IngestError::NoSources { path: PathBuf::from("the list of sources") });
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    match sources.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(pair) => Err(IngestError::DuplicateSource { name: pair[0].name.clone() }),
        None => Ok(sources),
    }
}

fn local_files(path: &Path) -> Result<Vec<PathBuf>, IngestError> {
    let io = |source| IngestError::Io { action: "read", path: path.to_owned(), source };
    let metadata = match fs::metadata(path) {
        // A file may be called as a pattern is written: then it is meant.
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_pattern(&path.to_string_lossy()) => {
            return matching_files(path);
        }
        metadata => metadata.map_err(io)?,
    };
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(io)? {
        let entry = entry.map_err(io)?;
        if is_source(&entry.file_name().to_string_lossy()) && entry.path().is_file() {
            files.push(entry.path());
        }
    }
    if files.is_empty() { Err(IngestError::NoSources { path: path.to_owned() }) } else { Ok(files) }
}

/// The files, but no folders, that a pattern matches.
fn matching_files(pattern: &Path) -> Result<Vec<PathBuf>, IngestError> {
    let refuse =
        |reason: &str| IngestError::Pattern { pattern: pattern.to_owned(), reason: reason.to_owned() };
    let text = pattern.to_str().ok_or_else(|| refuse("it is not UTF-8"))?;
    let mut files = Vec::new();
    for entry in glob::glob_with(text, MATCHING).map_err(|error| refuse(error.msg))? {
        let file = entry.map_err(|error| IngestError::Io {
            action: "read",
            path: error.path().to_owned(),
            source: error.into(),
        })?;
        if file.is_file() {
            files.push(file);
        }
    }
    if files.is_empty() { Err(IngestError::NoMatch { pattern: pattern.to_owned() }) } else { Ok(files) }
}

fn local_source(path: PathBuf) -> Result<Source, IngestError> {
    let io = |source| IngestError::Io { action: "read", path: path.clone(), source };
    // Looked at before it is opened: opening a pipe that nobody writes to would wait for ever.
    if !fs::metadata(&path).map_err(io)?.is_file() {
        return Err(IngestError::NotAFile { path });
    }
    let mut start = [0u8; TableFormat::MAGIC_BYTES];
    let mut file = File::open(&path).map_err(io)?;
    let bytes = file.metadata().map_err(io)?.len();
    let read = read_full(&mut file, &mut start).map_err(io)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let compression = Compression::of(&start[..read]);
    Ok(Source { origin: Origin::File(path.clone()), path, name, bytes, compression })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(paths: &[PathBuf]) -> Result<Vec<String>, IngestError> {
        let sources = find_sources(paths, &Stores::default())?;
        Ok(sources.into_iter().map(|source| source.name).collect())
    }

    #[test]
    fn a_pattern_takes_the_files_that_it_matches() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("deep/er")).unwrap();
        fs::create_dir_all(at("folder.csv")).unwrap();
        for name in [
            "2019-10.csv",
            "2019-11.csv",
            "2020-01.csv",
            ".hidden.csv",
            "notes.txt",
            "deep/d.csv",
            "deep/er/e.csv",
        ] {
            fs::write(at(name), "t\n1\n").unwrap();
        }
        let found = |pattern: &str| names(&[at(pattern)]);
        assert_eq!(found("2019-*.csv").unwrap(), ["2019-10.csv", "2019-11.csv"]);
        assert_eq!(found("20??-[01]1.csv").unwrap(), ["2019-11.csv", "2020-01.csv"]);
        // Neither the folder of that name nor what is hidden.
        assert_eq!(found("*.csv").unwrap(), ["2019-10.csv", "2019-11.csv", "2020-01.csv"]);
        assert_eq!(found("*/*.csv").unwrap(), ["d.csv"]);
        assert_eq!(found("deep/**/*.csv").unwrap(), ["d.csv", "e.csv"]);
        // Whoever writes a pattern says what is a source.
        assert_eq!(found("*.txt").unwrap(), ["notes.txt"]);
        assert!(matches!(found("2021-*.csv"), Err(IngestError::NoMatch { .. })));
        assert!(matches!(found("deep*"), Err(IngestError::NoMatch { .. })));
        let error = found("[a.csv").unwrap_err();
        assert!(error.to_string().contains("is no pattern"), "{error}");
        assert!(matches!(found("a**b.csv"), Err(IngestError::Pattern { .. })));
        // Two that overlap name a file twice.
        assert!(matches!(
            names(&[at("2019-*.csv"), at("*-10.csv")]),
            Err(IngestError::DuplicateSource { .. })
        ));
    }

    #[test]
    fn a_file_may_be_called_as_a_pattern_is_written() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a[1].csv", "a1.csv"] {
            fs::write(folder.path().join(name), "t\n1\n").unwrap();
        }
        assert_eq!(names(&[folder.path().join("a[1].csv")]).unwrap(), ["a[1].csv"]);
        assert_eq!(names(&[folder.path().join("a[1]*.csv")]).unwrap(), ["a1.csv"]);
    }

    #[cfg(not(feature = "object-store"))]
    #[test]
    fn objects_need_a_build_that_can_read_them() {
        let error = names(&[PathBuf::from("s3://shop/2019.csv")]).unwrap_err().to_string();
        assert!(
            error.starts_with("s3://shop/2019.csv") && error.contains("--features object-store"),
            "{error}"
        );
    }
}
