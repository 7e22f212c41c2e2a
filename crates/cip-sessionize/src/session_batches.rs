//! Sessions as an iterator over an iterator of events.

use arrow_array::RecordBatch;
use cip_core::{EventBatch, EventSchema};

use crate::error::SessionizeError;
use crate::rule::SessionRule;
use crate::sessionizer::Sessionizer;

/// Returns the sessions of batches that come one by one, as batches of [`cip_core::table::fact_sessions`].
///
/// For each batch that goes in, one comes out, of the sessions that it completes, if there are any; the last has those that are
/// still open. What is held in between is one open session, and where the rule takes the sessions of the source all of one user.
/// The batches are together sorted by user_id (nulls last), event_time; an error of theirs comes out as it is and ends the
/// iterator, as does one of the sessions.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::types::Int32Type;
/// # use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
/// # use cip_core::EventBatch;
/// # fn batch(users: Vec<i64>) -> EventBatch {
/// #     let times = TimestampMicrosecondArray::from(vec![0; users.len()]).with_timezone("UTC");
/// #     let types: DictionaryArray<Int32Type> = users.iter().map(|_| "view").collect();
/// #     let columns: [(&str, ArrayRef); 3] = [
/// #         ("user_id", Arc::new(Int64Array::from(users))),
/// #         ("event_time", Arc::new(times)),
/// #         ("event_type", Arc::new(types)),
/// #     ];
/// #     EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
/// # }
/// use cip_sessionize::{SessionRule, SessionizeError, session_batches};
/// let batches = [batch(vec![7, 9]), batch(vec![9]), batch(vec![9, 12])];
/// let schema = batches[0].schema().clone();
/// let sessions = session_batches(SessionRule::default(), &schema, batches.map(Ok::<_, SessionizeError>))?;
/// let rows: Vec<usize> = sessions.map(|batch| batch.map(|batch| batch.num_rows())).collect::<Result<_, _>>()?;
/// assert_eq!(rows, [1, 1, 1]); // 7, 9, and 12 at the end
/// # Ok::<(), SessionizeError>(())
/// ```
///
/// # Errors
/// As [`Sessionizer::new`]; from the iterator as [`Sessionizer::push`] and [`Sessionizer::finish`], and those of the batches.
pub fn session_batches<I, E>(
    rule: SessionRule,
    schema: &EventSchema,
    events: I,
) -> Result<SessionBatches<I::IntoIter>, SessionizeError>
where
    I: IntoIterator<Item = Result<EventBatch, E>>,
    E: From<SessionizeError>,
{
    Ok(SessionBatches { sessionizer: Some(Sessionizer::new(rule, schema)?), events: events.into_iter() })
}

/// The sessions of batches that come one by one; made by [`session_batches`].
#[derive(Debug)]
pub struct SessionBatches<I> {
    /// None once it has ended.
    sessionizer: Option<Sessionizer>,
    events: I,
}

impl<I, E> Iterator for SessionBatches<I>
where
    I: Iterator<Item = Result<EventBatch, E>>,
    E: From<SessionizeError>,
{
    type Item = Result<RecordBatch, E>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut sessionizer = self.sessionizer.take()?;
            let sessions = match self.events.next() {
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(events)) => {
                    let sessions = sessionizer.push(&events);
                    if sessions.is_ok() {
                        self.sessionizer = Some(sessionizer);
                    }
                    sessions
                }
                None => sessionizer.finish(),
            };
            match sessions {
                Err(error) => return Some(Err(error.into())),
                Ok(sessions) if sessions.num_rows() > 0 => return Some(Ok(sessions)),
                Ok(_) => {}
            }
        }
    }
}
