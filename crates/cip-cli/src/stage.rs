//! What a stage cost: wall time and peak memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::number::bytes;
use crate::output;

/// The cost of the stages so far.
#[derive(Default)]
pub(crate) struct Stages {
    stages: Vec<StageCost>,
}

struct StageCost {
    name: &'static str,
    seconds: f64,
    peak_bytes: Option<u64>,
}

impl Stages {
    /// Runs a stage and notes what it cost.
    pub(crate) fn measure<T, E>(
        &mut self,
        name: &'static str,
        stage: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let before = high_water_bytes();
        let ended = AtomicBool::new(false);
        let start = Instant::now();
        let (result, sampled) = std::thread::scope(|scope| {
            let sampler = scope.spawn(|| sample_peak(&ended));
            let result = {
                let _end = End(&ended);
                stage()
            };
            sampler.thread().unpark();
            (result, sampler.join().ok().flatten())
        });
        let seconds = start.elapsed().as_secs_f64();
        // Where the process never held more, the kernel's mark is exact; else the samples tell.
        let after = high_water_bytes();
        let peak_bytes = if after > before { after } else { sampled };
        self.stages.push(StageCost { name, seconds, peak_bytes });
        result
    }

    pub(crate) fn to_text(&self) -> String {
        let peak = |stage: &StageCost| stage.peak_bytes.map_or_else(|| "-".to_owned(), bytes);
        let mut rows: Vec<Vec<String>> = self
            .stages
            .iter()
            .map(|stage| vec![stage.name.to_owned(), format!("{:.2} s", stage.seconds), peak(stage)])
            .collect();
        let total: f64 = self.stages.iter().map(|stage| stage.seconds).sum();
        let highest = self.stages.iter().filter_map(|stage| stage.peak_bytes).max();
        let highest = highest.map_or_else(|| "-".to_owned(), bytes);
        rows.push(vec!["all".to_owned(), format!("{total:.2} s"), highest]);
        output::table(&["stage", "time", "peak memory"], &rows)
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        let stage = |stage: &StageCost| json!({ "stage": stage.name, "wall_s": stage.seconds, "peak_bytes": stage.peak_bytes });
        self.stages.iter().map(stage).collect()
    }
}

/// Ends the sampling, also where the stage panics: the scope waits for it.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The most memory that the process has held so far; none where the system does not tell (it does on Linux).
fn high_water_bytes() -> Option<u64> {
    status_bytes("VmHWM:")
}

/// An amount of memory in the kernel's status of this process.
fn status_bytes(label: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(label))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1_024)
}

/// The most memory that the process holds until `ended`, looked at two hundred times a second.
fn sample_peak(ended: &AtomicBool) -> Option<u64> {
    let mut peak = None;
    loop {
        peak = peak.max(status_bytes("VmRSS:"));
        if ended.load(Ordering::Relaxed) {
            return peak;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
