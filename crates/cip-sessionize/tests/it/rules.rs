//! Every combination of rules against the definition, and what a rule refuses.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::types::{Int32Type, UInt64Type};
use arrow_array::{
    ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray, UInt32Array, cast::AsArray,
};
use cip_core::{EventBatch, Id};
use cip_sessionize::{Funnel, SessionBasis, SessionRule, Sessionizer, sessionize};
use proptest::option;
use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::events::{Event, Shape, TYPES, split};
use crate::laws::{event, shape};
use crate::oracle::{Row, row, rows};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// An event, the source's session of it, and the campaign that it came from.
pub(crate) type Marked = (Event, Option<u32>, Option<i64>);

/// The type of the column `campaign`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Campaigns {
    Dictionary,
    Utf8,
    Int64,
}

/// A rule as plain numbers.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    timeout: i64,
    source: bool,
    max_length: Option<i64>,
    /// Minutes east of UTC.
    midnight: Option<i64>,
    campaign: bool,
    /// Whether sessions end where the event type changes.
    types: bool,
}

impl Plan {
    pub(crate) fn by_inactivity(self) -> Self {
        Self { source: false, ..self }
    }

    pub(crate) fn by_the_clock(self) -> Self {
        Self { campaign: false, types: false, ..self.by_inactivity() }
    }

    pub(crate) fn rule(&self) -> SessionRule {
        let micros = |micros: i64| Duration::from_micros(micros as u64);
        let mut rule = SessionRule::new(micros(self.timeout)).unwrap();
        if self.source {
            rule = rule.with_basis(SessionBasis::Source);
        }
        if let Some(length) = self.max_length {
            rule = rule.with_max_length(micros(length)).unwrap();
        }
        if let Some(minutes) = self.midnight {
            let sign = if minutes < 0 { '-' } else { '+' };
            let text = format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60);
            rule = rule.with_day_cut(text.parse().unwrap());
        }
        if self.types {
            rule = rule.with_attribute_cut("event_type");
        }
        if self.campaign { rule.with_attribute_cut("campaign") } else { rule }
    }

    fn splits(&self, timed: bool, session: &[&Marked], next: &Marked) -> bool {
        let time = |marked: &Marked| marked.0.time;
        let (start, last) = (time(session[0]), time(session[session.len() - 1]));
        let day = |time: i64, minutes: i64| (time + minutes * 60 * SECOND).div_euclid(DAY);
        let campaign = session.iter().rev().find_map(|marked| marked.2);
        let kind = |marked: &Marked| TYPES[marked.0.kind as usize];
        (timed && time(next) - last > self.timeout)
            || self.max_length.is_some_and(|length| time(next) - start >= length)
            || self.midnight.is_some_and(|minutes| day(last, minutes) != day(time(next), minutes))
            || (self.campaign && campaign.is_some() && next.2.is_some() && campaign != next.2)
            || (self.types && kind(session[session.len() - 1]) != kind(next))
    }
}

/// Sessions as lists of events: by user, then as `fact_sessions` has them.
pub(crate) fn cut<'a>(plan: &Plan, shape: Shape, events: &'a [Marked]) -> Vec<(Id, Vec<Vec<&'a Marked>>)> {
    let mut by_user: BTreeMap<Id, Vec<&Marked>> = BTreeMap::new();
    for marked in events {
        if let Some(user) = marked.0.user {
            by_user.entry(shape.user(user)).or_default().push(marked);
        }
    }
    let cut = |mut events: Vec<&'a Marked>| {
        events.sort_by_key(|marked| marked.0.time);
        let mut lanes: BTreeMap<(bool, Option<u32>), Vec<Vec<&Marked>>> = BTreeMap::new();
        for marked in events {
            let code = marked.1.filter(|_| plan.source);
            let sessions = lanes.entry((code.is_none(), code)).or_default();
            match sessions.last_mut() {
                Some(session) if !plan.splits(code.is_none(), session, marked) => session.push(marked),
                _ => sessions.push(vec![marked]),
            }
        }
        let mut sessions: Vec<_> = lanes.into_values().flatten().collect();
        sessions.sort_by_key(|session| session[0].0.time);
        sessions
    };
    by_user.into_iter().map(|(user, events)| (user, cut(events))).collect()
}

fn oracle(plan: &Plan, shape: Shape, events: &[Marked]) -> Vec<Row> {
    let mut found = Vec::new();
    for (user, sessions) in cut(plan, shape, events) {
        for (position, session) in sessions.iter().enumerate() {
            let start = session[0].0.time;
            let twins = sessions[..position].iter().filter(|before| before[0].0.time == start).count();
            let events: Vec<&Event> = session.iter().map(|marked| &marked.0).collect();
            let mut row = row(shape, &user, position as i64 + 1, &events);
            let id = match &user {
                Id::Int64(id) => id.to_le_bytes().to_vec(),
                Id::Utf8(id) => id.as_bytes().to_vec(),
            };
            row.key = xxh3_64_with_seed(&[id, start.to_le_bytes().to_vec()].concat(), twins as u64);
            found.push(row);
        }
    }
    found
}

pub(crate) fn batch(shape: Shape, campaigns: Campaigns, events: &[Marked]) -> EventBatch {
    let plain: Vec<Event> = events.iter().map(|marked| marked.0.clone()).collect();
    let batch = shape.batch(&plain).record_batch().clone();
    let sources: UInt32Array = events.iter().map(|marked| marked.1).collect();
    let texts = events.iter().map(|marked| marked.2.map(|campaign| format!("campaign {campaign}")));
    let campaigns: ArrayRef = match campaigns {
        Campaigns::Dictionary => {
            let texts: Vec<_> = texts.collect();
            let texts = texts.iter().map(Option::as_deref);
            Arc::new(texts.collect::<DictionaryArray<Int32Type>>())
        }
        Campaigns::Utf8 => Arc::new(texts.collect::<StringArray>()),
        Campaigns::Int64 => Arc::new(events.iter().map(|marked| marked.2).collect::<Int64Array>()),
    };
    let more: [(&str, ArrayRef); 2] = [("source_session", Arc::new(sources)), ("campaign", campaigns)];
    let schema = batch.schema();
    let named =
        schema.fields().iter().map(|field| field.name().as_str()).zip(batch.columns().iter().cloned());
    EventBatch::try_new(RecordBatch::try_from_iter(named.chain(more)).unwrap()).unwrap()
}

pub(crate) fn sorted(shape: Shape, campaigns: Campaigns, events: &[Marked]) -> EventBatch {
    EventBatch::sorted(&[batch(shape, campaigns, events)]).unwrap()
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    (
        prop_oneof![Just(10 * SECOND), Just(1), Just(60 * SECOND)],
        any::<bool>(),
        option::of(prop_oneof![Just(5 * SECOND), Just(15 * SECOND), Just(1), Just(DAY)]),
        // The events lie within a minute about midnight of UTC.
        option::of(prop_oneof![Just(0i64), Just(1), Just(-1), Just(-570)]),
        any::<[bool; 2]>(),
    )
        .prop_map(|(timeout, source, max_length, midnight, [campaign, types])| Plan {
            timeout,
            source,
            max_length,
            midnight,
            campaign,
            types,
        })
}

pub(crate) fn marked() -> impl Strategy<Value = Vec<Marked>> {
    let one = (event(), option::weighted(0.7, 0u32..4), option::weighted(0.6, 0i64..3));
    proptest::collection::vec(one, 0..80)
}

pub(crate) fn campaigns() -> impl Strategy<Value = Campaigns> {
    prop_oneof![Just(Campaigns::Dictionary), Just(Campaigns::Utf8), Just(Campaigns::Int64)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn any_rules_cut_as_the_definition_does_however_the_rows_are_split(
        plan in plan(),
        events in marked(),
        shape in shape(),
        campaigns in campaigns(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let sorted = sorted(shape, campaigns, &events);
        let expected = oracle(&plan, shape, &events);
        let whole = sessionize(plan.rule(), std::slice::from_ref(&sorted)).unwrap();
        prop_assert_eq!(&rows(std::slice::from_ref(&whole)), &expected);
        let mut sessionizer = Sessionizer::new(plan.rule(), sorted.schema()).unwrap();
        let batches = split(&sorted, &cuts);
        let mut tables: Vec<_> = batches.iter().map(|batch| sessionizer.push(batch).unwrap()).collect();
        let skipped = events.iter().filter(|marked| marked.0.user.is_none()).count();
        prop_assert_eq!(sessionizer.skipped_events(), skipped as u64);
        tables.push(sessionizer.finish().unwrap());
        prop_assert_eq!(arrow_select::concat::concat_batches(&whole.schema(), &tables).unwrap(), whole.clone());
        let mut keys = whole.column(0).as_primitive::<UInt64Type>().values().to_vec();
        keys.sort_unstable();
        prop_assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "a key comes twice");
    }

    #[test]
    fn rows_out_of_order_are_named_whatever_the_rules(
        plan in plan(),
        events in proptest::collection::vec((event(), option::weighted(0.7, 0u32..4), Just(None)), 1..12),
        cuts in proptest::collection::vec(any::<usize>(), 0..4),
    ) {
        let key = |marked: &Marked| (marked.0.user.is_none(), marked.0.user);
        let back = events.windows(2).position(|pair| {
            key(&pair[0]) > key(&pair[1])
                || (pair[0].0.user.is_some() && key(&pair[0]) == key(&pair[1]) && pair[0].0.time > pair[1].0.time)
        });
        let result = sessionize(plan.rule(), &split(&batch(Shape::FULL, Campaigns::Int64, &events), &cuts));
        match back {
            None => prop_assert!(result.is_ok()),
            Some(above) => {
                let text = result.unwrap_err().to_string();
                prop_assert!(text.starts_with(&format!("row {} comes before the row above", above + 1)), "{}", text);
            }
        }
    }
}

pub(crate) fn at(time: i64, source: Option<u32>, campaign: Option<i64>) -> Marked {
    let event = Event { user: Some(1), time, kind: 1, product: None, price: None, quantity: None };
    (event, source, campaign)
}

pub(crate) fn spans(rule: SessionRule, events: &[Marked]) -> Vec<(i64, i64)> {
    let batch = batch(Shape::FULL, Campaigns::Utf8, events);
    rows(&[sessionize(rule, &[batch]).unwrap()]).iter().map(|row| (row.start, row.end)).collect()
}

#[test]
fn an_event_at_the_longest_length_starts_a_new_session() {
    let rule = SessionRule::default().with_max_length(Duration::from_secs(60)).unwrap();
    let events = [0, 59, 60, 119, 120].map(|second| at(second * SECOND, None, None));
    let minute = 60 * SECOND;
    assert_eq!(
        spans(rule, &events),
        [(0, 59 * SECOND), (minute, minute + 59 * SECOND), (2 * minute, 2 * minute)]
    );
}

#[test]
fn midnight_is_the_first_instant_of_the_new_day() {
    let events = [DAY - 1, DAY, DAY + 1].map(|time| at(time, None, None));
    let rule = |midnight: &str| SessionRule::default().with_day_cut(midnight.parse().unwrap());
    assert_eq!(spans(rule("UTC"), &events), [(DAY - 1, DAY - 1), (DAY, DAY + 1)]);
    assert_eq!(spans(rule("+01:00"), &events), [(DAY - 1, DAY + 1)]);
    assert_eq!(spans(SessionRule::default(), &events), [(DAY - 1, DAY + 1)]);
}

#[test]
fn a_campaign_lasts_over_nulls_until_another_comes() {
    let rule = SessionRule::default().with_attribute_cut("campaign");
    let campaigns = [None, Some(1), None, Some(1), Some(2), None, Some(1)];
    let events: Vec<_> =
        campaigns.iter().zip(0..).map(|(&campaign, time)| at(time, None, campaign)).collect();
    assert_eq!(spans(rule.clone(), &events), [(0, 3), (4, 5), (6, 6)]);
    // At one instant as well; the keys tell the sessions apart.
    let events: Vec<_> = [1, 2, 1].iter().map(|&campaign| at(7, None, Some(campaign))).collect();
    assert_eq!(spans(rule.clone(), &events), [(7, 7); 3]);
    // The codes of a dictionary may mean something else in each batch.
    let [first, second] = [[1, 2], [2, 1]].map(|campaigns| {
        let events: Vec<_> = campaigns.iter().map(|&campaign| at(7, None, Some(campaign))).collect();
        batch(Shape::FULL, Campaigns::Dictionary, &events)
    });
    assert_eq!(sessionize(rule, &[first, second]).unwrap().num_rows(), 3);
}

/// The picture in docs/tables.md: the second session has no campaign until the third event of it.
#[test]
fn a_change_of_any_column_ends_a_session_and_forgets_the_others() {
    let rule = SessionRule::default().with_attribute_cut("campaign").with_attribute_cut("country");
    let events: Vec<_> = [Some(1), None, None, None, Some(2)]
        .into_iter()
        .zip(0..)
        .map(|(campaign, time)| at(time, None, campaign))
        .collect();
    let batch = batch(Shape::FULL, Campaigns::Utf8, &events).record_batch().clone();
    let countries = StringArray::from(vec![Some("FR"), Some("FR"), Some("ES"), None, None]);
    let schema = batch.schema();
    let named =
        schema.fields().iter().map(|field| field.name().as_str()).zip(batch.columns().iter().cloned());
    let more: [(&str, ArrayRef); 1] = [("country", Arc::new(countries))];
    let events = EventBatch::try_new(RecordBatch::try_from_iter(named.chain(more)).unwrap()).unwrap();
    for cuts in [&[][..], &[1], &[2], &[3], &[4], &[1, 2, 3, 4]] {
        let found = rows(&[sessionize(rule.clone(), &split(&events, cuts)).unwrap()]);
        let spans: Vec<_> = found.iter().map(|row| (row.start, row.end)).collect();
        assert_eq!(spans, [(0, 1), (2, 4)], "{cuts:?}");
    }
}

#[test]
fn sessions_of_the_source_may_overlap() {
    let events = [
        at(0, Some(8), None),
        at(0, Some(3), None),
        at(1, None, None),
        at(DAY, Some(8), None),
        at(DAY, None, None),
    ];
    assert_eq!(spans(SessionRule::source(), &events), [(0, 0), (0, DAY), (1, 1), (DAY, DAY)]);
    let short = SessionRule::source().with_day_cut(cip_sessionize::Midnight::UTC);
    assert_eq!(spans(short, &events), [(0, 0), (0, 0), (1, 1), (DAY, DAY), (DAY, DAY)]);
}

#[test]
fn columns_that_a_rule_cannot_use_are_named() {
    let batch = batch(Shape::FULL, Campaigns::Utf8, &[at(0, None, None)]);
    let refuse = |rule: SessionRule, batch: &EventBatch| {
        sessionize(rule, std::slice::from_ref(batch)).unwrap_err().to_string()
    };
    assert_eq!(
        refuse(SessionRule::default().with_attribute_cut("referrer"), &batch),
        "the events have no column `referrer` to tell sessions apart by: name one of `event_type`, `product_id`, \
         `quantity`, `campaign`"
    );
    assert_eq!(
        refuse(SessionRule::default().with_attribute_cut("price"), &batch),
        "the column `price` is Decimal128(18, 2), expected Dictionary(Int32, Utf8), Utf8 or Int64 to tell sessions apart \
         by: name one of `event_type`, `product_id`, `quantity`, `campaign`"
    );
    let bare = Shape::FULL.batch(&[]);
    assert!(refuse(SessionRule::source(), &bare).starts_with("column `source_session` is missing"));
    let funnel = || Funnel::new(["view", "cart"], Duration::from_secs(1)).unwrap();
    let error = funnel().with_session_rule(SessionRule::source()).unwrap_err().to_string();
    assert_eq!(
        error,
        "funnels cut sessions by times alone, but the rule needs the column `source_session`: give a rule without it"
    );
    assert!(funnel().with_session_rule(SessionRule::default().with_attribute_cut("campaign")).is_err());
}
