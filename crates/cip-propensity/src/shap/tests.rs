//! The explainer against Algorithm 2 of TreeSHAP, and against the sum over all subsets of the features.

use std::sync::Arc;

use linfa::ParamGuard;
use ndarray::Array2;
use proptest::prelude::*;

use super::Explainer;
use crate::boosted::BoostedTrees;
use crate::engine::{Ensemble, Examples};
use crate::matrix::Categories;
use crate::matrix::columns::Columns;
use crate::tree::{Leaf, Node, Split, Test, Tree};

/// The margin that is expected of a row of which only the features in `known` are known.
fn expected(tree: &Tree, at: usize, row: &[f32], known: u32) -> f64 {
    match &tree.nodes()[at] {
        Node::Leaf(leaf) => leaf.value,
        Node::Split(split) => {
            let value = row[split.feature as usize];
            let [left, right] = [split.left as usize, split.right as usize];
            if known >> split.feature & 1 == 1 {
                let left_way = split.is_left(value);
                return expected(tree, if left_way { left } else { right }, row, known);
            }
            let [a, b] = parts(tree, left, right);
            a * expected(tree, left, row, known) + b * expected(tree, right, row, known)
        }
    }
}

fn parts(tree: &Tree, left: usize, right: usize) -> [f64; 2] {
    let [a, b] = [left, right].map(|node| f64::from(tree.nodes()[node].cover()));
    if a + b > 0.0 { [a / (a + b), b / (a + b)] } else { [0.5; 2] }
}

/// Shapley's formula: the mean of what a feature adds, over the orders in which features become known.
fn over_all_subsets(tree: &Tree, row: &[f32]) -> Vec<f64> {
    let features = row.len() as u32;
    let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
    let worth: Vec<f64> = (0..1u32 << features).map(|known| expected(tree, 0, row, known)).collect();
    let of = |feature: u32| {
        let without = (0..1u32 << features).filter(|known| known >> feature & 1 == 0);
        let gain = |known: u32| {
            let size = known.count_ones();
            let weight = factorial(size) * factorial(features - size - 1) / factorial(features);
            weight * (worth[(known | 1 << feature) as usize] - worth[known as usize])
        };
        without.map(gain).sum()
    };
    (0..features).map(of).collect()
}

/// An element of the path of Algorithm 2.
#[derive(Clone, Copy)]
struct Element {
    feature: Option<u32>,
    zero: f64,
    one: f64,
    weight: f64,
}

/// Algorithm 2 of Lundberg, Erion and Lee 2018 (arXiv 1802.03888), with its EXTEND and UNWIND.
fn algorithm_2(tree: &Tree, row: &[f32]) -> Vec<f64> {
    let mut sums = vec![0.0; row.len()];
    let root = Element { feature: None, zero: 1.0, one: 1.0, weight: 1.0 };
    recurse(tree, 0, row, &extend(&[], root), &mut sums);
    sums
}

fn extend(path: &[Element], mut new: Element) -> Vec<Element> {
    let length = path.len() as f64;
    new.weight = if path.is_empty() { 1.0 } else { 0.0 };
    let mut path = [path, &[new]].concat();
    for i in (0..path.len() - 1).rev() {
        path[i + 1].weight += new.one * path[i].weight * (i + 1) as f64 / (length + 1.0);
        path[i].weight = new.zero * path[i].weight * (length - i as f64) / (length + 1.0);
    }
    path
}

fn unwind(path: &[Element], at: usize) -> Vec<Element> {
    let mut path = path.to_vec();
    let length = path.len();
    let Element { zero, one, .. } = path[at];
    let mut next = path[length - 1].weight;
    for j in (0..length - 1).rev() {
        if one != 0.0 {
            let before = path[j].weight;
            path[j].weight = next * length as f64 / ((j + 1) as f64 * one);
            next = before - path[j].weight * zero * (length - 1 - j) as f64 / length as f64;
        } else {
            path[j].weight = path[j].weight * length as f64 / (zero * (length - 1 - j) as f64);
        }
    }
    for j in at..length - 1 {
        (path[j].feature, path[j].zero, path[j].one) =
            (path[j + 1].feature, path[j + 1].zero, path[j + 1].one);
    }
    path.truncate(length - 1);
    path
}

fn recurse(tree: &Tree, at: usize, row: &[f32], path: &[Element], sums: &mut [f64]) {
    match &tree.nodes()[at] {
        Node::Leaf(leaf) => {
            for (index, element) in path.iter().enumerate() {
                let Some(feature) = element.feature else { continue };
                let weight: f64 = unwind(path, index).iter().map(|element| element.weight).sum();
                sums[feature as usize] += weight * (element.one - element.zero) * leaf.value;
            }
        }
        Node::Split(split) => {
            let value = row[split.feature as usize];
            let left_way = split.is_left(value);
            let [left, right] = [split.left as usize, split.right as usize];
            let [a, b] = parts(tree, left, right);
            let ways =
                if left_way { [(left, a, 1.0), (right, b, 0.0)] } else { [(right, b, 1.0), (left, a, 0.0)] };
            let (mut zero, mut one) = (1.0, 1.0);
            let mut path = path.to_vec();
            if let Some(seen) = path.iter().position(|element| element.feature == Some(split.feature)) {
                (zero, one) = (path[seen].zero, path[seen].one);
                path = unwind(&path, seen);
            }
            for (child, part, taken) in ways {
                let new = Element {
                    feature: Some(split.feature),
                    zero: zero * part,
                    one: one * taken,
                    weight: 0.0,
                };
                recurse(tree, child, row, &extend(&path, new), sums);
            }
        }
    }
}

/// Every third feature has categories: three, and the code 3 for any other text.
fn kinds(features: usize) -> Vec<Option<Categories>> {
    let names = || ["a", "b", "c"].map(Into::into).to_vec();
    (0..features).map(|at| (at % 3 == 2).then(|| Categories::new(names()).unwrap())).collect()
}

fn model(trees: Vec<Tree>, features: usize) -> BoostedTrees {
    let names = (0..features).map(|feature| format!("f{feature}").into());
    let columns = Arc::new(Columns::new(names.zip(kinds(features))));
    let params = BoostedTrees::params(7).check().unwrap();
    BoostedTrees::new(columns, params, Ensemble { base_margin: 0.25, trees })
}

/// Compares a model's contributions to the rows with an oracle's, and their sums with the margins.
fn hold(model: &BoostedTrees, rows: &Array2<f32>, oracle: impl Fn(&Tree, &[f32]) -> Vec<f64>) {
    let explainer = Explainer::new(model);
    let found = explainer.contributions(rows).unwrap();
    let margins = model.margins(rows).unwrap();
    for ((row, found), margin) in rows.rows().into_iter().zip(found.rows()).zip(margins) {
        let values = row.to_vec();
        let mut sums = vec![0.0; values.len()];
        for tree in model.trees() {
            for (sum, part) in sums.iter_mut().zip(oracle(tree, &values)) {
                *sum += part;
            }
        }
        for (feature, (found, sum)) in found.iter().zip(sums).enumerate() {
            assert!((found - sum).abs() < 1e-9, "feature {feature}: {found} {sum}, {values:?}");
        }
        let sum = explainer.base() + found.sum();
        assert!((sum - margin).abs() < 1e-9, "{sum} {margin}, {values:?}");
    }
}

/// A tree of some size over `features`; numbers are drawn from few, so that values often equal thresholds. Covers are those of
/// the leaves summed up, or `lost`, where rounding has left none.
fn tree(features: u32, splits: usize) -> impl Strategy<Value = Tree> {
    let draw = (0..features, -3i8..4, any::<bool>(), any::<bool>(), [1u8..20, 1..20]);
    proptest::collection::vec(draw, 1..splits).prop_map(move |draws| {
        let mut nodes = vec![Node::Leaf(Leaf { value: 0.0, cover: 1.0 })];
        let mut open = vec![0usize];
        for (feature, number, missing_left, deep, covers) in draws {
            let at = if deep { open.pop() } else { Some(open.remove(0)) };
            let Some(at) = at else { break };
            let [left, right] = [nodes.len(), nodes.len() + 1].map(|child| child as u32);
            let test = if feature % 3 == 2 {
                // One to three of the four codes.
                let mask = number + 4 + 7 * i8::from(deep);
                Test::OneOf((0..4).filter(|code| mask >> code & 1 == 1).collect())
            } else {
                Test::Below(f32::from(number))
            };
            nodes[at] =
                Node::Split(Split { feature, test, missing_left, left, right, gain: 1.0, cover: 0.0 });
            for (side, cover) in covers.into_iter().enumerate() {
                open.push(nodes.len());
                let value = f64::from(number) * 0.37 + side as f64 * f64::from(cover);
                nodes.push(Node::Leaf(Leaf { value, cover: f32::from(cover) }));
            }
        }
        for at in (0..nodes.len()).rev() {
            let Node::Split(split) = nodes[at].clone() else { continue };
            let cover = nodes[split.left as usize].cover() + nodes[split.right as usize].cover();
            nodes[at] = Node::Split(Split { cover, ..split });
        }
        Tree::try_new(nodes, &kinds(features as usize)).unwrap()
    })
}

fn value() -> impl Strategy<Value = f32> {
    prop_oneof![
        6 => (-4i8..5).prop_map(f32::from),
        2 => Just(f32::NAN),
        1 => prop_oneof![Just(f32::INFINITY), Just(f32::NEG_INFINITY), Just(-0.0)],
    ]
}

proptest! {
    #[test]
    fn contributions_are_shapley_values(
        trees in proptest::collection::vec(tree(6, 24), 0..4),
        rows in proptest::collection::vec(proptest::collection::vec(value(), 6), 1..20),
    ) {
        let rows = Array2::from_shape_vec((rows.len(), 6), rows.concat()).unwrap();
        let model = model(trees, 6);
        hold(&model, &rows, over_all_subsets);
        hold(&model, &rows, algorithm_2);
    }

    /// A row has the same contributions, to the last bit, alone and among others.
    #[test]
    fn rows_do_not_depend_on_each_other(
        trees in proptest::collection::vec(tree(3, 12), 1..4),
        rows in proptest::collection::vec(proptest::collection::vec(value(), 3), 1..90),
        turn in 0usize..90,
    ) {
        let explainer = Explainer::new(&model(trees, 3));
        let rows = Array2::from_shape_vec((rows.len(), 3), rows.concat()).unwrap();
        let all = explainer.contributions(&rows).unwrap();
        let at = turn % rows.nrows();
        let alone = explainer.contributions(&rows.slice(ndarray::s![at..at + 1, ..])).unwrap();
        prop_assert_eq!(alone.row(0), all.row(at));
    }
}

/// A chain: each split sends half on to the next, and every split tests another feature.
fn chain(features: u32) -> Tree {
    let kinds = kinds(features as usize);
    let mut nodes = Vec::new();
    for feature in 0..features {
        let [left, right] = [nodes.len() + 1, nodes.len() + 2].map(|child| child as u32);
        let cover = f32::from(1 + features as u16 - feature as u16);
        nodes.push(Node::Split(Split {
            feature,
            test: if kinds[feature as usize].is_some() {
                Test::OneOf([1, 3].into())
            } else {
                Test::Below(0.0)
            },
            missing_left: feature % 2 == 0,
            left,
            right,
            gain: 1.0,
            cover,
        }));
        nodes.push(Node::Leaf(Leaf { value: f64::from(feature).sin(), cover: 1.0 }));
    }
    nodes.push(Node::Leaf(Leaf { value: 3.0, cover: 1.0 }));
    Tree::try_new(nodes, &kinds).unwrap()
}

#[test]
fn paths_of_many_features_are_exact() {
    for features in [1, 2, 9, 12, 17, 24] {
        let columns = features as usize;
        let rows = Array2::from_shape_fn((20, columns), |(row, column)| match (row * 7 + column * 3) % 11 {
            0 => f32::NAN,
            1 => -1.0,
            _ => {
                if row == 0 {
                    1.0
                } else {
                    (row % 4) as f32
                }
            }
        });
        hold(&model(vec![chain(features)], columns), &rows, algorithm_2);
    }
}

#[test]
fn a_model_of_many_features_is_explained_as_by_the_plain_way() {
    const COLUMNS: usize = 14;
    let mut state = 3u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let rows = Array2::from_shape_fn((4_000, COLUMNS), |_| {
        let value = next();
        if value < 0.1 { f32::NAN } else { (value * 30.0).floor() }
    });
    let label = |row: ndarray::ArrayView1<'_, f32>| {
        row.iter().enumerate().map(|(at, value)| value.max(0.0) * (at % 4) as f32).sum::<f32>() > 300.0
    };
    let labels: Vec<bool> = rows.rows().into_iter().map(|row| label(row) != (next() < 0.1)).collect();
    let params = BoostedTrees::params(7).with_trees(20).check().unwrap();
    let names = (0..COLUMNS).map(|column| format!("f{column}").into()).collect();
    let columns = Arc::new(Columns::numbers(names));
    let examples = Examples { values: rows.to_shared(), labels: &labels, weights: None };
    let model = params.fit_examples(columns, examples).unwrap();
    let longest = model.trees().iter().map(most_features).max();
    assert!(longest > Some(8), "{longest:?}");
    let some = rows.slice(ndarray::s![..60, ..]).to_owned();
    hold(&model, &some, algorithm_2);
}

/// The most distinct features on a way to a leaf.
fn most_features(tree: &Tree) -> usize {
    super::path::paths(tree, &mut Vec::new()).iter().map(super::path::Path::features).max().unwrap_or(0)
}

#[test]
fn what_is_not_tested_adds_nothing_and_nothing_comes_of_no_trees() {
    let nothing = Explainer::new(&model(vec![], 2));
    assert_eq!(nothing.base(), 0.25);
    let rows = ndarray::arr2(&[[1.0, f32::NAN]]);
    assert_eq!(nothing.contributions(&rows).unwrap(), ndarray::arr2(&[[0.0, 0.0]]));
    let stump = Tree::try_new(vec![Node::Leaf(Leaf { value: 0.5, cover: 0.0 })], &kinds(2)).unwrap();
    let stump = Explainer::new(&model(vec![stump], 2));
    assert_eq!(stump.base(), 0.75);
    assert_eq!(stump.contributions(&rows).unwrap(), ndarray::arr2(&[[0.0, 0.0]]));
    assert!(stump.contributions(&ndarray::arr2(&[[1.0f32]])).unwrap_err().to_string().contains("1 columns"));
    assert_eq!(stump.contributions(&Array2::<f32>::zeros((0, 2))).unwrap().dim(), (0, 2));
}

/// A split at 0 that sends what is missing to the left.
fn split(feature: u32, left: u32, right: u32, cover: f32) -> Node {
    Node::Split(Split { feature, test: Test::Below(0.0), missing_left: true, left, right, gain: 1.0, cover })
}

/// Rows of a cover that was rounded to nothing, on one side and on both: still sums, and never NaN.
#[test]
fn covers_of_nothing_are_no_reason_to_fail() {
    let leaf = |value, cover| Node::Leaf(Leaf { value, cover });
    let nodes = vec![
        split(0, 1, 2, 4.0),
        split(1, 3, 4, 0.0),
        split(1, 5, 6, 4.0),
        leaf(1.0, 0.0),
        leaf(2.0, 0.0),
        leaf(3.0, 0.0),
        leaf(5.0, 4.0),
    ];
    let model = model(vec![Tree::try_new(nodes, &kinds(2)).unwrap()], 2);
    let rows = ndarray::arr2(&[[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0], [f32::NAN, f32::NAN]]);
    hold(&model, &rows, over_all_subsets);
    assert_eq!(Explainer::new(&model).base(), 5.25);
}

/// The Shapley interaction index, halved: the mean of what a pair adds together, over the orders of the others.
fn pairs_over_all_subsets(tree: &Tree, row: &[f32]) -> Array2<f64> {
    let features = row.len() as u32;
    let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
    let worth: Vec<f64> = (0..1u32 << features).map(|known| expected(tree, 0, row, known)).collect();
    Array2::from_shape_fn((row.len(), row.len()), |(a, b)| {
        if a == b {
            return 0.0;
        }
        let (a, b) = (1u32 << a, 1u32 << b);
        let without = (0..1u32 << features).filter(|known| known & (a | b) == 0);
        let together = |known: u32| {
            let size = known.count_ones();
            let weight = factorial(size) * factorial(features - size - 2) / (2.0 * factorial(features - 1));
            let of = |known: u32| worth[known as usize];
            weight * (of(known | a | b) - of(known | a) - of(known | b) + of(known))
        };
        without.map(together).sum()
    })
}

proptest! {
    #[test]
    fn interactions_are_shapley_interaction_indices_and_add_up(
        trees in proptest::collection::vec(tree(6, 24), 0..4),
        row in proptest::collection::vec(value(), 6),
    ) {
        let model = model(trees, 6);
        let explainer = Explainer::new(&model);
        let found = explainer.interactions(&ndarray::ArrayView1::from(&row)).unwrap();
        let mut pairs: Array2<f64> = Array2::zeros((6, 6));
        for tree in model.trees() {
            pairs += &pairs_over_all_subsets(tree, &row);
        }
        let rows = Array2::from_shape_vec((1, 6), row.clone()).unwrap();
        let contributions = explainer.contributions(&rows).unwrap();
        for a in 0..6 {
            for b in (0..6).filter(|&b| b != a) {
                prop_assert!((found[[a, b]] - pairs[[a, b]]).abs() < 1e-9, "{a} {b} {row:?}");
                prop_assert_eq!(found[[a, b]], found[[b, a]]);
            }
            prop_assert!((found.row(a).sum() - contributions[[0, a]]).abs() < 1e-9);
        }
    }
}

#[test]
fn a_pair_does_what_its_features_do_not_do_alone() {
    let leaf = |value| Node::Leaf(Leaf { value, cover: 1.0 });
    // Both or neither: 1, else -1. Alone each tells nothing.
    let both = vec![
        split(0, 1, 2, 4.0),
        split(1, 3, 4, 2.0),
        split(1, 5, 6, 2.0),
        leaf(1.0),
        leaf(-1.0),
        leaf(-1.0),
        leaf(1.0),
    ];
    let model = model(vec![Tree::try_new(both, &kinds(3)).unwrap()], 3);
    let rows = ndarray::arr2(&[[-1.0f32, -1.0, 0.0], [1.0, -1.0, 0.0]]);
    let explainer = Explainer::new(&model);
    let found = explainer.interactions(&rows.row(0)).unwrap();
    assert_eq!(found, ndarray::arr2(&[[0.0, 0.5, 0.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.0]]));
    let names = ["a", "b", "c"].map(Into::into);
    let pairs = explainer.pair_effects(&names, &rows).unwrap();
    assert_eq!(
        (pairs.len(), &*pairs[0].feature_a, &*pairs[0].feature_b, pairs[0].mean_magnitude),
        (1, "a", "b", 1.0)
    );
    assert!(explainer.pair_effects(&names[..2], &rows).is_err());
    assert!(explainer.interactions(&ndarray::arr1(&[1.0f32])).is_err());
    assert!(explainer.pair_effects(&names, &Array2::<f32>::zeros((0, 3))).unwrap().is_empty());
}
