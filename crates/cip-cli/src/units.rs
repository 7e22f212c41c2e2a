//! The rows of a table as the units of an experiment, within the memory that there is.

use cip::abtest::{AbTestError, Clusters, Study, Unit};
use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::Int32Type;
use cip::arrow_array::{Array, DictionaryArray, Float64Array, Int64Array, RecordBatch};
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

/// A column as its values.
enum Values {
    Labels(DictionaryArray<Int32Type>),
    Numbers(Float64Array),
    Ids(IdColumn),
    Days(Vec<Option<i64>>),
    Instants(Int64Array),
}

/// The columns of a batch by what they are read for.
struct Batch<'a> {
    source: &'a TableSource,
    rows_before: u64,
    rows: usize,
    columns: Vec<(Role, &'a str, Values)>,
}

impl<'a> Batch<'a> {
    fn new(
        source: &'a TableSource,
        rows_before: u64,
        names: &[(Role, &'a str)],
        batch: &RecordBatch,
    ) -> Result<Self, CliError> {
        let mut columns = Vec::with_capacity(names.len());
        for ((role, name), array) in names.iter().zip(batch.columns()) {
            let column = TableColumn::new(source.path(), name, rows_before, array);
            let values = match role {
                Role::Variant | Role::Segment | Role::Stratum => Values::Labels(column.categories()?),
                Role::Unit | Role::Cluster => Values::Ids(column.ids()?),
                Role::Day => Values::Days(column.days()?),
                Role::Exposed => Values::Instants(column.instants()?),
                Role::Outcome | Role::Denominator | Role::Covariate | Role::CovariateDenominator => {
                    Values::Numbers(column.numbers()?)
                }
            };
            columns.push((*role, *name, values));
        }
        Ok(Self { source, rows_before, rows: batch.num_rows(), columns })
    }

    fn column(&self, role: Role) -> Option<(&'a str, &Values)> {
        let (_, name, values) = self.columns.iter().find(|(of, ..)| *of == role)?;
        Some((name, values))
    }

    /// An error about a row, which is told as people count.
    fn refuse(&self, name: &str, row: usize, reason: impl Into<String>) -> CliError {
        CliError::Row {
            path: self.source.path().to_owned(),
            row: self.rows_before + row as u64 + 1,
            column: name.to_owned(),
            reason: reason.into(),
        }
    }

    /// What `read` finds in a column that is asked for, which must be there in every row.
    fn value<'b, T>(
        &'b self,
        role: Role,
        row: usize,
        read: impl FnOnce(&'b Values) -> Option<T>,
    ) -> Result<Option<T>, CliError> {
        let Some((name, values)) = self.column(role) else { return Ok(None) };
        match read(values) {
            Some(value) => Ok(Some(value)),
            None => Err(self.refuse(
                name,
                row,
                "there is no value: drop such rows, or fill them with what they mean",
            )),
        }
    }

    fn label(&self, role: Role, row: usize) -> Result<Option<&str>, CliError> {
        self.value(role, row, |values| match values {
            Values::Labels(labels) => {
                let texts = labels.values().as_string::<i32>();
                let code = labels.is_valid(row).then(|| labels.keys().value(row) as usize)?;
                texts.is_valid(code).then(|| texts.value(code))
            }
            _ => None,
        })
    }

    fn number(&self, role: Role, row: usize) -> Result<Option<f64>, CliError> {
        let number = self.value(role, row, |values| match values {
            Values::Numbers(numbers) => numbers.is_valid(row).then(|| numbers.value(row)),
            _ => None,
        })?;
        match (number, self.column(role)) {
            (Some(value), Some((name, _))) if !value.is_finite() => Err(self.refuse(
                name,
                row,
                format!("{value} is not a finite number: drop such rows, or fill them"),
            )),
            _ => Ok(number),
        }
    }

    fn id(&self, role: Role, row: usize) -> Result<Option<IdRef<'_>>, CliError> {
        self.value(role, row, |values| match values {
            Values::Ids(ids) => ids.get(row),
            _ => None,
        })
    }

    fn day(&self, row: usize) -> Result<Option<i64>, CliError> {
        self.value(Role::Day, row, |values| match values {
            Values::Days(days) => days[row],
            _ => None,
        })
    }

    fn exposed(&self, row: usize) -> Result<Option<i64>, CliError> {
        self.value(Role::Exposed, row, |values| match values {
            Values::Instants(instants) => instants.is_valid(row).then(|| instants.value(row)),
            _ => None,
        })
    }

    fn unit(&self, row: usize) -> Result<Unit<'_>, CliError> {
        Ok(Unit {
            arm: self.label(Role::Variant, row)?.unwrap_or_default(),
            outcome: self.number(Role::Outcome, row)?.unwrap_or_default(),
            denominator: self.number(Role::Denominator, row)?,
            covariate: self.number(Role::Covariate, row)?,
            covariate_denominator: self.number(Role::CovariateDenominator, row)?,
            segment: self.label(Role::Segment, row)?,
            stratum: self.label(Role::Stratum, row)?,
            day: self.day(row)?,
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
            let unit = batch.unit(row)?;
            if let Some(instant) = batch.exposed(row)?
                && let Some(outside) = &mut self.outside
            {
                *outside += u64::from(!self.range.contains(instant));
            }
            if let Some(id) = batch.id(Role::Unit, row)? {
                self.only_once(batch, row, id)?;
            }
            let added = match (&mut self.clusters, batch.id(Role::Cluster, row)?) {
                (Some(clusters), Some(id)) => {
                    let before = clusters.len();
                    let added = clusters.push(id, unit);
                    if clusters.len() > before {
                        self.text_bytes += text_bytes(id);
                    }
                    added
                }
                _ => self.study.push(unit),
            };
            // Rows are told as people count them.
            added.map_err(|error| match error {
                AbTestError::SplitCluster { cluster, first, second, .. } => batch.refuse(
                    batch.column(Role::Cluster).map_or("", |(name, _)| name),
                    row,
                    format!("{cluster} is in `{first}` and in `{second}`: take what was known before the experiment"),
                ),
                error => error.into(),
            })?;
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
        let name = batch.column(Role::Unit).map_or("", |(name, _)| name);
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
                path: batch.source.path().to_owned(),
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
                    path: batch.source.path().to_owned(),
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
