//! Events in memory of any shape: how many users, how many events each, how many rows a batch, in which order.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Decimal128Array, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use cip::core::{CoreError, EventBatch};

/// 2019-10-01 in microseconds.
const START: i64 = 1_569_888_000_000_000;

/// Numbers that look random and are the same in every run: SplitMix64.
#[derive(Debug, Clone)]
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// One event: user, microseconds, position of the type, product, price in hundredths.
type Row = (i64, i64, i32, i64, i64);

/// In which order the rows come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// By user and time, as a store gives them.
    ByUser,
    /// By time, as a clickstream is written.
    ByTime,
    /// In none.
    Shuffled,
}

impl Arrival {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ByUser, Self::ByTime, Self::Shuffled];

    /// Its name in the id of a benchmark.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ByUser => "by-user",
            Self::ByTime => "by-time",
            Self::Shuffled => "shuffled",
        }
    }
}

/// Returns batches of `rows` events each, `events` in all of `users` users with as many each, with the columns that sessions are made from.
///
/// Four of five events come within two minutes behind the one before, the others within a day: sessions of five
/// events on average, where a user has many. One in twenty is a cart, one in fifty a purchase.
///
/// # Errors
/// Where Arrow refuses a column.
pub fn batches(
    events: usize,
    users: usize,
    rows: usize,
    arrival: Arrival,
) -> Result<Vec<EventBatch>, CoreError> {
    let mut noise = Noise(42);
    let mut all: Vec<Row> = Vec::with_capacity(events);
    for user in 0..users {
        let mut time = START + noise.below(86_400_000_000 * 20) as i64;
        for _ in 0..events / users {
            let gap = if noise.below(5) > 0 { 120 } else { 86_400 };
            time += noise.below(gap) as i64 * 1_000_000;
            let kind = match noise.below(100) {
                0..=1 => 2,
                2..=6 => 1,
                _ => 0,
            };
            let product = noise.below(34_000) as i64;
            all.push((500_000_000 + 7 * user as i64, time, kind, product, 100 + product % 9_000));
        }
    }
    match arrival {
        Arrival::ByUser => {}
        Arrival::ByTime => all.sort_by_key(|&(_, time, ..)| time),
        Arrival::Shuffled => {
            for place in (1..all.len()).rev() {
                all.swap(place, noise.below(place as u64 + 1) as usize);
            }
        }
    }
    all.chunks(rows).map(batch).collect()
}

fn batch(rows: &[Row]) -> Result<EventBatch, CoreError> {
    let types = Arc::new(StringArray::from(vec!["view", "cart", "purchase"]));
    let keys: Int32Array = rows.iter().map(|row| row.2).collect();
    let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.1));
    let prices: Decimal128Array = rows.iter().map(|row| Some(i128::from(row.4))).collect();
    let columns: [(&str, ArrayRef); 5] = [
        ("user_id", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)))),
        ("event_time", Arc::new(times.with_timezone("UTC"))),
        ("event_type", Arc::new(DictionaryArray::<Int32Type>::try_new(keys, types)?)),
        ("product_id", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.3)))),
        ("price", Arc::new(prices.with_precision_and_scale(18, 2)?)),
    ];
    EventBatch::try_new(RecordBatch::try_from_iter(columns)?)
}
