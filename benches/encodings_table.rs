//! Prints what the forms of a clickstream's columns take: `cargo run --release -p cip-benches --bin encodings -- 2000000`.

#![expect(clippy::print_stdout, reason = "a table is what it is for")]

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{Array, ArrayRef, UInt32Array, cast::AsArray};
use cip_benches::Shop;
use cip_benches::columns::{COLUMNS, coded, memory_bytes, narrowed, parquet_bytes, read_texts};
use cip_benches::encodings::{SessionForm, distinct, filter, group, join};

fn main() -> Result<(), Box<dyn Error>> {
    let events = std::env::args().nth(1).map_or(Ok(2_000_000), |text| text.parse::<u64>())?;
    let shop = Shop::new(events)?;
    let texts = read_texts(&shop.files())?;
    let rows = texts.num_rows() as f64;
    sessions(&texts)?;

    println!(
        "\n| column | text: memory | disk | narrowed: memory | disk | coded: memory | disk | in the store |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut totals = [0.0; 7];
    let stored = shop.store.statistics("512MiB".parse()?)?.columns;
    for name in COLUMNS {
        let column = texts.column_by_name(name).ok_or("no such column")?.as_string::<i32>();
        let forms: [ArrayRef; 3] = [Arc::new(column.clone()), narrowed(name, column)?, coded(name, column)?];
        let mut figures = Vec::new();
        for form in &forms {
            figures.extend([memory_bytes(form) as f64 / rows, parquet_bytes(form)? as f64 / rows]);
        }
        let of = if name == "user_session" { ["source_session", name] } else { [name, name] };
        // The dictionaries of sessions and products count as well.
        let bytes = stored
            .iter()
            .filter(|stored| of.iter().any(|name| stored.column.split('.').next_back() == Some(name)));
        figures.push(bytes.map(|column| column.bytes).sum::<u64>() as f64 / rows);
        let cells: Vec<_> = figures.iter().map(|bytes| format!("{bytes:.2}")).collect();
        println!("| {name} | {} |", cells.join(" | "));
        totals.iter_mut().zip(figures).for_each(|(total, bytes)| *total += bytes);
    }
    println!("| bytes an event | {} |", totals.map(|bytes| format!("{bytes:.1}")).join(" | "));
    println!(
        "| GB for 108,795,631 events | {} |",
        totals.map(|bytes| format!("{:.1}", bytes * 0.108_795_631)).join(" | ")
    );
    Ok(())
}

/// The session id in all its forms.
fn sessions(events: &arrow_array::RecordBatch) -> Result<(), Box<dyn Error>> {
    const RUNS: usize = 5;
    /// Seconds.
    fn median<T>(mut run: impl FnMut() -> T) -> f64 {
        let mut times = [0.0; RUNS];
        for time in &mut times {
            let start = Instant::now();
            black_box(run());
            *time = start.elapsed().as_secs_f64();
        }
        times.sort_by(f64::total_cmp);
        times[RUNS / 2]
    }
    let texts = events.column_by_name("user_session").ok_or("no sessions")?.as_string::<i32>();
    let rows = texts.len() as f64;
    let distinct = distinct(texts);
    let numbers = UInt32Array::from_iter_values(0..distinct.len() as u32);
    println!("{rows} events of {} sessions\n", distinct.len());
    println!(
        "| session id | bytes in memory | on disk | encode, ns | filter, ns | group, ns | join, ns |\n|---|---|---|---|---|---|---|"
    );
    let expected = (
        distinct.len(),
        join(&SessionForm::Utf8.encode(texts)?, &SessionForm::Utf8.encode(&distinct)?, &numbers),
    );
    for form in SessionForm::ALL {
        let (ids, sessions) = (form.encode(texts)?, form.encode(&distinct)?);
        if (group(&ids).0, join(&ids, &sessions, &numbers)) != expected {
            return Err(format!("{} gives another answer", form.name()).into());
        }
        let each = |seconds: f64| format!("{:.1}", seconds * 1e9 / rows);
        println!(
            "| {} | {:.1} | {:.1} | {} | {} | {} | {} |",
            form.name(),
            memory_bytes(&ids) as f64 / rows,
            parquet_bytes(&ids)? as f64 / rows,
            each(median(|| form.encode(texts).is_ok())),
            each(median(|| filter(&ids).ok())),
            each(median(|| group(&ids))),
            each(median(|| join(&ids, &sessions, &numbers))),
        );
    }
    Ok(())
}
