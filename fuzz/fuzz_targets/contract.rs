//! Any text as a contract file: it is refused with a message, or a contract that can be given to an ingest.

#![no_main]

use cip_ingest::{Contract, Ingest, SourceMapping};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Contract::from_toml(text) {
        // Whether it fits the columns is told before any file is read: there is none here.
        Ok(contract) => {
            let Some(mapping) = SourceMapping::built_in("rees46") else { return };
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("none.csv");
            std::fs::write(&file, "").unwrap();
            let target = folder.path().join("store");
            let done = Ingest::new(mapping).with_contract(contract).run(&[file], &target, &mut |_| ());
            assert!(!done.unwrap_err().to_string().is_empty());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
