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

/// The value of each hexadecimal digit, 0xff for any other byte.
const HEX: [u8; 256] = {
    let mut table = [0xff; 256];
    let mut digit = 0u8;
    while digit < 16 {
        let lower = b"0123456789abcdef"[digit as usize];
        table[lower as usize] = digit;
        table[lower.to_ascii_uppercase() as usize] = digit;
        digit += 1;
    }
    table
};

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
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text: &[u8; 36] = text.try_into().ok()?;
        if HYPHENS.iter().any(|&at| text[at] != b'-') {
            return None;
        }
        const STARTS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
        let mut bytes = [0u8; 16];
        let mut invalid = 0u8;
        for (byte, start) in bytes.iter_mut().zip(STARTS) {
            let (high, low) = (HEX[usize::from(text[start])], HEX[usize::from(text[start + 1])]);
            invalid |= high | low;
            *byte = high << 4 | (low & 0x0f);
        }
        (invalid & 0xf0 == 0).then_some(Self(bytes))
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

    proptest! {
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
