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

/// Points in clusters.
pub(super) struct Labels {
    /// The cluster of each point.
    pub(super) of: Vec<usize>,
    pub(super) clusters: usize,
}

/// Returns the mean silhouette of the points by each labels, and its standard error: of at most `sampled` of them, evenly spaced, against
/// all of these.
///
/// A point alone in its cluster has 0, as Rousseeuw has it. A distance is computed once for all labels.
pub(super) fn silhouettes(points: &[[f64; 3]], labels: &[Labels], sampled: usize) -> Vec<(f64, f64)> {
    let step = points.len().div_ceil(sampled.max(1)).max(1);
    let rows: Vec<usize> = (0..points.len()).step_by(step).collect();
    let sizes = |labels: &Labels| {
        let mut sizes = vec![0usize; labels.clusters];
        rows.iter().for_each(|&row| sizes[labels.of[row]] += 1);
        sizes
    };
    let sizes: Vec<Vec<usize>> = labels.iter().map(sizes).collect();
    let mut widths = vec![Vec::with_capacity(rows.len()); labels.len()];
    let mut sums: Vec<Vec<f64>> = labels.iter().map(|labels| vec![0.0; labels.clusters]).collect();
    for &row in &rows {
        sums.iter_mut().for_each(|sums| sums.fill(0.0));
        for &other in &rows {
            let distance = squared_distance(&points[row], &points[other]).sqrt();
            for (sums, labels) in sums.iter_mut().zip(labels) {
                sums[labels.of[other]] += distance;
            }
        }
        for (at, widths) in widths.iter_mut().enumerate() {
            widths.push(width(labels[at].of[row], &sums[at], &sizes[at]));
        }
    }
    let told = |widths: &Vec<f64>| {
        let (mean, error) = mean_and_error(widths);
        (mean, if step > 1 { error } else { 0.0 })
    };
    widths.iter().map(told).collect()
}

/// The silhouette of a point in the cluster `own`, by the sums of its distances to the points of each cluster.
fn width(own: usize, sums: &[f64], sizes: &[usize]) -> f64 {
    if sizes[own] < 2 {
        return 0.0;
    }
    let within = sums[own] / (sizes[own] - 1) as f64;
    let others = (0..sizes.len()).filter(|&cluster| cluster != own && sizes[cluster] > 0);
    let between = others.map(|cluster| sums[cluster] / sizes[cluster] as f64).fold(f64::INFINITY, f64::min);
    let greatest = within.max(between);
    if greatest > 0.0 && greatest < f64::INFINITY { (between - within) / greatest } else { 0.0 }
}

fn mean_and_error(widths: &[f64]) -> (f64, f64) {
    let count = widths.len() as f64;
    let mean = widths.iter().sum::<f64>() / count;
    let variance = widths.iter().map(|width| (width - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    (mean, (variance / count).sqrt())
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
        let one = Labels { of: vec![0; 5], clusters: 1 };
        let labels = [Labels { of: vec![0, 0, 1, 1, 1], clusters: 2 }, one];
        let found = silhouettes(&points, &labels, 100);
        assert!((found[0].0 - 0.789_126_702_674_832_5).abs() < 1e-12 && found[0].1 == 0.0, "{found:?}");
        assert_eq!(found[1], (0.0, 0.0), "of one cluster");
        assert!(silhouettes(&points, &labels, 3)[0].1 > 0.0, "of a sample");
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
