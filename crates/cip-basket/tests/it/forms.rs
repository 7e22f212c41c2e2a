//! Baskets of some event types, at other levels, inside a time, and what they bring: against maps, sets and loops.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type};
use arrow_array::{
    ArrayRef, Decimal128Array, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray,
    UInt32Array,
};
use cip_basket::{BasketError, BasketKey, Baskets, ItemLevel, PairCounts, Pairs, Transactions};
use cip_core::{CoreError, EventBatch, Id, IdType, MemoryBudget, MoneyScale, table};
use proptest::option;
use proptest::prelude::*;

use crate::events::all;
use crate::oracle::rows;

const BUDGET: MemoryBudget = MemoryBudget::from_mib(64);
const TYPES: [&str; 3] = ["view", "purchase", "cart"];
const CATEGORIES: [&str; 5] = ["a", "a.b", "a.b.c", "a.d", "e.b"];

/// What of each event the forms look at; categories, brands and prices are of the event, as they are in a store.
#[derive(Debug, Clone)]
struct Event {
    user: Option<i64>,
    key: Option<u32>,
    seconds: i64,
    kind: usize,
    product: Option<i64>,
    category: Option<usize>,
    price: Option<i64>,
    pieces: Option<i64>,
}

#[derive(Debug, Clone)]
struct Form {
    key: BasketKey,
    level: ItemLevel,
    types: Vec<&'static str>,
    window: Option<i64>,
    max_products: usize,
}

fn event() -> impl Strategy<Value = Event> {
    let who = (option::weighted(0.9, 0i64..3), option::weighted(0.9, 0u32..4), 0i64..40, 0usize..3);
    let what = (option::weighted(0.9, -2i64..6), option::weighted(0.8, 0usize..5));
    let money = (option::weighted(0.9, -300i64..9_000), option::weighted(0.9, -2i64..5));
    (who, what, money).prop_map(|((user, key, seconds, kind), (product, category), (price, pieces))| Event {
        user,
        key,
        seconds,
        kind,
        product,
        category,
        price,
        pieces,
    })
}

fn form() -> impl Strategy<Value = Form> {
    let key = prop_oneof![Just(BasketKey::SourceSession), Just(BasketKey::Order), Just(BasketKey::User)];
    let level = prop_oneof![
        Just(ItemLevel::Product),
        Just(ItemLevel::Category),
        Just(ItemLevel::Brand),
        (1u8..4).prop_map(|depth| ItemLevel::CategoryTo(NonZeroU8::new(depth).unwrap())),
    ];
    let types = proptest::sample::subsequence(TYPES.to_vec(), 0..4);
    (key, level, types, option::of(0i64..30), 2usize..7).prop_map(
        |(key, level, types, window, max_products)| Form { key, level, types, window, max_products },
    )
}

fn batch(events: &[Event]) -> EventBatch {
    let mut sorted = events.to_vec();
    sorted.sort_by_key(|event| (event.user.is_none(), event.user));
    let label = |text: &dyn Fn(&Event) -> Option<&'static str>| -> ArrayRef {
        Arc::new(sorted.iter().map(text).collect::<DictionaryArray<Int32Type>>())
    };
    let times =
        TimestampMicrosecondArray::from_iter_values(sorted.iter().map(|event| event.seconds * 1_000_000));
    let prices = sorted.iter().map(|event| event.price.map(i128::from)).collect::<Decimal128Array>();
    let columns: [(&str, ArrayRef); 10] = [
        ("user_id", Arc::new(sorted.iter().map(|event| event.user).collect::<Int64Array>())),
        ("event_time", Arc::new(times.with_timezone("UTC"))),
        ("event_type", label(&|event| Some(TYPES[event.kind]))),
        ("product_id", Arc::new(sorted.iter().map(|event| event.product).collect::<Int64Array>())),
        ("category_code", label(&|event| event.category.map(|category| CATEGORIES[category]))),
        ("brand", label(&|event| event.category.map(|category| ["x", "y"][category % 2]))),
        ("price", Arc::new(prices.with_precision_and_scale(18, 2).unwrap())),
        ("quantity", Arc::new(sorted.iter().map(|event| event.pieces).collect::<Int64Array>())),
        ("source_session", Arc::new(sorted.iter().map(|event| event.key).collect::<UInt32Array>())),
        ("order_id", Arc::new(sorted.iter().map(|event| event.key.map(i64::from)).collect::<Int64Array>())),
    ];
    EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
}

impl Form {
    fn rule(&self, budget: MemoryBudget) -> Baskets {
        let rule = Baskets::by(self.key, batch(&[]).schema(), budget).unwrap();
        let mut rule = rule.with_max_products(self.max_products).unwrap().with_level(self.level).unwrap();
        if !self.types.is_empty() {
            rule = rule.with_event_types(self.types.iter().copied()).unwrap();
        }
        if let Some(seconds) = self.window {
            rule = rule.with_window(Duration::from_secs(seconds.unsigned_abs())).unwrap();
        }
        rule
    }

    fn item(&self, event: &Event) -> Option<Id> {
        let category = event.category.map(|category| CATEGORIES[category]);
        let text = match self.level {
            ItemLevel::Product => return event.product.map(Id::Int64),
            ItemLevel::Category => category?.to_owned(),
            ItemLevel::CategoryTo(depth) => {
                category?.split('.').take(usize::from(depth.get())).collect::<Vec<_>>().join(".")
            }
            ItemLevel::Brand => ["x", "y"][event.category? % 2].to_owned(),
        };
        Some(Id::Utf8(text.into()))
    }

    /// together, count_a, count_b and the revenue by pair.
    fn oracle(&self, events: &[Event]) -> BTreeMap<(Id, Id), ([i64; 3], i128)> {
        let mut baskets: BTreeMap<_, Vec<(Id, &Event)>> = BTreeMap::new();
        for event in events {
            let key = match self.key {
                BasketKey::User => event.user.map(|_| 0),
                BasketKey::SourceSession | BasketKey::Order => event.key,
            };
            let wanted = self.types.is_empty() || self.types.contains(&TYPES[event.kind]);
            if let (true, Some(key), Some(item)) = (wanted, key, self.item(event)) {
                baskets.entry((event.user, key)).or_default().push((item, event));
            }
        }
        let (mut holding, mut pairs) = (BTreeMap::<Id, i64>::new(), BTreeMap::<_, (i64, i128)>::new());
        for basket in baskets.values() {
            let items: BTreeSet<Id> = basket.iter().map(|(item, _)| item.clone()).collect();
            if !(2..=self.max_products).contains(&items.len()) {
                continue;
            }
            for a in &items {
                *holding.entry(a.clone()).or_default() += 1;
                for b in items.range(a.clone()..).skip(1) {
                    let of = |item: &Id| -> Vec<&Event> {
                        basket.iter().filter(|(there, _)| there == item).map(|&(_, event)| event).collect()
                    };
                    let near = |window: i64| {
                        of(a).iter().any(|x| of(b).iter().any(|y| (x.seconds - y.seconds).abs() <= window))
                    };
                    if self.window.is_none_or(near) {
                        let paid =
                            of(a).into_iter().chain(of(b)).filter(|event| TYPES[event.kind] == "purchase");
                        let paid: i128 = paid
                            .map(|event| i128::from(event.price.unwrap_or(0) * event.pieces.unwrap_or(1)))
                            .sum();
                        let (together, revenue) = pairs.entry((a.clone(), b.clone())).or_default();
                        (*together, *revenue) = (*together + 1, *revenue + paid);
                    }
                }
            }
        }
        pairs
            .into_iter()
            .map(|((a, b), (together, revenue))| {
                let counts = [together, holding[&a], holding[&b]];
                ((a, b), (counts, revenue))
            })
            .collect()
    }
}

fn found(batches: &[RecordBatch]) -> BTreeMap<(Id, Id), ([i64; 3], i128)> {
    let revenue =
        batches.iter().flat_map(|batch| batch["revenue"].as_primitive::<Decimal128Type>().values().to_vec());
    rows(batches)
        .into_iter()
        .zip(revenue)
        .map(|(row, revenue)| ((row.a, row.b), (row.counts, revenue)))
        .collect()
}

proptest! {
    #[test]
    fn every_form_equals_its_definition(events in proptest::collection::vec(event(), 0..90), form in form()) {
        let rule = form.rule(BUDGET);
        let batch = batch(&events);
        let plain = all(Pairs::new(1).unwrap().count(rule.collect(std::slice::from_ref(&batch)).unwrap()).unwrap());
        let with_revenue = rule.with_revenue().unwrap();
        let pairs = Pairs::new(1).unwrap().count(with_revenue.collect(&[batch]).unwrap()).unwrap();
        let items = if form.level == ItemLevel::Product { IdType::Int64 } else { IdType::Utf8 };
        let schema = table::product_pairs_with_revenue(items, MoneyScale::new(2).unwrap());
        prop_assert_eq!(pairs.schema(), schema.clone());
        let batches = all(pairs);
        prop_assert!(batches.iter().all(|batch| batch.schema() == schema));
        prop_assert_eq!(found(&batches), form.oracle(&events));
        // Without the revenue nothing else changes.
        let others: Vec<usize> = (0..9).collect();
        let projected: Vec<_> = batches.iter().map(|batch| batch.project(&others).unwrap()).collect();
        prop_assert_eq!(projected, plain);
    }

    #[test]
    fn runs_merge_to_the_same_pairs(
        events in proptest::collection::vec(event(), 0..90),
        form in form(),
        borders in [0i64..4, 0i64..4],
        money in any::<bool>(),
        min_together in 1u32..3,
    ) {
        let rule = form.rule(BUDGET);
        let rule = if money { rule.with_revenue().unwrap() } else { rule };
        let pairs = Pairs::new(min_together).unwrap();
        let whole = rule.collect(&[batch(&events)]).unwrap();
        let mut table = rule.collect(&[]).unwrap();
        let mut runs = Vec::new();
        // Users up to the first border, up to the second, and the others with the unknown one.
        let part_of = |event: &Event| match event.user {
            Some(user) => borders.iter().filter(|&&border| user >= border).count(),
            None => 2,
        };
        for part in 0..3 {
            let own: Vec<Event> = events.iter().filter(|&event| part_of(event) == part).cloned().collect();
            table.append(rule.collect(&[batch(&own)]).unwrap()).unwrap();
            if part < 2 {
                let mut run = Vec::new();
                table.write_run(&mut run).unwrap();
                prop_assert!(table.is_empty());
                runs.push(std::io::Cursor::new(run));
            }
        }
        prop_assert_eq!(table.totals(), whole.totals());
        prop_assert_eq!(all(pairs.merge(table, runs).unwrap()), all(pairs.count(whole).unwrap()));
    }

    #[test]
    fn counts_of_any_split_are_those_of_all(
        events in proptest::collection::vec(event(), 0..90),
        form in form(),
        parts in proptest::collection::vec(0usize..4, 12),
        order in Just([0usize, 1, 2, 3]).prop_shuffle(),
        saved in 0usize..4,
        money in any::<bool>(),
    ) {
        let rule = form.rule(BUDGET);
        let rule = if money { rule.with_revenue().unwrap() } else { rule };
        // Any basket goes to any part, whole.
        let part_of = |event: &Event| match form.key {
            BasketKey::User => parts[event.user.map_or(3, |user| user as usize)],
            _ => parts[event.key.map_or(4, |key| key as usize) + event.user.map_or(0, |user| 1 + user as usize)],
        };
        let mut counts = PairCounts::new(&rule);
        for part in order {
            let own: Vec<Event> = events.iter().filter(|&event| part_of(event) == part).cloned().collect();
            let baskets = rule.collect(&[batch(&own)]).unwrap();
            if part % 2 == 0 {
                counts.add(baskets).unwrap();
            } else {
                let mut others = PairCounts::new(&rule);
                others.add(baskets).unwrap();
                counts.merge(others).unwrap();
            }
            if part == saved {
                let mut file = Vec::new();
                counts.write_to(&mut file).unwrap();
                counts = PairCounts::read_from(&rule, &file[..]).unwrap();
                let mut again = Vec::new();
                counts.write_to(&mut again).unwrap();
                prop_assert_eq!(again, file);
            }
        }
        let whole = rule.collect(&[batch(&events)]).unwrap();
        prop_assert_eq!(counts.totals(), whole.totals());
        for min_together in [1, 2] {
            let pairs = Pairs::new(min_together).unwrap();
            let rebuilt = pairs.count(rule.collect(&[batch(&events)]).unwrap()).unwrap();
            prop_assert_eq!(all(counts.pairs(pairs).unwrap()), all(rebuilt));
        }
    }

    #[test]
    fn a_window_without_bound_is_none(events in proptest::collection::vec(event(), 0..90), form in form()) {
        let pairs = |window| {
            let rule = Form { window, ..form.clone() }.rule(BUDGET);
            all(Pairs::new(1).unwrap().count(rule.collect(&[batch(&events)]).unwrap()).unwrap())
        };
        prop_assert_eq!(pairs(Some(40)), pairs(None));
    }
}

fn purchase(user: i64, seconds: i64, product: i64, price: i64) -> Event {
    Event {
        user: Some(user),
        key: Some(0),
        seconds,
        kind: 1,
        product: Some(product),
        category: Some(0),
        price: Some(price),
        pieces: Some(1),
    }
}

#[test]
fn exactly_as_far_apart_counts() {
    let week = 7 * 86_400;
    let events =
        [purchase(1, 0, 5, 100), purchase(1, week, 6, 50), purchase(2, 0, 5, 1), purchase(2, week + 1, 6, 1)];
    let form = Form {
        key: BasketKey::User,
        level: ItemLevel::Product,
        types: vec!["purchase"],
        window: Some(week),
        max_products: 50,
    };
    let table = form.rule(BUDGET).with_revenue().unwrap().collect(&[batch(&events)]).unwrap();
    let pairs = found(&all(Pairs::new(1).unwrap().count(table).unwrap()));
    let pair = (Id::Int64(5), Id::Int64(6));
    // Two customers have both products, one of them inside a week.
    assert_eq!(pairs, BTreeMap::from([(pair, ([1, 2, 2], 150))]));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let rule = || Baskets::new(batch(&[]).schema(), BUDGET).unwrap();
    assert!(matches!(rule().with_event_types([]), Err(BasketError::NoEventTypes)));
    let beyond = Duration::from_secs(u64::MAX);
    assert!(matches!(rule().with_window(beyond), Err(BasketError::Window { given }) if given == beyond));
    let bare = EventBatch::try_new(batch(&[]).record_batch().project(&[3, 8]).unwrap()).unwrap();
    let bare = || Baskets::new(bare.schema(), BUDGET).unwrap();
    let column = |refused: Result<Baskets, BasketError>| match refused {
        Err(BasketError::Core(CoreError::MissingColumn { column })) => column,
        _ => "",
    };
    assert_eq!(column(bare().with_level(ItemLevel::Brand)), "brand");
    assert_eq!(column(bare().with_level(ItemLevel::Category)), "category_id");
    assert_eq!(column(bare().with_level(ItemLevel::CategoryTo(NonZeroU8::MIN))), "category_code");
    assert_eq!(column(bare().with_event_types(["view"])), "event_type");
    assert_eq!(column(bare().with_window(Duration::ZERO)), "event_time");
    assert_eq!(column(bare().with_revenue()), "event_type");
    let window = rule().with_window(Duration::ZERO).unwrap();
    assert!(matches!(Transactions::from_table(window.collect(&[]).unwrap()), Err(BasketError::PairsAlone)));
    let mut counted = rule().collect(&[]).unwrap();
    counted.write_run(std::io::sink()).unwrap();
    assert!(matches!(Transactions::from_table(counted.clone()), Err(BasketError::PairsAlone)));
    assert!(matches!(PairCounts::new(&rule()).add(counted), Err(BasketError::PairsAlone)));
    let refused = PairCounts::new(&rule()).add(window.collect(&[]).unwrap()).unwrap_err().to_string();
    assert!(refused.contains("window none") && refused.contains("window 0 us"), "{refused}");
}

#[test]
fn money_beyond_18_digits_is_refused() {
    let rule = Baskets::new(batch(&[]).schema(), BUDGET).unwrap().with_revenue().unwrap();
    let mut much = purchase(7, 0, 5, 999_999_999_999_999_999);
    assert!(rule.collect(&[batch(&[much.clone()])]).is_ok());
    let more = [much.clone(), purchase(7, 1, 5, 1)];
    let refused = rule.collect(&[batch(&more)]).unwrap_err().to_string();
    assert!(
        refused.starts_with("what user 7 paid for one product in one basket has more than 18"),
        "{refused}"
    );
    much.pieces = Some(2);
    assert!(matches!(rule.collect(&[batch(&[much])]), Err(BasketError::TooMuchMoney { .. })));
}

#[test]
fn counts_that_are_cut_or_changed_anywhere_are_refused() {
    let events: Vec<Event> = (0..12).map(|at| purchase(at / 4, at, at % 4, 3 * at)).collect();
    let rule = Baskets::new(batch(&[]).schema(), BUDGET).unwrap().with_revenue().unwrap();
    let mut counts = PairCounts::new(&rule);
    counts.add(rule.collect(&[batch(&events)]).unwrap()).unwrap();
    let mut file = Vec::new();
    counts.write_to(&mut file).unwrap();
    for at in 0..file.len() {
        let refused = |bytes: &[u8]| PairCounts::read_from(&rule, bytes).is_err();
        assert!(refused(&file[..at]), "cut at {at}");
        let mut changed = file.clone();
        changed[at] ^= 1;
        assert!(refused(&changed), "changed at {at}");
    }
    let other = Baskets::new(batch(&[]).schema(), BUDGET).unwrap();
    assert!(matches!(PairCounts::read_from(&other, &file[..]), Err(BasketError::PartsDiffer { .. })));
}

#[test]
fn runs_of_another_table_are_refused_and_end_the_pairs() {
    let events: Vec<Event> = (0..12).map(|at| purchase(at / 4, at, at % 4, 1)).collect();
    let rule = Baskets::new(batch(&[]).schema(), BUDGET).unwrap();
    let mut table = rule.collect(&[batch(&events)]).unwrap();
    let mut run = Vec::new();
    table.write_run(&mut run).unwrap();
    let pairs = Pairs::new(1).unwrap();
    let refused = |table: cip_basket::BasketTable, run: Vec<u8>| {
        let mut pairs = match pairs.merge(table, vec![std::io::Cursor::new(run)]) {
            Ok(pairs) => pairs,
            Err(error) => return matches!(error, BasketError::NotPairCounts { .. }),
        };
        let first = pairs.next();
        matches!(first, Some(Err(BasketError::NotPairCounts { .. }))) && pairs.next().is_none()
    };
    assert!(refused(rule.collect(&[]).unwrap(), run.clone()));
    for at in 1..run.len() {
        // Where a run ends behind an anchor, it is one.
        let cut = refused(table.clone(), run[..at].to_vec());
        assert!(
            cut || all(pairs.merge(table.clone(), vec![std::io::Cursor::new(run[..at].to_vec())]).unwrap())
                .len()
                < 2
        );
    }
    let twice = [run.clone(), run].concat();
    assert!(refused(table, twice));
}
