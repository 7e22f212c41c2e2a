//! The video subscription: StreamFlow events of the first half of 2024.

mod subscribers;
mod viewing;

use subscribers::Subscribers;
use viewing::{Habits, Kind, pay};

use crate::calendar::{DAY, Rhythm, Slice, push_clock, push_day, weekday};
use crate::chance::{Dice, hash, mix, scaled};
use crate::simulation::{Batch, Block, Made, Simulation};
use crate::text::{push_cents, push_field, push_uint, push_uuid};

pub(crate) use viewing::Event;

const PURPOSE: u64 = 0x666c_6f77;

/// 2024-01-01, in days since 1970-01-01; the last day is 2024-06-30.
const FIRST_DAY: u32 = 19_723;
const DAYS: u32 = 182;

/// Rows of a slice: enough to amortise its cost, few enough to stay in the cache.
const SLICE_ROWS: u64 = 8_192;

/// Bytes of a row, a little more than the average.
const ROW_BYTES: usize = 240;

/// Visits by hour of the day.
const HOURS: [u64; 24] =
    [44, 28, 18, 12, 10, 10, 14, 22, 30, 34, 38, 44, 50, 52, 52, 54, 58, 66, 82, 100, 112, 110, 92, 66];

/// Visits by day of the week, from Monday.
const WEEKDAYS: [u64; 7] = [90, 90, 92, 95, 112, 128, 122];

const DEVICES: [&str; 4] = ["smart_tv", "mobile", "desktop", "tablet"];
const REFERRERS: [&str; 6] = [
    "",
    "",
    "https://www.google.com/",
    "https://news.example.com/tv",
    "https://social.example.com/",
    "https://mail.example.com/",
];
const ERRORS: [&str; 5] = ["E1001_NETWORK", "E2003_DRM", "E1007_TIMEOUT", "E3002_CODEC", "E5000_SERVER"];
const QUALITIES: [&str; 4] = ["1080p", "720p", "2160p", "480p"];
const QUERIES: [&str; 8] = [
    "space",
    "crime drama",
    "comedy, short",
    "\"the crown\"",
    "football",
    "anime",
    "cooking",
    "thriller 90s",
];

#[derive(Debug)]
pub(crate) struct Streamflow {
    seed: u64,
    subscribers: Subscribers,
    habits: Habits,
    rhythm: Rhythm,
    slices: Vec<Slice>,
}

impl Streamflow {
    pub(crate) fn new(events: u64, seed: u64) -> Self {
        let rhythm =
            Rhythm::new(DAYS, |day, hour| HOURS[hour as usize] * WEEKDAYS[weekday(FIRST_DAY + day) as usize]);
        Self {
            seed,
            subscribers: Subscribers::new(events, seed),
            habits: Habits::new(scaled(4_000.0, events, 1e6, 4).clamp(200, 90_000)),
            slices: rhythm.slices(events, SLICE_ROWS),
            rhythm,
        }
    }

    fn write(&self, out: &mut Vec<u8>, event: &Event) {
        let Event { kind, .. } = *event;
        // Details of a row that nothing depends on.
        let detail = hash(event.session, u64::from(event.time), kind as u64);
        let pick = |shift: u32, n: usize| (detail >> shift) as usize % n;
        push_uint(out, self.subscribers.id(u64::from(event.subscriber)));
        out.push(b',');
        out.extend_from_slice(kind.name().as_bytes());
        out.push(b',');
        push_day(out, FIRST_DAY + event.time / DAY);
        out.push(b'T');
        push_clock(out, event.time % DAY);
        out.extend_from_slice(b"Z,");
        let high = mix(self.seed ^ event.session.rotate_left(17));
        push_uuid(out, high, mix(high ^ event.session));
        out.push(b',');
        out.extend_from_slice(DEVICES[usize::from(event.device) % DEVICES.len()].as_bytes());
        out.push(b',');
        if kind.is_playback() {
            push_content(out, event.content);
        }
        out.push(b',');
        if matches!(kind, Kind::Pause | Kind::Stop | Kind::Complete) {
            push_uint(out, u64::from(event.amount));
        }
        out.push(b',');
        push_page(out, event);
        out.push(b',');
        if kind == Kind::PageView {
            out.extend_from_slice(REFERRERS[pick(0, REFERRERS.len())].as_bytes());
        }
        out.push(b',');
        out.extend_from_slice(event.country.as_bytes());
        out.push(b',');
        out.extend_from_slice(event.plan.name().as_bytes());
        out.push(b',');
        if matches!(kind, Kind::Started | Kind::Renewed | Kind::Upgraded) {
            push_cents(out, u64::from(event.plan.cents()));
        }
        out.push(b',');
        match kind {
            Kind::Error => out.extend_from_slice(ERRORS[pick(8, ERRORS.len())].as_bytes()),
            Kind::PaymentFailed => out.extend_from_slice(b"CARD_DECLINED"),
            _ => {}
        }
        out.push(b',');
        push_field(out, &metadata(event, pick(16, 64)));
        out.push(b'\n');
    }
}

/// Appends a content id such as `c10042`.
fn push_content(out: &mut Vec<u8>, content: u32) {
    out.push(b'c');
    push_uint(out, u64::from(content) + 10_000);
}

fn push_page(out: &mut Vec<u8>, event: &Event) {
    match event.kind {
        Kind::Search => out.extend_from_slice(b"/search"),
        Kind::PageView if event.content.is_multiple_of(3) => out.extend_from_slice(b"/home"),
        Kind::PageView | Kind::FeatureClick | Kind::Share | Kind::Download => {
            out.extend_from_slice(b"/title/");
            push_content(out, event.content);
        }
        Kind::Support => out.extend_from_slice(b"/help"),
        kind if kind.is_playback() => {
            out.extend_from_slice(b"/watch/");
            push_content(out, event.content);
        }
        _ => out.extend_from_slice(b"/account/billing"),
    }
}

/// A JSON object, different by event type. The version of the app stays the same within a session.
fn metadata(event: &Event, detail: usize) -> String {
    let mut text = String::from("{\"app_version\":\"5.");
    text.push(char::from(b'0' + (mix(event.session) % 4) as u8));
    match event.kind {
        Kind::PageView | Kind::FeatureClick | Kind::Share | Kind::Download | Kind::Support => {
            text.push_str("\"}");
        }
        Kind::Search => {
            text.push_str("\",\"query\":\"");
            text.push_str(&QUERIES[detail % QUERIES.len()].replace('"', "\\\""));
            text.push_str("\"}");
        }
        Kind::Play | Kind::Pause | Kind::Stop | Kind::Complete | Kind::Error => {
            text.push_str("\",\"quality\":\"");
            text.push_str(QUALITIES[detail % QUALITIES.len()]);
            text.push_str("\"}");
        }
        _ => {
            text.push_str("\",\"billing_cycle\":");
            text.push_str(&event.amount.to_string());
            text.push('}');
        }
    }
    text
}

impl Simulation for Streamflow {
    type Record = Event;

    fn slices(&self) -> &[Slice] {
        &self.slices
    }

    fn simulate(&self, slice: &Slice) -> Made<Event> {
        let mut dice = Dice::new(self.seed, PURPOSE, slice.index);
        let mut made = Made { due: Vec::with_capacity(slice.rows as usize), late: Vec::new() };
        let mut left = slice.rows;
        let mut session = slice.index << 32;
        let mut push = |event: Event| {
            if left > 0 {
                if event.time < slice.end { &mut made.due } else { &mut made.late }.push(event);
                left -= 1;
            }
            left > 0
        };
        self.subscribers.payers(slice.start, slice.end, |subscriber, cycle| {
            pay(&self.subscribers, subscriber, cycle, session, &mut dice, &mut |event| {
                push(event);
            });
            session += 1;
        });
        let mut wanted = slice.rows > 0;
        while wanted {
            let start = self.rhythm.draw(slice, &mut dice);
            self.habits.view(&self.subscribers, session, start, &mut dice, &mut |event| {
                wanted = push(event);
                wanted
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
            Block { text: Vec::with_capacity(batch.records.len() * ROW_BYTES), parts: Vec::new() };
        batch.records.iter().for_each(|event| self.write(&mut block.text, event));
        block.close(0, batch.records.len() as u64);
        block
    }

    fn header(&self) -> &'static [u8] {
        b"user_id,event_type,timestamp,session_id,device_type,content_id,duration_seconds,page_url,referrer,country,\
          plan_type,revenue,error_code,metadata\n"
    }

    fn file_name(&self, _file: u32) -> String {
        "streamflow.csv".to_owned()
    }
}
