//! Exact money: decimals as scaled integers, never floats.

use std::fmt;

use arrow_schema::DataType;

use crate::error::{CoreError, MoneyFault};

/// Digits of an amount: `Decimal128(18, s)`, which Parquet stores as INT64.
pub const AMOUNT_PRECISION: u8 = 18;
/// Digits of a sum of amounts: `Decimal128(38, s)`.
pub const SUM_PRECISION: u8 = 38;

/// The largest sum: 38 nines.
const MAX_SUM: u128 = 10u128.pow(SUM_PRECISION as u32) - 1;
const MAX_AMOUNT: u64 = 999_999_999_999_999_999;

/// Returns a sum of amounts as it came, where it fits 38 digits.
///
/// # Errors
/// [`CoreError::MoneyOverflow`], which names `column`, where it does not, or where adding it up left 128 bits (none).
pub fn check_sum(column: &'static str, sum: Option<i128>) -> Result<i128, CoreError> {
    sum.filter(|sum| sum.unsigned_abs() <= MAX_SUM).ok_or(CoreError::MoneyOverflow { column })
}

/// How many decimals a money column keeps (0..=9).
///
/// A scale comes from the source mapping, because only the source knows its currency's smallest unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct MoneyScale(u8);

impl MoneyScale {
    /// Returns the scale of `decimals` places, or an error beyond 9.
    pub fn new(decimals: u8) -> Result<Self, CoreError> {
        if decimals <= 9 {
            Ok(Self(decimals))
        } else {
            Err(CoreError::Quantity {
                text: decimals.to_string(),
                expected: "a money scale of 0 to 9 decimals",
            })
        }
    }

    /// The number of decimals.
    pub fn decimals(self) -> u8 {
        self.0
    }

    /// The Arrow type of one amount.
    pub fn amount_type(self) -> DataType {
        DataType::Decimal128(AMOUNT_PRECISION, self.0.cast_signed())
    }

    /// The Arrow type of a sum of amounts.
    pub fn sum_type(self) -> DataType {
        DataType::Decimal128(SUM_PRECISION, self.0.cast_signed())
    }

    /// Returns the amount in units of 10^-scale that `text` writes.
    ///
    /// Accepts an optional sign, digits, and one point with digits on at least one side. No exponent, no
    /// grouping, no blanks.
    ///
    /// # Errors
    /// [`MoneyFault::Scale`] where more decimals are written than the scale keeps, zeros included: an amount is
    /// taken as written or not at all. [`MoneyFault::Overflow`] beyond 18 digits.
    ///
    /// # Examples
    /// ```
    /// use cip_core::{MoneyFault, MoneyScale};
    /// let cents = MoneyScale::new(2)?;
    /// assert_eq!(cents.parse(b"35.79"), Ok(3579));
    /// assert_eq!(cents.parse(b"-4.5"), Ok(-450));
    /// assert_eq!(cents.parse(b"0.001"), Err(MoneyFault::Scale));
    /// # Ok::<(), cip_core::CoreError>(())
    /// ```
    pub fn parse(self, text: &[u8]) -> Result<i64, MoneyFault> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let mut units = 0u64;
        let mut seen = 0usize;
        let mut decimals: Option<u8> = None;
        for &byte in digits {
            match byte {
                b'0'..=b'9' => {
                    if let Some(places) = &mut decimals {
                        if *places == self.0 {
                            // Say "not a number" rather than "scale" of text such as 1.23abc.
                            let rest_is_number = digits.iter().all(|b| b.is_ascii_digit() || *b == b'.');
                            return Err(if rest_is_number {
                                MoneyFault::Scale
                            } else {
                                MoneyFault::NotDecimal
                            });
                        }
                        *places += 1;
                    }
                    units = units
                        .checked_mul(10)
                        .and_then(|u| u.checked_add(u64::from(byte - b'0')))
                        .ok_or(MoneyFault::Overflow)?;
                    seen += 1;
                }
                b'.' if decimals.is_none() => decimals = Some(0),
                _ => return Err(MoneyFault::NotDecimal),
            }
        }
        if seen == 0 {
            return Err(MoneyFault::NotDecimal);
        }
        let missing = self.0 - decimals.unwrap_or(0);
        let units = units.checked_mul(10u64.pow(u32::from(missing))).ok_or(MoneyFault::Overflow)?;
        if units > MAX_AMOUNT {
            return Err(MoneyFault::Overflow);
        }
        let units = units.cast_signed();
        Ok(if negative { -units } else { units })
    }

    /// Returns something that prints `units` as a decimal number.
    pub fn display(self, units: i128) -> impl fmt::Display {
        DisplayMoney { units, scale: self }
    }
}

impl TryFrom<u8> for MoneyScale {
    type Error = CoreError;

    fn try_from(decimals: u8) -> Result<Self, CoreError> {
        Self::new(decimals)
    }
}

impl From<MoneyScale> for u8 {
    fn from(scale: MoneyScale) -> u8 {
        scale.0
    }
}

struct DisplayMoney {
    units: i128,
    scale: MoneyScale,
}

impl fmt::Display for DisplayMoney {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let units = self.units.unsigned_abs();
        let one = 10u128.pow(u32::from(self.scale.0));
        let text = match self.scale.0 {
            0 => format!("{sign}{units}"),
            places => format!("{sign}{}.{:0width$}", units / one, units % one, width = usize::from(places)),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scale(decimals: u8) -> MoneyScale {
        MoneyScale::new(decimals).unwrap()
    }

    #[test]
    fn amounts_as_sources_write_them() {
        let cases: [(&str, u8, Result<i64, MoneyFault>); 16] = [
            ("35.79", 2, Ok(3579)),
            ("0.00", 2, Ok(0)),
            ("-11062.06", 3, Ok(-11_062_060)),
            ("+1", 2, Ok(100)),
            (".5", 2, Ok(50)),
            ("5.", 2, Ok(500)),
            ("999999999999999999", 0, Ok(999_999_999_999_999_999)),
            ("1000000000000000000", 0, Err(MoneyFault::Overflow)),
            ("99999999999999999999999", 2, Err(MoneyFault::Overflow)),
            ("1.234", 2, Err(MoneyFault::Scale)),
            ("1.230", 2, Err(MoneyFault::Scale)),
            ("1.234x", 2, Err(MoneyFault::NotDecimal)),
            ("", 2, Err(MoneyFault::NotDecimal)),
            ("-", 2, Err(MoneyFault::NotDecimal)),
            ("1e3", 2, Err(MoneyFault::NotDecimal)),
            ("1,000.00", 2, Err(MoneyFault::NotDecimal)),
        ];
        for (text, decimals, expected) in cases {
            assert_eq!(scale(decimals).parse(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn display_pads_and_keeps_the_sign() {
        assert_eq!(scale(2).display(-5).to_string(), "-0.05");
        assert_eq!(scale(0).display(17).to_string(), "17");
        assert_eq!(format!("{:>8}", scale(2).display(3579)), "   35.79");
    }

    #[test]
    fn a_scale_beyond_nine_is_refused() {
        assert!(MoneyScale::new(10).is_err());
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(units in -999_999_999_999_999_999i64..=999_999_999_999_999_999, decimals in 0u8..=9) {
            let text = scale(decimals).display(i128::from(units)).to_string();
            prop_assert_eq!(scale(decimals).parse(text.as_bytes()), Ok(units));
        }

        #[test]
        fn no_text_panics(text in proptest::collection::vec(any::<u8>(), 0..40), decimals in 0u8..=9) {
            let _ = scale(decimals).parse(&text);
        }
    }
}
