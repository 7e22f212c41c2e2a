//! The bytes of a state of incremental sessions.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use cip_core::{EventKind, Id};
use xxhash_rust::xxh3::Xxh3;

use crate::error::SessionizeError;
use crate::incremental::Progress;
use crate::kept_user::{KeptEvent, KeptUser, OpenSession};
use crate::session::Session;

const MAGIC: &[u8; 12] = b"cip-sessions";
const VERSION: u32 = 1;

/// The longest text that is read: what a column of texts can hold.
const MAX_TEXT: u64 = i32::MAX as u64;

/// What stands before a user, and behind the last.
const USER: u8 = 1;
const END: u8 = 0;

/// Event kinds by their codes.
const KINDS: [EventKind; 6] = [
    EventKind::View,
    EventKind::Cart,
    EventKind::RemoveFromCart,
    EventKind::Purchase,
    EventKind::Cancellation,
    EventKind::Other,
];

/// Writes a state, and hashes what it writes.
pub(crate) struct StateWriter<W> {
    to: W,
    hash: Box<Xxh3>,
}

impl<W: Write> StateWriter<W> {
    pub(crate) fn begin(to: W, made_with: &str, progress: Progress) -> Result<Self, SessionizeError> {
        let mut writer = Self { to, hash: Box::new(Xxh3::new()) };
        writer.bytes(MAGIC)?;
        writer.bytes(&VERSION.to_le_bytes())?;
        writer.text(made_with)?;
        writer.bytes(&progress.watermark.to_le_bytes())?;
        writer.count(progress.late)?;
        writer.count(progress.skipped)?;
        Ok(writer)
    }

    pub(crate) fn user(&mut self, user: &Id, kept: &KeptUser) -> Result<(), SessionizeError> {
        self.bytes(&[USER])?;
        self.id(Some(user))?;
        self.bytes(&kept.settled.to_le_bytes())?;
        self.bytes(&[u8::from(kept.open.is_some())])?;
        if let Some(open) = &kept.open {
            self.open(open)?;
        }
        self.count(kept.kept.len() as u64)?;
        kept.kept.iter().try_for_each(|event| self.event(event))
    }

    pub(crate) fn finish(mut self) -> Result<(), SessionizeError> {
        self.bytes(&[END])?;
        let hash = self.hash.digest().to_le_bytes();
        self.bytes(&hash)?;
        self.to.flush().map_err(writing)
    }

    fn open(&mut self, open: &OpenSession) -> Result<(), SessionizeError> {
        let session = &open.session;
        self.bytes(&session.seq.to_le_bytes())?;
        self.bytes(&session.start.to_le_bytes())?;
        self.bytes(&session.end.to_le_bytes())?;
        self.count(session.twins)?;
        let counts = [session.events, session.views, session.carts, session.removes, session.purchases];
        counts.into_iter().try_for_each(|count| self.count(count as u64))?;
        self.bytes(&session.revenue.to_le_bytes())?;
        self.count(open.products.len() as u64)?;
        open.products.iter().try_for_each(|product| self.id(Some(product)))?;
        self.values(&open.values)
    }

    fn event(&mut self, event: &KeptEvent) -> Result<(), SessionizeError> {
        self.bytes(&event.time.to_le_bytes())?;
        let code = KINDS.iter().position(|&kind| kind == event.kind).unwrap_or(KINDS.len() - 1);
        self.bytes(&[code as u8])?;
        self.id(event.product.as_ref())?;
        self.bytes(&event.amount.to_le_bytes())?;
        self.values(&event.attributes)
    }

    fn values(&mut self, values: &[Option<Id>]) -> Result<(), SessionizeError> {
        self.count(values.len() as u64)?;
        values.iter().try_for_each(|value| self.id(value.as_ref()))
    }

    fn id(&mut self, id: Option<&Id>) -> Result<(), SessionizeError> {
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

    fn text(&mut self, text: &str) -> Result<(), SessionizeError> {
        self.count(text.len() as u64)?;
        self.bytes(text.as_bytes())
    }

    fn count(&mut self, count: u64) -> Result<(), SessionizeError> {
        self.bytes(&count.to_le_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), SessionizeError> {
        self.hash.update(bytes);
        self.to.write_all(bytes).map_err(writing)
    }
}

fn writing(source: std::io::Error) -> SessionizeError {
    SessionizeError::StateIo { action: "written", source }
}

/// Reads a state. What it says of its own length is not believed: memory grows with the bytes that there are.
pub(crate) struct StateReader<R> {
    from: R,
    hash: Box<Xxh3>,
    at: u64,
}

impl<R: Read> StateReader<R> {
    /// Reads what stands before the users.
    pub(crate) fn begin(from: R, made_with: &str) -> Result<(Self, Progress), SessionizeError> {
        let mut reader = Self { from, hash: Box::new(Xxh3::new()), at: 0 };
        if reader.bytes(MAGIC.len() as u64, "a state of sessions")? != MAGIC {
            return Err(SessionizeError::DamagedState { at: 0, expected: "a state of sessions" });
        }
        let found = u32::from_le_bytes(reader.array("a version")?);
        if found != VERSION {
            return Err(SessionizeError::StateVersion { found, supported: VERSION });
        }
        let found = reader.text()?;
        if *found != *made_with {
            return Err(SessionizeError::OtherState { found, expected: made_with.into() });
        }
        let (watermark, late, skipped) = (reader.int()?, reader.count()?, reader.count()?);
        Ok((reader, Progress { watermark, late, skipped }))
    }

    /// Returns the next user, or none where the state ends as it should.
    pub(crate) fn user(&mut self) -> Result<Option<(Id, KeptUser)>, SessionizeError> {
        match self.byte("a user or the end")? {
            USER => {}
            END => return self.end().map(|()| None),
            _ => return Err(self.damaged("a user or the end")),
        }
        let user = self.id()?.ok_or_else(|| self.damaged("the id of a user"))?;
        let settled = self.int()?;
        let open = match self.byte("whether a session goes on")? {
            0 => None,
            1 => Some(self.open(&user)?),
            _ => return Err(self.damaged("whether a session goes on")),
        };
        let events = self.count()?;
        let kept = (0..events).map(|_| self.event()).collect::<Result<_, _>>()?;
        Ok(Some((user, KeptUser { settled, open, kept })))
    }

    /// Compares the hash, and sees that nothing follows.
    fn end(&mut self) -> Result<(), SessionizeError> {
        let expected = self.hash.digest();
        if u64::from_le_bytes(self.array("a checksum")?) != expected {
            return Err(self.damaged("the checksum of the bytes before"));
        }
        let mut more = Vec::new();
        let read = self.from.by_ref().take(1).read_to_end(&mut more).map_err(reading)?;
        if read == 0 { Ok(()) } else { Err(self.damaged("nothing more")) }
    }

    fn open(&mut self, user: &Id) -> Result<OpenSession, SessionizeError> {
        let mut session = Session::starting(user.clone(), 0);
        (session.seq, session.start, session.end) = (self.int()?, self.int()?, self.int()?);
        session.twins = self.count()?;
        for count in [
            &mut session.events,
            &mut session.views,
            &mut session.carts,
            &mut session.removes,
            &mut session.purchases,
        ] {
            *count = usize::try_from(self.count()?).map_err(|_| self.damaged("a count"))?;
        }
        session.revenue = i128::from_le_bytes(self.array("an amount")?);
        let mut products = BTreeSet::new();
        for _ in 0..self.count()? {
            products.insert(self.id()?.ok_or_else(|| self.damaged("the id of a product"))?);
        }
        Ok(OpenSession { session, products, values: self.values()? })
    }

    fn event(&mut self) -> Result<KeptEvent, SessionizeError> {
        let time = self.int()?;
        let code = self.byte("the kind of an event")?;
        let kind = *KINDS.get(usize::from(code)).ok_or_else(|| self.damaged("the kind of an event"))?;
        let product = self.id()?;
        let amount = i128::from_le_bytes(self.array("an amount")?);
        Ok(KeptEvent { time, kind, product, amount, attributes: self.values()?.into() })
    }

    fn values(&mut self) -> Result<Vec<Option<Id>>, SessionizeError> {
        (0..self.count()?).map(|_| self.id()).collect()
    }

    fn id(&mut self) -> Result<Option<Id>, SessionizeError> {
        match self.byte("an id")? {
            0 => Ok(None),
            1 => self.int().map(|value| Some(Id::Int64(value))),
            2 => self.text().map(|text| Some(Id::Utf8(text))),
            _ => Err(self.damaged("an id")),
        }
    }

    fn text(&mut self) -> Result<Box<str>, SessionizeError> {
        let bytes = self.count()?;
        if bytes > MAX_TEXT {
            return Err(self.damaged("the length of a text"));
        }
        let text = String::from_utf8(self.bytes(bytes, "a text")?).map_err(|_| self.damaged("a text"))?;
        Ok(text.into())
    }

    fn int(&mut self) -> Result<i64, SessionizeError> {
        Ok(i64::from_le_bytes(self.array("a number")?))
    }

    fn count(&mut self) -> Result<u64, SessionizeError> {
        Ok(u64::from_le_bytes(self.array("a count")?))
    }

    fn byte(&mut self, expected: &'static str) -> Result<u8, SessionizeError> {
        let [byte] = self.array(expected)?;
        Ok(byte)
    }

    fn array<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N], SessionizeError> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => self.damaged(expected),
            _ => reading(error),
        })?;
        self.took(&bytes);
        Ok(bytes)
    }

    fn bytes(&mut self, count: u64, expected: &'static str) -> Result<Vec<u8>, SessionizeError> {
        let mut bytes = Vec::new();
        self.from.by_ref().take(count).read_to_end(&mut bytes).map_err(reading)?;
        if (bytes.len() as u64) < count {
            return Err(self.damaged(expected));
        }
        self.took(&bytes);
        Ok(bytes)
    }

    fn took(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.at += bytes.len() as u64;
    }

    fn damaged(&self, expected: &'static str) -> SessionizeError {
        SessionizeError::DamagedState { at: self.at, expected }
    }
}

fn reading(source: std::io::Error) -> SessionizeError {
    SessionizeError::StateIo { action: "read", source }
}
