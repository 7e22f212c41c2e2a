//! Rounds: a tree each, until there are enough or they are of no use.

use std::num::NonZeroU32;

use ndarray::ArrayView2;

use crate::boost::binning::Binned;
use crate::boost::gain::Scorer;
use crate::boost::growth::{GrownTree, Growth, each};
use crate::boost::loss::{Loss, Targets, log_loss};
use crate::boost::shard::Shard;
use crate::boost::sums::Magnitudes;
use crate::engine::Ensemble;
use crate::error::PropensityError;
use crate::forest::Forest;
use crate::matrix::Categories;
use crate::params::{BoostedTreesValidParams, Monotone};
use crate::tree::Tree;

/// Fewer rows are no shard of their own.
const SHARD_ROWS: usize = 1 << 13;

/// More rows have no numbers of 32 bits.
const MOST_SHARD_ROWS: usize = 1 << 31;

/// What is learned from, and how.
#[derive(Debug)]
pub(super) struct Rounds<'a> {
    /// One row a row, NaN where unknown, in row-major order.
    pub(super) values: ArrayView2<'a, f32>,
    pub(super) targets: Targets<'a>,
    pub(super) loss: Loss,
    pub(super) categories: &'a [Option<Categories>],
    pub(super) directions: &'a [Option<Monotone>],
    pub(super) params: &'a BoostedTreesValidParams,
}

/// Rows whose loss says when to stop.
#[derive(Debug)]
pub(super) struct Validation<'a> {
    values: ArrayView2<'a, f32>,
    targets: Targets<'a>,
    /// Rounds without a lower loss, after which it is time.
    patience: usize,
    margins: Vec<f64>,
    lowest: f64,
    /// The trees up to the lowest loss.
    best: usize,
}

impl<'a> Validation<'a> {
    pub(super) fn new(values: ArrayView2<'a, f32>, targets: Targets<'a>, patience: NonZeroU32) -> Self {
        let patience = patience.get() as usize;
        Self { values, targets, patience, margins: Vec::new(), lowest: f64::INFINITY, best: 1 }
    }

    /// Adds a tree, with which there are so many, and returns whether to go on.
    fn goes_on(&mut self, tree: &Tree, trees: usize) -> bool {
        let values = self.values.as_slice().unwrap_or_default();
        Forest::new(std::slice::from_ref(tree)).add(&mut self.margins, values, self.values.ncols());
        let loss = log_loss(&self.margins, self.targets);
        if loss < self.lowest {
            (self.lowest, self.best) = (loss, trees);
        }
        trees < self.best + self.patience
    }
}

impl Rounds<'_> {
    /// Boosts on the threads of the current pool, as many as the parameters allow.
    pub(super) fn run(&self, validate: Option<Validation<'_>>) -> Result<Ensemble, PropensityError> {
        let most = self.params.threads().map_or(usize::MAX, usize::from);
        let useful = self.values.nrows().div_ceil(SHARD_ROWS).max(1);
        match rayon::current_num_threads().min(most).min(useful) {
            0 | 1 => self.boost(validate, 1),
            // Inside the pool a thread that waits for others works with them.
            threads => rayon::scope(|_| self.boost(validate, threads)),
        }
    }

    fn boost(
        &self,
        mut validate: Option<Validation<'_>>,
        threads: usize,
    ) -> Result<Ensemble, PropensityError> {
        let binned = Binned::new(self.values, self.categories, threads);
        let base_margin = self.loss.base_margin(self.targets);
        let mut shards = self.shards(&binned, threads, base_margin);
        if let Some(validate) = &mut validate {
            validate.margins = vec![base_margin.into(); validate.values.nrows()];
        }
        let mut growth = Growth {
            binned: &binned,
            categories: self.categories,
            directions: self.directions,
            params: self.params,
            free: Vec::new(),
        };
        let mut scales = self.loss.scales(base_margin, self.targets);
        let mut leaf_values = vec![0.0];
        let mut trees: Vec<Tree> = Vec::new();
        while trees.len() < self.params.trees() as usize {
            let magnitudes = loop {
                each(&mut shards, self.values.nrows(), |shard| shard.derive(self.loss, scales, &leaf_values));
                // The margins are those of all trees now, whether their derivatives fit or not.
                leaf_values.fill(0.0);
                let mut magnitudes = Magnitudes::default();
                shards.iter().for_each(|shard| magnitudes += shard.magnitudes);
                if scales.fit(magnitudes) {
                    break magnitudes;
                }
            };
            let GrownTree { nodes, leaf_values: values } =
                growth.tree(&mut shards, &Scorer::new(self.params, scales));
            (scales, leaf_values) = (scales.next(magnitudes), values);
            let refuse = |(node, reason)| PropensityError::ModelTree { tree: trees.len(), node, reason };
            let tree = Tree::try_new(nodes, self.categories).map_err(refuse)?;
            trees.push(tree);
            if let (Some(validate), Some(tree)) = (&mut validate, trees.last())
                && !validate.goes_on(tree, trees.len())
            {
                break;
            }
        }
        // The trees behind the best round did not help.
        trees.truncate(validate.map_or(usize::MAX, |validate| validate.best));
        Ok(Ensemble { base_margin, trees })
    }

    fn shards<'b>(&'b self, binned: &'b Binned, threads: usize, margin: f32) -> Vec<Shard<'b>> {
        let rows = self.values.nrows();
        let part = rows.div_ceil(threads).clamp(1, MOST_SHARD_ROWS);
        let starts = (0..rows).step_by(part);
        starts
            .map(|start| Shard::new(binned, start..rows.min(start + part), self.targets, margin.into()))
            .collect()
    }
}
