//! What the files of models begin with: a format, and its version.

use std::io::Read;
use std::ops::RangeInclusive;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::PropensityError;

#[derive(Deserialize)]
struct Stamp {
    format: Box<str>,
    version: u64,
}

/// Whether a file says that it has this format.
pub(crate) fn has_format(text: &[u8], format: &str) -> bool {
    serde_json::from_slice::<Stamp>(text).is_ok_and(|stamp| &*stamp.format == format)
}

/// Reads the document of a file that must have this format, in one of these versions.
pub(crate) fn read_document<D: DeserializeOwned>(
    mut reader: impl Read,
    expected: &'static str,
    versions: RangeInclusive<u64>,
) -> Result<D, PropensityError> {
    let mut text = Vec::new();
    reader.read_to_end(&mut text)?;
    // A later version may have another form: look at the version alone first.
    let Stamp { format, version } = serde_json::from_slice(&text).map_err(PropensityError::ModelJson)?;
    if &*format != expected || !versions.contains(&version) {
        let supported = *versions.end();
        return Err(PropensityError::ModelVersion { format, version, expected, supported });
    }
    serde_json::from_slice(&text).map_err(PropensityError::ModelJson)
}
