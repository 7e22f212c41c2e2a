//! UUIDs as 16 bytes.

use std::fmt;

use arrow_schema::DataType;

/// A UUID of any version: the 16 bytes that its text writes, most significant first.
///
/// Text is read in the form `8-4-4-4-12` of RFC 9562, in either case, and printed in lower case.
///
/// # Examples
/// ```
/// use cip_core::Uuid;
/// let text = "72d76fde-8bb3-4e00-8c23-a032dfed738c";
/// assert_eq!(Uuid::parse(text.as_bytes()).map(|uuid| uuid.to_string()), Some(text.to_owned()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

const HYPHENS: [usize; 4] = [8, 13, 18, 23];

const ONES: u64 = u64::MAX / 255;
const HIGH_BITS: u64 = 0x80 * ONES;

/// Returns four bytes, the first in the lowest bits, that eight hexadecimal digits write, and bits that are not zero
/// where one of them is not a digit.
#[inline(always)]
fn four_bytes(digits: u64) -> (u64, u64) {
    // Whether a byte below 0x80 lies in a range, as its highest bit.
    let range = |bytes: u64, first: u8, last: u8| {
        let from_first = bytes.wrapping_add(u64::from(0x80 - first) * ONES);
        let behind_last = bytes.wrapping_add(u64::from(0x7f - last) * ONES);
        from_first & !behind_last & HIGH_BITS
    };
    let low_bits = digits & !HIGH_BITS;
    let letters = range(low_bits | (0x20 * ONES), b'a', b'f');
    let invalid = !(range(low_bits, b'0', b'9') | letters) | digits;
    let nibbles = (digits & (0x0f * ONES)) + (letters >> 7) * 9;
    let pairs = (nibbles << 4 | nibbles >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    ((fours | fours >> 16) & 0xffff_ffff, invalid & HIGH_BITS)
}

impl Uuid {
    /// The Arrow storage type: 16 bytes, tagged with the `arrow.uuid` extension in a field.
    pub const DATA_TYPE: DataType = DataType::FixedSizeBinary(16);

    /// Returns the UUID of 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// Returns the UUID that `text` writes, or none.
    #[inline(always)]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text: &[u8; 36] = text.try_into().ok()?;
        if HYPHENS.iter().any(|&at| text[at] != b'-') {
            return None;
        }
        let word = |first: usize, second: usize| {
            let mut digits = [0; 8];
            digits[..4].copy_from_slice(&text[first..first + 4]);
            digits[4..].copy_from_slice(&text[second..second + 4]);
            four_bytes(u64::from_le_bytes(digits))
        };
        let [a, b, c, d] = [word(0, 4), word(9, 14), word(19, 24), word(28, 32)];
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(a.0 | b.0 << 32).to_le_bytes());
        bytes[8..].copy_from_slice(&(c.0 | d.0 << 32).to_le_bytes());
        (a.1 | b.1 | c.1 | d.1 == 0).then_some(Self(bytes))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The plain way, digit by digit.
    fn parse_by_digit(text: &[u8]) -> Option<Uuid> {
        let hyphens_stand = text.len() == 36 && HYPHENS.iter().all(|&at| text[at] == b'-');
        let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
        let hexadecimal =
            text.iter().enumerate().filter(|(at, _)| !HYPHENS.contains(at)).map(|(_, byte)| digit(byte));
        let digits: Vec<u8> = hexadecimal.collect::<Option<_>>()?;
        let bytes: Vec<u8> =
            digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
        hyphens_stand.then(|| bytes.try_into().ok().map(Uuid)).flatten()
    }

    proptest! {
        #[test]
        fn every_text_is_read_as_digit_by_digit(
            text in "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
            at in 0usize..36,
            byte: u8,
        ) {
            let mut text = text.into_bytes();
            prop_assert_eq!(Uuid::parse(&text), parse_by_digit(&text));
            text[at] = byte;
            prop_assert_eq!(Uuid::parse(&text), parse_by_digit(&text));
        }

        #[test]
        fn bytes_round_trip_through_text(bytes in any::<[u8; 16]>()) {
            let text = Uuid(bytes).to_string();
            prop_assert_eq!(Uuid::parse(text.as_bytes()), Some(Uuid(bytes)));
            prop_assert_eq!(Uuid::parse(text.to_uppercase().as_bytes()), Some(Uuid(bytes)));
        }

        #[test]
        fn one_wrong_byte_is_refused(at in 0usize..36, byte in any::<u8>()) {
            let mut text = *b"72d76fde-8bb3-4e00-8c23-a032dfed738c";
            let was_hyphen = text[at] == b'-';
            text[at] = byte;
            let fits = if was_hyphen { byte == b'-' } else { byte.is_ascii_hexdigit() };
            prop_assert_eq!(Uuid::parse(&text).is_some(), fits);
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        assert_eq!(Uuid::parse(b""), None);
        assert_eq!(Uuid::parse(b"72d76fde-8bb3-4e00-8c23-a032dfed738"), None);
        assert_eq!(Uuid::parse(b"72d76fde8bb34e008c23a032dfed738c"), None);
    }
}
