//! Patterns of events against a search that tries every way.

use cip_core::Timestamp;
use cip_sessionize::{SequencePattern, sequence_count, sequence_match};
use proptest::prelude::*;

/// An element of a pattern.
#[derive(Debug, Clone)]
enum Element {
    Condition(usize),
    One,
    Any,
    /// A comparison and seconds.
    Time(&'static str, i64),
}

impl Element {
    fn text(&self) -> String {
        match self {
            Self::Condition(number) => format!("(?{number})"),
            Self::One => ".".to_owned(),
            Self::Any => ".*".to_owned(),
            Self::Time(comparison, seconds) => format!("(?t{comparison}{seconds})"),
        }
    }
}

fn element() -> impl Strategy<Value = Element> {
    let comparison = prop_oneof![Just("<"), Just("<="), Just(">"), Just(">="), Just("==")];
    prop_oneof![
        4 => (1usize..4).prop_map(Element::Condition),
        1 => Just(Element::One),
        2 => Just(Element::Any),
        2 => (comparison, 0i64..4).prop_map(|(comparison, seconds)| Element::Time(comparison, seconds)),
    ]
}

/// The last event of the first match of `pattern` at `from` or behind, the first of every choice tried first. `before` is the
/// event that was matched last, and `times` the comparisons since.
fn end(
    pattern: &[Element],
    events: &[(i64, usize)],
    from: usize,
    before: Option<usize>,
    times: &[(&str, i64)],
) -> Option<usize> {
    let Some((element, rest)) = pattern.split_first() else { return before };
    let later =
        |times: &[(&str, i64)]| (from..=events.len()).find_map(|next| end(rest, events, next, before, times));
    match element {
        Element::Any => later(times),
        Element::Time(comparison, seconds) => later(&[times, &[(*comparison, *seconds)]].concat()),
        Element::One | Element::Condition(_) => {
            let event = events.get(from)?;
            if matches!(element, Element::Condition(number) if *number != event.1) {
                return None;
            }
            let apart = before.map_or(0, |before| event.0 - events[before].0);
            let hold = times.iter().all(|&(comparison, seconds)| {
                let limit = seconds * 1_000_000;
                match comparison {
                    "<" => apart < limit,
                    "<=" => apart <= limit,
                    ">" => apart > limit,
                    ">=" => apart >= limit,
                    _ => apart == limit,
                }
            });
            if hold { end(rest, events, from + 1, Some(from), &[]) } else { None }
        }
    }
}

proptest! {
    #[test]
    fn matches_are_those_of_a_search_that_tries_every_way(
        elements in proptest::collection::vec(element(), 1..6),
        events in proptest::collection::vec((0i64..8, 1usize..5), 0..12),
    ) {
        let text: String = elements.iter().map(Element::text).collect();
        let is_event = |element: &Element| matches!(element, Element::Condition(_) | Element::One);
        let (first, last) = (elements.iter().position(is_event), elements.iter().rposition(is_event));
        let is_time = |element: &Element| matches!(element, Element::Time(..));
        let pattern = text.parse::<SequencePattern>();
        let (Some(first), Some(last)) = (first, last) else {
            prop_assert!(pattern.is_err());
            return Ok(());
        };
        if elements[..first].iter().chain(&elements[last..]).any(is_time) {
            prop_assert!(pattern.is_err());
            return Ok(());
        }
        let pattern = pattern.unwrap();
        let mut events: Vec<_> = events.into_iter().map(|(half, kind)| (half * 500_000, kind)).collect();
        events.sort_by_key(|event| event.0);

        // Of four event types three are conditions. What stands around the events of the pattern matches nothing, or as much.
        let known: Vec<_> = events.iter().copied().filter(|event| event.1 < 4).collect();
        let (mut expected, mut from) = (0, 0);
        while let Some(last) =
            (from..known.len()).find_map(|start| end(&elements[first..=last], &known, start, None, &[]))
        {
            expected += 1;
            from = last + 1;
        }
        let events: Vec<_> = events.iter().map(|&(time, kind)| (Timestamp::from_micros(time), kind)).collect();
        prop_assert_eq!(sequence_count(&pattern, &events, &[1, 2, 3]).unwrap(), expected, "{}", text);
        prop_assert_eq!(sequence_match(&pattern, &events, &[1, 2, 3]).unwrap(), expected > 0);
    }

    #[test]
    fn no_text_makes_a_pattern_panic(text in "[(?t<>=.*0-9)é ]{0,12}") {
        let _ = text.parse::<SequencePattern>();
    }
}

#[test]
fn many_events_that_do_not_match_stay_linear() {
    let events: Vec<_> = (0..200_000).map(|n| (Timestamp::from_micros(n * 1_000_000), 1 + n % 2)).collect();
    let pattern = "(?1).*(?2).*(?t<5)(?1).*(?3)".parse().unwrap();
    assert!(!sequence_match(&pattern, &events, &[1, 2, 3]).unwrap());
}
