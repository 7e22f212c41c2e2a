//! Whether events follow a pattern, and how often: ClickHouse's `sequenceMatch` and `sequenceCount` for one user.

use cip_core::Timestamp;

use crate::error::SessionizeError;
use crate::funnel::pattern::{Gap, SequencePattern};

/// Returns whether the events follow the pattern anywhere.
///
/// # Input
/// `events` of one user, (time, event type) ascending in time; of equal times the one that stands first came first.
/// Condition N of the pattern is the event type `conditions[N - 1]`. Events that meet no condition are left out first: they
/// stand between no two others.
///
/// # Method
/// ClickHouse's `sequenceMatch(pattern)(timestamp, cond1, …)`, and that of DuckDB's extension `behavioral`. Times are compared
/// in microseconds: 3,600.5 s are more than 3,600 s. A time lies between the events before and behind it in the pattern, also
/// where `.*` stands beside it.
///
/// # Complexity
/// Events times places of the pattern, and the logarithm of the events for each time.
///
/// # Errors
/// [`SessionizeError::Condition`] where the pattern has a number beyond `conditions`.
///
/// # Examples
/// As in ClickHouse's documentation: the 3 is left out, unless it is a condition.
/// ```
/// use cip_core::Timestamp;
/// use cip_sessionize::sequence_match;
/// let events: Vec<_> = [(1, 1), (2, 3), (3, 2)].map(|(time, number)| (Timestamp::from_micros(time), number)).to_vec();
/// let pattern = "(?1)(?2)".parse()?;
/// assert!(sequence_match(&pattern, &events, &[1, 2])?);
/// assert!(!sequence_match(&pattern, &events, &[1, 2, 3])?);
/// assert!(sequence_match(&pattern, &events, &[1, 2, 4])?);
/// # Ok::<(), cip_sessionize::SessionizeError>(())
/// ```
pub fn sequence_match<T: PartialEq>(
    pattern: &SequencePattern,
    events: &[(Timestamp, T)],
    conditions: &[T],
) -> Result<bool, SessionizeError> {
    Ok(Matcher::new(pattern, events, conditions)?.find(0).is_some())
}

/// Returns how many times the events follow the pattern, one match behind the other.
///
/// A match starts at the earliest event at which one can start, and each further event of it is the earliest that lets the
/// rest match. The search for the next goes on behind its last event.
///
/// # Input, method, complexity, errors
/// As [`sequence_match`]; ClickHouse's `sequenceCount`.
///
/// # Errors
/// [`SessionizeError::Condition`].
///
/// # Examples
/// As in ClickHouse's documentation.
/// ```
/// use cip_core::Timestamp;
/// use cip_sessionize::sequence_count;
/// let numbers = [1, 3, 2, 1, 3, 2];
/// let events: Vec<_> = (1..).map(Timestamp::from_micros).zip(numbers).collect();
/// assert_eq!(sequence_count(&"(?1).*(?2)".parse()?, &events, &[1, 2])?, 2);
/// # Ok::<(), cip_sessionize::SessionizeError>(())
/// ```
pub fn sequence_count<T: PartialEq>(
    pattern: &SequencePattern,
    events: &[(Timestamp, T)],
    conditions: &[T],
) -> Result<u64, SessionizeError> {
    let matcher = Matcher::new(pattern, events, conditions)?;
    let (mut count, mut from) = (0, 0);
    while let Some(last) = matcher.find(from) {
        count += 1;
        from = last + 1;
    }
    Ok(count)
}

/// Where the places of a pattern can lie, so that those behind them can lie somewhere as well.
struct Matcher<'a> {
    pattern: &'a SequencePattern,
    /// Of the events that meet a condition.
    times: Vec<i64>,
    /// By place and event: the first event from there on at which the place can lie; the number of events where there is
    /// none.
    next: Vec<Vec<usize>>,
}

impl<'a> Matcher<'a> {
    fn new<T: PartialEq>(
        pattern: &'a SequencePattern,
        events: &[(Timestamp, T)],
        conditions: &[T],
    ) -> Result<Self, SessionizeError> {
        if pattern.conditions() > conditions.len() {
            let (number, conditions) = (pattern.conditions(), conditions.len());
            return Err(SessionizeError::Condition { number, conditions });
        }
        let known = events.iter().filter(|(_, event)| conditions.contains(event));
        let (times, known): (Vec<i64>, Vec<&T>) = known.map(|(time, event)| (time.micros(), event)).unzip();
        let mut matcher = Self { pattern, next: vec![Vec::new(); pattern.places.len()], times };
        for (place, wanted) in pattern.places.iter().enumerate().rev() {
            let mut next = vec![known.len(); known.len() + 1];
            for event in (0..known.len()).rev() {
                let fits = wanted.condition.is_none_or(|condition| conditions[condition] == *known[event]);
                let can = fits
                    && (place + 1 == pattern.places.len() || matcher.following(place + 1, event).is_some());
                next[event] = if can { event } else { next[event + 1] };
            }
            matcher.next[place] = next;
        }
        Ok(matcher)
    }

    /// The first event at which `place` can lie, where the one before it lies at `before`.
    fn following(&self, place: usize, before: usize) -> Option<usize> {
        let since = |event: usize| self.times[event].wrapping_sub(self.times[before]).cast_unsigned();
        let adjacent = before + 1;
        match self.pattern.places[place].gap {
            Gap::Nothing => {
                (self.next[place][adjacent] == adjacent && adjacent < self.times.len()).then_some(adjacent)
            }
            Gap::Anything { least, most } => {
                let late = self.times[adjacent..]
                    .partition_point(|&time| time.wrapping_sub(self.times[before]).cast_unsigned() < least);
                let event = self.next[place][adjacent + late];
                (event < self.times.len() && since(event) <= most).then_some(event)
            }
        }
    }

    /// The last event of the first match from `from` on.
    fn find(&self, from: usize) -> Option<usize> {
        let first = *self.next.first()?.get(from)?;
        if first == self.times.len() {
            return None;
        }
        (1..self.pattern.places.len()).try_fold(first, |before, place| self.following(place, before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Letters at seconds; conditions are letters as well.
    fn count(pattern: &str, events: &[(i64, char)], conditions: &str) -> u64 {
        let events: Vec<_> = events
            .iter()
            .map(|&(second, letter)| (Timestamp::from_micros(second * 1_000_000), letter))
            .collect();
        let conditions: Vec<char> = conditions.chars().collect();
        let pattern = pattern.parse().unwrap();
        let count = sequence_count(&pattern, &events, &conditions).unwrap();
        assert_eq!(sequence_match(&pattern, &events, &conditions).unwrap(), count > 0);
        count
    }

    #[test]
    fn a_time_lies_between_two_events_with_any_others_between() {
        let events = [(0, 'A'), (10, 'C'), (1_800, 'B'), (1_801, 'B')];
        for (pattern, matches) in [
            ("(?1)(?t>1800)(?2)", 1),
            ("(?1)(?t>1801)(?2)", 0),
            ("(?1)(?t<1800)(?2)", 0),
            ("(?1)(?t<=1800)(?2)", 1),
            ("(?1)(?t==1801)(?2)", 1),
            ("(?1)(?t>=1700)(?t<1800)(?2)", 0),
            ("(?1)(?t<0)(?3)", 0),
            ("(?1).*(?t<=1800).*(?2)", 1),
            ("(?1)(?2)", 0),
            ("(?1).(?2)", 1),
            ("(?1)..(?2)", 1),
            ("(?1)...(?2)", 0),
        ] {
            assert_eq!(count(pattern, &events, "ABC"), matches, "{pattern}");
        }
    }

    #[test]
    fn matches_do_not_overlap() {
        let events = [(1, 'A'), (2, 'A'), (3, 'A'), (4, 'A'), (5, 'A')];
        assert_eq!(count("(?1)(?1)", &events, "A"), 2);
        assert_eq!(count(".", &events, "A"), 5);
        assert_eq!(count("(?1).*(?1)", &events, "AB"), 2);
        assert_eq!(count("(?2)", &events, "AB"), 0);
        assert_eq!(count("(?1)", &[], "A"), 0);
        // The rest decides which B it is.
        assert_eq!(count("(?1).*(?2)(?3)", &[(1, 'A'), (2, 'B'), (3, 'A'), (4, 'B'), (5, 'C')], "ABC"), 1);
    }

    #[test]
    fn a_condition_that_there_is_not_is_refused() {
        let pattern = "(?1).*(?3)".parse().unwrap();
        let text = sequence_match(&pattern, &[(Timestamp::from_micros(0), 'A')], &['A', 'B'])
            .unwrap_err()
            .to_string();
        assert_eq!(
            text,
            "the pattern has condition 3, expected no more than the 2 that are given: add the condition"
        );
    }
}
