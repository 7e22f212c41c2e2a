//! Patterns of names: the same store as from the files that they match.

use cip_ingest::{Ingest, IngestError};

use crate::{HEADER, bytes_of, rees46};

#[test]
fn a_pattern_gives_the_store_of_the_files_that_it_matches() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("events")).unwrap();
    for (month, user) in [("2019-10", 1), ("2019-11", 2), ("2020-01", 3)] {
        let text = format!("{HEADER}\n{month}-01 00:00:00 UTC,view,1,2,,,1.00,{user},\n");
        std::fs::write(at(&format!("events/{month}.csv")), text).unwrap();
    }
    let run = |sources: &[&str], store: &str| {
        let sources: Vec<_> = sources.iter().map(|name| at(name)).collect();
        Ingest::new(rees46()).run(&sources, &at(store), &mut |_| ()).map(|(_, report)| report.files)
    };
    assert_eq!(run(&["events/2019-*.csv"], "pattern").unwrap(), 2);
    assert_eq!(run(&["events/2019-10.csv", "events/2019-11.csv"], "files").unwrap(), 2);
    assert_eq!(bytes_of(&at("pattern")), bytes_of(&at("files")));
    // The pattern gains a file, and the store the file alone.
    std::fs::copy(at("events/2020-01.csv"), at("events/2019-12.csv")).unwrap();
    let (_, report) =
        Ingest::new(rees46()).append(&[at("events/2019-*.csv")], &at("pattern"), &mut |_| ()).unwrap();
    assert_eq!((report.files, report.files_taken), (1, 2));
    let before = bytes_of(&at("files"));
    let error = run(&["events/2021-*.csv"], "files").unwrap_err();
    assert!(matches!(error, IngestError::NoMatch { .. }), "{error}");
    assert!(error.to_string().contains("events/2021-*.csv"), "{error}");
    assert_eq!(bytes_of(&at("files")), before);
}
