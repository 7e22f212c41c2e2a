//! SQL's NTILE, by selection instead of sorting.

/// What becomes of equal keys that lie on both sides of a border between tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ties {
    /// They are told apart by user_id, as `NTILE(n) OVER (ORDER BY key, user_id)` does: tiles are of equal size, and equal customers may
    /// have different scores.
    ByUser,
    /// They keep together, in the lowest tile that one of them would have: equal customers have equal scores, and tiles are of any size.
    Together,
}

/// Returns the tile, 1 to `tiles`, that `NTILE(tiles) OVER (ORDER BY key, row)` gives each of `rows` rows, or the first of the rows
/// of an equal key.
///
/// Tiles have equal numbers of rows, and the first `rows % tiles` tiles one more; fewer rows than tiles fill tiles 1
/// to `rows`. Where rows break ties the order is total, and equal keys may lie in two tiles.
///
/// # Method
/// Only the rows at which a tile begins matter. They are found by quickselect (introselect), each in what
/// the one before left; a row's tile is one more than the number of them that do not come behind it.
///
/// # Complexity
/// Linear; 4 bytes a row besides the result.
pub(crate) fn ntile<K: Ord>(rows: u32, tiles: u8, ties: Ties, key: impl Fn(usize) -> K) -> Vec<u8> {
    let mut order: Vec<u32> = (0..rows).collect();
    let mut rest = order.as_mut_slice();
    let mut before = 0;
    let mut begins = Vec::with_capacity(usize::from(tiles));
    for rank in tile_ranks(rows as usize, usize::from(tiles)) {
        let (_, &mut begin, behind) = rest
            .select_nth_unstable_by(rank - before, |&a, &b| (key(a as usize), a).cmp(&(key(b as usize), b)));
        begins.push((key(begin as usize), begin));
        rest = behind;
        before = rank + 1;
    }
    // The rows at which a tile begins that are the first of their key.
    let firsts: Vec<u32> = match ties {
        Ties::ByUser => Vec::new(),
        Ties::Together => {
            let mut below = vec![0usize; begins.len()];
            for row in 0..rows as usize {
                let key = key(row);
                for (below, begin) in below.iter_mut().zip(&begins) {
                    *below += usize::from(key < begin.0);
                }
            }
            let ranks = tile_ranks(rows as usize, usize::from(tiles));
            let is_first = begins.iter().zip(below).zip(ranks).filter(|((_, below), rank)| below == rank);
            is_first.map(|((begin, _), _)| begin.1).collect()
        }
    };
    (0..rows)
        .map(|row| {
            let at = (key(row as usize), row);
            let reached = |begin: &(K, u32)| match ties {
                Ties::ByUser => *begin <= at,
                Ties::Together => begin.0 < at.0 || begin.0 == at.0 && firsts.contains(&begin.1),
            };
            1 + begins.iter().map(|begin| u8::from(reached(begin))).sum::<u8>()
        })
        .collect()
}

/// The 0-based ranks at which tiles 2 to the last begin, as far as there are rows.
fn tile_ranks(rows: usize, tiles: usize) -> impl Iterator<Item = usize> {
    let (size, larger) = (rows / tiles, rows % tiles);
    (1..tiles).map(move |tile| tile * size + tile.min(larger)).filter(move |&rank| rank < rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition: sort, then deal out, then give all of a key what its first has.
    fn literal(keys: &[i32], tiles: u8, ties: Ties) -> Vec<u8> {
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_by_key(|&row| (keys[row], row));
        let mut dealt = vec![0; keys.len()];
        let mut next = order.iter();
        for tile in 1..=tiles {
            let (size, larger) = (keys.len() / usize::from(tiles), keys.len() % usize::from(tiles));
            let size = size + usize::from(usize::from(tile) <= larger);
            next.by_ref().take(size).for_each(|&row| dealt[row] = tile);
        }
        if ties == Ties::Together {
            for pair in order.windows(2) {
                if keys[pair[0]] == keys[pair[1]] {
                    dealt[pair[1]] = dealt[pair[0]];
                }
            }
        }
        dealt
    }

    #[test]
    fn few_rows_fill_the_first_tiles() {
        for rows in 0..12u32 {
            let equal = vec![7; rows as usize];
            assert_eq!(ntile(rows, 5, Ties::ByUser, |_| 7), literal(&equal, 5, Ties::ByUser), "{rows} ties");
            assert_eq!(ntile(rows, 5, Ties::Together, |_| 7), vec![1; rows as usize], "{rows} ties");
        }
        assert_eq!(ntile(3, 5, Ties::ByUser, |_| 0), [1, 2, 3]);
        assert_eq!(ntile(7, 5, Ties::ByUser, |row| row), [1, 1, 2, 2, 3, 4, 5]);
        // A border exactly at the first of equal keys is theirs.
        assert_eq!(ntile(4, 4, Ties::Together, |row| [1, 1, 2, 2][row]), [1, 1, 3, 3]);
    }

    proptest! {
        #[test]
        fn selection_equals_sorting(
            keys in proptest::collection::vec(-9i32..9, 0..200),
            tiles in 3u8..=10,
            ties in prop::sample::select(&[Ties::ByUser, Ties::Together]),
        ) {
            prop_assert_eq!(ntile(keys.len() as u32, tiles, ties, |row| keys[row]), literal(&keys, tiles, ties));
        }
    }
}
