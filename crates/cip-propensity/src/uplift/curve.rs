//! Curves of what a treatment has brought, over the rows by their rank.

/// Rows up to a place in a ranking.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) treated: u64,
    /// The sum of their outcomes, of which one that is yes is 1.
    pub(crate) treated_sum: f64,
    pub(crate) control: u64,
    pub(crate) control_sum: f64,
    /// The sums of their squares.
    pub(crate) squares: [f64; 2],
}

impl Counts {
    pub(crate) fn add(&mut self, treated: bool, outcome: f64) {
        let [of_control, of_treated] = &mut self.squares;
        let (rows, sum, squares) = if treated {
            (&mut self.treated, &mut self.treated_sum, of_treated)
        } else {
            (&mut self.control, &mut self.control_sum, of_control)
        };
        *rows += 1;
        *sum += outcome;
        *squares += outcome * outcome;
    }

    pub(crate) fn rows(&self) -> u64 {
        self.treated + self.control
    }

    /// The mean outcome of the treated, and of the others; 0 of none.
    pub(crate) fn rates(&self) -> (f64, f64) {
        let rate = |sum: f64, rows: u64| if rows > 0 { sum / rows as f64 } else { 0.0 };
        (rate(self.treated_sum, self.treated), rate(self.control_sum, self.control))
    }

    /// The standard error of the difference of both.
    pub(crate) fn standard_error(&self) -> f64 {
        let (treated, control) = self.rates();
        let variance = |squares: f64, mean: f64, rows: u64| {
            let rows = rows as f64;
            (squares / rows - mean * mean).max(0.0) / rows
        };
        let [of_control, of_treated] = self.squares;
        (variance(of_treated, treated, self.treated) + variance(of_control, control, self.control)).sqrt()
    }

    /// Qini's curve: the outcomes of the treated beyond those that as many others would have had.
    fn qini(&self) -> f64 {
        if self.control == 0 {
            return self.treated_sum;
        }
        self.treated_sum - self.control_sum * self.treated as f64 / self.control as f64
    }

    /// The uplift curve: the difference of the rates, times the rows.
    fn cumulative_uplift(&self) -> f64 {
        let (treated, control) = self.rates();
        (treated - control) * self.rows() as f64
    }
}

/// Which curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Curve {
    Qini,
    Uplift,
}

impl Curve {
    pub(crate) fn at(self, counts: &Counts) -> f64 {
        match self {
            Self::Qini => counts.qini(),
            Self::Uplift => counts.cumulative_uplift(),
        }
    }

    /// Returns the area between the curve of a ranking and the straight line to its end, over the number of rows; equal scores are one
    /// step.
    pub(crate) fn area_above_chance(self, scores: &[f64], treated: &[bool], outcomes: &[f64]) -> f64 {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let (mut counts, mut area, mut last) = (Counts::default(), 0.0, (0.0, 0.0));
        for ties in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
            ties.iter().for_each(|&row| counts.add(treated[row], outcomes[row]));
            let point = (counts.rows() as f64, self.at(&counts));
            area += (point.0 - last.0) * f64::midpoint(point.1, last.1);
            last = point;
        }
        (area - last.0 * last.1 / 2.0) / last.0
    }

    /// The scores of a ranking that has its area above chance for 1.
    pub(crate) fn best_scores(self, treated: &[bool], outcomes: &[bool]) -> Vec<f64> {
        let rows = || treated.iter().copied().zip(outcomes.iter().copied());
        match self {
            // Positives that were treated, then all negatives, then positives that were not.
            Self::Qini => rows()
                .map(|(treated, outcome)| match (treated, outcome) {
                    (true, true) => 1.0,
                    (false, true) => -1.0,
                    (_, false) => 0.0,
                })
                .collect(),
            Self::Uplift => {
                let lost = rows().filter(|&(treated, outcome)| !treated && outcome).count();
                let unmoved = rows().filter(|&(treated, outcome)| treated && !outcome).count();
                rows()
                    .map(|(treated, outcome)| {
                        let second = if lost > unmoved { outcome } else { treated };
                        f64::from(2 * u8::from(treated == outcome) + u8::from(second))
                    })
                    .collect()
            }
        }
    }
}
