//! `cip demo`: a shop from nothing to segments, in one command.

use std::fs;
use std::path::Path;

use cip::abtest::Experiment;
use cip::synth::{Generator, World};

use crate::args::{Common, CurrencyArgs, SourceArgs};
use crate::commands::generate;
use crate::commands::run::{answer, line};
use crate::error::CliError;
use crate::number::{bytes, grouped};
use crate::output::Answer;
use crate::stage::Stages;

/// What the shop tries on half of its users: one in twenty of their carts becomes a purchase.
const EXPERIMENT: &str = r#"name = "checkout"
assignment = "md5_parity"

[effect]
from = "cart"
to = "purchase"
share = 0.05
"#;

pub(crate) fn run(events: u64, seed: u64, out: &Path, common: &Common) -> Result<Answer, CliError> {
    fs::create_dir_all(out).map_err(|source| CliError::Io {
        action: "create",
        path: out.to_owned(),
        source,
    })?;
    let (files, results) = (out.join("events"), out.join("results"));
    let mut stages = Stages::default();
    let experiment = Experiment::from_toml(EXPERIMENT)?;
    let generator =
        Generator::new(World::Shop, events, seed).with_threads(common.threads()).with_experiment(experiment);
    let made =
        stages.measure("generate", || generate::write(&generator, events, Some(EXPERIMENT), &files))?;
    let source = SourceArgs {
        contract: None,
        contract_as_of: None,
        sources: vec![files.clone()],
        mapping: "rees46".to_owned(),
        delimiter: None,
        quote: None,
        aliases: None,
        experiment: Some(files.join(generate::EXPERIMENT)),
        layout: None,
        max_rejects: None,
    };
    let all = CurrencyArgs { currency: None };
    let found = line(&source, &results, (None, &all), common, &mut stages)?;
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
