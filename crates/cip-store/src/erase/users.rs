//! The users to erase, and how bytes are searched for them.

use std::collections::HashSet;

use cip_core::{Id, IdRef, IdType, MemoryBudget};
use memchr::memmem::Finder;

use crate::manifest::RowGroupSpan;

/// Users to erase, and the words that name them.
///
/// A *word* is a run of bytes between blanks, control characters, quotes, commas, semicolons, brackets and the like, without
/// the points and colons around it. So `7` is a word of `"user_id":7,` and of `seen by 7.`, and none of `7.50` or of `00:00:07`.
/// An integer id is named by its digits, also with a fraction of zeros (`17850.0`).
///
/// # Examples
/// ```
/// use cip_core::{IdRef, IdType};
/// use cip_store::ErasedUsers;
///
/// let users = ErasedUsers::new(IdType::Int64, ["7"]).unwrap();
/// assert!(users.has(IdRef::Int64(7)));
/// assert_eq!(users.named_in(b"2019-10-01,view,7.50,7,\"7\""), 2);
/// assert!(ErasedUsers::new(IdType::Int64, ["ann"]).is_err_and(|id| id == "ann"));
/// ```
#[derive(Debug, Clone)]
pub struct ErasedUsers {
    /// Ascending, each once.
    ids: Vec<Id>,
    /// The ids as text.
    words: HashSet<Box<[u8]>>,
    /// Ids that are no single word.
    phrases: Vec<Box<[u8]>>,
}

impl ErasedUsers {
    /// Returns the users with these ids, written as text, in a store whose ids are of one type.
    ///
    /// # Errors
    /// The first id that cannot be one: of integers, what is not written as one.
    pub fn new<T: AsRef<str>>(id_type: IdType, ids: impl IntoIterator<Item = T>) -> Result<Self, String> {
        let id = |text: &str| match id_type {
            IdType::Utf8 => Ok(Id::Utf8(text.into())),
            IdType::Int64 => text.parse().map(Id::Int64).map_err(|_| text.to_owned()),
        };
        let mut ids = ids.into_iter().map(|text| id(text.as_ref())).collect::<Result<Vec<_>, _>>()?;
        ids.sort_unstable();
        ids.dedup();
        let words: HashSet<Box<[u8]>> =
            ids.iter().map(|id| id.to_string().into_bytes().into_boxed_slice()).collect();
        let phrases = words.iter().filter(|id| !id.is_empty() && words_of(id).next() != Some(id));
        let mut phrases: Vec<Box<[u8]>> = phrases.cloned().collect();
        phrases.sort_unstable();
        Ok(Self { ids, words, phrases })
    }

    /// The ids, ascending.
    pub fn ids(&self) -> &[Id] {
        &self.ids
    }

    /// How much memory they take.
    pub fn bytes(&self) -> MemoryBudget {
        /// An id, its text, and its place in a table, without the text itself.
        const BYTES_AN_ID: usize = 96;
        let texts: usize = self.words.iter().map(|word| word.len()).sum();
        MemoryBudget::from_bytes((self.ids.len() * BYTES_AN_ID + 2 * texts) as u64)
    }

    /// Whether an id is one of theirs; integers and texts are compared by their digits.
    pub fn has(&self, id: IdRef<'_>) -> bool {
        match (id, self.ids.first()) {
            (_, None) => false,
            (IdRef::Utf8(text), _) => self.words.contains(text.as_bytes()),
            (IdRef::Int64(_), Some(Id::Int64(_))) => {
                self.ids.binary_search_by(|known| known.as_ref().cmp(&id)).is_ok()
            }
            (IdRef::Int64(value), Some(Id::Utf8(_))) => self.words.contains(value.to_string().as_bytes()),
        }
    }

    /// Whether a row group may hold one of them.
    pub(super) fn meet(&self, span: &RowGroupSpan) -> bool {
        let [Some(first), last] = &span.users else { return false };
        let next = self.ids.partition_point(|id| id < first);
        self.ids.get(next).is_some_and(|id| last.as_ref().is_none_or(|last| id <= last))
    }

    /// Returns how many words of some bytes name one of them.
    pub fn named_in(&self, bytes: &[u8]) -> u64 {
        let words = words_of(bytes).filter(|word| self.is_named_by(word)).count();
        let phrases = self.phrases.iter().map(|phrase| {
            let alone = |&at: &usize| {
                let before = bytes[..at].last().copied();
                let behind = bytes.get(at + phrase.len()).copied();
                before.is_none_or(ends_words) && behind.is_none_or(ends_words)
            };
            Finder::new(phrase).find_iter(bytes).filter(alone).count()
        });
        (words + phrases.sum::<usize>()) as u64
    }

    fn is_named_by(&self, word: &[u8]) -> bool {
        if self.words.contains(word) {
            return true;
        }
        let Some(Id::Int64(_)) = self.ids.first() else { return false };
        let Some(point) = word.iter().position(|&byte| byte == b'.') else { return false };
        let (whole, fraction) = word.split_at(point);
        fraction.iter().skip(1).all(|&byte| byte == b'0') && self.words.contains(whole)
    }
}

/// Returns the words of some bytes.
fn words_of(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|&byte| ends_words(byte)).map(trim).filter(|word| !word.is_empty())
}

fn ends_words(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f || b"\"'`,;|{}[]()<>=/\\&?#".contains(&byte)
}

/// Takes the marks off that stand around a word.
fn trim(word: &[u8]) -> &[u8] {
    let mark = |byte: &u8| matches!(byte, b'.' | b':' | b'!');
    let start = word.iter().position(|byte| !mark(byte)).unwrap_or(word.len());
    let end = word.iter().rposition(|byte| !mark(byte)).map_or(start, |last| last + 1);
    &word[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_name_a_user() {
        let integers = ErasedUsers::new(IdType::Int64, ["7", "-3", "17850", "7"]).unwrap();
        assert_eq!(integers.ids().len(), 3);
        for (text, times) in [
            ("7", 1),
            ("77,07,7.5,7a,00:00:07,2019-10-7", 0),
            (r#"{"user_id":7,"x":"7","y":-3}"#, 3),
            ("17850.0|17850.00;17850.01", 2),
            ("user 7.\nuser: 7", 2),
            ("", 0),
        ] {
            assert_eq!(integers.named_in(text.as_bytes()), times, "{text}");
        }
        let texts = ErasedUsers::new(IdType::Utf8, ["v-81", "Ann Lee", "a/b", ""]).unwrap();
        for (text, times) in [
            ("v-81,v-810,xv-81", 1),
            ("Ann Lee,Joann Lee,Ann Leeds", 1),
            ("x=a/b", 1),
            ("a/bc", 0),
            ("\u{e9}v-81", 0),
        ] {
            assert_eq!(texts.named_in(text.as_bytes()), times, "{text}");
        }
    }

    #[test]
    fn ids_are_compared_by_their_digits_where_types_differ() {
        let integers = ErasedUsers::new(IdType::Int64, ["7"]).unwrap();
        assert!(integers.has(IdRef::Utf8("7")) && !integers.has(IdRef::Utf8("07")));
        let texts = ErasedUsers::new(IdType::Utf8, ["7", "007"]).unwrap();
        assert!(texts.has(IdRef::Int64(7)) && texts.has(IdRef::Utf8("007")) && !texts.has(IdRef::Int64(8)));
        assert!(!ErasedUsers::new(IdType::Utf8, [""; 0]).unwrap().has(IdRef::Utf8("")));
    }
}
