//! The index file: little-endian numbers behind a stamp, with a checksum behind them.

use std::io::{Read, Write};

use cip_core::{Id, IdType};
use xxhash_rust::xxh3::xxh3_64;

use crate::bytes::{Bytes, put_id};
use crate::error::BasketError;
use crate::recommend::params::Similarity;
use crate::recommend::recommender::Recommender;

/// What an index file starts with.
const STAMP: [u8; 8] = *b"CIPRECOM";
/// The version of the form, which is the only one that is read.
const VERSION: u32 = 1;

impl Recommender {
    /// Writes the index file.
    ///
    /// # Output
    /// `CIPRECOM`, the version (1) and the similarity (0 cosine, 1 lift, 2 BM25) as u32, the type of the ids (0 Int64, 1 Utf8) as u32, the numbers of products
    /// and of neighbours as u32; the ids, as i64 or as a u32 of bytes and the text; the products by popularity, the ends of the lists
    /// of neighbours, the neighbours as u32, their scores as f32; the XXH3 hash (64 bits) of all of this. Little-endian. The same
    /// recommender gives the same bytes.
    ///
    /// # Errors
    /// [`BasketError::Io`].
    pub fn write_to(&self, mut writer: impl Write) -> Result<(), BasketError> {
        let mut bytes = STAMP.to_vec();
        let numbers = |numbers: &mut dyn Iterator<Item = u32>, bytes: &mut Vec<u8>| {
            numbers.for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
        };
        let similarity = match self.similarity {
            Similarity::Cosine => 0,
            Similarity::Lift => 1,
            Similarity::Bm25 => 2,
        };
        let (products, neighbours) = (self.ids.len() as u32, self.neighbours.len() as u32);
        let id_type = u32::from(self.product_type == IdType::Utf8);
        numbers(&mut [VERSION, similarity, id_type, products, neighbours].into_iter(), &mut bytes);
        for id in &self.ids {
            put_id(id.as_ref(), &mut bytes);
        }
        for part in [&self.popularity, &self.ends, &self.neighbours] {
            numbers(&mut part.iter().copied(), &mut bytes);
        }
        numbers(&mut self.scores.iter().map(|score| score.to_bits()), &mut bytes);
        let checksum = xxh3_64(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        Ok(writer.write_all(&bytes)?)
    }

    /// Reads an index file.
    ///
    /// # Errors
    /// [`BasketError::NotAnIndex`], which says why; [`BasketError::Io`].
    pub fn read_from(mut reader: impl Read) -> Result<Self, BasketError> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        let refuse = |reason| BasketError::NotAnIndex { reason };
        let rest = bytes.strip_prefix(&STAMP).ok_or(refuse("it does not start with CIPRECOM"))?;
        let version = Bytes(rest).number().map_err(refuse)?;
        if version != VERSION {
            return Err(BasketError::IndexVersion { version, expected: VERSION });
        }
        let (body, checksum) = bytes.split_last_chunk::<8>().ok_or(refuse("it is cut"))?;
        if xxh3_64(body) != u64::from_le_bytes(*checksum) {
            return Err(refuse("its checksum differs: it is damaged or cut"));
        }
        parse(Bytes(&body[STAMP.len() + 4..])).map_err(refuse)
    }
}

/// Reads what follows the version.
fn parse(mut bytes: Bytes<'_>) -> Result<Recommender, &'static str> {
    let similarity = match bytes.number()? {
        0 => Similarity::Cosine,
        1 => Similarity::Lift,
        2 => Similarity::Bm25,
        _ => return Err("its similarity is not known"),
    };
    let product_type = match bytes.number()? {
        0 => IdType::Int64,
        1 => IdType::Utf8,
        _ => return Err("its type of ids is not known"),
    };
    let (products, neighbours) = (bytes.number()? as usize, bytes.number()? as usize);
    let mut ids: Vec<Id> = Vec::new();
    for _ in 0..products {
        let id = bytes.id(product_type)?.to_owned();
        if ids.last().is_some_and(|before| *before >= id) {
            return Err("its ids are not sorted");
        }
        ids.push(id);
    }
    let popularity = bytes.numbers(products)?;
    let mut places = popularity.clone();
    places.sort_unstable();
    if !places.iter().copied().eq(0..products as u32) {
        return Err("its products by popularity are not all products");
    }
    let ends = bytes.numbers(products)?;
    if !ends.is_sorted() || ends.last().is_some_and(|&last| last as usize != neighbours) {
        return Err("its lists of neighbours do not end where they should");
    }
    let others = bytes.numbers(neighbours)?;
    if others.iter().any(|&other| other as usize >= products) {
        return Err("a neighbour is no product");
    }
    let scores: Vec<f32> = bytes.numbers(neighbours)?.into_iter().map(f32::from_bits).collect();
    if !scores.iter().all(|score| score.is_finite() && *score >= 0.0) {
        return Err("a score is no number from 0 on");
    }
    if !bytes.0.is_empty() {
        return Err("there is more behind its end");
    }
    Ok(Recommender { product_type, ids, similarity, popularity, ends, neighbours: others, scores })
}
