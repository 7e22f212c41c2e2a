//! What holds for all events.

use arrow_array::RecordBatch;
use cip_core::{EventBatch, MICROS_PER_DAY, Timestamp};
use cip_features::{Feature, Features};
use proptest::option;
use proptest::prelude::*;

use crate::events::{Event, Shape, TYPES, concat};
use crate::oracle::{Window, check_report, oracle, rows, unlabelled};

const MINUTE: i64 = 60_000_000;

/// Around midnights, in steps of half a session's timeout and a microsecond less or more.
pub(crate) fn time() -> impl Strategy<Value = i64> {
    (-4i64..8, -3i64..4, -1i64..2)
        .prop_map(|(day, step, off)| day * MICROS_PER_DAY + step * 15 * MINUTE + off)
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    (
        option::weighted(0.9, -3i64..3),
        time(),
        1..TYPES.len() as i32,
        (option::weighted(0.8, 0i64..40), option::weighted(0.8, 0i64..3)),
        (option::weighted(0.8, 0usize..5), option::weighted(0.8, 0usize..5)),
        (option::weighted(0.8, -200i64..900), option::weighted(0.8, -3i64..9)),
        option::weighted(0.8, 0u32..50),
    )
        .prop_map(
            |(user, time, kind, (product, category), (code, brand), (price, quantity), session)| Event {
                user,
                time,
                kind,
                product,
                category,
                code,
                brand,
                price,
                quantity,
                session,
            },
        )
}

pub(crate) fn events() -> impl Strategy<Value = Vec<Event>> {
    proptest::collection::vec(event(), 0..120)
}

pub(crate) fn shape() -> impl Strategy<Value = Shape> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (any::<Option<bool>>(), any::<Option<bool>>(), flags).prop_map(
        |(products, categories, (text_users, codes, brands, prices, quantities, sessions))| Shape {
            text_users,
            products,
            categories,
            codes,
            brands,
            prices,
            quantities,
            sessions,
        },
    )
}

pub(crate) fn window() -> impl Strategy<Value = Window> {
    window_from(time())
}

/// A window of at most six days, and often a label window of at most four behind it.
pub(crate) fn window_from(time: impl Strategy<Value = i64>) -> impl Strategy<Value = Window> {
    (time, 1i64..6 * MICROS_PER_DAY, option::of(1i64..4 * MICROS_PER_DAY)).prop_map(
        |(start, width, label)| Window(start, start + width, label.map(|label| start + width + label)),
    )
}

fn features(window: Window, events: &EventBatch) -> Features {
    let features = Features::new(window.range(), events.schema()).unwrap();
    match window.2 {
        Some(until) => features.with_label_until(Timestamp::from_micros(until)).unwrap(),
        None => features,
    }
}

fn table(window: Window, shape: Shape, events: &[Event]) -> RecordBatch {
    let sorted = shape.sorted(events);
    features(window, &sorted).matrix(&[sorted]).unwrap()
}

/// Pushes batch by batch; the tables, and how many events were skipped.
fn stream(features: &Features, batches: &[EventBatch]) -> (RecordBatch, u64) {
    let mut builder = features.builder();
    let mut tables: Vec<_> = batches.iter().map(|batch| builder.push(batch).unwrap()).collect();
    let skipped = builder.skipped_events();
    tables.push(builder.finish().unwrap());
    (concat(&tables), skipped)
}

proptest! {
    #[test]
    fn the_kernel_equals_the_oracle(events in events(), shape in shape(), window in window()) {
        let sorted = shape.sorted(&events);
        let features = features(window, &sorted);
        let table = features.matrix(&[sorted]).unwrap();
        prop_assert_eq!(table.schema(), features.schema());
        prop_assert_eq!(rows(&table), oracle(window, shape, &events));
    }

    #[test]
    fn the_report_counts_nulls_and_what_lies_outside(events in events(), shape in shape(), window in window()) {
        let sorted = shape.sorted(&events);
        let features = features(window, &sorted);
        let table = features.matrix(&[sorted]).unwrap();
        check_report(&features, &table);
    }

    #[test]
    fn any_split_into_batches_gives_the_same_rows(
        events in events(),
        shape in shape(),
        window in window(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let whole = table(window, shape, &events);
        let batches = shape.split(&events, &cuts);
        let features = features(window, &batches[0]);
        prop_assert_eq!(&features.matrix(&batches).unwrap(), &whole);
        let (streamed, skipped) = stream(&features, &batches);
        prop_assert_eq!(streamed, whole);
        let range = features.time_range();
        let unknown = events.iter().filter(|event| event.user.is_none() && range.contains(event.time)).count();
        prop_assert_eq!(skipped, unknown as u64);
    }

    #[test]
    fn the_future_changes_no_feature(
        (events, others) in (events(), events()),
        shape in shape(),
        Window(start, cutoff, until) in window(),
        (keep, shift) in (any::<prop::sample::Index>(), 0i64..MICROS_PER_DAY),
    ) {
        let window = Window(start, cutoff, until);
        let past: Vec<_> = events.iter().filter(|event| event.time < cutoff).cloned().collect();
        let future: Vec<_> = events.iter().filter(|event| event.time >= cutoff).cloned().collect();
        let known = unlabelled(&table(window, shape, &past));
        prop_assert_eq!(&unlabelled(&table(window, shape, &events)), &known);
        // Some of it removed, some of it of other users, times and values, and more of it.
        let changed = future.iter().take(keep.index(future.len() + 1)).map(|event| Event {
            user: event.user.map(|user| -user),
            time: event.time + shift,
            kind: 1 + event.kind % (TYPES.len() as i32 - 1),
            price: event.price.map(|price| price * 1_000),
            product: event.product.map(|product| product + 1_000),
            ..event.clone()
        });
        let added = others.into_iter().map(|event| Event { time: cutoff + event.time.abs(), ..event });
        let other: Vec<_> = past.iter().cloned().chain(changed).chain(added).collect();
        prop_assert_eq!(unlabelled(&table(window, shape, &other)), known);
    }

    #[test]
    fn what_lies_outside_the_time_range_changes_nothing(events in events(), shape in shape(), window in window()) {
        let sorted = shape.sorted(&events);
        let features = features(window, &sorted);
        let range = features.time_range();
        let inside: Vec<_> = events.iter().filter(|event| range.contains(event.time)).cloned().collect();
        prop_assert_eq!(stream(&features, &[shape.sorted(&inside)]), stream(&features, &[sorted]));
    }

    #[test]
    fn the_columns_selected_are_those_of_the_whole_table(
        events in events(),
        shape in shape(),
        window in window(),
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let sorted = shape.sorted(&events);
        let all = features(window, &sorted);
        let mut selected: Vec<Feature> = Vec::new();
        for pick in picks {
            let feature = *pick.get(all.selected());
            if !selected.contains(&feature) {
                selected.push(feature);
            }
        }
        let some = all.clone().with_columns(&selected).unwrap();
        // Nothing but the columns that it names is read.
        let columns = some.columns();
        let schema = sorted.record_batch().schema();
        let project: Vec<_> = columns.iter().map(|name| schema.index_of(name).unwrap()).collect();
        let narrow = EventBatch::try_new(sorted.record_batch().project(&project).unwrap()).unwrap();
        let (some, all) = (some.matrix(&[narrow]).unwrap(), all.matrix(&[sorted]).unwrap());
        for field in some.schema().fields() {
            prop_assert_eq!(some.column_by_name(field.name()), all.column_by_name(field.name()));
        }
        prop_assert_eq!(some.num_columns(), 1 + selected.len() + usize::from(window.2.is_some()));
    }

    #[test]
    fn parts_by_user_put_together_are_the_same_table(
        events in events(),
        shape in shape(),
        window in window(),
        border in -3i64..3,
    ) {
        let whole = table(window, shape, &events);
        let (low, high): (Vec<_>, Vec<_>) = events
            .into_iter()
            .partition(|event| event.user.is_some_and(|user| shape.user(user) < shape.user(border)));
        prop_assert_eq!(concat(&[low, high].map(|part| table(window, shape, &part))), whole);
    }

    #[test]
    fn the_order_of_equal_times_and_the_ids_do_not_matter(
        (events, shuffled) in events().prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
        shape in shape(),
        window in window(),
    ) {
        let one = table(window, shape, &events);
        prop_assert_eq!(&table(window, shape, &shuffled), &one);
        let relabelled: Vec<_> = events
            .iter()
            .map(|event| Event {
                user: event.user.map(|user| 1_000 - 7 * user),
                product: event.product.map(|product| 77 - 3 * product),
                session: event.session.map(|session| 4_000_000_000 - 9 * session),
                ..event.clone()
            })
            .collect();
        let values = |table: &RecordBatch| {
            let mut values: Vec<_> =
                rows(table).into_iter().map(|row| format!("{:?} {:?}", row.values, row.label)).collect();
            values.sort_unstable();
            values
        };
        prop_assert_eq!(values(&table(window, shape, &relabelled)), values(&one));
    }

    #[test]
    fn the_first_row_out_of_order_is_named(
        events in proptest::collection::vec(event(), 1..12),
        text_users in any::<bool>(),
        cuts in proptest::collection::vec(any::<usize>(), 0..4),
    ) {
        let shape = Shape { text_users, ..Shape::FULL };
        let key = |event: &Event| (event.user.is_none(), event.user.map(|user| shape.user(user)));
        // Among unknown users, times do not matter.
        let back = events.windows(2).position(|pair| {
            key(&pair[0]) > key(&pair[1])
                || (pair[0].user.is_some() && pair[0].user == pair[1].user && pair[0].time > pair[1].time)
        });
        let batch = shape.batch(&events);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (events.len() + 1)).collect();
        cuts.extend([0, events.len()]);
        cuts.sort_unstable();
        let batches: Vec<_> = cuts.windows(2).map(|rows| batch.slice(rows[0], rows[1] - rows[0])).collect();
        let result = features(Window(0, MICROS_PER_DAY, None), &batch).matrix(&batches);
        match back {
            None => prop_assert!(result.is_ok()),
            Some(above) => {
                let text = result.unwrap_err().to_string();
                prop_assert!(text.starts_with(&format!("row {} comes before the row above", above + 1)), "{}", text);
            }
        }
    }
}
