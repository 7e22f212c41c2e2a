//! `cip itemsets`: which items come together, in any number.

use cip::basket::{BasketError, FrequentItemsets, ItemsetKind, Itemsets};
use cip::core::TimeRange;
use cip::line::LineError;
use cip::store::TableWriter;
use serde_json::json;

use crate::args::{Common, FrequentArgs, ItemsetsArgs};
use crate::baskets;
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::{Answer, table};

/// Itemsets that people are shown.
const SHOWN: usize = 10;

pub(crate) fn run(args: &ItemsetsArgs, common: &Common) -> Result<Answer, CliError> {
    let kind = match (args.closed, args.maximal) {
        (true, _) => ItemsetKind::Closed,
        (_, true) => ItemsetKind::Maximal,
        (false, false) => ItemsetKind::All,
    };
    let search = frequent(&args.frequent)?.with_kind(kind);
    let source = baskets::read(&args.source, &args.source.source, TimeRange::ALL, common)?;
    let found = search.mine(&source.baskets).map_err(LineError::from)?;
    let batches = found.batches();
    let mut writer = TableWriter::create(&args.out, "itemsets", &batches.schema())?;
    for batch in batches {
        writer.write(batch.map_err(LineError::from)?)?;
    }
    writer.finish()?;
    let mut json = source.to_json();
    json["kind"] = json!(name(kind));
    json["min_count"] = json!(found.min_count());
    json["itemsets"] = json!(found.len());
    json["by_size"] = json!(found.by_size().collect::<Vec<_>>());
    Ok(Answer { text: format!("{}{}\nwritten to {}", source.text(), text(&found), args.out.display()), json })
}

/// The itemsets that the arguments ask for.
pub(crate) fn frequent(args: &FrequentArgs) -> Result<FrequentItemsets, CliError> {
    let search = FrequentItemsets::new(args.min_support);
    let search = args.max_size.map_or(Ok(search), |most| search.with_most_items(most));
    search.map_err(|error: BasketError| CliError::Usage(error.to_string()))
}

fn name(kind: ItemsetKind) -> &'static str {
    match kind {
        ItemsetKind::All => "all",
        ItemsetKind::Closed => "closed",
        ItemsetKind::Maximal => "maximal",
    }
}

/// How many there are, and the most frequent of two items or more.
fn text(found: &Itemsets) -> String {
    let kind = if found.kind() == ItemsetKind::All { "frequent" } else { name(found.kind()) };
    let sizes: Vec<String> = found.by_size().map(grouped).collect();
    let mut text = format!(
        "{} {kind} itemsets in {} baskets or more; of 1, 2, ... items: {}\n",
        grouped(found.len()),
        grouped(found.min_count()),
        sizes.join(", ")
    );
    let mut top: Vec<_> = found.iter().filter(|set| set.size() > 1).collect();
    top.sort_by_key(|set| std::cmp::Reverse(set.count()));
    if !top.is_empty() {
        let rows: Vec<_> = top
            .iter()
            .take(SHOWN)
            .map(|set| {
                let names: Vec<&str> = set.names().collect();
                vec![
                    names.join(" + "),
                    grouped(set.count()),
                    percent(set.count() as f64, found.baskets() as f64),
                ]
            })
            .collect();
        text.push_str(&format!("\n{}", table(&["most often together", "baskets", "support"], &rows)));
    }
    text
}
