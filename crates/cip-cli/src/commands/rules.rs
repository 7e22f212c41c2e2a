//! `cip rules`: who has these items, has those as well.

use cip::basket::{AssociationRules, BasketError, RedundantRules, Rules};
use cip::core::TimeRange;
use cip::line::LineError;
use cip::store::TableWriter;
use serde_json::json;

use crate::args::{Common, RulesArgs};
use crate::baskets;
use crate::commands::itemsets::frequent;
use crate::error::CliError;
use crate::number::{grouped, p_value, percent};
use crate::output::{Answer, table};

/// Rules that people are shown.
const SHOWN: usize = 10;

pub(crate) fn run(args: &RulesArgs, common: &Common) -> Result<Answer, CliError> {
    let asked = asked(args).map_err(|error| CliError::Usage(error.to_string()))?;
    let search = frequent(&args.frequent)?;
    let source = &args.source.source;
    if args.split.is_some() && !source.is_dir() {
        return Err(CliError::Usage("--split goes with a store: name later baskets with --later".to_owned()));
    }
    let usage = |error: cip::core::CoreError| CliError::Usage(error.to_string());
    let range = |start, end| TimeRange::new(start, end).map_err(usage);
    let (before, after) = match args.split {
        None => (TimeRange::ALL, None),
        Some(at) => (range(TimeRange::ALL.start(), at)?, Some(range(at, TimeRange::ALL.end())?)),
    };
    let read = |source, range| baskets::read(&args.source, source, range, common);
    let found_in = read(source, before)?;
    let itemsets = search.mine(&found_in.baskets).map_err(LineError::from)?;
    let rules = asked.find(&itemsets, common.memory).map_err(LineError::from)?;
    let later = match (&args.later, after) {
        (Some(later), _) => Some(read(later, TimeRange::ALL)?),
        (None, Some(after)) => Some(read(source, after)?),
        (None, None) => None,
    };
    let rules = match &later {
        Some(later) => rules.with_later(&later.baskets),
        None => rules,
    };
    let batches = rules.batches();
    let mut writer = TableWriter::create(&args.out, "rules", &batches.schema())?;
    for batch in batches {
        writer.write(batch.map_err(LineError::from)?)?;
    }
    writer.finish()?;
    let mut json = found_in.to_json();
    json["min_count"] = json!(itemsets.min_count());
    json["itemsets"] = json!(itemsets.len());
    json["tested"] = json!(rules.tested());
    json["rules"] = json!(rules.len());
    json["redundant"] = json!(rules.iter().filter(|rule| rule.is_redundant()).count());
    json["later"] = json!(later.as_ref().map(|later| later.to_json()));
    Ok(Answer {
        text: format!("{}{}\nwritten to {}", found_in.text(), text(&rules), args.out.display()),
        json,
    })
}

fn asked(args: &RulesArgs) -> Result<AssociationRules, BasketError> {
    let redundant = if args.non_redundant { RedundantRules::LeaveOut } else { RedundantRules::Keep };
    let rules = AssociationRules::new(args.min_confidence)?
        .with_most_consequent(args.max_consequent)?
        .with_redundant(redundant);
    let rules = args.q.map_or(Ok(rules), |q| rules.with_most_q(q))?;
    args.interest.map_or(Ok(rules), |least| rules.with_min_interest(least))
}

/// How many there are, and those of the highest lift.
fn text(rules: &Rules<'_>) -> String {
    let mut text = format!("{} rules of {} itemsets", grouped(rules.len()), grouped(rules.itemsets().len()));
    if rules.len() as u64 != rules.tested() {
        text.push_str(&format!(", of {} that reach support and confidence", grouped(rules.tested())));
    }
    text.push('\n');
    let mut top: Vec<_> = rules.iter().map(|rule| (rule, rule.counts().lift().unwrap_or(0.0))).collect();
    top.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    if !top.is_empty() {
        let rows: Vec<_> = top
            .iter()
            .take(SHOWN)
            .map(|(rule, lift)| {
                let sides = [rule.antecedent().collect::<Vec<_>>(), rule.consequent().collect::<Vec<_>>()];
                vec![
                    sides.map(|side| side.join(" + ")).join(" => "),
                    grouped(rule.counts().both),
                    percent(rule.counts().confidence(), 1.0),
                    format!("{lift:.1}"),
                    p_value(rule.q_value()).replacen('p', "q", 1),
                ]
            })
            .collect();
        text.push_str(&format!("\n{}", table(&["highest lift", "baskets", "confidence", "lift", ""], &rows)));
    }
    text
}
