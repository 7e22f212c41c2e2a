//! The saved state of sessions: the same bytes, and no damaged ones.

use std::io::{self, Read, Write};
use std::time::Duration;

use cip_core::StateFault;
use cip_sessionize::{IncrementalSessions, Lateness, SessionRule, SessionizeError};
use proptest::prelude::*;

use crate::events::{Shape, split};
use crate::incremental::lateness;
use crate::laws::shape;
use crate::rules::{Campaigns, Marked, batch, campaigns, marked, plan};

fn saved(sessions: &IncrementalSessions) -> Vec<u8> {
    let mut bytes = Vec::new();
    sessions.save(&mut bytes).unwrap();
    bytes
}

proptest! {
    #[test]
    fn the_bytes_depend_on_the_events_alone(
        plan in plan(),
        events in marked(),
        lateness in lateness(),
        shape in shape(),
        campaigns in campaigns(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let rule = plan.by_inactivity().rule();
        let all = batch(shape, campaigns, &events);
        let new = || IncrementalSessions::new(rule.clone(), all.schema(), lateness).unwrap();
        let (mut whole, mut parts) = (new(), new());
        whole.push(&all).unwrap();
        for part in split(&all, &cuts) {
            parts.push(&part).unwrap();
        }
        let bytes = saved(&whole);
        prop_assert_eq!(&saved(&parts), &bytes);
        let resumed = IncrementalSessions::resume(rule.clone(), all.schema(), lateness, bytes.as_slice()).unwrap();
        prop_assert_eq!(saved(&resumed), bytes);
    }
}

/// A state with everything in it: sessions that go on, products, kept events, texts and nulls.
fn example() -> (SessionRule, cip_core::EventBatch, Vec<u8>) {
    let rule = SessionRule::default()
        .with_max_length(Duration::from_secs(7_200))
        .unwrap()
        .with_day_cut("Europe/Berlin".parse().unwrap())
        .with_attribute_cut("campaign");
    let event = |user, second: i64, campaign: Option<i64>| -> Marked {
        let event = crate::events::Event {
            user,
            time: second * 1_000_000,
            kind: 1 + (second % 5) as i32,
            product: (second % 3 > 0).then_some(second),
            price: Some(second * 100),
            quantity: Some(2),
        };
        (event, None, campaign)
    };
    let events = [
        event(Some(1), 0, Some(1)),
        event(Some(1), 4, None),
        event(Some(2), 10, None),
        event(Some(2), 100, Some(2)),
        event(None, 100, None),
        event(Some(2), 109, Some(2)),
    ];
    let shape = Shape { text_users: true, ..Shape::FULL };
    let events = batch(shape, Campaigns::Utf8, &events);
    let mut sessions = IncrementalSessions::new(rule.clone(), events.schema(), MINUTE).unwrap();
    sessions.push(&events).unwrap();
    (rule, events.clone(), saved(&sessions))
}

const MINUTE: Lateness = Lateness::Within(Duration::from_secs(60));

#[test]
fn every_flipped_byte_and_every_other_length_is_refused() {
    let (rule, events, good) = example();
    let resume = |bytes: &[u8]| IncrementalSessions::resume(rule.clone(), events.schema(), MINUTE, bytes);
    resume(&good).unwrap();
    for at in 0..good.len() {
        for flip in [1, 0x80, 0xFF] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            assert!(resume(&bad).is_err(), "byte {at} of {} may be flipped by {flip}", good.len());
        }
        assert!(
            matches!(resume(&good[..at]), Err(SessionizeError::State(StateFault::Damaged { .. }))),
            "cut at {at}"
        );
    }
    let longer = [&good[..], b"\0"].concat();
    let text = resume(&longer).unwrap_err().to_string();
    assert!(text.contains("expected nothing more: take an earlier one"), "{text}");
}

#[test]
fn lengths_are_not_believed() {
    let (rule, events, good) = example();
    // The length of the text that says how the state was made stands behind 12 letters and the version.
    let mut bad = good;
    for length in [u64::MAX, 1 << 40, (1 << 31) - 1] {
        bad[16..24].copy_from_slice(&length.to_le_bytes());
        let found = IncrementalSessions::resume(rule.clone(), events.schema(), MINUTE, bad.as_slice());
        assert!(matches!(found, Err(SessionizeError::State(StateFault::Damaged { .. }))));
    }
}

#[test]
fn a_state_of_other_sessions_says_so() {
    let (rule, events, good) = example();
    let resume = |rule, lateness, bytes: &[u8]| {
        IncrementalSessions::resume(rule, events.schema(), lateness, bytes).unwrap_err().to_string()
    };
    let text = resume(SessionRule::default(), MINUTE, &good);
    let expected = "expected `timeout 1800s; users are texts, products integers, prices have 2 decimals; up to 60s late`";
    assert!(
        text.contains(expected) && text.contains("at most 7200s, cut at midnight of Europe/Berlin by 20"),
        "{text}"
    );
    let text = resume(rule.clone(), Lateness::Unlimited, &good);
    assert!(text.contains("late without limit"), "{text}");
    let mut later = good;
    later[12] = 2;
    assert_eq!(resume(rule, MINUTE, &later), "the state of sessions is of version 2, expected 1: update cip");
}

#[test]
fn what_cannot_be_written_or_read_says_so() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is full"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the cable is cut"))
        }
    }
    let (rule, events, good) = example();
    let sessions =
        IncrementalSessions::resume(rule.clone(), events.schema(), MINUTE, good.as_slice()).unwrap();
    let text = sessions.save(Broken).unwrap_err().to_string();
    assert_eq!(text, "the state of sessions cannot be written: the disk is full");
    let text = IncrementalSessions::resume(rule, events.schema(), MINUTE, Broken).unwrap_err().to_string();
    assert_eq!(text, "the state of sessions cannot be read: the cable is cut");
}
