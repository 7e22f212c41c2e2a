//! SQL's NTILE(5), by selection instead of sorting.

/// Returns the tile, 1 to 5, that `NTILE(5) OVER (ORDER BY key, row)` gives each of `rows` rows.
///
/// Tiles have equal numbers of rows, and the first `rows % 5` tiles one more; fewer than five rows fill tiles 1
/// to `rows`. Because rows break ties, the order is total, and equal keys may lie in two tiles.
///
/// # Method
/// Only the four rows at which a tile begins matter. They are found by quickselect (introselect), each in what
/// the one before left; a row's tile is one more than the number of them that do not come behind it.
///
/// # Complexity
/// Linear; 4 bytes a row besides the result.
pub(crate) fn tiles_of_five<K: Ord>(rows: u32, key: impl Fn(usize) -> K) -> Vec<u8> {
    let mut order: Vec<u32> = (0..rows).collect();
    let mut rest = order.as_mut_slice();
    let mut before = 0;
    let mut begins = Vec::with_capacity(4);
    for rank in tile_ranks(rows as usize) {
        let (_, &mut begin, behind) = rest
            .select_nth_unstable_by(rank - before, |&a, &b| (key(a as usize), a).cmp(&(key(b as usize), b)));
        begins.push((key(begin as usize), begin));
        rest = behind;
        before = rank + 1;
    }
    (0..rows)
        .map(|row| {
            let at = (key(row as usize), row);
            1 + begins.iter().map(|begin| u8::from(*begin <= at)).sum::<u8>()
        })
        .collect()
}

/// The 0-based ranks at which tiles 2 to 5 begin, as far as there are rows.
fn tile_ranks(rows: usize) -> impl Iterator<Item = usize> {
    let (size, larger) = (rows / 5, rows % 5);
    (1..5).map(move |tile| tile * size + tile.min(larger)).filter(move |&rank| rank < rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition: sort, then deal out.
    fn literal(keys: &[i32]) -> Vec<u8> {
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_by_key(|&row| (keys[row], row));
        let mut tiles = vec![0; keys.len()];
        let mut next = order.into_iter();
        for tile in 1..=5 {
            let size = keys.len() / 5 + usize::from(usize::from(tile) <= keys.len() % 5);
            next.by_ref().take(size).for_each(|row| tiles[row] = tile);
        }
        tiles
    }

    #[test]
    fn few_rows_fill_the_first_tiles() {
        for rows in 0..12u32 {
            let expected = literal(&vec![7; rows as usize]);
            assert_eq!(tiles_of_five(rows, |_| 7), expected, "{rows} ties");
        }
        assert_eq!(tiles_of_five(3, |_| 0), [1, 2, 3]);
        assert_eq!(tiles_of_five(7, |row| row), [1, 1, 2, 2, 3, 4, 5]);
    }

    proptest! {
        #[test]
        fn selection_equals_sorting(keys in proptest::collection::vec(-9i32..9, 0..200)) {
            prop_assert_eq!(tiles_of_five(keys.len() as u32, |row| keys[row]), literal(&keys));
        }
    }
}
