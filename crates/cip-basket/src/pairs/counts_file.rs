//! Counts of pairs in a file.

use std::io::{Read, Write};

use xxhash_rust::xxh3::xxh3_64;

use crate::bytes::{Bytes, put_id, put_text};
use crate::error::BasketError;
use crate::pairs::counts::PairCounts;
use crate::pairs::run::damaged;
use crate::rule::Baskets;
use crate::table::{BasketTable, BasketTotals};

/// What a file starts with.
const STAMP: [u8; 8] = *b"CIPPAIRS";
/// The version of the form, which is the only one that is read.
const VERSION: u32 = 1;

impl PairCounts {
    /// Writes the counts.
    ///
    /// # Output
    /// `CIPPAIRS` and the version (1) as u32; what the baskets are, as a u32 of bytes and a text; the totals as u64; the number of products as u32, their ids, as
    /// i64 or as a u32 of bytes and the text, and of each the baskets of several products and those of it alone, as u32; the number of bytes of the pairs as u64, and
    /// the pairs; the XXH3 hash (64 bits) of all of this. Little-endian.
    ///
    /// # Errors
    /// [`BasketError::Io`].
    pub fn write_to(&self, mut writer: impl Write) -> Result<(), BasketError> {
        let mut bytes = STAMP.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        put_text(&self.table.rule().meaning(), &mut bytes);
        for total in self.table.totals().numbers() {
            bytes.extend_from_slice(&total.to_le_bytes());
        }
        let products = self.table.known_products();
        bytes.extend_from_slice(&(products.len() as u32).to_le_bytes());
        for code in 0..products.len() as u32 {
            if let Some(id) = products.id(code) {
                put_id(id, &mut bytes);
            }
            for count in self.table.counts_of(code) {
                bytes.extend_from_slice(&count.to_le_bytes());
            }
        }
        bytes.extend_from_slice(&(self.run.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&self.run);
        let checksum = xxh3_64(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        Ok(writer.write_all(&bytes)?)
    }

    /// Reads counts of baskets that `rule` makes.
    ///
    /// # Errors
    /// [`BasketError::NotPairCounts`], which says why, [`BasketError::CountsVersion`]; [`BasketError::PartsDiffer`] where they are of other baskets;
    /// [`BasketError::Io`].
    pub fn read_from(rule: &Baskets, mut reader: impl Read) -> Result<Self, BasketError> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        let rest = bytes.strip_prefix(&STAMP).ok_or(damaged("they do not start with CIPPAIRS"))?;
        let version = Bytes(rest).number().map_err(damaged)?;
        if version != VERSION {
            return Err(BasketError::CountsVersion { version, expected: VERSION });
        }
        let (body, checksum) = bytes.split_last_chunk::<8>().ok_or(damaged("they are cut"))?;
        if xxh3_64(body) != u64::from_le_bytes(*checksum) {
            return Err(damaged("their checksum differs: they are damaged or cut"));
        }
        let mut bytes = Bytes(&body[STAMP.len() + 4..]);
        let (ours, theirs) = (rule.meaning(), bytes.text().map_err(damaged)?);
        if ours != theirs {
            return Err(BasketError::PartsDiffer { ours, theirs: theirs.to_owned() });
        }
        let mut totals = [0; BasketTotals::NUMBERS];
        for total in &mut totals {
            *total = bytes.long_number().map_err(damaged)?;
        }
        let mut table = BasketTable::new(rule.clone());
        *table.totals_mut() = BasketTotals::of_numbers(totals);
        for code in 0..bytes.number().map_err(damaged)? {
            let id = bytes.id(rule.input.items).map_err(damaged)?;
            if table.code(id)? != code {
                return Err(damaged("a product is there twice"));
            }
            let counts = [bytes.number().map_err(damaged)?, bytes.number().map_err(damaged)?];
            table.add_counts(code, counts);
        }
        let pairs = usize::try_from(bytes.long_number().map_err(damaged)?);
        let run = bytes.take(pairs.map_err(|_| damaged("they are cut"))?).map_err(damaged)?;
        if !bytes.0.is_empty() {
            return Err(damaged("there is more behind their end"));
        }
        table.check_size()?;
        Ok(Self { table, run: run.into() })
    }
}
