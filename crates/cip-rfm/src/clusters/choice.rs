//! How many clusters there should be: silhouette, elbow, or both.

/// By what the number of clusters is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ClusterChoice {
    /// By 0.6 of the silhouette and 0.4 of the elbow, each scaled from 0 to 1 over the numbers tried.
    #[default]
    Both,
    /// By the greatest mean silhouette (Rousseeuw 1987).
    Silhouette,
    /// By the elbow of the inertia: the place farthest from the chord between its ends, both axes scaled from 0 to 1.
    Elbow,
}

/// What speaks for a number of clusters.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ClusterCount {
    /// Clusters.
    pub clusters: usize,
    /// The sum of the squared distances to the centroids, on the scaled measures.
    pub inertia: f64,
    /// The mean silhouette, -1 to 1.
    pub silhouette: f64,
    /// Its standard error where it is that of a sample; 0 where it is that of all.
    pub silhouette_error: f64,
    /// The distance of the inertia from its chord, scaled from 0 to 1 over the numbers tried.
    pub elbow: f64,
    /// What the choice goes by: the greatest is chosen, of equal ones the fewest clusters.
    pub score: f64,
}

/// Fills in elbows and scores.
pub(super) fn weigh(counts: &mut [ClusterCount], choice: ClusterChoice) {
    let inertia = scaled(counts.iter().map(|count| count.inertia));
    let places = scaled(counts.iter().map(|count| count.clusters as f64));
    let (first, last) = (inertia.first().copied().unwrap_or(0.0), inertia.last().copied().unwrap_or(0.0));
    // How far below the chord; the factor from there to the distance is the same for all, and is scaled away.
    let below = |(inertia, place): (&f64, &f64)| first + (last - first) * place - inertia;
    let elbows = scaled(inertia.iter().zip(&places).map(below));
    let silhouettes = scaled(counts.iter().map(|count| count.silhouette));
    for (count, (elbow, silhouette)) in counts.iter_mut().zip(elbows.into_iter().zip(silhouettes)) {
        count.elbow = elbow;
        count.score = match choice {
            ClusterChoice::Both => 0.6 * silhouette + 0.4 * elbow,
            ClusterChoice::Silhouette => silhouette,
            ClusterChoice::Elbow => elbow,
        };
    }
}

/// From 0 to 1; all 0 where all are equal.
fn scaled(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let values: Vec<f64> = values.collect();
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = if greatest > least { greatest - least } else { 1.0 };
    values.into_iter().map(|value| (value - least) / range).collect()
}

/// Returns the mean silhouette of the points, and its standard error: of `sampled` of them, evenly spaced, against all of these.
///
/// A point alone in its cluster has 0, as Rousseeuw has it.
pub(super) fn silhouette(
    points: &[[f64; 3]],
    labels: &[usize],
    clusters: usize,
    sampled: usize,
) -> (f64, f64) {
    let step = points.len().div_ceil(sampled.max(1)).max(1);
    let rows: Vec<usize> = (0..points.len()).step_by(step).collect();
    let mut sizes = vec![0usize; clusters];
    rows.iter().for_each(|&row| sizes[labels[row]] += 1);
    let width = |&row: &usize| {
        let mut sums = vec![0.0; clusters];
        for &other in &rows {
            sums[labels[other]] += squared_distance(&points[row], &points[other]).sqrt();
        }
        let own = labels[row];
        if sizes[own] < 2 {
            return 0.0;
        }
        let within = sums[own] / (sizes[own] - 1) as f64;
        let others = (0..clusters).filter(|&cluster| cluster != own && sizes[cluster] > 0);
        let between =
            others.map(|cluster| sums[cluster] / sizes[cluster] as f64).fold(f64::INFINITY, f64::min);
        let greatest = within.max(between);
        if greatest > 0.0 && greatest < f64::INFINITY { (between - within) / greatest } else { 0.0 }
    };
    let widths: Vec<f64> = rows.iter().map(width).collect();
    let count = widths.len() as f64;
    let mean = widths.iter().sum::<f64>() / count;
    let variance = widths.iter().map(|width| (width - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    (mean, if step > 1 { (variance / count).sqrt() } else { 0.0 })
}

pub(super) fn squared_distance(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scikit-learn 1.9.1: `silhouette_score` of these points and labels.
    #[test]
    fn silhouettes_are_those_of_their_definition() {
        let points = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [5.0, 0.0, 0.0], [6.0, 0.0, 0.0], [6.0, 1.0, 0.0]];
        let (mean, error) = silhouette(&points, &[0, 0, 1, 1, 1], 2, 100);
        assert!((mean - 0.789_126_702_674_832_5).abs() < 1e-12 && error == 0.0, "{mean}");
        assert_eq!(silhouette(&points, &[0, 0, 0, 0, 0], 1, 100).0, 0.0);
        assert!(silhouette(&points, &[0, 0, 1, 1, 1], 2, 3).1 > 0.0, "of a sample");
    }

    #[test]
    fn the_elbow_is_where_the_curve_leaves_its_chord() {
        let count = |clusters: usize, inertia: f64, silhouette: f64| ClusterCount {
            clusters,
            inertia,
            silhouette,
            silhouette_error: 0.0,
            elbow: 0.0,
            score: 0.0,
        };
        let tried = [count(2, 100.0, 0.2), count(3, 30.0, 0.5), count(4, 20.0, 0.6), count(5, 10.0, 0.4)];
        let best = |choice| {
            let mut counts = tried;
            weigh(&mut counts, choice);
            counts.iter().max_by(|a, b| a.score.total_cmp(&b.score)).unwrap().clusters
        };
        assert_eq!(best(ClusterChoice::Elbow), 3);
        // Of a single number there is nothing to choose.
        let mut one = [count(2, 9.0, 0.7)];
        weigh(&mut one, ClusterChoice::Both);
        assert_eq!((one[0].elbow, one[0].score), (0.0, 0.0));
        assert_eq!(best(ClusterChoice::Silhouette), 4);
        // Of 3, 0.6 times 0.75 and 0.4; of 4, 0.6 and 0.4 times 0.5 of the elbow.
        assert_eq!(best(ClusterChoice::Both), 3);
    }
}
