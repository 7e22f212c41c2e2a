//! Numbers of a few bits or bytes: variable-length integers and the runs of Parquet's hybrid encoding.

/// Appends an unsigned integer, seven bits a byte, the lowest first.
pub(super) fn varint(mut value: u64, into: &mut Vec<u8>) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// Appends a signed integer: small ones of both signs are short.
pub(super) fn zigzag(value: i64, into: &mut Vec<u8>) {
    varint((value << 1 ^ value >> 63).cast_unsigned(), into);
}

/// Appends a run of `count` times the value that `bytes` hold, the lowest first.
pub(super) fn run(count: usize, bytes: &[u8], into: &mut Vec<u8>) {
    varint((count as u64) << 1, into);
    into.extend_from_slice(bytes);
}

/// Appends what stands before `count` packed values; they are filled up to a multiple of eight.
pub(super) fn packed_header(count: usize, into: &mut Vec<u8>) {
    varint((count.div_ceil(8) as u64) << 1 | 1, into);
}

/// How many bits a code takes, of so many. More than two bits are whole bytes: zstd sees bytes, and finds more in codes
/// that do not cross their borders than the bits between would have saved.
pub(super) fn code_bits(codes: usize) -> u8 {
    match codes {
        0..=2 => 1,
        3..=4 => 2,
        5..=256 => 8,
        _ => 16,
    }
}

/// How many bits tell so many codes apart.
pub(super) fn fewest_code_bits(codes: usize) -> u8 {
    codes.saturating_sub(1).checked_ilog2().map_or(1, |bits| bits as u8 + 1)
}

/// Appends codes of up to 16 bits, filled up to a multiple of eight codes.
pub(super) fn codes(codes: &[u16], bits: u8, into: &mut Vec<u8>) {
    packed_header(codes.len(), into);
    let fill = codes.len().next_multiple_of(8) - codes.len();
    match bits {
        1 | 2 => {
            let a_byte = 8 / usize::from(bits);
            let byte = |codes: &[u16]| codes.iter().rev().fold(0, |byte, &code| byte << bits | code as u8);
            into.extend(codes.chunks(a_byte).map(byte));
            into.resize(into.len() + fill / a_byte, 0);
        }
        8 => {
            into.extend(codes.iter().map(|&code| code as u8));
            into.resize(into.len() + fill, 0);
        }
        16 => {
            into.extend(codes.iter().flat_map(|code| code.to_le_bytes()));
            into.resize(into.len() + 2 * fill, 0);
        }
        _ => {
            let end = into.len() + (codes.len() + fill) * usize::from(bits) / 8;
            pack(codes.iter().map(|&code| u64::from(code)), u32::from(bits), into);
            into.resize(end, 0);
        }
    }
}

/// Appends values of `width` bits, the lowest bits first.
pub(super) fn pack(values: impl IntoIterator<Item = u64>, width: u32, into: &mut Vec<u8>) {
    let (mut held, mut bits) = (0u128, 0);
    for value in values {
        held |= u128::from(value) << bits;
        bits += width;
        if bits >= 64 {
            into.extend_from_slice(&(held as u64).to_le_bytes());
            held >>= 64;
            bits -= 64;
        }
    }
    into.extend_from_slice(&held.to_le_bytes()[..bits.div_ceil(8) as usize]);
}
