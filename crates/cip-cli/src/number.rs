//! Numbers as people read them.

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(value: impl std::fmt::Display) -> String {
    let text = value.to_string();
    let (sign, rest) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, fraction) =
        rest.split_once('.').map_or((rest, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut grouped = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if let Some(fraction) = fraction {
        grouped.push('.');
        grouped.push_str(fraction);
    }
    grouped
}

/// Bytes in decimal units, as disks are sold and `ls -h --si` prints them.
pub(crate) fn bytes(value: u64) -> String {
    const UNITS: [(&str, f64); 4] = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let value_f = value as f64;
    UNITS
        .iter()
        .find(|(_, size)| value_f >= *size)
        .map_or_else(|| format!("{value} B"), |(unit, size)| format!("{:.1} {unit}", value_f / size))
}

/// `part` of `whole` as a percentage with one decimal, `-` of nothing.
pub(crate) fn percent(part: f64, whole: f64) -> String {
    if whole > 0.0 { format!("{:.1}%", 100.0 * part / whole) } else { "-".to_owned() }
}

/// Seconds in the two largest units that say something: `3.5 s`, `12 min 4 s`, `5 h 30 min`, `2 d 4 h`.
pub(crate) fn duration(seconds: f64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    if seconds < 60.0 {
        return format!("{seconds} s");
    }
    let mut rest = seconds.round() as u64;
    let largest = UNITS.iter().position(|(size, _)| rest >= *size).unwrap_or(UNITS.len() - 1);
    let mut parts = Vec::new();
    for (size, unit) in UNITS.into_iter().skip(largest).take(2) {
        if rest >= size {
            parts.push(format!("{} {unit}", rest / size));
            rest %= size;
        }
    }
    parts.join(" ")
}

/// A p-value as `p = 0.0744`, with four digits that say something.
pub(crate) fn p_value(p: f64) -> String {
    if p < 1e-4 {
        return if p < 1e-300 { "p < 1e-300".to_owned() } else { format!("p = {p:.1e}") };
    }
    let decimals = if p < 0.001 { 5 } else { 4 };
    format!("p = {p:.decimals$}")
}

/// `95%`, and `97.5%` where that is not whole.
pub(crate) fn percent_of(value: f64) -> String {
    let text = format!("{value:.2}");
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A number with four digits that say something.
pub(crate) fn significant(value: f64) -> String {
    if value == 0.0 {
        // Of either sign.
        return "0".to_owned();
    }
    if !value.is_finite() {
        return value.to_string();
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    if !(0..=8).contains(&digits) {
        return format!("{value:.3e}");
    }
    let text = format!("{value:.*}", digits.unsigned_abs() as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Reads a whole number that may be written as `2e6` or `2_000_000`.
pub(crate) fn parse_count(text: &str) -> Result<u64, String> {
    let plain = text.replace('_', "");
    if let Ok(count) = plain.parse::<u64>() {
        return Ok(count);
    }
    match plain.parse::<f64>() {
        Ok(count) if (0.0..=9e15).contains(&count) && count.fract() == 0.0 => Ok(count as u64),
        _ => Err("write a whole number, such as 2000000 or 2e6".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_read_them() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(-123), "-123");
        assert_eq!(grouped("-1234.50"), "-1,234.50");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(14_700_000_000), "14.7 GB");
        assert_eq!(percent(1.0, 3.0), "33.3%");
        assert_eq!(percent(0.0, 0.0), "-");
        assert_eq!([95.0, 97.5, 100.0].map(percent_of).join(" "), "95% 97.5% 100%");
        assert_eq!(
            [0.05, 0.0123456, 12.5, 1234.5, 1e-12, 0.0, 2e9].map(significant).join(" "),
            "0.05 0.01235 12.5 1234 1.000e-12 0 2.000e9"
        );
        let times = [0.0, 3.5, 60.0, 724.0, 86_400.0, 93_600.0, 93_599.4, 90_000.0, 86_460.0].map(duration);
        assert_eq!(times.join(", "), "0 s, 3.5 s, 1 min, 12 min 4 s, 1 d, 1 d 2 h, 1 d 1 h, 1 d 1 h, 1 d");
        assert_eq!(
            [1.0, 0.07441, 0.000_6, 2.96e-7, 0.0].map(p_value).join(" "),
            "p = 1.0000 p = 0.0744 p = 0.00060 p = 3.0e-7 p < 1e-300"
        );
    }

    #[test]
    fn counts_as_people_write_them() {
        assert_eq!(parse_count("2e6"), Ok(2_000_000));
        assert_eq!(parse_count("1_000"), Ok(1_000));
        assert_eq!(parse_count("1.5e3"), Ok(1_500));
        for text in ["", "-1", "1.5", "NaN", "inf", "1e99", "many"] {
            assert!(parse_count(text).is_err(), "{text}");
        }
    }
}
