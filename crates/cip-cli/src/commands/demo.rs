//! `cip demo`: a shop from nothing to segments, in one command.

use std::fs;
use std::path::Path;

use cip::synth::{Generator, World};

use crate::args::{Common, SourceArgs};
use crate::commands::generate;
use crate::commands::run::{answer, line};
use crate::error::CliError;
use crate::number::{bytes, grouped};
use crate::output::Answer;
use crate::stage::Stages;

pub(crate) fn run(events: u64, seed: u64, out: &Path, common: &Common) -> Result<Answer, CliError> {
    fs::create_dir_all(out).map_err(|source| CliError::Io {
        action: "create",
        path: out.to_owned(),
        source,
    })?;
    let (files, results) = (out.join("events"), out.join("results"));
    let mut stages = Stages::default();
    let generator = Generator::new(World::Shop, events, seed).with_threads(common.threads());
    let made = stages.measure("generate", || generate::write(&generator, events, &files))?;
    let source = SourceArgs {
        sources: vec![files.clone()],
        mapping: "rees46".to_owned(),
        experiment: None,
        max_rejects: None,
    };
    let found = line(&source, &results, None, common, &mut stages)?;
    let mut said = answer(found, &results, &stages);
    said.text = format!(
        "a synthetic shop of {} events, {} of CSV in {}\n\n{}\n\nnext: cip info {}",
        grouped(made.rows),
        bytes(made.bytes),
        files.display(),
        said.text,
        results.join("store").display()
    );
    Ok(said)
}
