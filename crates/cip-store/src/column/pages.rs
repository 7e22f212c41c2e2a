//! Pages, compressed one by one, and the chunk of a column that they make.

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use xxhash_rust::xxh3::xxh3_64;
use zstd::bulk::Compressor;

/// A column's chunk of a row group, ready to be appended.
pub(crate) struct EncodedColumn {
    pub(crate) bytes: Bytes,
    pub(crate) close: ColumnCloseResult,
    /// The XXH3-64 of its bytes.
    pub(crate) xxh3: String,
    /// The distinct integers, where a dictionary of them was made.
    pub(crate) distinct: Option<Vec<i64>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    None,
    Zstd(i32),
}

/// The compressor of each level that was asked for.
#[derive(Default)]
pub(crate) struct Compressors {
    levels: Vec<(i32, Compressor<'static>)>,
}

impl Compressors {
    fn get(&mut self, level: i32) -> Result<&mut Compressor<'static>> {
        let at = match self.levels.iter().position(|(known, _)| *known == level) {
            Some(at) => at,
            None => {
                self.levels.push((level, Compressor::new(level)?));
                self.levels.len() - 1
            }
        };
        Ok(&mut self.levels[at].1)
    }
}

/// Collects the pages of a column's chunk.
pub(super) struct Pages<'a> {
    descriptor: ColumnDescPtr,
    codec: Codec,
    compressors: &'a mut Compressors,
    sink: TrackedWrite<Vec<u8>>,
    uncompressed: usize,
    has_dictionary: bool,
    data_offset: Option<u64>,
    stats: Vec<PageEncodingStats>,
}

impl<'a> Pages<'a> {
    pub(super) fn new(descriptor: &ColumnDescPtr, codec: Codec, compressors: &'a mut Compressors) -> Self {
        Self {
            descriptor: descriptor.clone(),
            codec,
            compressors,
            sink: TrackedWrite::new(Vec::new()),
            uncompressed: 0,
            has_dictionary: false,
            data_offset: None,
            stats: Vec::new(),
        }
    }

    /// Writes the dictionary, which comes first.
    pub(super) fn dictionary(&mut self, plain: &[u8], values: usize) -> Result<()> {
        let buf = self.compress(plain)?;
        self.has_dictionary = true;
        let encoding = Encoding::PLAIN;
        self.write(
            Page::DictionaryPage { buf, num_values: values as u32, encoding, is_sorted: false },
            plain.len(),
        )
    }

    /// Writes a page of data: levels and values of so many rows.
    pub(super) fn data(&mut self, page: &[u8], rows: usize, encoding: Encoding) -> Result<()> {
        let buf = self.compress(page)?;
        self.data_offset.get_or_insert(self.sink.bytes_written() as u64);
        let page_of_data = Page::DataPage {
            buf,
            num_values: rows as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        self.write(page_of_data, page.len())
    }

    /// Writes a page of data that no codec makes smaller, behind pages that one does: levels of so many bytes, then values.
    pub(super) fn incompressible_data(
        &mut self,
        page: &[u8],
        levels: usize,
        rows: usize,
        nulls: usize,
        encoding: Encoding,
    ) -> Result<()> {
        self.data_offset.get_or_insert(self.sink.bytes_written() as u64);
        let page_of_data = Page::DataPageV2 {
            buf: Bytes::copy_from_slice(page),
            num_values: rows as u32,
            encoding,
            num_nulls: nulls as u32,
            num_rows: rows as u32,
            def_levels_byte_len: levels as u32,
            rep_levels_byte_len: 0,
            is_compressed: false,
            statistics: None,
        };
        self.write(page_of_data, page.len())
    }

    /// How many bytes the codec makes of a page.
    pub(super) fn compressed_len(&mut self, page: &[u8]) -> Result<usize> {
        self.compress(page).map(|bytes| bytes.len())
    }

    fn compress(&mut self, page: &[u8]) -> Result<Bytes> {
        match self.codec {
            Codec::None => Ok(Bytes::copy_from_slice(page)),
            Codec::Zstd(level) => Ok(self.compressors.get(level)?.compress(page)?.into()),
        }
    }

    fn write(&mut self, page: Page, uncompressed: usize) -> Result<()> {
        let (page_type, encoding) = (page.page_type(), page.encoding());
        let mut writer = SerializedPageWriter::new(&mut self.sink);
        let spec = writer.write_page(CompressedPage::new(page, uncompressed))?;
        self.uncompressed += spec.uncompressed_size;
        match self.stats.iter_mut().find(|stats| stats.page_type == page_type && stats.encoding == encoding) {
            Some(stats) => stats.count += 1,
            None => self.stats.push(PageEncodingStats { page_type, encoding, count: 1 }),
        }
        Ok(())
    }

    /// Ends the chunk of so many rows.
    pub(super) fn finish(self, rows: usize, statistics: Option<Statistics>) -> Result<EncodedColumn> {
        let bytes = Bytes::from(self.sink.into_inner()?);
        let mut encodings: Vec<Encoding> = self.stats.iter().map(|stats| stats.encoding).collect();
        encodings.push(Encoding::RLE);
        let compression = match self.codec {
            Codec::None => Compression::UNCOMPRESSED,
            Codec::Zstd(level) => Compression::ZSTD(ZstdLevel::try_new(level)?),
        };
        let offset = |at: u64| i64::try_from(at).map_err(|error| ParquetError::External(error.into()));
        let mut metadata = ColumnChunkMetaData::builder(self.descriptor)
            .set_compression(compression)
            .set_encodings(encodings)
            .set_page_encoding_stats(self.stats)
            .set_total_compressed_size(offset(bytes.len() as u64)?)
            .set_total_uncompressed_size(offset(self.uncompressed as u64)?)
            .set_num_values(offset(rows as u64)?)
            .set_data_page_offset(offset(self.data_offset.unwrap_or(0))?)
            .set_dictionary_page_offset(self.has_dictionary.then_some(0));
        if let Some(statistics) = statistics {
            metadata = metadata.set_statistics(statistics);
        }
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: rows as u64,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok(EncodedColumn { xxh3: format!("{:016x}", xxh3_64(&bytes)), bytes, close, distinct: None })
    }
}
