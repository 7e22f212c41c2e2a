//! Dots as SVG: a beeswarm of features, and a feature's contributions by its values.

use crate::chart::{escaped, framed, shortened};

/// The dots of one feature: value (none where unknown) and contribution.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Swarm {
    pub(crate) name: String,
    pub(crate) points: Vec<(Option<f32>, f64)>,
}

const WIDTH: f64 = 820.0;
const NAMES: f64 = 230.0;
const TOP: f64 = 48.0;
const EDGE: f64 = 30.0;
/// For dots whose value is unknown.
const UNKNOWN: &str = "#999999";

/// Returns a picture of one line of dots a feature: contributions to the right, dots that would lie on each other above each other, the
/// colour from the lowest value (blue) to the highest (red), grey where it is unknown.
pub(crate) fn swarm(title: &str, rows: &[Swarm]) -> String {
    const ROW: f64 = 44.0;
    const BINS: usize = 120;
    const HIGHEST: f64 = 17.0;
    let scale = Scale::over(rows.iter().flat_map(|row| &row.points).map(|point| point.1).chain([0.0]));
    let room = WIDTH - NAMES - EDGE;
    let place = |value: f64| NAMES + room * scale.share(value);
    let height = TOP + ROW * rows.len() as f64 + EDGE;
    let mut svg = framed(title, [WIDTH, height]);
    svg.push_str(&line((place(0.0), TOP - 8.0), (place(0.0), height - EDGE)));
    for (index, row) in rows.iter().enumerate() {
        let middle = TOP + ROW * (index as f64 + 0.5);
        svg.push_str(&text((NAMES - 8.0, middle + 4.0), "end", &shortened(&row.name)));
        let values = Scale::over(row.points.iter().filter_map(|point| point.0).map(f64::from));
        let mut stacked = vec![0u32; BINS + 1];
        let bin = |contribution: f64| (scale.share(contribution) * BINS as f64) as usize;
        row.points.iter().for_each(|point| stacked[bin(point.1)] += 1);
        let most = stacked.iter().copied().max().unwrap_or(1).max(1);
        let mut seen = vec![0u32; BINS + 1];
        for &(value, contribution) in &row.points {
            let seen = &mut seen[bin(contribution)];
            // Up and down in turn; a crowd is pressed together rather than let into the next line.
            let side = if seen.is_multiple_of(2) { -1.0 } else { 1.0 };
            let step = (2.0 * HIGHEST / f64::from(most)).min(3.0);
            let y = middle + side * step * f64::from(seen.div_ceil(2));
            *seen += 1;
            svg.push_str(&dot((place(contribution), y), &colour(value, values)));
        }
    }
    svg.push_str(&text((NAMES, height - 8.0), "start", &format!("{:.2}", scale.low)));
    svg.push_str(&text((WIDTH - EDGE, height - 8.0), "end", &format!("{:.2}", scale.high)));
    svg.push_str("</svg>\n");
    svg
}

/// Returns a picture of contributions (upwards) by values (to the right); the unknown stand at the left edge, in grey. Values that are
/// codes have `names`, of which about a dozen are shown; of numbers the ends are.
pub(crate) fn scatter(title: &str, points: &[(Option<f32>, f64)], names: Option<&[String]>) -> String {
    const SHOWN: usize = 12;
    const HEIGHT: f64 = 420.0;
    const LEFT: f64 = 80.0;
    let across = Scale::over(points.iter().filter_map(|point| point.0).map(f64::from));
    let upwards = Scale::over(points.iter().map(|point| point.1).chain([0.0]));
    let (right, bottom) = (WIDTH - EDGE, HEIGHT - 40.0);
    let y = |value: f64| bottom - (bottom - TOP) * upwards.share(value);
    let mut svg = framed(title, [WIDTH, HEIGHT]);
    svg.push_str(&line((LEFT, y(0.0)), (right, y(0.0))));
    for &(value, contribution) in points {
        let x = value.map_or(LEFT - 30.0, |value| LEFT + (right - LEFT) * across.share(f64::from(value)));
        let colour = if value.is_some() { "#1f77b4" } else { UNKNOWN };
        svg.push_str(&dot((x, y(contribution)), colour));
    }
    for value in [upwards.low, upwards.high] {
        svg.push_str(&text((LEFT - 42.0, y(value) + 4.0), "end", &format!("{value:.2}")));
    }
    match names {
        None => {
            svg.push_str(&text((LEFT, HEIGHT - 12.0), "start", &format!("{}", across.low)));
            svg.push_str(&text((right, HEIGHT - 12.0), "end", &format!("{}", across.high)));
        }
        Some(names) => {
            let step = names.len().div_ceil(SHOWN).max(1);
            let seen = (0u32..)
                .zip(names)
                .filter(|(code, _)| (across.low..=across.high).contains(&f64::from(*code)));
            for (place, (code, name)) in seen.step_by(step).enumerate() {
                let x = LEFT + (right - LEFT) * across.share(f64::from(code));
                // Neighbours on two lines: names are long.
                let y = HEIGHT - if place % 2 == 0 { 24.0 } else { 8.0 };
                svg.push_str(&text((x, y), "middle", &shortened(name)));
            }
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// From the lowest to the highest of some numbers.
#[derive(Debug, Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// Over the numbers that are finite; from 0 to 0 where there are none.
    fn over(values: impl Iterator<Item = f64>) -> Self {
        let bounds = values.filter(|value| value.is_finite()).fold(None, |bounds, value| match bounds {
            None => Some((value, value)),
            Some((low, high)) => Some((f64::min(low, value), f64::max(high, value))),
        });
        let (low, high) = bounds.unwrap_or((0.0, 0.0));
        Self { low, high }
    }

    /// Where a number lies, 0 to 1; in the middle of a scale without a span.
    fn share(self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        if share.is_nan() { 0.5 } else { share.clamp(0.0, 1.0) }
    }
}

/// From blue to red, by where the value lies.
fn colour(value: Option<f32>, values: Scale) -> String {
    let Some(value) = value else { return UNKNOWN.to_owned() };
    let share = values.share(f64::from(value));
    let part = |low: f64, high: f64| (low + share * (high - low)).round() as u8;
    format!("#{:02x}{:02x}{:02x}", part(31.0, 214.0), part(119.0, 39.0), part(180.0, 40.0))
}

fn line(from: (f64, f64), to: (f64, f64)) -> String {
    format!(
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#999999\"/>\n",
        from.0, from.1, to.0, to.1
    )
}

fn text(at: (f64, f64), anchor: &str, words: &str) -> String {
    format!("<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>\n", at.0, at.1, escaped(words))
}

fn dot(at: (f64, f64), colour: &str) -> String {
    format!("<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2\" fill=\"{colour}\"/>\n", at.0, at.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_lie_on_one_scale_and_the_unknown_are_grey() {
        let row = |name: &str, points: &[(Option<f32>, f64)]| Swarm {
            name: name.to_owned(),
            points: points.to_vec(),
        };
        let svg = swarm(
            "a < b",
            &[row("x & y", &[(Some(1.0), -1.0), (Some(3.0), 3.0), (None, 3.0)]), row("none", &[])],
        );
        // A span of 4 on 560: -1 at the left, 3 at the right, 0 a quarter on.
        for text in [
            "a &lt; b",
            "x &amp; y",
            r#"cx="230.0""#,
            r#"cx="790.0""#,
            r#"x1="370.0""#,
            "#1f77b4",
            "#d62728",
            "#999999",
        ] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        assert_eq!(svg.matches("<circle").count(), 3);
        let svg = scatter("t", &[(Some(0.0), 0.5), (Some(10.0), -0.5), (None, 0.0)], None);
        assert!(
            svg.contains(r#"cx="80.0""#) && svg.contains(r#"cx="790.0""#) && svg.contains(r#"cx="50.0""#),
            "{svg}"
        );
        let names = ["a & b", "c", "d"].map(str::to_owned);
        let svg = scatter("t", &[(Some(0.0), 0.5), (Some(1.0), -0.5)], Some(&names));
        assert!(svg.contains(">a &amp; b<") && svg.contains(">c<") && !svg.contains(">d<"), "{svg}");
        for svg in [
            swarm("", &[row("", &[(Some(f32::INFINITY), f64::NAN)])]),
            scatter("", &[(None, f64::NAN)], None),
            scatter("", &[], None),
        ] {
            assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
