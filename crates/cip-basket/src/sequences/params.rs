//! Which sequences are asked for.

use std::time::Duration;

use crate::error::BasketError;
use crate::itemsets::MinSupport;
use crate::sequences::found::Sequences;
use crate::sequences::histories::Histories;
use crate::sequences::search;

/// Which sequences of steps are asked for: those in `min_support` histories or more, within some time.
///
/// A history holds a sequence where it has its steps in this order, others between them or not, and the last one not later than
/// `within` after the first. Events at one instant are in the order of the store. A history counts once.
///
/// # Formula
/// ```text
/// support = histories that hold it / histories
/// confidence = histories that hold it / histories that hold it without its last step
/// ```
///
/// # Method
/// PrefixSpan (Pei et al. 2001): a sequence grows by a step that is frequent behind it. For the time limit (the window of Srikant and Agrawal
/// 1996) every start of a sequence is followed to its earliest end; of starts with one end the latest is kept. Each first
/// step is a task of Rayon's threads; the result does not depend on their number.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray, types::Int32Type};
/// # use cip_core::{EventBatch, MemoryBudget};
/// use std::time::Duration;
/// use cip_basket::{Histories, HistoryScope, ItemLevel, MinSupport, SequencePatterns};
/// # let times = TimestampMicrosecondArray::from_iter_values([0, 5, 0, 9, 0]).with_timezone("UTC");
/// # let types: DictionaryArray<Int32Type> = ["view", "purchase", "view", "purchase", "view"].into_iter().collect();
/// # let events = EventBatch::try_new(RecordBatch::try_from_iter([
/// #     ("user_id", Arc::new(Int64Array::from(vec![1, 1, 2, 2, 3])) as ArrayRef),
/// #     ("event_time", Arc::new(times)),
/// #     ("event_type", Arc::new(types)),
/// #     ("product_id", Arc::new(Int64Array::from(vec![10, 11, 10, 11, 10]))),
/// # ])?)?;
/// let mut histories = Histories::builder(events.schema(), ItemLevel::Product, HistoryScope::User, MemoryBudget::from_mib(16))?;
/// histories.push(&events)?;
/// let patterns = SequencePatterns::new(MinSupport::Count(2), Duration::from_secs(86_400))?;
/// let found = patterns.find(&histories.finish()?)?;
/// let viewed_then_bought = found.iter().next().ok_or("none")?;
/// let steps: Vec<String> = viewed_then_bought.steps().map(|(kind, product)| format!("{kind} {product}")).collect();
/// assert_eq!(steps, ["view 10", "purchase 11"]);
/// assert_eq!((viewed_then_bought.count(), found.len()), (2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SequencePatterns {
    pub(crate) min_support: MinSupport,
    pub(crate) within_micros: i64,
    pub(crate) most_steps: usize,
    pub(crate) last_type: Option<Box<str>>,
}

impl SequencePatterns {
    /// Asks for sequences of 2 or 3 steps.
    ///
    /// # Errors
    /// [`BasketError::Within`] for no time at all.
    pub fn new(min_support: MinSupport, within: Duration) -> Result<Self, BasketError> {
        let within_micros = i64::try_from(within.as_micros()).unwrap_or(i64::MAX);
        if within_micros == 0 {
            return Err(BasketError::Within);
        }
        Ok(Self { min_support, within_micros, most_steps: 3, last_type: None })
    }

    /// Sets how many steps a sequence may have.
    ///
    /// # Errors
    /// [`BasketError::MostSteps`] below 2.
    pub fn with_most_steps(mut self, most: usize) -> Result<Self, BasketError> {
        if most < 2 {
            return Err(BasketError::MostSteps { given: most });
        }
        self.most_steps = most;
        Ok(self)
    }

    /// Keeps the sequences alone that end with an event of this type, such as `purchase`.
    pub fn with_last_type(mut self, event_type: &str) -> Self {
        self.last_type = Some(event_type.into());
        self
    }

    /// Returns the sequences, sorted by the number of steps, then by steps: event type and product.
    ///
    /// # Errors
    /// [`BasketError::MinSupport`]; [`BasketError::TooManySequences`] where what the budget of the histories leaves does not hold them;
    /// [`CoreError::Memory`](cip_core::CoreError::Memory) below four times what the events of the histories take and twice what their steps do.
    pub fn find(&self, histories: &Histories) -> Result<Sequences, BasketError> {
        search::find(self, histories)
    }
}
