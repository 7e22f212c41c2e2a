//! `--correlated`: which features say nearly the same.

use cip::arrow_array::RecordBatch;
use cip::features::Correlations;
use serde_json::{Value, json};

use crate::args::FeaturesArgs;
use crate::commands::run::Found;
use crate::error::CliError;
use crate::number::{grouped, significant};

/// The correlations that were asked for, if any were.
pub(super) struct Correlated(Option<(f64, Correlations)>);

impl Correlated {
    pub(super) fn new<'a>(
        args: &FeaturesArgs,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<Self, CliError> {
        let Some(limit) = args.correlated else { return Ok(Self(None)) };
        if !(0.0..=1.0).contains(&limit) {
            return Err(CliError::Usage(format!("--correlated is {limit}, expected a number from 0 to 1")));
        }
        Ok(Self(Some((limit, Correlations::new(names)))))
    }

    pub(super) fn add(&mut self, batch: &RecordBatch) {
        if let Some((_, correlations)) = &mut self.0 {
            correlations.add(batch);
        }
    }

    /// Adds them to what is told.
    pub(super) fn tell(&self, found: &mut Found) {
        let Some((limit, correlations)) = &self.0 else { return };
        let pairs = correlations.at_least(*limit);
        if pairs.is_empty() {
            found.text.push_str(&format!("\nno two features have a correlation of {limit} or more"));
        }
        for pair in &pairs {
            found.text.push_str(&format!(
                "\n{} and {}: correlation {} over {} users",
                pair.a,
                pair.b,
                significant(pair.r),
                grouped(pair.users)
            ));
        }
        let pairs: Vec<Value> = (pairs.iter())
            .map(|pair| json!({ "a": pair.a, "b": pair.b, "correlation": pair.r, "users": pair.users }))
            .collect();
        found.json["correlated"] = json!(pairs);
    }
}
