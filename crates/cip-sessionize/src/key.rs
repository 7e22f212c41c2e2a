//! The key of a session: a hash of whose it is and when it started.

use cip_core::{IdRef, Timestamp};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Returns the key of the session that `user` started at `start`.
///
/// The key depends on nothing else, so it is the same in every run, however many sessions were found before it.
/// It moves when the start does: an event that arrives late and belongs before the first one makes another
/// session.
///
/// # Method
/// XXH3-64 with seed 0 (xxHash 0.8) of these bytes:
///
/// | bytes | |
/// |---|---|
/// | 8 | an Int64 id as two's complement, little-endian, |
/// | any | or a Utf8 id as its bytes, without length or terminator |
/// | 8 | `start` in microseconds since 1970-01-01T00:00:00Z, two's complement, little-endian |
///
/// The seed is 0, but for a session that starts at the same instant as earlier ones of its user: see [`twin_session_key`].
///
/// The layout is one to one within a table, which has one type of ids. Two sessions share a key with the chance
/// of a 64-bit hash: for n sessions about n² / 2⁶⁵, which is 1.3 in 100,000 for a table of 22 million.
///
/// # Examples
/// ```
/// use cip_core::{IdRef, Timestamp};
/// use cip_sessionize::session_key;
/// let start: Timestamp = "2019-11-01".parse()?;
/// assert_eq!(session_key(IdRef::Int64(7), start), 6_848_640_551_652_259_872);
/// # Ok::<(), cip_core::CoreError>(())
/// ```
pub fn session_key(user: IdRef<'_>, start: Timestamp) -> u64 {
    twin_session_key(user, start, 0)
}

/// Returns the key of a session before which `earlier` sessions of `user` stand that start at the same instant.
///
/// Sessions that are cut by the clock never start together. Those of a source may, and those that end where an attribute
/// changes: of events at one instant, too. They are counted in the order of `fact_sessions`.
///
/// # Method
/// As [`session_key`], with `earlier` as the seed.
///
/// # Examples
/// ```
/// use cip_core::{IdRef, Timestamp};
/// use cip_sessionize::{session_key, twin_session_key};
/// let start: Timestamp = "2019-11-01".parse()?;
/// let keys = [0, 1].map(|earlier| twin_session_key(IdRef::Int64(7), start, earlier));
/// assert!(keys[0] == session_key(IdRef::Int64(7), start) && keys[1] != keys[0]);
/// # Ok::<(), cip_core::CoreError>(())
/// ```
pub fn twin_session_key(user: IdRef<'_>, start: Timestamp, earlier: u64) -> u64 {
    session_key_in(user, start.micros(), earlier, &mut Vec::new())
}

/// As [`twin_session_key`], with room for the bytes of a text id.
pub(crate) fn session_key_in(user: IdRef<'_>, start: i64, earlier: u64, scratch: &mut Vec<u8>) -> u64 {
    let hash = |bytes: &[u8]| if earlier == 0 { xxh3_64(bytes) } else { xxh3_64_with_seed(bytes, earlier) };
    match user {
        IdRef::Int64(user) => {
            let bytes = (u128::from(start.cast_unsigned()) << 64) | u128::from(user.cast_unsigned());
            hash(&bytes.to_le_bytes())
        }
        IdRef::Utf8(user) => {
            scratch.clear();
            scratch.extend_from_slice(user.as_bytes());
            scratch.extend_from_slice(&start.to_le_bytes());
            hash(scratch)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_the_documented_one() {
        let (user, start) = (-541_312_140_i64, -1_569_888_000_000_001_i64);
        let bytes = [user.to_le_bytes(), start.to_le_bytes()].concat();
        let at = Timestamp::from_micros(start);
        assert_eq!(session_key(IdRef::Int64(user), at), xxh3_64(&bytes));
        for id in ["", "17850", "Zoë"] {
            let bytes = [id.as_bytes(), &start.to_le_bytes()].concat();
            assert_eq!(session_key(IdRef::Utf8(id), at), xxh3_64(&bytes), "{id}");
            assert_eq!(twin_session_key(IdRef::Utf8(id), at, 2), xxh3_64_with_seed(&bytes, 2), "{id}");
        }
    }
}
