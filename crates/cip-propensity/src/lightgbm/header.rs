//! What a file of LightGBM says before its trees: the objective, and the features with their categories.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::error::PropensityError;
use crate::lightgbm::text::Section;
use crate::lightgbm::tree;
use crate::matrix::Categories;
use crate::matrix::columns::Columns;

/// The codes of categories are below it.
pub(super) const MOST_CODES: u32 = 1 << 16;
/// What the names of categories follow, behind the trees.
const NAMES: &str = "pandas_categorical:";

/// The header.
#[derive(Debug)]
pub(super) struct Header {
    names: Vec<Box<str>>,
    /// Of each feature that has categories, the codes that were seen.
    codes: Vec<Option<BTreeSet<u32>>>,
    /// The names of the categories of pandas, feature by feature.
    categories: Option<Vec<Vec<Box<str>>>>,
    /// What margins are multiplied by in the probability.
    pub(super) sigmoid: f64,
    /// How many trees there are; none where the header does not say.
    pub(super) tree_count: Option<usize>,
}

/// The columns of the model, and our codes of its own.
#[derive(Debug)]
pub(super) struct NumberedColumns {
    pub(super) own: Columns,
    /// Of each feature, our code of each of LightGBM's.
    pub(super) codes: Vec<HashMap<u32, u32>>,
}

impl Header {
    pub(super) fn read(section: &Section<'_>, text: &str) -> Result<Self, PropensityError> {
        let foreign = |what, found: &str, expected| PropensityError::ForeignModel {
            what,
            found: found.into(),
            expected,
        };
        for (key, what) in [("num_class", "number of classes"), ("num_tree_per_iteration", "trees a round")] {
            match section.required(key)? {
                "1" => {}
                other => return Err(foreign(what, other, "`1`: a label that is yes or no")),
            }
        }
        if section.has("average_output") {
            return Err(foreign("boosting", "rf", "`gbdt`, `goss` or `dart`: trees whose values add up"));
        }
        let objective = section.required("objective")?;
        let mut words = objective.split_ascii_whitespace();
        if !matches!(words.next(), Some("binary" | "cross_entropy")) {
            return Err(foreign("objective", objective, "`binary` or `cross_entropy`"));
        }
        let sigmoid = match words.find_map(|word| word.strip_prefix("sigmoid:")) {
            None => 1.0,
            Some(number) => {
                let sigmoid: Option<f64> = number.parse().ok();
                let usable = sigmoid.filter(|sigmoid| 0.0 < *sigmoid && *sigmoid < f64::INFINITY);
                usable.ok_or_else(|| section.refuse("objective", objective, "a sigmoid above 0"))?
            }
        };
        let names: Vec<Box<str>> =
            section.required("feature_names")?.split_ascii_whitespace().map(Into::into).collect();
        let last: usize = section.number("max_feature_idx", "the number of features, less 1")?;
        let infos: Vec<&str> = section.required("feature_infos")?.split_ascii_whitespace().collect();
        if last.checked_add(1) != Some(names.len()) || infos.len() != names.len() {
            return Err(section.refuse(
                "max_feature_idx",
                &last.to_string(),
                "as many names and infos as features",
            ));
        }
        let codes = infos.iter().map(|info| {
            codes_of(info).map_err(|()| {
                section.refuse("feature_infos", info, "`none`, a range, or codes of categories below 65536")
            })
        });
        let sizes = section.optional("tree_sizes");
        Ok(Self {
            codes: codes.collect::<Result<_, _>>()?,
            names,
            categories: names_of_categories(text)?,
            sigmoid,
            tree_count: sizes.map(|sizes| sizes.split_ascii_whitespace().count()),
        })
    }

    /// The columns, with all categories that the header and the trees know.
    pub(super) fn columns(&self, trees: &[Section<'_>]) -> Result<NumberedColumns, PropensityError> {
        let mut seen = self.codes.clone();
        for (at, section) in trees.iter().enumerate() {
            tree::gather_codes(section, at, &mut seen)?;
        }
        let with_codes = seen.iter().filter(|codes| codes.is_some()).count();
        if self.categories.as_ref().is_some_and(|all| all.len() != with_codes) {
            return Err(PropensityError::ModelHeader {
                reason: "it has names of categories of other features than those that have categories: train it without constant columns",
            });
        }
        let mut named = self.categories.iter().flatten();
        let (mut columns, mut numbered) = (Vec::new(), Vec::new());
        for (name, codes) in self.names.iter().zip(seen) {
            let Some(codes) = codes else {
                columns.push((name.clone(), None));
                numbered.push(HashMap::new());
                continue;
            };
            let (codes, names): (Vec<u32>, Vec<Box<str>>) = match named.next() {
                Some(names) => (0..).zip(names.iter().cloned()).unzip(),
                None => codes.into_iter().map(|code| (code, code.to_string().into())).unzip(),
            };
            let (categories, own) = Categories::of_numbered(&names)?;
            columns.push((name.clone(), Some(categories)));
            numbered.push(codes.into_iter().zip(own).collect());
        }
        Ok(NumberedColumns { own: Columns::new(columns), codes: numbered })
    }
}

/// The codes of a feature with categories, `-1:4:1`, of which -1 is the unknown; none of a number, `[0:59]`, or of one that was not used.
fn codes_of(info: &str) -> Result<Option<BTreeSet<u32>>, ()> {
    if info == "none" || info.starts_with('[') {
        return Ok(None);
    }
    let code = |word: &str| match word.parse::<u32>() {
        Ok(code) if code < MOST_CODES => Ok(code),
        _ => Err(()),
    };
    info.split(':').filter(|word| *word != "-1").map(code).collect::<Result<_, _>>().map(Some)
}

/// The names of the categories of pandas, which Python's package writes behind the trees; none where it had no such columns.
fn names_of_categories(text: &str) -> Result<Option<Vec<Vec<Box<str>>>>, PropensityError> {
    let Some(line) = text.lines().rev().find_map(|line| line.strip_prefix(NAMES)) else { return Ok(None) };
    let features: Option<Vec<Vec<Value>>> = serde_json::from_str(line).map_err(PropensityError::ModelJson)?;
    let name = |value: &Value| -> Option<Box<str>> {
        Some(match value {
            Value::String(text) => text.as_str().into(),
            Value::Bool(truth) => truth.to_string().into(),
            Value::Number(number) if number.is_f64() => number.as_f64()?.to_string().into(),
            Value::Number(number) => number.to_string().into(),
            _ => return None,
        })
    };
    let names = |values: &Vec<Value>| values.iter().map(name).collect::<Option<Vec<_>>>();
    let all = features.unwrap_or_default().iter().map(names).collect::<Option<Vec<_>>>();
    let refused = PropensityError::ModelHeader { reason: "a category is neither text nor a number" };
    Ok(Some(all.ok_or(refused)?).filter(|all| !all.is_empty()))
}
