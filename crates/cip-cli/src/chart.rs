//! Bars and intervals as SVG, and pages of them: what any browser shows, the same bytes for the same numbers.

/// A bar from one value to another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// What is written at its end.
    pub(crate) note: String,
}

const WIDTH: f64 = 820.0;
const NAMES: f64 = 290.0;
const NOTES: f64 = 70.0;
const ROW: f64 = 26.0;
const TOP: f64 = 48.0;
/// For bars that go up, and for those that go down.
const COLOURS: [&str; 2] = ["#1f77b4", "#d62728"];

/// Returns a picture of bars, one below the other, on one scale.
pub(crate) fn bars(title: &str, bars: &[Bar]) -> String {
    let ends = || bars.iter().flat_map(|bar| [bar.from, bar.to]).filter(|end| end.is_finite());
    let (lowest, highest) = (ends().fold(0.0, f64::min), ends().fold(0.0, f64::max));
    let span = if highest > lowest { highest - lowest } else { 1.0 };
    // Notes stand on either side of a bar.
    let room = WIDTH - NAMES - 2.0 * NOTES;
    let place = |value: f64| {
        let share = (value - lowest) / span;
        NAMES + NOTES + room * if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    };
    let height = TOP + ROW * bars.len() as f64 + 14.0;
    let mut svg = opened(title, height, place(0.0));
    for (index, bar) in bars.iter().enumerate() {
        let y = TOP + ROW * index as f64;
        let (left, right) = (place(bar.from.min(bar.to)), place(bar.from.max(bar.to)));
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

/// Returns a picture of intervals, one below the other, on one scale with a line at 0; those that leave 0 out have a colour.
pub(crate) fn intervals(title: &str, ranges: &[Range]) -> String {
    let ends = || ranges.iter().flat_map(|range| [range.low, range.high]).filter(|end| end.is_finite());
    let (lowest, highest) = (ends().fold(0.0, f64::min), ends().fold(0.0, f64::max));
    let span = if highest > lowest { highest - lowest } else { 1.0 };
    let room = WIDTH - NAMES - 2.0 * NOTES;
    let place = |value: f64| {
        let share = (value - lowest) / span;
        NAMES + NOTES + room * if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    };
    let height = TOP + ROW * ranges.len() as f64 + 14.0;
    let mut svg = opened(title, height, place(0.0));
    for (index, range) in ranges.iter().enumerate() {
        let y = TOP + ROW * index as f64 + 9.0;
        let [low, middle, high] = [range.low, range.middle, range.high].map(place);
        let colour = match (range.low > 0.0, range.high < 0.0) {
            (true, _) => COLOURS[0],
            (_, true) => COLOURS[1],
            _ => "#777777",
        };
        let baseline = y + 4.0;
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
    svg.push_str("</svg>\n");
    svg
}

/// Returns a page that needs no other file: a heading, paragraphs, and pictures.
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

/// The start of a picture: its title, and a line at zero.
fn opened(title: &str, height: f64, zero: f64) -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="14" y="26" font-size="15">{}</text>
<line x1="{zero:.1}" y1="{:.1}" x2="{zero:.1}" y2="{:.1}" stroke="#999999"/>
"##,
        escaped(title),
        TOP - 8.0,
        height - 8.0,
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
            svg.contains(r##"<line x1="620.0" y1="57.0" x2="750.0" y2="57.0" stroke="#1f77b4""##),
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
    fn hostile_names_and_numbers_make_a_picture_as_well() {
        let svg = bars("\u{0}]]>", &[bar(&"ä".repeat(90), f64::NAN, f64::INFINITY), bar("", 0.0, 0.0)]);
        assert!(!svg.contains('\u{0}') && !svg.contains("]]>"), "{svg}");
        assert!(svg.contains(&format!("{}…", "ä".repeat(37))), "{svg}");
        assert!(!svg.contains(r#"x="NaN""#) && !svg.contains(r#"width="NaN""#), "{svg}");
        assert!(bars("nothing", &[]).contains("nothing"));
    }
}
