//! Sessions inside a service: events one by one as they arrive, sessions out as they end. No files, no store, no clock.

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;
use std::num::NonZeroUsize;
use std::time::Duration;

use cip::core::{EventKind, IdRef, MoneyScale, Timestamp};
use cip::sessionize::{FinishedSession, LiveEvent, LiveSessions, SessionRule, SessionizeError};

const SECOND: i64 = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    // Sessions of half an hour's pause and a day at the most; room for 52 visitors, so that some must go early.
    let rule = SessionRule::default().with_max_length(Duration::from_secs(86_400))?;
    let mut live = LiveSessions::new(rule, NonZeroUsize::new(52).ok_or("at least one")?)?;
    let money = MoneyScale::new(2)?;
    let (mut ended, mut late) = (Vec::new(), 0);

    let noon: Timestamp = "2019-10-01T12:00:00Z".parse()?;
    for n in 0..20_000_i64 {
        // A stream that looks random: an event every two seconds, up to 9 seconds late.
        let mixed = noise(n.cast_unsigned());
        let clock = noon.micros() + n * 2 * SECOND;
        let time = Timestamp::from_micros(clock - ((mixed & 0xffff) % 10).cast_signed() * SECOND);
        let visitor = format!("visitor {}", n / 400 * 3 + (mixed >> 40).cast_signed() % 45);
        let kind = ["view", "view", "view", "cart", "view", "purchase"][(mixed >> 32) as usize % 6];
        let event = LiveEvent {
            user: IdRef::Utf8(&visitor),
            time,
            kind: EventKind::from_event_type(kind),
            product: Some(IdRef::Int64((mixed >> 16).cast_signed() % 100)),
            amount: i128::from((mixed >> 16) % 100 * 125),
        };
        match live.on_event(event) {
            Ok(sessions) => ended.extend(sessions),
            // What comes before its session is counted; a service might write it down.
            Err(SessionizeError::LateEvent { .. }) => late += 1,
            Err(error) => return Err(error.into()),
        }
        // Once a minute the service says what time it is, less what events may be late.
        if n % 30 == 0 {
            ended.extend(live.advance_to(Timestamp::from_micros(clock - 10 * SECOND)));
        }
    }
    println!(
        "{} sessions ended, {} are open; {late} events came too late, {} sessions had to go",
        ended.len(),
        live.open_users(),
        live.evicted_sessions()
    );
    ended.extend(live.finish());

    let revenue: i128 = ended.iter().map(|session| session.revenue).sum();
    println!("{} sessions in all, {} spent", ended.len(), money.display(revenue));
    let spent = |session: &&FinishedSession| session.revenue;
    if let Some(best) = ended.iter().max_by_key(spent) {
        println!(
            "the best: {} with {} events, {} spent",
            best.user,
            best.events,
            money.display(best.revenue)
        );
    }
    Ok(())
}

/// Looks random and is the same in every run: SplitMix64.
fn noise(n: u64) -> u64 {
    let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
