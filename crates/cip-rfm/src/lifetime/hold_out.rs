//! What a model expected, beside what came.

/// Frequencies from here on are one group.
const LAST_GROUP: u64 = 7;

/// How well a model foretold what was held out; made by [`HistoryTable::hold_out`](crate::lifetime::HistoryTable::hold_out).
#[derive(Debug, Clone, PartialEq)]
pub struct HoldOutReport {
    time: f64,
    groups: Vec<HoldOutGroup>,
    absolute_errors: f64,
    squared_errors: f64,
}

/// Customers of the same frequency before the hold-out, and what they bought in it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct HoldOutGroup {
    /// Customers.
    pub customers: f64,
    /// What they bought.
    pub purchases: f64,
    /// What was expected.
    pub expected: f64,
}

impl HoldOutReport {
    pub(super) fn new(time: f64) -> Self {
        let groups = vec![HoldOutGroup::default(); LAST_GROUP as usize + 1];
        Self { time, groups, absolute_errors: 0.0, squared_errors: 0.0 }
    }

    pub(super) fn add(&mut self, frequency: u64, weight: f64, purchases: f64, expected: f64) {
        let group = &mut self.groups[frequency.min(LAST_GROUP) as usize];
        group.customers += weight;
        group.purchases += weight * purchases;
        group.expected += weight * expected;
        self.absolute_errors += weight * (expected - purchases).abs();
        self.squared_errors += weight * (expected - purchases).powi(2);
    }

    /// How long the hold-out was.
    pub fn time(&self) -> f64 {
        self.time
    }

    /// The customers by their repeat purchases before the hold-out: 0, 1, … 6, and 7 and more.
    pub fn by_frequency(&self) -> &[HoldOutGroup] {
        &self.groups
    }

    /// All customers together.
    pub fn total(&self) -> HoldOutGroup {
        self.groups.iter().fold(HoldOutGroup::default(), |sum, group| HoldOutGroup {
            customers: sum.customers + group.customers,
            purchases: sum.purchases + group.purchases,
            expected: sum.expected + group.expected,
        })
    }

    /// The mean of the absolute errors a customer; none without customers.
    pub fn mean_absolute_error(&self) -> Option<f64> {
        let customers = self.total().customers;
        (customers > 0.0).then(|| self.absolute_errors / customers)
    }

    /// The root of the mean squared error a customer; none without customers.
    pub fn root_mean_squared_error(&self) -> Option<f64> {
        let customers = self.total().customers;
        (customers > 0.0).then(|| (self.squared_errors / customers).sqrt())
    }
}
