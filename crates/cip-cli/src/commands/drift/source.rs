//! What is compared: two tables, or a sketch of one and a table.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use cip::drift::TableProfile;
use cip::propensity::PropensityModel;
use cip::scoring::{MODEL_SCORE, ScoringError, ScoringTable};
use cip::store::write_document;

use crate::args::{Common, DriftArgs};
use crate::error::CliError;

/// A reference and a current table, opened.
pub(super) struct Sources {
    reference: Reference,
    current: ScoringTable,
}

enum Reference {
    Table(Box<ScoringTable>),
    Sketch(TableProfile),
}

impl Sources {
    /// Opens both; what is named and in neither is an error.
    pub(super) fn open(args: &DriftArgs) -> Result<Self, CliError> {
        let reference = match read_sketch(&args.reference)? {
            Some(sketch) => Reference::Sketch(sketch),
            None => Reference::Table(Box::new(ScoringTable::open(&args.reference)?)),
        };
        let sources = Self { reference, current: ScoringTable::open(&args.current)? };
        // What is in one table alone is told by the comparison.
        for name in args.id.iter().chain(&args.columns).chain(&args.exclude).chain(&args.score) {
            if !sources.reference.has(name) {
                sources.current.require(&[name])?;
            }
        }
        Ok(sources)
    }

    /// The profiles of the reference and of the current table.
    pub(super) fn profiles(
        self,
        args: &DriftArgs,
        model: Option<&PropensityModel>,
        common: &Common,
    ) -> Result<[TableProfile; 2], CliError> {
        let columns = columns(&self.current, args, model)?;
        let read = |table: &ScoringTable, columns: &[String], cells| {
            table.profile(columns, model, cells, common.threads())
        };
        // The score of a model is one column more.
        let cells_of = |columns: usize| {
            TableProfile::cells_within(common.memory, columns + 1).map_err(ScoringError::from)
        };
        Ok(match self.reference {
            Reference::Table(table) => {
                let others = self::columns(&table, args, model)?;
                let cells = cells_of(columns.len().max(others.len()))?;
                [read(&table, &others, cells)?, read(&self.current, &columns, cells)?]
            }
            Reference::Sketch(sketch) => {
                let current = read(&self.current, &columns, cells_of(columns.len())?)?;
                [sketch.retain(|name| is_compared(name, args, model)), current]
            }
        })
    }
}

impl Reference {
    fn has(&self, column: &str) -> bool {
        match self {
            Self::Table(table) => table.has(column),
            Self::Sketch(sketch) => {
                sketch.missing(column).is_some()
                    || sketch.skipped().iter().any(|skipped| *skipped.column == *column)
            }
        }
    }
}

/// Whether a column that is no id is compared.
fn is_compared(name: &str, args: &DriftArgs, model: Option<&PropensityModel>) -> bool {
    let named = |names: &[String]| names.iter().any(|other| other == name);
    if args.score.as_deref() == Some(name) || model.is_some() && name == MODEL_SCORE {
        return true;
    }
    match model {
        _ if !args.columns.is_empty() => named(&args.columns),
        _ if named(&args.exclude) || named(&args.id) => false,
        Some(model) => model.trees().features().iter().any(|feature| **feature == *name),
        None => true,
    }
}

/// The columns of a table to compare. A feature of the model that it has not is one of them, and will be missed.
fn columns(
    table: &ScoringTable,
    args: &DriftArgs,
    model: Option<&PropensityModel>,
) -> Result<Vec<String>, CliError> {
    let ids: Vec<&String> = args.id.iter().filter(|id| table.has(id)).collect();
    let table = if args.id.is_empty() { table.clone() } else { table.clone().with_ids(&ids)? };
    let own = match model {
        Some(model) if args.columns.is_empty() => {
            model.trees().features().iter().map(ToString::to_string).collect()
        }
        _ => table.columns_without(&[]),
    };
    let mut columns: Vec<String> = own.into_iter().filter(|name| is_compared(name, args, model)).collect();
    let more = args.columns.iter().chain(&args.score).filter(|name| table.has(name));
    for name in more {
        if !columns.contains(name) {
            columns.push(name.clone());
        }
    }
    Ok(columns)
}

/// Reads a sketch; none where the file is something else.
fn read_sketch(path: &Path) -> Result<Option<TableProfile>, CliError> {
    let failed = |source| CliError::Io { action: "read", path: path.to_owned(), source };
    if !path.is_file() {
        return Ok(None);
    }
    let mut start = Vec::new();
    let magic = TableProfile::SKETCH_MAGIC;
    File::open(path).map_err(failed)?.take(magic.len() as u64).read_to_end(&mut start).map_err(failed)?;
    if start != magic {
        return Ok(None);
    }
    let file = BufReader::new(File::open(path).map_err(failed)?);
    let sketch = TableProfile::read_from(file);
    sketch.map(Some).map_err(|source| CliError::Sketch { path: path.to_owned(), source })
}

/// Writes the profile of the reference as a sketch.
pub(super) fn write_sketch(path: &Path, profile: &TableProfile) -> Result<(), CliError> {
    write_document(path, |file| profile.write_to(file).map_err(ScoringError::from)).map_err(CliError::from)
}
