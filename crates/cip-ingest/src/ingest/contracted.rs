//! What a contract adds to an ingest: its rules, the memory for them, and what the store keeps of it.

use std::sync::Arc;

use cip_core::CoreError;
use cip_store::Account;

use super::Ingest;
use crate::contract::quality::QualityReport;
use crate::contract::resolve::{Check, Extent, Rule};
use crate::contract::tally::Tally;
use crate::error::IngestError;
use crate::plan::Plan;
use crate::source::Source;

impl Ingest {
    /// The rules of the contract, held against the mapping; none without one.
    pub(super) fn rules(&self, extent: Extent) -> Result<Option<Arc<[Rule]>>, IngestError> {
        let Some(contract) = &self.contract else { return Ok(None) };
        let columns = self.mapping.targets()?;
        Ok(Some(contract.resolve(&self.mapping, &columns, self.budget, extent)?.into()))
    }

    /// Divides the memory; where rows are told apart, that takes half of it.
    pub(super) fn plan(&self, rules: Option<&[Rule]>, sources: &[Source]) -> Result<Plan, IngestError> {
        let unique = rules.unwrap_or_default().iter().any(|rule| matches!(rule.check, Check::Unique));
        if !unique {
            return Plan::new(self.budget, self.threads, self.chunk_bytes, sources);
        }
        let half = self.budget.part(1, 2);
        Plan::new(half, self.threads, self.chunk_bytes, sources).map_err(|error| match error {
            IngestError::Core(CoreError::Memory { what, smallest, .. }) => CoreError::Memory {
                what,
                budget: self.budget,
                smallest: cip_core::MemoryBudget::from_bytes(smallest.bytes() * 2),
            }
            .into(),
            error => error,
        })
    }

    /// Reports how the rows held the contract.
    ///
    /// # Errors
    /// [`IngestError::ExpectationOfInput`] where the whole input does not hold what it must.
    pub(super) fn quality(
        &self,
        rules: Option<&[Rule]>,
        account: &Account,
        tally: &Tally,
    ) -> Result<Option<QualityReport>, IngestError> {
        let (Some(rules), Some(contract)) = (rules, &self.contract) else { return Ok(None) };
        let report = QualityReport::new(contract.name(), rules, account, tally);
        report.check(rules)?;
        Ok(Some(report))
    }

    /// What the store keeps: the contract and what it found.
    pub(super) fn kept_quality(
        &self,
        report: Option<&QualityReport>,
    ) -> Result<Option<serde_json::Value>, IngestError> {
        let kept = report.zip(self.contract.as_ref()).map(|(report, contract)| {
            Ok::<_, serde_json::Error>(serde_json::json!({
                "contract": serde_json::to_value(contract)?, "report": serde_json::to_value(report)?,
            }))
        });
        Ok(kept.transpose()?)
    }
}
