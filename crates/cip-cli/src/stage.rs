//! What a stage cost: wall time and peak memory.

use std::time::Instant;

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
        reset_peak();
        let start = Instant::now();
        let result = stage()?;
        self.stages.push(StageCost {
            name,
            seconds: start.elapsed().as_secs_f64(),
            peak_bytes: peak_bytes(),
        });
        Ok(result)
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

/// Starts the kernel's high-water mark of resident memory anew, where it can (Linux).
fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most resident memory since then; none where the system does not tell.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1_024)
}
