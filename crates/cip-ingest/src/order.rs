//! The order of rows: user, time, source file, line.

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

/// Returns the rows in order and where each starts. Any rows can be sorted in this way, which compares keys.
pub(crate) fn by_comparison(layout: &RowLayout, data: &[u8]) -> (Vec<u8>, Vec<u32>) {
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
    let mut sorted = Vec::with_capacity(data.len());
    let mut starts = Vec::new();
    for entry in &entries {
        if layout.row_bytes().is_none() {
            starts.push(sorted.len() as u32);
        }
        sorted.extend_from_slice(layout.row(data, entry.start).as_bytes());
    }
    (sorted, starts)
}

/// Returns the rows, all of `bytes` bytes, in order; none where the users are texts or lie more than 2^32 apart.
///
/// # Method
/// Rows are first spread by user, a digit of eleven bits at a time, in the order in which they came. Sources are mostly
/// in the order of time, and so are then the rows of each user: only of those where they are not, times are compared.
pub(crate) fn by_user(layout: &RowLayout, data: &[u8], bytes: usize) -> Option<Vec<u8>> {
    const DIGIT: u32 = 11;
    if layout.users_are_text() {
        return None;
    }
    let rows = data.chunks_exact(bytes);
    let prefix = |row: &[u8]| layout.row(row, 0).key().known_prefix();
    let (least, most) = rows
        .clone()
        .filter_map(prefix)
        .fold((u64::MAX, 0), |(least, most), prefix| (least.min(prefix), most.max(prefix)));
    // The unknown user comes behind all others.
    let unknown = if least > most { 0 } else { (most - least).checked_add(1)? };
    u32::try_from(unknown).ok()?;
    // The user in the high half, the row in the low one.
    let mut entries: Vec<u64> = (0u64..)
        .zip(rows)
        .map(|(index, row)| prefix(row).map_or(unknown, |prefix| prefix - least) << 32 | index)
        .collect();
    let mut spread = vec![0; entries.len()];
    let mut shift = u32::BITS;
    while shift < u64::BITS && unknown >> (shift - u32::BITS) > 0 {
        let digit = |entry: u64| (entry >> shift) as usize & ((1 << DIGIT) - 1);
        let mut places = [0usize; 1 << DIGIT];
        entries.iter().for_each(|&entry| places[digit(entry)] += 1);
        let mut before = 0;
        for place in &mut places {
            before += std::mem::replace(place, before);
        }
        for &entry in &entries {
            let place = &mut places[digit(entry)];
            spread[*place] = entry;
            *place += 1;
        }
        std::mem::swap(&mut entries, &mut spread);
        shift += DIGIT;
    }
    let row = |entry: u64| &data[(entry & u64::from(u32::MAX)) as usize * bytes..][..bytes];
    let tail = |entry: u64| {
        let (_, _, time, position) = layout.row(row(entry), 0).key().without_text();
        (time, position)
    };
    let mut sorted = Vec::with_capacity(data.len());
    for of_user in entries.chunk_by_mut(|a, b| a >> 32 == b >> 32) {
        if !of_user.is_sorted_by_key(|&entry| tail(entry)) {
            of_user.sort_unstable_by_key(|&entry| tail(entry));
        }
        of_user.iter().for_each(|&entry| sorted.extend_from_slice(row(entry)));
    }
    Some(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::SourceMapping;
    use crate::parse::Parser;
    use crate::row::RowBuilder;
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
            let parser = Parser::new(&mapping.unwrap()).unwrap();
            let layout = &parser.layout;
            let column = |name: &str| parser.columns.iter().position(|column| column.name == name).unwrap();
            let (user, time) = (column("user_id"), column("event_time"));
            let mut data = Vec::new();
            for (position, (id, second)) in rows.iter().enumerate() {
                let mut row = RowBuilder::new();
                row.start(layout, position % 3, position as u64);
                row.put(layout.slot(time), second.to_le_bytes());
                match id {
                    Some(id) => row.put(layout.slot(user), id.to_le_bytes()),
                    None => row.null(layout, user),
                }
                data.extend_from_slice(row.finish(layout).1);
            }
            let users = || rows.iter().filter_map(|(user, _)| *user);
            let near = users().max().unwrap_or(0) - users().min().unwrap_or(0) < 4_294_967_295;
            let sorted = by_user(layout, &data, layout.row_bytes().unwrap());
            prop_assert_eq!(sorted, near.then(|| by_comparison(layout, &data).0));
        }
    }
}
