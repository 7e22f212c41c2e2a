//! The bytes of a state of incremental sessions.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use cip_core::{EventKind, Id, StateFormat};

use crate::error::SessionizeError;
use crate::incremental::Progress;
use crate::kept_user::{KeptEvent, KeptUser, OpenSession};
use crate::session::Session;

const FORMAT: StateFormat = StateFormat { magic: b"cip-sessions", what: "sessions", version: 1 };

/// Event kinds by their codes.
const KINDS: [EventKind; 6] = [
    EventKind::View,
    EventKind::Cart,
    EventKind::RemoveFromCart,
    EventKind::Purchase,
    EventKind::Cancellation,
    EventKind::Other,
];

/// Writes a state, user by user.
pub(crate) struct StateWriter<W>(cip_core::StateWriter<W>);

impl<W: Write> StateWriter<W> {
    pub(crate) fn begin(to: W, made_with: &str, progress: Progress) -> Result<Self, SessionizeError> {
        let mut writer = cip_core::StateWriter::begin(to, FORMAT, made_with)?;
        writer.int(progress.watermark)?;
        writer.count(progress.late)?;
        writer.count(progress.skipped)?;
        Ok(Self(writer))
    }

    pub(crate) fn user(&mut self, user: &Id, kept: &KeptUser) -> Result<(), SessionizeError> {
        self.0.record()?;
        self.0.id(Some(user))?;
        self.0.int(kept.settled)?;
        self.0.byte(u8::from(kept.open.is_some()))?;
        if let Some(open) = &kept.open {
            self.open(open)?;
        }
        self.0.count(kept.kept.len() as u64)?;
        kept.kept.iter().try_for_each(|event| self.event(event))
    }

    pub(crate) fn finish(self) -> Result<(), SessionizeError> {
        Ok(self.0.finish()?)
    }

    fn open(&mut self, open: &OpenSession) -> Result<(), SessionizeError> {
        let session = &open.session;
        for time in [session.seq, session.start, session.end] {
            self.0.int(time)?;
        }
        self.0.count(session.twins)?;
        for count in [session.events, session.views, session.carts, session.removes, session.purchases] {
            self.0.count(count as u64)?;
        }
        self.0.amount(session.revenue)?;
        self.0.count(open.products.len() as u64)?;
        open.products.iter().try_for_each(|product| self.0.id(Some(product)))?;
        self.values(&open.values)
    }

    fn event(&mut self, event: &KeptEvent) -> Result<(), SessionizeError> {
        self.0.int(event.time)?;
        let code = KINDS.iter().position(|&kind| kind == event.kind).unwrap_or(KINDS.len() - 1);
        self.0.byte(code as u8)?;
        self.0.id(event.product.as_ref())?;
        self.0.amount(event.amount)?;
        self.values(&event.attributes)
    }

    fn values(&mut self, values: &[Option<Id>]) -> Result<(), SessionizeError> {
        self.0.count(values.len() as u64)?;
        Ok(values.iter().try_for_each(|value| self.0.id(value.as_ref()))?)
    }
}

/// Reads a state, user by user.
pub(crate) struct StateReader<R>(cip_core::StateReader<R>);

impl<R: Read> StateReader<R> {
    /// Reads what stands before the users.
    pub(crate) fn begin(from: R, made_with: &str) -> Result<(Self, Progress), SessionizeError> {
        let mut reader = cip_core::StateReader::begin(from, FORMAT, made_with)?;
        let (watermark, late, skipped) = (reader.int()?, reader.count()?, reader.count()?);
        Ok((Self(reader), Progress { watermark, late, skipped }))
    }

    /// Returns the next user, or none where the state ends as it should.
    pub(crate) fn user(&mut self) -> Result<Option<(Id, KeptUser)>, SessionizeError> {
        if !self.0.record("a user or the end")? {
            return Ok(None);
        }
        let user = self.0.id()?.ok_or_else(|| self.0.damaged("the id of a user"))?;
        let settled = self.0.int()?;
        let goes_on = self.0.flag("whether a session goes on")?;
        let open = if goes_on { Some(self.open(&user)?) } else { None };
        let events = self.0.count()?;
        let kept = (0..events).map(|_| self.event()).collect::<Result<_, _>>()?;
        Ok(Some((user, KeptUser { settled, open, kept })))
    }

    fn open(&mut self, user: &Id) -> Result<OpenSession, SessionizeError> {
        let mut session = Session::starting(user.clone(), 0);
        (session.seq, session.start, session.end) = (self.0.int()?, self.0.int()?, self.0.int()?);
        session.twins = self.0.count()?;
        for count in [
            &mut session.events,
            &mut session.views,
            &mut session.carts,
            &mut session.removes,
            &mut session.purchases,
        ] {
            *count = usize::try_from(self.0.count()?).map_err(|_| self.0.damaged("a count"))?;
        }
        session.revenue = self.0.amount()?;
        let mut products = BTreeSet::new();
        for _ in 0..self.0.count()? {
            products.insert(self.0.id()?.ok_or_else(|| self.0.damaged("the id of a product"))?);
        }
        Ok(OpenSession { session, products, values: self.values()? })
    }

    fn event(&mut self) -> Result<KeptEvent, SessionizeError> {
        let time = self.0.int()?;
        let code = self.0.byte("the kind of an event")?;
        let kind = *KINDS.get(usize::from(code)).ok_or_else(|| self.0.damaged("the kind of an event"))?;
        let product = self.0.id()?;
        let amount = self.0.amount()?;
        Ok(KeptEvent { time, kind, product, amount, attributes: self.values()?.into() })
    }

    fn values(&mut self) -> Result<Vec<Option<Id>>, SessionizeError> {
        Ok((0..self.0.count()?).map(|_| self.0.id()).collect::<Result<_, _>>()?)
    }
}
