//! The sessions that rows named lately: a row waits with the code of its session, not with its UUID.

use crate::packing::ID;
use cip_core::fetch;

/// What one thread knows of the sessions of all its parts: each at the one place that its UUID gives.
///
/// A session that is not found is named once more; sorting tells sessions apart by their ids.
#[derive(Debug, Default)]
pub(crate) struct SessionCodes {
    recent: Vec<Recent>,
}

#[derive(Debug, Clone, Copy)]
struct Recent {
    id: [u64; 2],
    /// What the code counts in.
    segment: u32,
    code: u32,
}

impl SessionCodes {
    /// They fit the processor's second cache, and hold the sessions of ten thousand users at once.
    const PLACES_BITS: u32 = 15;
    /// No segment has this number.
    const NONE: Recent = Recent { id: [0; 2], segment: u32::MAX, code: 0 };

    #[inline(always)]
    fn place(id: [u64; 2]) -> usize {
        let mixed = (id[0] ^ id[1].rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (u64::BITS - Self::PLACES_BITS)) as usize
    }

    /// Says that a session will be asked for.
    #[inline(always)]
    pub(crate) fn expect(&self, id: &[u8; ID]) {
        if let Some(recent) = self.recent.get(Self::place(words(id))) {
            fetch(recent);
        }
    }

    /// Returns the code of a session in a segment; where it is not known, that is `new`.
    #[inline(always)]
    pub(crate) fn code(&mut self, id: &[u8; ID], segment: u32, new: u32) -> u32 {
        if self.recent.is_empty() {
            self.recent.resize(1 << Self::PLACES_BITS, Self::NONE);
        }
        let id = words(id);
        let recent = &mut self.recent[Self::place(id)];
        // Whether it is known is hard to foretell: it is written in any case.
        let known = (recent.id == id) & (recent.segment == segment);
        let code = if known { recent.code } else { new };
        *recent = Recent { id, segment, code };
        code
    }
}

#[inline(always)]
fn words(id: &[u8; ID]) -> [u64; 2] {
    let word = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&id[at..at + 8]);
        u64::from_le_bytes(bytes)
    };
    [word(0), word(8)]
}
