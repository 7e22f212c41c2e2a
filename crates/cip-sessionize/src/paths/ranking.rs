//! The paths that are taken most often, as values and as a table.

use std::cmp::Reverse;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use cip_core::{CoreError, table};

use crate::error::SessionizeError;
use crate::paths::counts::PathCounts;

/// A path, and how often it was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct TopPath<'a> {
    /// The event types, in their order.
    pub steps: Vec<&'a str>,
    /// Sessions that take it. With [`PathScope::User`](crate::PathScope::User): all sessions of the users who do.
    pub sessions: u64,
    /// Different users.
    pub users: u64,
    /// The share of the sessions, or of the users, that have a path at all: above 0, up to 1.
    pub share: f64,
    /// The sessions, or the users, with a purchase, anywhere among their events: also behind the path.
    pub conversions: u64,
    /// `conversions` by the sessions, or by the users: 0 to 1.
    pub conversion_rate: f64,
}

impl PathCounts {
    /// Returns the `count` paths that are taken most often, the most frequent first; of those that are taken as often the
    /// one whose event types come first, compared step by step by their UTF-8 bytes, a beginning before what goes on.
    ///
    /// What counts is sessions, or users with [`PathScope::User`](crate::PathScope::User).
    ///
    /// # Complexity
    /// n log n in the different paths.
    pub fn top(&self, count: usize) -> Vec<TopPath<'_>> {
        let scope = self.paths().scope();
        let mut by_name: Vec<u32> = (0..self.codes() as u32).collect();
        by_name.sort_unstable_by_key(|&code| self.name(code));
        let mut ranks = vec![0; by_name.len()];
        for (&code, rank) in by_name.iter().zip(0u32..) {
            ranks[code as usize] = rank;
        }
        let mut all: Vec<_> = self
            .iter()
            .map(|(steps, found)| {
                let steps: Vec<u32> = steps.iter().map(|&code| ranks[code as usize]).collect();
                (Reverse(found.of(scope)), steps, found)
            })
            .collect();
        all.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        all.truncate(count);
        all.into_iter()
            .map(|(Reverse(taken), steps, found)| TopPath {
                steps: steps.iter().map(|&rank| self.name(by_name[rank as usize])).collect(),
                sessions: found.sessions,
                users: found.users,
                share: taken as f64 / self.with_path() as f64,
                conversions: found.conversions,
                conversion_rate: found.conversions as f64 / taken as f64,
            })
            .collect()
    }

    /// Returns [`cip_core::table::paths`] of the `count` paths that are taken most often, in the order of
    /// [`PathCounts::top`].
    ///
    /// # Errors
    /// [`SessionizeError::Core`] where Arrow refuses the columns.
    pub fn table(&self, count: usize) -> Result<RecordBatch, SessionizeError> {
        let schema = table::paths();
        let top = self.top(count);
        let mut steps = ListBuilder::new(StringBuilder::new()).with_field(table::path_step());
        for path in &top {
            for step in &path.steps {
                steps.values().append_value(step);
            }
            steps.append(true);
        }
        let ints = |of: fn(&TopPath<'_>) -> u64| -> ArrayRef {
            Arc::new(top.iter().map(|path| of(path) as i64).collect::<Int64Array>())
        };
        let shares = |of: fn(&TopPath<'_>) -> f64| -> ArrayRef {
            Arc::new(top.iter().map(of).collect::<Float64Array>())
        };
        let columns = vec![
            Arc::new(steps.finish()) as ArrayRef,
            ints(|path| path.steps.len() as u64),
            ints(|path| path.sessions),
            ints(|path| path.users),
            shares(|path| path.share),
            ints(|path| path.conversions),
            shares(|path| path.conversion_rate),
        ];
        Ok(RecordBatch::try_new(schema, columns).map_err(CoreError::from)?)
    }
}
