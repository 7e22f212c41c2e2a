//! The search: sequences grow by steps that are frequent behind them.

use std::sync::atomic::{AtomicU64, Ordering};

use cip_core::MemoryBudget;
use rayon::prelude::*;

use crate::error::BasketError;
use crate::sequences::found::{Row, Sequences, Steps};
use crate::sequences::histories::Histories;
use crate::sequences::params::SequencePatterns;

/// What a sequence takes, of some steps: in the list of its first step, which doubles, and in that of all.
const ROW_BYTES: u64 = 128;

/// Where a sequence is in a history: when it started, and behind which event its earliest end is.
type Place = (i64, u32);

/// The frequent steps of the histories, by rank.
struct Database {
    steps: Steps,
    /// The events of each history: when, and the rank of the step.
    events: Vec<(i64, u32)>,
    ends: Vec<usize>,
    /// Of each step, the history and the place behind the event.
    occurrences: Vec<(u32, u32)>,
    occurrence_ends: Vec<usize>,
}

/// Where a sequence is: histories, and its places in each.
struct Projection {
    histories: Vec<(u32, Vec<Place>)>,
}

struct Search<'a> {
    patterns: &'a SequencePatterns,
    database: &'a Database,
    least: u64,
    most: u64,
    found: &'a AtomicU64,
}

pub(crate) fn find(patterns: &SequencePatterns, histories: &Histories) -> Result<Sequences, BasketError> {
    let least = patterns.min_support.count(histories.len() as u64)?;
    let budget = histories.budget();
    // The frequent events are kept once more, with where each step is, and the places of a sequence in them. So are the steps.
    let (events, steps) = histories.bytes();
    let needed = 4 * events + 2 * steps;
    budget.require("finding sequences", MemoryBudget::from_bytes(needed))?;
    let most = (budget.bytes() - needed) / ROW_BYTES;
    let database = Database::new(histories, least);
    let found = AtomicU64::new(0);
    let search = Search { patterns, database: &database, least, most, found: &found };
    let parts: Vec<Vec<Row>> = (0..database.steps.len() as u32)
        .into_par_iter()
        .map(|first| {
            let projection = database.starts(first);
            let (mut rows, mut sequence) = (Vec::new(), vec![first]);
            search.grow(&mut sequence, &projection, &mut rows);
            rows
        })
        .collect();
    if found.into_inner() > most {
        return Err(BasketError::TooManySequences { most, budget });
    }
    let rows: Vec<Row> = parts.into_iter().flatten().collect();
    Ok(Sequences::new(database.steps, rows, histories.len() as u64, least))
}

impl Search<'_> {
    /// Adds the frequent sequences that go on behind `sequence`.
    fn grow(&self, sequence: &mut Vec<u32>, projection: &Projection, rows: &mut Vec<Row>) {
        if self.found.load(Ordering::Relaxed) > self.most {
            return;
        }
        let within = self.patterns.within_micros;
        let (mut counts, mut own) = (Vec::new(), Vec::new());
        for (history, places) in &projection.histories {
            let events = self.database.events_of(*history);
            let mut next = 0;
            for &(start, behind) in places {
                // Starts and ends ascend: what was in time of an earlier start is not looked at again.
                next = next.max(behind as usize);
                let inside =
                    events[next..].iter().take_while(|(time, _)| time.saturating_sub(start) <= within);
                let before = own.len();
                own.extend(inside.map(|&(_, step)| step));
                next += own.len() - before;
            }
            // A history counts once.
            own.sort_unstable();
            own.dedup();
            counts.append(&mut own);
        }
        counts.sort_unstable();
        for run in counts.chunk_by(|a, b| a == b).filter(|run| run.len() as u64 >= self.least) {
            // What is behind a step takes long to find, and is not asked for any more.
            if self.found.load(Ordering::Relaxed) > self.most {
                return;
            }
            let step = run[0];
            sequence.push(step);
            let (last_type, _) = self.database.steps.get(step);
            if self.patterns.last_type.as_deref().is_none_or(|wanted| wanted == last_type) {
                rows.push(Row {
                    steps: sequence.as_slice().into(),
                    count: run.len() as u32,
                    before: projection.histories.len() as u32,
                });
                self.found.fetch_add(1, Ordering::Relaxed);
            }
            if sequence.len() < self.patterns.most_steps {
                self.grow(sequence, &self.behind(projection, step), rows);
            }
            sequence.pop();
        }
    }

    /// Returns where the sequence is when `step` is added.
    fn behind(&self, projection: &Projection, step: u32) -> Projection {
        let within = self.patterns.within_micros;
        let mut histories = Vec::new();
        for (history, places) in &projection.histories {
            let events = self.database.events_of(*history);
            let mut next: Vec<Place> = Vec::new();
            let mut end = 0;
            for &(start, behind) in places {
                // Starts ascend, and so do ends: the step that an earlier start found first may be this one's too.
                if end <= behind {
                    let first = events[behind as usize..].iter().position(|&(_, there)| there == step);
                    let Some(first) = first else { break };
                    end = behind + first as u32 + 1;
                }
                if events[end as usize - 1].0.saturating_sub(start) > within {
                    continue;
                }
                // Of one end the latest start leaves the most time.
                match next.last_mut() {
                    Some(last) if last.1 == end => last.0 = start,
                    _ => next.push((start, end)),
                }
            }
            if !next.is_empty() {
                histories.push((*history, next));
            }
        }
        Projection { histories }
    }
}

impl Database {
    fn new(histories: &Histories, least: u64) -> Self {
        let mut counts = vec![(0u32, u32::MAX); histories.steps()];
        for (history, events) in (0u32..).zip(histories.iter()) {
            for &(_, code) in events {
                let (count, last) = &mut counts[code as usize];
                if *last != history {
                    (*count, *last) = (*count + 1, history);
                }
            }
        }
        let frequent =
            (0..histories.steps() as u32).filter(|&code| u64::from(counts[code as usize].0) >= least);
        let mut by_rank: Vec<u32> = frequent.collect();
        drop(counts);
        by_rank.sort_unstable_by_key(|&code| histories.step(code));
        let mut ranks = vec![u32::MAX; histories.steps()];
        for (rank, &code) in (0u32..).zip(&by_rank) {
            ranks[code as usize] = rank;
        }
        let steps = Steps::new(by_rank.len(), by_rank.iter().filter_map(|&code| histories.step(code)));
        let (mut events, mut ends) = (Vec::new(), Vec::with_capacity(histories.len()));
        let mut occurrence_ends = vec![0; steps.len()];
        for history in histories.iter() {
            for &(time, code) in history {
                let rank = ranks[code as usize];
                if rank != u32::MAX {
                    events.push((time, rank));
                    occurrence_ends[rank as usize] += 1;
                }
            }
            ends.push(events.len());
        }
        let mut start = 0;
        for end in &mut occurrence_ends {
            (*end, start) = (start, start + *end);
        }
        let mut occurrences = vec![(0, 0); events.len()];
        let mut from = 0;
        for (history, &end) in (0u32..).zip(&ends) {
            for (behind, &(_, step)) in (1u32..).zip(&events[from..end]) {
                let cursor = &mut occurrence_ends[step as usize];
                occurrences[*cursor] = (history, behind);
                *cursor += 1;
            }
            from = end;
        }
        Self { steps, events, ends, occurrences, occurrence_ends }
    }

    fn events_of(&self, history: u32) -> &[(i64, u32)] {
        let start = (history as usize).checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.events[start..self.ends[history as usize]]
    }

    /// Where a step is.
    fn starts(&self, step: u32) -> Projection {
        let start = (step as usize).checked_sub(1).map_or(0, |before| self.occurrence_ends[before]);
        let occurrences = &self.occurrences[start..self.occurrence_ends[step as usize]];
        let histories = occurrences.chunk_by(|a, b| a.0 == b.0).map(|own| {
            let events = self.events_of(own[0].0);
            let place = |&(_, behind): &(u32, u32)| (events[behind as usize - 1].0, behind);
            (own[0].0, own.iter().map(place).collect())
        });
        Projection { histories: histories.collect() }
    }
}
