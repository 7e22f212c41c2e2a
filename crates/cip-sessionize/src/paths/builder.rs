//! The streaming kernel: sorted batches in, counts of paths out, one open user in between.

use std::ops::Range;

use arrow_array::cast::AsArray;
use cip_core::{CoreError, EventBatch, EventKind, EventSchema, Id, column};

use crate::boundaries::{Start, StartOf, find_starts};
use crate::cuts::OpenCuts;
use crate::error::SessionizeError;
use crate::input::{Input, InputSchema};
use crate::paths::counts::PathCounts;
use crate::paths::definition::{PathScope, Paths, RepeatedTypes};

/// The event columns that paths are made from, in the store's order: what a reader should project.
pub const PATH_COLUMNS: &[&str] = &[column::USER_ID, column::EVENT_TIME, column::EVENT_TYPE];

/// Counts the paths of a stream of batches sorted by user_id (nulls last), event_time; made by [`Paths::builder`].
///
/// Events of one user may span any number of batches: how the rows are split changes nothing.
///
/// # Complexity
/// Linear in the events; a path is hashed once for each session or user that has it. Memory beyond the batch is the different
/// paths, up to [`Paths::max_paths`].
#[derive(Debug)]
pub struct PathBuilder {
    schema: InputSchema,
    cuts: OpenCuts,
    /// The user and the time of the last row with a user.
    last: Option<(Id, i64)>,
    open: OpenPath,
    counts: PathCounts,
    rows: u64,
    /// Reused between batches.
    starts: Vec<Start>,
    /// Reused: what the codes of a batch's event types are in the counts.
    codes: Vec<u32>,
}

/// The path that events are added to.
#[derive(Debug, Default)]
struct OpenPath {
    /// The event types so far: the first ones, or the last ones where there is a target.
    steps: Vec<u32>,
    /// The type of the last event.
    before: Option<u32>,
    /// Whether later events change nothing.
    complete: bool,
    /// Whether there is a purchase.
    converts: bool,
    /// Sessions so far, the open one included.
    sessions: u64,
}

impl PathBuilder {
    pub(crate) fn new(paths: &Paths, schema: &EventSchema) -> Result<Self, SessionizeError> {
        Ok(Self {
            schema: InputSchema::with_columns(
                paths.session_rule().clone(),
                None,
                &schema.project(PATH_COLUMNS),
            )?,
            cuts: OpenCuts::default(),
            last: None,
            open: OpenPath::default(),
            counts: PathCounts::new(paths),
            rows: 0,
            starts: Vec::new(),
            codes: Vec::new(),
        })
    }

    /// Adds a batch.
    ///
    /// # Errors
    /// [`CoreError::NotSorted`] where a row comes before the one above it, also where that is the last of the batch
    /// before; [`CoreError::MissingColumn`] and [`CoreError::ColumnType`] where a column is missing or has another type;
    /// [`SessionizeError::TooManyPaths`]. After an error the open user is not whole: start again.
    pub fn push(&mut self, events: &EventBatch) -> Result<(), SessionizeError> {
        let input = self.schema.read(events)?;
        let types = events.event_types()?;
        self.counts.intern(types.values().as_string::<i32>(), types.keys().values(), &mut self.codes);
        let previous = self.last.as_ref().map(|(user, time)| (user.as_ref(), *time));
        let (rule, after_unknown) = (self.schema.rule(), self.counts.skipped_events() > 0);
        let known = find_starts(rule, &input, after_unknown, previous, &mut self.cuts, &mut self.starts)
            .map_err(|row| CoreError::NotSorted { row: self.rows + row as u64 })?;
        let keys = &types.keys().values()[..known];
        let starts = std::mem::take(&mut self.starts);
        let mut row = 0;
        for start in &starts {
            self.add(&input, keys, row..start.row);
            self.start(start.of)?;
            row = start.row;
        }
        self.add(&input, keys, row..known);
        self.starts = starts;
        if let Some(last) = known.checked_sub(1) {
            self.last = input.users.get(last).map(|user| (user.to_owned(), input.times[last]));
        }
        self.rows += events.len() as u64;
        self.counts.skip(events.len() - known);
        Ok(())
    }

    /// Returns the counts of all paths.
    ///
    /// # Errors
    /// [`SessionizeError::TooManyPaths`].
    pub fn finish(mut self) -> Result<PathCounts, SessionizeError> {
        self.close()?;
        Ok(self.counts)
    }

    /// Ends what is open where a session starts, and opens the next.
    fn start(&mut self, of: StartOf) -> Result<(), SessionizeError> {
        if of == StartOf::User || self.counts.paths().scope() == PathScope::Session {
            self.close()?;
        }
        if of == StartOf::User {
            self.counts.add_user();
        }
        self.open.sessions += 1;
        Ok(())
    }

    /// Counts the open path, and opens an empty one.
    fn close(&mut self) -> Result<(), SessionizeError> {
        let open = &mut self.open;
        if open.sessions > 0 {
            let ends = self.counts.paths().target().is_none() || open.complete;
            self.counts.add(ends.then_some(&*open.steps), open.sessions, open.converts)?;
        }
        open.steps.clear();
        *open = OpenPath { steps: std::mem::take(&mut open.steps), ..OpenPath::default() };
        Ok(())
    }

    /// Adds rows to the open path.
    fn add(&mut self, input: &Input<'_>, keys: &[i32], rows: Range<usize>) {
        let open = &mut self.open;
        open.converts = open.converts || input.kinds[rows.clone()].contains(&EventKind::Purchase);
        let (paths, target) = (self.counts.paths(), self.counts.target());
        for &key in &keys[rows] {
            if open.complete {
                break;
            }
            let code = self.codes[key as usize];
            if open.before == Some(code) && paths.repeats() == RepeatedTypes::OneStep {
                continue;
            }
            open.before = Some(code);
            if open.steps.len() == paths.max_steps() {
                // Only before a target: the others are complete by then.
                open.steps.remove(0);
            }
            open.steps.push(code);
            open.complete = match paths.target() {
                Some(_) => target == Some(code),
                None => open.steps.len() == paths.max_steps(),
            };
        }
    }
}
