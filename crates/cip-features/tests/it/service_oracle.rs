//! The features of a subscription service by filtering and looping: plain enough to be read as the definition.

use std::collections::{BTreeMap, BTreeSet};

use cip_core::{Id, MICROS_PER_DAY};

use crate::oracle::{Row, Value, Window};
use crate::service_events::{DEVICES, Use};

fn float(value: f64) -> Value {
    Value::Bits(value.to_bits())
}

pub(crate) fn oracle(window: Window, events: &[Use]) -> Vec<Row> {
    let Window(start, cutoff, until) = window;
    let mut by_user: BTreeMap<i64, Vec<&Use>> = BTreeMap::new();
    for event in events.iter().filter(|event| start <= event.time && event.time < cutoff) {
        if let Some(user) = event.user {
            by_user.entry(user).or_default().push(event);
        }
    }
    by_user
        .into_iter()
        .map(|(user, known)| {
            let label = until.map(|until| {
                let left = |event: &&Use| {
                    event.user == Some(user)
                        && event.name() == "subscription_cancelled"
                        && (cutoff..until).contains(&event.time)
                };
                u8::from(events.iter().any(|event| left(&event)))
            });
            Row { user: Id::Int64(user), values: values(window, &known), label }
        })
        .collect()
}

fn values(Window(start, cutoff, _): Window, events: &[&Use]) -> Vec<(String, Value)> {
    let of = |names: &[&str]| events.iter().filter(|event| names.contains(&event.name())).count() as f64;
    let total = events.len() as f64;
    let (starts, searches) = (of(&["video_start"]), of(&["search"]));
    let used: BTreeSet<&str> = events.iter().map(|event| event.name()).collect();
    let breadth = ["page_view", "video_start", "search", "feature_click", "share", "download"]
        .into_iter()
        .filter(|name| used.contains(name))
        .count();
    let devices: BTreeSet<&str> =
        events.iter().filter_map(|event| event.device).map(|device| DEVICES[device]).collect();
    let mobile =
        events.iter().filter(|event| event.device.is_some_and(|device| DEVICES[device] == "mobile")).count();
    let cents: i64 = events.iter().filter_map(|event| event.revenue).sum();
    let seconds: i64 = events.iter().filter_map(|event| event.seconds).sum();
    let since = |names: Option<&[&str]>| {
        let times = events
            .iter()
            .filter(|event| names.is_none_or(|names| names.contains(&event.name())))
            .map(|event| event.time);
        Value::Int(times.max().map_or(999, |last| (cutoff - last) / MICROS_PER_DAY))
    };
    let middle = start + (cutoff - start) / 2;
    let h1 = events.iter().filter(|event| event.time < middle).count() as f64;
    let h2 = total - h1;
    let days = ((cutoff - start) / MICROS_PER_DAY).max(1) as f64;
    [
        ("daily_avg_events", float(total / days)),
        ("video_completion_rate", float(if starts > 0.0 { of(&["video_complete"]) / starts } else { 0.0 })),
        ("feature_breadth", Value::Int(breadth as i64)),
        ("support_intensity", float(of(&["support", "support_ticket"]) / total)),
        ("mobile_fraction", float(mobile as f64 / total)),
        ("revenue_per_event", float(cents as f64 / (100.0 * total))),
        ("device_diversity", Value::Int(devices.len() as i64)),
        ("total_revenue", float(cents as f64 / 100.0)),
        ("avg_video_duration", float(if starts > 0.0 { seconds as f64 / starts } else { 0.0 })),
        (
            "search_to_view_ratio",
            float(match (starts > 0.0, searches > 0.0) {
                (true, _) => searches / starts,
                (false, true) => 10.0,
                (false, false) => 0.0,
            }),
        ),
        ("days_since_last_event", since(None)),
        ("days_since_last_support", since(Some(&["support", "support_ticket"]))),
        ("days_since_last_video", since(Some(&["video_start", "video_complete"]))),
        ("activity_trend", float((h2 - h1) / (h1 + h2))),
        ("activity_volatility", float((h2 - h1).abs() / (h1 + h2 + 1.0))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}
