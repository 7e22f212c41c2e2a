//! Key ranges: which partition a row belongs to.

use crate::row::{Row, RowKey};

/// Key ranges: partition `i` holds the keys from the splitter before it (inclusive) to the next.
#[derive(Debug, Default)]
pub(crate) struct Splitters {
    keys: Vec<OwnedKey>,
    guide: Guide,
}

#[derive(Debug)]
struct OwnedKey {
    key: RowKey<'static>,
    text: Box<[u8]>,
}

impl OwnedKey {
    fn new(key: &RowKey<'_>) -> Self {
        Self { key: key.with_text(&[]), text: key.text().into() }
    }

    fn get(&self) -> RowKey<'_> {
        self.key.with_text(&self.text)
    }
}

impl Splitters {
    /// Returns splitters that cut `sample` into `parts` of about the same size.
    pub(crate) fn from_sample(mut sample: KeySample, parts: usize) -> Self {
        sample.keys.sort_unstable_by(|a, b| a.get().cmp(&b.get()));
        let mut keys: Vec<OwnedKey> = Vec::new();
        let total = sample.keys.len();
        for (index, key) in sample.keys.into_iter().enumerate() {
            let due = (keys.len() + 1) * total / parts;
            if index >= due && keys.len() + 1 < parts && keys.last().is_none_or(|last| last.get() < key.get())
            {
                keys.push(key);
            }
        }
        let guide = Guide::new(&keys);
        Self { keys, guide }
    }

    pub(crate) fn partitions(&self) -> usize {
        self.keys.len() + 1
    }

    /// Returns the partition of a row.
    #[inline]
    pub(crate) fn route(&self, row: &Row<'_>) -> usize {
        let prefix = row.known_prefix();
        let range = self.guide.range(prefix);
        if range.is_empty() {
            return range.start;
        }
        // All before the range are at most the key, all behind it are greater.
        if let Some(prefix) = prefix
            && let Some(splitters) = self.guide.prefixes.get(range.clone())
            && !splitters.contains(&prefix)
        {
            return range.start + splitters.iter().filter(|&&splitter| splitter < prefix).count();
        }
        let key = row.key();
        range.start + self.keys[range].partition_point(|splitter| splitter.get() <= key)
    }
}

/// Which splitters a key may lie between, by the highest bits of what it starts with.
#[derive(Debug, Default)]
struct Guide {
    first: u64,
    shift: u32,
    /// How many splitters there are.
    splitters: usize,
    /// For each value of those bits, the splitters that start with less.
    less: Vec<u32>,
    /// What the splitters start with; the unknown user's come behind and are not among them.
    prefixes: Vec<u64>,
}

impl Guide {
    const PLACES: u64 = 1 << 12;

    fn new(keys: &[OwnedKey]) -> Self {
        let known: Vec<u64> = keys.iter().filter_map(|key| key.get().known_prefix()).collect();
        let (Some(first), Some(last)) = (known.first(), known.last()) else {
            return Self { splitters: keys.len(), ..Self::default() };
        };
        let shift =
            (0..u64::BITS - 1).find(|&shift| (last - first) >> shift < Self::PLACES).unwrap_or_default();
        let places = ((last - first) >> shift) + 1;
        let less = (0..=places)
            .map(|place| known.partition_point(|&prefix| (prefix - first) >> shift < place) as u32);
        Self { first: *first, shift, splitters: keys.len(), less: less.collect(), prefixes: known }
    }

    #[inline]
    fn range(&self, prefix: Option<u64>) -> std::ops::Range<usize> {
        let known = self.prefixes.len();
        let Some(prefix) = prefix.filter(|_| known > 0) else {
            // The unknown user comes behind all others.
            return known..self.splitters;
        };
        let Some(place) = prefix.checked_sub(self.first).map(|distance| (distance >> self.shift) as usize)
        else {
            return 0..0;
        };
        match (self.less.get(place), self.less.get(place + 1)) {
            (Some(&from), Some(&to)) => from as usize..to as usize,
            _ => known..known,
        }
    }
}

/// Some keys of the rows to come.
#[derive(Debug, Default)]
pub(crate) struct KeySample {
    keys: Vec<OwnedKey>,
}

impl KeySample {
    pub(crate) fn push(&mut self, key: &RowKey<'_>) {
        self.keys.push(OwnedKey::new(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::AttributeUse;
    use crate::mapping::SourceMapping;
    use crate::parse::Parser;
    use crate::row_builder::RowBuilder;
    use proptest::prelude::*;

    /// Rows of these users; the unknown one for none.
    fn with_rows(users: &[Option<i64>], check: impl FnOnce(&[Row<'_>])) {
        let mapping = SourceMapping::from_toml(
            "name = 't'\n[columns]\nevent_time = { from = 't', type = 'timestamp' }\n\
             event_type = { from = 'e', type = 'dictionary' }\n\
             user_id = { from = 'u', type = 'int64', nullable = true }",
        );
        let parser = Parser::new(&mapping.unwrap(), AttributeUse::Products).unwrap();
        let layout = &parser.layout;
        let user = parser.columns.iter().position(|column| column.name == "user_id").unwrap();
        let mut row = RowBuilder::default();
        for (position, id) in users.iter().enumerate() {
            row.start(layout, 0, position as u64);
            match id {
                Some(id) => row.put(layout.slot(user), id.to_le_bytes()),
                None => row.null(layout, user),
            }
            row.finish(layout);
        }
        let data = row.rows();
        let rows: Vec<Row<'_>> =
            layout.starts(data).into_iter().map(|start| layout.row(data, start)).collect();
        check(&rows);
    }

    proptest! {
        #[test]
        fn the_guide_leads_where_a_search_of_all_splitters_does(
            users in proptest::collection::vec(
                prop_oneof![Just(None), any::<i64>().prop_map(Some), (0i64..50).prop_map(Some), (0i64..1 << 40).prop_map(Some)],
                1..60,
            ),
            sampled in 0usize..40,
            parts in 1usize..20,
        ) {
            with_rows(&users, |rows| {
                let mut sample = KeySample::default();
                rows.iter().take(sampled).for_each(|row| sample.push(&row.key()));
                let splitters = Splitters::from_sample(sample, parts);
                for row in rows {
                    let searched = splitters.keys.partition_point(|splitter| splitter.get() <= row.key());
                    assert_eq!(splitters.route(row), searched);
                }
            });
        }
    }
}
