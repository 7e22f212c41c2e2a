//! Any text as a mapping file: it is refused with a message, or it is a mapping with a schema.

#![no_main]

use cip_ingest::SourceMapping;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match SourceMapping::from_toml(text) {
        Ok(mapping) => assert!(mapping.schema().is_ok(), "a mapping that was checked has a schema"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
