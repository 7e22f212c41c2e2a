//! Maps of segments: which code of scores is which segment, and what to do with it.

use std::sync::Arc;

use serde::Deserialize;

use crate::error::RfmError;
use crate::segment::Segment;

/// Which segment each code of scores (r, f, m) is, and what to do with its customers. Every code has exactly one.
///
/// | map | segments | of |
/// |---|---|---|
/// | [`eight`](SegmentMap::eight) | those of [`Segment`] | r and f |
/// | [`five`](SegmentMap::five) | Champions, Loyal, Potential Loyalists, At Risk, Others | r, f and m |
/// | [`eleven`](SegmentMap::eleven) | Champions to Lost, each of the 125 codes by name | r, f and m |
/// | [`from_toml`](SegmentMap::from_toml) | your own | r, f and m |
///
/// # Examples
/// ```
/// use cip_rfm::SegmentMap;
/// let map = SegmentMap::from_toml(
///     r#"
///     bins = 3
///
///     [[segments]]
///     name = "Best"
///     action = "Thank them"
///     codes = ["333"]
///
///     [[segments]]
///     name = "Asleep"
///     scores = [{ r = [1, 1] }]
///
///     [[segments]]
///     name = "Others"
///     scores = [{ r = [2, 2] }, { r = [3, 3], f = [1, 2] }, { r = [3, 3], f = [3, 3], m = [1, 2] }]
///     "#,
/// )?;
/// assert_eq!(map.segment(3, 3, 3), Some("Best"));
/// assert_eq!(map.segment(1, 3, 3), Some("Asleep"));
/// assert_eq!(map.segment(4, 3, 3), None);
/// # Ok::<(), cip_rfm::RfmError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentMap {
    bins: u8,
    segments: Arc<[MappedSegment]>,
    /// The position of the segment of each code.
    codes: Arc<[u8]>,
}

/// A segment of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MappedSegment {
    /// Its name, as tables write it.
    pub name: String,
    /// What to do with its customers; none where a map does not say.
    pub action: Option<String>,
}

/// More segments than codes there are not.
const MOST_SEGMENTS: usize = 255;
const FIVE: u8 = 5;

impl SegmentMap {
    /// Returns the eight segments of [`Segment`], from the scores of recency and frequency.
    pub fn eight() -> Self {
        let segments = Segment::ALL.map(|segment| (segment.name(), segment.action()));
        Self::built_in(&segments, |r, f, _| Segment::of(r, f).index())
    }

    /// Returns the five segments that go with NTILE scores; the first rule that fits decides:
    ///
    /// | segment | rule |
    /// |---|---|
    /// | Champions | r, f and m 4 or more |
    /// | Loyal | r, f and m 3 or more |
    /// | Potential Loyalists | r 3 or more, f 2 or less |
    /// | At Risk | r 2 or less, f 3 or more |
    /// | Others | any other |
    pub fn five() -> Self {
        let segments = [
            ("Champions", "Reward them, and let them be the first to try what is new"),
            ("Loyal", "Offer them what goes with what they buy, and ask for reviews"),
            ("Potential Loyalists", "Offer a reason for the next order: a membership, or a related product"),
            ("At Risk", "Write personally, before they are gone, about what they used to buy"),
            ("Others", "Keep in touch at low cost"),
        ];
        Self::built_in(&segments, |r, f, m| match (r, f, m) {
            (4.., 4.., 4..) => 0,
            (3.., 3.., 3..) => 1,
            (3.., ..=2, _) => 2,
            (..=2, 3.., _) => 3,
            _ => 4,
        })
    }

    /// Returns the eleven segments of all 125 codes.
    ///
    /// # Method
    /// The list of codes that Squeezely publishes in its wiki; "Lost" are the six that it does not name.
    pub fn eleven() -> Self {
        let segments = ELEVEN.map(|(name, action, _)| (name, action));
        Self::built_in(&segments, |r, f, m| {
            let code = [b'0' + r, b'0' + f, b'0' + m];
            let named = |codes: &str| codes.split(' ').any(|named| named.as_bytes() == code);
            ELEVEN.iter().position(|(_, _, codes)| named(codes)).unwrap_or(ELEVEN.len() - 1)
        })
    }

    /// Returns the map that a TOML document describes.
    ///
    /// `bins`, 5 unless it is given, is the greatest score. Each of `segments` has a `name`, perhaps an `action`, and what it covers:
    /// `codes`, one digit a score, and `scores`, ranges of each score with both ends, of which one that is absent is any.
    ///
    /// # Errors
    /// [`RfmError::MapSyntax`], [`RfmError::Bins`], [`RfmError::MapSegments`]; [`RfmError::MapScores`], [`RfmError::MapOverlap`] and
    /// [`RfmError::MapGap`] unless every code is in exactly one segment.
    pub fn from_toml(text: &str) -> Result<Self, RfmError> {
        let document: Document = toml::from_str(text)?;
        let bins = document.bins.unwrap_or(FIVE);
        if !(3..=10).contains(&bins) {
            return Err(RfmError::Bins { bins });
        }
        let segments = document.segments.len();
        if !(1..=MOST_SEGMENTS).contains(&segments) {
            return Err(RfmError::MapSegments { segments, most: MOST_SEGMENTS });
        }
        let mut codes: Vec<Option<u8>> = vec![None; usize::from(bins).pow(3)];
        for (segment, at) in document.segments.iter().zip(0u8..) {
            for code in segment.covered(bins)? {
                let place = &mut codes[index(bins, code)];
                if let Some(first) = *place {
                    let [r, f, m] = code;
                    return Err(RfmError::MapOverlap {
                        r,
                        f,
                        m,
                        first: document.segments[usize::from(first)].name.clone(),
                        second: segment.name.clone(),
                    });
                }
                *place = Some(at);
            }
        }
        let gaps = codes.iter().filter(|code| code.is_none()).count();
        if let Some([r, f, m]) = all_codes(bins).find(|code| codes[index(bins, *code)].is_none()) {
            return Err(RfmError::MapGap { r, f, m, others: gaps - 1 });
        }
        let segments = document.segments.into_iter();
        Ok(Self {
            bins,
            segments: segments.map(|of| MappedSegment { name: of.name, action: of.action }).collect(),
            codes: codes.into_iter().flatten().collect(),
        })
    }

    fn built_in(segments: &[(&str, &str)], of: impl Fn(u8, u8, u8) -> usize) -> Self {
        let segment = |(name, action): &(&str, &str)| MappedSegment {
            name: (*name).to_owned(),
            action: Some((*action).to_owned()),
        };
        Self {
            bins: FIVE,
            segments: segments.iter().map(segment).collect(),
            codes: all_codes(FIVE).map(|[r, f, m]| of(r, f, m) as u8).collect(),
        }
    }

    /// The greatest score that it knows.
    pub fn bins(&self) -> u8 {
        self.bins
    }

    /// The segments, in the order in which tables list them.
    pub fn segments(&self) -> &[MappedSegment] {
        &self.segments
    }

    /// Returns the name of the segment of a code, or none where a score is not 1 to [`SegmentMap::bins`].
    pub fn segment(&self, r: u8, f: u8, m: u8) -> Option<&str> {
        let are_scores = [r, f, m].iter().all(|score| (1..=self.bins).contains(score));
        are_scores.then(|| self.segments[self.position([r, f, m])].name.as_str())
    }

    /// As [`SegmentMap::segment`], for scores: the position of the segment.
    pub(crate) fn position(&self, code: [u8; 3]) -> usize {
        usize::from(self.codes[index(self.bins, code)])
    }
}

impl Default for SegmentMap {
    /// Returns [`SegmentMap::eight`].
    fn default() -> Self {
        Self::eight()
    }
}

/// Every code, r the slowest and from 1 on.
fn all_codes(bins: u8) -> impl Iterator<Item = [u8; 3]> {
    (1..=bins).flat_map(move |r| (1..=bins).flat_map(move |f| (1..=bins).map(move |m| [r, f, m])))
}

fn index(bins: u8, code: [u8; 3]) -> usize {
    code.iter().fold(0, |index, score| index * usize::from(bins) + usize::from(score - 1))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    bins: Option<u8>,
    segments: Vec<DocumentSegment>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentSegment {
    name: String,
    action: Option<String>,
    #[serde(default)]
    codes: Vec<String>,
    #[serde(default)]
    scores: Vec<Ranges>,
}

/// Both ends are inside.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ranges {
    r: Option<[u8; 2]>,
    f: Option<[u8; 2]>,
    m: Option<[u8; 2]>,
}

impl DocumentSegment {
    fn covered(&self, bins: u8) -> Result<Vec<[u8; 3]>, RfmError> {
        let refuse = |scores: String| RfmError::MapScores { segment: self.name.clone(), scores, bins };
        let mut covered = Vec::new();
        for code in &self.codes {
            let digits: Option<Vec<u8>> = (code.bytes())
                .map(|digit| digit.checked_sub(b'0').filter(|score| (1..=bins.min(9)).contains(score)))
                .collect();
            match digits.as_deref() {
                Some(&[r, f, m]) => covered.push([r, f, m]),
                _ => return Err(refuse(format!("the code `{code}`"))),
            }
        }
        for Ranges { r, f, m } in &self.scores {
            let ends = [r, f, m].map(|range| range.unwrap_or([1, bins]));
            if let Some(range) = ends.iter().find(|[low, high]| !(1 <= *low && low <= high && *high <= bins))
            {
                return Err(refuse(format!("the range {range:?}")));
            }
            let inside = |code: &[u8; 3]| {
                code.iter().zip(ends).all(|(score, [low, high])| (low..=high).contains(score))
            };
            covered.extend(all_codes(bins).filter(inside));
        }
        Ok(covered)
    }
}

/// Name, action and codes, in the order of the list.
const ELEVEN: [(&str, &str, &str); 11] = [
    ("Champions", "Reward them, and let them be the first to try what is new", "555 554 544 545 454 455 445"),
    (
        "Loyal",
        "Offer them what goes with what they buy, and ask for reviews",
        "543 444 435 355 354 345 344 335",
    ),
    (
        "Potential Loyalist",
        "Offer a membership, and recommend related products",
        "553 551 552 541 542 533 532 531 452 451 442 441 431 453 433 432 423 353 352 351 342 341 333 323",
    ),
    ("New", "Welcome them, and make the second order easy", "512 511 422 421 412 411 311"),
    (
        "Promising",
        "Make the shop known to them, and offer something small for free",
        "525 524 523 522 521 515 514 513 425 424 413 414 415 315 314 313",
    ),
    ("Need Attention", "Make a limited offer that fits what they bought", "535 534 443 434 343 334 325 324"),
    (
        "About To Sleep",
        "Show what is popular, and offer a discount on coming back",
        "331 321 312 221 213 231 241 251",
    ),
    (
        "At Risk",
        "Write personally about what they used to buy, before they are gone",
        "255 254 245 244 253 252 243 242 235 234 225 224 153 152 145 143 142 135 134 133 125 124",
    ),
    (
        "Cannot Lose",
        "Call them, and win them back before a competitor does",
        "155 154 144 214 215 115 114 113",
    ),
    (
        "Hibernating",
        "Send an occasional offer of what they bought before",
        "332 322 233 232 223 222 132 123 122 212 211",
    ),
    ("Lost", "Try once to win them back, else leave them alone", "131 121 112 111 151 141"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn sizes(map: &SegmentMap) -> BTreeMap<&str, usize> {
        let mut sizes = BTreeMap::new();
        for [r, f, m] in all_codes(map.bins()) {
            *sizes.entry(map.segment(r, f, m).unwrap()).or_default() += 1;
        }
        sizes
    }

    #[test]
    fn the_eleven_cover_every_code_once() {
        let listed: Vec<&str> = ELEVEN.iter().flat_map(|(_, _, codes)| codes.split(' ')).collect();
        let mut distinct = listed.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!((listed.len(), distinct.len()), (125, 125));
        let map = SegmentMap::eleven();
        for (name, _, codes) in ELEVEN {
            for code in codes.split(' ') {
                let [r, f, m] = [0, 1, 2].map(|at| code.as_bytes()[at] - b'0');
                assert_eq!(map.segment(r, f, m), Some(name), "{code}");
            }
        }
        assert_eq!(sizes(&map).len(), 11);
    }

    #[test]
    fn the_five_are_their_rules_for_every_code() {
        let map = SegmentMap::five();
        for [r, f, m] in all_codes(5) {
            let expected = if r >= 4 && f >= 4 && m >= 4 {
                "Champions"
            } else if r >= 3 && f >= 3 && m >= 3 {
                "Loyal"
            } else if r >= 3 && f <= 2 {
                "Potential Loyalists"
            } else if r <= 2 && f >= 3 {
                "At Risk"
            } else {
                "Others"
            };
            assert_eq!(map.segment(r, f, m), Some(expected), "{r}{f}{m}");
        }
        // 18 of the others are r 3 or more, f 3 or more and m 2 or less; 20 are r 2 or less and f 2 or less.
        assert_eq!(
            sizes(&map),
            [("Champions", 8), ("Loyal", 19), ("Potential Loyalists", 30), ("At Risk", 30), ("Others", 38)]
                .into()
        );
    }

    #[test]
    fn the_eight_are_those_of_r_and_f() {
        let map = SegmentMap::eight();
        for [r, f, m] in all_codes(5) {
            assert_eq!(map.segment(r, f, m), Segment::from_scores(r, f).map(Segment::name), "{r}{f}{m}");
        }
        for map in [SegmentMap::eight(), SegmentMap::five(), SegmentMap::eleven()] {
            assert!(
                map.segments()
                    .iter()
                    .all(|segment| segment.action.as_ref().is_some_and(|action| !action.is_empty()))
            );
            assert_eq!(
                (map.segment(0, 1, 1), map.segment(1, 6, 1), map.segment(1, 1, 255)),
                (None, None, None)
            );
        }
    }

    #[test]
    fn a_map_of_one_s_own_must_cover_every_code_once() {
        let refuse = |text: &str| SegmentMap::from_toml(text).unwrap_err().to_string();
        let all = "[[segments]]\nname = \"All\"\nscores = [{}]\n";
        assert_eq!(sizes(&SegmentMap::from_toml(all).unwrap()), [("All", 125)].into());
        let ten = SegmentMap::from_toml(&format!("bins = 10\n{all}")).unwrap();
        assert_eq!((ten.segment(10, 10, 10), sizes(&ten)["All"]), (Some("All"), 1_000));
        let best = "[[segments]]\nname = \"Best\"\ncodes = [\"555\", \"554\"]\n";
        assert_eq!(
            refuse(best),
            "the scores 1-1-1, and 122 others, are in no segment, expected one: add them to one"
        );
        assert_eq!(
            refuse(&format!("{all}{best}")),
            "the scores 5-5-5 are in segment `All` and in segment `Best`, expected one: take them out of the other"
        );
        for (codes, found) in [
            ("codes = [\"556\"]", "the code `556`"),
            ("codes = [\"055\"]", "the code `055`"),
            ("codes = [\"55\"]", "the code `55`"),
            ("codes = [\"5é\"]", "the code `5é`"),
            ("scores = [{ f = [2, 1] }]", "the range [2, 1]"),
            ("scores = [{ m = [0, 1] }]", "the range [0, 1]"),
            ("scores = [{ r = [4, 6] }]", "the range [4, 6]"),
        ] {
            let error = refuse(&format!("[[segments]]\nname = \"X\"\n{codes}\n"));
            assert_eq!(
                error,
                format!(
                    "segment `X` has {found}, expected scores of 1 to 5, three of them or ranges [low, high]"
                )
            );
        }
        assert_eq!(refuse("bins = 11\nsegments = []"), "there are 11 bins, expected 3 to 10");
        assert_eq!(refuse("segments = []"), "the map has 0 segments, expected 1 to 255");
        assert!(refuse("segments = 3").starts_with("the map of segments cannot be read: "));
        assert!(refuse(&format!("colour = 1\n{all}")).contains("unknown field `colour`"));
    }
}
