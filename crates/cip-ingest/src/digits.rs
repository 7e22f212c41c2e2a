//! Digits eight at a time: numbers and times in the form that nearly all fields have.
//!
//! Each function returns none where the text has another form; `value.rs` then reads it in the general way and says
//! what is wrong with it, if something is.

use cip_core::MICROS_PER_DAY;

use crate::field::FieldText;
use crate::value::parse_date;

impl FieldText<'_> {
    /// The number that `length` (at most 19) digits from `at` on write.
    #[inline(always)]
    fn digits(&self, at: usize, length: usize) -> Option<u64> {
        match length {
            1..=8 => eight(self.word(at)?, length),
            9..=16 => {
                let high = eight(self.word(at)?, length - 8)?;
                Some(high * 100_000_000 + eight(self.word(at + length - 8)?, 8)?)
            }
            17..=19 => {
                let high = eight(self.word(at)?, length - 16)?;
                let middle = eight(self.word(at + length - 16)?, 8)?;
                let low = eight(self.word(at + length - 8)?, 8)?;
                Some((high * 100_000_000 + middle) * 100_000_000 + low)
            }
            _ => None,
        }
    }
}

const ONES: u64 = u64::MAX / 255;
const HIGH_BITS: u64 = 0x80 * ONES;

/// The number that the first `length` (1 to 8) bytes of a word write; none where one of them is not a digit.
#[inline(always)]
fn eight(word: u64, length: usize) -> Option<u64> {
    let unused = 64 - 8 * length as u32;
    // Leading zeros in the place of the bytes behind the digits.
    let digits = (word << unused) ^ ((u64::from(b'0') * ONES) << unused);
    if (digits | digits.wrapping_add(0x76 * ONES)) & HIGH_BITS != 0 {
        return None;
    }
    // Neighbours are joined: digits to numbers below 100, those to below 10,000, those to the whole.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let low = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
    let high = ((pairs >> 16) & 0x0000_00ff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
    Some(low.wrapping_add(high) >> 32)
}

/// An integer of at most 19 digits without a sign.
#[inline(always)]
pub(crate) fn int64(field: &FieldText<'_>) -> Option<i64> {
    i64::try_from(field.digits(0, field.len())?).ok()
}

/// An amount without a sign, of at most 16 digits before the point and exactly `decimals` (1 to 8) behind it.
#[inline(always)]
pub(crate) fn amount(field: &FieldText<'_>, decimals: u8) -> Option<i64> {
    let decimals = usize::from(decimals);
    let point = field.len().checked_sub(decimals + 1)?;
    if field.ahead()[point] != b'.' || !(1..=8).contains(&decimals) || point + decimals > 16 {
        return None;
    }
    let (whole, part) = (field.digits(0, point)?, field.digits(point + 1, decimals)?);
    const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
    Some((whole * POWERS[decimals] + part).cast_signed())
}

/// The date that was read last: most times are of the day of the one before.
#[derive(Debug)]
pub(crate) struct LastDate {
    text: [u8; 10],
    micros: i64,
}

impl Default for LastDate {
    fn default() -> Self {
        Self { text: *b"1970-01-01", micros: 0 }
    }
}

impl LastDate {
    /// UTC microseconds of `YYYY-MM-DD hh:mm:ss UTC`.
    #[inline(always)]
    pub(crate) fn time(&mut self, field: &FieldText<'_>) -> Option<i64> {
        let text: &[u8; 23] = field.ahead().first_chunk()?;
        let (date, clock) = text.split_first_chunk::<10>()?;
        if field.len() != 23 || clock[0] != b' ' || clock[9..] != *b" UTC" {
            return None;
        }
        if *date != self.text {
            self.micros = parse_date(date)? * MICROS_PER_DAY;
            self.text = *date;
        }
        // hh:mm:ss, the colons looked at as digits of which all is known.
        let word = field.word(11)?;
        const COLONS: u64 = 0x0000_ff00_00ff_0000;
        if word & COLONS != 0x0000_3a00_003a_0000 {
            return None;
        }
        let digits = (word & !COLONS) ^ (0x3030_0030_3000_3030);
        if (digits | digits.wrapping_add(0x76 * ONES)) & HIGH_BITS != 0 {
            return None;
        }
        let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
        let (hour, minute, second) = (pairs & 0xff, (pairs >> 24) & 0xff, (pairs >> 48) & 0xff);
        let seconds = (hour * 3_600 + minute * 60 + second).cast_signed();
        (hour <= 23 && minute <= 59 && second <= 59).then_some(self.micros + seconds * 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::TimeFormat;
    use crate::value::{parse_int64, parse_time};
    use cip_core::MoneyScale;
    use proptest::prelude::*;

    /// The text with something behind it, as in a file.
    fn with_field<T>(text: &str, behind: &str, read: impl FnOnce(&FieldText<'_>) -> T) -> T {
        let data = format!("{text}{behind}");
        read(&FieldText::new(data.as_bytes(), 0, text.len()))
    }

    #[test]
    fn the_usual_forms_are_read_this_way() {
        let behind = ",2053013552249695013,,furniture\n";
        assert_eq!(with_field("0", behind, int64), Some(0));
        assert_eq!(with_field("9223372036854775807", behind, int64), Some(i64::MAX));
        assert_eq!(with_field("9223372036854775808", behind, int64), None);
        assert_eq!(with_field("2053013552249695013", behind, int64), Some(2_053_013_552_249_695_013));
        assert_eq!(with_field("115.45", behind, |field| amount(field, 2)), Some(11_545));
        assert_eq!(with_field("115.4", behind, |field| amount(field, 2)), None);
        let mut last = LastDate::default();
        let mut time = |text| with_field(text, behind, |field| last.time(field));
        assert_eq!(time("2019-10-01 00:00:00 UTC"), Some(1_569_888_000_000_000));
        assert_eq!(time("2019-10-01 23:59:59 UTC"), Some(1_569_974_399_000_000));
        assert_eq!(time("2019-10-01 24:00:00 UTC"), None);
        assert_eq!(time("2019-10-01 00:00:60 UTC"), None);
        assert_eq!(time("2019-02-29 00:00:00 UTC"), None);
        assert_eq!(time("0000-00-00 00:00:00 UTC"), None);
    }

    proptest! {
        /// Whatever is read here is what the general way reads.
        #[test]
        fn integers_agree(text in "[0-9]{1,21}|[-+0-9./:a]{1,20}", behind in "[0-9,]{0,30}") {
            if let Some(value) = with_field(&text, &behind, int64) {
                prop_assert_eq!(parse_int64(text.as_bytes()), Ok(value));
            } else if behind.len() >= 8 {
                prop_assert!(text.len() > 19 || parse_int64(text.as_bytes()).is_err() || !text.bytes().all(|byte| byte.is_ascii_digit()));
            }
        }

        #[test]
        fn amounts_agree(text in "[0-9]{0,18}\\.[0-9]{0,9}|[-+0-9.a/]{1,20}", decimals in 0u8..=9, behind in "[0-9,]{0,30}") {
            if let Some(value) = with_field(&text, &behind, |field| amount(field, decimals)) {
                prop_assert_eq!(MoneyScale::new(decimals).unwrap().parse(text.as_bytes()), Ok(value));
            }
        }

        #[test]
        fn times_agree(
            texts in proptest::collection::vec(
                "20[0-9]{2}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-6][0-9]:[0-6][0-9] UTC|[-0-9]{10} [0-9:/]{8} UTC",
                1..9,
            ),
            behind in "[0-9,]{0,30}",
        ) {
            let mut last = LastDate::default();
            for text in texts {
                let general = parse_time(text.as_bytes(), TimeFormat::Iso8601).ok();
                let fast = with_field(&text, &behind, |field| last.time(field));
                prop_assert_eq!(fast, general);
            }
        }
    }
}
