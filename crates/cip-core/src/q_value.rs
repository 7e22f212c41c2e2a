//! p-values of many tests, made comparable.

/// Returns the false discovery rate that one accepts with each p-value and all smaller ones, in their order.
///
/// # Input
/// p-values of 0 to 1.
///
/// # Formula
/// Of m p-values, p(i) the i-th smallest: q(i) = min over j >= i of min(1, p(j) m / j) (Benjamini and Hochberg 1995).
///
/// # Examples
/// ```
/// assert_eq!(cip_core::benjamini_hochberg(&[0.01, 0.04, 0.03]), [0.03, 0.04, 0.04]);
/// ```
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let tests = p_values.len() as f64;
    let mut q_values = vec![1.0; p_values.len()];
    let mut least = 1.0f64;
    for (rank, &place) in order.iter().enumerate().rev() {
        least = least.min(p_values[place] * (tests / (rank + 1) as f64));
        q_values[place] = least;
    }
    q_values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_paper() {
        // Benjamini and Hochberg 1995, section 4: of 15 hypotheses four are rejected at 0.05.
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
            0.6528, 0.7590, 1.0,
        ];
        let q = benjamini_hochberg(&p);
        assert_eq!(q.iter().filter(|&&q| q <= 0.05).count(), 4);
        // R 4: p.adjust(p, "BH").
        assert!(
            (q[0] - 0.0015).abs() < 1e-12
                && (q[3] - 0.035_625).abs() < 1e-12
                && (q[4] - 0.0603).abs() < 1e-12
        );
        assert!((q[5] - 0.063_857_142_857).abs() < 1e-9 && q[14] == 1.0);
        let mut reversed = p;
        reversed.reverse();
        assert!(benjamini_hochberg(&reversed).iter().rev().eq(&q));
        assert!(benjamini_hochberg(&[]).is_empty());
        assert_eq!(benjamini_hochberg(&[0.5, 0.5]), [0.5, 0.5]);
    }
}
