//! Worlds in memory, and a plain reader of their CSV.

use cip_synth::{Generator, World};

/// The text of a world.
pub(crate) fn text(generator: &Generator) -> String {
    let mut bytes = Vec::new();
    generator.stream_to(&mut bytes, &mut |_| {}).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// The rows of a world, without the header.
pub(crate) fn rows(world: World, events: u64, seed: u64) -> Vec<Vec<String>> {
    parse(&text(&Generator::new(world, events, seed)))
}

/// The rows of a CSV text, without the header; every line must end in LF.
pub(crate) fn parse(text: &str) -> Vec<Vec<String>> {
    assert!(text.ends_with('\n') && !text.contains('\r'));
    text.lines().skip(1).map(fields).collect()
}

/// The fields of a line (RFC 4180).
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        let field = fields.last_mut().unwrap();
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => field.push(chars.next().unwrap()),
            '"' if quoted => {
                quoted = false;
                assert!(matches!(chars.peek(), None | Some(',')), "text after a closing quote: {line}");
            }
            '"' => {
                assert!(field.is_empty(), "a quote inside a plain field: {line}");
                quoted = true;
            }
            ',' if !quoted => fields.push(String::new()),
            _ => field.push(c),
        }
    }
    assert!(!quoted, "an open quote: {line}");
    fields
}

/// Whether `text` is a lower-case version 4 UUID.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, byte)| match i {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => byte == b'4',
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// Whether `text` is a time whose parts are in range, by a pattern in which `0` stands for a digit.
pub(crate) fn is_time(text: &str, pattern: &str) -> bool {
    let shape = text.len() == pattern.len()
        && text
            .bytes()
            .zip(pattern.bytes())
            .all(|(b, p)| if p == b'0' { b.is_ascii_digit() } else { b == p });
    let part = |from: usize| text[from..from + 2].parse::<u32>().unwrap();
    shape
        && (1..=12).contains(&part(5))
        && (1..=31).contains(&part(8))
        && part(11) < 24
        && part(14) < 60
        && part(17) < 60
}

/// The share of `rows` for which `test` holds.
pub(crate) fn share(rows: &[Vec<String>], test: impl Fn(&[String]) -> bool) -> f64 {
    rows.iter().filter(|row| test(row)).count() as f64 / rows.len() as f64
}

/// The probability that a positive has a higher score than a negative: the area under the ROC curve.
pub(crate) fn auc(mut scored: Vec<(f64, bool)>) -> f64 {
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut rank, mut sum) = (0.0, 0.0);
    for ties in scored.chunk_by(|a, b| a.0 == b.0) {
        let positives = ties.iter().filter(|(_, positive)| *positive).count() as f64;
        sum += positives * (rank + (ties.len() as f64 + 1.0) / 2.0);
        rank += ties.len() as f64;
    }
    let positives = scored.iter().filter(|(_, positive)| *positive).count() as f64;
    (sum - positives * (positives + 1.0) / 2.0) / (positives * (rank - positives))
}
