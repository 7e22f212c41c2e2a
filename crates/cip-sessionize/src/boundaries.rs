//! Where sessions start: the pass over users and times.

use cip_core::{IdColumn, IdRef};

use crate::cuts::{AllCuts, Cuts, OpenCuts, Timeout};
use crate::input::Input;
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

/// Fills `starts` as [`session_starts`] and returns how many rows have a user; `open` is what the rules know of the session of
/// the row before, and then of the last row with a user.
///
/// # Errors
/// The first row out of order. `starts` is then of no use.
pub(crate) fn find_starts(
    rule: &SessionRule,
    input: &Input<'_>,
    after_unknown: bool,
    previous: Option<(IdRef<'_>, i64)>,
    open: &mut OpenCuts,
    starts: &mut Vec<Start>,
) -> Result<usize, usize> {
    let (known, misplaced) = known_rows(input, after_unknown)?;
    let times = &input.times[..known];
    if rule.is_timeout_alone() {
        starts_of(&mut Timeout(rule.clock().timeout), input.users, times, previous, starts)?;
    } else {
        let before = std::mem::take(open);
        let mut cuts = AllCuts::new(rule.clock(), &input.attributes, &before);
        starts_of(&mut cuts, input.users, times, previous, starts)?;
        *open = cuts.keep();
    }
    misplaced.map_or(Ok(known), Err)
}

/// Returns how many rows have a user, and the first row behind those that has one as well.
///
/// # Errors
/// The first row, where it has a user and the batches before ended without.
pub(crate) fn known_rows(input: &Input<'_>, after_unknown: bool) -> Result<(usize, Option<usize>), usize> {
    let (known, misplaced) = input.users.known();
    if known > 0 && after_unknown { Err(0) } else { Ok((known, misplaced)) }
}

/// [`session_starts`] of the users at the top of a column, one for each time.
fn starts_of(
    cuts: &mut impl Cuts,
    users: &IdColumn,
    times: &[i64],
    previous: Option<(IdRef<'_>, i64)>,
    starts: &mut Vec<Start>,
) -> Result<(), usize> {
    match users {
        IdColumn::Int64(array) => {
            let previous = previous.and_then(|(user, time)| match user {
                IdRef::Int64(user) => Some((user, time)),
                IdRef::Utf8(_) => None,
            });
            session_starts(cuts, array.values()[..times.len()].iter().copied(), times, previous, starts)
        }
        IdColumn::Utf8(array) => {
            let previous = previous.and_then(|(user, time)| match user {
                IdRef::Utf8(user) => Some((user, time)),
                IdRef::Int64(_) => None,
            });
            session_starts(cuts, (0..times.len()).map(|row| array.value(row)), times, previous, starts)
        }
    }
}

/// Fills `starts` with the first rows of sessions, as `cuts` has them; rows before the first start continue the session of
/// `previous`, the user and time of the row before this batch.
///
/// # Errors
/// The first row that comes before the row above it. `starts` is then of no use.
///
/// # Complexity
/// One comparison of users and one of times a row, and what the cuts look at.
fn session_starts<T: Ord + Copy>(
    cuts: &mut impl Cuts,
    users: impl Iterator<Item = T>,
    times: &[i64],
    previous: Option<(T, i64)>,
    starts: &mut Vec<Start>,
) -> Result<(), usize> {
    starts.clear();
    let mut rows = users.zip(times.iter().copied()).enumerate();
    let first = || {
        let (row, first) = rows.next()?;
        cuts.begin(row, first.1);
        starts.push(Start { row, of: StartOf::User });
        Some(first)
    };
    let Some((mut user, mut time)) = previous.or_else(first) else { return Ok(()) };
    for (row, (next_user, next_time)) in rows {
        if next_user == user {
            if next_time < time {
                return Err(row);
            }
            if cuts.splits(row, time, next_time) {
                cuts.begin(row, next_time);
                starts.push(Start { row, of: StartOf::Session });
            }
        } else if next_user < user {
            return Err(row);
        } else {
            cuts.begin(row, next_time);
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
        let mut cuts =
            Timeout(SessionRule::new(std::time::Duration::from_micros(10)).unwrap().clock().timeout);
        let mut starts = vec![Start { row: 99, of: StartOf::User }];
        session_starts(&mut cuts, users.iter().copied(), times, previous, &mut starts)?;
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
