//! Aliases: ids under which users are known as well, such as the cookie of an account.

use std::collections::HashMap;
use std::path::Path;

use arrow_array::RecordBatch;
use cip_core::{CoreError, Id, IdBuilder, IdColumn, IdRef, IdType, MemoryBudget, column, table};

use crate::commit::StoreWriter;
use crate::error::StoreError;
use crate::manifest::DataFile;
use crate::store::EventStore;
use crate::table_column::TableColumn;
use crate::table_source::TableSource;

/// Which ids are aliases, and of whom.
///
/// An alias has one user, who may be an alias in turn: `a` of `b` and `b` of `c` makes `c` the user of both. No id is its own
/// user, however long the way.
///
/// # Examples
/// ```
/// use cip_core::{Id, IdRef, IdType};
/// use cip_store::AliasTable;
///
/// let id = |text: &str| Id::Utf8(text.into());
/// let aliases = AliasTable::new(IdType::Utf8, [(id("cookie-1"), id("ann")), (id("cookie-0"), id("cookie-1"))])?;
/// assert_eq!(aliases.user(IdRef::Utf8("cookie-0")), Some(IdRef::Utf8("ann")));
/// assert_eq!(aliases.user(IdRef::Utf8("ann")), None);
/// assert!(aliases.with(&AliasTable::new(IdType::Utf8, [(id("ann"), id("cookie-0"))])?).is_err());
/// # Ok::<(), cip_store::StoreError>(())
/// ```
#[derive(Debug, Clone)]
pub struct AliasTable {
    id_type: IdType,
    /// Each alias and the user that it was given, ascending by alias.
    pairs: Vec<(Id, Id)>,
    /// Of each pair the one whose user is nobody's alias.
    ends: Vec<u32>,
    places: Places,
}

/// Pairs are numbered in 32 bits, of which two numbers say other things.
const MOST_ALIASES: usize = (u32::MAX - 1) as usize;

/// Where the pair of an alias stands.
#[derive(Debug, Clone)]
enum Places {
    Int64(HashMap<i64, u32>),
    Utf8(HashMap<Box<str>, u32>),
}

impl PartialEq for AliasTable {
    fn eq(&self, other: &Self) -> bool {
        (self.id_type, &self.pairs) == (other.id_type, &other.pairs)
    }
}

impl Places {
    fn of(id_type: IdType, pairs: &[(Id, Id)]) -> Self {
        let places = (0u32..).zip(pairs);
        match id_type {
            IdType::Int64 => Self::Int64(
                places
                    .filter_map(|(place, (alias, _))| match alias {
                        Id::Int64(alias) => Some((*alias, place)),
                        Id::Utf8(_) => None,
                    })
                    .collect(),
            ),
            IdType::Utf8 => Self::Utf8(
                places
                    .filter_map(|(place, (alias, _))| match alias {
                        Id::Utf8(alias) => Some((alias.clone(), place)),
                        Id::Int64(_) => None,
                    })
                    .collect(),
            ),
        }
    }

    fn get(&self, id: IdRef<'_>) -> Option<usize> {
        let place = match (self, id) {
            (Self::Int64(places), IdRef::Int64(id)) => places.get(&id),
            (Self::Utf8(places), IdRef::Utf8(id)) => places.get(id),
            _ => None,
        };
        place.map(|&place| place as usize)
    }
}

impl AliasTable {
    /// Returns the table of these aliases, each with its user. The same pair may stand there several times.
    ///
    /// # Errors
    /// [`StoreError::AliasType`] for an id of another type, [`StoreError::AliasOfTwo`] for an alias of two users,
    /// [`StoreError::AliasCycle`] where an id would be its own user.
    pub fn new(id_type: IdType, pairs: impl IntoIterator<Item = (Id, Id)>) -> Result<Self, StoreError> {
        let mut pairs: Vec<(Id, Id)> = pairs.into_iter().collect();
        let is_of_type = |id: &Id| match id {
            Id::Int64(_) => id_type == IdType::Int64,
            Id::Utf8(_) => id_type == IdType::Utf8,
        };
        if let Some((alias, user)) =
            pairs.iter().find(|(alias, user)| !is_of_type(alias) || !is_of_type(user))
        {
            let id = if is_of_type(alias) { user } else { alias };
            return Err(StoreError::AliasType { id: id.to_string(), expected: id_type.data_type() });
        }
        pairs.sort_unstable();
        pairs.dedup();
        if let Some(two) = pairs.windows(2).find(|two| two[0].0 == two[1].0) {
            let [alias, one, other] = [&two[0].0, &two[0].1, &two[1].1].map(Id::to_string);
            return Err(StoreError::AliasOfTwo { alias, users: [one, other] });
        }
        if pairs.len() > MOST_ALIASES {
            return Err(CoreError::TooManyCodes { column: column::ALIAS, limit: MOST_ALIASES as u64 }.into());
        }
        let places = Places::of(id_type, &pairs);
        let ends = ends(&pairs, &places)?;
        Ok(Self { id_type, pairs, ends, places })
    }

    /// Reads the columns `alias` and `user_id` of a table (Parquet, Arrow or CSV), whose ids become those of `id_type`: integers are
    /// texts by their digits, and texts integers where they are written as one.
    ///
    /// # Errors
    /// As [`AliasTable::new`] and [`TableSource::open`]; [`StoreError::AliasMissing`] where one of the two is empty.
    pub fn read(path: &Path, id_type: IdType) -> Result<Self, StoreError> {
        let source = TableSource::open(path)?;
        let (mut pairs, mut rows) = (Vec::new(), 0);
        for batch in source.batches(&[column::ALIAS, column::USER_ID])? {
            let batch = batch?;
            let ids = |place: usize, name| TableColumn::new(path, name, rows, batch.column(place)).ids();
            let (aliases, users) = (ids(0, column::ALIAS)?, ids(1, column::USER_ID)?);
            for row in 0..batch.num_rows() {
                let (Some(alias), Some(user)) = (aliases.get(row), users.get(row)) else {
                    return Err(StoreError::AliasMissing {
                        path: path.to_owned(),
                        row: rows + row as u64 + 1,
                    });
                };
                pairs.push((typed(alias, id_type)?, typed(user, id_type)?));
            }
            rows += batch.num_rows() as u64;
        }
        Self::new(id_type, pairs)
    }

    /// Returns the aliases of both tables.
    ///
    /// # Errors
    /// As [`AliasTable::new`].
    pub fn with(&self, other: &Self) -> Result<Self, StoreError> {
        Self::new(self.id_type, self.pairs.iter().chain(&other.pairs).cloned())
    }

    /// The type of its ids.
    pub fn id_type(&self) -> IdType {
        self.id_type
    }

    /// How many aliases there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Each alias with the user that it was given, ascending.
    pub fn pairs(&self) -> &[(Id, Id)] {
        &self.pairs
    }

    /// Returns whose alias an id is in the end; none where it is nobody's.
    pub fn user(&self, id: IdRef<'_>) -> Option<IdRef<'_>> {
        Some(self.pairs[self.ends[self.places.get(id)?] as usize].1.as_ref())
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> MemoryBudget {
        /// A pair, its end, and its place in a table, without texts.
        const BYTES_A_PAIR: usize = 96;
        let length = |id: &Id| match id {
            Id::Int64(_) => 0,
            Id::Utf8(text) => text.len(),
        };
        let texts: usize = self.pairs.iter().map(|(alias, user)| 2 * length(alias) + length(user)).sum();
        MemoryBudget::from_bytes((self.pairs.len() * BYTES_A_PAIR + texts) as u64)
    }

    /// Returns the table `aliases` ([`cip_core::table::aliases`]).
    ///
    /// # Errors
    /// [`StoreError::Arrow`].
    pub fn record_batch(&self) -> Result<RecordBatch, StoreError> {
        let (mut aliases, mut users) = (IdBuilder::new(self.id_type), IdBuilder::new(self.id_type));
        for (alias, user) in &self.pairs {
            aliases.append(Some(alias.as_ref()))?;
            users.append(Some(user.as_ref()))?;
        }
        Ok(RecordBatch::try_new(table::aliases(self.id_type), vec![aliases.finish(), users.finish()])?)
    }

    /// Writes the table as one of a commit's, with which the store knows these aliases and no others.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn write(&self, writer: &StoreWriter) -> Result<DataFile, StoreError> {
        let batch = self.record_batch()?;
        let mut table = writer.side_table("aliases", &batch.schema())?;
        table.write(batch)?;
        table.finish()
    }
}

/// Returns for each pair the one whose user is nobody's alias.
fn ends(pairs: &[(Id, Id)], places: &Places) -> Result<Vec<u32>, StoreError> {
    /// A pair that was not looked at, and one on the way that is being followed.
    const UNKNOWN: u32 = u32::MAX;
    const ON_THE_WAY: u32 = u32::MAX - 1;
    let mut ends = vec![UNKNOWN; pairs.len()];
    let mut way = Vec::new();
    for first in 0..pairs.len() {
        let mut at = first;
        let end = loop {
            match ends[at] {
                UNKNOWN => ends[at] = ON_THE_WAY,
                ON_THE_WAY => {
                    let cycle = way.iter().skip_while(|&&place| place != at).chain([&at]);
                    let ids: Vec<String> = cycle.map(|&place| pairs[place].0.to_string()).collect();
                    return Err(StoreError::AliasCycle { ids: shortened(&ids) });
                }
                end => break end,
            }
            way.push(at);
            match places.get(pairs[at].1.as_ref()) {
                Some(next) => at = next,
                None => break at as u32,
            }
        };
        way.drain(..).for_each(|place| ends[place] = end);
    }
    Ok(ends)
}

/// The ids of a cycle, some of many.
fn shortened(ids: &[String]) -> String {
    const SHOWN: usize = 8;
    match ids {
        [first, .., last] if ids.len() > SHOWN => {
            format!("`{first}` -> … ({} more) -> `{last}`", ids.len() - 2)
        }
        ids => ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(" -> "),
    }
}

/// An id of a table as one of a type.
fn typed(id: IdRef<'_>, id_type: IdType) -> Result<Id, StoreError> {
    match (id, id_type) {
        (IdRef::Int64(id), IdType::Utf8) => Ok(Id::Utf8(id.to_string().into())),
        (IdRef::Utf8(text), IdType::Int64) => text
            .parse()
            .map(Id::Int64)
            .map_err(|_| StoreError::AliasType { id: text.to_owned(), expected: id_type.data_type() }),
        (id, _) => Ok(id.to_owned()),
    }
}

impl EventStore {
    /// Returns the aliases that the store knows; none where it was never given any.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Parquet`], and as [`AliasTable::new`].
    pub fn aliases(&self) -> Result<Option<AliasTable>, StoreError> {
        let Some(table) = self.last_aliases()? else { return Ok(None) };
        let id_type = self.schema().user_type()?;
        let mut pairs = Vec::new();
        for batch in table {
            let batch = batch?;
            let ids = |name: &'static str| {
                let ids = batch.column_by_name(name).ok_or(CoreError::MissingColumn { column: name })?;
                IdColumn::try_new(name, ids)
            };
            let (aliases, users) = (ids(column::ALIAS)?, ids(column::USER_ID)?);
            for row in 0..batch.num_rows() {
                if let (Some(alias), Some(user)) = (aliases.get(row), users.get(row)) {
                    pairs.push((alias.to_owned(), user.to_owned()));
                }
            }
        }
        AliasTable::new(id_type, pairs).map(Some)
    }
}
