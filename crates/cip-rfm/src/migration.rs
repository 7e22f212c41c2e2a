//! Who moved from which segment to which, between two analyses of the same customers.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type};
use arrow_array::{Array, ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray};
use cip_core::{CoreError, Id, IdColumn, MoneyScale, SUM_PRECISION, check_sum, column, table};

use crate::error::RfmError;
use crate::segment::Segment;

const SEGMENT: &str = "segment";
const MONETARY: &str = "monetary";

/// The customers of one analysis: their ids, segments and money, sorted by user_id.
#[derive(Debug, Clone)]
pub struct SegmentedCustomers {
    ids: Vec<IdColumn>,
    /// Of each batch the position of every row's segment in `names`.
    segments: Vec<Vec<usize>>,
    monetary: Vec<Vec<i128>>,
    names: Vec<String>,
    money: Option<MoneyScale>,
}

impl SegmentedCustomers {
    /// The columns that are read of `rfm_segments`.
    pub const COLUMNS: [&'static str; 3] = [column::USER_ID, SEGMENT, MONETARY];

    /// Returns the customers of the batches of `rfm_segments`.
    ///
    /// # Input
    /// user_id Int64 or Utf8, ascending and each once; segment Dictionary(Int32, Utf8) or Utf8; monetary Decimal128. None
    /// of them is null.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`], [`CoreError::ColumnType`], [`CoreError::UnexpectedNulls`]; [`CoreError::NotSorted`] where a
    /// user does not come behind the one above.
    pub fn try_new(batches: impl IntoIterator<Item = RecordBatch>) -> Result<Self, RfmError> {
        let mut all = Self { ids: vec![], segments: vec![], monetary: vec![], names: vec![], money: None };
        let mut codes: BTreeMap<String, usize> = BTreeMap::new();
        let (mut rows, mut last): (u64, Option<Id>) = (0, None);
        for batch in batches {
            let column = |column: &'static str| {
                let array = batch.column_by_name(column).ok_or(CoreError::MissingColumn { column })?;
                match array.logical_null_count() {
                    0 => Ok(array),
                    nulls => Err(CoreError::UnexpectedNulls { column, nulls }),
                }
            };
            let ids = IdColumn::try_new(column::USER_ID, column(column::USER_ID)?)?;
            for row in 0..ids.len() {
                let ascends = match row.checked_sub(1) {
                    Some(above) => ids.compare(above, row) == Ordering::Less,
                    None => last.as_ref().map(Id::as_ref) < ids.get(row),
                };
                if !ascends {
                    return Err(CoreError::NotSorted { row: rows + row as u64 }.into());
                }
            }
            rows += ids.len() as u64;
            last = ids.len().checked_sub(1).and_then(|row| ids.get(row)).map(|id| id.to_owned()).or(last);
            let mut code = |name: &str| match codes.get(name) {
                Some(code) => *code,
                None => {
                    all.names.push(name.to_owned());
                    codes.insert(name.to_owned(), all.names.len() - 1);
                    all.names.len() - 1
                }
            };
            let segment = column(SEGMENT)?;
            let segments: Vec<usize> = if let Some(texts) = segment.as_string_opt::<i32>() {
                (0..texts.len()).map(|row| code(texts.value(row))).collect()
            } else if let Some(dictionary) = segment
                .as_dictionary_opt::<Int32Type>()
                .and_then(|dictionary| dictionary.downcast_dict::<StringArray>())
            {
                dictionary.into_iter().map(|name| code(name.unwrap_or_default())).collect()
            } else {
                return Err(wrong_type(SEGMENT, segment, "Dictionary(Int32, Utf8) or Utf8"));
            };
            let monetary = column(MONETARY)?;
            let units = monetary
                .as_primitive_opt::<Decimal128Type>()
                .ok_or_else(|| wrong_type(MONETARY, monetary, "Decimal128"))?;
            let money = MoneyScale::new(u8::try_from(units.scale()).unwrap_or(u8::MAX))?;
            if all.money.is_some_and(|known| known != money) {
                return Err(RfmError::PartsDiffer);
            }
            all.money = Some(money);
            all.monetary.push(units.values().to_vec());
            all.segments.push(segments);
            all.ids.push(ids);
        }
        Ok(all)
    }

    /// Every customer in the order of the ids: id, segment, money.
    fn iter(&self) -> impl Iterator<Item = (cip_core::IdRef<'_>, &str, i128)> {
        self.ids.iter().zip(&self.segments).zip(&self.monetary).flat_map(|((ids, segments), monetary)| {
            (0..ids.len())
                .filter_map(|row| Some((ids.get(row)?, self.names[segments[row]].as_str(), monetary[row])))
        })
    }
}

fn wrong_type(column: &str, array: &ArrayRef, expected: &'static str) -> RfmError {
    CoreError::ColumnType { column: column.to_owned(), found: array.data_type().clone(), expected }.into()
}

/// What moved between two analyses: a matrix of segments.
#[derive(Debug, Clone, PartialEq)]
pub struct Migration {
    moves: Vec<Move>,
    fallen: Vec<Fallen>,
    money: MoneyScale,
}

/// The customers who moved from one segment to another, or stayed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Move {
    /// The segment before; none of customers who were not there.
    pub from: Option<String>,
    /// The segment after; none of customers who are not there.
    pub to: Option<String>,
    /// Customers.
    pub customers: u64,
    /// Their share of those who were in `from`.
    pub share: f64,
    /// Their monetary before, in units of the scale of money.
    pub revenue_before: i128,
    /// Their monetary after.
    pub revenue_after: i128,
}

/// A customer who was a champion and is none.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Fallen {
    /// Who.
    pub user: Id,
    /// The segment after; none where the customer is not there.
    pub to: Option<String>,
    /// The monetary before, in units of the scale of money.
    pub monetary: i128,
}

impl Migration {
    /// Returns what moved from `before` to `after`.
    ///
    /// # Complexity
    /// Linear: the two are merged.
    ///
    /// # Errors
    /// [`RfmError::PartsDiffer`] where the ids are of other types or the money of another scale; [`CoreError::MoneyOverflow`].
    pub fn new(before: &SegmentedCustomers, after: &SegmentedCustomers) -> Result<Self, RfmError> {
        let ids = |of: &SegmentedCustomers| of.ids.first().map(IdColumn::id_type);
        let differ = matches!((ids(before), ids(after)), (Some(a), Some(b)) if a != b)
            || matches!((before.money, after.money), (Some(a), Some(b)) if a != b);
        if differ {
            return Err(RfmError::PartsDiffer);
        }
        let money = match before.money.or(after.money) {
            Some(money) => money,
            None => MoneyScale::new(0)?,
        };
        let mut moves: BTreeMap<(Rank, Rank), (u64, i128, i128)> = BTreeMap::new();
        let mut fallen = Vec::new();
        let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
        loop {
            let side = match (old.peek(), new.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => old.0.cmp(&new.0),
            };
            let was = if side == Ordering::Greater { None } else { old.next() };
            let is = if side == Ordering::Less { None } else { new.next() };
            let (from, to) = (was.map(|was| was.1), is.map(|is| is.1));
            let (customers, revenue_before, revenue_after) =
                moves.entry((Rank::of(from), Rank::of(to))).or_default();
            *customers += 1;
            *revenue_before = add(*revenue_before, was.map_or(0, |was| was.2))?;
            *revenue_after = add(*revenue_after, is.map_or(0, |is| is.2))?;
            let champions = Segment::Champions.name();
            if let Some((user, _, monetary)) = was.filter(|was| was.1 == champions)
                && to != Some(champions)
            {
                fallen.push(Fallen { user: user.to_owned(), to: to.map(str::to_owned), monetary });
            }
        }
        fallen.sort_by(|a, b| b.monetary.cmp(&a.monetary).then_with(|| a.user.cmp(&b.user)));
        let mut sizes: BTreeMap<Rank, u64> = BTreeMap::new();
        for ((from, _), (customers, ..)) in &moves {
            *sizes.entry(from.clone()).or_default() += customers;
        }
        let moves = moves.into_iter().map(|((from, to), (customers, revenue_before, revenue_after))| Move {
            share: customers as f64 / sizes[&from] as f64,
            from: from.name,
            to: to.name,
            customers,
            revenue_before,
            revenue_after,
        });
        Ok(Self { moves: moves.collect(), fallen, money })
    }

    /// The moves that somebody made, by segment before and after: in the order of [`Segment::ALL`], then other names, then those
    /// who were or are not there.
    pub fn moves(&self) -> &[Move] {
        &self.moves
    }

    /// The champions of before who are none after, those of the greatest monetary first.
    pub fn fallen(&self) -> &[Fallen] {
        &self.fallen
    }

    /// The decimals of money.
    pub fn money_scale(&self) -> MoneyScale {
        self.money
    }

    /// Returns `segment_migration`, as [`table::segment_migration`] describes it.
    ///
    /// # Errors
    /// [`CoreError::Arrow`].
    pub fn record_batch(&self) -> Result<RecordBatch, RfmError> {
        let names = |of: fn(&Move) -> Option<&str>| -> ArrayRef {
            Arc::new(self.moves.iter().map(of).collect::<StringArray>())
        };
        let scale = self.money.decimals().cast_signed();
        let money = |of: fn(&Move) -> i128| {
            Decimal128Array::from_iter_values(self.moves.iter().map(of))
                .with_precision_and_scale(SUM_PRECISION, scale)
        };
        let assemble = || {
            let customers = self.moves.iter().map(|of| of.customers.cast_signed());
            let columns = vec![
                names(|of| of.from.as_deref()),
                names(|of| of.to.as_deref()),
                Arc::new(Int64Array::from_iter_values(customers)),
                Arc::new(Float64Array::from_iter_values(self.moves.iter().map(|of| of.share))),
                Arc::new(money(|of| of.revenue_before)?),
                Arc::new(money(|of| of.revenue_after)?),
            ];
            RecordBatch::try_new(table::segment_migration(self.money), columns)
        };
        Ok(assemble().map_err(CoreError::from)?)
    }
}

/// A segment in the order of tables.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    at: usize,
    name: Option<String>,
}

impl Rank {
    fn of(name: Option<&str>) -> Self {
        let known = Segment::ALL.len();
        let at = name.map_or(known + 1, |name| {
            Segment::ALL.iter().position(|segment| segment.name() == name).unwrap_or(known)
        });
        Self { at, name: name.map(str::to_owned) }
    }
}

fn add(a: i128, b: i128) -> Result<i128, CoreError> {
    check_sum(MONETARY, a.checked_add(b))
}
