//! Where sessions start: the pass over users and times.

use crate::rule::SessionRule;

/// The first row of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) row: usize,
    pub(crate) of: StartOf,
}

/// What starts there besides a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartOf {
    /// The user's first session.
    User,
    /// A later session of the user before.
    Session,
}

/// Fills `starts` with the first rows of sessions; rows before the first start continue the session of
/// `previous`, the user and time of the row before this batch.
///
/// # Errors
/// The first row that comes before the row above it. `starts` is then of no use.
///
/// # Complexity
/// One comparison of users and one of times a row.
pub(crate) fn session_starts<T: Ord + Copy>(
    rule: SessionRule,
    users: impl Iterator<Item = T>,
    times: &[i64],
    previous: Option<(T, i64)>,
    starts: &mut Vec<Start>,
) -> Result<(), usize> {
    starts.clear();
    let mut rows = users.zip(times.iter().copied()).enumerate();
    let first = || {
        let (row, first) = rows.next()?;
        starts.push(Start { row, of: StartOf::User });
        Some(first)
    };
    let Some((mut user, mut time)) = previous.or_else(first) else { return Ok(()) };
    for (row, (next_user, next_time)) in rows {
        if next_user == user {
            if next_time < time {
                return Err(row);
            }
            if rule.splits(time, next_time) {
                starts.push(Start { row, of: StartOf::Session });
            }
        } else if next_user < user {
            return Err(row);
        } else {
            starts.push(Start { row, of: StartOf::User });
        }
        (user, time) = (next_user, next_time);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(
        users: &[i64],
        times: &[i64],
        previous: Option<(i64, i64)>,
    ) -> Result<Vec<(usize, StartOf)>, usize> {
        let rule = SessionRule::new(std::time::Duration::from_micros(10)).unwrap();
        let mut starts = vec![Start { row: 99, of: StartOf::User }];
        session_starts(rule, users.iter().copied(), times, previous, &mut starts)?;
        Ok(starts.into_iter().map(|start| (start.row, start.of)).collect())
    }

    #[test]
    fn users_and_gaps_start_sessions() {
        use StartOf::{Session, User};
        assert_eq!(
            starts(&[1, 1, 1, 2, 2], &[0, 10, 21, 0, 0], None),
            Ok(vec![(0, User), (2, Session), (3, User)])
        );
        assert_eq!(starts(&[1, 2], &[10, 0], Some((1, 0))), Ok(vec![(1, User)]));
        assert_eq!(starts(&[1], &[11], Some((1, 0))), Ok(vec![(0, Session)]));
        assert_eq!(starts(&[], &[], None), Ok(vec![]));
    }

    #[test]
    fn rows_that_go_back_are_named() {
        assert_eq!(starts(&[1, 1], &[5, 4], None), Err(1));
        assert_eq!(starts(&[1, 2, 1], &[0, 0, 9], None), Err(2));
        assert_eq!(starts(&[1], &[4], Some((1, 5))), Err(0));
        assert_eq!(starts(&[1], &[9], Some((2, 5))), Err(0));
    }
}
