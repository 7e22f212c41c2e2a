//! `cip sequences`: who does this, then does that, within some time.

use cip::basket::{BasketError, HistoryScope, SequencePatterns, Sequences};
use cip::core::MemoryBudget;
use cip::line::{Line, LineError};
use cip::store::{EventStore, TableWriter};
use serde_json::json;

use crate::args::{Common, ScopeArg, SequencesArgs};
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::{Answer, table};

/// Sequences that people are shown.
const SHOWN: usize = 10;

pub(crate) fn run(args: &SequencesArgs, common: &Common) -> Result<Answer, CliError> {
    let patterns = patterns(args).map_err(|error| CliError::Usage(error.to_string()))?;
    let (scope, units) = match args.scope {
        ScopeArg::User => (HistoryScope::User, "users"),
        ScopeArg::Session => (HistoryScope::Session, "sessions"),
    };
    let store = EventStore::open(&args.store)?;
    let line = Line::new(&store).with_threads(common.threads()).with_memory(common.memory)?;
    let histories = line.histories(args.level.level()?, scope, share(common.memory))?;
    let found = patterns.find(&histories).map_err(LineError::from)?;
    let batches = found.batches();
    let mut writer = TableWriter::create(&args.out, "sequences", &batches.schema())?;
    for batch in batches {
        writer.write(batch.map_err(LineError::from)?)?;
    }
    writer.finish()?;
    Ok(Answer {
        text: format!("{}\nwritten to {}", text(&found, units), args.out.display()),
        json: json!({
            "scope": units, "histories": found.histories(), "steps": histories.steps(),
            "min_count": found.min_count(), "sequences": found.len(),
        }),
    })
}

/// What histories and their sequences may take beside the process, the events that are read and the table that is written.
fn share(memory: MemoryBudget) -> MemoryBudget {
    memory.beside(24 << 20, memory.part(1, 2))
}

fn patterns(args: &SequencesArgs) -> Result<SequencePatterns, BasketError> {
    let patterns = SequencePatterns::new(args.min_support, args.within)?.with_most_steps(args.max_steps)?;
    Ok(match &args.to {
        Some(last) => patterns.with_last_type(last),
        None => patterns,
    })
}

/// How many there are, and the most frequent.
fn text(found: &Sequences, units: &str) -> String {
    let mut text = format!(
        "{} sequences that {} of {} {units} take, or more\n",
        grouped(found.len()),
        grouped(found.min_count()),
        grouped(found.histories())
    );
    let mut top: Vec<_> = found.iter().collect();
    top.sort_by_key(|sequence| std::cmp::Reverse(sequence.count()));
    if !top.is_empty() {
        let rows: Vec<_> = (top.iter().take(SHOWN))
            .map(|sequence| {
                let steps: Vec<String> =
                    sequence.steps().map(|(kind, product)| format!("{kind} {product}")).collect();
                vec![steps.join(" > "), grouped(sequence.count()), percent(sequence.confidence(), 1.0)]
            })
            .collect();
        text.push_str(&format!("\n{}", table(&["sequence", units, "confidence"], &rows)));
    }
    text
}
