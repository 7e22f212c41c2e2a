//! The header line of a file, held against the mapping.

use std::path::Path;

use crate::error::IngestError;
use crate::format::{RecordFormat, object_keys};
use crate::mapping::SourceMapping;
use crate::record::{trim_line_end, unescape};
use crate::source::Header;

/// Returns the columns of a file whose first record is `record`, where its records are written in `format`.
///
/// # Errors
/// [`IngestError::EmptyFile`], [`IngestError::NotText`], and [`IngestError::Header`] where a column that the
/// mapping reads is missing or stands twice; of JSON objects, where the first has none of the columns.
pub(crate) fn read_header(
    path: &Path,
    record: &[u8],
    mapping: &SourceMapping,
    format: RecordFormat,
) -> Result<Header, IngestError> {
    let wanted = mapping.source_columns();
    let line = trim_line_end(record);
    if record.is_empty() {
        return Err(IngestError::EmptyFile { path: path.to_owned(), expected: wanted.join(", ") });
    }
    let text = simdutf8::basic::from_utf8(line).ok().filter(|text| !text.contains('\0'));
    let Some(text) = text else {
        let found = match line {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "a UTF-16 byte order mark (save it as UTF-8)".to_owned(),
            _ => format!("the bytes {:02x?}", &line[..line.len().min(8)]),
        };
        return Err(IngestError::NotText { path: path.to_owned(), found });
    };
    let refuse = |missing: String| IngestError::Header {
        path: path.to_owned(),
        mapping: mapping.name().to_owned(),
        missing,
        found: shorten(text),
    };
    if format == RecordFormat::NdJson {
        // A first record that is broken is rejected as any other.
        let keys = object_keys(line).unwrap_or_default();
        if !keys.is_empty() && !wanted.iter().any(|&name| keys.iter().any(|key| key == name)) {
            return Err(refuse(format!("all of `{}`", wanted.join("`, `"))));
        }
        let left_out = keys.into_iter().filter(|key| !wanted.contains(&key.as_str())).collect();
        let names = wanted.iter().map(|&name| name.to_owned()).collect();
        return Ok(Header { names, lines: 0, format, left_out });
    }
    let mut spans = Vec::new();
    if format.split(line, &[], &mut spans).is_err() {
        return Err(refuse("a header with closed quotes".to_owned()));
    }
    let mut buffer = Vec::new();
    let names: Vec<String> = spans
        .iter()
        .map(|span| {
            String::from_utf8_lossy(unescape(&line[span.start..span.end], span.escape, &mut buffer))
                .into_owned()
        })
        .collect();
    let missing: Vec<String> = wanted
        .iter()
        .filter_map(|&name| match names.iter().filter(|candidate| *candidate == name).count() {
            0 => Some(format!("`{name}`")),
            1 => None,
            times => Some(format!("a single `{name}` (it stands {times} times)")),
        })
        .collect();
    if !missing.is_empty() {
        return match mapping.columns_without_header(names.len()) {
            Some(names) => Ok(Header { names: names.to_vec(), lines: 0, format, left_out: Vec::new() }),
            None => Err(refuse(missing.join(", "))),
        };
    }
    let lines = 1 + memchr::memchr_iter(b'\n', line).count() as u64;
    Ok(Header { names, lines, format, left_out: Vec::new() })
}

fn shorten(text: &str) -> String {
    const LIMIT: usize = 200;
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("`{}…`", &line[..end]),
        None => format!("`{line}`"),
    }
}
