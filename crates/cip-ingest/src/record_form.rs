//! How the records of a file are written, as the manifest keeps it: by that its rejects are read again.

use cip_store::SourceFile;
use serde::{Deserialize, Serialize};

use crate::dialect::Quote;
use crate::error::IngestError;
use crate::format::RecordFormat;
use crate::mapping::SourceMapping;
use crate::record::Marks;
use crate::source::{Compression, Header};
use crate::table_text;

/// How the records of a file are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "lowercase")]
pub(crate) enum RecordForm {
    Csv {
        delimiter: char,
        #[serde(default, skip_serializing_if = "Quote::is_default")]
        quote: Quote,
        columns: Vec<String>,
        #[serde(default, skip_serializing_if = "HeaderLine::is_there")]
        header: HeaderLine,
    },
    Blanks {
        columns: Vec<String>,
        #[serde(default, skip_serializing_if = "HeaderLine::is_there")]
        header: HeaderLine,
    },
    /// Records say their columns themselves.
    NdJson,
    /// The text of a Parquet or Arrow file, which has the columns that the mapping reads.
    Table { columns: Vec<String> },
}

/// Whether a file has a header line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HeaderLine {
    #[default]
    There,
    /// The mapping names the columns.
    Absent,
}

impl HeaderLine {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_there(&self) -> bool {
        *self == Self::There
    }
}

impl RecordForm {
    pub(crate) fn new(header: &Header, compression: Compression) -> Self {
        let columns = || header.names.clone();
        let line = if header.lines == 0 { HeaderLine::Absent } else { HeaderLine::There };
        match header.format {
            RecordFormat::Csv { .. } if compression == Compression::Table => {
                Self::Table { columns: columns() }
            }
            RecordFormat::Csv(Marks { delimiter, quote }) => Self::Csv {
                delimiter: char::from(delimiter),
                quote: Quote::of_byte(quote),
                columns: columns(),
                header: line,
            },
            RecordFormat::Blanks => Self::Blanks { columns: columns(), header: line },
            RecordFormat::NdJson => Self::NdJson,
        }
    }

    /// Returns how a file's records are written and read by a mapping, perhaps another than the one by which they were read first.
    ///
    /// # Errors
    /// [`IngestError::ReplayColumns`] where the file has not the columns that the mapping reads, [`IngestError::ReplayFormat`] where the
    /// mapping says that its records are written in another way, or where nobody knows how they are.
    pub(crate) fn read(source: &SourceFile, mapping: &SourceMapping) -> Result<(Self, Header), IngestError> {
        let other = |found: String| IngestError::ReplayFormat { file: source.name.clone(), found };
        let Some(records) = &source.records else {
            return Err(other("an unknown format: an earlier version of cip read it".to_owned()));
        };
        let form: Self = serde_json::from_value(records.clone())?;
        let (format, names, line) = match form {
            Self::Csv { delimiter, quote, columns, header } => {
                let delimiter =
                    u8::try_from(delimiter).map_err(|_| other(format!("the delimiter {delimiter:?}")))?;
                (RecordFormat::Csv(Marks { delimiter, quote: quote.byte() }), columns, header)
            }
            Self::Blanks { columns, header } => (RecordFormat::Blanks, columns, header),
            Self::Table { columns } => {
                let format = RecordFormat::Csv(table_text::MARKS);
                let header = Header { names: columns, lines: 1, format, left_out: Vec::new() };
                // Its text has no other columns, and has them in this order.
                return if header.names == mapping.source_columns() {
                    Ok((Self::new(&header, Compression::Table), header))
                } else {
                    Err(not_there(source, mapping, &header.names))
                };
            }
            Self::NdJson => {
                let names = mapping.source_columns().into_iter().map(str::to_owned).collect();
                (RecordFormat::NdJson, names, HeaderLine::There)
            }
        };
        // A file that starts like this one would still be told from JSON by its first byte.
        let start: &[u8] = if format == RecordFormat::NdJson { b"{" } else { b"" };
        if !mapping.formats(start).contains(&format) {
            return Err(other(format.to_string()));
        }
        let names = match line {
            HeaderLine::There => names,
            HeaderLine::Absent => match mapping.columns_without_header(names.len()) {
                Some(names) => names.to_vec(),
                None => return Err(not_there(source, mapping, &names)),
            },
        };
        let stands_once = |wanted: &&str| names.iter().filter(|name| name == wanted).count() == 1;
        if !mapping.source_columns().iter().all(stands_once) {
            return Err(not_there(source, mapping, &names));
        }
        let lines = u64::from(line == HeaderLine::There);
        let header = Header { names, lines, format, left_out: Vec::new() };
        Ok((Self::new(&header, Compression::None), header))
    }
}

fn not_there(source: &SourceFile, mapping: &SourceMapping, found: &[String]) -> IngestError {
    IngestError::ReplayColumns {
        file: source.name.clone(),
        mapping: mapping.name().to_owned(),
        wanted: mapping.source_columns().join(", "),
        found: found.join(", "),
    }
}
