//! Standard output: text for people, or one line of JSON.

use std::io::{self, Write};

use crate::error::CliError;

/// What a command says in the end, in both forms.
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) json: serde_json::Value,
}

impl Answer {
    pub(crate) fn print(&self, json: bool) -> Result<(), CliError> {
        let mut text = if json { self.json.to_string() } else { self.text.clone() };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        match io::stdout().lock().write_all(text.as_bytes()) {
            // Whoever reads has read enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(CliError::Output),
        }
    }
}

/// Says why the command failed.
pub(crate) fn error(error: &CliError) {
    let _ = writeln!(io::stderr().lock(), "error: {error}");
}

/// Tells something that is not part of the answer.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Lines up rows in columns: the first to the left, the others, which are numbers, to the right.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    lines(
        header,
        rows,
        |column, cell, pad| if column == 0 { format!("{cell}{pad}") } else { format!("{pad}{cell}") },
    )
}

/// Lines up rows in columns of text: all to the left.
pub(crate) fn listing(header: &[&str], rows: &[Vec<String>]) -> String {
    lines(header, rows, |_, cell, pad| format!("{cell}{pad}"))
}

fn lines(header: &[&str], rows: &[Vec<String>], align: impl Fn(usize, &str, &str) -> String) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut row = String::new();
        for (column, (cell, width)) in cells.zip(&widths).enumerate() {
            let pad = " ".repeat(width - cell.chars().count());
            row.push_str(&format!("  {}", align(column, cell, &pad)));
        }
        text.push_str(row.trim_end());
        text.push('\n');
    };
    line(&mut header.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows =
            [vec!["Champions".to_owned(), "1,204".to_owned()], vec!["At Risk".to_owned(), "7".to_owned()]];
        assert_eq!(
            table(&["segment", "customers"], &rows),
            "  segment    customers\n  Champions      1,204\n  At Risk            7\n"
        );
        assert_eq!(
            listing(&["segment", "customers"], &rows),
            "  segment    customers\n  Champions  1,204\n  At Risk    7\n"
        );
    }
}
