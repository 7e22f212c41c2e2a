//! `cip generate`: a synthetic world as source files.

use std::path::Path;

use cip::store::StagedFolder;
use cip::synth::{GenerateReport, Generator};
use serde_json::json;

use crate::args::{Common, GenerateArgs};
use crate::error::CliError;
use crate::experiment;
use crate::number::{bytes, grouped};
use crate::output::Answer;
use crate::progress::Bar;

pub(crate) fn run(args: &GenerateArgs, common: &Common) -> Result<Answer, CliError> {
    let mut generator = Generator::new(args.world, args.events, args.seed).with_threads(common.threads());
    let mut specification = None;
    if let Some(path) = &args.experiment {
        let (experiment, text) = experiment::read_with_text(path)?;
        generator = generator.with_experiment(experiment);
        specification = Some(text);
    }
    let report = write(&generator, args.events, specification.as_deref(), &args.out)?;
    let files: Vec<_> = report
        .files
        .iter()
        .map(|file| {
            let name = file.path.file_name().map(|name| name.to_string_lossy().into_owned());
            json!({ "file": name, "rows": file.rows, "bytes": file.bytes })
        })
        .collect();
    Ok(Answer {
        text: format!(
            "{} rows of world {} in {} file(s), {}: {}",
            grouped(report.rows),
            report.world,
            report.files.len(),
            bytes(report.bytes),
            args.out.display()
        ),
        json: json!({
            "world": report.world.to_string(), "seed": report.seed, "rows": report.rows, "bytes": report.bytes,
            "files": files,
        }),
    })
}

/// The file of a world that specifies its experiment.
pub(crate) const EXPERIMENT: &str = "experiment.toml";

/// Writes the world, and the specification of its experiment, into a folder that appears whole or not at all.
pub(crate) fn write(
    generator: &Generator,
    events: u64,
    experiment: Option<&str>,
    out: &Path,
) -> Result<GenerateReport, CliError> {
    let staged = StagedFolder::begin(out)?;
    let bar = Bar::new("generating", "rows", events);
    let report = generator.write_to(staged.path(), &mut |rows| bar.set(rows))?;
    if let Some(experiment) = experiment {
        staged.write(EXPERIMENT, experiment.as_bytes())?;
    }
    let marker = json!({
        "format": "cip-generated", "world": report.world.to_string(), "seed": report.seed, "rows": report.rows,
    });
    staged.write("generated.json", format!("{marker}\n").as_bytes())?;
    staged.publish()?;
    Ok(report)
}
