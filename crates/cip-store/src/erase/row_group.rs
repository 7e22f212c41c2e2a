//! Row groups of a stored file, read one at a time.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};

use crate::error::StoreError;
use crate::event_form::CompactForm;
use crate::manifest::DataFile;
use crate::stored_file::StoredFile;
use crate::unified::without_twins;

/// A Parquet file of the store with its footer.
pub(super) struct Groups<'a> {
    pub(super) file: &'a StoredFile,
    pub(super) data: &'a DataFile,
    pub(super) metadata: ArrowReaderMetadata,
    /// What the rows are, where they are compact events.
    form: Option<Arc<CompactForm>>,
}

impl<'a> Groups<'a> {
    pub(super) fn open(file: &'a StoredFile, data: &'a DataFile) -> Result<Self, StoreError> {
        let metadata = ArrowReaderMetadata::load(file, ArrowReaderOptions::new())
            .map_err(StoreError::parquet(file.path()))?;
        Ok(Self { file, data, metadata, form: None })
    }

    /// Opens a file of events of a form.
    pub(super) fn open_events(
        file: &'a StoredFile,
        data: &'a DataFile,
        form: Option<Arc<CompactForm>>,
    ) -> Result<Self, StoreError> {
        Ok(Self { form, ..Self::open(file, data)? })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// Where a column stands in the file; none where there is no such column.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.metadata.schema().index_of(name).ok()
    }

    /// Reads a row group whole, those of `columns` that the rows have; none: all columns. In its dictionaries every text
    /// stands once.
    pub(super) fn read(&self, group: usize, columns: Option<&[&str]>) -> Result<RecordBatch, StoreError> {
        let wanted = |name: &str| columns.is_none_or(|columns| columns.contains(&name));
        without_twins(match &self.form {
            Some(form) => {
                let rows = self.read_stored(group, |name| form.needs(name, wanted))?;
                form.restore(&rows, wanted)?
            }
            None => self.read_stored(group, wanted)?,
        })
    }

    /// Reads those columns of a row group that are needed, as the file has them.
    pub(super) fn read_stored(
        &self,
        group: usize,
        is_needed: impl Fn(&str) -> bool,
    ) -> Result<RecordBatch, StoreError> {
        let schema = self.metadata.schema();
        let roots: Vec<usize> = (schema.fields().iter().enumerate())
            .filter(|(_, field)| is_needed(field.name()))
            .map(|(index, _)| index)
            .collect();
        for &column in &roots {
            self.file.check_column(self.data, self.metadata.metadata(), group, column)?;
        }
        let rows = self.metadata.metadata().row_group(group).num_rows().max(1) as usize;
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), roots);
        let reader =
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.metadata.clone())
                .with_projection(mask)
                .with_row_groups(vec![group])
                .with_batch_size(rows)
                .build()
                .map_err(StoreError::parquet(self.file.path()))?;
        let schema = arrow_array::RecordBatchReader::schema(&reader);
        let batches = reader
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| StoreError::parquet(self.file.path())(error.into()))?;
        Ok(concat_batches(&schema, &batches)?)
    }

    /// The least and the greatest value of a column of unsigned codes; none where it has no values.
    pub(super) fn code_range(&self, group: usize, column: usize) -> Option<(u32, u32)> {
        let mut range = None;
        let chunk = self.metadata.metadata().row_group(group).column(column);
        crate::session_map::widen(&mut range, chunk.statistics());
        range
    }

    /// A row group as it lies there.
    pub(super) fn stored(&self, group: usize) -> Result<crate::parquet_file::EncodedRowGroup, StoreError> {
        crate::parquet_file::EncodedRowGroup::stored(self.file, self.data, self.metadata.metadata(), group)
    }
}
