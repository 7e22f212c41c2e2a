//! The subscription: form, and what precedes a cancellation.

use std::collections::HashMap;
use std::sync::OnceLock;

use cip_synth::World;

use crate::csv::{is_time, is_uuid, rows, share};

const USER: usize = 0;
const KIND: usize = 1;
const TIME: usize = 2;

/// 300,000 events.
fn streamflow() -> &'static [Vec<String>] {
    static STREAMFLOW: OnceLock<Vec<Vec<String>>> = OnceLock::new();
    STREAMFLOW.get_or_init(|| rows(World::Streamflow, 300_000, 2_024))
}

fn day(row: &[String]) -> i64 {
    // Days before each month of 2024.
    const BEFORE: [i64; 6] = [0, 31, 60, 91, 121, 152];
    let part = |from: usize| row[TIME][from..from + 2].parse::<i64>().unwrap();
    BEFORE[part(5) as usize - 1] + part(8)
}

#[test]
fn every_row_has_its_form() {
    for row in streamflow() {
        assert_eq!(row.len(), 14, "{row:?}");
        assert!(row[USER].parse::<u64>().unwrap() >= 1_000_000, "{row:?}");
        assert!(is_time(&row[TIME], "2024-00-00T00:00:00Z"), "{row:?}");
        assert!(is_uuid(&row[3]), "{row:?}");
        let playback = row[KIND].starts_with("video_") || row[KIND] == "error";
        assert_eq!(playback, !row[5].is_empty(), "content: {row:?}");
        assert_eq!(
            matches!(row[KIND].as_str(), "video_pause" | "video_stop" | "video_complete"),
            row[6].parse::<u32>().is_ok(),
            "seconds: {row:?}"
        );
        let paid = matches!(
            row[KIND].as_str(),
            "subscription_started" | "subscription_renewed" | "subscription_upgraded"
        );
        assert_eq!(paid, row[11].parse::<f64>().is_ok_and(|revenue| revenue > 0.0), "revenue: {row:?}");
        assert_eq!(
            matches!(row[KIND].as_str(), "error" | "payment_failed"),
            !row[12].is_empty(),
            "code: {row:?}"
        );
        let metadata = &row[13];
        assert!(metadata.starts_with("{\"app_version\":\"5.") && metadata.ends_with('}'), "{metadata}");
        assert_eq!(metadata.replace("\\\"", "").matches('"').count() % 2, 0, "{metadata}");
    }
    assert!(streamflow().is_sorted_by(|a, b| a[TIME] <= b[TIME]));
}

#[test]
fn all_event_types_occur() {
    for kind in [
        "page_view",
        "video_start",
        "video_pause",
        "video_stop",
        "video_complete",
        "search",
        "feature_click",
        "share",
        "download",
        "support_ticket",
        "error",
        "subscription_started",
        "subscription_renewed",
        "subscription_upgraded",
        "subscription_cancelled",
        "payment_failed",
    ] {
        assert!(share(streamflow(), |row| row[KIND] == kind) > 0.0002, "{kind}");
    }
}

#[test]
fn activity_falls_and_errors_grow_before_a_cancellation() {
    let end: HashMap<&str, &Vec<String>> = streamflow()
        .iter()
        .filter(|row| row[KIND] == "subscription_cancelled")
        .map(|row| (row[USER].as_str(), row))
        .collect();
    assert!(end.len() > 300, "{}", end.len());
    // Usage by how many weeks before the cancellation.
    let (mut usage, mut errors) = ([0.0; 10], [0.0; 10]);
    for row in streamflow() {
        let Some(cancelled) = end.get(row[USER].as_str()) else { continue };
        assert!(row[TIME] <= cancelled[TIME], "something follows the cancellation: {row:?}");
        let week = (day(cancelled) - day(row)) / 7;
        if let (Some(used), Some(failed)) = (usage.get_mut(week as usize), errors.get_mut(week as usize)) {
            let billing = row[KIND].starts_with("subscription") || row[KIND] == "payment_failed";
            *used += f64::from(u8::from(!billing));
            *failed += f64::from(u8::from(row[KIND] == "error"));
        }
    }
    let sum = |weeks: &[f64]| weeks.iter().sum::<f64>();
    assert!(sum(&usage[..2]) < 0.7 * sum(&usage[6..8]), "{usage:?}");
    let rate = |weeks: std::ops::Range<usize>| sum(&errors[weeks.clone()]) / sum(&usage[weeks]);
    assert!(rate(0..3) > 2.5 * rate(5..10), "{errors:?} of {usage:?}");
}
