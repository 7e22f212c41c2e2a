//! The rule of sessions: what ends one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cip_core::{TIME_ZONES, ZonePeriod, column};

use crate::error::SessionizeError;
use crate::input::COLUMNS;
use crate::midnight::Midnight;

/// The longest timeout in microseconds.
const MAX_MICROS: u64 = i64::MAX.cast_unsigned();

/// When a new session starts: where the gap to the same user's previous event is **greater** than the timeout.
///
/// A gap of exactly the timeout continues the session. The default of 30 minutes is Google Analytics' own
/// ("By default, a session lasts until there's 30 minutes of inactivity", Analytics Help,
/// <https://support.google.com/analytics/answer/2731565>); unlike the Analytics of that page, midnight and a
/// change of campaign do not end a session unless they are asked for:
///
/// | rule | a new session starts at an event |
/// |---|---|
/// | always | more than the timeout behind the previous one |
/// | [`with_max_length`](Self::with_max_length) | at the start plus the length, or later |
/// | [`with_day_cut`](Self::with_day_cut) | of another calendar day than the previous one, in a time zone |
/// | [`with_attribute_cut`](Self::with_attribute_cut), also several | whose value differs from the session's last value |
///
/// They combine: any of them starts a new session. [`SessionRule::source`] takes the sessions of the source instead of the
/// timeout; the other rules cut those as well.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use cip_sessionize::{Midnight, SessionRule};
/// assert_eq!(SessionRule::default().timeout(), Duration::from_secs(1800));
/// assert_eq!(SessionRule::new(Duration::from_secs(900))?.timeout(), Duration::from_secs(900));
/// assert!(SessionRule::new(Duration::ZERO).is_err());
/// let like_analytics = SessionRule::default().with_day_cut(Midnight::UTC).with_attribute_cut("campaign");
/// assert_eq!(like_analytics.attributes().collect::<Vec<_>>(), ["campaign"]);
/// # Ok::<(), cip_sessionize::SessionizeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionRule {
    clock: ClockRule,
    basis: SessionBasis,
    attributes: Vec<Arc<str>>,
}

/// What holds the events of a session together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SessionBasis {
    /// That no two neighbours lie further apart than the timeout.
    #[default]
    Inactivity,
    /// That the source gave them one session. Those to which it gave none are held together as by
    /// [`SessionBasis::Inactivity`], among themselves.
    Source,
}

impl SessionRule {
    /// Returns the rule of `timeout`.
    ///
    /// # Errors
    /// [`SessionizeError::Timeout`] where it is zero, not in whole microseconds (the unit of event times), or
    /// more of them than 63 bits hold.
    pub fn new(timeout: Duration) -> Result<Self, SessionizeError> {
        let error = || SessionizeError::Timeout { timeout, max: Duration::from_micros(MAX_MICROS) };
        let timeout = whole_micros(timeout).ok_or_else(error)?;
        let clock = ClockRule { timeout, max_length: None, midnight: None };
        Ok(Self { clock, basis: SessionBasis::Inactivity, attributes: Vec::new() })
    }

    /// Returns the rule of the source's own sessions: one session for each `source_session` of a user. Events without one
    /// are cut by the timeout of 30 minutes, among themselves.
    ///
    /// Sessions of one user may overlap in time; each is one session, from its first event to its last.
    pub fn source() -> Self {
        Self::default().with_basis(SessionBasis::Source)
    }

    /// Sets what holds the events of a session together.
    pub fn with_basis(mut self, basis: SessionBasis) -> Self {
        self.basis = basis;
        self
    }

    /// Sets how long a session lasts at the most: it holds the events of `[start, start + length)`. An event exactly at the
    /// end starts a new one.
    ///
    /// # Errors
    /// [`SessionizeError::MaxLength`] where it is what a timeout cannot be: see [`SessionRule::new`].
    pub fn with_max_length(mut self, length: Duration) -> Result<Self, SessionizeError> {
        let error = || SessionizeError::MaxLength { length, max: Duration::from_micros(MAX_MICROS) };
        self.clock.max_length = Some(whole_micros(length).ok_or_else(error)?);
        Ok(self)
    }

    /// Ends sessions at midnight: an event of another calendar day than the previous one starts a new session.
    pub fn with_day_cut(mut self, midnight: Midnight) -> Self {
        self.clock.midnight = Some(midnight);
        self
    }

    /// Ends sessions where an attribute changes: an event starts a new session where the value of `column` differs from the
    /// last value that the session had. Nulls are no values, and never end a session.
    ///
    /// The column is one of the events, Dictionary(Int32, Utf8), Utf8 or Int64: a campaign, a referrer, a channel. Called again
    /// it adds another column, and a change of any of them ends a session. Each column has a last value of its own; a session starts
    /// with the values of its first event and no others, whichever column ended the one before. A column that is there already changes
    /// nothing.
    pub fn with_attribute_cut(mut self, column: &str) -> Self {
        if self.attributes().all(|attribute| attribute != column) {
            self.attributes.push(column.into());
        }
        self
    }

    /// The timeout.
    pub const fn timeout(&self) -> Duration {
        Duration::from_micros(self.clock.timeout)
    }

    /// What holds the events of a session together.
    pub const fn basis(&self) -> SessionBasis {
        self.basis
    }

    /// How long a session lasts at the most, where that is set.
    pub fn max_length(&self) -> Option<Duration> {
        self.clock.max_length.map(Duration::from_micros)
    }

    /// The midnight at which sessions end, where they do.
    pub const fn day_cut(&self) -> Option<&Midnight> {
        self.clock.midnight.as_ref()
    }

    /// The columns whose changes end sessions, in the order in which they were given.
    pub fn attributes(&self) -> impl ExactSizeIterator<Item = &str> {
        self.attributes.iter().map(AsRef::as_ref)
    }

    /// The event columns that sessions of this rule are made from: [`COLUMNS`], and what else it needs.
    pub fn columns(&self) -> Vec<&str> {
        let mut columns = COLUMNS.to_vec();
        if self.basis == SessionBasis::Source {
            columns.push(column::SOURCE_SESSION);
        }
        for attribute in self.attributes() {
            if !columns.contains(&attribute) {
                columns.push(attribute);
            }
        }
        columns
    }

    /// The rules that look at times alone.
    pub(crate) const fn clock(&self) -> &ClockRule {
        &self.clock
    }

    /// Whether nothing but the timeout ends a session.
    pub(crate) fn is_timeout_alone(&self) -> bool {
        let plain = self.clock.max_length.is_none() && self.clock.midnight.is_none();
        plain && self.attributes.is_empty() && self.basis == SessionBasis::Inactivity
    }

    /// As [`SessionRule::clock`], where there are no others.
    ///
    /// # Errors
    /// [`SessionizeError::ColumnRule`] where the rule needs a column that `what` does not look at.
    pub(crate) fn clock_alone(&self, what: &'static str) -> Result<&ClockRule, SessionizeError> {
        let source = (self.basis == SessionBasis::Source).then_some(column::SOURCE_SESSION);
        match self.attributes().next().or(source) {
            None => Ok(&self.clock),
            Some(column) => Err(SessionizeError::ColumnRule { what, column: column.into() }),
        }
    }
}

/// Prints all that a rule is. Two rules that print the same cut the same events alike: a time zone is printed with the release of the
/// database that it is looked up in.
///
/// ```
/// use cip_sessionize::SessionRule;
/// let rule = SessionRule::default().with_day_cut("+01:00".parse()?).with_attribute_cut("campaign");
/// assert_eq!(rule.to_string(), r#"timeout 1800s, cut at midnight of +01:00, cut on "campaign""#);
/// # Ok::<(), cip_sessionize::SessionizeError>(())
/// ```
impl fmt::Display for SessionRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.basis == SessionBasis::Source {
            f.write_str("sessions of the source, ")?;
        }
        write!(f, "timeout {:?}", self.timeout())?;
        if let Some(length) = self.max_length() {
            write!(f, ", at most {length:?}")?;
        }
        if let Some(midnight) = self.day_cut() {
            write!(f, ", cut at midnight of {midnight}")?;
            if midnight.is_of_zone() {
                write!(f, " by {TIME_ZONES}")?;
            }
        }
        self.attributes().try_for_each(|attribute| write!(f, ", cut on {attribute:?}"))
    }
}

impl Default for SessionRule {
    fn default() -> Self {
        let clock = ClockRule { timeout: 30 * 60 * 1_000_000, max_length: None, midnight: None };
        Self { clock, basis: SessionBasis::Inactivity, attributes: Vec::new() }
    }
}

/// The rules that look at times alone, in microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ClockRule {
    /// 1..=MAX_MICROS; more where no pause ends a session.
    pub(crate) timeout: u64,
    /// 1..=MAX_MICROS.
    pub(crate) max_length: Option<u64>,
    pub(crate) midnight: Option<Midnight>,
}

impl ClockRule {
    /// The same without a timeout.
    pub(crate) fn without_timeout(&self) -> Self {
        Self { timeout: u64::MAX, ..self.clone() }
    }

    /// Whether an event at `next` starts a new session behind one at `time` of the session that starts at `start`; none
    /// of them is later than the next. `near` is kept from one call to the next, see [`Midnight::day`].
    #[inline]
    pub(crate) fn splits(&self, start: i64, time: i64, next: i64, near: &mut ZonePeriod) -> bool {
        // The difference of two i64 in order always fits a u64.
        let since = |time: i64| next.wrapping_sub(time).cast_unsigned();
        since(time) > self.timeout
            || self.max_length.is_some_and(|length| since(start) >= length)
            || self
                .midnight
                .as_ref()
                .is_some_and(|midnight| midnight.day(time, near) != midnight.day(next, near))
    }

    /// The first instant behind `end` from which on every event starts a new session; the last there is where none does.
    pub(crate) fn deadline(&self, start: i64, end: i64) -> i64 {
        let pause = end.saturating_add_unsigned(self.timeout).saturating_add(1);
        let length = self.max_length.map_or(i64::MAX, |length| start.saturating_add_unsigned(length));
        let day = self.midnight.as_ref().map_or(i64::MAX, |midnight| midnight.end_of_day(end));
        pause.min(length).min(day)
    }
}

/// A positive number of whole microseconds.
fn whole_micros(duration: Duration) -> Option<u64> {
    let micros = u64::try_from(duration.as_micros()).ok()?;
    let whole = duration.subsec_nanos().is_multiple_of(1_000);
    (whole && (1..=MAX_MICROS).contains(&micros)).then_some(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splits(rule: &ClockRule, start: i64, time: i64, next: i64) -> bool {
        rule.splits(start, time, next, &mut ZonePeriod::NEVER.clone())
    }

    #[test]
    fn timeouts_are_positive_whole_microseconds() {
        for good in [1, 1_800_000_000, MAX_MICROS] {
            let timeout = Duration::from_micros(good);
            assert_eq!(SessionRule::new(timeout).unwrap().timeout(), timeout);
        }
        let bad = [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_nanos(1_000_001),
            Duration::from_micros(MAX_MICROS + 1),
            Duration::MAX,
        ];
        for timeout in bad {
            assert!(matches!(SessionRule::new(timeout), Err(SessionizeError::Timeout { .. })), "{timeout:?}");
        }
        let text = SessionRule::new(Duration::ZERO).unwrap_err().to_string();
        assert!(
            text.starts_with("the session timeout is 0ns, expected whole microseconds, at least 1"),
            "{text}"
        );
    }

    #[test]
    fn only_a_gap_beyond_the_timeout_splits_even_at_the_ends_of_time() {
        let rule = SessionRule::default().clock().clone();
        assert!(!splits(&rule, 0, 0, 1_800_000_000));
        assert!(splits(&rule, 0, 0, 1_800_000_001));
        assert!(!splits(&rule, 5, 5, 5));
        assert!(splits(&rule, i64::MIN, i64::MIN, i64::MAX));
        let longest = SessionRule::new(Duration::from_micros(MAX_MICROS)).unwrap().clock().clone();
        assert!(!splits(&longest, 0, 0, i64::MAX));
        assert!(splits(&longest, -1, -1, i64::MAX));
    }

    #[test]
    fn a_session_is_shorter_than_its_longest_length() {
        let rule = SessionRule::default().with_max_length(Duration::from_secs(60)).unwrap().clock().clone();
        assert!(!splits(&rule, 0, 59_999_999, 59_999_999));
        assert!(splits(&rule, 0, 59_999_999, 60_000_000));
        assert!(splits(&rule, i64::MIN, i64::MAX, i64::MAX));
        for bad in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            let error = SessionRule::default().with_max_length(bad).unwrap_err();
            assert!(error.to_string().starts_with("the longest session is"), "{error}");
        }
    }

    #[test]
    fn midnight_lies_between_two_days() {
        let rule = SessionRule::default().with_day_cut(Midnight::UTC).clock().clone();
        assert!(splits(&rule, -1, -1, 0));
        assert!(!splits(&rule, 0, 0, 1));
        let east = SessionRule::default().with_day_cut("+01:00".parse().unwrap()).clock().clone();
        assert!(!splits(&east, -1, -1, 0));
    }

    #[test]
    fn a_deadline_is_the_first_instant_that_splits() {
        let plain = SessionRule::default();
        let minute = 60_000_000;
        for rule in [
            plain.clone(),
            plain.clone().with_max_length(Duration::from_secs(900)).unwrap(),
            plain.clone().with_day_cut(Midnight::UTC),
            plain.clone().with_day_cut("Asia/Beirut".parse().unwrap()),
            plain.with_max_length(Duration::from_secs(300)).unwrap().with_day_cut("-02:30".parse().unwrap()),
        ] {
            let clock = rule.clock().clone();
            for (start, end) in [(-5 * minute, -minute), (0, 0), (145 * minute, 149 * minute)] {
                let deadline = clock.deadline(start, end);
                assert!(!splits(&clock, start, end, deadline - 1), "{rule:?}");
                assert!(splits(&clock, start, end, deadline), "{rule:?}");
            }
            assert_eq!(clock.deadline(i64::MAX, i64::MAX), i64::MAX);
        }
    }

    #[test]
    fn the_columns_are_those_that_the_rule_needs() {
        let plain = SessionRule::default();
        assert_eq!(plain.columns(), COLUMNS);
        assert_eq!(plain.clone().with_attribute_cut("event_type").columns(), COLUMNS);
        let more = SessionRule::source().with_attribute_cut("country");
        assert_eq!(more.columns()[COLUMNS.len()..], ["source_session", "country"]);
        assert_eq!(
            (more.basis(), more.attributes().collect::<Vec<_>>()),
            (SessionBasis::Source, vec!["country"])
        );
        let several =
            more.with_attribute_cut("event_type").with_attribute_cut("country").with_attribute_cut("brand");
        assert_eq!(several.attributes().collect::<Vec<_>>(), ["country", "event_type", "brand"]);
        assert_eq!(several.columns()[COLUMNS.len()..], ["source_session", "country", "brand"]);
    }
}
