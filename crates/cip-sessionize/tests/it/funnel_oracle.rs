//! Funnels by trying every chain: slow, and plain enough to be read as the definition.

use std::collections::BTreeMap;

use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch, cast::AsArray};
use cip_core::{Id, IdColumn};
use cip_sessionize::{FunnelScope, StepOrder};

use crate::events::{Event, Shape, TYPES};

/// A funnel in plain values, times in microseconds.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<&'static str>,
    pub(crate) within: i64,
    pub(crate) order: StepOrder,
    pub(crate) scope: FunnelScope,
    pub(crate) timeout: i64,
}

/// A row of `funnel`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) user: Id,
    pub(crate) first: i64,
    /// From the first step to each that is reached, the first included.
    pub(crate) seconds: Vec<i64>,
}

/// The users who reach the first step, and by day how many sessions have a cart, and how many of them no purchase.
pub(crate) fn oracle(plan: &Plan, shape: Shape, events: &[Event]) -> (Vec<Row>, Vec<(i64, u64, u64)>) {
    let mut by_user: BTreeMap<Id, Vec<(i64, &str)>> = BTreeMap::new();
    for event in events {
        if let Some(user) = event.user {
            by_user.entry(shape.user(user)).or_default().push((event.time, TYPES[event.kind as usize]));
        }
    }
    let mut rows = Vec::new();
    let mut days: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for (user, mut events) in by_user {
        events.sort_by_key(|event| event.0);
        let sessions = sessions(plan.timeout, &events);
        for session in &sessions {
            if session.iter().any(|event| event.1 == "cart") {
                let day = days.entry(session[0].0.div_euclid(86_400_000_000)).or_default();
                day.0 += 1;
                day.1 += u64::from(session.iter().all(|event| event.1 != "purchase"));
            }
        }
        let stretches = match plan.scope {
            FunnelScope::User => vec![events.clone()],
            FunnelScope::Session => sessions,
        };
        let mut best: Vec<i64> = Vec::new();
        for stretch in stretches {
            for start in 0..stretch.len() {
                let attempt = attempt(plan, &stretch[start..]);
                if attempt.len() > best.len() {
                    best = attempt;
                }
            }
        }
        if let Some(&first) = best.first() {
            let seconds = best.iter().map(|time| (time - first) / 1_000_000).collect();
            rows.push(Row { user, first, seconds });
        }
    }
    (rows, days.into_iter().map(|(day, (carts, left))| (day, carts, left)).collect())
}

fn sessions<'a>(timeout: i64, events: &[(i64, &'a str)]) -> Vec<Vec<(i64, &'a str)>> {
    let mut sessions: Vec<Vec<(i64, &str)>> = Vec::new();
    for &event in events {
        match sessions.last_mut() {
            Some(session) if event.0 - session[session.len() - 1].0 <= timeout => session.push(event),
            _ => sessions.push(vec![event]),
        }
    }
    sessions
}

/// The times of the attempt that starts at the first of `events`; of as many steps the earliest.
fn attempt(plan: &Plan, events: &[(i64, &str)]) -> Vec<i64> {
    let start = events[0].0;
    let inside: Vec<_> = events.iter().copied().filter(|event| event.0 - start <= plan.within).collect();
    match plan.order {
        StepOrder::Strict if inside[0].1 == plan.steps[0] => {
            let mut all = Vec::new();
            chains(&plan.steps[1..], &inside[1..], &mut vec![start], &mut all);
            let longest = all.iter().map(Vec::len).max().unwrap();
            all.into_iter().filter(|chain| chain.len() == longest).min().unwrap()
        }
        StepOrder::Any if plan.steps.contains(&inside[0].1) => {
            let firsts = plan.steps.iter().filter_map(|step| inside.iter().find(|event| event.1 == *step));
            let mut times: Vec<i64> = firsts.map(|event| event.0).collect();
            times.sort_unstable();
            times
        }
        _ => Vec::new(),
    }
}

/// Adds every chain that goes on from `chain` with `steps`, the chain itself included.
fn chains(steps: &[&str], events: &[(i64, &str)], chain: &mut Vec<i64>, all: &mut Vec<Vec<i64>>) {
    all.push(chain.clone());
    let Some((step, later)) = steps.split_first() else { return };
    for (position, event) in events.iter().enumerate().filter(|(_, event)| event.1 == *step) {
        chain.push(event.0);
        chains(later, &events[position + 1..], chain, all);
        chain.pop();
    }
}

/// Reads tables of `funnel` as one.
pub(crate) fn rows(tables: &[RecordBatch]) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in tables {
        let column = |name: &str| table.column_by_name(name).unwrap();
        let users = IdColumn::try_new("user_id", column("user_id")).unwrap();
        let reached = column("steps_reached").as_primitive::<Int64Type>();
        let first = column("first_step_time").as_primitive::<TimestampMicrosecondType>();
        for row in 0..table.num_rows() {
            let mut seconds = vec![0];
            for later in &table.columns()[3..] {
                let later = later.as_primitive::<Int64Type>();
                seconds.extend(later.is_valid(row).then(|| later.value(row)));
            }
            assert_eq!(reached.value(row), seconds.len() as i64);
            rows.push(Row { user: users.get(row).unwrap().to_owned(), first: first.value(row), seconds });
        }
    }
    rows
}
