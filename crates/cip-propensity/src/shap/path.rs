//! The way to a leaf: what it asks of each feature, and what it says where a feature is not known.

use ndarray::Array2;

use crate::shap::quadrature::{Point, Quadrature};
use crate::shap::{LANES, Lanes, Scratch};
use crate::tree::{self, Node, Tree, code};

/// A leaf with what the splits above it ask of each feature.
#[derive(Debug, Clone)]
pub(super) struct Path {
    value: f64,
    /// The points that integrate a path of as many features exactly.
    points: usize,
    tests: Vec<Test>,
}

/// What all splits by one feature on the way to a leaf ask of it.
#[derive(Debug, Clone, PartialEq)]
struct Test {
    feature: u32,
    known: Known,
    /// Whether an unknown value comes here.
    missing: bool,
    /// The product of the parts of the covers: how many come here that are not told apart by the feature.
    zero: f64,
}

/// Which known values come to a leaf.
#[derive(Debug, Clone, PartialEq)]
enum Known {
    /// None below `low`, of which negative infinity asks for nothing, and none at `high` or above, of which NaN asks for nothing.
    Between { low: f32, high: f32 },
    /// Those of which the bit is set; of codes behind the last, all or none.
    Codes { bits: Vec<bool>, beyond: bool },
}

/// Returns the leaves of a tree that has a split, in the order of a walk to the left first; of a tree without one, the leaf. The
/// rules that they need are added.
pub(super) fn paths(tree: &Tree, quadratures: &mut Vec<Quadrature>) -> Vec<Path> {
    let nodes = tree.nodes();
    let mut found = Vec::new();
    let mut open: Vec<(usize, Vec<Test>)> = vec![(0, Vec::new())];
    while let Some((at, tests)) = open.pop() {
        match &nodes[at] {
            Node::Leaf(leaf) => found.push(Path::new(leaf.value, tests, quadratures)),
            Node::Split(split) => {
                let [left, right] = [split.left as usize, split.right as usize];
                let covers = [left, right].map(|child| f64::from(nodes[child].cover()));
                let all = covers[0] + covers[1];
                // The two make one whole, whatever was rounded; of no rows at all half goes either way.
                let part = |cover: f64| if all > 0.0 { cover / all } else { 0.5 };
                let mut right_tests = tests.clone();
                let test = Test::of(&mut right_tests, split.feature);
                test.known.keep(&split.test, Way::Right);
                test.missing &= !split.missing_left;
                test.zero *= part(covers[1]);
                open.push((right, right_tests));

                let mut left_tests = tests;
                let test = Test::of(&mut left_tests, split.feature);
                test.known.keep(&split.test, Way::Left);
                test.missing &= split.missing_left;
                test.zero *= part(covers[0]);
                open.push((left, left_tests));
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

impl Known {
    /// Leaves out what goes the other way.
    fn keep(&mut self, test: &tree::Test, way: Way) {
        match (self, test) {
            (Self::Between { low, .. }, tree::Test::Below(threshold)) if way == Way::Right => {
                *low = low.max(*threshold);
            }
            // A bound that is NaN gives way.
            (Self::Between { high, .. }, tree::Test::Below(threshold)) => *high = high.min(*threshold),
            (Self::Codes { bits, beyond }, tree::Test::OneOf(codes)) => {
                let last = codes.last().map_or(0, |last| *last as usize + 1);
                if bits.len() < last {
                    bits.resize(last, *beyond);
                }
                for (code, bit) in (0u32..).zip(bits) {
                    *bit &= codes.binary_search(&code).is_ok() == (way == Way::Left);
                }
                *beyond &= way == Way::Right;
            }
            // The first split by a feature that has categories.
            (known @ Self::Between { .. }, tree::Test::OneOf(_)) => {
                *known = Self::Codes { bits: Vec::new(), beyond: true };
                known.keep(test, way);
            }
            // A feature has numbers or categories: no tree is otherwise.
            (Self::Codes { .. }, tree::Test::Below(_)) => {}
        }
    }

    /// Whether a value that is not NaN comes to the leaf.
    #[inline]
    fn has(&self, value: f32) -> bool {
        match self {
            // A comparison with NaN is false, so a missing bound keeps nobody out.
            Self::Between { low, high } => !((value < *low) | (value >= *high)),
            Self::Codes { bits, beyond } => {
                let bit = code(value).and_then(|code| bits.get(code as usize));
                bit.copied().unwrap_or(*beyond)
            }
        }
    }
}

impl Test {
    /// The test of a feature among others, or a new one that asks for nothing yet.
    fn of(tests: &mut Vec<Self>, feature: u32) -> &mut Self {
        let at = tests.iter().position(|test| test.feature == feature).unwrap_or_else(|| {
            let known = Known::Between { low: f32::NEG_INFINITY, high: f32::NAN };
            tests.push(Self { feature, known, missing: true, zero: 1.0 });
            tests.len() - 1
        });
        &mut tests[at]
    }

    /// 1 where a value comes to the leaf, 0 where it does not.
    #[inline]
    fn met(&self, value: f32) -> f64 {
        f64::from(u8::from(if value.is_nan() { self.missing } else { self.known.has(value) }))
    }

    /// [`Test::met`] of rows side by side.
    #[inline]
    fn met_lanes(&self, values: &[f32; LANES]) -> Lanes {
        match self.known {
            Known::Between { low, high } => values.map(|value| {
                let unknown = value.is_nan();
                let out = (value < low) | (value >= high);
                f64::from(u8::from((!unknown & !out) | (unknown & self.missing)))
            }),
            Known::Codes { .. } => values.map(|value| self.met(value)),
        }
    }
}

impl Path {
    fn new(value: f64, tests: Vec<Test>, quadratures: &mut Vec<Quadrature>) -> Self {
        let points = tests.len().div_ceil(2).max(1);
        while quadratures.len() < points {
            quadratures.push(Quadrature::new(quadratures.len() + 1));
        }
        Self { value, points, tests }
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
        let met: Vec<f64> = self.tests.iter().map(|test| test.met(row[test.feature as usize])).collect();
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
        met.extend(self.tests.iter().map(|test| test.met_lanes(&values[test.feature as usize])));
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
