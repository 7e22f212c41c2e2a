//! Sessions with a cart: what was known of each at a moment, and whether it was abandoned.

mod builder;
mod rows;
mod session;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use cip_core::{CoreError, EventBatch, EventSchema, IdType, TimeRange, column, table};

use crate::error::FeaturesError;

pub use builder::CartBuilder;

/// When a session with a cart is scored: what comes later is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Moment {
    /// With its first cart. This can be acted on: the session is still going on.
    #[default]
    FirstCart,
    /// With its last event. Purchases are not counted, but their time is in the duration, and views behind a purchase say that there
    /// was one: it flatters, and is here to be compared with.
    End,
}

/// What to ask of sessions with a cart: will they be abandoned?
///
/// A session is a `source_session`, or, where the source has none, events of a user no two neighbours of which lie more than 30 minutes
/// apart. One row a session that starts in the window and has a `cart` event; `label` is 1 where it has no `purchase`.
///
/// | column | at the moment |
/// |---|---|
/// | views, carts, removes | events of the session of these types |
/// | products | distinct products in events of the session that are no purchase |
/// | duration_seconds | whole seconds from its start |
/// | hour, weekday | of the moment, in UTC; Monday is 0 |
/// | cart_value | the sum of the prices of its carts, in the source's currency; null where none has one |
/// | last_cart_price | the price of its last cart; null where it has none |
/// | mean_viewed_price | of its views; null without a price |
/// | last_cart_price_ratio | last_cart_price / mean_viewed_price; null where either is, or the latter is 0 |
/// | seconds_before_cart | from the event before the first cart to it; null where the session starts with it |
/// | earlier_sessions, earlier_carts, earlier_purchases | of the user, before the session started |
/// | days_since_last_session, days_since_last_purchase | from the user's last event, or purchase, before the session started, in days and parts of them; null for never |
/// | group_… | whether it is of this experiment group |
///
/// **Point in time.** The events of a session are cut behind the moment before any of them is looked at, and what was earlier ends where
/// it starts.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::types::{Int32Type, Int64Type, UInt8Type};
/// # use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray, cast::AsArray};
/// # use cip_core::{EventBatch, TimeRange};
/// use cip_features::{CartSessions, Moment};
///
/// # let times = TimestampMicrosecondArray::from_iter_values([0, 60, 90, 9_000, 9_030].map(|second| second * 1_000_000));
/// # let types: DictionaryArray<Int32Type> = ["view", "cart", "purchase", "cart", "view"].into_iter().collect();
/// # let events = EventBatch::try_new(RecordBatch::try_from_iter([
/// #     ("user_id", Arc::new(Int64Array::from(vec![7; 5])) as ArrayRef),
/// #     ("event_time", Arc::new(times.with_timezone("UTC"))),
/// #     ("event_type", Arc::new(types)),
/// # ])?)?;
/// // View, cart, purchase; hours later a cart, and a view behind it.
/// let carts = CartSessions::new(TimeRange::ALL, Moment::FirstCart, events.schema())?.matrix(&[events])?;
/// assert_eq!(carts["label"].as_primitive::<UInt8Type>().values(), &[0, 1]);
/// assert_eq!(carts["views"].as_primitive::<Int64Type>().values(), &[1, 0]);
/// assert_eq!(carts["earlier_purchases"].as_primitive::<Int64Type>().values(), &[0, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct CartSessions {
    window: TimeRange,
    moment: Moment,
    /// The part of the events' schema that is used.
    schema: EventSchema,
    users: IdType,
    groups: Vec<Box<str>>,
}

impl CartSessions {
    const COLUMNS: [&'static str; 7] = [
        column::USER_ID,
        column::EVENT_TIME,
        column::EVENT_TYPE,
        column::PRODUCT_ID,
        column::PRICE,
        column::SOURCE_SESSION,
        column::EXPERIMENT_GROUP,
    ];

    /// Returns the task for sessions that start in `window`, in events of `schema`. Earlier events are what is known of a user.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`] without users, times or types; [`CoreError::ColumnType`].
    pub fn new(window: TimeRange, moment: Moment, schema: &EventSchema) -> Result<Self, FeaturesError> {
        let users = schema.user_type()?;
        for column in [column::EVENT_TIME, column::EVENT_TYPE] {
            if !schema.has(column) {
                return Err(CoreError::MissingColumn { column }.into());
            }
        }
        let used: Vec<&str> =
            Self::COLUMNS.into_iter().filter(|name| *name != column::EXPERIMENT_GROUP).collect();
        Ok(Self { window, moment, schema: schema.project(&used), users, groups: Vec::new() })
    }

    /// Adds a column for each experiment group, in this order.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`] where the events have no groups; [`FeaturesError::DuplicateGroup`].
    pub fn with_groups(
        self,
        groups: &[impl AsRef<str>],
        schema: &EventSchema,
    ) -> Result<Self, FeaturesError> {
        if !schema.has(column::EXPERIMENT_GROUP) {
            return Err(CoreError::MissingColumn { column: column::EXPERIMENT_GROUP }.into());
        }
        let groups: Vec<Box<str>> = groups.iter().map(|group| group.as_ref().into()).collect();
        if let Some((_, group)) = groups.iter().enumerate().find(|(at, group)| groups[..*at].contains(group))
        {
            return Err(FeaturesError::DuplicateGroup { group: group.clone() });
        }
        Ok(Self { schema: schema.project(&Self::COLUMNS), groups, ..self })
    }

    /// The event columns that are read, in the store's order.
    pub fn columns(&self) -> Vec<&'static str> {
        column::EVENT_COLUMNS.into_iter().filter(|name| self.schema.has(name)).collect()
    }

    /// The moment at which sessions are scored.
    pub const fn moment(&self) -> Moment {
        self.moment
    }

    /// The window in which sessions start.
    pub const fn window(&self) -> TimeRange {
        self.window
    }

    /// The experiment groups that have a column.
    pub fn groups(&self) -> &[Box<str>] {
        &self.groups
    }

    /// The schema of the table: [`cip_core::table::cart_sessions`].
    pub fn schema(&self) -> SchemaRef {
        table::cart_sessions(self.users, self.groups.iter().map(AsRef::as_ref))
    }

    /// Returns a builder that takes a stream of batches, sorted by user_id (nulls last), event_time.
    pub fn builder(&self) -> CartBuilder {
        CartBuilder::new(Arc::new(self.clone()))
    }

    /// Returns the rows of all sessions with a cart in `batches`, which together are sorted by user_id (nulls last), event_time.
    ///
    /// # Errors
    /// As [`CartBuilder::push`].
    pub fn matrix(&self, batches: &[EventBatch]) -> Result<RecordBatch, FeaturesError> {
        let mut builder = self.builder();
        for batch in batches {
            builder.absorb(batch)?;
        }
        builder.finish()
    }

    pub(crate) const fn input(&self) -> &EventSchema {
        &self.schema
    }

    pub(crate) const fn users(&self) -> IdType {
        self.users
    }
}
