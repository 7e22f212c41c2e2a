//! The Groceries baskets (Hahsler, Grün and Hornik, R package arules), in the folder that `CIP_DATA` points to;
//! skipped, saying so, where it is unset.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use cip_basket::{Baskets, Pairs, SingleBaskets};
use cip_core::{EventBatch, Id, MemoryBudget};

use crate::events::all;
use crate::oracle::{Row, rows};

#[test]
fn groceries_have_the_published_pairs() {
    let Some(folder) = std::env::var_os("CIP_DATA") else {
        println!("skipped: CIP_DATA is not set, so there is no groceries_baskets.csv");
        return;
    };
    let text = std::fs::read_to_string(Path::new(&folder).join("groceries_baskets.csv")).unwrap();
    // One basket a line. One name ends in a blank, so names stay as they are.
    let (mut orders, mut products) = (Vec::new(), Vec::new());
    for (order, line) in (0i64..).zip(text.lines()) {
        for product in line.split(',') {
            orders.push(order);
            products.push(product);
        }
    }
    assert_eq!(products.len(), 43_367);
    let columns: [(&str, ArrayRef); 2] = [
        ("order_id", Arc::new(Int64Array::from(orders))),
        ("product_id", Arc::new(StringArray::from(products))),
    ];
    let events = EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap();
    let baskets =
        Baskets::new(events.schema(), MemoryBudget::from_mib(16)).unwrap().collect(&[events]).unwrap();
    let totals = baskets.totals();
    assert_eq!(baskets.products(), 169);
    assert_eq!((totals.baskets + totals.single_baskets, totals.single_baskets), (9_835, 2_159));
    assert_eq!((totals.entries + totals.single_baskets, totals.oversized_baskets), (43_367, 0));

    let pairs = Pairs::new(1).unwrap().with_single_baskets(SingleBaskets::Count);
    let mut found = rows(&all(pairs.count(baskets).unwrap()));
    assert_eq!(found.len(), 9_636);
    found.sort_by_key(|row| std::cmp::Reverse(row.counts[0]));
    let top: Vec<_> =
        found[..5].iter().map(|row| (text_of(&row.a), text_of(&row.b), row.counts[0])).collect();
    assert_eq!(
        top,
        [
            ("other vegetables", "whole milk", 736),
            ("rolls/buns", "whole milk", 557),
            ("whole milk", "yogurt", 551),
            ("root vegetables", "whole milk", 481),
            ("other vegetables", "root vegetables", 466),
        ]
    );
    let Row { counts, ratios: [support, confidence, _, lift], .. } = &found[0];
    assert_eq!(counts, &[736, 1_903, 2_513]);
    assert!((support - 736.0 / 9_835.0).abs() < 1e-15);
    assert!((confidence - 0.386_758).abs() < 5e-7 && (lift - 1.513_634).abs() < 5e-7, "{confidence} {lift}");
}

fn text_of(id: &Id) -> &str {
    match id {
        Id::Utf8(text) => text,
        Id::Int64(_) => "",
    }
}
