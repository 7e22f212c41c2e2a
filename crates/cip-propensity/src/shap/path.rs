//! The way to a leaf: what it asks of each feature, and what it says where a feature is not known.

use ndarray::Array2;

use crate::shap::quadrature::{Point, Quadrature};
use crate::shap::{LANES, Lanes, Scratch};
use crate::tree::{self, Node, Split, Tree, code};

/// A leaf with what the splits above it ask of each feature.
#[derive(Debug, Clone)]
pub(super) struct Path {
    value: f64,
    /// The points that integrate a path of as many features exactly.
    points: usize,
    tests: Vec<Test>,
    /// Of tests of categories, the codes that come here. They stand apart, so that tests stay small: all of them are read for every point.
    codes: Vec<Codes>,
}

/// What all splits by one feature on the way to a leaf ask of it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Test {
    feature: u32,
    /// No value below it; negative infinity asks for nothing.
    low: f32,
    /// No value at it or above; NaN asks for nothing.
    high: f32,
    /// Whether an unknown value comes here.
    missing: bool,
    /// The product of the parts of the covers: how many come here that are not told apart by the feature.
    zero: f64,
}

/// Which codes of a feature come to a leaf: those of which the bit is set; of codes behind the last, all or none.
#[derive(Debug, Clone, PartialEq)]
struct Codes {
    /// The place of the test among those of the path.
    test: usize,
    bits: Vec<bool>,
    beyond: bool,
}

/// What the splits above a node ask for.
#[derive(Debug, Clone, Default)]
struct Asked {
    tests: Vec<Test>,
    codes: Vec<Codes>,
}

/// Returns the leaves of a tree that has a split, in the order of a walk to the left first; of a tree without one, the leaf. The
/// rules that they need are added.
pub(super) fn paths(tree: &Tree, quadratures: &mut Vec<Quadrature>) -> Vec<Path> {
    let nodes = tree.nodes();
    let mut found = Vec::new();
    let mut open = vec![(0, Asked::default())];
    while let Some((at, asked)) = open.pop() {
        match &nodes[at] {
            Node::Leaf(leaf) => found.push(Path::new(leaf.value, asked, quadratures)),
            Node::Split(split) => {
                let [left, right] = [split.left as usize, split.right as usize];
                let covers = [left, right].map(|child| f64::from(nodes[child].cover()));
                let all = covers[0] + covers[1];
                // The two make one whole, whatever was rounded; of no rows at all half goes either way.
                let part = |cover: f64| if all > 0.0 { cover / all } else { 0.5 };
                let mut right_asked = asked.clone();
                right_asked.keep(split, Way::Right, part(covers[1]));
                open.push((right, right_asked));

                let mut left_asked = asked;
                left_asked.keep(split, Way::Left, part(covers[0]));
                open.push((left, left_asked));
            }
        }
    }
    found
}

/// Where a path goes on from a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Left,
    Right,
}

impl Asked {
    /// Leaves out what goes the other way at a split, of whose rows `part` goes this way.
    fn keep(&mut self, split: &Split, way: Way, part: f64) {
        let at = self.tests.iter().position(|test| test.feature == split.feature).unwrap_or_else(|| {
            let (low, high) = (f32::NEG_INFINITY, f32::NAN);
            self.tests.push(Test { feature: split.feature, low, high, missing: true, zero: 1.0 });
            self.tests.len() - 1
        });
        let test = &mut self.tests[at];
        test.missing &= split.missing_left == (way == Way::Left);
        test.zero *= part;
        match &split.test {
            tree::Test::Below(threshold) if way == Way::Right => test.low = test.low.max(*threshold),
            // A bound that is NaN gives way.
            tree::Test::Below(threshold) => test.high = test.high.min(*threshold),
            tree::Test::OneOf(codes) => Codes::of(&mut self.codes, at).keep(codes, way),
        }
    }
}

impl Codes {
    /// The codes of a test among others, or new ones of which none is left out yet.
    fn of(codes: &mut Vec<Self>, test: usize) -> &mut Self {
        let at = codes.iter().position(|codes| codes.test == test).unwrap_or_else(|| {
            codes.push(Self { test, bits: Vec::new(), beyond: true });
            codes.len() - 1
        });
        &mut codes[at]
    }

    /// Leaves out what goes the other way than these codes, which ascend, or than all others.
    fn keep(&mut self, codes: &[u32], way: Way) {
        let last = codes.last().map_or(0, |last| *last as usize + 1);
        if self.bits.len() < last {
            self.bits.resize(last, self.beyond);
        }
        for (code, bit) in (0u32..).zip(&mut self.bits) {
            *bit &= codes.binary_search(&code).is_ok() == (way == Way::Left);
        }
        self.beyond &= way == Way::Right;
    }

    /// 1 where a value comes to the leaf, 0 where it does not.
    #[inline]
    fn met(&self, test: &Test, value: f32) -> f64 {
        let bit = code(value).and_then(|code| self.bits.get(code as usize));
        f64::from(u8::from(if value.is_nan() { test.missing } else { bit.copied().unwrap_or(self.beyond) }))
    }
}

impl Test {
    /// 1 where a number comes to the leaf, 0 where it does not.
    #[inline]
    fn met(&self, value: f32) -> f64 {
        let unknown = value.is_nan();
        // A comparison with NaN is false, so a missing bound keeps nobody out.
        let out = (value < self.low) | (value >= self.high);
        f64::from(u8::from((!unknown & !out) | (unknown & self.missing)))
    }
}

impl Path {
    fn new(value: f64, Asked { tests, codes }: Asked, quadratures: &mut Vec<Quadrature>) -> Self {
        let points = tests.len().div_ceil(2).max(1);
        while quadratures.len() < points {
            quadratures.push(Quadrature::new(quadratures.len() + 1));
        }
        Self { value, points, tests, codes }
    }

    /// What the leaf adds to a margin of which no feature is known.
    pub(super) fn expected(&self) -> f64 {
        self.tests.iter().fold(self.value, |product, test| product * test.zero)
    }

    /// The distinct features on the way.
    #[cfg(test)]
    pub(super) fn features(&self) -> usize {
        self.tests.len()
    }

    /// Adds what the leaf makes of each feature to all groups of rows; `values` and `sums` hold `columns` lanes a group.
    pub(super) fn add(
        &self,
        quadratures: &[Quadrature],
        (values, sums): (&[[f32; LANES]], &mut [Lanes]),
        columns: usize,
        scratch: &mut Scratch,
    ) {
        let rule = &quadratures[self.points - 1].points;
        scratch.coefficients.clear();
        for point in rule {
            let coefficient =
                |test: &Test| point.weight * (1.0 - test.zero) / (point.t + test.zero * point.rest);
            scratch.coefficients.extend(self.tests.iter().map(coefficient));
        }
        for (values, sums) in values.chunks_exact(columns).zip(sums.chunks_exact_mut(columns)) {
            self.add_group(rule, values, sums, scratch);
        }
    }

    /// Adds what the leaf makes of each pair of features of a row: half of it on either side of the diagonal.
    pub(super) fn add_interactions(&self, quadratures: &[Quadrature], row: &[f32], sums: &mut Array2<f64>) {
        let rule = &quadratures[self.points - 1].points;
        let value = |test: &Test| row[test.feature as usize];
        let mut met: Vec<f64> = self.tests.iter().map(|test| test.met(value(test))).collect();
        for codes in &self.codes {
            let test = &self.tests[codes.test];
            met[codes.test] = codes.met(test, value(test));
        }
        for (i, first) in self.tests.iter().enumerate() {
            for (j, second) in self.tests.iter().enumerate().skip(i + 1) {
                let apart = (met[i] - first.zero) * (met[j] - second.zero);
                let others = |point: &Point| {
                    let tests = self.tests.iter().zip(&met).enumerate().filter(|(k, _)| *k != i && *k != j);
                    tests.fold(point.weight, |product, (_, (test, met))| {
                        product * (met * point.t + test.zero * point.rest)
                    })
                };
                let half = 0.5 * self.value * apart * rule.iter().map(others).sum::<f64>();
                let [a, b] = [first.feature as usize, second.feature as usize];
                sums[[a, b]] += half;
                sums[[b, a]] += half;
            }
        }
    }

    /// Adds what the leaf makes of each feature of one group of rows.
    #[inline]
    fn add_group(&self, rule: &[Point], values: &[[f32; LANES]], sums: &mut [Lanes], scratch: &mut Scratch) {
        let Scratch { coefficients, met, met_sums } = scratch;
        met.clear();
        met.extend(self.tests.iter().map(|test| values[test.feature as usize].map(|value| test.met(value))));
        for codes in &self.codes {
            let test = &self.tests[codes.test];
            met[codes.test] = values[test.feature as usize].map(|value| codes.met(test, value));
        }
        met_sums.clear();
        met_sums.resize(self.tests.len(), [0.0; LANES]);
        let mut unmet = [0.0; LANES];
        for (at, point) in rule.iter().enumerate() {
            let mut product = [self.value; LANES];
            for (test, met) in self.tests.iter().zip(met.iter()) {
                let zero = test.zero * point.rest;
                for lane in 0..LANES {
                    product[lane] *= zero + met[lane] * point.t;
                }
            }
            let coefficients = &coefficients[at * self.tests.len()..];
            for (sum, coefficient) in met_sums.iter_mut().zip(coefficients) {
                for lane in 0..LANES {
                    sum[lane] += product[lane] * coefficient;
                }
            }
            // Without the feature's own factor, z (1 - t), and times -z: the same for all features that are not met.
            let weight = point.weight / point.rest;
            for lane in 0..LANES {
                unmet[lane] += product[lane] * weight;
            }
        }
        for ((test, met), met_sum) in self.tests.iter().zip(met.iter()).zip(met_sums.iter()) {
            let sum = &mut sums[test.feature as usize];
            for lane in 0..LANES {
                sum[lane] += met_sum[lane] * met[lane] - unmet[lane] * (1.0 - met[lane]);
            }
        }
    }
}
