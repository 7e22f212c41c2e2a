//! `cip assign`: the arm of every row's id.

use std::sync::Arc;

use cip::abtest::goodness_of_fit;
use cip::arrow_array::{ArrayRef, RecordBatch};
use cip::core::{CoreError, IdColumn, column, table};
use cip::store::{TableColumn, TableSource, TableWriter};
use serde_json::json;

use crate::args::AssignArgs;
use crate::error::CliError;
use crate::experiment;
use crate::number::{grouped, p_value, percent};
use crate::output::{Answer, table as lines};

pub(crate) fn run(args: &AssignArgs) -> Result<Answer, CliError> {
    let experiment = experiment::read(&args.experiment)?;
    if args.id == column::EXPERIMENT_GROUP {
        return Err(CliError::Usage(format!(
            "--id is `{}`, the column that is written: name the column of the ids",
            args.id
        )));
    }
    let source = TableSource::open(&args.table)?;
    let batches = source.batches(&[&args.id])?;
    // A type that is none of ids' is refused with the first batch; a table without rows may have any.
    let id_type =
        TableColumn::id_type(batches.schema().field(0).data_type()).unwrap_or(cip::core::IdType::Utf8);
    let schema = table::assignments(&args.id, id_type);
    let mut counts = vec![0u64; experiment.arms().len()];
    let mut writer = TableWriter::create(&args.out, "assignments", &schema)?;
    let (mut rows, mut left_out) = (0, 0u64);
    for batch in batches {
        let batch = batch?;
        let column = TableColumn::new(source.path(), &args.id, rows, batch.column(0)).ids()?;
        if let Some(row) = (0..column.len()).find(|&row| column.get(row).is_none()) {
            return Err(CliError::Row {
                path: source.path().to_owned(),
                row: rows + row as u64 + 1,
                column: args.id.clone(),
                reason: "an id is missing: drop the rows without one".to_owned(),
            });
        }
        let groups = experiment.assign_column(&column);
        for arm in groups.keys() {
            match arm {
                Some(arm) => counts[arm as usize] += 1,
                None => left_out += 1,
            }
        }
        let ids: ArrayRef = match column {
            IdColumn::Int64(ids) => Arc::new(ids),
            IdColumn::Utf8(ids) => Arc::new(ids),
        };
        let written = RecordBatch::try_new(Arc::clone(&schema), vec![ids, Arc::new(groups)]);
        writer.write(written.map_err(CoreError::from)?)?;
        rows += batch.num_rows() as u64;
    }
    let shares = experiment.shares();
    let taking = rows - left_out;
    let srm = if taking == 0 { None } else { Some(goodness_of_fit(&counts, &shares)?.p_value) };
    writer.finish()?;

    let arms = || experiment.arms().iter().zip(&counts).zip(&shares);
    let share = |count: u64| if taking == 0 { None } else { Some(count as f64 / taking as f64) };
    let table: Vec<_> = arms()
        .map(|((arm, &count), &expected)| {
            vec![
                arm.name().to_owned(),
                grouped(count),
                percent(count as f64, taking as f64),
                percent(expected, 1.0),
            ]
        })
        .collect();
    let mut ratio = srm.map_or_else(String::new, |p| format!("sample ratio {}\n", p_value(p)));
    if left_out > 0 {
        ratio.push_str(&format!("{} rows take no part\n", grouped(left_out)));
    }
    Ok(Answer {
        text: format!(
            "{} rows assigned to the arms of experiment {}\n\n{}\n{ratio}written to {}",
            grouped(rows),
            experiment.name(),
            lines(&["arm", "rows", "share", "expected"], &table),
            args.out.display()
        ),
        json: json!({
            "experiment": experiment.name(), "rows": rows,
            "arms": arms().map(|((arm, &count), &expected)| json!({
                "arm": arm.name(), "n": count, "share": share(count), "expected_share": expected,
            })).collect::<Vec<_>>(),
            "left_out": left_out,
            "srm_p_value": srm,
        }),
    })
}
