//! What holds for all events of a subscription service.

use arrow_array::RecordBatch;
use cip_core::{EventBatch, MICROS_PER_DAY, Timestamp};
use cip_features::spec::{FeatureSpec, SpecFeatures};
use cip_features::{Feature, FeatureSet, Features, MatrixReport};
use proptest::option;
use proptest::prelude::*;

use crate::events::concat;
use crate::laws::window_from;
use crate::oracle::{Value, Window, check_report, rows, unlabelled};
use crate::service_events::{DEVICES, TYPES, Use, sorted, split};
use crate::service_oracle::oracle;

/// Around whole days from an odd hour, a microsecond less or more.
fn time() -> impl Strategy<Value = i64> {
    (-4i64..8, -2i64..3, -1i64..2)
        .prop_map(|(day, step, off)| day * MICROS_PER_DAY + step * MICROS_PER_DAY / 3 + off)
}

fn event() -> impl Strategy<Value = Use> {
    (
        option::weighted(0.9, -3i64..3),
        time(),
        0..TYPES.len(),
        option::weighted(0.8, 0..DEVICES.len()),
        option::weighted(0.5, -90i64..9_000),
        option::weighted(0.3, -200i64..1_800),
    )
        .prop_map(|(user, time, kind, device, seconds, revenue)| Use {
            user,
            time,
            kind,
            device,
            seconds,
            revenue,
        })
}

fn events() -> impl Strategy<Value = Vec<Use>> {
    proptest::collection::vec(event(), 0..90)
}

fn window() -> impl Strategy<Value = Window> {
    window_from(time())
}

fn features(window: Window, events: &EventBatch) -> Features {
    let features = Features::new(window.range(), events.schema()).unwrap();
    let features = features.with_set(FeatureSet::StreamFlow).unwrap();
    match window.2 {
        Some(until) => features.with_label_until(Timestamp::from_micros(until)).unwrap(),
        None => features,
    }
}

fn table(window: Window, events: &[Use]) -> RecordBatch {
    let sorted = sorted(events);
    features(window, &sorted).matrix(&[sorted]).unwrap()
}

proptest! {
    #[test]
    fn the_set_written_down_is_the_set(events in events(), window in window()) {
        // To a text that begins with `support` the set wants `support_` or no more.
        let events: Vec<Use> = events.into_iter().filter(|event| event.name() != "supporter_joined").collect();
        let sorted = sorted(&events);
        let ready = features(window, &sorted);
        let names: Vec<&str> = ready.selected().iter().map(|feature| feature.name()).collect();
        let spec = FeatureSpec::from_toml(include_str!("streamflow.toml")).unwrap();
        let mut written = SpecFeatures::new(&spec, ready.window(), sorted.schema()).unwrap().with_columns(&names).unwrap();
        if let Some(until) = ready.label_until() {
            written = written.with_label_until(until, None).unwrap();
        }
        let found = rows(&written.matrix(std::slice::from_ref(&sorted)).unwrap());
        let expected = rows(&ready.matrix(&[sorted]).unwrap());
        prop_assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert_eq!((&found.user, found.label), (&expected.user, expected.label));
            for (found, expected) in found.values.iter().zip(&expected.values) {
                match (found.1, expected.1) {
                    // Divided by the cents and the events at once, or one after the other.
                    (Value::Bits(a), Value::Bits(b)) if found.0 == "revenue_per_event" => {
                        let (a, b) = (f64::from_bits(a), f64::from_bits(b));
                        prop_assert!((a - b).abs() <= 1e-15 * b.abs(), "{} {}", a, b);
                    }
                    _ => prop_assert_eq!(found, expected),
                }
            }
        }
        let reports = [MatrixReport::of_spec(&written), MatrixReport::new(&ready)];
        prop_assert_eq!(&reports[0], &reports[1]);
    }

    #[test]
    fn the_kernel_equals_the_oracle(events in events(), window in window()) {
        let sorted = sorted(&events);
        let features = features(window, &sorted);
        let table = features.matrix(&[sorted]).unwrap();
        prop_assert_eq!(table.schema(), features.schema());
        prop_assert_eq!(rows(&table), oracle(window, &events));
    }

    #[test]
    fn any_split_into_batches_gives_the_same_rows(
        events in events(),
        window in window(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let whole = table(window, &events);
        let batches = split(&events, &cuts);
        let features = features(window, &batches[0]);
        let mut builder = features.builder();
        let mut tables: Vec<_> = batches.iter().map(|batch| builder.push(batch).unwrap()).collect();
        tables.push(builder.finish().unwrap());
        prop_assert_eq!(&concat(&tables), &whole);
        // The report does not know of batches either.
        let report = |tables: &[RecordBatch]| {
            let mut report = MatrixReport::new(&features);
            tables.iter().for_each(|table| report.add(table));
            report
        };
        prop_assert_eq!(report(&tables), report(&[whole]));
    }

    #[test]
    fn the_future_changes_no_feature(
        (events, others) in (events(), events()),
        Window(start, cutoff, until) in window(),
        (keep, shift) in (any::<prop::sample::Index>(), 0i64..MICROS_PER_DAY),
    ) {
        let window = Window(start, cutoff, until);
        let past: Vec<_> = events.iter().filter(|event| event.time < cutoff).cloned().collect();
        let future: Vec<_> = events.iter().filter(|event| event.time >= cutoff).cloned().collect();
        let known = unlabelled(&table(window, &past));
        prop_assert_eq!(&unlabelled(&table(window, &events)), &known);
        // Some of it removed, some of it of other users, times, kinds and values, and more of it.
        let changed = future.iter().take(keep.index(future.len() + 1)).map(|event| Use {
            user: event.user.map(|user| -user),
            time: event.time + shift,
            kind: (event.kind + 1) % TYPES.len(),
            device: event.device.map(|device| (device + 1) % DEVICES.len()),
            seconds: event.seconds.map(|seconds| seconds * 1_000),
            revenue: event.revenue.map(|revenue| revenue * 1_000),
        });
        let added = others.into_iter().map(|event| Use { time: cutoff + event.time.abs(), ..event });
        let other: Vec<_> = past.iter().cloned().chain(changed).chain(added).collect();
        prop_assert_eq!(unlabelled(&table(window, &other)), known);
    }

    #[test]
    fn features_of_both_sets_stand_side_by_side_as_they_stand_alone(
        events in events(),
        window in window(),
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 1..8),
    ) {
        let sorted = sorted(&events);
        let service = features(window, &sorted);
        let shop = service.clone().with_set(FeatureSet::Commerce).unwrap();
        let all: Vec<Feature> = (service.selected().iter())
            .chain(shop.selected().iter().filter(|feature| !service.selected().contains(feature)))
            .copied()
            .collect();
        let mut selected: Vec<Feature> = Vec::new();
        for pick in picks {
            let feature = *pick.get(&all);
            if !selected.contains(&feature) {
                selected.push(feature);
            }
        }
        let some = service.clone().with_columns(&selected).unwrap();
        // Nothing but the columns that it names is read.
        let schema = sorted.record_batch().schema();
        let project: Vec<_> = some.columns().iter().map(|name| schema.index_of(name).unwrap()).collect();
        let narrow = EventBatch::try_new(sorted.record_batch().project(&project).unwrap()).unwrap();
        let mixed = some.matrix(&[narrow]).unwrap();
        let [service, shop] = [service, shop].map(|features| features.matrix(std::slice::from_ref(&sorted)).unwrap());
        for feature in selected {
            let alone = service.column_by_name(feature.name()).or(shop.column_by_name(feature.name()));
            prop_assert_eq!(mixed.column_by_name(feature.name()), alone, "{}", feature);
        }
        prop_assert_eq!(mixed.column_by_name("label"), service.column_by_name("label"));
    }

    #[test]
    fn the_report_counts_what_lies_outside(events in events(), window in window()) {
        let sorted = sorted(&events);
        let features = features(window, &sorted);
        let table = features.matrix(&[sorted]).unwrap();
        check_report(&features, &table);
    }
}
