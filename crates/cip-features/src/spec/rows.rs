//! Values of a specification's features, as they are written.

use cip_core::IdRef;

use super::spec_features::SpecFeatures;
use super::state::Value;
use crate::error::FeaturesError;
use crate::finished_users::{Column, FinishedUsers};

/// Finished users, by the places of their features in the plan.
pub(super) type SpecRows = FinishedUsers<usize>;

impl SpecRows {
    pub(super) fn of(features: &SpecFeatures) -> Self {
        let places = features.plan().written().map(|(place, _)| place);
        Self::new(features.schema(), features.users(), places)
    }

    pub(super) fn append_values(
        &mut self,
        user: IdRef<'_>,
        values: &[Value],
        positive: bool,
    ) -> Result<(), FeaturesError> {
        self.append(user, positive, |&place, column| match (column, values[place]) {
            (Column::Int64(column), Value::Whole(value)) => column.append_value(value),
            (Column::Int64(column), _) => column.append_null(),
            (Column::Float64(column), value) => column.append_option(value.number()),
        })
    }
}
