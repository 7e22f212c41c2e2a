//! The inactivity rule: how long a pause ends a session.

use std::time::Duration;

use crate::error::SessionizeError;

/// The longest timeout in microseconds.
const MAX_MICROS: u64 = i64::MAX.cast_unsigned();

/// When a new session starts: where the gap to the same user's previous event is **greater** than the timeout.
///
/// A gap of exactly the timeout continues the session. The default of 30 minutes is Google Analytics' own
/// ("By default, a session lasts until there's 30 minutes of inactivity", Analytics Help,
/// <https://support.google.com/analytics/answer/2731565>); unlike the Analytics of that page, midnight and a
/// change of campaign do not end a session.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use cip_sessionize::SessionRule;
/// assert_eq!(SessionRule::default().timeout(), Duration::from_secs(1800));
/// assert_eq!(SessionRule::new(Duration::from_secs(900))?.timeout(), Duration::from_secs(900));
/// assert!(SessionRule::new(Duration::ZERO).is_err());
/// # Ok::<(), cip_sessionize::SessionizeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionRule {
    /// 1..=MAX_MICROS.
    micros: u64,
}

impl SessionRule {
    /// Returns the rule of `timeout`.
    ///
    /// # Errors
    /// [`SessionizeError::Timeout`] where it is zero, not in whole microseconds (the unit of event times), or
    /// more of them than 63 bits hold.
    pub fn new(timeout: Duration) -> Result<Self, SessionizeError> {
        match u64::try_from(timeout.as_micros()) {
            Ok(micros @ 1..=MAX_MICROS) if timeout.subsec_nanos().is_multiple_of(1_000) => {
                Ok(Self { micros })
            }
            _ => Err(SessionizeError::Timeout { timeout, max: Duration::from_micros(MAX_MICROS) }),
        }
    }

    /// The timeout.
    pub const fn timeout(self) -> Duration {
        Duration::from_micros(self.micros)
    }

    /// Whether an event at `next` starts a new session behind one at `time`, which is not later.
    #[inline]
    pub(crate) fn splits(self, time: i64, next: i64) -> bool {
        // The difference of two i64 in order always fits a u64.
        next.wrapping_sub(time).cast_unsigned() > self.micros
    }
}

impl Default for SessionRule {
    fn default() -> Self {
        Self { micros: 30 * 60 * 1_000_000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let rule = SessionRule::default();
        assert!(!rule.splits(0, 1_800_000_000));
        assert!(rule.splits(0, 1_800_000_001));
        assert!(!rule.splits(5, 5));
        assert!(rule.splits(i64::MIN, i64::MAX));
        let longest = SessionRule::new(Duration::from_micros(MAX_MICROS)).unwrap();
        assert!(!longest.splits(0, i64::MAX));
        assert!(longest.splits(-1, i64::MAX));
    }
}
