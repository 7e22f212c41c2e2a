//! However an object is cut into ranges, its bytes are those that it has; and only as long as it has them.

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use proptest::prelude::*;

use super::super::fetch::{Runtime, Version};
use super::*;

struct Stored {
    store: Arc<InMemory>,
    runtime: Arc<Runtime>,
    key: Path,
}

impl Stored {
    fn new(data: &[u8]) -> Self {
        let stored = Self {
            store: Arc::new(InMemory::new()),
            runtime: Arc::new(Runtime::start().unwrap()),
            key: Path::from("a/b.csv"),
        };
        stored.put(data);
        stored
    }

    fn put(&self, data: &[u8]) {
        let (store, key, data) = (Arc::clone(&self.store), self.key.clone(), data.to_vec());
        self.runtime
            .spawn(async move { Ok(store.put(&key, data.into()).await.map(|_| ())?) })
            .wait()
            .unwrap();
    }

    fn remove(&self) {
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        self.runtime.spawn(async move { Ok(store.delete(&key).await?) }).wait().unwrap();
    }

    fn open(&self) -> Arc<Object> {
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        let found = self.runtime.spawn(async move { Ok(store.head(&key).await?) }).wait().unwrap();
        let version = Version { key: found.location, bytes: found.size, e_tag: found.e_tag };
        let store: Arc<dyn ObjectStore> = Arc::clone(&self.store) as _;
        Arc::new(Object::new(Arc::clone(&self.runtime), store, version))
    }

    /// A reader of ranges of this length.
    fn reader(&self, length: u64) -> ObjectReader {
        let reader = ObjectReader::new(self.open());
        ObjectReader { length, longest: length, ..reader }
    }
}

/// Bytes of which every eight are others.
fn data(length: usize) -> Vec<u8> {
    (0..length as u64).flat_map(u64::to_le_bytes).take(length).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn ranges_of_any_length_are_the_object(length in 0usize..5_000, range in 1u64..700, step in 1usize..900) {
        let expected = data(length);
        let stored = Stored::new(&expected);
        let mut reader = stored.reader(range);
        let (mut found, mut buffer) = (Vec::new(), vec![0; step]);
        loop {
            match reader.read(&mut buffer).unwrap() {
                0 => break,
                read => found.extend_from_slice(&buffer[..read]),
            }
        }
        prop_assert!(found == expected);
        prop_assert_eq!(reader.read(&mut buffer).unwrap(), 0);
    }

    #[test]
    fn probes_are_what_stands_there(length in 1usize..3_000, probe in 1usize..200, count in 1u64..60) {
        let expected = data(length);
        let object = Stored::new(&expected).open();
        let step = length as u64 / count;
        let found: Vec<Vec<u8>> =
            ObjectRanges::new(object, (0..count).map(move |n| n * step), probe).collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(found.len() as u64, count);
        for (n, found) in found.iter().enumerate() {
            let start = n * step as usize;
            prop_assert_eq!(found.as_slice(), &expected[start..length.min(start + probe)]);
        }
    }
}

#[test]
fn ranges_grow_and_what_is_expected_comes_first() {
    // Beyond the first, the second and the third range.
    let expected = data(FIRST_RANGE as usize * 25);
    let stored = Stored::new(&expected);
    for expects in [0, 1, 2] {
        let object = stored.open();
        (0..expects).for_each(|_| object.expect());
        let mut found = Vec::new();
        ObjectReader::new(Arc::clone(&object)).read_to_end(&mut found).unwrap();
        assert!(found == expected, "{expects}");
        // And again, from the start.
        found.clear();
        ObjectReader::new(object).read_to_end(&mut found).unwrap();
        assert!(found == expected, "{expects}");
    }
}

#[test]
fn no_more_is_on_its_way_than_the_plan_knows() {
    let stored = Stored::new(&data(10_000));
    let mut reader = stored.reader(100);
    let mut buffer = [0; 50];
    for read in 0..200 {
        reader.read_exact(&mut buffer).unwrap();
        // The first range comes alone.
        assert!(reader.pending.len() <= RANGES_AHEAD.min(read / 2), "{read}: {}", reader.pending.len());
        assert!(!(6..=190).contains(&read) || reader.pending.len() == RANGES_AHEAD, "{read}");
    }
}

#[test]
fn an_object_that_changes_is_not_read_on() {
    let stored = Stored::new(&data(1_000));
    for (name, change) in [
        ("longer", (|stored: &Stored| stored.put(&data(1_001))) as fn(&Stored)),
        ("the same length", |stored| stored.put(&[7; 1_000])),
        ("the same bytes", |stored| stored.put(&data(1_000))),
    ] {
        stored.put(&data(1_000));
        let mut reader = stored.reader(10);
        let mut buffer = [0; 10];
        reader.read_exact(&mut buffer).unwrap();
        change(&stored);
        let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), Failure::Changed.to_string(), "{name}");
        // It stays an error: what is missing must not look like the end.
        assert!(reader.read(&mut buffer).is_err(), "{name}");
        // Nor is what was asked for at the start of use.
        stored.put(&data(1_000));
        let object = stored.open();
        change(&stored);
        let probe = ObjectRanges::new(object, [0, 500].into_iter(), 10).next().unwrap();
        assert!(probe.is_err(), "{name}");
    }
    stored.put(&data(1_000));
    let mut reader = stored.reader(10);
    stored.remove();
    assert_eq!(reader.read(&mut [0; 10]).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_reader_works_and_is_dropped_inside_of_asynchronous_code() {
    let expected = data(2_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let found = runtime.block_on(async {
        let stored = Stored::new(&expected);
        let mut found = Vec::new();
        stored.reader(90).read_to_end(&mut found).unwrap();
        // The last that holds the thread of the requests.
        let mut unfinished = stored.reader(90);
        drop(stored);
        unfinished.read_exact(&mut [0; 10]).unwrap();
        found
    });
    assert!(found == expected);
}
