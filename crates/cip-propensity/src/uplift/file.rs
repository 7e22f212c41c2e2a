//! The file of a model of uplift: JSON of a documented form, checked before it is used.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use crate::boosted::BoostedTrees;
use crate::engine::Ensemble;
use crate::error::PropensityError;
use crate::matrix::Categories;
use crate::matrix::columns::Columns;
use crate::params::{BoostedTreesParams, BoostedTreesValidParams};
use crate::stamp::{has_format, read_document};
use crate::tree::Tree;
use crate::uplift::model::{Learners, OutcomeKind, UpliftMethod, UpliftModel};

/// The name that such a file carries.
const FORMAT: &str = "cip-uplift-model";
const VERSION: u64 = 1;

/// A model of uplift with the names of its treatment and outcome, as a file has it.
///
/// # Output
/// One JSON object: `format` (`cip-uplift-model`), `version` (1), `treatment`, `outcome`, `kind` (`label` or `amount`), `method`, `features` (names, in
/// order), `categories` (names by feature), `params`, `models` (of the treated and of the others, or one: `base_margin` and `trees`). The same
/// model gives the same bytes.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Int64Array, RecordBatch};
/// # use cip_propensity::{BoostedTrees, FeatureMatrix, ParamGuard, UpliftFile, UpliftMethod, UpliftModel};
/// # let visits: ArrayRef = Arc::new(Int64Array::from_iter_values((0..200).map(|user| user % 10)));
/// # let table = RecordBatch::try_from_iter([("visits", visits)])?;
/// # let features = FeatureMatrix::from_batches(&["visits"], &[table])?;
/// # let treated: Vec<bool> = (0..200).map(|user| user / 10 % 2 == 0).collect();
/// # let spent: Vec<f64> = (0..200).map(|user| f64::from(user % 7)).collect();
/// # let params = BoostedTrees::params(7).with_trees(5).check()?;
/// let model = UpliftModel::fit_amounts(UpliftMethod::TwoModel, &params, &features, &treated, &spent)?;
/// let file = UpliftFile::new(model, "letter", "spent");
/// let mut bytes = Vec::new();
/// file.write_to(&mut bytes)?;
/// assert!(UpliftFile::is_one(&bytes));
/// assert_eq!(UpliftFile::read_from(&bytes[..])?, file);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct UpliftFile {
    model: UpliftModel,
    treatment: Box<str>,
    outcome: Box<str>,
}

impl UpliftFile {
    /// Returns a model with the columns of its treatment and outcome.
    pub fn new(model: UpliftModel, treatment: impl Into<Box<str>>, outcome: impl Into<Box<str>>) -> Self {
        Self { model, treatment: treatment.into(), outcome: outcome.into() }
    }

    /// The model.
    pub const fn model(&self) -> &UpliftModel {
        &self.model
    }

    /// The column of the treatment.
    pub fn treatment(&self) -> &str {
        &self.treatment
    }

    /// The column of the outcome.
    pub fn outcome(&self) -> &str {
        &self.outcome
    }

    /// Whether a file says that it is such a model.
    pub fn is_one(bytes: &[u8]) -> bool {
        has_format(bytes, FORMAT)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`PropensityError::Io`].
    pub fn write_to(&self, mut writer: impl Write) -> Result<(), PropensityError> {
        let first = self.model.trees();
        let one = |trees: &BoostedTrees| Boosted {
            base_margin: trees.base_margin(),
            trees: trees.trees().to_vec(),
        };
        let document = Document {
            format: FORMAT.into(),
            version: VERSION,
            treatment: self.treatment.clone(),
            outcome: self.outcome.clone(),
            kind: self.model.outcome,
            method: self.model.method(),
            features: first.features().to_vec(),
            categories: first.columns.by_name(),
            params: first.params.clone(),
            models: match &self.model.learners {
                Learners::TwoModel { treated, control } => vec![one(treated), one(control)],
                Learners::TransformedOutcome(trees) => vec![one(trees)],
            },
        };
        serde_json::to_writer(&mut writer, &document).map_err(std::io::Error::from)?;
        Ok(writer.write_all(b"\n")?)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// As [`PropensityModel::read_from`](crate::PropensityModel::read_from).
    pub fn read_from(reader: impl Read) -> Result<Self, PropensityError> {
        let document: Document = read_document(reader, FORMAT, VERSION..=VERSION)?;
        document.check()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: Box<str>,
    version: u64,
    treatment: Box<str>,
    outcome: Box<str>,
    kind: OutcomeKind,
    method: UpliftMethod,
    features: Vec<Box<str>>,
    categories: BTreeMap<Box<str>, Categories>,
    params: BoostedTreesValidParams,
    models: Vec<Boosted>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Boosted {
    base_margin: f32,
    trees: Vec<Tree>,
}

impl Document {
    fn check(self) -> Result<UpliftFile, PropensityError> {
        let Self { treatment, outcome, kind, method, features, categories, params, models, .. } = self;
        let columns = Arc::new(Columns::of_file(features, categories)?);
        BoostedTreesParams::from(params.clone()).check_ref()?;
        let model = |Boosted { base_margin, trees }: Boosted| {
            BoostedTrees::check(&columns, &params, base_margin)?;
            for (tree, own) in trees.iter().enumerate() {
                let refuse = |(node, reason)| PropensityError::ModelTree { tree, node, reason };
                own.check(columns.categories()).map_err(refuse)?;
            }
            let ensemble = Ensemble { base_margin, trees };
            Ok::<_, PropensityError>(Box::new(BoostedTrees::new(
                Arc::clone(&columns),
                params.clone(),
                ensemble,
            )))
        };
        let mut models = models.into_iter().map(model).collect::<Result<Vec<_>, _>>()?.into_iter();
        let learners = match (method, models.next(), models.next(), models.next()) {
            (UpliftMethod::TwoModel, Some(treated), Some(control), None) => {
                Learners::TwoModel { treated, control }
            }
            (UpliftMethod::TransformedOutcome, Some(trees), None, _) => Learners::TransformedOutcome(trees),
            _ => return Err(PropensityError::ModelHeader { reason: "it has other models than its method" }),
        };
        Ok(UpliftFile { model: UpliftModel { outcome: kind, learners }, treatment, outcome })
    }
}
