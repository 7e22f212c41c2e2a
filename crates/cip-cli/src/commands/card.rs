//! The model file and, beside it, the model card: `MODEL` without its ending, and `.card.md` and `.card.html`.

use std::path::{Path, PathBuf};

use cip::core::{MICROS_PER_DAY, Timestamp};
use cip::propensity::{ModelCard, Side};
use cip::scoring::ScoringError;
use cip::store::{write_document, write_page};

use crate::commands::train::TrainRun;
use crate::error::CliError;

/// Writes a model with its card, and returns where the card is: as Markdown, and as HTML.
pub(crate) fn write(path: &Path, run: &TrainRun, facts: &[[String; 2]]) -> Result<[PathBuf; 2], CliError> {
    let model = &run.trained.model;
    let card = ModelCard::new(model).with_baselines(&run.trained.baselines).with_findings(&run.findings);
    let card = facts.iter().fold(card, |card, [name, value]| card.with_fact(name, value));
    let [markdown, html] = ["card.md", "card.html"].map(|ending| path.with_extension(ending));
    // The card first: where it cannot be written, the old model stays.
    write_page(&markdown, ModelCard::MARK, card.to_markdown())?;
    write_page(&html, ModelCard::MARK, card.to_html())?;
    write_document(path, |file| Ok::<_, ScoringError>(model.write_to(file)?))?;
    Ok([markdown, html])
}

/// What rows of a side are for.
pub(crate) const fn name(side: Side) -> &'static str {
    match side {
        Side::Train => "trained on",
        Side::Validate => "validated on",
        Side::Calibrate => "calibrated on",
        Side::HeldOut => "tested on",
        Side::LeftOut => "left out",
    }
}

/// A day, in days since 1970-01-01, as a date.
pub(crate) fn day(day: i64) -> String {
    Timestamp::from_micros(day.saturating_mul(MICROS_PER_DAY)).to_string()
}
