//! Results that must not lie where something is that they would replace.

use std::path::{Path, PathBuf};

use crate::args::{BasketSourceArgs, Command};
use crate::error::CliError;

/// Refuses a command that would replace a file that it reads.
pub(crate) fn check_files(command: &Command) -> Result<(), CliError> {
    let Files { read, written } = Files::of(command);
    let real = |path: &Path| path.canonicalize().ok();
    let sources: Vec<_> = read.into_iter().filter_map(|path| Some((path, real(path)?))).collect();
    for (option, out) in written {
        let Some(target) = real(out) else { continue };
        // A folder is replaced with all that is in it; a store is no file, and keeps what is its own.
        let replaced = sources.iter().find(|(_, source)| source.is_file() && source.starts_with(&target));
        if let Some((source, _)) = replaced {
            let (out, source) = (out.display(), source.display());
            return Err(CliError::Usage(format!(
                "{out} would replace {source}, which it is made of: choose another {option}"
            )));
        }
    }
    Ok(())
}

/// What a command reads, and where it writes, by the options that say so.
struct Files<'a> {
    read: Vec<&'a Path>,
    written: Vec<(&'static str, &'a Path)>,
}

impl<'a> Files<'a> {
    fn new(
        read: impl IntoIterator<Item = Option<&'a PathBuf>>,
        written: impl IntoIterator<Item = (&'static str, Option<&'a PathBuf>)>,
    ) -> Self {
        let written = written.into_iter().filter_map(|(option, path)| Some((option, path?.as_path())));
        Self { read: read.into_iter().flatten().map(PathBuf::as_path).collect(), written: written.collect() }
    }

    /// Of a command that reads stores alone, or takes care of its sources by itself, there are none.
    fn of(command: &'a Command) -> Self {
        let out = |path: &'a PathBuf| [("--out", Some(path))];
        match command {
            Command::Score(args) => Self::new([Some(&args.table.table), Some(&args.model)], out(&args.out)),
            Command::Explain(args) => Self::new([Some(&args.table.table), Some(&args.model)], out(&args.out)),
            Command::Train(args) => Self::new(
                [Some(&args.table.table), args.validation.as_ref(), args.calibrate.as_ref()],
                out(&args.out),
            ),
            Command::Uplift(args) => Self::new(
                [Some(&args.table.table)],
                [("--out", args.out.as_ref()), ("--model-out", args.model_out.as_ref())],
            ),
            Command::Convert(args) => Self::new([Some(&args.model)], out(&args.out)),
            Command::Drift(args) => Self::new(
                [Some(&args.reference), Some(&args.current), args.model.as_ref()],
                [("--out", args.out.as_ref()), ("--reference-sketch", args.reference_sketch.as_ref())],
            ),
            Command::Features(args) => Self::new([args.spec.as_ref()], out(&args.out)),
            Command::Itemsets(args) => Self::of_baskets(&args.source, None, &args.out),
            Command::Rules(args) => Self::of_baskets(&args.source, args.later.as_ref(), &args.out),
            Command::Migrate(args) => {
                Self::new([Some(&args.before), Some(&args.after)], [("--out", args.out.as_ref())])
            }
            Command::Clv(args) => Self::new([Some(&args.source)], [("--out", args.out.as_ref())]),
            Command::Assign(args) => Self::new([Some(&args.table), Some(&args.experiment)], out(&args.out)),
            Command::Abtest(args) => Self::new(
                [Some(&args.input), args.experiment.as_ref()],
                [("--out", args.out.as_ref()), ("--chart", args.chart.as_ref())],
            ),
            Command::Generate(args) => Self::new([args.experiment.as_ref()], [("folder", Some(&args.out))]),
            _ => Self::new([], []),
        }
    }

    fn of_baskets(source: &'a BasketSourceArgs, later: Option<&'a PathBuf>, out: &'a PathBuf) -> Self {
        Self::new([Some(&source.source), source.hierarchy.as_ref(), later], [("--out", Some(out))])
    }
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
