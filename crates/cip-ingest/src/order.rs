//! The order of rows: user, time, source file, line.

use crate::buffer::Buffer;
use crate::row::RowLayout;

/// A row's key without its text, which is looked up where the prefixes tie.
#[derive(Clone, Copy)]
struct SortEntry {
    prefix: u64,
    time: i64,
    position: u64,
    start: u32,
    unknown: bool,
}

/// Appends the rows in order to a buffer and returns where each starts, where they are not of one length. Any rows can
/// be sorted in this way, which compares keys.
pub(crate) fn by_comparison(layout: &RowLayout, data: &[u8], sorted: &mut Buffer) -> Vec<u32> {
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
    let mut starts = Vec::new();
    let mut rest = sorted.room(data.len());
    let mut at = 0;
    for entry in &entries {
        if layout.row_bytes().is_none() {
            starts.push(at);
        }
        let row = layout.row(data, entry.start).as_bytes();
        let (place, behind) = rest.split_at_mut(row.len());
        place.copy_from_slice(row);
        rest = behind;
        at += row.len() as u32;
    }
    starts
}

/// Where a row is, and what it is ordered by but for its position.
#[derive(Clone, Copy)]
struct UserEntry {
    /// Counted from the least user of the rows.
    user: u32,
    index: u32,
    time: i64,
}

/// Puts the rows, all of `bytes` bytes, in order into an empty buffer; none where the users are texts or lie more than 2^32 apart.
///
/// # Method
/// Rows are first spread by user, a digit of eleven bits at a time, in the order in which they came. Sources are mostly
/// in the order of time, and so are then the rows of each user: only of those where they are not, times are compared.
pub(crate) fn by_user(layout: &RowLayout, data: &[u8], bytes: usize, sorted: &mut Buffer) -> Option<()> {
    const DIGIT: u32 = 11;
    if layout.users_are_text() {
        return None;
    }
    // One pass over the rows: they do not fit the processor's cache, what is kept of them nearly does.
    let keys: Vec<(Option<u64>, i64)> =
        data.chunks_exact(bytes).map(|row| layout.row(row, 0).user_and_time()).collect();
    let known = || keys.iter().filter_map(|(user, _)| *user);
    let (least, most) = (known().min().unwrap_or(0), known().max().unwrap_or(0));
    // The unknown user comes behind all others.
    let unknown = (most - least).checked_add(1)?;
    u32::try_from(unknown).ok()?;
    let mut entries: Vec<UserEntry> = (0u32..)
        .zip(&keys)
        .map(|(index, &(user, time))| {
            let user = user.map_or(unknown, |user| user - least) as u32;
            UserEntry { user, index, time }
        })
        .collect();
    drop(keys);
    let mut spread = entries.clone();
    let mut shift = 0;
    while shift < u32::BITS && unknown >> shift > 0 {
        let digit = |entry: &UserEntry| (entry.user >> shift) as usize & ((1 << DIGIT) - 1);
        let mut places = [0usize; 1 << DIGIT];
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
        shift += DIGIT;
    }
    drop(spread);
    let row = |entry: &UserEntry| &data[entry.index as usize * bytes..][..bytes];
    let later = |a: &UserEntry, b: &UserEntry| {
        let position = |entry: &UserEntry| layout.row(row(entry), 0).key().position();
        a.time.cmp(&b.time).then_with(|| position(a).cmp(&position(b)))
    };
    for of_user in entries.chunk_by_mut(|a, b| a.user == b.user) {
        if !of_user.is_sorted_by(|a, b| later(a, b).is_le()) {
            of_user.sort_unstable_by(later);
        }
    }
    let places = sorted.room(data.len()).chunks_exact_mut(bytes);
    places.zip(&entries).for_each(|(place, entry)| place.copy_from_slice(row(entry)));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::SourceMapping;
    use crate::parse::{AttributeUse, Parser};
    use crate::row_builder::RowBuilder;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn spreading_by_user_orders_as_comparing_does(
            rows in proptest::collection::vec(
                (
                    prop_oneof![
                        Just(None),
                        (-9i64..9).prop_map(Some),
                        (-3i64..3).prop_map(|n| Some(n * 5_000)),
                        (0i64..2).prop_map(|n| Some(n * 4_294_967_294)),
                    ],
                    0i64..20,
                ),
                0..80,
            ),
        ) {
            let mapping = SourceMapping::from_toml(
                "name = 't'\n[columns]\nevent_time = { from = 't', type = 'timestamp' }\n\
                 event_type = { from = 'e', type = 'dictionary' }\n\
                 user_id = { from = 'u', type = 'int64', nullable = true }",
            );
            let parser = Parser::new(&mapping.unwrap(), AttributeUse::Shared).unwrap();
            let layout = &parser.layout;
            let column = |name: &str| parser.columns.iter().position(|column| column.name == name).unwrap();
            let (user, time) = (column("user_id"), column("event_time"));
            let mut row = RowBuilder::default();
            for (position, (id, second)) in rows.iter().enumerate() {
                row.start(layout, position % 3, position as u64);
                row.put(layout.slot(time), second.to_le_bytes());
                match id {
                    Some(id) => row.put(layout.slot(user), id.to_le_bytes()),
                    None => row.null(layout, user),
                }
                row.finish(layout);
            }
            let data = row.rows();
            let users = || rows.iter().filter_map(|(user, _)| *user);
            let near = users().max().unwrap_or(0) - users().min().unwrap_or(0) < 4_294_967_295;
            let (mut spread, mut compared) = (Buffer::default(), Buffer::default());
            let starts = by_comparison(layout, data, &mut compared);
            prop_assert!(starts.is_empty());
            let done = by_user(layout, data, layout.row_bytes().unwrap(), &mut spread);
            prop_assert_eq!(done, near.then_some(()));
            prop_assert!(done.is_none() || *spread == *compared);
        }
    }
}
