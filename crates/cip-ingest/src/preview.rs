//! A look at sources before they are ingested: what a sample of their rows becomes.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, cast::AsArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;
use cip_core::{CoreError, Timestamp, Uuid, column};
use cip_store::{Account, EventStore, StoreError};
use indexmap::IndexSet;

use crate::buffer::SpareBuffers;
use crate::contract::quality::QualityReport;
use crate::contract::resolve::Extent;
use crate::error::IngestError;
use crate::find::find_sources;
use crate::format::RecordFormat;
use crate::ingest::Ingest;
use crate::local_copy::LocalCopies;
use crate::record::Marks;
use crate::source::{Header, OpenFile, SOURCES_AHEAD, Source};
use crate::target::Fill;

/// Files that are looked into, evenly spaced by name, and the bytes of rows that are read of each.
const MOST_FILES: usize = 16;
const BYTES_A_FILE: usize = 256 << 10;
/// Examples of each column.
const EXAMPLES: usize = 3;

/// What a sample of the sources' rows becomes; made by [`Ingest::preview`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Preview {
    /// Files that there are.
    pub files: usize,
    /// Files of which the first rows were read.
    pub files_read: usize,
    /// The rows of the sample: events, rejects by reason, drops by rule.
    pub account: Account,
    /// The columns that the store would have, in their order.
    pub columns: Vec<ColumnPreview>,
    /// Columns of the sources that the mapping leaves out.
    pub unmapped_columns: Vec<String>,
    /// What the contract, if any, finds in the sample; what would stop an ingest is only counted.
    pub quality: Option<QualityReport>,
}

/// A column of a [`Preview`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ColumnPreview {
    /// The column of the store.
    pub column: String,
    /// The column of the source that fills it; none where a constant or the experiment does.
    pub from: Option<String>,
    /// Its type in the store.
    pub data_type: DataType,
    /// Events of the sample in which it is null.
    pub nulls: u64,
    /// The first distinct values, as the store orders its events.
    pub examples: Vec<String>,
}

impl Ingest {
    /// Returns what the first rows of the sources become, and writes nothing that stays: the rows of up to 16 files, about
    /// 256 KiB of each, are ingested into a temporary folder.
    ///
    /// # Examples
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let file = folder.path().join("events.csv");
    /// use cip_ingest::{Ingest, SourceMapping};
    /// std::fs::write(&file, "t,e,u,agent\n2019-10-01 00:00:00 UTC,view,7,x\nyesterday,view,8,x\n")?;
    /// let mapping = SourceMapping::from_toml(r#"
    ///     name = "tiny"
    ///     [columns]
    ///     event_time = { from = "t", type = "timestamp" }
    ///     event_type = { from = "e", type = "dictionary" }
    ///     user_id = { from = "u", type = "int64", nullable = true }
    /// "#)?;
    /// let preview = Ingest::new(mapping).preview(&[file])?;
    /// assert_eq!((preview.account.events, preview.account.rejects["invalid_time"]), (1, 1));
    /// assert_eq!((preview.columns[0].column.as_str(), preview.columns[0].examples[0].as_str()), ("user_id", "7"));
    /// assert_eq!(preview.unmapped_columns, ["agent"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Ingest::run`].
    pub fn preview(&self, sources: &[PathBuf]) -> Result<Preview, IngestError> {
        let found = find_sources(sources, self.stores())?;
        let folder = tempfile::tempdir().map_err(|source| IngestError::Io {
            action: "create",
            path: std::env::temp_dir(),
            source,
        })?;
        let read = found.len().min(MOST_FILES);
        let mut samples = Vec::with_capacity(read);
        let mut left_out: Vec<String> = Vec::new();
        let looked_at: Arc<[Source]> = (0..read).map(|n| found[n * found.len() / read].clone()).collect();
        let (looked_at, copies) = LocalCopies::make(&looked_at, folder.path())?;
        for (index, source) in looked_at.iter().enumerate() {
            looked_at.iter().skip(index + 1).take(SOURCES_AHEAD).for_each(|next| next.origin.expect());
            let (sample, others) = self.sample(source, folder.path())?;
            samples.push(sample);
            left_out.extend(others);
        }
        copies.remove()?;
        let (store, report) =
            self.run_over(Extent::Sample, &samples, &folder.path().join("store"), &mut |_| ())?;
        let unmapped: IndexSet<String> = report.unmapped_columns.into_iter().chain(left_out).collect();
        Ok(Preview {
            files: found.len(),
            files_read: read,
            account: report.account,
            columns: self.look_at(&store)?,
            unmapped_columns: unmapped.into_iter().collect(),
            quality: report.quality,
        })
    }

    /// Writes the header and the first rows of a source, as they are, to a file of the same name. Also returns the columns that its
    /// records do not have.
    fn sample(&self, source: &Source, folder: &Path) -> Result<(PathBuf, Vec<String>), IngestError> {
        let path = folder.join(&source.name);
        let io = |source| IngestError::Io { action: "write", path: path.clone(), source };
        let mut file = OpenFile::open(0, source, self.reading())?;
        let header = Arc::clone(file.header());
        let mut out = BufWriter::new(File::create(&path).map_err(io)?);
        let chunk = file.next_chunk(BYTES_A_FILE, &SpareBuffers::new(1))?;
        write_header(&mut out, &header)
            .and_then(|()| out.write_all(&chunk.data))
            .and_then(|()| out.flush())
            .map_err(io)?;
        Ok((path, header.left_out.clone()))
    }

    fn look_at(&self, store: &EventStore) -> Result<Vec<ColumnPreview>, IngestError> {
        let targets = self.reading().targets()?;
        let from = |name: &str| {
            let target = targets.iter().find(|target| target.name == name)?;
            match &target.fill {
                Fill::From(from) => Some(from.clone()),
                Fill::Constant { .. } => None,
            }
        };
        let fields = store.schema().arrow().fields();
        let mut columns: Vec<ColumnPreview> = (fields.iter())
            .map(|field| ColumnPreview {
                column: field.name().clone(),
                from: from(field.name()),
                data_type: field.data_type().clone(),
                nulls: 0,
                examples: Vec::new(),
            })
            .collect();
        let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        for partition in store.scan(&names).partitions() {
            for events in partition.batches()? {
                let events = events?;
                for (column, array) in columns.iter_mut().zip(events.record_batch().columns()) {
                    column.nulls += array.logical_null_count() as u64;
                    // Of a session its id says more than its code.
                    if column.column != column::SOURCE_SESSION {
                        add_examples(&mut column.examples, array)?;
                    }
                }
            }
        }
        let sessions = columns.iter_mut().find(|column| column.column == column::SOURCE_SESSION);
        if let (Some(column), Some(dictionary)) = (sessions, store.session_dictionary()?) {
            for batch in dictionary {
                let batch = batch?;
                if let Some(ids) = batch.column_by_name(column::USER_SESSION) {
                    add_examples(&mut column.examples, ids)?;
                }
            }
        }
        Ok(columns)
    }
}

/// Writes the header line of a file that has one.
fn write_header(out: &mut impl Write, header: &Header) -> io::Result<()> {
    let (separator, quote) = match header.format {
        _ if header.lines == 0 => return Ok(()),
        RecordFormat::Csv(Marks { delimiter, quote }) => {
            (char::from(delimiter).to_string(), quote.map(char::from))
        }
        RecordFormat::Blanks | RecordFormat::NdJson => return writeln!(out, "{}", header.names.join(" ")),
    };
    let names = header.names.iter().map(|name| match quote {
        Some(quote) => format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}"))),
        None => name.clone(),
    });
    writeln!(out, "{}", names.collect::<Vec<_>>().join(&separator))
}

/// Keeps the first distinct values.
fn add_examples(examples: &mut Vec<String>, array: &ArrayRef) -> Result<(), StoreError> {
    let options = FormatOptions::default();
    let text: Box<dyn Fn(usize) -> String> = if let Some(times) =
        array.as_primitive_opt::<TimestampMicrosecondType>()
    {
        // Arrow knows no names of time zones by itself.
        Box::new(|row| Timestamp::from_micros(times.value(row)).to_string())
    } else {
        let formatter = ArrayFormatter::try_new(array, &options).map_err(CoreError::from)?;
        let uuids = array.as_fixed_size_binary_opt();
        Box::new(move |row| {
            let uuid = uuids.and_then(|uuids| <[u8; 16]>::try_from(uuids.value(row)).ok());
            uuid.map_or_else(|| formatter.value(row).to_string(), |uuid| Uuid::from_bytes(uuid).to_string())
        })
    };
    for row in (0..array.len()).filter(|&row| !array.is_null(row)) {
        if examples.len() == EXAMPLES {
            break;
        }
        let text = text(row);
        if !examples.contains(&text) {
            examples.push(text);
        }
    }
    Ok(())
}
