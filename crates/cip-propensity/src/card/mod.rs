//! The model card: what one must know of a model before one uses it, as a page.

mod page;

use crate::baseline::Baseline;
use crate::evaluation::{Evaluation, ReliabilityBin};
use crate::file::PropensityModel;
use crate::lint::Finding;
use crate::matrix::Categories;
use crate::params::{ClassWeight, Monotone};

use page::{Block, Page};

/// What one must know of a model: its data, features, metrics, calibration, leaks, what it leans on, and what it is for (Mitchell et
/// al. 2019, "Model Cards for Model Reporting").
///
/// It holds no clock, path or host: the same model and facts give the same bytes.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Float64Array, RecordBatch};
/// use cip_propensity::{BoostedTrees, FeatureMatrix, ModelCard, ParamGuard, PropensityModel};
/// # let views: ArrayRef = Arc::new(Float64Array::from_iter_values((0..100).map(f64::from)));
/// # let features = FeatureMatrix::from_batches(&["views"], &[RecordBatch::try_from_iter([("views", views)])?])?;
/// # let labels: Vec<bool> = (0..100).map(|row| row > 60).collect();
/// let trees = BoostedTrees::params(7).with_trees(5).check()?.fit_matrix(&features, &labels)?;
/// let model = PropensityModel::new(trees, "bought", &labels);
/// let card = ModelCard::new(&model).with_fact("table", "past.parquet").with_fact("cutoff", "2019-11-01");
/// assert!(card.to_markdown().contains("| cutoff | 2019-11-01 |"));
/// assert!(card.to_html().contains("<td>past.parquet</td>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ModelCard<'a> {
    model: &'a PropensityModel,
    facts: Vec<[String; 2]>,
    baselines: &'a [(Baseline, Evaluation)],
    /// None where nobody has looked.
    findings: Option<&'a [Finding]>,
}

impl<'a> ModelCard<'a> {
    /// What a card of either form starts with: whoever writes one knows the older one by it.
    pub const MARK: &'static str = "<!-- cip-model-card -->";

    /// Returns the card of a model of which no more is known than it carries.
    pub const fn new(model: &'a PropensityModel) -> Self {
        Self { model, facts: Vec::new(), baselines: &[], findings: None }
    }

    /// Adds a fact of the data: the name of the table, the cutoff, the window of the label.
    #[must_use]
    pub fn with_fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push([name.into(), value.into()]);
        self
    }

    /// Adds how well plain models do on the rows that the model was tested on.
    #[must_use]
    pub const fn with_baselines(mut self, baselines: &'a [(Baseline, Evaluation)]) -> Self {
        self.baselines = baselines;
        self
    }

    /// Adds the leaks that were looked for, found or not.
    #[must_use]
    pub const fn with_findings(mut self, findings: &'a [Finding]) -> Self {
        self.findings = Some(findings);
        self
    }

    /// Returns the card as Markdown.
    pub fn to_markdown(&self) -> String {
        self.page().to_markdown(Self::MARK)
    }

    /// Returns the card as an HTML page that needs no other file, with the calibration curve as a picture.
    pub fn to_html(&self) -> String {
        self.page().to_html(Self::MARK)
    }

    fn page(&self) -> Page {
        let mut page = Page::new(format!("Model card: {}", self.model.label()));
        self.purpose(&mut page);
        self.data(&mut page);
        self.learning(&mut page);
        if let Some(found) = self.model.evaluation() {
            self.metrics(&mut page, found);
            self.probabilities(&mut page, found);
        }
        self.leaks(&mut page);
        self.importance(&mut page);
        page
    }

    fn purpose(&self, page: &mut Page) {
        let label = self.model.label();
        page.heading("Intended use and limits");
        page.list(vec![
            format!("It ranks rows by how likely `{label}` is to come true, and gives each a probability; it speaks of rows like those that it was trained on, and of a span as long as that of its labels."),
            "A score says who is likely, not whom a contact would move: that takes an experiment.".to_owned(),
            "Contributions and importance say how the model came to its scores, not what would happen if a feature were changed.".to_owned(),
            "It is not to decide alone on prices, credit, or anything that the law reserves for people.".to_owned(),
            "Behaviour drifts: compare the features and scores of new rows with those of the test, and train again where they part.".to_owned(),
        ]);
    }

    fn data(&self, page: &mut Page) {
        let (training, calibration) = (self.model.training(), self.model.calibration());
        page.heading("Data");
        let mut rows: Vec<Vec<String>> = self.facts.iter().map(|fact| fact.to_vec()).collect();
        let mut add = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
        add("label", self.model.label().to_owned());
        add("rows trained on", of(training.rows, training.positives));
        if calibration.rows() > 0 {
            add("rows calibrated on", of(calibration.rows(), calibration.positives()));
        }
        if let Some(found) = self.model.evaluation() {
            add("rows tested on", of(found.rows, found.positives));
        }
        page.table(&["fact", "value"], rows);
    }

    fn learning(&self, page: &mut Page) {
        let (trees, calibration) = (self.model.trees(), self.model.calibration());
        let params = trees.trained_with();
        page.heading("Learning");
        let number = |value: f64| value.to_string();
        let mut rows = vec![
            ["method".to_owned(), "gradient-boosted trees, logistic loss".to_owned()],
            ["trees".to_owned(), format!("{} of at most {}", trees.trees().len(), params.trees())],
            ["leaves".to_owned(), params.leaves().to_string()],
            ["depth".to_owned(), params.depth().map_or_else(|| "any".to_owned(), |depth| depth.to_string())],
            ["learning rate".to_owned(), number(params.learning_rate())],
            ["least weight of a leaf".to_owned(), number(params.min_child_weight())],
            ["L2 penalty".to_owned(), number(params.lambda())],
            [
                "weight of a positive row".to_owned(),
                match params.class_weight() {
                    ClassWeight::Equal => "1".to_owned(),
                    ClassWeight::Balanced => "balanced".to_owned(),
                    ClassWeight::Positive(weight) => number(weight),
                },
            ],
            [
                "early stopping".to_owned(),
                params.early_stopping().map_or_else(
                    || "none".to_owned(),
                    |rounds| format!("after {rounds} rounds without a lower log loss"),
                ),
            ],
            ["seed".to_owned(), params.seed().to_string()],
            [
                "calibration".to_owned(),
                match calibration.fallback() {
                    None => calibration.method().to_string(),
                    Some(fallback) => format!("none: {}", fallback.reason()),
                },
            ],
        ];
        for (feature, direction) in params.monotone() {
            let direction = match direction {
                Monotone::Increasing => "the margin never falls as it rises",
                Monotone::Decreasing => "the margin never rises as it rises",
            };
            rows.push([format!("monotone: {feature}"), direction.to_owned()]);
        }
        page.table(&["parameter", "value"], rows.into_iter().map(|row| row.to_vec()).collect());
    }

    fn metrics(&self, page: &mut Page, found: &Evaluation) {
        page.heading("How well it foretells the rows tested on");
        let baselines = self.baselines.iter().map(|(baseline, found)| (baseline.name(), found));
        let rows = [("this model", found)].into_iter().chain(baselines).map(|(name, found)| {
            let lift = found.lift_at(0.1).and_then(|lift| lift.lift);
            let ranking = [found.auc, found.average_precision, lift].map(known);
            let losses = [found.log_loss, found.brier, found.ece].map(|value| format!("{value:.4}"));
            [name.to_owned()].into_iter().chain(ranking).chain(losses).collect()
        });
        let header = [
            "model",
            "AUC",
            "average precision",
            "lift of the best tenth",
            "log loss",
            "Brier",
            "calibration error",
        ];
        page.table(&header, rows.collect());
        let rows = found.lift.iter().map(|lift| {
            vec![
                format!("best {}", percent(lift.fraction)),
                lift.rows.to_string(),
                percent(lift.conversion),
                lift.lift.map_or_else(|| "-".to_owned(), |lift| format!("{lift:.2}")),
                lift.captured.map_or_else(|| "-".to_owned(), percent),
            ]
        });
        page.table(&["ranked", "rows", "conversion", "lift", "of all positives"], rows.collect());
    }

    fn probabilities(&self, page: &mut Page, found: &Evaluation) {
        page.heading("Calibration");
        page.paragraph("What was foretold, and how often it came true:".to_owned());
        page.push(Block::Picture(curve(&found.reliability)));
        let rows = found.reliability.iter().map(|bin| {
            vec![
                format!("{} to {}", percent(bin.from), percent(bin.to)),
                bin.rows.to_string(),
                percent(bin.mean_score),
                percent(bin.observed),
            ]
        });
        page.table(&["score", "rows", "mean score", "came true"], rows.collect());
        if let Some(before) = found.uncalibrated {
            page.paragraph(format!(
                "Before calibration: log loss {:.4}, Brier {:.4}, calibration error {:.4}.",
                before.log_loss, before.brier, before.ece
            ));
        }
    }

    fn leaks(&self, page: &mut Page) {
        page.heading("Leaks");
        match self.findings {
            None => page.paragraph("Nobody has looked for leaks.".to_owned()),
            Some([]) => page.paragraph(
                "None found: no id among the features, none that tells the label by itself, no overlap of labels, and no more than a hundredth of the rows tested on among those trained on."
                    .to_owned(),
            ),
            Some(findings) => page.list(findings.iter().map(ToString::to_string).collect()),
        }
    }

    fn importance(&self, page: &mut Page) {
        page.heading("Features");
        let rows = self
            .model
            .trees()
            .importance()
            .into_iter()
            .map(|of| vec![of.feature.to_string(), percent(of.share), of.splits.to_string()]);
        page.table(&["feature", "gain", "splits"], rows.collect());
        self.categories(page);
    }

    /// The features that are no numbers, and what they may be.
    fn categories(&self, page: &mut Page) {
        const SHOWN: usize = 12;
        let trees = self.model.trees();
        let row = |(feature, categories): (&str, Option<&Categories>)| {
            let names = categories?.names();
            let mut shown = names.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
            if names.len() > SHOWN {
                shown.push_str(", …");
            }
            Some(vec![feature.to_owned(), names.len().to_string(), shown])
        };
        let rows: Vec<_> = trees.columns.iter().filter_map(row).collect();
        if !rows.is_empty() {
            page.paragraph(
                "Features that are no numbers; any text but these is one more category, the same for all:"
                    .to_owned(),
            );
            page.table(&["feature", "categories", "names"], rows);
        }
    }
}

/// `1200, of which 80 (6.7%) are positive`.
fn of(rows: u64, positives: u64) -> String {
    format!("{rows}, of which {positives} ({}) are positive", percent(positives as f64 / rows.max(1) as f64))
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

fn known(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

/// The calibration curve as SVG: mean score to the right, what came true upwards, and the line on which both are the same.
fn curve(bins: &[ReliabilityBin]) -> String {
    const SIZE: f64 = 300.0;
    const MARGIN: f64 = 40.0;
    let highest = bins.iter().flat_map(|bin| [bin.mean_score, bin.observed]).fold(0.0, f64::max);
    // A round end of both scales, so that rare positives fill the picture.
    let end = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5].into_iter().find(|&end| highest <= end).unwrap_or(1.0);
    let right = |value: f64| MARGIN + SIZE * value / end;
    let up = |value: f64| MARGIN + SIZE - SIZE * value / end;
    let (near, far) = (MARGIN, MARGIN + SIZE);
    let whole = SIZE + 2.0 * MARGIN;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{whole}" viewBox="0 0 {whole} {whole}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#ffffff"/>
<rect x="{near}" y="{near}" width="{SIZE}" height="{SIZE}" fill="none" stroke="#999999"/>
<line x1="{near}" y1="{far}" x2="{far}" y2="{near}" stroke="#999999" stroke-dasharray="4 4"/>
<text x="{near}" y="{:.1}">0</text><text x="{far}" y="{:.1}" text-anchor="end">score {}</text>
<text x="{near}" y="{:.1}">came true {}</text>
"##,
        far + 16.0,
        far + 16.0,
        percent(end),
        near - 8.0,
        percent(end),
    );
    let points: Vec<String> =
        bins.iter().map(|bin| format!("{:.1},{:.1}", right(bin.mean_score), up(bin.observed))).collect();
    svg.push_str(&format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#1f77b4\" stroke-width=\"2\"/>\n",
        points.join(" ")
    ));
    for bin in bins {
        let (x, y) = (right(bin.mean_score), up(bin.observed));
        svg.push_str(&format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"#1f77b4\"/>\n"));
    }
    svg.push_str("</svg>\n");
    svg
}
