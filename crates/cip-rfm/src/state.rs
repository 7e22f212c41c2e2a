//! The bytes of a state of incremental RFM.

use std::io::{Read, Write};

use cip_core::Id;
use xxhash_rust::xxh3::Xxh3;

use crate::error::RfmError;
use crate::incremental::{Line, Progress, Sum};

const MAGIC: &[u8; 7] = b"cip-rfm";
const VERSION: u32 = 1;

/// The longest text that is read: what a column of texts can hold.
const MAX_TEXT: u64 = i32::MAX as u64;

/// What stands before a line, and behind the last.
const LINE: u8 = 1;
const END: u8 = 0;

/// Writes a state, and hashes what it writes.
pub(crate) struct StateWriter<W> {
    to: W,
    hash: Box<Xxh3>,
}

impl<W: Write> StateWriter<W> {
    pub(crate) fn begin(to: W, made_with: &str, progress: Progress) -> Result<Self, RfmError> {
        let mut writer = Self { to, hash: Box::new(Xxh3::new()) };
        writer.bytes(MAGIC)?;
        writer.bytes(&VERSION.to_le_bytes())?;
        writer.text(made_with)?;
        writer.bytes(&progress.newest.to_le_bytes())?;
        writer.bytes(&progress.forgotten.to_le_bytes())?;
        writer.bytes(&progress.skipped.to_le_bytes())?;
        Ok(writer)
    }

    pub(crate) fn line(&mut self, user: &Id, line: &Line, sum: &Sum) -> Result<(), RfmError> {
        self.bytes(&[LINE])?;
        self.id(Some(user))?;
        self.id(line.order.as_ref())?;
        self.bytes(&line.time.to_le_bytes())?;
        self.bytes(&sum.purchases.to_le_bytes())?;
        self.bytes(&[u8::from(sum.last.is_some())])?;
        if let Some(last) = sum.last {
            self.bytes(&last.to_le_bytes())?;
        }
        self.bytes(&sum.amount.to_le_bytes())
    }

    pub(crate) fn finish(mut self) -> Result<(), RfmError> {
        self.bytes(&[END])?;
        let hash = self.hash.digest().to_le_bytes();
        self.bytes(&hash)?;
        self.to.flush().map_err(writing)
    }

    fn id(&mut self, id: Option<&Id>) -> Result<(), RfmError> {
        match id {
            None => self.bytes(&[0]),
            Some(Id::Int64(value)) => {
                self.bytes(&[1])?;
                self.bytes(&value.to_le_bytes())
            }
            Some(Id::Utf8(text)) => {
                self.bytes(&[2])?;
                self.text(text)
            }
        }
    }

    fn text(&mut self, text: &str) -> Result<(), RfmError> {
        self.bytes(&(text.len() as u64).to_le_bytes())?;
        self.bytes(text.as_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), RfmError> {
        self.hash.update(bytes);
        self.to.write_all(bytes).map_err(writing)
    }
}

fn writing(source: std::io::Error) -> RfmError {
    RfmError::StateIo { action: "written", source }
}

/// Reads a state. What it says of its own length is not believed: memory grows with the bytes that there are.
pub(crate) struct StateReader<R> {
    from: R,
    hash: Box<Xxh3>,
    at: u64,
}

impl<R: Read> StateReader<R> {
    /// Reads what stands before the lines.
    pub(crate) fn begin(from: R, made_with: &str) -> Result<(Self, Progress), RfmError> {
        let mut reader = Self { from, hash: Box::new(Xxh3::new()), at: 0 };
        if reader.array("a state of RFM")? != *MAGIC {
            return Err(RfmError::DamagedState { at: 0, expected: "a state of RFM" });
        }
        let found = u32::from_le_bytes(reader.array("a version")?);
        if found != VERSION {
            return Err(RfmError::StateVersion { found, supported: VERSION });
        }
        let found = reader.text()?;
        if *found != *made_with {
            return Err(RfmError::OtherState { found, expected: made_with.into() });
        }
        let (newest, forgotten, skipped) = (reader.int()?, reader.int()?, reader.count()?);
        Ok((reader, Progress { newest, forgotten, skipped }))
    }

    /// Returns the next line, or none where the state ends as it should.
    pub(crate) fn line(&mut self) -> Result<Option<(Id, Line, Sum)>, RfmError> {
        match self.byte("a line or the end")? {
            LINE => {}
            END => return self.end().map(|()| None),
            _ => return Err(self.damaged("a line or the end")),
        }
        let user = self.id()?.ok_or_else(|| self.damaged("the id of a user"))?;
        let line = Line { order: self.id()?, time: self.int()? };
        let purchases = self.count()?;
        let last = match self.byte("whether there is a purchase")? {
            0 => None,
            1 => Some(self.int()?),
            _ => return Err(self.damaged("whether there is a purchase")),
        };
        let amount = i128::from_le_bytes(self.array("an amount")?);
        Ok(Some((user, line, Sum { purchases, last, amount })))
    }

    /// Compares the hash, and sees that nothing follows.
    fn end(&mut self) -> Result<(), RfmError> {
        let expected = self.hash.digest();
        if u64::from_le_bytes(self.array("a checksum")?) != expected {
            return Err(self.damaged("the checksum of the bytes before"));
        }
        let mut more = Vec::new();
        let read = self.from.by_ref().take(1).read_to_end(&mut more).map_err(reading)?;
        if read == 0 { Ok(()) } else { Err(self.damaged("nothing more")) }
    }

    fn id(&mut self) -> Result<Option<Id>, RfmError> {
        match self.byte("an id")? {
            0 => Ok(None),
            1 => self.int().map(|value| Some(Id::Int64(value))),
            2 => self.text().map(|text| Some(Id::Utf8(text))),
            _ => Err(self.damaged("an id")),
        }
    }

    fn text(&mut self) -> Result<Box<str>, RfmError> {
        let length = self.count()?;
        if length > MAX_TEXT {
            return Err(self.damaged("the length of a text"));
        }
        let mut bytes = Vec::new();
        self.from.by_ref().take(length).read_to_end(&mut bytes).map_err(reading)?;
        if (bytes.len() as u64) < length {
            return Err(self.damaged("a text"));
        }
        self.took(&bytes);
        String::from_utf8(bytes).map(Into::into).map_err(|_| self.damaged("a text"))
    }

    fn int(&mut self) -> Result<i64, RfmError> {
        Ok(i64::from_le_bytes(self.array("a number")?))
    }

    fn count(&mut self) -> Result<u64, RfmError> {
        Ok(u64::from_le_bytes(self.array("a count")?))
    }

    fn byte(&mut self, expected: &'static str) -> Result<u8, RfmError> {
        let [byte] = self.array(expected)?;
        Ok(byte)
    }

    fn array<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N], RfmError> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => self.damaged(expected),
            _ => reading(error),
        })?;
        self.took(&bytes);
        Ok(bytes)
    }

    fn took(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.at += bytes.len() as u64;
    }

    fn damaged(&self, expected: &'static str) -> RfmError {
        RfmError::DamagedState { at: self.at, expected }
    }
}

fn reading(source: std::io::Error) -> RfmError {
    RfmError::StateIo { action: "read", source }
}
