//! Which rows of a table are learned from, and which are tested on: by their ids, by their days, or by both.

use cip_core::IdRef;
use cip_propensity::{IdSplit, LabelBuilder, PropensityError, Shares, Side, TimeSplit, stratified_sides};
use cip_store::TableColumn;

use crate::scoring::{ScoringError, ScoringTable};

/// Which rows go to which side.
///
/// | made by | all rows of an id are on one side | the test is later than the training |
/// |---|---|---|
/// | [`RowSplit::by_id`] | yes | no |
/// | [`RowSplit::by_time`] | no | yes |
/// | [`RowSplit::stratified`] | no | no |
/// | [`RowSplit::by_time`] and [`RowSplit::with_ids`] | yes | yes; rows of which id and day name different sides are left out |
#[derive(Debug, Clone, PartialEq)]
pub struct RowSplit {
    ids: Option<IdSplit>,
    /// The column whose values are the ids; none for the first id of the table.
    group: Option<String>,
    rule: Rule,
}

/// What besides the ids decides.
#[derive(Debug, Clone, PartialEq)]
enum Rule {
    Nothing,
    Time(TimeRule),
    Stratified { shares: Shares, seed: u64 },
}

/// How rows are split by time.
#[derive(Debug, Clone, PartialEq)]
struct TimeRule {
    column: String,
    shares: Shares,
    /// Days that a label looks ahead.
    label_days: u32,
    /// Days before a later side whose rows are left out.
    gap_days: u32,
}

impl From<IdSplit> for RowSplit {
    fn from(ids: IdSplit) -> Self {
        Self::by_id(ids)
    }
}

impl RowSplit {
    /// Returns the split by ids.
    pub const fn by_id(ids: IdSplit) -> Self {
        Self { ids: Some(ids), group: None, rule: Rule::Nothing }
    }

    /// Returns the split by the days of `column` (dates, timestamps, or text that starts with a date): the latest rows are tested on.
    /// Rows whose label, which looks so many days ahead, is not known where a later side begins are left out.
    pub fn by_time(column: impl Into<String>, shares: Shares, label_days: u32) -> Self {
        let rule = TimeRule { column: column.into(), shares, label_days, gap_days: label_days };
        Self { ids: None, group: None, rule: Rule::Time(rule) }
    }

    /// Returns the split by lot, with the same share of positives on every side: see [`stratified_sides`].
    pub const fn stratified(shares: Shares, seed: u64) -> Self {
        Self { ids: None, group: None, rule: Rule::Stratified { shares, seed } }
    }

    /// Leaves out the rows of so many days before a later side, in place of those that the label asks for. Where these are fewer, the
    /// rows whose labels overlap a later side are a [`Finding`](cip_propensity::Finding).
    #[must_use]
    pub fn with_gap_days(mut self, days: u32) -> Self {
        if let Rule::Time(rule) = &mut self.rule {
            rule.gap_days = days;
        }
        self
    }

    /// Deals ids to sides as well: a row is kept where its id and its day name the same side.
    #[must_use]
    pub fn with_ids(self, ids: IdSplit) -> Self {
        Self { ids: Some(ids), ..self }
    }

    /// Takes the values of a column for the ids, in place of the first id of the table.
    #[must_use]
    pub fn with_group(self, column: impl Into<String>) -> Self {
        Self { group: Some(column.into()), ..self }
    }

    /// The column of days, where there is one.
    pub fn time_column(&self) -> Option<&str> {
        self.time().map(|rule| rule.column.as_str())
    }

    /// The column of groups, where one is named.
    pub fn group_column(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// The share of the rows that are used at all.
    pub(super) fn sample(&self) -> f64 {
        self.ids.map_or(1.0, IdSplit::sample)
    }

    pub(super) const fn has_ids(&self) -> bool {
        self.ids.is_some()
    }

    /// The days of the gap; 0 where rows are not split by time.
    pub(super) fn gap_days(&self) -> u32 {
        self.time().map_or(0, |rule| rule.gap_days)
    }

    const fn time(&self) -> Option<&TimeRule> {
        match &self.rule {
            Rule::Time(rule) => Some(rule),
            Rule::Nothing | Rule::Stratified { .. } => None,
        }
    }

    /// The split of a table; it reads the column of days, or the label.
    pub(super) fn of(&self, table: &ScoringTable, label: &str) -> Result<DealtRows, ScoringError> {
        let dealt = |rows| Ok(DealtRows { ids: self.ids, rows });
        let rule = match &self.rule {
            Rule::Nothing => return dealt(Dealt::Ids),
            Rule::Stratified { shares, seed } => {
                let mut labels = LabelBuilder::new(label);
                for batch in table.source.batches(&[label])? {
                    labels.push(&batch?)?;
                }
                return dealt(Dealt::Lot(stratified_sides(&labels.finish(), *shares, *seed)?));
            }
            Rule::Time(rule) => rule,
        };
        let mut days = Vec::new();
        for batch in table.source.batches(&[&rule.column])? {
            let batch = batch?;
            let before = days.len() as u64;
            let column = TableColumn::new(table.source.path(), &rule.column, before, batch.column(0));
            for (row, day) in column.days()?.into_iter().enumerate() {
                let row = before + row as u64;
                days.push(
                    day.ok_or_else(|| ScoringError::NullTime { column: rule.column.as_str().into(), row })?,
                );
            }
        }
        let split = |gap: u32| TimeSplit::new(&days, rule.shares, i64::from(gap));
        let (with_gap, known) = (split(rule.gap_days)?, split(rule.label_days)?);
        dealt(Dealt::Days(DealtDays { days, with_gap, known }))
    }
}

/// The rows of a table, dealt to sides.
pub(super) struct DealtRows {
    ids: Option<IdSplit>,
    rows: Dealt,
}

/// What besides the ids says where a row goes.
enum Dealt {
    Ids,
    Days(DealtDays),
    Lot(Vec<Side>),
}

/// The day of every row, and where sides begin.
struct DealtDays {
    days: Vec<i64>,
    with_gap: TimeSplit,
    /// The same with a gap as long as the label looks ahead.
    known: TimeSplit,
}

impl DealtRows {
    /// The side of a row, and whether its label looks into a later side.
    pub(super) fn side(&self, row: u64, id: Option<IdRef<'_>>) -> Result<(Side, bool), PropensityError> {
        let of_id = || self.ids.map(|ids| ids.side(id.unwrap_or(IdRef::Int64(row.cast_signed()))));
        let place = row as usize;
        let missing = PropensityError::NoRows { what: "split" };
        let time = match &self.rows {
            Dealt::Ids => return Ok((of_id().unwrap_or(Side::LeftOut), false)),
            Dealt::Lot(sides) => return Ok((*sides.get(place).ok_or(missing)?, false)),
            Dealt::Days(time) => time,
        };
        let day = *time.days.get(place).ok_or(missing)?;
        let side = time.with_gap.side(day);
        let side = if of_id().is_none_or(|of_id| of_id == side) { side } else { Side::LeftOut };
        Ok((side, side != Side::LeftOut && time.known.side(day) == Side::LeftOut))
    }

    /// The day of a row; 0 where rows have none.
    pub(super) fn day(&self, row: u64) -> i64 {
        match &self.rows {
            Dealt::Days(time) => time.days.get(row as usize).copied().unwrap_or(0),
            Dealt::Ids | Dealt::Lot(_) => 0,
        }
    }

    /// Where sides begin, in days since 1970-01-01.
    pub(super) fn begins(&self) -> Option<&[(i64, Side)]> {
        match &self.rows {
            Dealt::Days(time) => Some(time.with_gap.begins()),
            Dealt::Ids | Dealt::Lot(_) => None,
        }
    }
}
