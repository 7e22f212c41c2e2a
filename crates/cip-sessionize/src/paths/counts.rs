//! How often each path was taken.

use std::collections::{BTreeSet, HashMap};

use arrow_array::{Array, StringArray};

use crate::error::SessionizeError;
use crate::paths::definition::{PathScope, Paths};

/// How many sessions and users take each path, and how many of them buy.
///
/// All different paths are kept and every count is exact. Event types are kept as codes: a path is as many small numbers as it
/// has steps.
#[derive(Debug, Clone)]
pub struct PathCounts {
    paths: Paths,
    /// The name of each code, in the order in which they came.
    names: Vec<Box<str>>,
    codes: HashMap<Box<str>, u32>,
    /// Where the counts of a path are. Never read in its own order.
    places: HashMap<Box<[u32]>, usize>,
    counts: Vec<Count>,
    users: u64,
    sessions: u64,
    with_path: u64,
    skipped: u64,
}

/// What is counted of a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) sessions: u64,
    pub(crate) users: u64,
    pub(crate) conversions: u64,
    /// The number of the user who was counted last, from 1.
    last_user: u64,
}

impl PathCounts {
    pub(crate) fn new(paths: &Paths) -> Self {
        Self {
            paths: paths.clone(),
            names: Vec::new(),
            codes: HashMap::new(),
            places: HashMap::new(),
            counts: Vec::new(),
            users: 0,
            sessions: 0,
            with_path: 0,
            skipped: 0,
        }
    }

    /// The definition of the paths.
    pub const fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Users with an event.
    pub const fn users(&self) -> u64 {
        self.users
    }

    /// Sessions of all users.
    pub const fn sessions(&self) -> u64 {
        self.sessions
    }

    /// Sessions that have a path, or with [`PathScope::User`] users: all of them without a target, and with one those that have
    /// an event of its type.
    pub const fn with_path(&self) -> u64 {
        self.with_path
    }

    /// Different paths.
    pub fn different(&self) -> usize {
        self.counts.len()
    }

    /// Events without a user, which are in no path.
    pub const fn skipped_events(&self) -> u64 {
        self.skipped
    }

    /// The types of all events, sorted by their UTF-8 bytes.
    pub fn event_types(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref).collect::<BTreeSet<&str>>().into_iter()
    }

    /// Adds the counts of other users.
    ///
    /// # Errors
    /// [`SessionizeError::OtherPaths`] where they are of other paths; [`SessionizeError::TooManyPaths`]. The counts are
    /// then of no use.
    pub fn merge(&mut self, other: &Self) -> Result<(), SessionizeError> {
        if self.paths != other.paths {
            return Err(SessionizeError::OtherPaths);
        }
        let codes: Vec<u32> = other.names.iter().map(|name| self.code(name)).collect();
        let mut path = Vec::with_capacity(self.paths.max_steps());
        for (steps, more) in other.iter() {
            path.clear();
            path.extend(steps.iter().map(|&code| codes[code as usize]));
            let count = self.count_of(&path)?;
            count.sessions += more.sessions;
            count.users += more.users;
            count.conversions += more.conversions;
        }
        self.users += other.users;
        self.sessions += other.sessions;
        self.with_path += other.with_path;
        self.skipped += other.skipped;
        Ok(())
    }

    /// The paths as codes, in no order, each with its counts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u32], Count)> {
        self.places.iter().map(|(steps, &place)| (&**steps, self.counts[place]))
    }

    /// The name of a code.
    pub(crate) fn name(&self, code: u32) -> &str {
        &self.names[code as usize]
    }

    /// How many codes there are.
    pub(crate) fn codes(&self) -> usize {
        self.names.len()
    }

    /// The code of the target, where there is one that occurs.
    pub(crate) fn target(&self) -> Option<u32> {
        self.codes.get(self.paths.target()?).copied()
    }

    /// Fills `codes` with what each code of a dictionary that occurs in `keys` is here.
    pub(crate) fn intern(&mut self, names: &StringArray, keys: &[i32], codes: &mut Vec<u32>) {
        const UNKNOWN: u32 = u32::MAX;
        codes.clear();
        codes.resize(names.len(), UNKNOWN);
        for &key in keys {
            let code = &mut codes[key as usize];
            if *code == UNKNOWN {
                *code = self.code(names.value(key as usize));
            }
        }
    }

    pub(crate) fn skip(&mut self, events: usize) {
        self.skipped += events as u64;
    }

    /// Counts a user; the paths that are added next are those of this user.
    pub(crate) fn add_user(&mut self) {
        self.users += 1;
    }

    /// Counts a session, or a user with so many, and their path where they have one.
    pub(crate) fn add(
        &mut self,
        path: Option<&[u32]>,
        sessions: u64,
        converts: bool,
    ) -> Result<(), SessionizeError> {
        self.sessions += sessions;
        let Some(path) = path else { return Ok(()) };
        self.with_path += 1;
        let user = self.users;
        let count = self.count_of(path)?;
        count.sessions += sessions;
        count.users += u64::from(count.last_user != user);
        count.conversions += u64::from(converts);
        count.last_user = user;
        Ok(())
    }

    /// The count of a path, which is new where it has not been taken before.
    fn count_of(&mut self, path: &[u32]) -> Result<&mut Count, SessionizeError> {
        let place = match self.places.get(path) {
            Some(&place) => place,
            None => {
                let (limit, steps) = (self.paths.max_paths().get(), self.paths.max_steps());
                if self.counts.len() == limit {
                    return Err(SessionizeError::TooManyPaths { limit, steps });
                }
                self.counts.push(Count::default());
                self.places.insert(path.into(), self.counts.len() - 1);
                self.counts.len() - 1
            }
        };
        Ok(&mut self.counts[place])
    }

    fn code(&mut self, name: &str) -> u32 {
        if let Some(&code) = self.codes.get(name) {
            return code;
        }
        let code = self.names.len() as u32;
        self.names.push(name.into());
        self.codes.insert(name.into(), code);
        code
    }
}

impl Count {
    /// How often the path was taken.
    pub(crate) const fn of(&self, scope: PathScope) -> u64 {
        match scope {
            PathScope::Session => self.sessions,
            PathScope::User => self.users,
        }
    }
}
