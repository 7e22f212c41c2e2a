//! What a model learned as text, said aloud: a number that is mistyped makes its whole column text.

use cip::propensity::{BoostedTrees, Categories};
use serde_json::{Value, json};

/// The categories of each feature that is text, or was taken for it.
pub(crate) fn to_json(trees: &BoostedTrees) -> Value {
    learned(trees).map(|(name, categories)| (name.to_owned(), json!(categories))).collect()
}

/// Features whose categories are all numbers, though nobody asked for categories.
pub(crate) fn numbers_as_text<'a>(trees: &'a BoostedTrees, asked: &[String]) -> Vec<&'a str> {
    let are_numbers = |categories: &Categories| {
        let names = categories.names();
        !names.is_empty() && names.iter().all(|name| name.trim().parse::<f64>().is_ok())
    };
    let learned = learned(trees)
        .filter(|(name, categories)| !asked.iter().any(|asked| asked == name) && are_numbers(categories));
    learned.map(|(name, _)| name).collect()
}

/// Says which features are text, and which of them look like numbers.
pub(crate) fn text(trees: &BoostedTrees, asked: &[String]) -> String {
    let learned: Vec<_> =
        learned(trees).map(|(name, categories)| format!("{name} ({})", categories.names().len())).collect();
    if learned.is_empty() {
        return String::new();
    }
    let mut said = format!("learned as text, with so many categories: {}\n", learned.join(", "));
    for name in numbers_as_text(trees, asked) {
        said.push_str(&format!(
            "warning: `{name}` is learned as text, and its categories are numbers: mend the rows where it is no number, or name it in --categorical\n"
        ));
    }
    said
}

fn learned(trees: &BoostedTrees) -> impl Iterator<Item = (&str, &Categories)> {
    let features = trees.features().iter().zip(trees.categories());
    features.filter_map(|(name, categories)| Some((&**name, categories.as_ref()?)))
}
