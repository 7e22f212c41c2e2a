//! The order of rows: user, time, source file, line.

use std::cmp::Ordering;

use crate::buffer::Buffer;
use crate::row::RowLayout;

/// What a row without texts is ordered by but for its position, and the row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OrderKey {
    /// None for the unknown user, who comes behind all others.
    pub(crate) user: Option<u64>,
    pub(crate) time: i64,
    pub(crate) row: u32,
}

/// Returns the rows in order; `position` gives the position of one.
pub(crate) fn ordered(keys: Vec<OrderKey>, position: impl Fn(u32) -> u64) -> Vec<u32> {
    match by_user(&keys, &position) {
        Some(rows) => rows,
        None => by_comparison(keys, position),
    }
}

/// Any rows can be put in order in this way, which compares keys.
fn by_comparison(mut keys: Vec<OrderKey>, position: impl Fn(u32) -> u64) -> Vec<u32> {
    let head = |key: &OrderKey| (key.user.is_none(), key.user, key.time);
    keys.sort_unstable_by(|a, b| head(a).cmp(&head(b)).then_with(|| position(a.row).cmp(&position(b.row))));
    keys.into_iter().map(|key| key.row).collect()
}

/// A key with its user counted from the least of the rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UserEntry {
    pub(crate) user: u32,
    pub(crate) row: u32,
    pub(crate) time: i64,
}

/// Returns the rows in order; none where users lie more than 2^32 apart.
fn by_user(keys: &[OrderKey], position: impl Fn(u32) -> u64) -> Option<Vec<u32>> {
    let known = || keys.iter().filter_map(|key| key.user);
    let (least, most) = (known().min().unwrap_or(0), known().max().unwrap_or(0));
    // The unknown user comes behind all others.
    let unknown = (most - least).checked_add(1)?;
    let most = u32::try_from(unknown).ok()?;
    let entries = keys.iter().map(|&OrderKey { user, time, row }| {
        let user = user.map_or(unknown, |user| user - least) as u32;
        UserEntry { user, row, time }
    });
    Some(ordered_entries(entries.collect(), most, position))
}

/// Returns the rows in order; no user is greater than `most`.
///
/// # Method
/// Rows are first spread by user, a digit of at most eleven bits at a time, in the order in which they came. Sources are
/// mostly in the order of time, and so are then the rows of each user: only of those where they are not, times are compared.
pub(crate) fn ordered_entries(
    mut entries: Vec<UserEntry>,
    most: u32,
    position: impl Fn(u32) -> u64,
) -> Vec<u32> {
    const MOST_BITS: u32 = 11;
    let bits = u32::BITS - most.leading_zeros();
    // As few digits as possible, and these as small.
    let digit_bits = bits.div_ceil(bits.div_ceil(MOST_BITS).max(1));
    let mut spread = entries.clone();
    let mut shift = 0;
    while shift < bits {
        let digit = |entry: &UserEntry| (entry.user >> shift) as usize & ((1 << digit_bits) - 1);
        let mut places = [0usize; 1 << MOST_BITS];
        entries.iter().for_each(|entry| places[digit(entry)] += 1);
        let mut before = 0;
        for place in &mut places {
            before += std::mem::replace(place, before);
        }
        for entry in &entries {
            let place = &mut places[digit(entry)];
            spread[*place] = *entry;
            *place += 1;
        }
        std::mem::swap(&mut entries, &mut spread);
        shift += digit_bits;
    }
    drop(spread);
    let later = |a: &UserEntry, b: &UserEntry| {
        a.time.cmp(&b.time).then_with(|| position(a.row).cmp(&position(b.row)))
    };
    let mut before = Vec::new();
    for of_user in entries.chunk_by_mut(|a, b| a.user == b.user) {
        sort_runs(of_user, later, &mut before);
    }
    entries.into_iter().map(|entry| entry.row).collect()
}

/// Sorts entries of which no two are equal. Those of two threads are many sorted runs, of which each begins before the last one ends,
/// though not by much: they are merged one by one. `before` is for what comes later than the start of the next run.
fn sort_runs(
    entries: &mut [UserEntry],
    compare: impl Fn(&UserEntry, &UserEntry) -> Ordering + Copy,
    before: &mut Vec<UserEntry>,
) {
    /// If entries move more often, they lie in another order.
    const MOVES: usize = 4;
    let run = |entries: &[UserEntry]| {
        let falls = entries.windows(2).position(|pair| compare(&pair[0], &pair[1]).is_gt());
        falls.map_or(entries.len(), |last| last + 1)
    };
    let mut left = MOVES * entries.len();
    let mut sorted = run(entries);
    while let Some(first) = entries.get(sorted) {
        let later = entries[..sorted].iter().rev().take_while(|entry| compare(entry, first).is_gt()).count();
        let Some(rest) = left.checked_sub(later) else {
            entries.sort_unstable_by(compare);
            return;
        };
        left = rest;
        let end = sorted + run(&entries[sorted..]);
        let (mut to, mut next) = (sorted - later, sorted);
        before.clear();
        before.extend_from_slice(&entries[to..sorted]);
        // What is written was taken before: it is no further than what is left of the run.
        for &entry in &*before {
            while next < end && compare(&entries[next], &entry).is_lt() {
                entries[to] = entries[next];
                (to, next) = (to + 1, next + 1);
            }
            entries[to] = entry;
            to += 1;
        }
        sorted = end;
    }
}

/// A row's key without its text, which is looked up where the prefixes tie.
#[derive(Clone, Copy)]
struct SortEntry {
    prefix: u64,
    time: i64,
    position: u64,
    start: u32,
    unknown: bool,
}

/// Appends rows that have texts to a buffer, in order, and returns where each starts.
pub(crate) fn sort_texts(layout: &RowLayout, data: &[u8], sorted: &mut Buffer) -> Vec<u32> {
    let mut entries: Vec<SortEntry> = layout
        .starts(data)
        .into_iter()
        .map(|start| {
            let (unknown, prefix, time, position) = layout.row(data, start).key().without_text();
            SortEntry { prefix, time, position, start, unknown }
        })
        .collect();
    let head = |entry: &SortEntry| (entry.unknown, entry.prefix);
    let tail = |entry: &SortEntry| (entry.time, entry.position);
    if layout.users_are_text() {
        let text = |entry: &SortEntry| layout.row(data, entry.start).key().text();
        entries.sort_unstable_by(|a, b| {
            head(a).cmp(&head(b)).then_with(|| text(a).cmp(text(b))).then_with(|| tail(a).cmp(&tail(b)))
        });
    } else {
        entries.sort_unstable_by(|a, b| head(a).cmp(&head(b)).then_with(|| tail(a).cmp(&tail(b))));
    }
    // One random access a row here makes every later pass over a column a sequential one.
    let mut starts = Vec::with_capacity(entries.len());
    let mut rest = sorted.room(data.len());
    let mut at = 0;
    for entry in &entries {
        starts.push(at);
        let row = layout.row(data, entry.start).as_bytes();
        let (place, behind) = rest.split_at_mut(row.len());
        place.copy_from_slice(row);
        rest = behind;
        at += row.len() as u32;
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn runs_are_merged_to_what_sorting_makes_of_them(
            runs in proptest::collection::vec((0i64..200, proptest::collection::vec(0i64..30, 0..20)), 0..12),
            in_order: bool,
        ) {
            let mut runs = runs;
            if in_order {
                runs.sort();
            }
            let times = runs.iter().flat_map(|(start, steps)| {
                steps.iter().scan(*start, |time, step| {
                    *time += step;
                    Some(*time)
                })
            });
            let mut entries: Vec<UserEntry> =
                (0..).zip(times).map(|(row, time)| UserEntry { user: 7, row, time }).collect();
            let key = |entry: &UserEntry| (entry.time, entry.row);
            let mut expected: Vec<(i64, u32)> = entries.iter().map(key).collect();
            expected.sort_unstable();
            sort_runs(&mut entries, |a, b| key(a).cmp(&key(b)), &mut Vec::new());
            prop_assert_eq!(entries.iter().map(key).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn spreading_by_user_orders_as_comparing_does(
            rows in proptest::collection::vec(
                (
                    prop_oneof![
                        Just(None),
                        (0u64..18).prop_map(Some),
                        (0u64..6).prop_map(|n| Some(n * 5_000)),
                        (0u64..2).prop_map(|n| Some(n * 4_294_967_294)),
                        (0u64..2).prop_map(|n| Some(n * u64::MAX)),
                    ],
                    -10i64..10,
                    0u64..40,
                ),
                0..80,
            ),
        ) {
            let keys: Vec<OrderKey> =
                (0..).zip(&rows).map(|(row, &(user, time, _))| OrderKey { user, time, row }).collect();
            // Every row has a place of its own.
            let position = |row: u32| rows[row as usize].2 << 32 | u64::from(row);
            let users = || rows.iter().filter_map(|(user, ..)| *user);
            let near = users().max().unwrap_or(0) - users().min().unwrap_or(0) < 4_294_967_295;
            let spread = by_user(&keys, position);
            prop_assert_eq!(spread.is_some(), near);
            let compared = by_comparison(keys, position);
            prop_assert!(spread.is_none_or(|spread| spread == compared));
            let key = |row: &u32| {
                let (user, time, _) = rows[*row as usize];
                (user.is_none(), user, time, position(*row))
            };
            prop_assert!(compared.is_sorted_by_key(key));
            prop_assert_eq!(compared.len(), rows.len());
        }
    }
}
