//! A page of headings, paragraphs, lists, tables and pictures, written as Markdown or HTML.

use std::fmt::Write;

/// A page.
#[derive(Debug, Clone)]
pub(super) struct Page {
    title: String,
    blocks: Vec<Block>,
}

/// A part of a page.
#[derive(Debug, Clone)]
pub(super) enum Block {
    Heading(String),
    Paragraph(String),
    List(Vec<String>),
    Table(Vec<String>, Vec<Vec<String>>),
    /// SVG; HTML alone shows it.
    Picture(String),
}

impl Page {
    pub(super) fn new(title: String) -> Self {
        Self { title, blocks: Vec::new() }
    }

    pub(super) fn push(&mut self, block: Block) {
        self.blocks.push(block);
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.push(Block::Heading(text.to_owned()));
    }

    pub(super) fn paragraph(&mut self, text: String) {
        self.push(Block::Paragraph(text));
    }

    pub(super) fn list(&mut self, items: Vec<String>) {
        self.push(Block::List(items));
    }

    pub(super) fn table(&mut self, header: &[&str], rows: Vec<Vec<String>>) {
        self.push(Block::Table(header.iter().map(ToString::to_string).collect(), rows));
    }

    pub(super) fn to_markdown(&self, mark: &str) -> String {
        let mut text = format!("{mark}\n# {}\n", markdown(&self.title));
        let row = |cells: &[String]| {
            format!("| {} |\n", cells.iter().map(|cell| markdown(cell)).collect::<Vec<_>>().join(" | "))
        };
        for block in &self.blocks {
            // Writing to a String cannot fail.
            let _ = match block {
                Block::Heading(heading) => writeln!(text, "\n## {}", markdown(heading)),
                Block::Paragraph(paragraph) => writeln!(text, "\n{}", markdown(paragraph)),
                Block::List(items) => {
                    text.push('\n');
                    items.iter().try_for_each(|item| writeln!(text, "- {}", markdown(item)))
                }
                Block::Table(header, rows) => {
                    let rule = "---|".repeat(header.len());
                    let rows: String = rows.iter().map(|cells| row(cells)).collect();
                    write!(text, "\n{}|{rule}\n{rows}", row(header))
                }
                Block::Picture(_) => Ok(()),
            };
        }
        text
    }

    pub(super) fn to_html(&self, mark: &str) -> String {
        let title = html(&self.title);
        let mut text = format!(
            "{mark}\n<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
             <body style=\"font-family: sans-serif; max-width: 860px; margin: 2em auto\">\n<h1>{title}</h1>\n"
        );
        let row = |cells: &[String], tag: &str| {
            let cells: String = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", html(cell))).collect();
            format!("<tr>{cells}</tr>\n")
        };
        for block in &self.blocks {
            match block {
                Block::Heading(heading) => text.push_str(&format!("<h2>{}</h2>\n", html(heading))),
                Block::Paragraph(paragraph) => text.push_str(&format!("<p>{}</p>\n", html(paragraph))),
                Block::List(items) => {
                    let items: String =
                        items.iter().map(|item| format!("<li>{}</li>\n", html(item))).collect();
                    text.push_str(&format!("<ul>\n{items}</ul>\n"));
                }
                Block::Table(header, rows) => {
                    let rows: String = rows.iter().map(|cells| row(cells, "td")).collect();
                    text.push_str(&format!("<table border=\"1\" cellpadding=\"4\" style=\"border-collapse: collapse\">\n{}{rows}</table>\n", row(header, "th")));
                }
                Block::Picture(svg) => text.push_str(svg),
            }
        }
        text.push_str("</body>\n</html>\n");
        text
    }
}

/// Text as it may stand in a line, or a cell, of Markdown.
fn markdown(text: &str) -> String {
    escaped(text, |letter| match letter {
        '|' | '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '#' => Some(format!("\\{letter}")),
        _ => None,
    })
}

/// Text as it may stand in HTML.
fn html(text: &str) -> String {
    escaped(text, |letter| match letter {
        '&' => Some("&amp;".to_owned()),
        '<' => Some("&lt;".to_owned()),
        '>' => Some("&gt;".to_owned()),
        '"' => Some("&quot;".to_owned()),
        _ => None,
    })
}

/// Text with some letters written in another way; control characters become blanks.
fn escaped(text: &str, other: impl Fn(char) -> Option<String>) -> String {
    let mut written = String::with_capacity(text.len());
    for letter in text.chars() {
        match other(letter) {
            Some(instead) => written.push_str(&instead),
            None => written.push(if letter.is_control() { ' ' } else { letter }),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_text_in_both_forms() {
        let mut page = Page::new("a <b>".to_owned());
        page.heading("c");
        page.table(&["x|y"], vec![vec!["<script>\n1".to_owned()]]);
        page.list(vec!["d & \"e\"".to_owned()]);
        page.push(Block::Picture("<svg></svg>\n".to_owned()));
        assert_eq!(
            page.to_markdown("<!-- m -->"),
            "<!-- m -->\n# a \\<b\\>\n\n## c\n\n| x\\|y |\n|---|\n| \\<script\\> 1 |\n\n- d & \"e\"\n"
        );
        let html = page.to_html("<!-- m -->");
        assert!(html.starts_with("<!-- m -->\n<!DOCTYPE html>") && html.contains("<h1>a &lt;b&gt;</h1>"));
        assert!(html.contains("<th>x|y</th>") && html.contains("<td>&lt;script&gt; 1</td>"), "{html}");
        assert!(html.contains("<li>d &amp; &quot;e&quot;</li>") && html.contains("<svg></svg>"), "{html}");
    }
}
