//! What a path is: whose events, how many steps, and where it ends.

use std::num::NonZeroUsize;

use cip_core::{CoreError, EventBatch, EventSchema, column};

use crate::error::SessionizeError;
use crate::paths::builder::PathBuilder;
use crate::paths::counts::PathCounts;
use crate::rule::SessionRule;

/// The most steps of a path.
pub const MAX_PATH_STEPS: usize = 32;

/// How many different paths are kept unless another number is set.
const MAX_PATHS: NonZeroUsize = NonZeroUsize::new(1_000_000).unwrap();

/// Sequences of event types, one for every session or every user.
///
/// A path has the event types in the order of the store: by time, and at one instant by source file and line. It **starts** with the
/// first event and takes up to the given number of steps; later events are left out. With a target
/// ([`with_target`](Self::with_target)) it **ends** with the first event of that type and takes up to as many steps, the last
/// ones; what has no such event has no path.
///
/// ```text
/// up to 3 steps            view view cart view purchase view
///                          ├──────────────┤                   view > cart > view
/// … to `purchase`               ├───────────────┤             cart > view > purchase
/// … every repeat a step    ├────────────┤                     view > view > cart
/// ```
///
/// # Examples
/// ```
/// use cip_sessionize::{PathScope, Paths, RepeatedTypes};
/// let paths = Paths::new(3)?.with_target("purchase")?.with_repeats(RepeatedTypes::EachAStep);
/// assert_eq!((paths.max_steps(), paths.target(), paths.scope()), (3, Some("purchase"), PathScope::Session));
/// assert!(Paths::new(0).is_err());
/// # Ok::<(), cip_sessionize::SessionizeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// 1..=MAX_PATH_STEPS.
    max_steps: usize,
    scope: PathScope,
    repeats: RepeatedTypes,
    target: Option<Box<str>>,
    sessions: SessionRule,
    max_paths: NonZeroUsize,
}

/// Whose events make one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PathScope {
    /// Those of one session, by [`Paths::session_rule`].
    #[default]
    Session,
    /// All those of one user.
    User,
}

/// What events of one type are that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RepeatedTypes {
    /// One step together, so that twelve views before a cart are `view > cart`.
    #[default]
    OneStep,
    /// A step each.
    EachAStep,
}

impl Paths {
    /// Returns paths of sessions of up to `max_steps` steps.
    ///
    /// # Errors
    /// [`SessionizeError::PathSteps`] for 0 steps or more than [`MAX_PATH_STEPS`].
    pub fn new(max_steps: usize) -> Result<Self, SessionizeError> {
        if !(1..=MAX_PATH_STEPS).contains(&max_steps) {
            return Err(SessionizeError::PathSteps { found: max_steps, max: MAX_PATH_STEPS });
        }
        Ok(Self { max_steps, ..Self::default() })
    }

    /// Sets whose events make one path; without it, those of one session.
    #[must_use]
    pub fn with_scope(mut self, scope: PathScope) -> Self {
        self.scope = scope;
        self
    }

    /// Sets what events of one type are that follow each other; without it, one step.
    #[must_use]
    pub fn with_repeats(mut self, repeats: RepeatedTypes) -> Self {
        self.repeats = repeats;
        self
    }

    /// Sets the event type with whose first event a path ends. A type that never occurs is no error: there are no paths then.
    ///
    /// # Errors
    /// [`SessionizeError::BlankTarget`].
    pub fn with_target(mut self, event_type: &str) -> Result<Self, SessionizeError> {
        if event_type.trim().is_empty() {
            return Err(SessionizeError::BlankTarget);
        }
        self.target = Some(event_type.into());
        Ok(self)
    }

    /// Sets what a session is; without it, the rule of 30 minutes.
    ///
    /// # Errors
    /// [`SessionizeError::ColumnRule`] where the rule takes the sessions of the source or ends one where an attribute
    /// changes: paths look at times alone.
    pub fn with_session_rule(mut self, rule: SessionRule) -> Result<Self, SessionizeError> {
        rule.clock_alone("paths")?;
        self.sessions = rule;
        Ok(self)
    }

    /// Sets how many different paths are kept at the most; without it, a million. One takes about 100 bytes, and 4 a step.
    #[must_use]
    pub fn with_max_paths(mut self, paths: NonZeroUsize) -> Self {
        self.max_paths = paths;
        self
    }

    /// The most steps of a path.
    pub const fn max_steps(&self) -> usize {
        self.max_steps
    }

    /// Whose events make one path.
    pub const fn scope(&self) -> PathScope {
        self.scope
    }

    /// What events of one type are that follow each other.
    pub const fn repeats(&self) -> RepeatedTypes {
        self.repeats
    }

    /// The event type that paths end with, where one is set.
    pub fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// What a session is.
    pub const fn session_rule(&self) -> &SessionRule {
        &self.sessions
    }

    /// How many different paths are kept at the most.
    pub const fn max_paths(&self) -> NonZeroUsize {
        self.max_paths
    }

    /// Returns the kernel that takes the paths of events of `schema`.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`] without one of [`PATH_COLUMNS`](crate::PATH_COLUMNS).
    pub fn builder(&self, schema: &EventSchema) -> Result<PathBuilder, SessionizeError> {
        PathBuilder::new(self, schema)
    }

    /// Returns the paths of all `batches`, which together are sorted by user_id (nulls last), event_time.
    ///
    /// # Errors
    /// As [`Paths::builder`] (no batch at all has no `user_id`) and [`PathBuilder::push`].
    pub fn follow(&self, batches: &[EventBatch]) -> Result<PathCounts, SessionizeError> {
        let Some(first) = batches.first() else {
            return Err(CoreError::MissingColumn { column: column::USER_ID }.into());
        };
        let mut builder = self.builder(first.schema())?;
        for batch in batches {
            builder.push(batch)?;
        }
        builder.finish()
    }
}

impl Default for Paths {
    /// Paths of sessions of up to 5 steps, from their start.
    fn default() -> Self {
        Self {
            max_steps: 5,
            scope: PathScope::default(),
            repeats: RepeatedTypes::default(),
            target: None,
            sessions: SessionRule::default(),
            max_paths: MAX_PATHS,
        }
    }
}
