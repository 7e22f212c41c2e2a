//! What each score of a measure holds: how many customers, from which value to which.

/// The customers of one score of one measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScoreBin {
    /// The score.
    pub score: u8,
    /// Customers.
    pub customers: u64,
    /// Their least value; none without customers. Where ties are told apart by user_id, it may be the greatest of another score.
    pub least: Option<i128>,
    /// Their greatest value; none without customers.
    pub greatest: Option<i128>,
}

/// The bins of a measure, from score 1 on, empty ones too.
pub(crate) fn bins_of(bins: u8, scores: &[u8], values: impl Iterator<Item = i128>) -> Vec<ScoreBin> {
    let empty = |score| ScoreBin { score, customers: 0, least: None, greatest: None };
    let mut found: Vec<ScoreBin> = (1..=bins).map(empty).collect();
    for (&score, value) in scores.iter().zip(values) {
        let bin = &mut found[usize::from(score - 1)];
        bin.customers += 1;
        bin.least = Some(bin.least.map_or(value, |least| least.min(value)));
        bin.greatest = Some(bin.greatest.map_or(value, |greatest| greatest.max(value)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_say_what_their_customers_have() {
        let bins = bins_of(3, &[1, 3, 1, 3, 3], [5, -2, 7, 0, 9].into_iter());
        let found: Vec<_> =
            bins.iter().map(|bin| (bin.score, bin.customers, bin.least, bin.greatest)).collect();
        assert_eq!(found, [(1, 2, Some(5), Some(7)), (2, 0, None, None), (3, 3, Some(-2), Some(9))]);
    }
}
