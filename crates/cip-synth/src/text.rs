//! Numbers, times and UUIDs written straight into a byte buffer.

/// `00` to `99`.
const PAIRS: [[u8; 2]; 100] = {
    let mut table = [[0; 2]; 100];
    let mut i = 0;
    while i < 100 {
        table[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
        i += 1;
    }
    table
};

/// `00` to `ff`.
const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = [digits[i / 16], digits[i % 16]];
        i += 1;
    }
    table
};

/// Appends a whole number.
#[inline]
pub(crate) fn push_uint(out: &mut Vec<u8>, mut n: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    while n >= 100 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[(n % 100) as usize]);
        n /= 100;
    }
    if n >= 10 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[n as usize]);
    } else {
        at -= 1;
        digits[at] = b'0' + n as u8;
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends two digits of `n % 100`.
#[inline]
pub(crate) fn push_pair(out: &mut Vec<u8>, n: u32) {
    out.extend_from_slice(&PAIRS[n as usize % 100]);
}

/// Appends hundredths with two decimals: 3579 as `35.79`.
#[inline]
pub(crate) fn push_cents(out: &mut Vec<u8>, cents: u64) {
    push_uint(out, cents / 100);
    out.push(b'.');
    push_pair(out, (cents % 100) as u32);
}

/// Appends hundredths with the fewest decimals, at least one: 210 as `2.1`, 300 as `3.0`.
pub(crate) fn push_short_cents(out: &mut Vec<u8>, cents: u64) {
    push_cents(out, cents);
    if cents.is_multiple_of(10) {
        out.pop();
    }
}

/// Appends 16 bytes as a lower-case version 4 UUID.
#[inline]
pub(crate) fn push_uuid(out: &mut Vec<u8>, high: u64, low: u64) {
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    let mut bytes = [0u8; 16];
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    bytes[8..].copy_from_slice(&low.to_be_bytes());
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at..at + 2].copy_from_slice(&HEX[usize::from(*byte)]);
        at += 2;
    }
    out.extend_from_slice(&text);
}

/// Appends a field of CSV, quoted where RFC 4180 asks for it.
pub(crate) fn push_field(out: &mut Vec<u8>, field: &str) {
    if !field.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        out.extend_from_slice(field.as_bytes());
        return;
    }
    out.push(b'"');
    for byte in field.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn whole_numbers_are_written_as_the_standard_library_writes_them() {
        for n in [0, 7, 10, 99, 100, 101, 12_345, 2_053_013_555_631_882_655, u64::MAX] {
            assert_eq!(text(|out| push_uint(out, n)), n.to_string());
        }
    }

    #[test]
    fn amounts_keep_two_decimals_or_the_fewest() {
        assert_eq!(text(|out| push_cents(out, 0)), "0.00");
        assert_eq!(text(|out| push_cents(out, 108_105)), "1081.05");
        for (cents, short) in [(210, "2.1"), (300, "3.0"), (255, "2.55"), (0, "0.0"), (5, "0.05")] {
            assert_eq!(text(|out| push_short_cents(out, cents)), short);
        }
    }

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        assert_eq!(text(|out| push_uuid(out, 0, 0)), "00000000-0000-4000-8000-000000000000");
        assert_eq!(text(|out| push_uuid(out, u64::MAX, u64::MAX)), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let digits = text(|out| push_uuid(out, 0x0123_4567_89ab_cdef, 0x8123_4567_89ab_cdef));
        assert_eq!(digits, "01234567-89ab-4def-8123-456789abcdef");
    }

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(text(|out| push_field(out, "RED MUG ")), "RED MUG ");
        assert_eq!(text(|out| push_field(out, "FRAME 7\" SIZE, RED")), "\"FRAME 7\"\" SIZE, RED\"");
    }
}
