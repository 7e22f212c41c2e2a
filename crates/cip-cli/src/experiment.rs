//! Reading the file that specifies an experiment.

use std::fs;
use std::path::Path;

use cip::abtest::Experiment;

use crate::error::CliError;

/// Returns the experiment that the TOML file at `path` specifies.
pub(crate) fn read(path: &Path) -> Result<Experiment, CliError> {
    let text = fs::read_to_string(path).map_err(|source| CliError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    Experiment::from_toml(&text).map_err(|source| CliError::Experiment { path: path.to_owned(), source })
}
