//! What a funnel is: its steps, their order, and the time they may take.

use std::time::Duration;

use arrow_array::RecordBatch;
use cip_core::{EventBatch, EventSchema};

use crate::error::SessionizeError;
use crate::funnel::builder::{FUNNEL_COLUMNS, FunnelBuilder};
use crate::funnel::totals::FunnelTotals;
use crate::rule::SessionRule;

/// The fewest steps of a funnel.
const MIN_STEPS: usize = 2;

/// The most steps of a funnel, and the most conditions that ClickHouse's functions of behaviour take.
pub const MAX_STEPS: usize = 32;

/// The longest window in microseconds.
const MAX_MICROS: u64 = i64::MAX.cast_unsigned();

/// Steps that a user takes one after the other within a window of time.
///
/// An **attempt** starts at an event of the first step. Each further step is the first event of its type behind the step
/// before, in the order of the store: at the same time or later. It counts where it is no later than the window after the
/// start; an event exactly at the limit counts. A user's result is the attempt that reaches the most steps, and of several
/// that reach as many the one that starts first.
///
/// ```text
/// steps view, cart, purchase within 1d
///
///          view        view  cart               purchase
///  ─────────●───────────●─────●───────────────────●──────────▶ event_time
///           ├──────────── 1d ─────────────┤       ╎            2 steps: the purchase is too late
///                       ├──────────── 1d ─────────────┤        3 steps: this attempt counts
/// ```
///
/// A step may come again in strict order: `view, view, cart` wants two views, and no event fills two steps.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use cip_sessionize::{Funnel, FunnelScope, StepOrder};
/// let day = Duration::from_secs(86_400);
/// let funnel = Funnel::new(["view", "cart", "purchase"], day)?
///     .with_order(StepOrder::Any)?
///     .with_scope(FunnelScope::Session);
/// assert_eq!(funnel.steps().len(), 3);
/// assert!(Funnel::new(["view"], day).is_err());
/// # Ok::<(), cip_sessionize::SessionizeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Funnel {
    steps: Vec<Box<str>>,
    /// 1..=MAX_MICROS.
    within: u64,
    order: StepOrder,
    scope: FunnelScope,
    sessions: SessionRule,
    segments: Option<Box<str>>,
}

/// In which order the steps must come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum StepOrder {
    /// As they are given. Other events may lie between them.
    #[default]
    Strict,
    /// In any: an attempt starts at an event of any step, and reaches one step more at the first event of each type. Step 2
    /// is then the second that is reached, whichever it is.
    Any,
}

/// Within what all steps of an attempt must lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FunnelScope {
    /// The events of one user.
    #[default]
    User,
    /// One session of a user, by [`Funnel::session_rule`].
    Session,
}

impl Funnel {
    /// Returns the funnel of `steps`, event types in their order, that are reached no later than `within` after the first.
    ///
    /// # Errors
    /// [`SessionizeError::StepCount`] for fewer than 2 steps or more than [`MAX_STEPS`], [`SessionizeError::BlankStep`],
    /// [`SessionizeError::Window`] where `within` is zero, not in whole microseconds, or more of them than 63 bits hold.
    pub fn new<S: Into<Box<str>>>(
        steps: impl IntoIterator<Item = S>,
        within: Duration,
    ) -> Result<Self, SessionizeError> {
        let steps: Vec<Box<str>> = steps.into_iter().map(Into::into).collect();
        if !(MIN_STEPS..=MAX_STEPS).contains(&steps.len()) {
            return Err(SessionizeError::StepCount { found: steps.len(), min: MIN_STEPS, max: MAX_STEPS });
        }
        if let Some(blank) = steps.iter().position(|step| step.trim().is_empty()) {
            return Err(SessionizeError::BlankStep { step: blank + 1 });
        }
        let within = match u64::try_from(within.as_micros()) {
            Ok(micros @ 1..=MAX_MICROS) if within.subsec_nanos().is_multiple_of(1_000) => micros,
            _ => return Err(SessionizeError::Window { within, max: Duration::from_micros(MAX_MICROS) }),
        };
        let (order, scope) = (StepOrder::default(), FunnelScope::default());
        Ok(Self { steps, within, order, scope, sessions: SessionRule::default(), segments: None })
    }

    /// Sets the order of the steps; without it, strict.
    ///
    /// # Errors
    /// [`SessionizeError::RepeatedStep`] for [`StepOrder::Any`] where an event type is two steps: nothing would tell them
    /// apart.
    pub fn with_order(mut self, order: StepOrder) -> Result<Self, SessionizeError> {
        if order == StepOrder::Any {
            for (second, event_type) in self.steps.iter().enumerate() {
                if let Some(first) = self.steps[..second].iter().position(|step| step == event_type) {
                    return Err(SessionizeError::RepeatedStep {
                        event_type: event_type.clone(),
                        first: first + 1,
                        second: second + 1,
                    });
                }
            }
        }
        self.order = order;
        Ok(self)
    }

    /// Sets within what the steps must lie; without it, the events of one user.
    #[must_use]
    pub fn with_scope(mut self, scope: FunnelScope) -> Self {
        self.scope = scope;
        self
    }

    /// Sets what a session is, for [`FunnelScope::Session`] and for abandoned carts; without it, the rule of 30 minutes.
    ///
    /// # Errors
    /// [`SessionizeError::ColumnRule`] where the rule takes the sessions of the source or ends one where an attribute
    /// changes: a funnel looks at times alone.
    pub fn with_session_rule(mut self, rule: SessionRule) -> Result<Self, SessionizeError> {
        rule.clock_alone("funnels")?;
        self.sessions = rule;
        Ok(self)
    }

    /// Counts abandoned carts by a column as well, of texts or integers: a session's segment is its value at the first event,
    /// such as the device, the country or the campaign.
    #[must_use]
    pub fn with_segments(mut self, column: &str) -> Self {
        self.segments = Some(column.into());
        self
    }

    /// The column by which abandoned carts are counted as well.
    pub fn segments(&self) -> Option<&str> {
        self.segments.as_deref()
    }

    /// The event columns that the funnel is made from: what a reader should project.
    pub fn columns(&self) -> Vec<&str> {
        let segments = self.segments().filter(|column| !FUNNEL_COLUMNS.contains(column));
        FUNNEL_COLUMNS.iter().copied().chain(segments).collect()
    }

    /// The event types of the steps.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = &str> {
        self.steps.iter().map(AsRef::as_ref)
    }

    /// How long after the first step the last may come.
    pub const fn within(&self) -> Duration {
        Duration::from_micros(self.within)
    }

    /// The order of the steps.
    pub const fn order(&self) -> StepOrder {
        self.order
    }

    /// Within what the steps must lie.
    pub const fn scope(&self) -> FunnelScope {
        self.scope
    }

    /// What a session is.
    pub const fn session_rule(&self) -> &SessionRule {
        &self.sessions
    }

    /// Returns the kernel that follows events of `schema` through this funnel.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`](cip_core::CoreError::MissingColumn) without one of
    /// [`FUNNEL_COLUMNS`](crate::FUNNEL_COLUMNS); [`SessionizeError::NoAttribute`] and [`SessionizeError::AttributeType`] where
    /// the column of the segments is missing or has another type.
    pub fn builder(&self, schema: &EventSchema) -> Result<FunnelBuilder, SessionizeError> {
        FunnelBuilder::new(self, schema)
    }

    /// Returns the table and the totals of all `batches`, which together are sorted by user_id (nulls last), event_time.
    ///
    /// # Errors
    /// As [`Funnel::builder`] (no batch at all has no `user_id`), [`FunnelBuilder::push`] and [`FunnelBuilder::finish`].
    pub fn follow(&self, batches: &[EventBatch]) -> Result<(RecordBatch, FunnelTotals), SessionizeError> {
        let schema = match batches.first() {
            Some(first) => first.schema().clone(),
            None => EventSchema::try_new(std::sync::Arc::new(arrow_schema::Schema::empty()))?,
        };
        let mut builder = self.builder(&schema)?;
        for batch in batches {
            builder.absorb(batch)?;
        }
        builder.finish()
    }

    /// Which of the steps an event type is: bit i for step i + 1.
    pub(crate) fn bits_of(&self, event_type: &str) -> u32 {
        let steps = self.steps().enumerate();
        steps.filter(|(_, step)| *step == event_type).fold(0, |bits, (index, _)| bits | 1 << index)
    }

    /// The window in microseconds.
    pub(crate) const fn within_micros(&self) -> u64 {
        self.within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_funnel_has_2_to_32_steps_with_names() {
        let steps = |n: usize| vec!["view"; n];
        assert!(Funnel::new(steps(2), DAY).is_ok() && Funnel::new(steps(32), DAY).is_ok());
        let text = |steps: Vec<&str>| Funnel::new(steps, DAY).unwrap_err().to_string();
        assert!(text(vec![]).starts_with("the funnel has 0 steps, expected 2 to 32"));
        assert!(text(steps(1)).starts_with("the funnel has 1 steps"));
        assert!(text(steps(33)).starts_with("the funnel has 33 steps"));
        assert_eq!(
            text(vec!["view", " "]),
            "step 2 of the funnel is blank, expected an event type such as `cart`"
        );
    }

    #[test]
    fn windows_are_positive_whole_microseconds() {
        for good in [1, MAX_MICROS] {
            let within = Duration::from_micros(good);
            assert_eq!(Funnel::new(["a", "b"], within).unwrap().within(), within);
        }
        for bad in [Duration::ZERO, Duration::from_nanos(1_001), Duration::MAX] {
            let error = Funnel::new(["a", "b"], bad).unwrap_err();
            assert!(matches!(error, SessionizeError::Window { .. }), "{error}");
        }
    }

    #[test]
    fn a_step_that_comes_again_needs_an_order() {
        let funnel = Funnel::new(["view", "cart", "view"], DAY).unwrap();
        assert_eq!(
            (funnel.bits_of("view"), funnel.bits_of("cart"), funnel.bits_of("wish")),
            (0b101, 0b10, 0)
        );
        assert!(funnel.clone().with_order(StepOrder::Strict).is_ok());
        let text = funnel.with_order(StepOrder::Any).unwrap_err().to_string();
        assert!(text.starts_with("`view` is step 1 and step 3 of a funnel in any order"), "{text}");
    }
}
