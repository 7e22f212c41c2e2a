//! What holds for all worlds: exact rows, equal bytes, files, refusals.

use std::io::{self, Write};
use std::num::NonZeroUsize;

use cip_abtest::{Assignment, Effect, Experiment};
use cip_synth::{Generator, MAX_EVENTS, SynthError, World};
use md5::{Digest, Md5};
use proptest::prelude::*;

use crate::csv::text;

fn threads(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn experiment() -> Experiment {
    let effect = Effect::new("cart", "purchase", 0.05).unwrap();
    Experiment::new("checkout", Assignment::Md5Parity).unwrap().with_effect(effect)
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    for world in World::ALL {
        let one = text(&Generator::new(world, 60_000, 7).with_threads(threads(1)));
        for n in [2, 3] {
            assert!(
                one == text(&Generator::new(world, 60_000, 7).with_threads(threads(n))),
                "{world}, {n} threads"
            );
        }
        assert!(one != text(&Generator::new(world, 60_000, 8)), "{world}: another seed gives other rows");
    }
}

/// What a seed means must not change by accident: where it does on purpose, say so in the changelog.
#[test]
fn a_seed_gives_the_bytes_it_always_gave() {
    let digest = |world| {
        let digest = Md5::digest(text(&Generator::new(world, 20_000, 42)).as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let digests = World::ALL.map(digest);
    assert_eq!(
        digests,
        [
            "350fce49d20c2f912a06b4882f7ebf8d",
            "cd680db1992d30df3d4f53acc1a11a60",
            "7c08647d74cb0ed8b364baedf136dda2"
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_world_has_exactly_the_rows_asked_for(events in 1u64..6_000, seed: u64, world in 0..3usize) {
        let world = World::ALL[world];
        let text = text(&Generator::new(world, events, seed));
        prop_assert_eq!(text.lines().count() as u64, events + 1, "{}", world);
    }
}

#[test]
fn one_row_is_enough() {
    for world in World::ALL {
        for seed in 0..20 {
            assert_eq!(text(&Generator::new(world, 1, seed)).lines().count(), 2, "{world}");
        }
    }
}

#[test]
fn files_hold_what_the_report_says() {
    for world in World::ALL {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = vec![0];
        let generator = Generator::new(world, 40_000, 3);
        let report = generator.write_to(folder.path(), &mut |rows| seen.push(rows)).unwrap();
        assert_eq!((report.rows, report.world, report.seed), (40_000, world, 3));
        assert_eq!(seen.last(), Some(&40_000));
        assert!(seen.is_sorted());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), report.files.len());
        let mut all = String::new();
        for file in &report.files {
            let text = std::fs::read_to_string(&file.path).unwrap();
            assert_eq!((text.len() as u64, text.lines().count() as u64), (file.bytes, file.rows + 1));
            assert!(file.rows > 0);
            all += text.split_once('\n').unwrap().1;
        }
        assert_eq!(report.bytes, report.files.iter().map(|file| file.bytes).sum::<u64>());
        assert!(
            text(&generator).split_once('\n').unwrap().1 == all,
            "{world}: the stream is the files in order"
        );
    }
}

#[test]
fn what_cannot_be_made_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write =
        |generator: Generator| generator.write_to(folder.path(), &mut |_| {}).unwrap_err().to_string();
    for events in [0, MAX_EVENTS + 1] {
        let message =
            format!("{events} events asked for, expected 1 to 10000000000: change the number of events");
        assert_eq!(write(Generator::new(World::Shop, events, 1)), message);
    }
    let error = write(Generator::new(World::Retail, 10, 1).with_experiment(experiment()));
    assert_eq!(error, "world `retail` takes no experiment: leave it out, or generate the shop");

    let without = Experiment::new("checkout", Assignment::Md5Parity).unwrap();
    let error = write(Generator::new(World::Shop, 10, 1).with_experiment(without));
    assert!(error.starts_with("experiment `checkout` has no effect"), "{error}");

    let missing = Generator::new(World::Shop, 10, 1).write_to(&folder.path().join("absent"), &mut |_| {});
    assert!(matches!(missing, Err(SynthError::Io { path, .. }) if path.ends_with("absent")));
    std::fs::write(folder.path().join("old.csv"), "").unwrap();
    assert!(write(Generator::new(World::Shop, 10, 1)).ends_with("is not empty: give an empty folder"));
}

#[test]
fn a_writer_that_fails_stops_the_world() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 < bytes.len() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0 -= bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let result = Generator::new(World::Shop, 200_000, 1).stream_to(&mut Full(3_000_000), &mut |_| {});
    assert!(matches!(result, Err(SynthError::Stream(error)) if error.kind() == io::ErrorKind::StorageFull));
}

#[test]
fn errors_cross_threads() {
    fn crosses<T: std::error::Error + Send + Sync + 'static>() {}
    crosses::<SynthError>();
}
