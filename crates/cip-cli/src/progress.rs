//! Progress on standard error, where it is a terminal.

use cip::ingest::{IngestPhase, IngestProgress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::number::grouped;

/// A bar of a known length.
pub(crate) struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// `unit` is `bytes` or `rows`.
    pub(crate) fn new(what: &str, unit: &str, total: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(8));
        let rate = if unit == "bytes" {
            "{bytes}/{total_bytes} {bytes_per_sec}"
        } else {
            "{human_pos}/{human_len} rows {per_sec}"
        };
        let template = format!("{{prefix:9}} {{bar:30}} {{percent:>3}}%  {rate}  {{eta}} left  {{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        bar.set_prefix(what.to_owned());
        Self { bar }
    }

    pub(crate) fn set(&self, done: u64) {
        self.bar.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The bars of an ingest: parsing, then writing.
#[derive(Default)]
pub(crate) struct IngestBars {
    bar: Option<(IngestPhase, Bar)>,
}

impl IngestBars {
    pub(crate) fn update(&mut self, progress: IngestProgress) {
        if self.bar.as_ref().is_none_or(|(phase, _)| *phase != progress.phase) {
            self.bar = None;
            let bar = match progress.phase {
                IngestPhase::Parse => Bar::new("parsing", "bytes", progress.total),
                IngestPhase::Replay => Bar::new("replaying", "rows", progress.total),
                IngestPhase::Write => Bar::new("writing", "rows", progress.total),
            };
            self.bar = Some((progress.phase, bar));
        }
        if let Some((_, bar)) = &self.bar {
            bar.set(progress.done);
            bar.bar.set_message(format!(
                "{} rows, {} rejected",
                grouped(progress.rows),
                grouped(progress.rejects)
            ));
        }
    }
}
