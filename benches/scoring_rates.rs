//! Prints what a model takes to score and to explain the rows of a table, which lie in memory: `cargo run --release -p cip-benches --bin scoring -- MODEL
//! TABLE [THREADS [EXPLAINED_ROWS [RUNS]]]`.
//!
//! One line of JSON: `rows` and `explained_rows`; `score` and `explain`, the `cpu_s` and `wall_s` of each run. Margins and contributions alone are timed; reading,
//! calibrating, ranking and writing are not.

#![expect(clippy::print_stdout, reason = "a line is what it is for")]

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::BufReader;
use std::panic::resume_unwind;
use std::thread::ScopedJoinHandle;
use std::time::Instant;

use cip::propensity::{Explainer, FeatureMatrix, FeatureMatrixBuilder, PropensityError, PropensityModel};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rustix::time::{ClockId, clock_gettime};

/// Rows that a thread takes at a time, as the command does; fewer where some thread would have none.
const BATCH: usize = 8_192;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [model, table, numbers @ ..] = words.as_slice() else {
        return Err("expected MODEL TABLE [THREADS [EXPLAINED_ROWS [RUNS]]]".into());
    };
    let number = |at: usize, usual| numbers.get(at).map_or(Ok(usual), |text| text.parse::<usize>());
    let (threads, explained, runs) = (number(0, 1)?.max(1), number(1, 20_000)?, number(2, 3)?);

    let model = PropensityModel::read_from(BufReader::new(File::open(model)?))?;
    let mut features = FeatureMatrixBuilder::new(model.trees().features())?;
    for batch in ParquetRecordBatchReaderBuilder::try_new(File::open(table)?)?.build()? {
        features.push(&batch?)?;
    }
    let features = features.finish()?;
    let explained = explained.min(features.rows());
    let explainer = Explainer::new(model.trees());

    let batches = |rows: usize| -> Vec<FeatureMatrix> {
        let batch = BATCH.min(rows.div_ceil(threads)).max(1);
        let starts = (0..rows).step_by(batch);
        starts.map(|start| features.select(&(start..(start + batch).min(rows)).collect::<Vec<_>>())).collect()
    };
    let score = timed(runs, threads, &batches(features.rows()), |rows| {
        black_box(model.trees().margins(&rows.view())?);
        Ok(())
    })?;
    let explain = timed(runs, threads, &batches(explained), |rows| {
        black_box(explainer.contributions(&rows.view())?);
        Ok(())
    })?;
    println!(
        r#"{{"rows":{},"explained_rows":{explained},"score":[{score}],"explain":[{explain}]}}"#,
        features.rows()
    );
    Ok(())
}

/// Processor and wall seconds of each run of a job over all batches, as JSON.
fn timed(
    runs: usize,
    threads: usize,
    batches: &[FeatureMatrix],
    job: impl Fn(&FeatureMatrix) -> Result<(), PropensityError> + Sync,
) -> Result<String, PropensityError> {
    let mut found = Vec::with_capacity(runs);
    for _ in 0..runs {
        let (wall, cpu) = (Instant::now(), cpu_seconds());
        let work = |first| batches.iter().skip(first).step_by(threads).try_for_each(&job);
        std::thread::scope(|scope| {
            let work = &work;
            let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || work(first))).collect();
            let join =
                |worker: ScopedJoinHandle<'_, _>| worker.join().unwrap_or_else(|cause| resume_unwind(cause));
            workers.into_iter().try_for_each(join)
        })?;
        let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        found.push(format!(r#"{{"cpu_s":{cpu},"wall_s":{wall}}}"#));
    }
    Ok(found.join(","))
}

/// The processor time that this process has taken.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
