//! The bytes of a state that is kept from one run to the next: records behind a header, with a checksum behind them.

use std::io::{self, Read, Write};

use thiserror::Error;
use xxhash_rust::xxh3::Xxh3;

use crate::id::Id;

/// The longest text that is read: what a column of texts can hold.
const MAX_TEXT: u64 = i32::MAX as u64;

/// What stands before a record, and behind the last.
const RECORD: u8 = 1;
const END: u8 = 0;

/// What a state starts with, by which it is known.
#[derive(Debug, Clone, Copy)]
pub struct StateFormat {
    /// Its first bytes.
    pub magic: &'static [u8],
    /// What it is a state of, for errors, such as `sessions`.
    pub what: &'static str,
    /// The version that is written, and the only one that is read.
    pub version: u32,
}

/// Why a state could not be written or read.
#[derive(Debug, Error)]
pub enum StateFault {
    /// Reading or writing failed.
    #[error("the state of {what} cannot be {action}: {source}")]
    Io {
        /// What it is a state of.
        what: &'static str,
        /// `read` or `written`.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Bytes that are none of the format, or not the ones that were written.
    #[error(
        "the state of {what} is damaged at byte {at}, expected {expected}: take an earlier one, or read the events again"
    )]
    Damaged {
        /// What it should be a state of.
        what: &'static str,
        /// Where, in bytes from 0.
        at: u64,
        /// What should be there.
        expected: &'static str,
    },
    /// Another version.
    #[error("the state of {what} is of version {found}, expected {supported}: update cip")]
    Version {
        /// What it is a state of.
        what: &'static str,
        /// Its version.
        found: u32,
        /// The one that is read.
        supported: u32,
    },
    /// A state that was made with something else.
    #[error(
        "the state of {what} was made with `{found}`, expected `{expected}`: resume it as it was begun, or read the events again"
    )]
    Other {
        /// What it is a state of.
        what: &'static str,
        /// What it was made with.
        found: Box<str>,
        /// What was asked for.
        expected: Box<str>,
    },
}

/// Writes a state, and hashes what it writes.
///
/// # Output
/// Magic, version (u32), what it was made with (text); of each record a 1 and what the caller writes; a 0 and the XXH3-64 of all
/// before. Little-endian; a text is its length (u64) and its UTF-8 bytes, an id a 0 for none, a 1 and an Int64, or a 2 and a text.
#[derive(Debug)]
pub struct StateWriter<W> {
    to: W,
    what: &'static str,
    hash: Hash,
}

impl<W: Write> StateWriter<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// [`StateFault::Io`], as all that write.
    pub fn begin(to: W, format: StateFormat, made_with: &str) -> Result<Self, StateFault> {
        let mut writer = Self { to, what: format.what, hash: Hash::default() };
        writer.bytes(format.magic)?;
        writer.bytes(&format.version.to_le_bytes())?;
        writer.text(made_with)?;
        Ok(writer)
    }

    /// Begins a record.
    ///
    /// # Errors
    /// [`StateFault::Io`].
    pub fn record(&mut self) -> Result<(), StateFault> {
        self.byte(RECORD)
    }

    /// Ends the state behind its last record.
    ///
    /// # Errors
    /// [`StateFault::Io`].
    pub fn finish(mut self) -> Result<(), StateFault> {
        self.byte(END)?;
        let hash = self.hash.0.digest().to_le_bytes();
        self.bytes(&hash)?;
        let writing = |source| StateFault::Io { what: self.what, action: "written", source };
        self.to.flush().map_err(writing)
    }

    /// Writes a number.
    ///
    /// # Errors
    /// [`StateFault::Io`].
    pub fn int(&mut self, int: i64) -> Result<(), StateFault> {
        self.bytes(&int.to_le_bytes())
    }

    /// Writes a count.
    ///
    /// # Errors
    /// [`StateFault::Io`].
    pub fn count(&mut self, count: u64) -> Result<(), StateFault> {
        self.bytes(&count.to_le_bytes())
    }

    /// Writes an amount of money.
    ///
    /// # Errors
    /// [`StateFault::Io`].
    pub fn amount(&mut self, amount: i128) -> Result<(), StateFault> {
        self.bytes(&amount.to_le_bytes())
    }

    /// Writes a byte, such as a code.
    ///
    /// # Errors
    /// [`StateFault::Io`].
    pub fn byte(&mut self, byte: u8) -> Result<(), StateFault> {
        self.bytes(&[byte])
    }

    /// Writes an id, or that there is none.
    ///
    /// # Errors
    /// [`StateFault::Io`].
    pub fn id(&mut self, id: Option<&Id>) -> Result<(), StateFault> {
        match id {
            None => self.byte(0),
            Some(Id::Int64(value)) => {
                self.byte(1)?;
                self.int(*value)
            }
            Some(Id::Utf8(text)) => {
                self.byte(2)?;
                self.text(text)
            }
        }
    }

    fn text(&mut self, text: &str) -> Result<(), StateFault> {
        self.count(text.len() as u64)?;
        self.bytes(text.as_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), StateFault> {
        self.hash.0.update(bytes);
        let writing = |source| StateFault::Io { what: self.what, action: "written", source };
        self.to.write_all(bytes).map_err(writing)
    }
}

/// Reads a state. What it says of its own length is not believed: memory grows with the bytes that there are.
#[derive(Debug)]
pub struct StateReader<R> {
    from: R,
    what: &'static str,
    hash: Hash,
    at: u64,
}

impl<R: Read> StateReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`StateFault::Version`]; [`StateFault::Other`] where it was made with something else; [`StateFault::Damaged`] and
    /// [`StateFault::Io`], as all that read.
    pub fn begin(from: R, format: StateFormat, made_with: &str) -> Result<Self, StateFault> {
        let what = format.what;
        let mut reader = Self { from, what, hash: Hash::default(), at: 0 };
        const MAGIC: &str = "the first bytes of one";
        if reader.bytes(format.magic.len() as u64, MAGIC)? != format.magic {
            return Err(StateFault::Damaged { what, at: 0, expected: MAGIC });
        }
        let found = u32::from_le_bytes(reader.array("a version")?);
        if found != format.version {
            return Err(StateFault::Version { what, found, supported: format.version });
        }
        let found = reader.text()?;
        if *found != *made_with {
            return Err(StateFault::Other { what, found, expected: made_with.into() });
        }
        Ok(reader)
    }

    /// Whether a record begins; where none does, the state ends as it should.
    ///
    /// # Errors
    /// [`StateFault::Damaged`], also where the checksum differs or something follows; [`StateFault::Io`].
    pub fn record(&mut self, expected: &'static str) -> Result<bool, StateFault> {
        match self.byte(expected)? {
            RECORD => Ok(true),
            END => self.end().map(|()| false),
            _ => Err(self.damaged(expected)),
        }
    }

    /// Reads whether something follows.
    ///
    /// # Errors
    /// [`StateFault::Damaged`], [`StateFault::Io`].
    pub fn flag(&mut self, expected: &'static str) -> Result<bool, StateFault> {
        match self.byte(expected)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.damaged(expected)),
        }
    }

    /// Reads a number.
    ///
    /// # Errors
    /// [`StateFault::Damaged`], [`StateFault::Io`].
    pub fn int(&mut self) -> Result<i64, StateFault> {
        Ok(i64::from_le_bytes(self.array("a number")?))
    }

    /// Reads a count.
    ///
    /// # Errors
    /// [`StateFault::Damaged`], [`StateFault::Io`].
    pub fn count(&mut self) -> Result<u64, StateFault> {
        Ok(u64::from_le_bytes(self.array("a count")?))
    }

    /// Reads an amount of money.
    ///
    /// # Errors
    /// [`StateFault::Damaged`], [`StateFault::Io`].
    pub fn amount(&mut self) -> Result<i128, StateFault> {
        Ok(i128::from_le_bytes(self.array("an amount")?))
    }

    /// Reads a byte.
    ///
    /// # Errors
    /// [`StateFault::Damaged`], [`StateFault::Io`].
    pub fn byte(&mut self, expected: &'static str) -> Result<u8, StateFault> {
        let [byte] = self.array(expected)?;
        Ok(byte)
    }

    /// Reads an id, or that there is none.
    ///
    /// # Errors
    /// [`StateFault::Damaged`], [`StateFault::Io`].
    pub fn id(&mut self) -> Result<Option<Id>, StateFault> {
        match self.byte("an id")? {
            0 => Ok(None),
            1 => self.int().map(|value| Some(Id::Int64(value))),
            2 => self.text().map(|text| Some(Id::Utf8(text))),
            _ => Err(self.damaged("an id")),
        }
    }

    /// What to say of bytes that cannot be what is expected before here.
    pub fn damaged(&self, expected: &'static str) -> StateFault {
        StateFault::Damaged { what: self.what, at: self.at, expected }
    }

    fn reading(&self, source: io::Error) -> StateFault {
        StateFault::Io { what: self.what, action: "read", source }
    }

    /// Compares the hash, and sees that nothing follows.
    fn end(&mut self) -> Result<(), StateFault> {
        let expected = self.hash.0.digest();
        if u64::from_le_bytes(self.array("a checksum")?) != expected {
            return Err(self.damaged("the checksum of the bytes before"));
        }
        let mut more = Vec::new();
        let read = self.from.by_ref().take(1).read_to_end(&mut more);
        let read = read.map_err(|error| self.reading(error))?;
        if read == 0 { Ok(()) } else { Err(self.damaged("nothing more")) }
    }

    fn text(&mut self) -> Result<Box<str>, StateFault> {
        let length = self.count()?;
        if length > MAX_TEXT {
            return Err(self.damaged("the length of a text"));
        }
        let text = String::from_utf8(self.bytes(length, "a text")?).map_err(|_| self.damaged("a text"))?;
        Ok(text.into())
    }

    fn array<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N], StateFault> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged(expected),
            _ => self.reading(error),
        })?;
        self.took(&bytes);
        Ok(bytes)
    }

    fn bytes(&mut self, count: u64, expected: &'static str) -> Result<Vec<u8>, StateFault> {
        let mut bytes = Vec::new();
        let read = self.from.by_ref().take(count).read_to_end(&mut bytes);
        read.map_err(|error| self.reading(error))?;
        if (bytes.len() as u64) < count {
            return Err(self.damaged(expected));
        }
        self.took(&bytes);
        Ok(bytes)
    }

    fn took(&mut self, bytes: &[u8]) {
        self.hash.0.update(bytes);
        self.at += bytes.len() as u64;
    }
}

/// The hash of the bytes so far.
#[derive(Default)]
struct Hash(Box<Xxh3>);

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0.digest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: StateFormat = StateFormat { magic: b"test", what: "tests", version: 3 };

    fn written() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = StateWriter::begin(&mut bytes, FORMAT, "é").unwrap();
        for id in [None, Some(Id::Int64(-7)), Some(Id::Utf8("ü".into()))] {
            writer.record().unwrap();
            writer.id(id.as_ref()).unwrap();
            writer.amount(i128::MIN).unwrap();
        }
        writer.finish().unwrap();
        bytes
    }

    fn read(bytes: &[u8], made_with: &str) -> Result<Vec<(Option<Id>, i128)>, StateFault> {
        let mut reader = StateReader::begin(bytes, FORMAT, made_with)?;
        let mut records = Vec::new();
        while reader.record("a record or the end")? {
            records.push((reader.id()?, reader.amount()?));
        }
        Ok(records)
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let good = written();
        let expected = [None, Some(Id::Int64(-7)), Some(Id::Utf8("ü".into()))].map(|id| (id, i128::MIN));
        assert_eq!(read(&good, "é").unwrap(), expected);
        let other = read(&good, "e").unwrap_err().to_string();
        assert!(
            other.starts_with("the state of tests was made with `é`, expected `e`: resume it"),
            "{other}"
        );
        let none = read(b"PAR1", "e").unwrap_err().to_string();
        assert!(
            none.starts_with("the state of tests is damaged at byte 0, expected the first bytes of one"),
            "{none}"
        );
        for at in 0..good.len() {
            assert!(matches!(read(&good[..at], "é"), Err(StateFault::Damaged { .. })), "cut at {at}");
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(read(&bad, "é").is_err(), "byte {at}, bit {bit}");
            }
        }
        assert!(matches!(read(&[&good[..], &[0]].concat(), "é"), Err(StateFault::Damaged { .. })));
    }
}
