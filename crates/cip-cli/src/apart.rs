//! Results that must not lie where something is that they would replace.

use std::path::Path;

use crate::error::CliError;

/// Refuses to write a table in the place of the one that it is made of.
pub(crate) fn check_other(table: &Path, out: &Path) -> Result<(), CliError> {
    let real = |path: &Path| path.canonicalize().ok();
    if real(out).is_some_and(|out| real(table) == Some(out)) {
        return Err(CliError::Usage(format!(
            "{} would replace the table that it is made of: choose another --out",
            out.display()
        )));
    }
    Ok(())
}

/// Refuses to write into the folder of `--state`, which keeps something from one run to the next: all of it is replaced.
pub(crate) fn check_outside(folder: &Path, out: &Path) -> Result<(), CliError> {
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
