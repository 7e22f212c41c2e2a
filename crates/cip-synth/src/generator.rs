//! Choosing a world and writing it: the crate's front door.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use cip_abtest::Experiment;

use crate::error::SynthError;
use crate::retail::Retail;
use crate::shop::Shop;
use crate::simulation::{Block, Simulation, run};
use crate::streamflow::Streamflow;
use crate::treatment::Treatment;

/// The most rows that can be asked for: about a hundred times the data that the shop is modelled on.
pub const MAX_EVENTS: u64 = 10_000_000_000;

/// What is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum World {
    /// A shop's clickstream in October and November 2019, in the form of REES46's monthly files.
    Shop,
    /// A wholesaler's invoices from December 2010 to December 2011, in the form of UCI Online Retail, a file a
    /// day.
    Retail,
    /// A video subscription's events in the first half of 2024, in one file.
    Streamflow,
}

impl World {
    /// All worlds.
    pub const ALL: [Self; 3] = [Self::Shop, Self::Retail, Self::Streamflow];

    /// The world's name: `shop`, `retail` or `streamflow`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Retail => "retail",
            Self::Streamflow => "streamflow",
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for World {
    type Err = SynthError;

    fn from_str(name: &str) -> Result<Self, SynthError> {
        let found = Self::ALL.into_iter().find(|world| world.name() == name);
        found.ok_or_else(|| SynthError::UnknownWorld { name: name.to_owned() })
    }
}

/// A world, its size and its seed: the same three give the same bytes, on any number of threads.
///
/// Memory is bounded: about 8 MB a thread, 12 bytes a product, and 24 bytes a row of the sessions under way;
/// nothing is kept of a user. The retail world holds its days whole: eight of them a thread, at about 150 bytes
/// a row.
///
/// # Examples
/// ```
/// use cip_synth::{Generator, World};
///
/// let mut csv = Vec::new();
/// let rows = Generator::new(World::Shop, 1_000, 42).stream_to(&mut csv, &mut |_| {})?;
/// assert_eq!(rows, 1_000);
/// assert!(csv.starts_with(b"event_time,event_type,product_id,category_id,category_code,brand,price,"));
/// # Ok::<(), cip_synth::SynthError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Generator {
    world: World,
    events: u64,
    seed: u64,
    experiment: Option<Experiment>,
    threads: NonZeroUsize,
}

impl Generator {
    /// Returns a generator of exactly `events` rows of `world`, on as many threads as the machine runs at once.
    pub fn new(world: World, events: u64, seed: u64) -> Self {
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { world, events, seed, experiment: None, threads }
    }

    /// Lets an experiment take effect on the shop: its [`Effect`](cip_abtest::Effect) befalls all arms but the
    /// control. All rows stay the same but for the types of the turned events.
    #[must_use]
    pub fn with_experiment(mut self, experiment: Experiment) -> Self {
        self.experiment = Some(experiment);
        self
    }

    /// Uses `threads` threads for making rows and as many for writing them into text; the bytes do not depend
    /// on it.
    #[must_use]
    pub const fn with_threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = threads;
        self
    }

    /// Writes the world's files into `folder`, which must exist and be empty, and reports them in the order of
    /// time.
    ///
    /// A file that would have no rows is not written. `progress` is given the rows written so far, now and
    /// then. After an error the folder holds what had been written: stage it, and rename it when this returns.
    ///
    /// # Errors
    /// [`SynthError::Events`] for 0 events or more than [`MAX_EVENTS`], [`SynthError::ExperimentWorld`] for an
    /// experiment outside the shop, [`SynthError::NoEffect`] and [`SynthError::EffectEvent`] for one that has no
    /// effect on the shop's events, [`SynthError::FolderNotEmpty`], and [`SynthError::Io`] with the file's
    /// path.
    pub fn write_to(
        &self,
        folder: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<GenerateReport, SynthError> {
        self.check()?;
        let fault = |source| SynthError::Io { path: folder.to_owned(), source };
        if std::fs::read_dir(folder).map_err(fault)?.next().is_some() {
            return Err(SynthError::FolderNotEmpty { path: folder.to_owned() });
        }
        let mut sink = Folder { folder, open: None, files: Vec::new() };
        self.drive(&mut sink, progress)?;
        let files = sink.files;
        let (rows, bytes) = files.iter().fold((0, 0), |(r, b), file| (r + file.rows, b + file.bytes));
        Ok(GenerateReport { world: self.world, seed: self.seed, files, rows, bytes })
    }

    /// Writes the whole world as one CSV with one header line, and returns its rows.
    ///
    /// # Errors
    /// As [`Generator::write_to`], with [`SynthError::Stream`] where `out` fails.
    pub fn stream_to(&self, out: &mut dyn Write, progress: &mut dyn FnMut(u64)) -> Result<u64, SynthError> {
        self.check()?;
        let mut sink = Stream { out, begun: false };
        let rows = self.drive(&mut sink, progress)?;
        sink.out.flush().map_err(SynthError::Stream)?;
        Ok(rows)
    }

    fn check(&self) -> Result<(), SynthError> {
        if !(1..=MAX_EVENTS).contains(&self.events) {
            return Err(SynthError::Events { events: self.events, most: MAX_EVENTS });
        }
        if self.experiment.is_some() && self.world != World::Shop {
            return Err(SynthError::ExperimentWorld { world: self.world });
        }
        self.treatment().map(|_| ())
    }

    fn treatment(&self) -> Result<Option<Treatment<'_>>, SynthError> {
        self.experiment.as_ref().map(Treatment::new).transpose()
    }

    fn drive(&self, sink: &mut dyn Sink, progress: &mut dyn FnMut(u64)) -> Result<u64, SynthError> {
        let Self { events, seed, .. } = *self;
        let rows = match self.world {
            World::Shop => self.pour(&Shop::new(events, seed, self.treatment()?), sink, progress),
            World::Retail => self.pour(&Retail::new(events, seed), sink, progress),
            World::Streamflow => self.pour(&Streamflow::new(events, seed), sink, progress),
        }?;
        if rows == events { Ok(rows) } else { Err(SynthError::Incomplete { rows, events }) }
    }

    fn pour<S: Simulation>(
        &self,
        world: &S,
        sink: &mut dyn Sink,
        progress: &mut dyn FnMut(u64),
    ) -> Result<u64, SynthError> {
        let mut rows = 0;
        run(world, self.threads, |Block { text, parts }| {
            let mut start = 0;
            for part in parts {
                sink.write(
                    part.file,
                    &|| world.file_name(part.file),
                    world.header(),
                    &text[start..part.end],
                    part.rows,
                )?;
                start = part.end;
                rows += part.rows;
            }
            progress(rows);
            Ok::<(), SynthError>(())
        })?;
        Ok(rows)
    }
}

/// What a generator wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GenerateReport {
    /// The world.
    pub world: World,
    /// The seed.
    pub seed: u64,
    /// The files in the order of time.
    pub files: Vec<GeneratedFile>,
    /// Rows in all files, header lines not counted.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// A file that a generator wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GeneratedFile {
    /// The file: the folder that was given, and its name.
    pub path: PathBuf,
    /// Its rows, the header line not counted.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// Where rows go.
trait Sink {
    fn write(
        &mut self,
        file: u32,
        name: &dyn Fn() -> String,
        header: &[u8],
        text: &[u8],
        rows: u64,
    ) -> Result<(), SynthError>;
}

struct Folder<'a> {
    folder: &'a Path,
    open: Option<(u32, File)>,
    files: Vec<GeneratedFile>,
}

impl Sink for Folder<'_> {
    fn write(
        &mut self,
        file: u32,
        name: &dyn Fn() -> String,
        header: &[u8],
        text: &[u8],
        rows: u64,
    ) -> Result<(), SynthError> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != file) {
            let path = self.folder.join(name());
            let created = File::create_new(&path).and_then(|mut new| new.write_all(header).map(|()| new));
            let new = created.map_err(|source| SynthError::Io { path: path.clone(), source })?;
            self.open = Some((file, new));
            self.files.push(GeneratedFile { path, rows: 0, bytes: header.len() as u64 });
        }
        if let (Some((_, open)), Some(report)) = (&mut self.open, self.files.last_mut()) {
            open.write_all(text).map_err(|source| SynthError::Io { path: report.path.clone(), source })?;
            report.rows += rows;
            report.bytes += text.len() as u64;
        }
        Ok(())
    }
}

struct Stream<'a> {
    out: &'a mut dyn Write,
    begun: bool,
}

impl Sink for Stream<'_> {
    fn write(
        &mut self,
        _file: u32,
        _name: &dyn Fn() -> String,
        header: &[u8],
        text: &[u8],
        _rows: u64,
    ) -> Result<(), SynthError> {
        let mut write = |bytes: &[u8]| -> io::Result<()> { self.out.write_all(bytes) };
        if !std::mem::replace(&mut self.begun, true) {
            write(header).map_err(SynthError::Stream)?;
        }
        write(text).map_err(SynthError::Stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_worlds_are_read_as_they_are_written() {
        for world in World::ALL {
            assert_eq!(world.to_string().parse::<World>().unwrap(), world);
        }
        let error = "bazaar".parse::<World>().unwrap_err();
        assert_eq!(error.to_string(), "no world is named `bazaar`, expected shop, retail or streamflow");
    }
}
