//! How the records of a file are written: CSV with some delimiter, columns between blanks, or JSON objects.

use std::borrow::Cow;
use std::fmt;

use memchr::memchr;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::dialect::{Dialect, Quote};
use crate::record::{self, Escape, FieldSpan, MAX_RECORD_BYTES, Marks, RecordEnd};
use crate::reject::Reason;

/// How a source writes its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FileFormat {
    /// Fields between delimiters, quoted as in RFC 4180 or in another [`Dialect`], behind a header line.
    Csv,
    /// Fields between one or more blanks or tabs, which no quotes protect.
    Blanks,
    /// One JSON object a line; the columns are its keys.
    NdJson,
}

/// The same with what is known once a file was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordFormat {
    Csv(Marks),
    Blanks,
    NdJson,
}

/// Delimiters that are tried where none is declared: the first by which the header has all columns.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

impl fmt::Display for RecordFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Csv(Marks { delimiter, quote }) => {
                write!(f, "CSV with the delimiter {:?}", char::from(*delimiter))?;
                match Quote::of_byte(*quote) {
                    quote if quote.is_default() => Ok(()),
                    Quote::Mark(mark) => write!(f, " and the quote {mark:?}"),
                    Quote::None => f.write_str(" and no quotes"),
                }
            }
            Self::Blanks => f.write_str("columns between blanks"),
            Self::NdJson => f.write_str("JSON lines"),
        }
    }
}

impl RecordFormat {
    /// Returns what a file that starts with `start` may be written in, the likeliest first.
    pub(crate) fn candidates(format: Option<FileFormat>, dialect: Dialect, start: &[u8]) -> Vec<Self> {
        let is_json = start.trim_ascii_start().first() == Some(&b'{');
        let (delimiter, quote) = dialect.bytes();
        let csv = |delimiter| Self::Csv(Marks { delimiter, quote });
        match (format, delimiter) {
            (Some(FileFormat::NdJson), _) => vec![Self::NdJson],
            (Some(FileFormat::Blanks), _) => vec![Self::Blanks],
            (None, _) if is_json && !dialect.is_declared() => vec![Self::NdJson],
            (_, Some(delimiter)) => vec![csv(delimiter)],
            (_, None) => DELIMITERS.into_iter().filter(|&mark| quote != Some(mark)).map(csv).collect(),
        }
    }

    /// Returns the end of the record that starts at `start`. `last`: no data follows.
    pub(crate) fn record_end(self, data: &[u8], start: usize, last: bool) -> RecordEnd {
        let Self::Csv(marks) = self else { return line_end(data, start, last) };
        record::record_end(data, start, marks, last)
    }

    /// Returns the end of the last whole record in `data`, which starts at a record, or 0 where none is whole.
    pub(crate) fn last_record_end(self, data: &[u8]) -> usize {
        match self {
            Self::Csv(marks) => record::last_record_end(data, marks),
            Self::Blanks | Self::NdJson => record::last_line_end(data),
        }
    }

    /// Whether something in `data` is quoted: then a line end may be inside a record.
    pub(crate) fn has_quotes(self, data: &[u8]) -> bool {
        match self {
            Self::Csv(marks) => marks.quote.is_some_and(|quote| memchr(quote, data).is_some()),
            Self::Blanks | Self::NdJson => false,
        }
    }

    /// Splits a record (without its line end) into fields; those of a JSON object are the values of `names`, empty where
    /// there is none.
    pub(crate) fn split(
        self,
        record: &[u8],
        names: &[String],
        fields: &mut Vec<FieldSpan>,
    ) -> Result<(), Reason> {
        match self {
            Self::Csv(marks) => {
                record::split_fields(record, marks, fields).map_err(|_| Reason::TextAfterQuote)
            }
            Self::Blanks => {
                split_at_blanks(record, fields);
                Ok(())
            }
            Self::NdJson => split_object(record, names, fields).map_err(|_| Reason::InvalidJson),
        }
    }
}

fn line_end(data: &[u8], start: usize, last: bool) -> RecordEnd {
    let end = match memchr(b'\n', &data[start..]) {
        Some(line) => start + line + 1,
        None if last || data.len() - start > MAX_RECORD_BYTES => data.len(),
        None => return RecordEnd::Undecided,
    };
    match memchr(b'\n', &data[start..end]) {
        _ if end - start <= MAX_RECORD_BYTES => RecordEnd::Whole(end),
        None if !last => RecordEnd::Undecided,
        _ => RecordEnd::TooLong(end),
    }
}

fn split_at_blanks(record: &[u8], fields: &mut Vec<FieldSpan>) {
    fields.clear();
    let mut at = 0;
    for field in record.split(|byte| matches!(byte, b' ' | b'\t')) {
        if !field.is_empty() {
            fields.push(FieldSpan { start: at, end: at + field.len(), escape: Escape::None });
        }
        at += field.len() + 1;
    }
}

/// Returns the keys of a JSON object.
pub(crate) fn object_keys(record: &[u8]) -> Result<Vec<String>, serde_json::Error> {
    let mut keys = Vec::new();
    visit_object(record, |key, _| {
        keys.push(key.into_owned());
        Ok(())
    })?;
    Ok(keys)
}

/// Says what is wrong with a record that is no JSON object.
pub(crate) fn json_fault(record: &[u8], names: &[String]) -> String {
    match split_object(record, names, &mut Vec::new()) {
        Ok(()) => String::new(),
        Err(error) => format!("not a JSON object: {error}"),
    }
}

fn split_object(
    record: &[u8],
    names: &[String],
    fields: &mut Vec<FieldSpan>,
) -> Result<(), serde_json::Error> {
    const NONE: FieldSpan = FieldSpan { start: 0, end: 0, escape: Escape::None };
    fields.clear();
    fields.resize(names.len(), NONE);
    let mut seen = vec![false; names.len()];
    visit_object(record, |key, value| {
        let Some(index) = names.iter().position(|name| *name == key) else { return Ok(()) };
        if std::mem::replace(&mut seen[index], true) {
            return Err(format!("the key `{key}` stands twice"));
        }
        // The value is a part of the record.
        let start = value.as_ptr().addr() - record.as_ptr().addr();
        let end = start + value.len();
        fields[index] = match value.as_bytes() {
            b"null" => NONE,
            [b'"', text @ .., b'"'] => {
                let escape = if memchr(b'\\', text).is_some() { Escape::Json } else { Escape::None };
                FieldSpan { start: start + 1, end: end - 1, escape }
            }
            _ => FieldSpan { start, end, escape: Escape::None },
        };
        Ok(())
    })
}

/// Calls `visit` with every key and the text of its value.
fn visit_object<'a>(
    record: &'a [u8],
    visit: impl FnMut(Cow<'a, str>, &'a str) -> Result<(), String>,
) -> Result<(), serde_json::Error> {
    struct Members<F>(F);
    /// A key, copied only where it has escapes.
    #[derive(Deserialize)]
    struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

    impl<'a, F: FnMut(Cow<'a, str>, &'a str) -> Result<(), String>> Visitor<'a> for Members<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'a>>(mut self, mut members: A) -> Result<(), A::Error> {
            while let Some((Key(key), value)) = members.next_entry::<Key<'a>, &'a RawValue>()? {
                (self.0)(key, value.get()).map_err(A::Error::custom)?;
            }
            Ok(())
        }
    }
    let mut json = serde_json::Deserializer::from_slice(record);
    json.deserialize_map(Members(visit))?;
    json.end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(format: RecordFormat, record: &str, names: &[&str]) -> Result<Vec<String>, Reason> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let (mut fields, mut buffer) = (Vec::new(), Vec::new());
        format.split(record.as_bytes(), &names, &mut fields)?;
        let text = |span: &FieldSpan| {
            let text = &record.as_bytes()[span.start..span.end];
            String::from_utf8(record::unescape(text, span.escape, &mut buffer).to_vec()).unwrap()
        };
        Ok(fields.iter().map(text).collect())
    }

    #[test]
    fn blanks_separate_and_are_no_text() {
        let blanks = |record| texts(RecordFormat::Blanks, record, &[]);
        assert_eq!(blanks(" 00001 19970101  1   11.77").unwrap(), ["00001", "19970101", "1", "11.77"]);
        assert_eq!(blanks("\ta  b\t").unwrap(), ["a", "b"]);
        assert!(blanks("  ").unwrap().is_empty());
    }

    #[test]
    fn members_of_an_object_are_fields() {
        let names = ["a", "b", "c", "d", "ü"];
        let json = |record| texts(RecordFormat::NdJson, record, &names);
        assert_eq!(
            json(
                r#"{"b": 35.790, "x": [1, {"a": 2}], "a": "say \"hi\"\n\u00fc", "c": null, "d": {"k": [1,2]}}"#
            ),
            Ok(vec![
                "say \"hi\"\nü".into(),
                "35.790".into(),
                String::new(),
                "{\"k\": [1,2]}".into(),
                String::new()
            ])
        );
        assert_eq!(json(r#"{"\u00fc":true}"#).unwrap()[4], "true");
        assert_eq!(json("  {} ").unwrap(), ["", "", "", "", ""]);
        for broken in [r#"{"a":1,"a":2}"#, "[1]", r#"{"a":1"#, r#"{"a":1} x"#, "", r#"{"a":01}"#, "\"a\""] {
            assert_eq!(json(broken), Err(Reason::InvalidJson), "{broken}");
        }
        assert!(json_fault(br#"{"a":1,"a":2}"#, &["a".to_owned()]).contains("the key `a` stands twice"));
    }

    #[test]
    fn lines_are_records_up_to_a_mebibyte() {
        let end = |data: &[u8], last| RecordFormat::NdJson.record_end(data, 0, last);
        assert_eq!(end(b"{\"a\":\"\n\"}", false), RecordEnd::Whole(7));
        assert_eq!(end(b"{}", false), RecordEnd::Undecided);
        assert_eq!(end(b"{}", true), RecordEnd::Whole(2));
        let mut long = vec![b'x'; MAX_RECORD_BYTES + 1];
        assert_eq!(end(&long, false), RecordEnd::Undecided);
        assert_eq!(end(&long, true), RecordEnd::TooLong(MAX_RECORD_BYTES + 1));
        long.push(b'\n');
        assert_eq!(end(&long, false), RecordEnd::TooLong(MAX_RECORD_BYTES + 2));
    }

    proptest! {
        /// Whatever serde_json writes is read back, and nothing else panics.
        #[test]
        fn objects_are_read_back(a in ".{0,12}", b in any::<i64>(), noise in "[{}\\[\\]\":,a-c0-9\\\\ ]{0,30}") {
            let record = serde_json::json!({ "b": b, "a": a }).to_string();
            prop_assert_eq!(texts(RecordFormat::NdJson, &record, &["a", "b"]), Ok(vec![a, b.to_string()]));
            let whole = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&noise);
            let split = texts(RecordFormat::NdJson, &noise, &[]);
            prop_assert_eq!(split.is_ok(), whole.is_ok(), "{}", noise);
        }
    }
}
