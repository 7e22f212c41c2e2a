//! Where records end and fields begin: CSV as RFC 4180 has it, and what to do where a file breaks its rules.
//!
//! The delimiter and the quote are those of the file's [`Marks`]; without a quote every line end ends a record.
//! A quote opens a field only as its first byte; two of it inside stand for one quote. A quote that is not closed within
//! [`MAX_RECORD_BYTES`] (or by the end of the file) costs its own line and not the rest of the file: that line is
//! one broken record, and reading goes on after it. The same bytes give the same records wherever chunks are cut.

use memchr::{memchr, memchr2, memrchr};

/// A longer record is rejected; it bounds what must be held to find a record's end.
pub(crate) const MAX_RECORD_BYTES: usize = 1 << 20;

/// The bytes that have a meaning in a file of CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) delimiter: u8,
    /// None where nothing quotes.
    pub(crate) quote: Option<u8>,
}

impl Marks {
    /// Fields between these delimiters, quoted as in RFC 4180.
    pub(crate) const fn usual(delimiter: u8) -> Self {
        Self { delimiter, quote: Some(b'"') }
    }
}

/// Where a record ends, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordEnd {
    /// After its line end, or at the end of the data.
    Whole(usize),
    /// After the line on which a quote was opened that is not closed, or not before the record is too long.
    Unclosed(usize),
    /// After a line that is longer than [`MAX_RECORD_BYTES`].
    TooLong(usize),
    /// Not to be told before more data is there.
    Undecided,
}

/// Returns the end of the record that starts at `start`. `last`: no data follows.
pub(crate) fn record_end(data: &[u8], start: usize, marks: Marks, last: bool) -> RecordEnd {
    let end = match unbounded_end(data, start, marks, last) {
        RecordEnd::Undecided => data.len(),
        RecordEnd::Whole(end) | RecordEnd::Unclosed(end) | RecordEnd::TooLong(end)
            if end - start > MAX_RECORD_BYTES =>
        {
            end
        }
        decided => return decided,
    };
    if end - start <= MAX_RECORD_BYTES {
        return RecordEnd::Undecided;
    }
    // The first line alone decides: it is there however the data was cut.
    match memchr(b'\n', &data[start..]) {
        Some(line) if line < MAX_RECORD_BYTES => RecordEnd::Unclosed(start + line + 1),
        Some(line) => RecordEnd::TooLong(start + line + 1),
        None if last => RecordEnd::TooLong(data.len()),
        None => RecordEnd::Undecided,
    }
}

fn unbounded_end(data: &[u8], start: usize, Marks { delimiter, quote }: Marks, last: bool) -> RecordEnd {
    let mut at = start;
    loop {
        let found = match quote {
            Some(quote) => memchr2(quote, b'\n', &data[at..]),
            None => memchr(b'\n', &data[at..]),
        };
        let Some(found) = found else {
            return if last { RecordEnd::Whole(data.len()) } else { RecordEnd::Undecided };
        };
        let place = at + found;
        let Some(quote) = quote.filter(|_| data[place] != b'\n') else {
            return RecordEnd::Whole(place + 1);
        };
        let opens = place == start || data[place - 1] == delimiter;
        if !opens {
            at = place + 1;
            continue;
        }
        let limit = start + MAX_RECORD_BYTES;
        match closing_quote(data, quote, place + 1, limit) {
            Some(closing) if closing + 1 < data.len() || last => at = closing + 1,
            // A quote as the very last byte may be the first half of an escaped one.
            Some(_) => return RecordEnd::Undecided,
            None if !last && data.len() < limit => return RecordEnd::Undecided,
            None => match memchr(b'\n', &data[start..]) {
                Some(line) => return RecordEnd::Unclosed(start + line + 1),
                None if last => return RecordEnd::Unclosed(data.len()),
                None => return RecordEnd::Undecided,
            },
        }
    }
}

/// Returns the quote that ends a field whose text starts at `from`, looking no further than `limit`.
fn closing_quote(data: &[u8], quote: u8, from: usize, limit: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let place = at + memchr(quote, data.get(at..data.len().min(limit))?)?;
        if data.get(place + 1) != Some(&quote) {
            return Some(place);
        }
        at = place + 2;
    }
}

/// Returns the end of the last line in `data`, or 0 where none ends.
pub(crate) fn last_line_end(data: &[u8]) -> usize {
    memrchr(b'\n', data).map_or(0, |place| place + 1)
}

/// Returns the end of the last whole record in `data`, which starts at a record, or 0 where none is whole.
pub(crate) fn last_record_end(data: &[u8], marks: Marks) -> usize {
    if marks.quote.is_none_or(|quote| memchr(quote, data).is_none()) {
        return last_line_end(data);
    }
    let mut end = 0;
    while end < data.len() {
        match record_end(data, end, marks, false) {
            RecordEnd::Whole(next) | RecordEnd::Unclosed(next) | RecordEnd::TooLong(next) => end = next,
            RecordEnd::Undecided => break,
        }
    }
    end
}

/// The text of a field inside a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FieldSpan {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) escape: Escape,
}

/// How a field's text differs from its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// Not at all.
    None,
    /// Two of this quote stand for one.
    Quotes(u8),
    /// Backslashes, as in a JSON string.
    Json,
}

/// A record whose closing quote is followed by more text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TextAfterQuote;

/// Splits a record (without its line end) into fields.
pub(crate) fn split_fields(
    record: &[u8],
    Marks { delimiter, quote }: Marks,
    fields: &mut Vec<FieldSpan>,
) -> Result<(), TextAfterQuote> {
    fields.clear();
    let mut start = 0;
    loop {
        if let Some(quote) = quote.filter(|quote| record.get(start) == Some(quote)) {
            let closing = closing_quote(record, quote, start + 1, record.len()).ok_or(TextAfterQuote)?;
            let text = &record[start + 1..closing];
            let escape = if memchr(quote, text).is_some() { Escape::Quotes(quote) } else { Escape::None };
            fields.push(FieldSpan { start: start + 1, end: closing, escape });
            match record.get(closing + 1) {
                None => return Ok(()),
                Some(&byte) if byte == delimiter => start = closing + 2,
                Some(_) => return Err(TextAfterQuote),
            }
        } else {
            match memchr(delimiter, &record[start..]) {
                Some(length) => {
                    fields.push(FieldSpan { start, end: start + length, escape: Escape::None });
                    start += length + 1;
                }
                None => {
                    fields.push(FieldSpan { start, end: record.len(), escape: Escape::None });
                    return Ok(());
                }
            }
        }
    }
}

/// Returns a record without its line end (LF or CRLF).
pub(crate) fn trim_line_end(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}

/// Returns a field's text, with escapes undone in `buffer`.
pub(crate) fn unescape<'a>(text: &'a [u8], escape: Escape, buffer: &'a mut Vec<u8>) -> &'a [u8] {
    buffer.clear();
    let quote = match escape {
        Escape::None => return text,
        Escape::Json => {
            let quoted = [b"\"", text, b"\""].concat();
            // It was read as JSON once.
            let text: String = serde_json::from_slice(&quoted).unwrap_or_default();
            buffer.extend_from_slice(text.as_bytes());
            return buffer;
        }
        Escape::Quotes(quote) => quote,
    };
    let mut rest = text;
    while let Some(place) = memchr(quote, rest) {
        buffer.extend_from_slice(&rest[..=place]);
        rest = rest.get(place + 2..).unwrap_or_default();
    }
    buffer.extend_from_slice(rest);
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COMMAS: Marks = Marks::usual(b',');

    fn records(data: &[u8]) -> Vec<(&[u8], bool)> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < data.len() {
            let (end, whole) = match record_end(data, at, COMMAS, true) {
                RecordEnd::Whole(end) => (end, true),
                RecordEnd::Unclosed(end) | RecordEnd::TooLong(end) => (end, false),
                RecordEnd::Undecided => unreachable!("the data is complete"),
            };
            found.push((&data[at..end], whole));
            at = end;
        }
        found
    }

    fn fields(record: &str) -> Result<Vec<String>, TextAfterQuote> {
        let (mut spans, mut buffer) = (Vec::new(), Vec::new());
        split_fields(record.as_bytes(), COMMAS, &mut spans)?;
        Ok(spans
            .iter()
            .map(|span| {
                let text = unescape(&record.as_bytes()[span.start..span.end], span.escape, &mut buffer);
                String::from_utf8(text.to_vec()).unwrap()
            })
            .collect())
    }

    #[test]
    fn quotes_protect_commas_line_ends_and_quotes() {
        assert_eq!(fields(r#"a,"b,c","d""e",f"g"#).unwrap(), ["a", "b,c", "d\"e", "f\"g"]);
        assert_eq!(fields("").unwrap(), [""]);
        assert_eq!(fields(r#"a,,"","#).unwrap(), ["a", "", "", ""]);
        assert_eq!(fields(r#""a"b,c"#), Err(TextAfterQuote));
        assert_eq!(records(b"a,\"b\nc\"\nd\n").len(), 2);
        assert_eq!(records(b"a\r\nb"), [(&b"a\r\n"[..], true), (b"b", true)]);
    }

    #[test]
    fn a_quote_never_closed_costs_one_line() {
        let data = b"a,\"b\nc,d\ne,f\n";
        assert_eq!(records(data), [(&b"a,\"b\n"[..], false), (b"c,d\n", true), (b"e,f\n", true)]);
    }

    proptest! {
        /// Wherever the data is cut, the records before the cut are those of the whole.
        #[test]
        fn cuts_do_not_change_the_records(data in "[ab,\"\n\r]{0,60}", cut in 0usize..60) {
            let data = data.as_bytes();
            let whole: Vec<_> = records(data);
            let cut = cut.min(data.len());
            let end = last_record_end(&data[..cut], COMMAS);
            let mut starts = vec![0];
            for (record, _) in &whole {
                starts.push(starts[starts.len() - 1] + record.len());
            }
            prop_assert!(starts.contains(&end), "{end} is not a border of {starts:?}");
            let mut pieces = records(&data[..end]);
            pieces.extend(records(&data[end..]));
            prop_assert_eq!(pieces, whole);
        }
    }
}
