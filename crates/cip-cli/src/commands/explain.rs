//! `cip explain`: what a model makes of a table, as a table, a page and pictures.

use cip::arrow_array::RecordBatch;
use cip::core::Id;
use cip::propensity::{
    Categories, Explainer, FeatureEffect, FeatureValue, PairEffect, PropensityError, PropensityModel,
    effects_batch, pairs_batch, points_batch, sampled_matrix,
};
use cip::scoring::{ExplainedRow, Explanation, ScoringError};
use cip::store::{StagedFolder, TableWriter};
use serde_json::{Value, json};

use crate::args::{Common, ExplainArgs};
use crate::chart::{Bar, bars};
use crate::commands::score::row_json;
use crate::commands::train::{open, read_model};
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::{Answer, table as lined_up};
use crate::scatter::{Swarm, scatter, swarm};

const EFFECTS: &str = "feature_effects.parquet";
const PICTURE: &str = "feature_effects.svg";
const POINTS: &str = "feature_points.parquet";
const SWARM: &str = "feature_points.svg";
const PAIRS: &str = "pair_effects.parquet";
const PAIRS_PICTURE: &str = "pair_effects.svg";
const PAGE: &str = "explanation.md";

pub(crate) fn run(args: &ExplainArgs, common: &Common) -> Result<Answer, CliError> {
    let model = read_model(&args.model)?;
    let source = open(&args.table)?;
    let staged = StagedFolder::begin(&args.out)?;
    let found = source.explain(&model, &args.customer, common.threads())?;

    let dependence = dependence(args, &model, &found)?;
    let pairs = args.interactions.map(|rows| pairs(&model, &found, rows.into())).transpose()?;

    let write = |file: &str, name: &str, batch: RecordBatch| -> Result<(), CliError> {
        let mut writer = TableWriter::create(&staged.path().join(file), name, &batch.schema())?;
        writer.write(batch)?;
        writer.finish()?;
        Ok(())
    };
    let trees = model.trees();
    let features = trees.features();
    write(EFFECTS, "feature_effects", effects_batch(&found.effects).map_err(ScoringError::from)?)?;
    let points = points_batch(trees, &found.effects, &found.sample).map_err(ScoringError::from)?;
    write(POINTS, "feature_points", points)?;
    staged.write(PICTURE, picture(&found, model.label()).as_bytes())?;
    staged.write(SWARM, swarm_picture(&found, &model).as_bytes())?;
    for (number, &feature) in (1..).zip(&dependence) {
        let points = found.sample.iter().map(|row| (row.values[feature], row.contributions[feature]));
        let title = format!("What {} adds to the log odds of `{}`", features[feature], model.label());
        let names = trees.categories()[feature].as_ref().map(names_of);
        let svg = scatter(&title, &points.collect::<Vec<_>>(), names.as_deref());
        staged.write(&dependence_file(number), svg.as_bytes())?;
    }
    if let Some(pairs) = &pairs {
        write(PAIRS, "pair_effects", pairs_batch(pairs).map_err(ScoringError::from)?)?;
        staged.write(PAIRS_PICTURE, pairs_picture(pairs, model.label()).as_bytes())?;
    }
    for (number, customer) in (1..).zip(&found.customers) {
        staged.write(&file_of(number), waterfall(found.base, customer).as_bytes())?;
    }
    let page = page(&found, &model) + &more_pages(&dependence, &model, pairs.as_deref());
    staged.write(PAGE, page.as_bytes())?;
    let mut json = to_json(&found, &model);
    json["dependence"] = dependence.iter().map(|&feature| json!(features[feature])).collect();
    json["pairs"] = json!(pairs);
    // The folder is known as cip's by it.
    staged.write("summary.json", format!("{json:#}\n").as_bytes())?;
    staged.publish()?;
    Ok(Answer { text: text(&found, &model, args), json })
}

/// The features whose dependence is drawn.
fn dependence(
    args: &ExplainArgs,
    model: &PropensityModel,
    found: &Explanation,
) -> Result<Vec<usize>, CliError> {
    const SHOWN: usize = 3;
    let features = model.trees().features();
    let place = |wanted: &str| features.iter().position(|name| &**name == wanted);
    if args.dependence.is_empty() {
        return Ok(found.effects.iter().take(SHOWN).filter_map(|effect| place(&effect.feature)).collect());
    }
    let missing = |wanted: &str| {
        let (column, columns) = (wanted.into(), features.to_vec());
        CliError::from(ScoringError::from(PropensityError::MissingColumn { column, columns }))
    };
    args.dependence.iter().map(|wanted| place(wanted).ok_or_else(|| missing(wanted))).collect()
}

/// What pairs of features do together in the first rows of the sample.
fn pairs(model: &PropensityModel, found: &Explanation, rows: usize) -> Result<Vec<PairEffect>, CliError> {
    let features = model.trees().features();
    let rows = &found.sample[..rows.min(found.sample.len())];
    let matrix = sampled_matrix(features, rows).map_err(ScoringError::from)?;
    Ok(Explainer::new(model.trees()).pair_effects(features, &matrix).map_err(ScoringError::from)?)
}

/// The names of all codes of a feature.
fn names_of(categories: &Categories) -> Vec<String> {
    let name = |code: u32| FeatureValue::new(code as f32, Some(categories)).to_string();
    (0..=categories.other()).map(name).collect()
}

fn dependence_file(number: usize) -> String {
    format!("dependence-{number}.svg")
}

/// Every row of the sample as a dot, feature by feature.
fn swarm_picture(found: &Explanation, model: &PropensityModel) -> String {
    const SHOWN: usize = 12;
    let features = model.trees().features();
    let row = |effect: &FeatureEffect| {
        let at = features.iter().position(|name| *name == effect.feature)?;
        // Categories have no order that a colour could show.
        let value = |value: Option<f32>| value.filter(|_| model.trees().categories()[at].is_none());
        let points = found.sample.iter().map(|row| (value(row.values[at]), row.contributions[at]));
        Some(Swarm { name: effect.feature.to_string(), points: points.collect() })
    };
    let rows: Vec<_> = found.effects.iter().take(SHOWN).filter_map(row).collect();
    swarm(&format!("What each feature adds to the log odds of `{}`, row by row", model.label()), &rows)
}

fn pairs_picture(pairs: &[PairEffect], label: &str) -> String {
    const SHOWN: usize = 15;
    let bar = |pair: &PairEffect| Bar {
        name: pair_name(pair),
        from: 0.0,
        to: pair.mean_magnitude,
        note: format!("{:.3}", pair.mean_magnitude),
    };
    let bars_of: Vec<_> = pairs.iter().take(SHOWN).map(bar).collect();
    bars(&format!("What pairs do together to the log odds of `{label}`: mean magnitude"), &bars_of)
}

fn pair_name(pair: &PairEffect) -> String {
    format!("{} and {}", pair.feature_a, pair.feature_b)
}

/// What the page says behind the customers.
fn more_pages(dependence: &[usize], model: &PropensityModel, pairs: Option<&[PairEffect]>) -> String {
    const SHOWN: usize = 15;
    let mut page = format!("\n## Row by row\n\n![Each row of a sample as a dot]({SWARM})\n");
    for (number, &feature) in (1..).zip(dependence) {
        let name = cell_text(&model.trees().features()[feature]);
        page.push_str(&format!("\n![What {name} adds, by its value]({})\n", dependence_file(number)));
    }
    if let Some(pairs) = pairs {
        page.push_str(&format!(
            "\n## Together\n\n![What pairs of features do together]({PAIRS_PICTURE})\n\n| pair | mean magnitude |\n|---|--:|\n"
        ));
        for pair in pairs.iter().take(SHOWN) {
            page.push_str(&format!("| {} | {:.4} |\n", cell_text(&pair_name(pair)), pair.mean_magnitude));
        }
    }
    page
}

/// The picture of the customer with this number, from 1.
fn file_of(number: usize) -> String {
    format!("customer-{number}.svg")
}

fn to_json(found: &Explanation, model: &PropensityModel) -> Value {
    json!({
        "format": "cip-explanation",
        "label": model.label(),
        "rows": found.rows,
        "base": found.base,
        "effects": found.effects,
        "customers": found.customers.iter().map(row_json).collect::<Value>(),
    })
}

fn text(found: &Explanation, model: &PropensityModel, args: &ExplainArgs) -> String {
    const SHOWN: usize = 10;
    let rows: Vec<_> = found.effects.iter().take(SHOWN).map(effect_cells).collect();
    format!(
        "{} rows explained for `{}`\n\n{}\nthe page is {}",
        grouped(found.rows),
        model.label(),
        lined_up(&EFFECT_HEADER, &rows),
        args.out.join(PAGE).display()
    )
}

const EFFECT_HEADER: [&str; 5] = ["feature", "mean magnitude", "share", "lowest", "highest"];

fn effect_cells(effect: &FeatureEffect) -> Vec<String> {
    vec![
        effect.feature.to_string(),
        format!("{:.3}", effect.mean_magnitude),
        percent(effect.share, 1.0),
        format!("{:+.2}", effect.lowest),
        format!("{:+.2}", effect.highest),
    ]
}

/// The features with the greatest effects.
fn picture(found: &Explanation, label: &str) -> String {
    const SHOWN: usize = 20;
    let bar = |effect: &FeatureEffect| Bar {
        name: effect.feature.to_string(),
        from: 0.0,
        to: effect.mean_magnitude,
        note: format!("{:.3}", effect.mean_magnitude),
    };
    let title = format!("What moves the log odds of `{label}`: mean magnitude of the contributions");
    bars(&title, &found.effects.iter().take(SHOWN).map(bar).collect::<Vec<_>>())
}

/// From what is expected of everybody to the margin of one, reason by reason.
fn waterfall(base: f64, customer: &ExplainedRow) -> String {
    const SHOWN: usize = 9;
    let mut steps =
        vec![Bar { name: "everybody".to_owned(), from: 0.0, to: base, note: format!("{base:.2}") }];
    let mut at = base;
    let mut step = |name: String, contribution: f64| {
        steps.push(Bar { name, from: at, to: at + contribution, note: format!("{contribution:+.2}") });
        at += contribution;
    };
    let shown = customer.reasons.len().min(SHOWN);
    for reason in &customer.reasons[..shown] {
        step(reason.to_string(), reason.contribution);
    }
    let rest = &customer.reasons[shown..];
    if !rest.is_empty() {
        step(format!("{} others", rest.len()), rest.iter().map(|reason| reason.contribution).sum());
    }
    let (name, margin) = (name_of(customer), customer.margin);
    steps.push(Bar { name: name.clone(), from: 0.0, to: margin, note: format!("{margin:.2}") });
    bars(&format!("{name}: a score of {}, log odds step by step", percent(customer.score, 1.0)), &steps)
}

fn name_of(customer: &ExplainedRow) -> String {
    customer.id.as_ref().map_or_else(|| format!("row {}", customer.row), Id::to_string)
}

/// The page with the pictures.
fn page(found: &Explanation, model: &PropensityModel) -> String {
    let mut page = format!(
        "# What {} depends on\n\nIn {} rows. The log odds of a row are {:.4}, what is expected of everybody, and the contributions of its \
         features. They say how the model came to its scores, not what would happen if a feature were changed.\n\n\
         ![Mean magnitude of the contributions]({PICTURE})\n\n| {} |\n|---|--:|--:|--:|--:|\n",
        cell_text(model.label()),
        grouped(found.rows),
        found.base,
        EFFECT_HEADER.join(" | "),
    );
    for effect in &found.effects {
        let cells: Vec<_> = effect_cells(effect).iter().map(|cell| cell_text(cell)).collect();
        page.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    for (number, customer) in (1..).zip(&found.customers) {
        page.push_str(&format!(
            "\n## {}\n\nA score of {}, log odds of {:.4} (before calibration).\n\n![Step by step]({})\n\n| feature | value | contribution |\n|---|--:|--:|\n",
            cell_text(&name_of(customer)),
            percent(customer.score, 1.0),
            customer.margin,
            file_of(number),
        ));
        for reason in &customer.reasons {
            let value = cell_text(&reason.value.to_string());
            let name = cell_text(&reason.feature);
            page.push_str(&format!("| {name} | {value} | {:+.4} |\n", reason.contribution));
        }
    }
    page
}

/// Text as it may stand in a cell of a table of Markdown.
fn cell_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' => escaped.extend(['\\', letter]),
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}
