//! Sources in object stores: the same store as from files, and as whole when one fails.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cip_core::MemoryBudget;
use cip_ingest::{ChangedFiles, Ingest, IngestError};
use cip_store::EventStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::tables::{arrow_file, parquet_file, table};
use crate::{HEADER, bytes_of, rees46, threads};

/// A folder of sources in every format, and the same as objects.
struct Both {
    folder: tempfile::TempDir,
    memory: Arc<InMemory>,
}

impl Both {
    fn new() -> Self {
        let both = Self { folder: tempfile::tempdir().unwrap(), memory: Arc::new(InMemory::new()) };
        std::fs::create_dir_all(both.at("events")).unwrap();
        both
    }

    /// With a source of every kind in the folder `events`.
    fn of_every_kind() -> Self {
        let both = Self::new();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(csv(2, 20_000).as_bytes()).unwrap();
        both.write("events/a.csv", csv(1, 100));
        both.write("events/b.csv.gz", gzip.finish().unwrap());
        both.write("events/c.csv.zst", zstd::encode_all(csv(3, 5_000).as_bytes(), 1).unwrap());
        both.write("events/d.tsv", csv(4, 50).replace(',', "\t"));
        both.write(
            "events/e.ndjson",
            "{\"event_time\":\"2019-10-01\",\"event_type\":\"view\",\"product_id\":1,\"price\":1.50,\"user_id\":5}\n\nx\n",
        );
        let (batch, _) = table();
        parquet_file(&both.at("events/f.parquet"), &batch);
        arrow_file(&both.at("events/g.arrow"), &batch, None);
        for table in ["events/f.parquet", "events/g.arrow"] {
            both.put(table, std::fs::read(both.at(table)).unwrap());
        }
        // No sources.
        both.write("events/notes.txt", "x");
        both.write("events/.hidden.csv", "x");
        std::fs::create_dir_all(both.at("events/below")).unwrap();
        both.write("events/below/h.csv", csv(8, 10));
        both
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, data: impl Into<Vec<u8>>) {
        let data = data.into();
        std::fs::write(self.at(name), &data).unwrap();
        self.put(name, data);
    }

    fn put(&self, key: &str, data: Vec<u8>) {
        block_on(self.memory.put(&Key::from(key), data.into())).unwrap();
    }

    fn ingest(&self) -> Ingest {
        Ingest::new(rees46())
            .with_object_store("memory://shop", Arc::clone(&self.memory) as Arc<dyn ObjectStore>)
    }

    fn run(&self, sources: &[&str], store: &str) -> Result<EventStore, IngestError> {
        let sources: Vec<PathBuf> = sources.iter().map(PathBuf::from).collect();
        self.ingest().run(&sources, &self.at(store), &mut |_| ()).map(|(store, _)| store)
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// Events of users that depend on `seed`, with a line that is rejected.
fn csv(seed: u64, rows: u64) -> String {
    let mut text = format!("{HEADER}\nbroken\n");
    for row in 0..rows {
        let user = (row * 7 + seed) % 1_009;
        let second = row % 60;
        text.push_str(&format!("2019-10-01 00:00:{second:02} UTC,view,{row},2,a.b,acme,1.50,{user},\n"));
    }
    text
}

#[test]
fn objects_give_the_store_of_the_same_files() {
    let both = Both::of_every_kind();
    let (_, report) =
        Ingest::new(rees46()).run(&[both.at("events")], &both.at("local"), &mut |_| ()).unwrap();
    let expected = bytes_of(&both.at("local"));
    assert_eq!((report.files, report.account.rejects["field_count"]), (7, 4));
    let all = ["a.csv", "b.csv.gz", "c.csv.zst", "d.tsv", "e.ndjson", "f.parquet", "g.arrow"]
        .map(|name| format!("memory://shop/events/{name}"));
    let all: Vec<&str> = all.iter().rev().map(String::as_str).collect();
    for (n, sources) in [
        &["memory://shop/events"][..],
        &["memory://shop/events/"],
        &["memory://shop/events/[a-g].*"],
        &["memory://shop/eve?ts/[a-g]*.[ctnpa]*"],
        &["memory://shop/**/[!hn]*"],
        &all,
    ]
    .into_iter()
    .enumerate()
    {
        let target = format!("objects-{n}");
        let store = both.run(sources, &target).unwrap();
        assert!(bytes_of(&both.at(&target)) == expected, "{sources:?}");
        assert!(store.manifest().sources().all(|source| !source.name.contains('/')));
    }
    // Files and objects together.
    let local = both.at("events/a.csv");
    let mixed = [vec![local.to_str().unwrap()], all[..6].to_vec()].concat();
    both.run(&mixed, "mixed").unwrap();
    assert!(bytes_of(&both.at("mixed")) == expected);
    // From another store, in little memory, on two threads, in small chunks.
    let files: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(both.folder.path()).unwrap());
    let ingest = Ingest::new(rees46())
        .with_object_store("disk://here/", files)
        .with_memory(MemoryBudget::from_mib(192))
        .with_threads(threads(2))
        .with_chunk_bytes(threads(10_000));
    ingest.run(&["disk://here/events".into()], &both.at("disk"), &mut |_| ()).unwrap();
    assert!(bytes_of(&both.at("disk")) == expected);
}

#[test]
fn a_large_object_is_read_in_ranges_and_probed() {
    let both = Both::new();
    both.write("events/a.csv", csv(1, 150_000));
    let sources = [PathBuf::from("memory://shop/events/a.csv")];
    let memory = MemoryBudget::from_mib(153);
    let least = || both.ingest().with_memory(memory).with_threads(threads(1));
    least().run(&[both.at("events/a.csv")], &both.at("local"), &mut |_| ()).unwrap();
    least().run(&sources, &both.at("objects"), &mut |_| ()).unwrap();
    assert!(bytes_of(&both.at("objects")) == bytes_of(&both.at("local")));
    // Reading ahead is in the plan: what is enough for files is not enough for objects.
    let less = least().with_memory(MemoryBudget::from_mib(120));
    less.run(&[both.at("events/a.csv")], &both.at("local"), &mut |_| ()).unwrap();
    let error = less.run(&sources, &both.at("objects"), &mut |_| ()).unwrap_err();
    assert!(matches!(error, IngestError::Core(_)) && error.to_string().contains("memory"), "{error}");
}

#[test]
fn a_preview_of_objects_is_that_of_the_files() {
    let both = Both::of_every_kind();
    let objects = both.ingest().preview(&["memory://shop/events".into()]).unwrap();
    assert_eq!(objects, both.ingest().preview(&[both.at("events")]).unwrap());
    assert_eq!(objects.files, 7);
}

#[test]
fn a_store_takes_every_object_once() {
    let both = Both::new();
    both.write("events/01.csv", csv(1, 100));
    let append = |changed: ChangedFiles, sources: &[&str]| {
        let sources: Vec<PathBuf> = sources.iter().map(PathBuf::from).collect();
        let done = both.ingest().with_changed_files(changed).append(&sources, &both.at("store"), &mut |_| ());
        done.map(|(_, report)| (report.files, report.files_taken, report.files_replaced))
    };
    let all = ["memory://shop/events/*.csv"];
    assert_eq!(append(ChangedFiles::Refuse, &all).unwrap(), (1, 0, 0));
    assert_eq!(append(ChangedFiles::Refuse, &all).unwrap(), (0, 1, 0));
    // Where its bytes lie says nothing: the file was taken as an object.
    let local = both.at("events/01.csv");
    assert_eq!(append(ChangedFiles::Refuse, &[local.to_str().unwrap()]).unwrap(), (0, 1, 0));
    // The same bytes again have another entity tag, and are taken all the same.
    both.write("events/01.csv", csv(1, 100));
    both.write("events/02.csv", csv(2, 100));
    both.write("events/03.csv", csv(3, 100));
    assert_eq!(append(ChangedFiles::Refuse, &all).unwrap(), (2, 1, 0));
    // Changed, in the same length.
    both.write("events/02.csv", csv(2, 100).replace("acme", "emca"));
    let before = bytes_of(&both.at("store"));
    assert!(
        matches!(append(ChangedFiles::Refuse, &all), Err(IngestError::ChangedSource { name }) if name == "02.csv")
    );
    both.write("events/04.csv", csv(3, 100));
    let error = append(ChangedFiles::Replace, &["memory://shop/events/04.csv"]).unwrap_err();
    assert!(matches!(error, IngestError::SameBytes { .. }), "{error}");
    assert!(bytes_of(&both.at("store")) == before);
    let three = ["memory://shop/events/0[1-3].csv"];
    assert_eq!(append(ChangedFiles::Replace, &three).unwrap(), (1, 2, 1));
    assert_eq!(append(ChangedFiles::Refuse, &three).unwrap(), (0, 3, 0));
}

#[test]
fn what_is_not_there_or_broken_is_named_and_leaves_the_store() {
    let both = Both::of_every_kind();
    both.run(&["memory://shop/events/a.csv"], "store").unwrap();
    let before = bytes_of(&both.at("store"));
    let mut cut = std::fs::read(both.at("events/b.csv.gz")).unwrap();
    cut.truncate(cut.len() / 2);
    both.put("broken/cut.csv.gz", cut);
    let mut parquet = std::fs::read(both.at("events/f.parquet")).unwrap();
    parquet.truncate(parquet.len() - 9);
    both.put("broken/cut.parquet", parquet);
    both.put("broken/empty.csv", Vec::new());
    both.put("broken/other.csv", b"a,b\n1,2\n".to_vec());
    for (source, expected) in [
        (
            "memory://shop/events/none.csv",
            "cannot read memory://shop/events/none.csv: there is no such bucket or object",
        ),
        ("memory://shop/nowhere", "there is no such bucket or object"),
        ("memory://shop/nowhere/", "no source files in memory://shop/nowhere/"),
        ("memory://shop/events/2021-*.csv", "no file matches memory://shop/events/2021-*.csv"),
        ("memory://shop/events/[.csv", "memory://shop/events/[.csv is no pattern"),
        ("memory://shop/a//b.csv", "its name cannot be used"),
        ("memory://other/events", "memory://other/events: no object store is known for `memory://`"),
        ("hdfs://shop/events", "no object store is known for `hdfs://`: expected s3, gs, az"),
        ("memory://shop/broken/cut.csv.gz", "memory://shop/broken/cut.csv.gz cannot be decompressed"),
        ("memory://shop/broken/cut.parquet", "memory://shop/broken/cut.parquet cannot be read"),
        ("memory://shop/broken/empty.csv", "memory://shop/broken/empty.csv is empty"),
        ("memory://shop/broken/other.csv", "memory://shop/broken/other.csv has another header"),
    ] {
        let sources = [PathBuf::from(source)];
        let run = both.ingest().run(&sources, &both.at("store"), &mut |_| ()).unwrap_err().to_string();
        assert!(run.contains(expected), "{source}: {run}");
        let append = both.ingest().append(&sources, &both.at("store"), &mut |_| ()).unwrap_err().to_string();
        assert!(append.contains(expected), "{source}: {append}");
        assert!(both.ingest().preview(&sources).is_err() || source.contains("cut.csv.gz"), "{source}");
        assert!(bytes_of(&both.at("store")) == before, "{source}");
        assert_eq!(left_behind(both.folder.path()), Vec::<PathBuf>::new(), "{source}");
    }
}

/// What is beside the sources and the stores.
fn left_behind(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().contains("staging")).collect()
}

#[test]
fn an_object_that_goes_while_others_are_read_leaves_the_store() {
    let both = Both::new();
    both.write("events/a.csv", csv(1, 60_000));
    both.write("events/b.csv", csv(2, 60_000));
    both.run(&["memory://shop/events"], "store").unwrap();
    let before = bytes_of(&both.at("store"));
    for (what, expected) in
        [("removed", "no such bucket or object"), ("changed", "changed while it was read")]
    {
        both.write("events/b.csv", csv(2, 60_000));
        let mut done = false;
        let mut meddle = |_| {
            if !std::mem::replace(&mut done, true) {
                match what {
                    "removed" => block_on(both.memory.delete(&Key::from("events/b.csv"))).unwrap(),
                    _ => both.put("events/b.csv", csv(3, 60_000).into_bytes()),
                }
            }
        };
        let ingest = both.ingest().with_chunk_bytes(threads(10_000)).with_threads(threads(1));
        let error = ingest.run(&["memory://shop/events".into()], &both.at("store"), &mut meddle).unwrap_err();
        let error = error.to_string();
        assert!(
            error.starts_with("cannot read memory://shop/events/b.csv") && error.contains(expected),
            "{error}"
        );
        assert!(bytes_of(&both.at("store")) == before);
    }
}

#[test]
fn an_ingest_may_be_called_from_asynchronous_code() {
    let both = Both::of_every_kind();
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let rows = runtime
        .block_on(async { both.run(&["memory://shop/events"], "store").unwrap().manifest().account() });
    assert_eq!(rows, both.run(&["memory://shop/events"], "again").unwrap().manifest().account());
}
