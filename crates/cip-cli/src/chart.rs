//! Bars and intervals as SVG, and pages of them: what any browser shows, the same bytes for the same numbers.

use crate::number::significant;

/// A bar from one value to another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// What is written at its end.
    pub(crate) note: String,
}

const WIDTH: f64 = 860.0;
const NAMES: f64 = 290.0;
const NOTES: f64 = 90.0;
const ROW: f64 = 26.0;
const TOP: f64 = 48.0;
/// For bars that go up, and for those that go down.
const COLOURS: [&str; 2] = ["#1f77b4", "#d62728"];
/// For what is neither.
const GREY: &str = "#777777";

/// Where numbers lie along a line, 0 among them.
#[derive(Debug, Clone, Copy)]
struct Scale {
    lowest: f64,
    highest: f64,
    /// Where the lowest lies, and the highest.
    ends: [f64; 2],
}

impl Scale {
    /// A scale that holds all finite ones of these numbers.
    fn of(values: impl Iterator<Item = f64>, ends: [f64; 2]) -> Self {
        let (lowest, highest) = values
            .filter(|value| value.is_finite())
            .fold((0.0, 0.0), |(low, high): (f64, f64), value| (low.min(value), high.max(value)));
        Self { lowest, highest, ends }
    }

    /// The place of a number; at an end where it lies beyond.
    fn place(&self, value: f64) -> f64 {
        let span = if self.highest > self.lowest { self.highest - self.lowest } else { 1.0 };
        let share = (value - self.lowest) / span;
        let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        self.ends[0] + (self.ends[1] - self.ends[0]) * share
    }

    /// The ends and 0, where they do not stand in each other's way.
    fn ticks(&self) -> Vec<f64> {
        let far = |tick: f64| (self.place(tick) - self.place(0.0)).abs() > 60.0;
        let ends = [self.lowest, self.highest].into_iter().filter(|&end| end != 0.0 && far(end));
        std::iter::once(0.0).chain(ends).collect()
    }
}

/// Between the names and the notes, which stand on either side.
fn across(values: impl Iterator<Item = f64>) -> Scale {
    Scale::of(values, [NAMES + NOTES, WIDTH - NOTES])
}

/// Returns a picture of bars, one below the other, on one scale.
pub(crate) fn bars(title: &str, bars: &[Bar]) -> String {
    let scale = across(bars.iter().flat_map(|bar| [bar.from, bar.to]));
    let height = TOP + ROW * bars.len() as f64 + 24.0;
    let mut svg = opened(title, height, scale.place(0.0));
    for (index, bar) in bars.iter().enumerate() {
        let y = TOP + ROW * index as f64;
        let (left, right) = (scale.place(bar.from.min(bar.to)), scale.place(bar.from.max(bar.to)));
        let down = bar.to < bar.from;
        let colour = COLOURS[usize::from(down)];
        let (at, anchor) = if down { (left - 5.0, "end") } else { (right + 5.0, "start") };
        let baseline = y + 13.0;
        svg.push_str(&format!(
            r#"<text x="{:.1}" y="{baseline:.1}" text-anchor="end">{}</text>
<rect x="{left:.1}" y="{y:.1}" width="{:.1}" height="18" fill="{colour}"/>
<text x="{at:.1}" y="{baseline:.1}" text-anchor="{anchor}">{}</text>
"#,
            NAMES - 8.0,
            escaped(&shortened(&bar.name)),
            (right - left).max(1.0),
            escaped(&bar.note),
        ));
    }
    svg.push_str("</svg>\n");
    svg
}

/// A value with the interval around it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Range {
    pub(crate) name: String,
    pub(crate) low: f64,
    pub(crate) middle: f64,
    pub(crate) high: f64,
    /// What is written at its end.
    pub(crate) note: String,
}

impl Range {
    /// The colour of what leaves 0 out, or of what does not.
    fn colour(&self) -> &'static str {
        match (self.low > 0.0, self.high < 0.0) {
            (true, _) => COLOURS[0],
            (_, true) => COLOURS[1],
            _ => GREY,
        }
    }
}

/// Returns a picture of intervals, one below the other, on one scale with a line at 0; those that leave 0 out have a colour.
pub(crate) fn intervals(title: &str, ranges: &[Range]) -> String {
    let scale = across(ranges.iter().flat_map(|range| [range.low, range.high]));
    let height = TOP + ROW * ranges.len() as f64 + 30.0;
    let mut svg = opened(title, height, scale.place(0.0));
    for (index, range) in ranges.iter().enumerate() {
        let y = TOP + ROW * index as f64 + 9.0;
        let [low, middle, high] = [range.low, range.middle, range.high].map(|end| scale.place(end));
        let (colour, baseline) = (range.colour(), y + 4.0);
        svg.push_str(&format!(
            r#"<text x="{:.1}" y="{baseline:.1}" text-anchor="end">{}</text>
<line x1="{low:.1}" y1="{y:.1}" x2="{high:.1}" y2="{y:.1}" stroke="{colour}" stroke-width="3"/>
<circle cx="{middle:.1}" cy="{y:.1}" r="5" fill="{colour}"/>
<text x="{:.1}" y="{baseline:.1}">{}</text>
"#,
            NAMES - 8.0,
            escaped(&shortened(&range.name)),
            high + 8.0,
            escaped(&range.note),
        ));
    }
    for tick in scale.ticks() {
        let (x, y) = (scale.place(tick), height - 10.0);
        svg.push_str(&tick_text(x, y, "middle", &significant(tick)));
    }
    svg.push_str("</svg>\n");
    svg
}

/// Returns a picture of values in their order, from left to right, with the band of their intervals and a line at 0.
pub(crate) fn sequence(title: &str, ranges: &[Range]) -> String {
    const HEIGHT: f64 = 280.0;
    const LEFT: f64 = 90.0;
    const BOTTOM: f64 = HEIGHT - 40.0;
    /// Names that stand beside each other.
    const NAMED: usize = 7;
    let scale = Scale::of(ranges.iter().flat_map(|range| [range.low, range.high]), [BOTTOM, TOP]);
    let right = WIDTH - NOTES;
    let steps = ranges.len().saturating_sub(1).max(1) as f64;
    let across = |index: usize| LEFT + (right - LEFT) * index as f64 / steps;
    let point = |index: usize, value: f64| format!("{:.1},{:.1}", across(index), scale.place(value));
    let join = |points: Vec<String>| points.join(" ");
    let (there, back): (Vec<_>, Vec<_>) = ranges
        .iter()
        .enumerate()
        .map(|(index, range)| (point(index, range.high), point(index, range.low)))
        .unzip();
    let middle = ranges.iter().enumerate().map(|(index, range)| point(index, range.middle));
    let colour = ranges.last().map_or(GREY, Range::colour);
    let mut svg = framed(title, [WIDTH, HEIGHT]);
    let zero = scale.place(0.0);
    svg.push_str(&format!(
        r##"<polygon points="{}" fill="{colour}" fill-opacity="0.18"/>
<line x1="{LEFT:.1}" y1="{zero:.1}" x2="{right:.1}" y2="{zero:.1}" stroke="#999999"/>
<polyline points="{}" fill="none" stroke="{colour}" stroke-width="3"/>
"##,
        join(there.into_iter().chain(back.into_iter().rev()).collect()),
        join(middle.collect()),
    ));
    for tick in scale.ticks() {
        svg.push_str(&tick_text(LEFT - 8.0, scale.place(tick) + 4.0, "end", &significant(tick)));
    }
    let every = ranges.len().div_ceil(NAMED).max(1);
    for (index, range) in ranges.iter().enumerate().step_by(every) {
        svg.push_str(&tick_text(across(index), BOTTOM + 22.0, "middle", &escaped(&range.name)));
    }
    if let Some((index, last)) = ranges.iter().enumerate().next_back() {
        let (x, y) = (across(index) + 8.0, scale.place(last.middle) + 4.0);
        svg.push_str(&format!("<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>\n", escaped(&last.note)));
    }
    svg.push_str("</svg>\n");
    svg
}

/// A number or a name beside a line.
fn tick_text(x: f64, y: f64, anchor: &str, text: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"11\" fill=\"#555555\">{text}</text>\n"
    )
}

/// Two shares of one thing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Twin {
    pub(crate) name: String,
    /// Of 0 to 1.
    pub(crate) values: [f64; 2],
    /// What is written at their ends.
    pub(crate) notes: [String; 2],
}

/// Returns a picture of pairs of bars, one below the other, on one scale from 0; `legend` names the two.
pub(crate) fn twins(title: &str, legend: [&str; 2], rows: &[Twin]) -> String {
    const SHADES: [&str; 2] = ["#9aa5b1", "#1f77b4"];
    const HALF: f64 = 9.0;
    let highest =
        rows.iter().flat_map(|row| row.values).filter(|value| value.is_finite()).fold(0.0, f64::max);
    let room = WIDTH - NAMES - NOTES;
    let height = TOP + ROW * (rows.len() + 1) as f64 + 14.0;
    let mut svg = opened(title, height, NAMES);
    let mut bar = |y: f64, of: usize, width: f64, note: &str| {
        svg.push_str(&format!(
            r#"<rect x="{NAMES:.1}" y="{y:.1}" width="{width:.1}" height="{HALF}" fill="{}"/>
<text x="{:.1}" y="{:.1}" font-size="10">{}</text>
"#,
            SHADES[of],
            NAMES + width + 5.0,
            y + HALF,
            escaped(note),
        ));
    };
    for (of, name) in legend.into_iter().enumerate() {
        bar(TOP + of as f64 * (HALF + 2.0), of, 14.0, name);
    }
    for (index, row) in rows.iter().enumerate() {
        for of in [0, 1] {
            let share = if highest > 0.0 { row.values[of] / highest } else { 0.0 };
            let width = if share.is_nan() { 0.0 } else { room * share.clamp(0.0, 1.0) };
            let y = TOP + ROW * (index + 1) as f64 + of as f64 * (HALF + 1.0);
            bar(y, of, width, &row.notes[of]);
        }
    }
    for (index, row) in rows.iter().enumerate() {
        svg.push_str(&format!(
            r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>
"#,
            NAMES - 8.0,
            TOP + ROW * (index + 1) as f64 + 13.0,
            escaped(&shortened(&row.name)),
        ));
    }
    svg.push_str("</svg>\n");
    svg
}

/// Returns a table for a page.
pub(crate) fn grid(header: &[&str], rows: &[Vec<String>]) -> String {
    let row = |tag: &str, cells: &mut dyn Iterator<Item = &str>| {
        let style = "style=\"padding: 2px 8px; border-bottom: 1px solid #dddddd; text-align: left\"";
        let cells: Vec<_> = cells.map(|cell| format!("<{tag} {style}>{}</{tag}>", escaped(cell))).collect();
        format!("<tr>{}</tr>\n", cells.concat())
    };
    let mut grid = String::from("<table style=\"border-collapse: collapse; font-size: 13px\">\n");
    grid.push_str(&row("th", &mut header.iter().copied()));
    for cells in rows {
        grid.push_str(&row("td", &mut cells.iter().map(String::as_str)));
    }
    grid.push_str("</table>\n");
    grid
}

/// Returns a page that needs no other file: a heading, paragraphs, and pictures or tables.
pub(crate) fn page(heading: &str, paragraphs: &[String], pictures: &[String]) -> String {
    let heading = escaped(heading);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{heading}</title></head>\n\
         <body style=\"font-family: sans-serif; max-width: 860px; margin: 2em auto\">\n<h1>{heading}</h1>\n"
    );
    for paragraph in paragraphs {
        page.push_str(&format!("<p>{}</p>\n", escaped(paragraph)));
    }
    pictures.iter().for_each(|picture| page.push_str(picture));
    page.push_str("</body>\n</html>\n");
    page
}

/// The start of a picture: its title, and a line at zero from top to bottom.
fn opened(title: &str, height: f64, zero: f64) -> String {
    let mut svg = framed(title, [WIDTH, height]);
    svg.push_str(&format!(
        "<line x1=\"{zero:.1}\" y1=\"{:.1}\" x2=\"{zero:.1}\" y2=\"{:.1}\" stroke=\"#999999\"/>\n",
        TOP - 8.0,
        height - 24.0,
    ));
    svg
}

/// A picture of nothing but its title.
pub(crate) fn framed(title: &str, [width, height]: [f64; 2]) -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="14" y="26" font-size="15">{}</text>
"##,
        escaped(title),
    )
}

/// A name that fits beside its bar.
pub(crate) fn shortened(name: &str) -> String {
    const MOST: usize = 38;
    if name.chars().count() <= MOST {
        return name.to_owned();
    }
    name.chars().take(MOST - 1).chain(['…']).collect()
}

/// Text as it may stand in XML; what may not stand there at all becomes a blank.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push(' '),
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(name: &str, from: f64, to: f64) -> Bar {
        Bar { name: name.to_owned(), from, to, note: format!("{to}") }
    }

    #[test]
    fn bars_lie_on_one_scale_and_names_are_text() {
        let svg = bars("a < b", &[bar("up & \"away\"", 0.0, 3.0), bar("down", 3.0, -1.0)]);
        assert!(svg.contains("a &lt; b") && svg.contains("up &amp; &quot;away&quot;"), "{svg}");
        // A span of 4 on 390: 3 up from the line, then all of it down.
        assert!(svg.contains(r##"width="292.5" height="18" fill="#1f77b4""##), "{svg}");
        assert!(svg.contains(r##"width="390.0" height="18" fill="#d62728""##), "{svg}");
        assert_eq!((svg.matches("<rect").count(), svg.ends_with("</svg>\n")), (3, true));
    }

    #[test]
    fn intervals_that_leave_zero_out_have_a_colour_and_a_page_needs_no_other_file() {
        let range = |low: f64, high: f64| Range {
            name: "a & b".to_owned(),
            low,
            middle: f64::midpoint(low, high),
            high,
            note: "+1".to_owned(),
        };
        let svg = intervals(
            "x",
            &[range(1.0, 3.0), range(-3.0, -1.0), range(-1.0, 1.0), range(f64::NEG_INFINITY, f64::NAN)],
        );
        // A span of 6 on 390.
        assert!(
            svg.contains(r##"<line x1="640.0" y1="57.0" x2="770.0" y2="57.0" stroke="#1f77b4""##),
            "{svg}"
        );
        assert_eq!((svg.matches(COLOURS[0]).count(), svg.matches(COLOURS[1]).count()), (2, 2));
        assert!(!svg.contains("NaN") && !svg.contains("inf") && svg.contains("a &amp; b"));
        let page = page("<b>", &["1 < 2".to_owned()], &[svg]);
        assert!(
            page.contains("<h1>&lt;b&gt;</h1>") && page.contains("<p>1 &lt; 2</p>") && page.contains("<svg")
        );
        assert!(!page.contains("src=") && !page.contains("href="));
    }

    #[test]
    fn a_sequence_is_a_line_in_its_band() {
        let range = |name: &str, middle: f64| Range {
            name: name.to_owned(),
            low: middle - 1.0,
            middle,
            high: middle + 1.0,
            note: format!("{middle}"),
        };
        let svg = sequence("a & b", &[range("mon", 0.0), range("tue", 3.0)]);
        // A span from -1 to 4 over 192 from the bottom at 240: 0 lies a fifth up, 3 at four fifths.
        assert!(svg.contains(r#"<polyline points="90.0,201.6 770.0,86.4""#), "{svg}");
        assert!(svg.contains(r#"<polygon points="90.0,163.2 770.0,48.0 770.0,124.8 90.0,240.0""#), "{svg}");
        assert!(svg.contains(">mon<") && svg.contains(">tue<") && svg.contains("a &amp; b"));
        // Of many days not all are named, and nothing is no line.
        let many: Vec<_> = (0..100).map(|day| range(&format!("day {day}"), f64::NAN)).collect();
        let svg = sequence("x", &many);
        assert_eq!(
            (svg.matches(">day ").count(), svg.contains("NaN,"), svg.contains("inf")),
            (7, false, false)
        );
        assert!(sequence("nothing", &[]).contains("nothing"));
    }

    #[test]
    fn hostile_names_and_numbers_make_a_picture_as_well() {
        let svg = bars("\u{0}]]>", &[bar(&"ä".repeat(90), f64::NAN, f64::INFINITY), bar("", 0.0, 0.0)]);
        assert!(!svg.contains('\u{0}') && !svg.contains("]]>"), "{svg}");
        assert!(svg.contains(&format!("{}…", "ä".repeat(37))), "{svg}");
        assert!(!svg.contains(r#"x="NaN""#) && !svg.contains(r#"width="NaN""#), "{svg}");
        assert!(bars("nothing", &[]).contains("nothing"));
    }

    #[test]
    fn twins_share_a_scale_and_tables_are_text() {
        let twin = |name: &str, values: [f64; 2]| Twin {
            name: name.to_owned(),
            values,
            notes: values.map(|value| format!("{value}")),
        };
        let svg = twins("x", ["before", "after"], &[twin("a < b", [0.5, 0.25]), twin("", [f64::NAN, 0.0])]);
        // A share of .5 on 480.
        assert!(svg.contains(r#"width="480.0""#) && svg.contains(r#"width="240.0""#), "{svg}");
        assert!(svg.contains("a &lt; b") && svg.contains(">before<") && !svg.contains(r#"width="NaN""#));
        let table = grid(&["a & b"], &[vec!["<b>".to_owned()]]);
        assert!(table.contains(">a &amp; b</th>") && table.contains(">&lt;b&gt;</td>"), "{table}");
    }
}
