//! Searching what is in order, by halves.

use std::ops::Range;

/// Returns the first of some indices for which something holds, as it does for all behind it; their end where it holds for none.
///
/// It is [`slice::partition_point`] for what is no slice.
///
/// # Examples
/// ```
/// use cip_core::first_where;
/// let squares = |n: usize| n * n;
/// assert_eq!(first_where(0..100, |n| squares(n) >= 50), 8);
/// assert_eq!(first_where(3..5, |n| squares(n) >= 50), 5);
/// assert_eq!(first_where(9..20, |n| squares(n) >= 50), 9);
/// ```
pub fn first_where(indices: Range<usize>, holds: impl Fn(usize) -> bool) -> usize {
    let Range { start: mut low, end: mut high } = indices;
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}
