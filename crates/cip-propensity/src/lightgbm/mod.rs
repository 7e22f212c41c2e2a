//! Models in the text of LightGBM, read.

mod header;
mod text;
mod tree;

use std::io::Read;
use std::sync::Arc;

use linfa::ParamGuard;

use crate::boosted::BoostedTrees;
use crate::engine::Ensemble;
use crate::error::PropensityError;
use crate::file::PropensityModel;
use crate::lightgbm::header::Header;
use crate::params::BoostedTreesParams;

/// The first line of such a file.
const FIRST_LINE: &str = "tree";
/// The line behind the last tree.
const END: &str = "end of trees";

impl PropensityModel {
    /// Whether a file starts as LightGBM's text does.
    pub fn is_lightgbm(text: &[u8]) -> bool {
        let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
        line.trim_ascii_end() == FIRST_LINE.as_bytes()
    }

    /// Reads a model of LightGBM's text (`Booster.save_model("model.txt")`) that foretells the column `label`.
    ///
    /// Margins and contributions are LightGBM's, of values of 32 bits: leaf values stay in 64 bits, the covers are the numbers of rows, and a
    /// threshold t becomes the least number of 32 bits above it. The sigmoid of the objective, where it is not 1, is multiplied into the leaves.
    /// Categories that pandas named have these names, others the digits of their codes. What LightGBM has never seen goes to the right, and
    /// so does an unknown category.
    ///
    /// The rows that it was trained on are not known, and told as 0; of its parameters the number of trees and of leaves are its own, the
    /// others the documented ones. Its scores are not calibrated.
    ///
    /// # Errors
    /// [`PropensityError::ModelLine`] with the line where it is not of this form; [`PropensityError::ForeignModel`] where it is a model of
    /// another kind: another objective than `binary` or `cross_entropy`, several classes, linear trees, a random forest, or zeros taken for
    /// unknown; [`PropensityError::ModelTree`] and [`PropensityError::ModelHeader`] where it contradicts itself; [`PropensityError::Io`].
    ///
    /// # Examples
    /// ```
    /// use cip_propensity::PropensityModel;
    ///
    /// let text = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=0\nobjective=binary sigmoid:1\n\
    ///     feature_names=views\nfeature_infos=[0:59]\n\nTree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nsplit_gain=9\nthreshold=7.5\n\
    ///     decision_type=8\nleft_child=-1\nright_child=-2\nleaf_value=-0.5 0.25\nleaf_count=30 10\ninternal_count=40\nis_linear=0\n\n\
    ///     end of trees\n";
    /// let model = PropensityModel::read_lightgbm(text.as_bytes(), "bought")?;
    /// assert_eq!(model.trees().margins(&ndarray::arr2(&[[7.5], [8.0]]))?.to_vec(), [-0.5, 0.25]);
    /// # Ok::<(), cip_propensity::PropensityError>(())
    /// ```
    pub fn read_lightgbm(mut reader: impl Read, label: &str) -> Result<Self, PropensityError> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        let text = str::from_utf8(&bytes).map_err(|error| PropensityError::ModelLine {
            line: bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() + 1,
            field: "the text",
            found: "other bytes".into(),
            expected: "UTF-8",
        })?;
        let sections = text::sections(text)?;
        let (header, trees) = match &sections[..] {
            [header, trees @ ..] => (Header::read(header, text)?, trees),
            [] => return Err(PropensityError::ModelHeader { reason: "it has no header" }),
        };
        if header.tree_count.is_some_and(|count| count != trees.len()) {
            return Err(PropensityError::ModelHeader { reason: "it has other trees than its header tells" });
        }
        let columns = header.columns(trees)?;
        let own = trees.iter().enumerate().map(|(at, section)| tree::read(section, at, &header, &columns));
        let own = own.collect::<Result<Vec<_>, _>>()?;
        let leaves = own.iter().map(|tree| tree.splits().count() + 1).max().unwrap_or(1).max(2);
        let params =
            BoostedTreesParams::new(0).with_trees(own.len().max(1) as u32).with_leaves(leaves as u32);
        let params = params.check()?;
        BoostedTrees::check(&columns.own, &params, 0.0)?;
        let ensemble = Ensemble { base_margin: 0.0, trees: own };
        Ok(Self::new(BoostedTrees::new(Arc::new(columns.own), params, ensemble), label, &[]))
    }
}
