//! The paths that the users of a store take.

use std::path::Path;

use cip_core::table;
use cip_sessionize::{PATH_COLUMNS, PathCounts, Paths};
use cip_store::{EventPartition, TableWriter};

use crate::line::{Line, LineError};

impl Line<'_> {
    /// Writes `paths`, the `top` ones that are taken most often, to `path` and returns the counts of all.
    ///
    /// # Examples
    /// ```no_run
    /// use cip::sessionize::Paths;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = cip::store::EventStore::open("STORE".as_ref())?;
    /// let paths = Paths::new(4)?.with_target("purchase")?;
    /// let counts = cip::line::Line::new(&store).write_paths(&paths, 100, "paths.parquet".as_ref())?;
    /// for path in counts.top(3) {
    ///     println!("{} sessions buy by {}", path.sessions, path.steps.join(" > "));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LineError`], also where there are more different paths than may be kept; the old file at `path` is then still there.
    pub fn write_paths(&self, paths: &Paths, top: usize, path: &Path) -> Result<PathCounts, LineError> {
        let schema = self.store.schema();
        let mut counts = paths.builder(schema)?.finish()?;
        let mut writer = TableWriter::create(path, "paths", &table::paths())?;
        let follow = |partition: EventPartition| {
            let mut builder = paths.builder(schema)?;
            for events in partition.batches()? {
                builder.push(&events?)?;
            }
            Ok::<_, LineError>(builder.finish()?)
        };
        self.each_partition(self.scan(PATH_COLUMNS)?, follow, |part| Ok(counts.merge(&part)?))?;
        writer.write(counts.table(top)?)?;
        writer.finish()?;
        Ok(counts)
    }
}
