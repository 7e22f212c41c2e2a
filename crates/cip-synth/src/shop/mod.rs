//! The shop: REES46's clickstream of October and November 2019.

mod catalogue;
mod names;
mod people;
mod visit;

use catalogue::Catalogue;
use people::{DAYS, People};
use visit::{Flow, Habits, Setting};

use crate::calendar::{DAY, Rhythm, Slice, push_clock, push_day, weekday};
use crate::chance::{Dice, mix};
use crate::simulation::{Batch, Block, Made, Simulation};
use crate::text::{push_cents, push_uint, push_uuid};
use crate::treatment::{ShopEvent, Treatment};

pub(crate) use visit::Event;

const PURPOSE: u64 = 0x7368_6f70;

/// 2019-10-01, in days since 1970-01-01.
const FIRST_DAY: u32 = 18_170;
const OCTOBER_DAYS: u32 = 31;

/// Rows of a slice: enough to amortise its cost, few enough to stay in the cache.
const SLICE_ROWS: u64 = 8_192;

/// Bytes of a row, a little more than the average.
const ROW_BYTES: usize = 144;

/// Visits by hour of the day (UTC; the real shop's customers live three to six hours ahead).
const HOURS: [u64; 24] =
    [8, 12, 24, 42, 58, 66, 70, 72, 73, 71, 69, 69, 71, 76, 84, 91, 94, 88, 72, 50, 30, 17, 11, 8];

/// Visits by day of the week, from Monday.
const WEEKDAYS: [u64; 7] = [96, 97, 98, 98, 102, 106, 105];

#[derive(Debug)]
pub(crate) struct Shop<'a> {
    seed: u64,
    catalogue: Catalogue,
    people: People,
    habits: Habits,
    treatment: Option<Treatment<'a>>,
    rhythm: Rhythm,
    slices: Vec<Slice>,
}

impl<'a> Shop<'a> {
    pub(crate) fn new(events: u64, seed: u64, treatment: Option<Treatment<'a>>) -> Self {
        let rhythm = Rhythm::new(DAYS, |day, hour| {
            let season = match day {
                0..31 => 100,
                // The sale of mid-November, then Black Friday.
                45..48 => 190,
                58..60 => 135,
                _ => 112,
            };
            HOURS[hour as usize] * WEEKDAYS[weekday(FIRST_DAY + day) as usize] * season
        });
        Self {
            seed,
            catalogue: Catalogue::new(events, seed),
            people: People::new(events, seed),
            habits: Habits::new(),
            treatment,
            slices: rhythm.slices(events, SLICE_ROWS),
            rhythm,
        }
    }

    /// Appends one row after its time.
    fn write(&self, out: &mut Vec<u8>, event: &Event) {
        let product = self.catalogue.product(event.product);
        out.extend_from_slice(match event.kind {
            ShopEvent::View => b"view,",
            ShopEvent::Cart => b"cart,",
            ShopEvent::Purchase => b"purchase,",
        });
        push_uint(out, u64::from(product.id));
        out.extend_from_slice(self.catalogue.tail(product));
        out.extend_from_slice(self.catalogue.brand(product));
        out.push(b',');
        push_cents(out, if event.priceless { 0 } else { u64::from(product.cents) });
        out.push(b',');
        push_uint(out, u64::from(event.user));
        out.push(b',');
        let high = mix(self.seed ^ event.session.rotate_left(17));
        push_uuid(out, high, mix(high ^ event.session));
        out.push(b'\n');
    }
}

impl Simulation for Shop<'_> {
    type Record = Event;

    fn slices(&self) -> &[Slice] {
        &self.slices
    }

    fn simulate(&self, slice: &Slice) -> Made<Event> {
        let mut dice = Dice::new(self.seed, PURPOSE, slice.index);
        let mut made = Made { due: Vec::with_capacity(slice.rows as usize), late: Vec::new() };
        let mut left = slice.rows;
        let world = Setting {
            catalogue: &self.catalogue,
            people: &self.people,
            treatment: self.treatment,
            seed: self.seed,
            end: DAYS * DAY,
        };
        // No slice has 2^32 sessions.
        let mut session = slice.index << 32;
        while left > 0 {
            let start = self.rhythm.draw(slice, &mut dice);
            self.habits.visit(world, session, start, &mut dice, &mut |event| {
                if event.time < slice.end { &mut made.due } else { &mut made.late }.push(event);
                left -= 1;
                if left == 0 { Flow::Full } else { Flow::More }
            });
            session += 1;
        }
        made
    }

    fn time(event: &Event) -> u32 {
        event.time
    }

    fn format(&self, batch: &Batch<Event>) -> Block {
        let mut block =
            Block { text: Vec::with_capacity(batch.records.len() * ROW_BYTES), parts: Vec::with_capacity(2) };
        let (october, november) =
            batch.records.split_at(batch.records.partition_point(|event| event.time < OCTOBER_DAYS * DAY));
        for (file, events) in [october, november].into_iter().enumerate() {
            let mut clock = Clock::default();
            for event in events {
                block.text.extend_from_slice(clock.text(event.time));
                self.write(&mut block.text, event);
            }
            block.close(file as u32, events.len() as u64);
        }
        block
    }

    fn header(&self) -> &'static [u8] {
        b"event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
    }

    fn file_name(&self, file: u32) -> String {
        if file == 0 { "2019-Oct.csv" } else { "2019-Nov.csv" }.to_owned()
    }
}

/// The text of the last time asked for: rows in order share it.
#[derive(Debug, Default)]
struct Clock {
    time: Option<u32>,
    text: Vec<u8>,
}

impl Clock {
    /// `2019-10-01 00:00:00 UTC,` of the time.
    fn text(&mut self, time: u32) -> &[u8] {
        if self.time != Some(time) {
            self.time = Some(time);
            self.text.clear();
            let out = &mut self.text;
            push_day(out, FIRST_DAY + time / DAY);
            out.push(b' ');
            push_clock(out, time % DAY);
            out.extend_from_slice(b" UTC,");
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_writes_times_as_the_real_file_does() {
        let mut clock = Clock::default();
        assert_eq!(clock.text(0), b"2019-10-01 00:00:00 UTC,");
        assert_eq!(clock.text(31 * DAY + 3_661), b"2019-11-01 01:01:01 UTC,");
        assert_eq!(clock.text(61 * DAY - 1), b"2019-11-30 23:59:59 UTC,");
    }
}
