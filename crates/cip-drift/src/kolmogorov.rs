//! How likely a Kolmogorov-Smirnov statistic is where nothing has changed.

/// Tables of up to so many numbers each have the exact probability, as SciPy's `ks_2samp` has it.
const EXACT: u64 = 10_000;

/// From here on exp(-2 z^2) is 0.
const BEYOND_NUMBERS: f64 = 20.0;

/// Returns the probability of a statistic of `steps` / (n m) or more between samples of one continuous distribution.
///
/// # Method
/// Up to 10,000 numbers in each: all orders of the numbers are equally likely paths from (0, 0) to (n, m), and the probability is that of
/// those that come to a place (i, j) with |i m - j n| >= steps (Hodges 1958), summed where they first do, so that nothing cancels. Beyond:
/// Kolmogorov's limit at n m / (n + m) numbers, rounded as SciPy does, with the correction of Vrbik (2018). Equal numbers make it too
/// large, never too small.
pub(crate) fn ks_p_value(steps: u128, n: u64, m: u64) -> f64 {
    if steps == 0 {
        return 1.0;
    }
    let (rows, others) = (n as f64, m as f64);
    let root = (rows * others / (rows + others)).round().sqrt();
    let z = steps as f64 / (rows * others) * root;
    // Where the limit is beyond the least of numbers, so is the exact probability, and its band of paths would be wide.
    if n.max(m) <= EXACT && z < BEYOND_NUMBERS {
        return exact(steps as i64, n as usize, m as usize);
    }
    limit(z + 1.0 / (6.0 * root) + (z - 1.0) / (4.0 * root * root))
}

fn exact(steps: i64, n: usize, m: usize) -> f64 {
    let (width, height) = (n as i64, m as i64);
    // Paths that are inside at (i, j): those that came from (i - 1, j), until row i is done.
    let mut arrived = vec![0.0; m + 2];
    arrived[0] = 1.0;
    let mut outside = 0.0;
    for i in 0..=n {
        let centre = i as i64 * height;
        // Inside is |i m - j n| < steps. A path leaves by a step in i, which adds m, or by one in j, which takes n away.
        let low = ((centre - steps - height).div_euclid(width)).clamp(0, height) as usize;
        let high = ((centre + steps).div_euclid(width) + 1).clamp(0, height) as usize;
        let mut from_left = 0.0;
        for (j, below) in arrived.iter_mut().enumerate().take(high + 1).skip(low) {
            let paths = *below + from_left;
            let left = n + m - i - j;
            if (centre - j as i64 * width).abs() >= steps {
                outside += paths;
                (*below, from_left) = (0.0, 0.0);
            } else if left > 0 {
                *below = paths * (n - i) as f64 / left as f64;
                from_left = paths * (m - j) as f64 / left as f64;
            }
        }
    }
    f64::min(outside, 1.0)
}

/// P(K > z) of Kolmogorov's distribution.
fn limit(z: f64) -> f64 {
    if z <= 0.0 {
        return 1.0;
    }
    if z < 1.0 {
        // The other form of the theta function, which is fast here.
        let scale = (2.0 * std::f64::consts::PI).sqrt() / z;
        let term = |k: u32| {
            let odd = f64::from(2 * k + 1) * std::f64::consts::PI / z;
            (-odd * odd / 8.0).exp()
        };
        return (1.0 - scale * (0..6).map(term).sum::<f64>()).clamp(0.0, 1.0);
    }
    let term = |k: i32| {
        let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
        sign * (-2.0 * f64::from(k * k) * z * z).exp()
    };
    (1..12).map(term).sum::<f64>().clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn probabilities_of_scipy() {
        // SciPy 1.17.1: ks_2samp of samples whose statistic is steps / (n m), mode exact; the last two asymp.
        for (steps, n, m, expected, relative) in [
            (2_750, 100, 150, 0.032_281_941_320_867_86, 1e-10),
            (61_400, 1_000, 800, 0.010_098_979_398_726_71, 1e-10),
            (960, 40, 40, 5.015_146_695_395_365e-7, 1e-10),
            (184_000, 1_000, 5_000, 0.205_706_673_990_719_24, 1e-10),
            (8_510_000, 20_000, 30_000, 0.015_852_279_197_842_8, 1e-3),
            (389_400, 15_000, 400, 0.071_591_347_996_202_26, 1e-3),
        ] {
            let found = ks_p_value(steps, n, m);
            assert!((found / expected - 1.0).abs() < relative, "{steps} {n} {m}: {found} {expected}");
        }
    }

    #[test]
    fn no_gap_is_certain_and_the_forms_of_the_limit_meet() {
        assert_eq!((ks_p_value(0, 5, 7), ks_p_value(0, 1 << 40, 7), limit(-1.0)), (1.0, 1.0, 1.0));
        assert!((limit(1.0 - 1e-12) - limit(1.0)).abs() < 1e-10);
        assert_eq!(ks_p_value(1, 1, 1), 1.0);
        // Far apart: all of one before all of the other.
        assert_eq!(ks_p_value(100_000_000, 10_000, 10_000), 0.0);
        assert!(ks_p_value(1_600, 40, 40) > 0.0);
    }

    proptest! {
        #[test]
        fn exact_is_the_share_of_all_orders(n in 1usize..7, m in 1usize..7, at in 0.0..1.0f64) {
            let steps = 1 + (at * (n * m) as f64) as i64;
            let (mut all, mut far) = (0.0, 0.0);
            for order in (0u32..1 << (n + m)).filter(|order| order.count_ones() as usize == n) {
                let (mut i, mut j, mut most) = (0i64, 0i64, 0i64);
                for place in 0..n + m {
                    if order >> place & 1 == 1 { i += 1 } else { j += 1 }
                    most = most.max((i * m as i64 - j * n as i64).abs());
                }
                all += 1.0;
                far += f64::from(u8::from(most >= steps));
            }
            prop_assert!((exact(steps, n, m) - far / all).abs() < 1e-12);
        }
    }
}
