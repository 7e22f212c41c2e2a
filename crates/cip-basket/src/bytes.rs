//! Little-endian numbers and ids, as files keep them.

use cip_core::{IdRef, IdType};

/// Appends an id: as i64, or as a u32 of bytes and the text.
pub(crate) fn put_id(id: IdRef<'_>, bytes: &mut Vec<u8>) {
    match id {
        IdRef::Int64(id) => bytes.extend_from_slice(&id.to_le_bytes()),
        IdRef::Utf8(id) => put_text(id, bytes),
    }
}

/// Appends a u32 of bytes and a text.
pub(crate) fn put_text(text: &str, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// What is left to read.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("it is cut")?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn number(&mut self) -> Result<u32, &'static str> {
        let (number, rest) = self.0.split_first_chunk::<4>().ok_or("it is cut")?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*number))
    }

    pub(crate) fn long_number(&mut self) -> Result<u64, &'static str> {
        let (low, high) = (self.number()?, self.number()?);
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    pub(crate) fn numbers(&mut self, count: usize) -> Result<Vec<u32>, &'static str> {
        let bytes = self.take(count.checked_mul(4).ok_or("it is cut")?)?;
        let mut numbers = Bytes(bytes);
        (0..count).map(|_| numbers.number()).collect()
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, &'static str> {
        let length = self.number()? as usize;
        std::str::from_utf8(self.take(length)?).map_err(|_| "a text is not UTF-8")
    }

    pub(crate) fn id(&mut self, id_type: IdType) -> Result<IdRef<'a>, &'static str> {
        Ok(match id_type {
            IdType::Int64 => IdRef::Int64(self.long_number()?.cast_signed()),
            IdType::Utf8 => IdRef::Utf8(self.text()?),
        })
    }
}
