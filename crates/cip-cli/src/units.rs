//! The rows of a table as the units of an experiment, within the memory that there is.

use std::path::Path;

use cip::abtest::{AbTestError, Clusters, Study, Unit};
use cip::arrow_array::cast::AsArray;
use cip::arrow_array::{Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use cip::core::{CoreError, IdColumn, IdDictionary, IdRef, MemoryBudget, TimeRange};
use cip::store::{TableColumn, TableSource};

use crate::args::{AbtestArgs, TestArg};
use crate::error::CliError;

/// What the rows of a table make.
pub(crate) struct Units {
    pub(crate) study: Study,
    /// Clusters with rows in several arms, which are left out; none without clusters.
    pub(crate) in_several_arms: Option<u64>,
    /// Rows exposed outside of the experiment's time; none where that is not asked for.
    pub(crate) outside: Option<u64>,
}

/// What the program and the decoding of a batch take.
const RESERVED: u64 = 24 << 20;
/// Bytes of an id that is remembered, at most, beside its text.
const ID_BYTES: u64 = 80;
/// Ranks are told of so many units without being asked for.
const RANKED: u64 = 1_000_000;

/// Reads the units of a table; `range` is the time of the experiment.
pub(crate) fn read(
    source: &TableSource,
    args: &AbtestArgs,
    range: TimeRange,
    memory: MemoryBudget,
) -> Result<Units, CliError> {
    let names = &columns(args);
    let columns: Vec<&str> = names.iter().map(|(_, name)| *name).collect();
    let mut reading = Reading::new(source, args, range, memory)?;
    for batch in source.batches(&columns)? {
        let batch = batch?;
        reading.add(&Batch::new(source, reading.rows, names, &batch)?)?;
        reading.rows += batch.num_rows() as u64;
    }
    reading.finish()
}

/// What a column is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Variant,
    Outcome,
    Denominator,
    Covariate,
    CovariateDenominator,
    Unit,
    Cluster,
    Segment,
    Stratum,
    Day,
    Exposed,
}

/// The columns that are asked for. One may be asked for twice: as the arm and as the segment, say.
fn columns(args: &AbtestArgs) -> Vec<(Role, &str)> {
    let all = [
        (Role::Variant, &args.variant),
        (Role::Outcome, &args.outcome),
        (Role::Denominator, &args.denominator),
        (Role::Covariate, &args.covariate),
        (Role::CovariateDenominator, &args.covariate_denominator),
        (Role::Unit, &args.unit),
        (Role::Cluster, &args.cluster),
        (Role::Segment, &args.segment),
        (Role::Stratum, &args.strata),
        (Role::Day, &args.day),
        (Role::Exposed, &args.exposed_at),
    ];
    all.into_iter().filter_map(|(role, name)| Some((role, name.as_deref()?))).collect()
}

/// A column of a batch, with its name for errors.
struct Column<'a, T> {
    name: &'a str,
    values: T,
}

/// Labels by their codes.
struct Labels {
    codes: Int32Array,
    texts: StringArray,
}

/// The columns of a batch by what they are read for.
struct Batch<'a> {
    path: &'a Path,
    rows_before: u64,
    rows: usize,
    variant: Option<Column<'a, Labels>>,
    segment: Option<Column<'a, Labels>>,
    stratum: Option<Column<'a, Labels>>,
    outcome: Option<Column<'a, Float64Array>>,
    denominator: Option<Column<'a, Float64Array>>,
    covariate: Option<Column<'a, Float64Array>>,
    covariate_denominator: Option<Column<'a, Float64Array>>,
    unit: Option<Column<'a, IdColumn>>,
    cluster: Option<Column<'a, IdColumn>>,
    day: Option<Column<'a, Vec<Option<i64>>>>,
    exposed: Option<Column<'a, Int64Array>>,
}

impl<'a> Batch<'a> {
    fn new(
        source: &'a TableSource,
        rows_before: u64,
        names: &[(Role, &'a str)],
        batch: &RecordBatch,
    ) -> Result<Self, CliError> {
        let mut read = Self::empty(source.path(), rows_before, batch.num_rows());
        for ((role, name), array) in names.iter().zip(batch.columns()) {
            let (column, name) = (TableColumn::new(source.path(), name, rows_before, array), *name);
            let labels = || {
                let labels = column.categories()?;
                let (codes, texts) = (labels.keys().clone(), labels.values().as_string::<i32>().clone());
                Ok::<_, CliError>(Some(Column { name, values: Labels { codes, texts } }))
            };
            let numbers = || Ok::<_, CliError>(Some(Column { name, values: column.numbers()? }));
            let ids = || Ok::<_, CliError>(Some(Column { name, values: column.ids()? }));
            match role {
                Role::Variant => read.variant = labels()?,
                Role::Segment => read.segment = labels()?,
                Role::Stratum => read.stratum = labels()?,
                Role::Outcome => read.outcome = numbers()?,
                Role::Denominator => read.denominator = numbers()?,
                Role::Covariate => read.covariate = numbers()?,
                Role::CovariateDenominator => read.covariate_denominator = numbers()?,
                Role::Unit => read.unit = ids()?,
                Role::Cluster => read.cluster = ids()?,
                Role::Day => read.day = Some(Column { name, values: column.days()? }),
                Role::Exposed => read.exposed = Some(Column { name, values: column.instants()? }),
            }
        }
        Ok(read)
    }

    const fn empty(path: &'a Path, rows_before: u64, rows: usize) -> Self {
        Self {
            path,
            rows_before,
            rows,
            variant: None,
            segment: None,
            stratum: None,
            outcome: None,
            denominator: None,
            covariate: None,
            covariate_denominator: None,
            unit: None,
            cluster: None,
            day: None,
            exposed: None,
        }
    }

    /// An error about a row, which is told as people count.
    fn refuse(&self, name: &str, row: usize, reason: impl Into<String>) -> CliError {
        CliError::Row {
            path: self.path.to_owned(),
            row: self.rows_before + row as u64 + 1,
            column: name.to_owned(),
            reason: reason.into(),
        }
    }

    /// What `read` finds in a column that is asked for, which must be there in every row.
    fn value<'b, C, T>(
        &self,
        column: &'b Option<Column<'a, C>>,
        row: usize,
        read: impl FnOnce(&'b C) -> Option<T>,
    ) -> Result<Option<T>, CliError> {
        let Some(column) = column else { return Ok(None) };
        match read(&column.values) {
            Some(value) => Ok(Some(value)),
            None => Err(self.refuse(
                column.name,
                row,
                "there is no value: drop such rows, or fill them with what they mean",
            )),
        }
    }

    fn label<'b>(
        &self,
        column: &'b Option<Column<'a, Labels>>,
        row: usize,
    ) -> Result<Option<&'b str>, CliError> {
        self.value(column, row, |labels| {
            let code = labels.codes.is_valid(row).then(|| labels.codes.value(row) as usize)?;
            labels.texts.is_valid(code).then(|| labels.texts.value(code))
        })
    }

    fn number(&self, column: &Option<Column<'a, Float64Array>>, row: usize) -> Result<Option<f64>, CliError> {
        let number = self.value(column, row, |numbers| numbers.is_valid(row).then(|| numbers.value(row)))?;
        match (number, column) {
            (Some(value), Some(column)) if !value.is_finite() => Err(self.refuse(
                column.name,
                row,
                format!("{value} is not a finite number: drop such rows, or fill them"),
            )),
            _ => Ok(number),
        }
    }

    fn exposed(&self, row: usize) -> Result<Option<i64>, CliError> {
        self.value(&self.exposed, row, |instants| instants.is_valid(row).then(|| instants.value(row)))
    }

    fn row(&self, row: usize) -> Result<Unit<'_>, CliError> {
        Ok(Unit {
            arm: self.label(&self.variant, row)?.unwrap_or_default(),
            outcome: self.number(&self.outcome, row)?.unwrap_or_default(),
            denominator: self.number(&self.denominator, row)?,
            covariate: self.number(&self.covariate, row)?,
            covariate_denominator: self.number(&self.covariate_denominator, row)?,
            segment: self.label(&self.segment, row)?,
            stratum: self.label(&self.stratum, row)?,
            day: self.value(&self.day, row, |days| days[row])?,
        })
    }
}

/// The rows so far.
struct Reading {
    study: Study,
    clusters: Option<Clusters>,
    /// The units that had their row, until they are too many to remember.
    units: Option<IdDictionary>,
    /// Whether units must have one row each.
    once: bool,
    /// Of ids that are texts.
    text_bytes: u64,
    rows: u64,
    range: TimeRange,
    outside: Option<u64>,
    memory: MemoryBudget,
}

impl Reading {
    fn new(
        source: &TableSource,
        args: &AbtestArgs,
        range: TimeRange,
        memory: MemoryBudget,
    ) -> Result<Self, CliError> {
        memory.require("reading a table", MemoryBudget::from_bytes(2 * RESERVED))?;
        let id_type = |name: &Option<String>| {
            let position = name.as_ref().and_then(|name| source.schema().index_of(name).ok());
            position.and_then(|position| TableColumn::id_type(source.schema().field(position).data_type()))
        };
        let units = id_type(&args.unit).map(|id_type| IdDictionary::new("unit", id_type));
        let study = Study::new().with_most_kept(most_kept(args, memory));
        Ok(Self {
            study,
            clusters: args.cluster.is_some().then(Clusters::new),
            units,
            once: args.unit.is_some(),
            text_bytes: 0,
            rows: 0,
            range,
            outside: args.exposed_at.is_some().then_some(0),
            memory,
        })
    }

    fn add(&mut self, batch: &Batch<'_>) -> Result<(), CliError> {
        for row in 0..batch.rows {
            let unit = batch.row(row)?;
            if let Some(instant) = batch.exposed(row)?
                && let Some(outside) = &mut self.outside
            {
                *outside += u64::from(!self.range.contains(instant));
            }
            if let Some(id) = batch.value(&batch.unit, row, |ids| ids.get(row))? {
                self.only_once(batch, row, id)?;
            }
            let Some(clusters) = &mut self.clusters else {
                self.study.push(unit)?;
                continue;
            };
            if let Some(id) = batch.value(&batch.cluster, row, |ids| ids.get(row))? {
                let before = clusters.len();
                clusters.push(id, unit).map_err(|error| match error {
                    AbTestError::SplitCluster { cluster, first, second, .. } => {
                        let name = batch.cluster.as_ref().map_or("", |column| column.name);
                        let reason = format!(
                            "{cluster} is in `{first}` and in `{second}`: take what was known before the experiment"
                        );
                        batch.refuse(name, row, reason)
                    }
                    error => error.into(),
                })?;
                if clusters.len() > before {
                    self.text_bytes += text_bytes(id);
                }
            }
        }
        self.check_memory(batch)
    }

    /// Refuses a unit that has a row before.
    fn only_once(&mut self, batch: &Batch<'_>, row: usize, id: IdRef<'_>) -> Result<(), CliError> {
        self.text_bytes += text_bytes(id);
        let Some(units) = &mut self.units else { return Ok(()) };
        let before = units.len();
        if units.code(id)? as usize == before {
            return Ok(());
        }
        let name = batch.unit.as_ref().map_or("", |column| column.name);
        Err(batch.refuse(
            name,
            row,
            format!(
                "{id} occurs before, expected one row a unit: aggregate the table by unit first, or name it with --cluster"
            ),
        ))
    }

    fn check_memory(&mut self, batch: &Batch<'_>) -> Result<(), CliError> {
        let rows = self.rows + batch.rows as u64;
        let (groups, rest) = (self.study.bytes(), self.memory.bytes() - RESERVED);
        if groups > rest / 2 {
            return Err(CliError::Groups {
                path: batch.path.to_owned(),
                rows,
                held: MemoryBudget::from_bytes(groups),
                budget: self.memory,
            });
        }
        // As each unit has a row of its own, the rows to come tell what all units would take.
        if self.units.is_some() && self.ids_of(rows) > rest / 2 {
            self.units = None;
        }
        if let Some(clusters) = &self.clusters {
            let held = clusters.len() as u64 * Clusters::BYTES + self.text_bytes;
            if held > rest / 2 {
                return Err(CliError::Groups {
                    path: batch.path.to_owned(),
                    rows,
                    held: MemoryBudget::from_bytes(held),
                    budget: self.memory,
                });
            }
        }
        Ok(())
    }

    /// Bytes of so many ids that are remembered.
    fn ids_of(&self, rows: u64) -> u64 {
        rows * ID_BYTES + self.text_bytes
    }

    fn finish(mut self) -> Result<Units, CliError> {
        if self.once && self.units.is_none() {
            let smallest = MemoryBudget::from_bytes(RESERVED + 2 * self.ids_of(self.rows));
            self.memory.require("to see that every unit has one row", smallest)?;
        }
        let in_several_arms =
            self.clusters.take().map(|clusters| clusters.finish(&mut self.study)).transpose()?;
        Ok(Units { study: self.study, in_several_arms, outside: self.outside })
    }
}

/// For how many units the outcomes may be kept: what is remembered of ids and what is kept of outcomes share what there is.
pub(crate) fn most_kept(args: &AbtestArgs, memory: MemoryBudget) -> u64 {
    let fits = memory.bytes().saturating_sub(RESERVED) / shares(args) / Study::BYTES_KEPT;
    if needs_outcomes(args) { fits } else { fits.min(RANKED) }
}

/// How many parts share what memory there is: outcomes that are kept, and ids where there are any.
fn shares(args: &AbtestArgs) -> u64 {
    if args.unit.is_some() || args.cluster.is_some() { 2 } else { 1 }
}

/// Whether something is asked for that takes every outcome.
fn needs_outcomes(args: &AbtestArgs) -> bool {
    let ranks = args.test == TestArg::MannWhitney;
    ranks || args.quantile.is_some() || args.bootstrap.is_some() || args.winsorise.is_some()
}

/// An error of the analysis, with the memory that would do where outcomes were too many.
pub(crate) fn refused(error: AbTestError, args: &AbtestArgs, memory: MemoryBudget) -> CliError {
    match error {
        AbTestError::NumbersNotKept { what, units, .. } => {
            let smallest = MemoryBudget::from_bytes(RESERVED + shares(args) * units * Study::BYTES_KEPT);
            CoreError::Memory { what, budget: memory, smallest }.into()
        }
        AbTestError::Level { .. }
        | AbTestError::Setting { .. }
        | AbTestError::NotOfThisMetric { .. }
        | AbTestError::UnplannedLook { .. } => CliError::Usage(error.to_string()),
        error => error.into(),
    }
}

fn text_bytes(id: IdRef<'_>) -> u64 {
    match id {
        IdRef::Int64(_) => 0,
        IdRef::Utf8(text) => text.len() as u64,
    }
}
