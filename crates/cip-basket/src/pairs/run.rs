//! Pairs as bytes: a **run** holds all pairs of some baskets, sorted, and is read and merged without being held.
//!
//! Of each anchor, in the order of the ids: its code, how many products are with it, and of each of these, in the same order, the code, the number of
//! baskets that hold both, and where it is asked for the money. Numbers have as many bytes as they need, seven bits in each (LEB128); money is
//! folded, so that small negative amounts are short, too.

use std::io::{Read, Write};

use crate::error::BasketError;
use crate::pairs::counter::PairRows;

/// Bytes that a reader holds.
pub(crate) const READ: usize = 1 << 16;

/// Writes `rows`, which hold all pairs of their anchors, as codes. Ranks become codes by `codes`.
pub(crate) fn write_rows(
    rows: &PairRows,
    codes: &[u32],
    bytes: &mut Vec<u8>,
    mut writer: impl Write,
) -> Result<(), BasketError> {
    bytes.clear();
    let mut first = 0;
    for pairs in rows.pairs.chunk_by(|x, y| x.a == y.a) {
        number(u128::from(codes[pairs[0].a as usize]), bytes);
        number(pairs.len() as u128, bytes);
        for (at, pair) in (first..).zip(pairs) {
            number(u128::from(codes[pair.b as usize]), bytes);
            number(u128::from(pair.together), bytes);
            if let Some(&money) = rows.money.get(at) {
                number(fold(money), bytes);
            }
        }
        first += pairs.len();
    }
    Ok(writer.write_all(bytes)?)
}

/// Reads a run.
#[derive(Debug)]
pub(crate) struct RunReader<R> {
    reader: R,
    buffer: Box<[u8]>,
    read: usize,
    filled: usize,
}

impl<R: Read> RunReader<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, buffer: vec![0; READ].into_boxed_slice(), read: 0, filled: 0 }
    }

    /// Returns the code of the next anchor, and how many products are with it; none at the end.
    pub(crate) fn anchor(&mut self) -> Result<Option<(u32, u32)>, BasketError> {
        match self.byte()? {
            None => Ok(None),
            Some(first) => Ok(Some((small(self.number_from(first)?)?, self.small()?))),
        }
    }

    /// Returns a number that fits 32 bits.
    pub(crate) fn small(&mut self) -> Result<u32, BasketError> {
        small(self.number()?)
    }

    /// Returns an amount of money.
    pub(crate) fn money(&mut self) -> Result<i128, BasketError> {
        Ok(unfold(self.number()?))
    }

    fn number(&mut self) -> Result<u128, BasketError> {
        let first = self.byte()?.ok_or(damaged("it is cut"))?;
        self.number_from(first)
    }

    #[inline]
    fn number_from(&mut self, first: u8) -> Result<u128, BasketError> {
        let mut number = u128::from(first & 0x7f);
        let (mut last, mut shift) = (first, 7);
        while last & 0x80 != 0 {
            last = self.byte()?.ok_or(damaged("it is cut"))?;
            let bits = u128::from(last & 0x7f);
            if shift >= u128::BITS || bits << shift >> shift != bits {
                return Err(damaged("a number is too large"));
            }
            number |= bits << shift;
            shift += 7;
        }
        Ok(number)
    }

    #[inline]
    fn byte(&mut self) -> Result<Option<u8>, BasketError> {
        if self.read == self.filled {
            self.read = 0;
            self.filled = self.fill()?;
            if self.filled == 0 {
                return Ok(None);
            }
        }
        self.read += 1;
        Ok(Some(self.buffer[self.read - 1]))
    }

    #[cold]
    fn fill(&mut self) -> Result<usize, BasketError> {
        loop {
            match self.reader.read(&mut self.buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                result => return Ok(result?),
            }
        }
    }
}

pub(crate) fn damaged(reason: &'static str) -> BasketError {
    BasketError::NotPairCounts { reason }
}

/// Appends a number.
pub(crate) fn number(mut number: u128, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn small(number: u128) -> Result<u32, BasketError> {
    u32::try_from(number).map_err(|_| damaged("a number is too large"))
}

fn fold(amount: i128) -> u128 {
    ((amount << 1) ^ (amount >> 127)).cast_unsigned()
}

fn unfold(number: u128) -> i128 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_and_amounts_come_back(numbers in proptest::collection::vec((any::<u32>(), any::<i128>()), 0..50)) {
            let mut bytes = Vec::new();
            for &(small, money) in &numbers {
                number(u128::from(small), &mut bytes);
                number(fold(money), &mut bytes);
            }
            let mut reader = RunReader::new(&bytes[..]);
            for &(small, money) in &numbers {
                prop_assert_eq!(reader.small().unwrap(), small);
                prop_assert_eq!(reader.money().unwrap(), money);
            }
            prop_assert!(reader.anchor().unwrap().is_none());
        }
    }

    #[test]
    fn what_is_cut_or_too_large_is_refused() {
        for (bytes, reason) in
            [(&[0x80][..], "it is cut"), (&[5], "it is cut"), (&[0xff; 40], "a number is too large")]
        {
            let refused = RunReader::new(bytes).anchor().unwrap_err().to_string();
            assert!(refused.contains(reason), "{refused}");
        }
        assert!(RunReader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f][..]).small().is_err());
    }
}
