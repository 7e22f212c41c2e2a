//! Trees beside a plain search for splits and beside hessboost, and laws of boosting.

use linfa::ParamGuard;
use ndarray::Array2;
use proptest::prelude::*;

use crate::boost::Boosting;
use crate::boost::loss::{Targets, log_loss};
use crate::boost::peer::Peer;
use crate::boosted::BoostedTrees;
use crate::engine::{Engine, Ensemble, Examples, Task};
use crate::matrix::Categories;
use crate::params::{BoostedTreesParams, BoostedTreesValidParams, Monotone};
use crate::tree::{Node, Split, Test};

/// A table: two numbers, sometimes unknown, and two features with categories, one of few.
#[derive(Debug, Clone)]
struct Table {
    values: Array2<f32>,
    labels: Vec<bool>,
}

const CODES: [u32; 2] = [3, 9];

impl Table {
    /// Rows of which the label follows, by chance, from all four features.
    fn drawn(rows: usize, seed: u64) -> Self {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 24) as f32
        };
        let mut values = Array2::zeros((rows, 4));
        let mut labels = Vec::new();
        for mut row in values.rows_mut() {
            row[0] = next() * 4.0 - 2.0;
            row[1] = (next() * 30.0).floor();
            row[2] = (next() * 3.0).floor();
            row[3] = (next() * next() * 9.0).floor();
            let pull = row[0] * row[0] - row[1] / 10.0
                + (row[3] - 4.0).abs() / 2.0
                + if row[2] == 1.0 { 1.0 } else { 0.0 };
            labels.push(next() < 1.0 / (1.0 + (1.5 - pull).exp()));
            for (at, share) in [(0, 0.1), (1, 0.02), (3, 0.1)] {
                if next() < share {
                    row[at] = f32::NAN;
                }
            }
        }
        Self { values, labels }
    }

    fn categories() -> [Option<Categories>; 4] {
        let of = |codes: u32| {
            Categories::new((1..codes).map(|code| format!("{code:02}").into()).collect()).unwrap()
        };
        [None, None, Some(of(CODES[0])), Some(of(CODES[1]))]
    }

    fn rows(&self, rows: impl IntoIterator<Item = usize>) -> Self {
        let rows: Vec<usize> = rows.into_iter().collect();
        Self {
            values: self.values.select(ndarray::Axis(0), &rows),
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
        }
    }

    fn targets(&self) -> Vec<f32> {
        self.labels.iter().map(|&label| f32::from(u8::from(label))).collect()
    }

    fn boost(
        &self,
        params: &BoostedTreesValidParams,
        weights: Option<&[f32]>,
        directions: Vec<Option<Monotone>>,
    ) -> Ensemble {
        let train = Examples { values: self.values.to_shared(), labels: &self.labels, weights };
        let task = Task { train, validate: None, categories: &Self::categories(), directions };
        Boosting.boost(task, params).unwrap()
    }
}

fn params(trees: u32, leaves: u32) -> BoostedTreesParams {
    BoostedTrees::params(7).with_trees(trees).with_leaves(leaves)
}

fn margins(ensemble: &Ensemble, values: &Array2<f32>) -> Vec<f64> {
    let margin = |row: &[f32]| {
        ensemble.trees.iter().fold(f64::from(ensemble.base_margin), |sum, tree| sum + tree.value(row))
    };
    values.rows().into_iter().map(|row| margin(row.as_slice().unwrap())).collect()
}

fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// The sums of both derivatives, in 64 bits.
type Plain = [f64; 2];

fn sum(rows: &[usize], derivatives: &[Plain]) -> Plain {
    rows.iter().fold([0.0; 2], |[a, b], &row| [a + derivatives[row][0], b + derivatives[row][1]])
}

/// The gain of sending such rows left; none where a child has too little.
fn gain(
    rows: &[usize],
    left: &[bool],
    derivatives: &[Plain],
    params: &BoostedTreesValidParams,
) -> Option<f64> {
    let score = |[first, second]: Plain| first * first / (second + params.lambda());
    let children = [true, false].map(|side| {
        let side: Vec<usize> = rows.iter().copied().filter(|&row| left[row] == side).collect();
        sum(&side, derivatives)
    });
    let least = params.min_child_weight().max(1e-7);
    children
        .iter()
        .all(|child| child[1] > least)
        .then(|| score(children[0]) + score(children[1]) - score(sum(rows, derivatives)))
}

/// The highest gain of any split of some rows: every threshold, every set of few categories, and sets along the order of the values of many, cut
/// where they differ: which of equal values comes first follows from how their sums are rounded.
fn highest_gain(
    table: &Table,
    rows: &[usize],
    derivatives: &[Plain],
    params: &BoostedTreesValidParams,
) -> f64 {
    let mut highest = 0.0f64;
    let mut offer = |feature: usize, known_left: &dyn Fn(f32) -> bool| {
        for unknown_left in [false, true] {
            let column = table.values.column(feature);
            let left: Vec<bool> = column
                .iter()
                .map(|&value| if value.is_nan() { unknown_left } else { known_left(value) })
                .collect();
            highest = highest.max(gain(rows, &left, derivatives, params).unwrap_or(0.0));
        }
    };
    for feature in 0..2 {
        for &threshold in table.values.column(feature).iter().chain(&[f32::MAX]) {
            offer(feature, &|value| value < threshold);
        }
    }
    (0..CODES[0]).for_each(|code| offer(2, &|value| value == code as f32));
    let of = |code: u32| -> Vec<usize> {
        rows.iter().copied().filter(|&row| table.values[[row, 3]] == code as f32).collect()
    };
    let value = |code: u32| {
        let [first, second] = sum(&of(code), derivatives);
        if second < params.min_child_weight() || second == 0.0 {
            0.0
        } else {
            -first / (second + params.lambda())
        }
    };
    // The unknown part from some category, not from all that there are.
    let is_any = |code: &u32| table.values.column(3).iter().any(|&value| value == *code as f32);
    let mut order: Vec<u32> = (0..CODES[1]).filter(is_any).collect();
    order.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
    let differ = |a: f64, b: f64| b - a > 1e-5 * (1.0 + a.abs());
    for cut in (1..order.len()).filter(|&cut| differ(value(order[cut - 1]), value(order[cut]))) {
        offer(3, &|value| order[..cut].contains(&(value as u32)));
    }
    highest
}

/// Whether a tree splits where the loss falls as much as anywhere, node by node, but for rounding.
fn check(table: &Table, ensemble: &Ensemble, derivatives: &[Plain], params: &BoostedTreesValidParams) {
    let tree = &ensemble.trees[0];
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-4 * (1.0 + a.abs().max(b.abs()));
    let leaves = tree.nodes().iter().filter(|node| matches!(node, Node::Leaf(_))).count();
    let mut open = vec![(0usize, (0..table.labels.len()).collect::<Vec<_>>())];
    let mut splits = Vec::new();
    while let Some((at, rows)) = open.pop() {
        let [first, second] = sum(&rows, derivatives);
        assert!(near(tree.nodes()[at].cover().into(), second));
        let highest = highest_gain(table, &rows, derivatives, params);
        match &tree.nodes()[at] {
            Node::Leaf(leaf) => {
                let value = if second < params.min_child_weight() {
                    0.0
                } else {
                    -first / (second + params.lambda())
                };
                assert!(near(leaf.value, value * params.learning_rate()), "{leaf:?} {value}");
                // Where there was room left, nothing was to be gained.
                assert!(leaves == params.leaves() as usize || highest < 1e-3, "{highest}");
            }
            Node::Split(split) => {
                let value = |row: usize| table.values[[row, split.feature as usize]];
                let left: Vec<bool> = (0..table.labels.len()).map(|row| split.is_left(value(row))).collect();
                let own = gain(&rows, &left, derivatives, params).unwrap();
                assert!(near(own, split.gain.into()), "{split:?} {own}");
                assert!(own > highest || near(own, highest), "{split:?} {own} {highest}");
                splits.push((at, split.gain));
                let side =
                    |side: bool| rows.iter().copied().filter(|&row| left[row] == side).collect::<Vec<_>>();
                open.extend([(split.left as usize, side(true)), (split.right as usize, side(false))]);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_split_is_the_best_that_a_plain_search_finds(
        rows in 2usize..120, seed in any::<u64>(), leaves in 2u32..9, least in 0.0f64..3.0, lambda in 0.01f64..3.0, weighted in any::<bool>(),
    ) {
        let table = Table::drawn(rows, seed);
        let weights: Vec<f32> = (0..rows).map(|row| if weighted { (row % 4) as f32 * 0.5 + 0.25 } else { 1.0 }).collect();
        let params = params(1, leaves).with_min_child_weight(least).with_lambda(lambda).check().unwrap();
        let ensemble = table.boost(&params, weighted.then_some(&weights), Vec::new());
        let share = 1.0 / (1.0 + (-f64::from(ensemble.base_margin)).exp());
        let derivative = |(&label, &weight): (&bool, &f32)| {
            [(share - f64::from(u8::from(label))) * f64::from(weight), share * (1.0 - share) * f64::from(weight)]
        };
        let derivatives: Vec<Plain> = table.labels.iter().zip(&weights).map(derivative).collect();
        check(&table, &ensemble, &derivatives, &params);
        // The squared error has other derivatives. Of larger amounts a gain near none is lost in the rounding of their squares.
        let amounts: Vec<f32> = table.values.rows().into_iter().map(|row| row[2] * 7.0 + row[0].max(0.0)).collect();
        let by_amounts = Boosting.boost_amounts(table.values.to_shared(), &amounts, &Table::categories(), &params).unwrap();
        let derivatives: Vec<Plain> = amounts.iter().map(|&amount| [f64::from(by_amounts.base_margin) - f64::from(amount), 1.0]).collect();
        check(&table, &by_amounts, &derivatives, &params);
    }

    #[test]
    fn the_order_of_the_rows_says_nothing(rows in 300usize..900, seed in any::<u64>(), step in 1usize..200) {
        let table = Table::drawn(rows, seed);
        prop_assume!(common_divisor(step, rows) == 1);
        let turned = table.rows((0..rows).map(|row| row * step % rows));
        let params = params(8, 16).check().unwrap();
        let [one, other] = [&table, &turned].map(|table| table.boost(&params, None, Vec::new()));
        prop_assert_eq!((one.base_margin, one.trees), (other.base_margin, other.trees));
    }

    /// Fewer rows than bins, so that rows of no weight take no threshold from the others.
    #[test]
    fn a_weight_is_so_many_rows(rows in 50usize..250, seed in any::<u64>()) {
        let table = Table::drawn(rows, seed);
        let weights: Vec<f32> = (0..rows).map(|row| (row % 3) as f32).collect();
        let repeated = table.rows((0..rows).flat_map(|row| std::iter::repeat_n(row, row % 3)));
        let params = params(1, 6).check().unwrap();
        let one = table.boost(&params, Some(&weights), Vec::new());
        let other = repeated.boost(&params, None, Vec::new());
        // Of splits that are as good as each other either may be taken, so it is the gain that is the same.
        let root = |ensemble: &Ensemble| match &ensemble.trees[0].nodes()[0] {
            Node::Split(split) => [f64::from(split.gain), f64::from(split.cover)],
            Node::Leaf(leaf) => [0.0, leaf.cover.into()],
        };
        for (one, other) in root(&one).into_iter().zip(root(&other)) {
            prop_assert!((one - other).abs() < 1e-4 * (1.0 + one), "{} {}", one, other);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the numbers are, trees can be walked, and no margin is anything but a number.
    #[test]
    fn any_numbers_give_trees_that_can_be_walked(
        numbers in proptest::collection::vec(any::<f32>(), 2..400), leaves in 2u32..40, lambda in 0.0f64..2.0, least in 0.0f64..1.0,
        direction in prop_oneof![Just(None), Just(Some(Monotone::Increasing)), Just(Some(Monotone::Decreasing))],
    ) {
        let rows = numbers.len() / 2;
        let values = Array2::from_shape_vec((rows, 2), numbers[..2 * rows].to_vec()).unwrap();
        let labels: Vec<bool> = (0..rows).map(|row| numbers[row].to_bits() % 3 == 0).collect();
        let params = params(5, leaves).with_lambda(lambda).with_min_child_weight(least).with_learning_rate(1.0).check().unwrap();
        let train = Examples { values: values.to_shared(), labels: &labels, weights: None };
        let task = Task { train, validate: None, categories: &[None, None], directions: vec![direction, None] };
        let ensemble = Boosting.boost(task, &params).unwrap();
        prop_assert!(margins(&ensemble, &values).iter().all(|margin| margin.is_finite()));
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let table = Table::drawn(40_000, 3);
    let fit = |pool: usize, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(pool).build().unwrap();
        let params = params(6, 31).with_threads(threads.try_into().unwrap()).check().unwrap();
        let ensemble = pool.install(|| table.boost(&params, None, Vec::new()));
        (ensemble.base_margin.to_bits(), serde_json::to_string(&ensemble.trees).unwrap())
    };
    let one = fit(1, 1);
    for (pool, threads) in [(2, 2), (3, 3), (4, 2), (1, 8), (5, 5)] {
        assert_eq!(fit(pool, threads), one, "{threads} threads in a pool of {pool}");
    }
}

/// As many leaves as there may be: most have too few rows to keep their histograms.
#[test]
fn a_tree_of_very_many_leaves_parts_all_rows() {
    let values =
        Array2::from_shape_fn((3_000, 2), |(row, column)| (row / [1, 50][column] % [50, 60][column]) as f32);
    let labels: Vec<bool> = (0..3_000u32).map(|row| row.wrapping_mul(2_654_435_761) >> 31 == 1).collect();
    let params = params(20, 1 << 16)
        .with_min_child_weight(0.0)
        .with_lambda(0.1)
        .with_learning_rate(1.0)
        .check()
        .unwrap();
    let train = Examples { values: values.to_shared(), labels: &labels, weights: None };
    let task = Task { train, validate: None, categories: &[None, None], directions: Vec::new() };
    let ensemble = Boosting.boost(task, &params).unwrap();
    assert!(ensemble.trees[0].nodes().len() > 1_000);
    let found = margins(&ensemble, &values);
    assert!(found.iter().zip(&labels).all(|(&margin, &label)| (margin > 0.0) == label));
}

/// The quality of trees is that of hessboost, which searches as XGBoost does, on rows that neither has seen.
#[test]
fn rows_not_seen_are_foretold_as_well_as_by_hessboost() {
    let (table, others) = (Table::drawn(20_000, 1), Table::drawn(20_000, 2));
    let outcomes = others.targets();
    for (params, direction) in [
        (params(60, 31), None),
        (params(60, 8).with_min_child_weight(20.0).with_lambda(5.0), None),
        (params(30, 16).with_depth(3.try_into().unwrap()), None),
        (params(60, 31), Some(Monotone::Decreasing)),
    ] {
        let params = params.check().unwrap();
        let directions = [None, direction, None, None];
        let peer = Peer {
            values: &table.values,
            targets: &table.targets(),
            weights: None,
            categories: &Table::categories(),
            directions: &directions,
            params: &params,
        };
        let targets = Targets { values: &outcomes, weights: None };
        let ours = margins(&table.boost(&params, None, directions.to_vec()), &others.values);
        let [ours, theirs] = [ours, peer.margins(&others.values)].map(|margins| log_loss(&margins, targets));
        assert!(ours < theirs + 0.001, "{ours} {theirs} {params:?}");
        assert!(ours < 0.55, "{ours}");
    }
}

#[test]
fn amounts_are_foretold_as_well_as_by_hessboost() {
    let (table, others) = (Table::drawn(10_000, 1), Table::drawn(10_000, 2));
    let amounts = |table: &Table| -> Vec<f32> {
        let noise = table.labels.iter().map(|&label| if label { 30.0 } else { 0.0 });
        table
            .values
            .rows()
            .into_iter()
            .zip(noise)
            .map(|(row, noise)| row[2] * 70.0 + row[0].max(0.0) * 9.0 + noise)
            .collect()
    };
    let params = params(60, 16).check().unwrap();
    let (learned, outcomes) = (amounts(&table), amounts(&others));
    let peer = Peer {
        values: &table.values,
        targets: &learned,
        weights: None,
        categories: &Table::categories(),
        directions: &[],
        params: &params,
    };
    let ours =
        Boosting.boost_amounts(table.values.to_shared(), &learned, &Table::categories(), &params).unwrap();
    let error = |found: Vec<f64>| -> f64 {
        found
            .iter()
            .zip(&outcomes)
            .map(|(found, &amount)| (found - f64::from(amount)).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    let [ours, theirs] = [margins(&ours, &others.values), peer.amounts(&others.values)].map(error);
    assert!(ours < 1.005 * theirs, "{ours} {theirs}");
}

fn only(values: Array2<f32>, labels: &[bool], weights: Option<&[f32]>, trees: u32) -> Ensemble {
    let params = params(trees, 8).with_min_child_weight(0.1).check().unwrap();
    let categories = vec![None; values.ncols()];
    let train = Examples { values: values.into_shared(), labels, weights };
    Boosting
        .boost(Task { train, validate: None, categories: &categories, directions: Vec::new() }, &params)
        .unwrap()
}

fn splits(ensemble: &Ensemble) -> Vec<&Split> {
    ensemble.trees.iter().flat_map(|tree| tree.splits()).collect()
}

#[test]
fn tables_that_tell_nothing_have_no_splits() {
    let half: Vec<bool> = (0..40).map(|row| row % 2 == 0).collect();
    for (values, labels) in [
        (Array2::from_elem((1, 2), 1.0), vec![true]),
        (Array2::from_elem((40, 2), 3.5), half.clone()),
        (Array2::from_elem((40, 2), f32::NAN), half.clone()),
        (Array2::from_shape_fn((40, 1), |(row, _)| row as f32), vec![true; 40]),
    ] {
        let ensemble = only(values, &labels, None, 3);
        assert_eq!((ensemble.trees.len(), splits(&ensemble).len()), (3, 0));
        assert!(ensemble.trees.iter().all(|tree| tree.value(&[1.0, 1.0]).abs() < 0.01));
    }
    let nothing = only(Array2::from_elem((40, 1), 1.0), &half, Some(&[0.0; 40]), 2);
    assert_eq!((nothing.base_margin, splits(&nothing).len()), (0.0, 0));
}

#[test]
fn numbers_of_any_size_are_parted() {
    let labels: Vec<bool> = (0..400).map(|row| row % 40 >= 17).collect();
    for numbers in [
        |at: f32| at * 8e36,
        |at: f32| at * 1e-42,
        |at: f32| (at - 17.0) * -1e30,
        |at: f32| if at < 17.0 { f32::MIN } else { f32::MAX },
        |at: f32| if at < 17.0 { f32::NEG_INFINITY } else { at },
        |at: f32| if at < 17.0 { f32::NAN } else { at },
        |at: f32| if at < 17.0 { f32::NAN } else { f32::MAX },
        |at: f32| if at < 17.0 { -0.0 } else { f32::MIN_POSITIVE },
    ] {
        let values = Array2::from_shape_fn((400, 1), |(row, _)| numbers((row % 40) as f32));
        let found = margins(&only(values.clone(), &labels, None, 40), &values);
        let parted = found.iter().zip(&labels).all(|(&margin, &label)| (margin > found[0]) == label);
        // There is no number above the largest one, so it does not part from the unknown.
        let cannot = values[[0, 0]].is_nan() && values[[20, 0]] == f32::MAX;
        assert_eq!(parted, !cannot, "{:?} {:?}", values[[0, 0]], values[[20, 0]]);
    }
}

#[test]
fn weights_of_any_size_are_learned_from() {
    let values = Array2::from_shape_fn((400, 1), |(row, _)| (row % 40) as f32);
    let labels: Vec<bool> = (0..400).map(|row| row % 40 >= 17).collect();
    for weight in [1.0, 1e15, 1e30] {
        let found = margins(&only(values.clone(), &labels, Some(&[weight; 400]), 40), &values);
        assert!(found.iter().zip(&labels).all(|(&margin, &label)| (margin > 0.0) == label), "{weight}");
    }
}

#[test]
fn a_split_by_a_number_sends_what_nobody_knew_where_most_went() {
    let values = Array2::from_shape_fn((90, 1), |(row, _)| (row % 3) as f32);
    for (positive, missing_left) in [(0.0, false), (2.0, true)] {
        let labels: Vec<bool> = values.iter().map(|&value| value == positive).collect();
        let ensemble = only(values.clone(), &labels, None, 1);
        let first = splits(&ensemble)[0];
        assert_eq!(first.missing_left, missing_left, "{first:?}");
        assert_eq!(first.test, Test::Below(if missing_left { 1.5 } else { 0.5 }));
    }
}

#[test]
fn amounts_that_32_bits_do_not_hold_are_refused() {
    let column: arrow_array::ArrayRef = std::sync::Arc::new(arrow_array::Int64Array::from(vec![1, 2, 3]));
    let table = arrow_array::RecordBatch::try_from_iter([("a", column)]).unwrap();
    let features = crate::matrix::FeatureMatrix::from_batches(&["a"], &[table]).unwrap();
    let params = params(2, 4).with_min_child_weight(1.0).check().unwrap();
    for amount in [1e39, -1e300, f64::INFINITY, f64::NAN] {
        let error = params.fit_amounts(&features, &[0.0, amount, 1.0]).unwrap_err().to_string();
        assert!(error.contains("expected from -1e38 to 1e38: give it in a larger unit"), "{error}");
    }
    let trees = params.fit_amounts(&features, &[1e38, -1e38, 1e38]).unwrap();
    let found = trees.margins(&features.view()).unwrap();
    assert!(found[0] > found[1] && found[2] > found[1], "{found}");
}
