//! `cip pairs`: the products that come together.

use std::path::Path;

use cip::basket::{Baskets, Pairs};
use cip::core::MemoryBudget;
use cip::line::{Line, LineError, PairTotals};
use cip::store::EventStore;
use serde_json::json;

use crate::args::{Common, PairsArgs};
use crate::error::CliError;
use crate::number::grouped;
use crate::output::{Answer, table};

pub(crate) fn run(args: &PairsArgs, common: &Common) -> Result<Answer, CliError> {
    let store = EventStore::open(&args.store)?;
    let line = Line::new(&store).with_threads(common.threads()).with_memory(common.memory)?;
    let pairs = Pairs::new(args.min_together).map_err(|error| CliError::Usage(error.to_string()))?;
    let mut baskets = args.form.rule(store.schema(), share(common.memory), Some(args.max_basket))?;
    if let Some(window) = args.within {
        baskets = baskets.with_window(window).map_err(LineError::from)?;
    }
    if args.revenue {
        baskets = baskets.with_revenue().map_err(LineError::from)?;
    }
    let totals = line.write_pairs(&baskets, pairs, &args.out)?;
    Ok(Answer { text: format!("{}written to {}", text(&totals), args.out.display()), json: to_json(&totals) })
}

/// The pairs of a run: the sizes that the command has by default.
pub(crate) fn write(
    store: &EventStore,
    line: &Line<'_>,
    memory: MemoryBudget,
    path: &Path,
) -> Result<PairTotals, LineError> {
    line.write_pairs(&Baskets::new(store.schema(), share(memory))?, Pairs::new(2)?, path)
}

/// What baskets and counting may take beside the process, the partitions that are read and the table that is written.
fn share(memory: MemoryBudget) -> MemoryBudget {
    memory.beside(128 << 20, memory.part(1, 3))
}

/// The totals and the most frequent pairs.
pub(crate) fn text(totals: &PairTotals) -> String {
    let baskets = &totals.baskets;
    let mut text =
        format!("{} pairs of products in {} baskets", grouped(totals.pairs), grouped(baskets.baskets));
    if baskets.oversized_baskets > 0 {
        text.push_str(&format!(
            "; {} baskets are too large and left out",
            grouped(baskets.oversized_baskets)
        ));
    }
    text.push('\n');
    if !totals.top.is_empty() {
        let rows: Vec<_> = totals
            .top
            .iter()
            .map(|pair| {
                vec![
                    format!("{} + {}", pair.product_a, pair.product_b),
                    grouped(pair.together),
                    format!("{:.1}", pair.lift),
                ]
            })
            .collect();
        text.push_str(&format!("\n{}", table(&["most often together", "baskets", "lift"], &rows)));
    }
    text
}

pub(crate) fn to_json(totals: &PairTotals) -> serde_json::Value {
    let baskets = &totals.baskets;
    let top: Vec<_> = totals
        .top
        .iter()
        .map(|pair| {
            json!({
                "product_a": pair.product_a.to_string(), "product_b": pair.product_b.to_string(),
                "together": pair.together, "lift": pair.lift,
            })
        })
        .collect();
    json!({
        "pairs": totals.pairs, "baskets": baskets.baskets, "single_baskets": baskets.single_baskets,
        "oversized_baskets": baskets.oversized_baskets, "events_without_key": baskets.events_without_key,
        "events_without_product": baskets.events_without_product,
        "events_of_other_types": baskets.events_of_other_types, "top": top,
    })
}
