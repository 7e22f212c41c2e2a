//! The form of the events of a compact store: their offers, and how their times are kept.

use std::sync::Arc;

use arrow_array::{RecordBatch, UInt32Array};
use arrow_select::take::take_record_batch;
use cip_core::{CoreError, EventSchema, column};
use cip_store::{CompactForm, EventScan, EventStore, OfferCounts, StoredTimes};

use crate::error::IngestError;
use crate::products::Products;
use crate::row_tally::RowTally;

/// With more offers, as the sources write them, events keep what they say in columns of its own.
pub(crate) const MOST_OFFERS: usize = 1 << 18;

/// The form of events that are not written yet, and the code of the offer that stands for each code of what rows share.
pub(crate) struct CodedForm {
    pub(crate) form: CompactForm,
    pub(crate) codes: Arc<[u32]>,
}

impl CodedForm {
    /// `shared` are the values that rows share, by their codes; none where these are no offers.
    pub(crate) fn new(
        schema: &EventSchema,
        shared: Option<RecordBatch>,
        tallies: &[RowTally],
    ) -> Result<Self, IngestError> {
        let times = tallies.iter().map(|tally| tally.times).max().unwrap_or_default();
        let Some((shared, mut counts)) = shared.zip(OfferCounts::new(schema)) else {
            return Ok(Self { form: CompactForm::new(schema, None, times), codes: Arc::new([]) });
        };
        let mut all: Vec<u64> = Vec::new();
        tallies.iter().for_each(|tally| tally.add_to(&mut all));
        // What was looked up need not have become an event.
        let used = (0u32..).zip(all).filter(|(_, events)| *events > 0);
        let (used, events): (Vec<u32>, Vec<u64>) = used.unzip();
        let mut codes = vec![0; shared.num_rows()];
        let values = take_record_batch(&shared, &UInt32Array::from(used.clone())).map_err(CoreError::from)?;
        // There may be many of them: what is not needed any more goes before more comes.
        drop(shared);
        let numbers = counts.add(&values, Some(&events))?;
        drop(values);
        let (offers, of_numbers) = counts.finish()?;
        for (code, number) in used.into_iter().zip(numbers) {
            codes[code as usize] = of_numbers[number as usize];
        }
        Ok(Self { form: CompactForm::new(schema, Some(offers), times), codes: codes.into() })
    }
}

/// Returns the form of all events of a scan of a compact store: they have offers where those of every compact commit have. Plain are
/// those that were written to be merged with them.
pub(crate) fn form_of(
    store: &EventStore,
    scan: impl Fn(&[&str]) -> EventScan,
) -> Result<CompactForm, IngestError> {
    let schema = store.schema();
    let mut compact = store.manifest().commits.iter().filter_map(|commit| commit.compact.as_ref());
    let all = compact.all(|compact| compact.offers.is_some());
    let mut counts = OfferCounts::new(schema).filter(|_| all);
    let mut columns = vec![column::EVENT_TIME];
    let offered = counts.as_ref().map(|counts| Arc::clone(counts.columns()));
    columns.extend(offered.iter().flat_map(|schema| schema.fields()).map(|field| field.name().as_str()));
    let mut times = StoredTimes::default();
    for partition in scan(&columns).partitions() {
        for events in partition.batches()? {
            let events = events?;
            times =
                events.times()?.values().iter().fold(times, |times, &time| times.max(StoredTimes::of(time)));
            if let Some(known) = &mut counts {
                known.add(events.record_batch(), None)?;
                if known.len() > MOST_OFFERS {
                    counts = None;
                }
            }
        }
    }
    Ok(CompactForm::new(
        schema,
        counts.map(OfferCounts::finish).transpose()?.map(|(offers, _)| offers),
        times,
    ))
}

/// The products of the offers; none where there are none.
pub(crate) fn products(form: &CompactForm) -> Result<Option<Products>, CoreError> {
    form.offers().map_or(Ok(None), |offers| Products::of(offers.values()))
}
