//! The places of merged events among the rejects of their files.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use cip_core::{CoreError, EventBatch, column};
use cip_store::{EventStore, take_places};

use crate::error::IngestError;
use crate::reject_places::MOST_REJECTS;

/// What becomes of the places of events whose commits are merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MergedPlaces {
    /// They are not read: there are none, or not of all.
    Unknown,
    /// They stay as they are.
    Kept,
    /// They put the events of one file in order, and are left behind.
    Left,
    /// They put the events of one file in order, and are counted anew among the rejects that remain: by file, which of its
    /// rejects these are.
    Among(HashMap<String, Vec<u32>>),
}

impl MergedPlaces {
    /// Returns what becomes of the places of a store whose rejects all remain.
    pub(crate) fn of(store: &EventStore) -> Self {
        let manifest = store.manifest();
        let without =
            |commit: &&cip_store::Commit| commit.account.rejected() > 0 && commit.account.events > 0;
        let all_known = manifest.commits.iter().filter(without).all(|commit| commit.places.is_some());
        if all_known && (1..=MOST_REJECTS).contains(&manifest.account().rejected()) {
            Self::Kept
        } else {
            Self::Unknown
        }
    }

    /// Returns what becomes of places where of the rejects of each file these remain.
    pub(crate) fn among(remaining: HashMap<String, Vec<u32>>) -> Self {
        let rejects: u64 = remaining.values().map(|rejects| rejects.len() as u64).sum();
        if (1..=MOST_REJECTS).contains(&rejects) { Self::Among(remaining) } else { Self::Left }
    }

    pub(crate) fn are_kept(&self) -> bool {
        matches!(self, Self::Kept | Self::Among(_))
    }

    /// Takes the places off events, and returns both.
    pub(crate) fn take_off(
        &self,
        pieces: Vec<EventBatch>,
    ) -> Result<(Vec<EventBatch>, Vec<u32>), IngestError> {
        if *self == Self::Unknown {
            return Ok((pieces, Vec::new()));
        }
        let (mut bare, mut all) = (Vec::with_capacity(pieces.len()), Vec::new());
        for piece in pieces {
            let (batch, mut places) = take_places(piece.record_batch())?;
            if let Self::Among(remaining) = self {
                let files = batch
                    .column_by_name(column::SOURCE_FILE)
                    .and_then(|files| files.as_dictionary_opt::<Int32Type>())
                    .ok_or(CoreError::MissingColumn { column: column::SOURCE_FILE })?;
                let names = files.values().as_string::<i32>();
                let of_file: Vec<&[u32]> = (names.iter())
                    .map(|name| name.and_then(|name| remaining.get(name)).map_or(&[][..], Vec::as_slice))
                    .collect();
                for (place, &file) in places.iter_mut().zip(files.keys().values()) {
                    let rejects = of_file.get(file as usize).copied().unwrap_or_default();
                    *place = rejects.partition_point(|reject| reject < place) as u32;
                }
            }
            bare.push(EventBatch::try_new(batch)?);
            all.append(&mut places);
        }
        Ok((bare, all))
    }
}
