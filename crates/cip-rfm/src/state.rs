//! The bytes of a state of incremental RFM.

use std::io::{Read, Write};

use cip_core::{Id, StateFormat};

use crate::error::RfmError;
use crate::incremental::{Line, Progress, Sum};

const FORMAT: StateFormat = StateFormat { magic: b"cip-rfm", what: "RFM", version: 1 };

/// Writes a state, line by line.
pub(crate) struct StateWriter<W>(cip_core::StateWriter<W>);

impl<W: Write> StateWriter<W> {
    pub(crate) fn begin(to: W, made_with: &str, progress: Progress) -> Result<Self, RfmError> {
        let mut writer = cip_core::StateWriter::begin(to, FORMAT, made_with)?;
        writer.int(progress.newest)?;
        writer.int(progress.forgotten)?;
        writer.count(progress.skipped)?;
        Ok(Self(writer))
    }

    pub(crate) fn line(&mut self, user: &Id, line: &Line, sum: &Sum) -> Result<(), RfmError> {
        let Self(writer) = self;
        writer.record()?;
        writer.id(Some(user))?;
        writer.id(line.order.as_ref())?;
        writer.int(line.time)?;
        writer.count(sum.purchases)?;
        writer.byte(u8::from(sum.last.is_some()))?;
        if let Some(last) = sum.last {
            writer.int(last)?;
        }
        Ok(writer.amount(sum.amount)?)
    }

    pub(crate) fn finish(self) -> Result<(), RfmError> {
        Ok(self.0.finish()?)
    }
}

/// Reads a state, line by line.
pub(crate) struct StateReader<R>(cip_core::StateReader<R>);

impl<R: Read> StateReader<R> {
    /// Reads what stands before the lines.
    pub(crate) fn begin(from: R, made_with: &str) -> Result<(Self, Progress), RfmError> {
        let mut reader = cip_core::StateReader::begin(from, FORMAT, made_with)?;
        let (newest, forgotten, skipped) = (reader.int()?, reader.int()?, reader.count()?);
        Ok((Self(reader), Progress { newest, forgotten, skipped }))
    }

    /// Returns the next line, or none where the state ends as it should.
    pub(crate) fn line(&mut self) -> Result<Option<(Id, Line, Sum)>, RfmError> {
        let Self(reader) = self;
        if !reader.record("a line or the end")? {
            return Ok(None);
        }
        let user = reader.id()?.ok_or_else(|| reader.damaged("the id of a user"))?;
        let line = Line { order: reader.id()?, time: reader.int()? };
        let purchases = reader.count()?;
        let bought = reader.flag("whether there is a purchase")?;
        let last = if bought { Some(reader.int()?) } else { None };
        Ok(Some((user, line, Sum { purchases, last, amount: reader.amount()? })))
    }
}
