//! The wholesaler: invoices in the form of UCI Online Retail, December 2010 to December 2011.

mod customers;
mod stock;

use customers::{Customer, Customers};
use stock::Stock;

use crate::calendar::{DAY, HOUR, Rhythm, Slice, date, push_clock, push_day, weekday};
use crate::chance::{Dice, LogLogistic};
use crate::simulation::{Batch, Block, Made, Simulation};
use crate::text::{push_field, push_short_cents, push_uint};

const PURPOSE: u64 = 0x7265_7461_696c;

/// 2010-12-01, in days since 1970-01-01; the last day is 2011-12-09.
const FIRST_DAY: u32 = 14_944;
const DAYS: u32 = 374;

/// The first invoice number of the real file.
const FIRST_INVOICE: u64 = 536_365;

/// Share of orders without a customer id; theirs are longer, so that a quarter of the rows has none.
const GUESTS: f64 = 0.16;
/// Lines of the longest order.
const LONGEST: u64 = 600;
/// Share of orders of which something is sent back: 1.7 % of rows are cancellations.
const RETURNS: f64 = 0.225;
/// Share of invoices that only correct the stock: no customer, no description, no price.
const CORRECTIONS: f64 = 0.045;

/// Quantities, the most common first.
const QUANTITIES: [i32; 14] = [1, 1, 2, 12, 6, 1, 4, 3, 8, 24, 10, 5, 48, 16];

/// Orders by hour of a working day.
const HOURS: [u64; 24] = [0, 0, 0, 0, 0, 0, 0, 1, 14, 38, 58, 62, 78, 72, 66, 70, 44, 20, 2, 0, 0, 0, 0, 0];

/// Orders by month, from January: the wholesaler's autumn.
const MONTHS: [u64; 12] = [62, 60, 72, 66, 74, 74, 74, 74, 100, 106, 136, 100];

#[derive(Debug)]
pub(crate) struct Retail {
    seed: u64,
    stock: Stock,
    customers: Customers,
    lines: LogLogistic,
    delay: LogLogistic,
    rhythm: Rhythm,
    slices: Vec<Slice>,
}

/// An invoice: rows that share number, time, customer and country.
#[derive(Debug)]
pub(crate) struct Invoice {
    /// Seconds since the first day; whole minutes.
    time: u32,
    customer: Option<u32>,
    country: &'static str,
    kind: Kind,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Order,
    Cancellation,
    Correction,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    item: u32,
    quantity: i32,
    cents: u32,
}

impl Retail {
    pub(crate) fn new(rows: u64, seed: u64) -> Self {
        let rhythm = Rhythm::new(DAYS, |day, hour| {
            if is_open(day) {
                HOURS[hour as usize] * MONTHS[date(FIRST_DAY + day).month as usize - 1]
            } else {
                0
            }
        });
        Self {
            seed,
            stock: Stock::new(rows, seed),
            customers: Customers::new(rows, seed),
            lines: LogLogistic::new(14.0, 10, 1.0, 400.0).with_mean(20.5),
            delay: LogLogistic::new(9.0, 13, 0.0, 300.0),
            slices: rhythm.days(rows),
            rhythm,
        }
    }

    /// An order of at most `most` lines on the day of `slice`.
    fn order(&self, slice: &Slice, most: u64, dice: &mut Dice) -> Invoice {
        let time = self.rhythm.draw(slice, dice) / 60 * 60;
        let customer = (!dice.chance(GUESTS)).then(|| self.customers.buyer(time / DAY, dice));
        let size =
            self.lines.value(dice.bits()) * customer.map_or(1.8, |customer| self.customers.basket(customer));
        let size = (size as u64).clamp(1, most.min(LONGEST));
        let mut lines: Vec<Line> = Vec::with_capacity(size as usize);
        let mut family = self.stock.family(dice);
        while (lines.len() as u64) < size {
            if dice.chance(0.3) {
                family = self.stock.family(dice);
            }
            let item = self.stock.pick(family, dice);
            // An item seldom stands twice on an invoice.
            if lines.iter().any(|line| line.item == item) && dice.chance(0.96) {
                family = self.stock.family(dice);
                continue;
            }
            lines.push(self.line(item, customer, dice));
        }
        let country = match customer {
            Some(customer) => customer.country(),
            None => dice.one_of(&["United Kingdom"; 12], "United Kingdom"),
        };
        if country != "United Kingdom" && (lines.len() as u64) < most && dice.chance(0.5) {
            let quantity = 1 + dice.skewed(6) as i32;
            lines.push(Line { item: Stock::POSTAGE, quantity, cents: self.stock.item(Stock::POSTAGE).cents });
        }
        Invoice { time, customer: customer.map(|customer| customer.id), country, kind: Kind::Order, lines }
    }

    fn line(&self, item: u32, customer: Option<Customer>, dice: &mut Dice) -> Line {
        let usual = QUANTITIES[dice.skewed(QUANTITIES.len())];
        let list = self.stock.item(item).cents;
        let (quantity, cents) = match customer {
            Some(customer) if customer.is_dealer() => (usual * 12, list * 17 / 20),
            Some(_) => (usual, list),
            // Guests buy single pieces, through the dearer web shop.
            None => (1 + dice.skewed(4) as i32, list * 39 / 20),
        };
        Line { item, quantity, cents }
    }

    /// The cancellation of some of an order's lines, on that day or an open one later; none after the last day.
    fn cancellation(&self, order: &Invoice, most: u64, dice: &mut Dice) -> Option<Invoice> {
        let mut day = order.time / DAY + self.delay.value(dice.bits()) as u32;
        while day < DAYS && !is_open(day) {
            day += 1;
        }
        let end_of_day = day * DAY + 18 * HOUR;
        let earliest = order.time.max(day * DAY + 9 * HOUR);
        if day >= DAYS || most == 0 || earliest >= end_of_day {
            return None;
        }
        let time = (earliest + dice.below(u64::from(end_of_day - earliest)) as u32) / 60 * 60;
        let count = (1 + dice.skewed(6)).min(order.lines.len()).min(most as usize);
        let first = dice.below((order.lines.len() - count + 1) as u64) as usize;
        let lines = order.lines[first..first + count]
            .iter()
            .map(|line| Line { quantity: -1 - dice.skewed(line.quantity as usize) as i32, ..*line })
            .collect();
        Some(Invoice { time, kind: Kind::Cancellation, lines, ..*order })
    }

    fn correction(&self, slice: &Slice, dice: &mut Dice) -> Invoice {
        let time = self.rhythm.draw(slice, dice) / 60 * 60;
        let item = self.stock.pick(self.stock.family(dice), dice);
        let quantity = (1 + dice.skewed(60) as i32) * if dice.chance(0.7) { -1 } else { 1 };
        let lines = vec![Line { item, quantity, cents: 0 }];
        Invoice { time, customer: None, country: "United Kingdom", kind: Kind::Correction, lines }
    }

    fn write(&self, out: &mut Vec<u8>, number: u64, invoice: &Invoice) {
        let mut tail = vec![b','];
        if let Some(customer) = invoice.customer {
            push_uint(&mut tail, u64::from(customer));
            tail.extend_from_slice(b".0");
        }
        tail.push(b',');
        tail.extend_from_slice(invoice.country.as_bytes());
        tail.push(b'\n');
        for line in &invoice.lines {
            let item = self.stock.item(line.item);
            if invoice.kind == Kind::Cancellation {
                out.push(b'C');
            }
            push_uint(out, number);
            out.push(b',');
            out.extend_from_slice(item.code.as_bytes());
            out.push(b',');
            if invoice.kind != Kind::Correction {
                push_field(out, &item.description);
            }
            out.push(b',');
            if line.quantity < 0 {
                out.push(b'-');
            }
            push_uint(out, u64::from(line.quantity.unsigned_abs()));
            out.push(b',');
            push_day(out, FIRST_DAY + invoice.time / DAY);
            out.push(b' ');
            push_clock(out, invoice.time % DAY);
            out.push(b',');
            push_short_cents(out, u64::from(line.cents));
            out.extend_from_slice(&tail);
        }
    }
}

/// Closed on Saturdays and from 24 December to 3 January.
fn is_open(day: u32) -> bool {
    let on = date(FIRST_DAY + day);
    let holiday = (on.month == 12 && on.day >= 24) || (on.month == 1 && on.day <= 3);
    weekday(FIRST_DAY + day) != 5 && !holiday
}

impl Simulation for Retail {
    type Record = Invoice;

    fn slices(&self) -> &[Slice] {
        &self.slices
    }

    fn simulate(&self, slice: &Slice) -> Made<Invoice> {
        let mut dice = Dice::new(self.seed, PURPOSE, slice.index);
        let mut made = Made { due: Vec::new(), late: Vec::new() };
        let mut left = slice.rows;
        while left > 0 {
            if dice.chance(CORRECTIONS) {
                made.due.push(self.correction(slice, &mut dice));
                left -= 1;
                continue;
            }
            let order = self.order(slice, left, &mut dice);
            left -= order.lines.len() as u64;
            let sent_back = order.customer.is_some() && dice.chance(RETURNS);
            let cancellation = if sent_back { self.cancellation(&order, left, &mut dice) } else { None };
            // The order first: of two invoices of a minute, the first made has the lower number.
            made.due.push(order);
            if let Some(cancellation) = cancellation {
                left -= cancellation.lines.len() as u64;
                if cancellation.time < slice.end { &mut made.due } else { &mut made.late }.push(cancellation);
            }
        }
        made
    }

    fn time(invoice: &Invoice) -> u32 {
        invoice.time
    }

    fn format(&self, batch: &Batch<Invoice>) -> Block {
        let mut block = Block::default();
        for (number, invoice) in (FIRST_INVOICE + batch.before..).zip(&batch.records) {
            self.write(&mut block.text, number, invoice);
        }
        let rows = batch.records.iter().map(|invoice| invoice.lines.len() as u64).sum();
        block.close(batch.slice.index as u32, rows);
        block
    }

    fn header(&self) -> &'static [u8] {
        b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    }

    fn file_name(&self, file: u32) -> String {
        let mut name = Vec::new();
        push_day(&mut name, FIRST_DAY + file);
        String::from_utf8_lossy(&name).into_owned() + ".csv"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_year_has_its_open_days() {
        let open = (0..DAYS).filter(|&day| is_open(day)).count();
        assert_eq!((open, date(FIRST_DAY + DAYS - 1).day), (312, 9));
        assert!(is_open(0) && !is_open(3), "2010-12-01 was a Wednesday");
    }
}
