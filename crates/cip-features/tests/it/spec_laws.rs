//! What holds for all specifications and all events.

use arrow_array::RecordBatch;
use cip_core::{EventBatch, Id, MICROS_PER_DAY, Timestamp};
use cip_features::spec::{
    DayRule, Family, FeatureRule, FeatureSpec, Filter, Hours, LookBack, Pivot, PivotValues, SpecFeatures,
    Statistic, Survey, Test, Weekday, ZeroRule,
};
use cip_features::{Features, MatrixReport};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use crate::events::{Event, Shape, TEXTS, TYPES, concat, text};
use crate::laws::{events, window};
use crate::oracle::{Row, Value, Window, rows, unlabelled};
use crate::spec_oracle::{matches, oracle, value};

/// Every column there is, products as integers or as text.
fn shape() -> impl Strategy<Value = Shape> {
    (any::<bool>(), any::<bool>()).prop_map(|(text_users, text)| Shape {
        text_users,
        products: Some(text),
        ..Shape::FULL
    })
}

fn discrete() -> impl Strategy<Value = &'static str> {
    select(vec![
        "event_type",
        "product_id",
        "category_id",
        "category_code",
        "brand",
        "quantity",
        "source_session",
    ])
}

/// Some values of a column, some of which no event has.
fn values_of(shape: Shape, column: &'static str) -> impl Strategy<Value = Vec<Id>> {
    let text_of = |text: &str| Id::Utf8(text.into());
    let all: Vec<Id> = match column {
        "event_type" => TYPES[1..7].iter().copied().chain(["gone"]).map(text_of).collect(),
        "brand" | "category_code" => TEXTS.iter().copied().chain(["gone"]).map(text_of).collect(),
        "product_id" if shape.products == Some(true) => (0..6).map(|id| Id::Utf8(text(id).into())).collect(),
        _ => (-1..6).map(Id::Int64).collect(),
    };
    let most = all.len().min(3);
    subsequence(all, 1..=most)
}

fn filter(shape: Shape) -> impl Strategy<Value = Filter> {
    let test = move |column: &'static str| {
        let holds_texts = ["event_type", "brand", "category_code"].contains(&column);
        (values_of(shape, column), 0..4).prop_map(move |(values, kind)| {
            let test = match kind {
                0 => Test::NoneOf(values),
                1 if holds_texts => {
                    Test::StartsWith(values[0].to_string().chars().take(2).collect::<String>().into())
                }
                _ => Test::AnyOf(values),
            };
            (column, test)
        })
    };
    let ends = (select(vec!["price", "spend", "quantity", "weight"]), -300i32..300, 1i32..400, 0..3);
    let between = ends.prop_map(|(column, low, width, kind)| {
        let [low, high] = [low, low + width].map(|cents| f64::from(cents) / 100.0);
        let (at_least, below) = match kind {
            0 => (Some(low), None),
            1 => (None, Some(high)),
            _ => (Some(low), Some(high)),
        };
        (column, Test::Between { at_least, below })
    });
    let test = prop_oneof![4 => discrete().prop_flat_map(test), 1 => between];
    proptest::collection::vec(test, 0..3).prop_map(|conditions| {
        conditions.into_iter().fold(Filter::default(), |filter, (column, test)| filter.and(column, test))
    })
}

fn back() -> impl Strategy<Value = LookBack> {
    select(vec!["1d", "3d", "36h", "45m", "90d"]).prop_map(|text| text.parse().unwrap())
}

fn day_rule() -> impl Strategy<Value = DayRule> {
    select(vec![DayRule::Dates, DayRule::Elapsed])
}

fn share() -> impl Strategy<Value = Family> {
    let hours = (0u8..24, 0u8..=24).prop_filter_map("different hours", |(from, to)| Hours::new(from, to));
    (option::of(hours), subsequence(Weekday::ALL.to_vec(), 0..4))
        .prop_filter("one of the two", |(hours, weekdays)| hours.is_some() || !weekdays.is_empty())
        .prop_map(|(hours, weekdays)| Family::Share { hours, weekdays })
}

fn family(shape: Shape) -> impl Strategy<Value = Family> {
    let statistic =
        select(vec![Statistic::Sum, Statistic::Mean, Statistic::Min, Statistic::Max, Statistic::Std]);
    let numbers = select(vec!["price", "spend", "quantity", "source_session", "weight"]);
    let valued = move |column: &'static str| (Just(column), values_of(shape, column));
    prop_oneof![
        Just(Family::Count),
        Just(Family::PerDay),
        option::of(select(vec!["1s", "30m", "7h", "3d"]))
            .prop_map(|gap| Family::Sessions { gap: gap.map(|gap| gap.parse().unwrap()) }),
        (statistic, numbers)
            .prop_map(|(statistic, column)| Family::Number { statistic, column: column.into() }),
        discrete().prop_map(|column| Family::Distinct { column: column.into() }),
        day_rule().prop_map(|days| Family::Recency { days }),
        day_rule().prop_map(|days| Family::Span { days }),
        Just(Family::ActiveDays),
        Just(Family::Trend),
        Just(Family::Volatility),
        share(),
        discrete().prop_map(|column| Family::Affinity { column: column.into(), value: None }),
        discrete().prop_flat_map(valued).prop_map(|(column, values)| Family::Affinity {
            column: column.into(),
            value: values.into_iter().next(),
        }),
        (discrete().prop_flat_map(valued), 1u32..4).prop_map(|((column, values), k)| Family::Last {
            column: column.into(),
            k,
            values
        }),
    ]
}

/// What a rule is made of.
#[derive(Clone, Debug)]
struct Parts {
    family: Family,
    filter: Filter,
    windows: Vec<LookBack>,
    single: bool,
    pivot: Option<Pivot>,
    fill: Option<f64>,
}

impl Parts {
    /// The rule. Names that begin with `std` are not compared to the last bit, those that begin with `single` do not show their
    /// window.
    fn rule(self, number: usize) -> FeatureRule {
        let single = self.single && self.windows.len() == 1;
        let first = if single { "single_" } else { "" };
        let exact = !matches!(self.family, Family::Number { statistic: Statistic::Std, .. });
        let name = format!("{first}{}_{number}", if exact { "f" } else { "std" });
        let mut rule = FeatureRule::new(name, self.family).unwrap().with_filter(self.filter).unwrap();
        rule = match &self.windows[..] {
            [] => rule,
            [window] if single => rule.with_window(*window).unwrap(),
            windows => rule.with_windows(windows).unwrap(),
        };
        if let Some(pivot) = self.pivot {
            rule = rule.with_pivot(pivot).unwrap();
        }
        match self.fill {
            Some(fill) => rule.clone().with_fill(fill).unwrap_or(rule),
            None => rule,
        }
    }
}

fn parts(shape: Shape) -> impl Strategy<Value = Parts> {
    let pivot = discrete().prop_flat_map(move |column| {
        values_of(shape, column).prop_map(move |values| Pivot::new(column, PivotValues::Listed(values)))
    });
    let windows = proptest::collection::vec(back(), 0..3).prop_map(|mut windows| {
        windows.sort();
        windows.dedup();
        windows
    });
    let fill = option::of(select(vec![-1.0, 0.0, 999.0]));
    (family(shape), filter(shape), windows, any::<bool>(), option::weighted(0.3, pivot), fill).prop_map(
        |(family, filter, windows, single, pivot, fill)| Parts {
            family,
            filter,
            windows,
            single,
            pivot,
            fill,
        },
    )
}

/// Rules, and ratios of some of them.
fn spec(shape: Shape) -> impl Strategy<Value = FeatureSpec> {
    let by_numerator = ZeroRule::ByNumerator { nonzero: 10.0, zero: -0.5 };
    let zero = select(vec![ZeroRule::Null, ZeroRule::Zero, ZeroRule::Fill(7.5), by_numerator]);
    let zones = select(vec!["UTC", "+05:30", "-09:30", "America/New_York", "Europe/Lisbon", "Asia/Tehran"]);
    let ratios = proptest::collection::vec((any::<Index>(), any::<Index>(), zero), 0..3);
    (proptest::collection::vec(parts(shape), 1..7), ratios, option::of(filter(shape)), zones).prop_map(
        |(parts, ratios, label, zone)| {
            let mut rules: Vec<_> =
                parts.into_iter().enumerate().map(|(number, parts)| parts.rule(number)).collect();
            let plain = |rule: &&FeatureRule| {
                let one = rule.windows().is_empty() || rule.name().starts_with("single");
                one && rule.pivot().is_none() && !rule.name().contains("std")
            };
            let names: Vec<Box<str>> = rules.iter().filter(plain).map(|rule| rule.name().into()).collect();
            for (number, (numerator, denominator, zero)) in ratios.into_iter().enumerate() {
                if !names.is_empty() {
                    let [numerator, denominator] =
                        [numerator, denominator].map(|index| index.get(&names).clone());
                    let family = Family::Ratio { numerator, denominator, zero };
                    rules.push(FeatureRule::new(format!("ratio_{number}"), family).unwrap());
                }
            }
            let spec = FeatureSpec::new(rules).unwrap().with_time_zone(zone.parse().unwrap());
            match label.filter(|label| !label.conditions().is_empty()) {
                Some(label) => spec.with_label(label).unwrap(),
                None => spec.with_label(Filter::event_type("purchase")).unwrap(),
            }
        },
    )
}

fn shaped() -> impl Strategy<Value = (Shape, FeatureSpec)> {
    shape().prop_flat_map(|shape| (Just(shape), spec(shape)))
}

fn features(spec: &FeatureSpec, window: Window, events: &EventBatch) -> SpecFeatures {
    let features = SpecFeatures::new(spec, window.range(), events.schema()).unwrap();
    match window.2 {
        Some(until) => features.with_label_until(Timestamp::from_micros(until), None).unwrap(),
        None => features,
    }
}

fn table(spec: &FeatureSpec, window: Window, shape: Shape, events: &[Event]) -> RecordBatch {
    let sorted = shape.sorted(events);
    features(spec, window, &sorted).matrix(&[sorted]).unwrap()
}

/// Holds rows to those of the oracle: exactly, but for standard deviations.
fn check(found: &[Row], expected: &[Row]) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        prop_assert_eq!((&found.user, found.label), (&expected.user, expected.label));
        prop_assert_eq!(found.values.len(), expected.values.len());
        for ((name, value), (expected_name, expected)) in found.values.iter().zip(&expected.values) {
            prop_assert_eq!(name, expected_name);
            match (value, expected) {
                (Value::Bits(value), Value::Bits(expected)) if name.contains("std") => {
                    let [value, expected] = [value, expected].map(|bits| f64::from_bits(*bits));
                    prop_assert!(
                        (value - expected).abs() <= 1e-9 * expected.max(1.0),
                        "{name}: {value} {expected}"
                    );
                }
                _ => prop_assert_eq!(value, expected, "{}", name),
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_family_equals_its_oracle(
        events in events(),
        (shape, spec) in shaped(),
        window in window(),
    ) {
        let sorted = shape.sorted(&events);
        let features = features(&spec, window, &sorted);
        let table = features.matrix(&[sorted]).unwrap();
        prop_assert_eq!(table.schema(), features.schema());
        check(&rows(&table), &oracle(&spec, window, shape, &events))?;
    }

    #[test]
    fn any_split_into_batches_gives_the_same_bytes(
        events in events(),
        (shape, spec) in shaped(),
        window in window(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let whole = table(&spec, window, shape, &events);
        let batches = shape.split(&events, &cuts);
        let features = features(&spec, window, &batches[0]);
        prop_assert_eq!(&features.matrix(&batches).unwrap(), &whole);
        let mut builder = features.builder();
        let mut tables: Vec<_> = batches.iter().map(|batch| builder.push(batch).unwrap()).collect();
        let skipped = builder.skipped_events();
        tables.push(builder.finish().unwrap());
        prop_assert_eq!(concat(&tables), whole);
        let range = features.time_range();
        let unknown = events.iter().filter(|event| event.user.is_none() && range.contains(event.time)).count();
        prop_assert_eq!(skipped, unknown as u64);
    }

    #[test]
    fn the_future_changes_no_feature(
        (events, others) in (events(), events()),
        (shape, spec) in shaped(),
        Window(start, cutoff, until) in window(),
        (keep, shift) in (any::<Index>(), 0i64..MICROS_PER_DAY),
    ) {
        let window = Window(start, cutoff, until);
        let (past, future): (Vec<_>, Vec<_>) = events.iter().cloned().partition(|event| event.time < cutoff);
        let known = unlabelled(&table(&spec, window, shape, &past));
        prop_assert_eq!(&unlabelled(&table(&spec, window, shape, &events)), &known);
        // Some of it removed, some of it of other users, times and values, and more of it.
        let changed = future.iter().take(keep.index(future.len() + 1)).map(|event| Event {
            user: event.user.map(|user| -user),
            time: event.time + shift,
            kind: 1 + event.kind % (TYPES.len() as i32 - 1),
            price: event.price.map(|price| price * 1_000),
            product: event.product.map(|product| product + 1_000),
            brand: event.brand.map(|brand| (brand + 1) % TEXTS.len()),
            ..event.clone()
        });
        let added = others.into_iter().map(|event| Event { time: cutoff + event.time.abs(), ..event });
        let other: Vec<_> = past.iter().cloned().chain(changed).chain(added).collect();
        prop_assert_eq!(unlabelled(&table(&spec, window, shape, &other)), known);
    }

    #[test]
    fn parts_by_user_put_together_are_the_same_table(
        events in events(),
        (shape, spec) in shaped(),
        window in window(),
        border in -3i64..3,
    ) {
        let whole = table(&spec, window, shape, &events);
        let (low, high): (Vec<_>, Vec<_>) = events
            .into_iter()
            .partition(|event| event.user.is_some_and(|user| shape.user(user) < shape.user(border)));
        prop_assert_eq!(concat(&[low, high].map(|part| table(&spec, window, shape, &part))), whole);
    }

    #[test]
    fn the_columns_selected_are_those_of_the_whole_table(
        events in events(),
        (shape, spec) in shaped(),
        window in window(),
        picks in proptest::collection::vec(any::<Index>(), 1..6),
    ) {
        let sorted = shape.sorted(&events);
        let all = features(&spec, window, &sorted);
        let names: Vec<&str> = all.names().collect();
        let mut selected: Vec<&str> = Vec::new();
        for pick in picks {
            let name = *pick.get(&names);
            if !selected.contains(&name) {
                selected.push(name);
            }
        }
        let some = all.clone().with_columns(&selected).unwrap();
        prop_assert!(some.names().eq(selected.iter().copied()));
        prop_assert!(some.columns().iter().all(|name| all.columns().contains(name)));
        let (all, some) = (all.matrix(std::slice::from_ref(&sorted)).unwrap(), some.matrix(&[sorted]).unwrap());
        for field in some.schema().fields() {
            prop_assert_eq!(some.column_by_name(field.name()), all.column_by_name(field.name()));
        }
        prop_assert_eq!(some.num_columns(), 1 + selected.len() + usize::from(window.2.is_some()));
    }

    #[test]
    fn a_document_is_read_as_it_was_written((_, spec) in shaped()) {
        let text = spec.to_toml().unwrap();
        prop_assert_eq!(&FeatureSpec::from_toml(&text).unwrap(), &spec, "{}", text);
        let json = serde_json::to_string(&spec).unwrap();
        prop_assert_eq!(&serde_json::from_str::<FeatureSpec>(&json).unwrap(), &spec, "{}", json);
    }

    #[test]
    fn the_commerce_set_written_down_is_the_commerce_set(
        events in events(),
        (text_users, sessions) in (any::<bool>(), any::<bool>()),
        window in window(),
    ) {
        let shape = Shape { text_users, sessions, ..Shape::FULL };
        let sorted = shape.sorted(&events);
        let spec = FeatureSpec::from_toml(include_str!("commerce.toml")).unwrap();
        let written = features(&spec, window, &sorted);
        let mut ready = Features::new(window.range(), sorted.schema()).unwrap();
        if let Some(until) = window.2 {
            ready = ready.with_label_until(Timestamp::from_micros(until)).unwrap();
        }
        prop_assert!(written.names().eq(ready.selected().iter().map(|feature| feature.name())));
        let found = written.matrix(std::slice::from_ref(&sorted)).unwrap();
        let expected = ready.matrix(&[sorted]).unwrap();
        prop_assert_eq!(found.columns(), expected.columns());
        let mut reports = [MatrixReport::of_spec(&written), MatrixReport::new(&ready)];
        reports[0].add(&found);
        reports[1].add(&expected);
        prop_assert_eq!(&reports[0], &reports[1]);
    }

    #[test]
    fn a_survey_finds_the_most_frequent_values_however_events_are_dealt_out(
        events in events(),
        (shape, filter) in shape().prop_flat_map(|shape| (Just(shape), filter(shape))),
        column in discrete(),
        window in window(),
        top in 1u32..5,
        cuts in proptest::collection::vec(any::<usize>(), 0..6),
    ) {
        let rule = FeatureRule::new("n", Family::Count)
            .and_then(|rule| rule.with_filter(filter.clone())?.with_pivot(Pivot::new(column, PivotValues::Top(top))));
        let all = FeatureRule::new("all", Family::Count).unwrap();
        let spec = FeatureSpec::new(vec![all, rule.unwrap()]).unwrap();
        prop_assert!(!spec.is_settled());
        let range = window.range();
        let mut expected = std::collections::BTreeMap::<Id, i64>::new();
        let counted = |event: &&Event| range.contains(event.time) && event.user.is_some() && matches(shape, event, &filter);
        for value in events.iter().filter(counted).filter_map(|event| value(shape, event, column)) {
            *expected.entry(value).or_default() += 1;
        }
        let mut expected: Vec<_> = expected.into_iter().collect();
        expected.sort_by_key(|(_, events)| -events);
        let expected: Vec<_> = expected.into_iter().take(top as usize).map(|(value, _)| value).collect();

        let batches = shape.split(&events, &cuts);
        let mut survey = Survey::new(&spec, range, batches[0].schema()).unwrap();
        // Some come one by one, some in a survey of their own; the last ones come first.
        for (turn, batch) in batches.iter().rev().enumerate() {
            if turn % 2 == 0 {
                survey.push(batch).unwrap();
            } else {
                let mut other = Survey::new(&spec, range, batch.schema()).unwrap();
                other.push(batch).unwrap();
                survey.merge(other).unwrap();
            }
        }
        let settled = survey.settle().unwrap();
        prop_assert!(settled.is_settled());
        let found = settled.rules().get(1).and_then(FeatureRule::pivot).map(|pivot| pivot.values().clone());
        prop_assert_eq!(found, (!expected.is_empty()).then_some(PivotValues::Listed(expected)));
    }
}
