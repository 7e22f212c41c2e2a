//! `cip srm`: whether the arms have the numbers of units that they should.

use std::collections::BTreeMap;
use std::path::Path;

use cip::abtest::{GroupRatio, SampleRatio};
use cip::core::{MICROS_PER_DAY, Timestamp};
use cip::store::{TableColumn, TableSource};
use serde_json::{Value, json};

use crate::args::SrmArgs;
use crate::error::CliError;
use crate::number::{grouped, p_value, percent};
use crate::output::{Answer, table};

/// Units by arm, all and of each group.
#[derive(Debug, Default)]
struct Tally {
    all: BTreeMap<String, u64>,
    groups: BTreeMap<String, BTreeMap<String, u64>>,
}

pub(crate) fn run(args: &SrmArgs) -> Result<Answer, CliError> {
    if !(0.0 < args.alpha && args.alpha < 1.0) {
        return Err(CliError::Usage(format!(
            "--alpha is {}, expected more than 0 and less than 1",
            args.alpha
        )));
    }
    let tally = match (&args.table, &args.variant) {
        (Some(path), Some(variant)) => count(path, variant, args)?,
        _ => given(args)?,
    };
    let names = arms(&tally, args)?;
    let units = |of: &BTreeMap<String, u64>| -> Vec<u64> {
        names.iter().map(|(name, _)| of.get(name).copied().unwrap_or(0)).collect()
    };
    let weights: Vec<f64> = names.iter().map(|(_, weight)| *weight).collect();
    let all = units(&tally.all);
    let found = SampleRatio::of(&all, &weights)?;
    let groups: Vec<(&str, Vec<u64>)> =
        tally.groups.iter().map(|(group, of)| (group.as_str(), units(of))).collect();
    let groups: Vec<(&str, &[u64])> = groups.iter().map(|(group, of)| (*group, of.as_slice())).collect();
    let by_group = SampleRatio::by_group(&groups, &weights)?;
    let flagged: Vec<&GroupRatio> =
        by_group.iter().filter(|group| group.adjusted_p_value < args.alpha).collect();
    let mismatch = found.p_value < args.alpha || !flagged.is_empty();

    let (total, weight_total): (u64, f64) = (all.iter().sum(), weights.iter().sum());
    let rows: Vec<_> = names
        .iter()
        .zip(&all)
        .map(|((name, weight), &n)| {
            let share = percent(n as f64, total as f64);
            vec![name.clone(), grouped(n), share, percent(*weight, weight_total)]
        })
        .collect();
    let mut text = table(&["arm", "units", "share", "expected"], &rows);
    text.push_str(&format!("\nchi-square {:.4}, df {}, {}\n", found.chi2, found.df, p_value(found.p_value)));
    if found.stray > 0 {
        text.push_str(&format!("{} units are in arms that should have none\n", grouped(found.stray)));
    }
    if !by_group.is_empty() {
        const SHOWN: usize = 10;
        text.push_str(&format!(
            "{} of {} groups are a mismatch by themselves\n",
            flagged.len(),
            by_group.len()
        ));
        for group in flagged.iter().take(SHOWN) {
            let p = p_value(group.adjusted_p_value);
            text.push_str(&format!("  {}: {} units, adjusted {p}\n", group.group, grouped(group.n)));
        }
    }
    text.push_str(if mismatch {
        "\nmismatch: find the units that one arm loses or gains before relying on any difference\n"
    } else {
        "\nas expected: the numbers of units are what chance makes of the shares\n"
    });
    let json = json!({
        "arms": names.iter().zip(&all).map(|((name, weight), n)| json!({
            "arm": name, "n": n, "expected_share": weight / weight_total,
        })).collect::<Value>(),
        "chi2": found.chi2, "df": found.df, "p_value": found.p_value, "stray": found.stray,
        "groups": by_group,
        "mismatch": mismatch,
    });
    Ok(Answer { text, json })
}

/// The arms with their weights: those that have units or a weight, in the order of the weights, else by name.
fn arms(tally: &Tally, args: &SrmArgs) -> Result<Vec<(String, f64)>, CliError> {
    if args.weights.is_empty() {
        return Ok(tally.all.keys().map(|name| (name.clone(), 1.0)).collect());
    }
    for (index, (name, _)) in args.weights.iter().enumerate() {
        if args.weights[..index].iter().any(|(before, _)| before == name) {
            return Err(CliError::Usage(format!("arm `{name}` has two weights: give each arm one")));
        }
    }
    if let Some(name) = tally.all.keys().find(|name| args.weights.iter().all(|(known, _)| known != *name)) {
        return Err(CliError::Usage(format!(
            "arm `{name}` has no weight: give it one, 0 where it should have no units"
        )));
    }
    Ok(args.weights.clone())
}

fn given(args: &SrmArgs) -> Result<Tally, CliError> {
    let mut tally = Tally::default();
    for (name, units) in &args.counts {
        if tally.all.insert(name.clone(), *units).is_some() {
            return Err(CliError::Usage(format!("arm `{name}` is counted twice: give each arm once")));
        }
    }
    Ok(tally)
}

fn count(path: &Path, variant: &str, args: &SrmArgs) -> Result<Tally, CliError> {
    let source = TableSource::open(path)?;
    let by = args.by.as_deref().or(args.by_day.as_deref());
    let columns: Vec<&str> = [variant].into_iter().chain(by).collect();
    let mut tally = Tally::default();
    let mut rows = 0;
    for batch in source.batches(&columns)? {
        let batch = batch?;
        let absent = |column: &str, row: usize| CliError::Row {
            path: path.to_owned(),
            row: rows + row as u64 + 1,
            column: column.to_owned(),
            reason: "there is no value: drop such rows, or fill them with what they mean".to_owned(),
        };
        let arms = TableColumn::new(path, variant, rows, batch.column(0)).labels()?;
        let groups = match (&args.by, &args.by_day) {
            (Some(by), _) => Some((by, TableColumn::new(path, by, rows, batch.column(1)).labels()?)),
            (None, Some(by)) => {
                let days = TableColumn::new(path, by, rows, batch.column(1)).days()?;
                Some((by, days.into_iter().map(|day| day.map(day_text)).collect()))
            }
            (None, None) => None,
        };
        for (row, arm) in arms.into_iter().enumerate() {
            let arm = arm.ok_or_else(|| absent(variant, row))?;
            if let Some((by, groups)) = &groups {
                let group = groups[row].clone().ok_or_else(|| absent(by, row))?;
                *tally.groups.entry(group).or_default().entry(arm.clone()).or_default() += 1;
            }
            *tally.all.entry(arm).or_default() += 1;
        }
        rows += batch.num_rows() as u64;
    }
    Ok(tally)
}

/// A day since 1970-01-01 as its date.
pub(crate) fn day_text(day: i64) -> String {
    Timestamp::from_micros(day.saturating_mul(MICROS_PER_DAY)).to_string()
}
