//! Field texts as values.

use cip_core::MICROS_PER_DAY;

use crate::reject::Reason;
use crate::rule::TimeFormat;

/// Returns the integer that `text` writes; a fraction of zeros (`17850.0`) is allowed.
pub(crate) fn parse_int64(text: &[u8]) -> Result<i64, Reason> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    // 18 digits always fit: the way that nearly all ids go.
    if !digits.is_empty() && digits.len() <= 18 && digits.iter().all(u8::is_ascii_digit) {
        let value = digits.iter().fold(0i64, |value, digit| value * 10 + i64::from(digit - b'0'));
        return Ok(if negative { -value } else { value });
    }
    let whole = match digits.iter().position(|&byte| byte == b'.') {
        Some(point) if digits[point + 1..].iter().all(|&byte| byte == b'0') => &digits[..point],
        Some(_) => return Err(Reason::InvalidInteger),
        None => digits,
    };
    if whole.is_empty() {
        return Err(Reason::InvalidInteger);
    }
    let mut value = 0i64;
    for &byte in whole {
        if !byte.is_ascii_digit() {
            return Err(Reason::InvalidInteger);
        }
        let digit = i64::from(byte - b'0');
        value = value
            .checked_mul(10)
            .and_then(|value| if negative { value.checked_sub(digit) } else { value.checked_add(digit) })
            .ok_or(Reason::OutOfRange)?;
    }
    Ok(value)
}

/// Returns the finite float that `text` writes.
pub(crate) fn parse_float64(text: &[u8]) -> Result<f64, Reason> {
    let text = std::str::from_utf8(text).map_err(|_| Reason::InvalidNumber)?;
    let value: f64 = text.parse().map_err(|_| Reason::InvalidNumber)?;
    if value.is_finite() { Ok(value) } else { Err(Reason::OutOfRange) }
}

/// Returns UTC microseconds.
pub(crate) fn parse_time(text: &[u8], format: TimeFormat) -> Result<i64, Reason> {
    let scaled = |factor: i64| {
        parse_int64(text)
            .map_err(|reason| if reason == Reason::InvalidInteger { Reason::InvalidTime } else { reason })?
            .checked_mul(factor)
            .ok_or(Reason::OutOfRange)
    };
    match format {
        TimeFormat::Iso8601 => parse_iso8601(text).ok_or(Reason::InvalidTime),
        TimeFormat::EpochSeconds => scaled(1_000_000),
        TimeFormat::EpochMillis => scaled(1_000),
        TimeFormat::BasicDate => parse_basic_date(text).ok_or(Reason::InvalidTime),
        TimeFormat::MonthFirst => parse_month_first(text).ok_or(Reason::InvalidTime),
    }
}

fn parse_basic_date(text: &[u8]) -> Option<i64> {
    let (year, rest) = text.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    parse_date(&[year, b"-", month, b"-", day].concat())?.checked_mul(MICROS_PER_DAY)
}

fn parse_month_first(text: &[u8]) -> Option<i64> {
    let (month, rest) = one_or_two_digits(text)?;
    let (day, rest) = one_or_two_digits(rest.strip_prefix(b"/")?)?;
    let (year, rest) = rest.strip_prefix(b"/")?.split_at_checked(4)?;
    let days = parse_date(&[year, b"-", &month, b"-", &day].concat())?;
    let start = days.checked_mul(MICROS_PER_DAY)?;
    if rest.is_empty() {
        return Some(start);
    }
    let (hour, rest) = one_or_two_digits(rest.strip_prefix(b" ")?)?;
    let (minute, rest) = two_digits(rest.strip_prefix(b":")?)?;
    let (second, rest) = match rest.strip_prefix(b":") {
        Some(rest) => two_digits(rest)?,
        None => (0, rest),
    };
    let (hour, _) = two_digits(&hour)?;
    let fits = rest.is_empty() && hour <= 23 && minute <= 59 && second <= 59;
    fits.then_some(start + (hour * 3_600 + minute * 60 + second) * 1_000_000)
}

/// One or two digits as two.
fn one_or_two_digits(text: &[u8]) -> Option<([u8; 2], &[u8])> {
    match text {
        [a, b, rest @ ..] if a.is_ascii_digit() && b.is_ascii_digit() => Some(([*a, *b], rest)),
        [a, rest @ ..] if a.is_ascii_digit() => Some(([b'0', *a], rest)),
        _ => None,
    }
}

fn parse_iso8601(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let days = parse_date(date)?;
    let Some((&separator, clock)) = rest.split_first() else { return days.checked_mul(MICROS_PER_DAY) };
    if !matches!(separator, b' ' | b'T' | b't') {
        return None;
    }
    let (hour, rest) = two_digits(clock)?;
    let (minute, rest) = two_digits(rest.strip_prefix(b":")?)?;
    let (second, rest) = match rest.strip_prefix(b":") {
        Some(rest) => two_digits(rest)?,
        None => (0, rest),
    };
    // 60 is a leap second, which UTC microseconds cannot tell from the second that follows.
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (micros, rest) = match rest.strip_prefix(b".") {
        Some(rest) => fraction(rest)?,
        None => (0, rest),
    };
    let seconds = hour * 3_600 + minute * 60 + second - offset_seconds(rest)?;
    Some(days * MICROS_PER_DAY + seconds * 1_000_000 + micros)
}

/// Returns the days since 1970-01-01 of `YYYY-MM-DD`.
pub(crate) fn parse_date(text: &[u8]) -> Option<i64> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = text else { return None };
    let digits = [y0, y1, y2, y3, m0, m1, d0, d1];
    if !digits.iter().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let number =
        |digits: &[&u8]| digits.iter().fold(0i64, |value, &&digit| value * 10 + i64::from(digit - b'0'));
    let (year, month, day) = (number(&[y0, y1, y2, y3]), number(&[m0, m1]), number(&[d0, d1]));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day < 1 || day > length {
        return None;
    }
    // Days from civil, after H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

fn two_digits(text: &[u8]) -> Option<(i64, &[u8])> {
    match text {
        [a, b, rest @ ..] if a.is_ascii_digit() && b.is_ascii_digit() => {
            Some((i64::from(a - b'0') * 10 + i64::from(b - b'0'), rest))
        }
        _ => None,
    }
}

/// One to nine digits after the point; what is finer than a microsecond must be zero, or it would be lost.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    let finer = digits.get(6..).unwrap_or_default();
    if length == 0 || length > 9 || finer.iter().any(|&digit| digit != b'0') {
        return None;
    }
    let micros = (0..6).fold(0i64, |micros, place| {
        micros * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0'))
    });
    Some((micros, rest))
}

/// Seconds east of UTC: nothing, `Z`, ` UTC`, `+02:00`, `+0200` or `-02`.
fn offset_seconds(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text {
        b"" | b"Z" | b"z" | b" UTC" | b"UTC" | b" Z" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = two_digits(rest)?;
    let minutes = match rest {
        b"" => 0,
        _ => match two_digits(rest.strip_prefix(b":").unwrap_or(rest))? {
            (minutes, b"") => minutes,
            _ => return None,
        },
    };
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_as_sources_write_them() {
        for (text, expected) in [
            ("17850.0", Ok(17850)),
            ("17850.", Ok(17850)),
            ("-12", Ok(-12)),
            ("+7", Ok(7)),
            ("9223372036854775807", Ok(i64::MAX)),
            ("-9223372036854775808", Ok(i64::MIN)),
            ("9223372036854775808", Err(Reason::OutOfRange)),
            ("17850.5", Err(Reason::InvalidInteger)),
            ("", Err(Reason::InvalidInteger)),
            ("-", Err(Reason::InvalidInteger)),
            (".0", Err(Reason::InvalidInteger)),
            ("1e3", Err(Reason::InvalidInteger)),
            (" 1", Err(Reason::InvalidInteger)),
        ] {
            assert_eq!(parse_int64(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn times_as_sources_write_them() {
        let micros = 1_569_888_000_000_000;
        for (text, expected) in [
            ("2019-10-01 00:00:00 UTC", Some(micros)),
            ("2019-10-01T00:00:00Z", Some(micros)),
            ("2019-10-01 00:00:00", Some(micros)),
            ("2019-10-01", Some(micros)),
            ("2019-10-01 00:00", Some(micros)),
            ("2019-10-01T02:00:00+02:00", Some(micros)),
            ("2019-09-30T23:30:00-0030", Some(micros)),
            ("2019-10-01T00:00:00.000001Z", Some(micros + 1)),
            ("2019-10-01T00:00:00.5Z", Some(micros + 500_000)),
            ("2019-10-01T00:00:00.000001500Z", None),
            ("2019-02-29 00:00:00", None),
            ("2019-10-01 24:00:00", None),
            ("2019-10-01 00:00:60", None),
            ("2019-10-01 00:00:00 CET", None),
            ("2019-10-1 00:00:00", None),
            ("", None),
            ("0000-01-01", Some(-62_167_219_200_000_000)),
        ] {
            assert_eq!(parse_time(text.as_bytes(), TimeFormat::Iso8601).ok(), expected, "{text}");
        }
        assert_eq!(parse_time(b"1569888000", TimeFormat::EpochSeconds), Ok(micros));
        assert_eq!(parse_time(b"1569888000000", TimeFormat::EpochMillis), Ok(micros));
        assert_eq!(parse_time(b"99999999999999999", TimeFormat::EpochSeconds), Err(Reason::OutOfRange));
        assert_eq!(parse_time(b"soon", TimeFormat::EpochSeconds), Err(Reason::InvalidTime));
    }

    proptest! {
        /// The calendar agrees with jiff's, which cip-core prints instants with.
        #[test]
        fn every_printed_instant_is_read_back(micros in -62_167_219_200_000_000i64..253_402_300_800_000_000) {
            let text = cip_core::Timestamp::from_micros(micros).to_string();
            prop_assert_eq!(parse_time(text.as_bytes(), TimeFormat::Iso8601), Ok(micros));
        }

        #[test]
        fn no_text_panics(text in proptest::collection::vec(any::<u8>(), 0..30)) {
            let _ = parse_int64(&text);
            let _ = parse_float64(&text);
            let _ = parse_time(&text, TimeFormat::Iso8601);
        }
    }
}
