//! The folders of `--state`, which keep from one run to the next.

use std::path::Path;

use crate::error::CliError;

/// Refuses to write into the folder that keeps something: all of it is replaced.
pub(crate) fn check_apart(folder: &Path, out: &Path) -> Result<(), CliError> {
    let above = out.parent().map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above });
    let real = |path: &Path| path.canonicalize().ok();
    let inside =
        above.and_then(real).zip(real(folder)).is_some_and(|(above, folder)| above.starts_with(folder));
    if inside || above == Some(folder) {
        let (out, folder) = (out.display(), folder.display());
        return Err(CliError::Usage(format!(
            "{out} lies in {folder}, which --state replaces: choose another --out"
        )));
    }
    Ok(())
}
