//! Baskets inside a service: its own record batches in, pairs, itemsets, rules, recommendations and sequences out. No files, no store.

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::{Int32Type, Int64Type};
use cip::arrow_array::{
    ArrayRef, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray, UInt32Array,
};
use cip::basket::{
    AssociationRules, Baskets, FrequentItemsets, Hierarchy, Histories, HistoryScope, ItemLevel, MinSupport,
    PairCounts, Pairs, Recommender, RecommenderParams, SequencePatterns, Transactions, Visits,
};
use cip::core::{EventBatch, IdRef, MemoryBudget};

const BUDGET: MemoryBudget = MemoryBudget::from_mib(64);
/// What is sold: (product, category).
const PRODUCTS: [(i64, &str); 6] = [
    (10, "shoes.boots"),
    (11, "shoes.sandals"),
    (20, "care.polish"),
    (21, "care.brush"),
    (30, "hats"),
    (31, "hats"),
];

fn main() -> Result<(), Box<dyn Error>> {
    // Two days of sessions, each of its own customers. A day's events are sorted by customer and time.
    let days = [events(0..40)?, events(40..80)?];
    let schema = days[0].schema();

    // Pairs: counts that every day adds to, and that can be kept in a file.
    let rule = Baskets::new(schema, BUDGET)?;
    let mut counts = PairCounts::new(&rule);
    for day in &days {
        let mut builder = rule.builder();
        builder.push(day)?;
        counts.add(builder.finish()?)?;
    }
    for batch in counts.pairs(Pairs::new(10)?)? {
        let batch = batch?;
        let count = |column| batch.column_by_name(column).map(|column| column.as_primitive::<Int64Type>());
        if let (Some(a), Some(b), Some(together)) =
            (count("product_a"), count("product_b"), count("together"))
        {
            for row in 0..batch.num_rows() {
                println!("{} and {} share {} sessions", a.value(row), b.value(row), together.value(row));
            }
        }
    }

    // Itemsets and rules of products and of their categories at once: baskets and hierarchy from the same stream.
    let levels = [ItemLevel::Product, ItemLevel::Category];
    let (mut baskets, mut hierarchy) = (rule.builder(), Hierarchy::builder(schema, levels, BUDGET)?);
    for day in &days {
        baskets.push(day)?;
        hierarchy.push(day)?;
    }
    let baskets = Transactions::from_table(baskets.finish()?)?.with_hierarchy(&hierarchy.finish()?)?;
    let itemsets = FrequentItemsets::new(MinSupport::Share(0.1)).mine(&baskets)?;
    let rules = AssociationRules::new(0.5)?.with_most_q(0.05)?.with_min_interest(1.1)?;
    let rules = rules.find(&itemsets, BUDGET)?;
    println!("\n{} itemsets, {} rules worth knowing:", itemsets.len(), rules.len());
    for rule in rules.iter() {
        let sides = [rule.antecedent().collect::<Vec<_>>(), rule.consequent().collect::<Vec<_>>()];
        let [antecedent, consequent] = sides.map(|side| side.join(" + "));
        println!("{antecedent} => {consequent}, {:.0}%", 100.0 * rule.counts().confidence());
    }

    // Recommendations: learnt at night, written to a few bytes, read by a service that asks them.
    let mut visits = Visits::builder(schema, ItemLevel::Product, 50, BUDGET)?;
    for day in &days {
        visits.push(day)?;
    }
    let mut index = Vec::new();
    RecommenderParams::default().train(&visits.finish()?)?.write_to(&mut index)?;
    let recommender = Recommender::read_from(&index[..])?;
    let next = recommender.next(&[IdRef::Int64(10)], &[IdRef::Int64(30)], 2);
    let next: Vec<String> = next.iter().map(|next| format!("{} ({:.2})", next.product, next.score)).collect();
    println!(
        "\nwho looks at 10 and owns 30 is shown {}; the index has {} bytes",
        next.join(", "),
        index.len()
    );

    // Sequences: this, then that, within an hour.
    let mut histories = Histories::builder(schema, ItemLevel::Category, HistoryScope::User, BUDGET)?;
    for day in &days {
        histories.push(day)?;
    }
    let patterns = SequencePatterns::new(MinSupport::Count(8), Duration::from_secs(3_600))?;
    let found = patterns.with_last_type("purchase").find(&histories.finish()?)?;
    for sequence in found.iter() {
        let steps: Vec<String> = sequence.steps().map(|(kind, what)| format!("{kind} {what}")).collect();
        println!("{} customers: {}", sequence.count(), steps.join(", then "));
    }
    Ok(())
}

/// A session of each customer: a look at some product, often at what goes with it, now and then a purchase of that.
fn events(customers: std::ops::Range<i64>) -> Result<EventBatch, Box<dyn Error>> {
    const MINUTE: i64 = 60_000_000;
    let mut rows: Vec<(i64, i64, &str, usize)> = Vec::new();
    for customer in customers {
        let start = customer * 100 * MINUTE;
        // Shoes go with care, hats with other hats, but for every fifth customer.
        let first = customer as usize % 6;
        let second = if customer % 5 == 0 { (first + 1) % 6 } else { [2, 2, 0, 1, 5, 4][first] };
        rows.push((customer, start, "view", first));
        rows.push((customer, start + 5 * MINUTE, "view", second));
        if customer % 3 == 0 {
            rows.push((customer, start + 9 * MINUTE, "purchase", second));
        }
    }
    let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.1));
    let types: DictionaryArray<Int32Type> = rows.iter().map(|row| row.2).collect();
    let categories: DictionaryArray<Int32Type> = rows.iter().map(|row| PRODUCTS[row.3].1).collect();
    let columns: [(&str, ArrayRef); 6] = [
        ("user_id", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)))),
        ("event_time", Arc::new(times.with_timezone("UTC"))),
        ("event_type", Arc::new(types)),
        ("product_id", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| PRODUCTS[row.3].0)))),
        ("category_code", Arc::new(categories)),
        ("source_session", Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.0 as u32)))),
    ];
    Ok(EventBatch::try_new(RecordBatch::try_from_iter(columns)?)?)
}
