//! Reading the file that specifies an experiment.

use std::fs;
use std::path::Path;

use cip::abtest::Experiment;

use crate::error::CliError;

/// Returns the experiment that the TOML file at `path` specifies.
pub(crate) fn read(path: &Path) -> Result<Experiment, CliError> {
    Ok(read_with_text(path)?.0)
}

/// Returns the experiment that the TOML file at `path` specifies, and the file's text.
pub(crate) fn read_with_text(path: &Path) -> Result<(Experiment, String), CliError> {
    let text = fs::read_to_string(path).map_err(|source| CliError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    match Experiment::from_toml(&text) {
        Ok(experiment) => Ok((experiment, text)),
        Err(source) => Err(CliError::Experiment { path: path.to_owned(), source }),
    }
}
