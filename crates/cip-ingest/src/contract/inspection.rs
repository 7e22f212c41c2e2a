//! Rows held against a contract: which expectations a typed row violates.
//!
//! Values are taken from the row as it was just built. What many rows share is tested once a thread: each text of a dictionary
//! column by its code, and the attributes of products by theirs.

use std::sync::Arc;

use super::expectation::Action;
use super::resolve::{Check, Rule};
use super::row_test::RowTest;
use crate::attributes::Attributes;
use crate::interner::SharedDictionary;
use crate::number::text;
use crate::row::{Row, RowLayout, Slot, SlotKind};
use crate::target::TargetColumn;

/// The row checks of a contract, for rows of one layout; shared by all threads.
#[derive(Debug)]
pub(crate) struct Inspection {
    rules: Arc<[Rule]>,
    own: Vec<Checks>,
    coded: Vec<Checks>,
    /// With the place of each among the attributes.
    attributes: Vec<(usize, Checks)>,
    /// The expectations that only warn, that speak of the share of nulls, and that want no two rows to be the same.
    warnings: u64,
    null_rates: u64,
    pub(crate) unique: Vec<usize>,
    pub(crate) wants_times: bool,
}

/// What is expected of one column.
#[derive(Debug)]
struct Checks {
    column: usize,
    slot: Slot,
    nullable: bool,
    /// The expectations that a null violates, and those that count it.
    refuse_null: u64,
    count_null: u64,
    /// Tests of values that are there, by the number of the expectation.
    tests: Vec<usize>,
}

/// Which expectations a row violates, and for which it has no value: a bit for each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) violated: u64,
    pub(crate) nulls: u64,
}

/// What one thread knows of codes.
#[derive(Debug, Default)]
pub(crate) struct CodeMemo {
    /// By checks of a dictionary column, then by code: what a value violates, with [`KNOWN`].
    coded: Vec<Vec<u64>>,
    /// By the code of the attributes, likewise.
    attributes: Vec<Findings>,
}

/// Marks an entry of a memo that was filled.
const KNOWN: u64 = 1 << 63;

impl Inspection {
    pub(crate) fn new(rules: Arc<[Rule]>, columns: &[TargetColumn], layout: &RowLayout) -> Self {
        let (mut own, mut coded, mut attributes) = (Vec::new(), Vec::new(), Vec::new());
        let numbered = || rules.iter().enumerate();
        let bits = |wanted: &dyn Fn(&Rule) -> bool| {
            numbered().filter(|(_, rule)| wanted(rule)).fold(0, |bits, (index, _)| bits | 1 << index)
        };
        for (column, target) in columns.iter().enumerate() {
            let is_of = |rule: &Rule| rule.columns.first() == Some(&column);
            let null_rates = bits(&|rule| is_of(rule) && matches!(rule.check, Check::NullRate { .. }));
            let present = bits(&|rule| is_of(rule) && matches!(rule.check, Check::Row(RowTest::Present)));
            let tests: Vec<usize> = numbered()
                .filter(|(_, rule)| {
                    is_of(rule)
                        && !matches!(rule.check, Check::Row(RowTest::Present))
                        && matches!(rule.check, Check::Row(_))
                })
                .map(|(index, _)| index)
                .collect();
            let tested = tests.iter().fold(0, |bits, index| bits | 1 << index);
            // What the mapping lets not be null never is.
            if tests.is_empty() && (!target.nullable || null_rates | present == 0) {
                continue;
            }
            let slot = layout.slot(column);
            let checks = Checks {
                column,
                slot,
                nullable: target.nullable,
                refuse_null: present,
                count_null: null_rates | present | tested,
                tests,
            };
            match slot.kind {
                SlotKind::Attribute(place) => attributes.push((place, checks)),
                SlotKind::Code => coded.push(checks),
                _ => own.push(checks),
            }
        }
        Self {
            own,
            coded,
            attributes,
            warnings: bits(&|rule| rule.declared == Action::Warn),
            null_rates: bits(&|rule| matches!(rule.check, Check::NullRate { .. })),
            unique: numbered()
                .filter(|(_, rule)| matches!(rule.check, Check::Unique))
                .map(|(index, _)| index)
                .collect(),
            wants_times: rules.iter().any(|rule| matches!(rule.check, Check::Freshness { .. })),
            rules,
        }
    }

    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The expectation that decides what becomes of a row: the first that is violated and does more than warn.
    pub(crate) fn decides(&self, violated: u64) -> Option<usize> {
        let deciding = violated & !self.warnings;
        (deciding != 0).then(|| deciding.trailing_zeros() as usize)
    }

    /// The nulls that count for all rows, and those that count for kept rows alone.
    pub(crate) fn split_nulls(&self, nulls: u64) -> (u64, u64) {
        (nulls & !self.null_rates, nulls & self.null_rates)
    }

    fn test(&self, index: usize) -> Option<&RowTest> {
        match &self.rules[index].check {
            Check::Row(test) => Some(test),
            _ => None,
        }
    }

    /// Returns the tests of `checks` that do not hold.
    #[inline]
    fn violated(&self, checks: &Checks, holds: impl Fn(&RowTest) -> bool) -> u64 {
        let mut violated = 0;
        for &index in &checks.tests {
            let fits = self.test(index).is_none_or(&holds);
            violated |= u64::from(!fits) << index;
        }
        violated
    }

    /// Returns what a row violates; `code` is that of its attributes.
    #[inline]
    pub(crate) fn inspect(
        &self,
        row: Row<'_>,
        code: Option<u32>,
        dictionaries: &[SharedDictionary],
        shared: Option<&Attributes>,
        memo: &mut CodeMemo,
    ) -> Findings {
        let mut found = Findings::default();
        for checks in &self.own {
            if checks.nullable && row.is_null(checks.column) {
                found.nulls |= checks.count_null;
                found.violated |= checks.refuse_null;
                continue;
            }
            found.violated |= match checks.slot.kind {
                SlotKind::Float64 => {
                    let value = row.float64(checks.slot);
                    self.violated(checks, |test| test.holds_float(value))
                }
                SlotKind::Text => {
                    let value = text(row.bytes(checks.slot));
                    self.violated(checks, |test| test.holds_text(value))
                }
                // A UUID may be missing, and that is all.
                SlotKind::Uuid => 0,
                _ => {
                    let value = row.int64(checks.slot);
                    self.violated(checks, |test| test.holds_integer(value))
                }
            };
        }
        for (place, checks) in self.coded.iter().enumerate() {
            if checks.nullable && row.is_null(checks.column) {
                found.nulls |= checks.count_null;
                found.violated |= checks.refuse_null;
                continue;
            }
            let code = row.code(checks.slot) as usize;
            let known = memo.coded.get(place).and_then(|codes| codes.get(code)).copied().unwrap_or_default();
            found.violated |= if known & KNOWN != 0 {
                known & !KNOWN
            } else {
                self.learn_code(place, checks, code, dictionaries, memo)
            };
        }
        if let (Some(code), Some(shared), false) = (code, shared, self.attributes.is_empty()) {
            let known = memo.attributes.get(code as usize).copied().unwrap_or_default();
            let of_code = if known.violated & KNOWN != 0 {
                known
            } else {
                self.learn_attributes(code, shared, dictionaries, memo)
            };
            found.violated |= of_code.violated & !KNOWN;
            found.nulls |= of_code.nulls;
        }
        found
    }

    #[cold]
    fn learn_code(
        &self,
        place: usize,
        checks: &Checks,
        code: usize,
        dictionaries: &[SharedDictionary],
        memo: &mut CodeMemo,
    ) -> u64 {
        let violated = self.of_text(checks, code as u32, dictionaries);
        if memo.coded.len() < self.coded.len() {
            memo.coded.resize(self.coded.len(), Vec::new());
        }
        let codes = &mut memo.coded[place];
        if codes.len() <= code {
            codes.resize(code + 1, 0);
        }
        codes[code] = violated | KNOWN;
        violated
    }

    #[cold]
    fn learn_attributes(
        &self,
        code: u32,
        shared: &Attributes,
        dictionaries: &[SharedDictionary],
        memo: &mut CodeMemo,
    ) -> Findings {
        let values = shared.values(code);
        let mut found = Findings { violated: KNOWN, nulls: 0 };
        for (place, checks) in &self.attributes {
            match values.get(*place) {
                None => {
                    found.nulls |= checks.count_null;
                    found.violated |= checks.refuse_null;
                }
                Some(value) => found.violated |= self.of_attribute(checks, value, dictionaries),
            }
        }
        let index = code as usize;
        if memo.attributes.len() <= index {
            memo.attributes.resize(index + 1, Findings::default());
        }
        memo.attributes[index] = found;
        found
    }

    /// What an attribute violates: an integer, or the code of a text.
    fn of_attribute(&self, checks: &Checks, value: i64, dictionaries: &[SharedDictionary]) -> u64 {
        let integers = self.violated(checks, |test| test.holds_integer(value));
        match u32::try_from(value) {
            // Only one of both kinds of tests fits the column, and the others hold.
            Ok(code) if integers == 0 => self.of_text(checks, code, dictionaries),
            _ => integers,
        }
    }

    fn of_text(&self, checks: &Checks, code: u32, dictionaries: &[SharedDictionary]) -> u64 {
        let violated = |value: &str| self.violated(checks, |test| test.holds_text(value));
        dictionaries[checks.column].with_text(code, violated).unwrap_or_default()
    }

    /// Whether the row is to be compared with others, once their order is known.
    pub(crate) fn compares_rows(&self) -> bool {
        !self.unique.is_empty()
    }
}
