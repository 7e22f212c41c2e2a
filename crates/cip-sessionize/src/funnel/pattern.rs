//! Patterns of events: `(?1).*(?t<=3600)(?2)`.

use std::str::FromStr;

use crate::error::SessionizeError;
use crate::funnel::definition::MAX_STEPS;

/// A pattern of events, in the syntax of ClickHouse's `sequenceMatch`.
///
/// | in the pattern | matches |
/// |---|---|
/// | `(?2)` | an event that meets the second condition; there are 1 to [`MAX_STEPS`] |
/// | `.` | one event that meets any condition |
/// | `.*` | any number of events, none included |
/// | `(?t<=3600)` | as `.*`, where the events before and behind it lie no more than 3,600 seconds apart; `<`, `>`, `>=` and `==` as well |
///
/// Without `.*` or a time between them, two events stand next to each other among those that meet a condition.
///
/// # Examples
/// ```
/// use cip_sessionize::SequencePattern;
/// let pattern: SequencePattern = "(?1).*(?t<=3600)(?2)".parse()?;
/// assert_eq!(pattern.conditions(), 2);
/// let text = "(?1)(?".parse::<SequencePattern>().unwrap_err().to_string();
/// assert!(text.starts_with("the pattern `(?1)(?` goes wrong at byte 4: expected"));
/// # Ok::<(), cip_sessionize::SessionizeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequencePattern {
    /// At least one.
    pub(crate) places: Vec<Place>,
}

/// An event of a pattern, and how it follows the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which condition it meets, from 0; any where there is none.
    pub(crate) condition: Option<usize>,
    /// Of the first place it has no meaning.
    pub(crate) gap: Gap,
}

/// What lies between two events of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gap {
    /// No event.
    Nothing,
    /// Any events, and a time from `least` to `most` microseconds, both included.
    Anything { least: u64, most: u64 },
}

impl Gap {
    const ANY: Self = Self::Anything { least: 0, most: u64::MAX };

    /// Returns the gap for which this and another time hold.
    fn and(self, least: u64, most: u64) -> Self {
        match self {
            Self::Nothing => Self::Anything { least, most },
            Self::Anything { least: a, most: b } => Self::Anything { least: least.max(a), most: most.min(b) },
        }
    }
}

impl SequencePattern {
    /// The highest number of a condition in the pattern.
    pub fn conditions(&self) -> usize {
        self.places.iter().filter_map(|place| place.condition).max().map_or(0, |condition| condition + 1)
    }
}

impl FromStr for SequencePattern {
    type Err = SessionizeError;

    /// Reads a pattern.
    ///
    /// # Errors
    /// [`SessionizeError::Pattern`] at the first byte that makes no sense, where there is no event in it, and where a time
    /// is not between two events.
    fn from_str(text: &str) -> Result<Self, SessionizeError> {
        let refuse = |at: usize, expected: &'static str| SessionizeError::Pattern {
            pattern: text.into(),
            at,
            expected,
        };
        let mut places: Vec<Place> = Vec::new();
        let (mut rest, mut gap, mut timed) = (text, Gap::Nothing, false);
        while !rest.is_empty() {
            let at = text.len() - rest.len();
            if let Some(behind) = rest.strip_prefix(".*") {
                if gap == Gap::Nothing {
                    gap = Gap::ANY;
                }
                rest = behind;
                continue;
            }
            let condition = if let Some(behind) = rest.strip_prefix('.') {
                rest = behind;
                None
            } else {
                let element = rest.strip_prefix("(?").and_then(|inner| inner.split_once(')'));
                let (inner, behind) =
                    element.ok_or_else(|| refuse(at, "`(?1)`, `.`, `.*` or a time such as `(?t<=60)`"))?;
                rest = behind;
                if let Some(time) = inner.strip_prefix('t') {
                    let limits = limits(time).ok_or_else(|| {
                        refuse(at, "<, <=, >, >= or == and a whole number of seconds, such as `(?t<=60)`")
                    })?;
                    if places.is_empty() {
                        return Err(refuse(at, "an event before a time"));
                    }
                    (gap, timed) = (gap.and(limits.0, limits.1), true);
                    continue;
                }
                let number = whole_number(inner).and_then(|number| usize::try_from(number).ok());
                match number {
                    Some(number @ 1..=MAX_STEPS) => Some(number - 1),
                    _ => return Err(refuse(at, "the number of a condition, from 1 to 32")),
                }
            };
            places.push(Place { condition, gap });
            (gap, timed) = (Gap::Nothing, false);
        }
        if timed {
            return Err(refuse(text.len(), "an event behind a time"));
        }
        if places.is_empty() {
            return Err(refuse(text.len(), "an event, such as `(?1)`"));
        }
        Ok(Self { places })
    }
}

/// The least and the most microseconds that a comparison such as `<=60` allows.
fn limits(text: &str) -> Option<(u64, u64)> {
    let digits = text.find(|char: char| char.is_ascii_digit())?;
    let (comparison, number) = text.split_at(digits);
    let micros = whole_number(number)?.saturating_mul(1_000_000);
    Some(match comparison {
        "<=" => (0, micros),
        // Nothing is less than 0: then the least is more than the most.
        "<" => micros.checked_sub(1).map_or((1, 0), |most| (0, most)),
        ">=" => (micros, u64::MAX),
        ">" => (micros.saturating_add(1), u64::MAX),
        "==" => (micros, micros),
        _ => return None,
    })
}

/// A number of digits alone.
fn whole_number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<Place> {
        text.parse::<SequencePattern>().unwrap().places
    }

    #[test]
    fn elements_become_events_and_what_lies_between() {
        let place = |condition, gap| Place { condition, gap };
        let seconds =
            |least: u64, most: u64| Gap::Anything { least: least * 1_000_000, most: most * 1_000_000 };
        assert_eq!(places("(?1)(?2)"), [place(Some(0), Gap::Nothing), place(Some(1), Gap::Nothing)]);
        assert_eq!(places("(?32).*.")[1], place(None, Gap::ANY));
        assert_eq!(places("(?1)(?t>=5)(?t<=9)(?2)")[1], place(Some(1), seconds(5, 9)));
        assert_eq!(places("(?1).*(?t==7).*(?2)")[1], place(Some(1), seconds(7, 7)));
        assert_eq!(places("(?1)(?t<1)(?1)")[1].gap, Gap::Anything { least: 0, most: 999_999 });
        assert_eq!(places("(?1)(?t>1)(?1)")[1].gap, Gap::Anything { least: 1_000_001, most: u64::MAX });
        // Around a pattern any events may lie.
        assert_eq!(places(".*(?1).*").len(), 1);
    }

    #[test]
    fn what_goes_wrong_is_named_with_its_place() {
        let text = |pattern: &str| pattern.parse::<SequencePattern>().unwrap_err().to_string();
        for (pattern, at) in [
            ("", 0),
            (".*", 2),
            ("(?0)", 0),
            ("(?33)", 0),
            ("(?1)(?+2)", 4),
            ("(?1)x", 4),
            ("(?1)(?t<=1", 4),
            ("(?1)(?t=5)(?2)", 4),
            ("(?1)(?t<= 5)(?2)", 4),
            ("(?1)(?t<=5s)(?2)", 4),
            ("(?t<=5)(?1)", 0),
            ("(?1)(?t<=5)", 11),
            ("(?é)", 0),
            ("é", 0),
        ] {
            assert!(
                text(pattern).contains(&format!("goes wrong at byte {at}: expected")),
                "{}",
                text(pattern)
            );
        }
        assert_eq!(
            text("(?1)(?t~5)(?2)"),
            "the pattern `(?1)(?t~5)(?2)` goes wrong at byte 4: expected <, <=, >, >= or == and a whole number of \
             seconds, such as `(?t<=60)`"
        );
    }
}
