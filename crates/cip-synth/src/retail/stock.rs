//! The wholesaler's stock: codes, descriptions and prices in the manner of UCI Online Retail.

use crate::chance::{Dice, exponential, scaled};

const PURPOSE: u64 = 0x0073_746f_636b;

/// Items of a family, which are bought together: one pattern on many things.
const FAMILY: u32 = 30;

const PATTERNS: [&str; 40] = [
    "RED RETROSPOT",
    "WHITE HANGING HEART",
    "PINK POLKADOT",
    "REGENCY",
    "VINTAGE UNION JACK",
    "WOODLAND",
    "BLUE HARMONICA",
    "CHILLI LIGHTS",
    "GINGHAM ROSE",
    "PACK OF 12 SPACEBOY",
    "DOLLY GIRL",
    "STRAWBERRY",
    "SKULLS",
    "CHARLOTTE BAG",
    "SUKI",
    "APPLE DESIGN",
    "DOILEY",
    "PAISLEY PARK",
    "IVORY KNITTED",
    "ANTIQUE SILVER",
    "ENAMEL FLOWER",
    "CIRCUS PARADE",
    "RUSTIC",
    "VICTORIAN",
    "FELTCRAFT",
    "BAROQUE",
    "JUMBO",
    "EMPIRE",
    "FAIRY TALE",
    "SCANDINAVIAN REDS",
    "FRENCH BLUE",
    "LAVENDER",
    "RETRO COFFEE",
    "ALPHABET",
    "HOME BUILDING BLOCK",
    "BLACK BAROQUE",
    "CREAM CUPID",
    "GLASS STAR",
    "ROSES REGENCY",
    "ZINC",
];

const THINGS: [&str; 36] = [
    "LUNCH BAG",
    "T-LIGHT HOLDER",
    "CAKESTAND 3 TIER",
    "PARTY BUNTING",
    "JUMBO BAG",
    "MUG",
    "HOT WATER BOTTLE",
    "WALL CLOCK",
    "TEA TOWEL",
    "DOORMAT",
    "PHOTO FRAME",
    "CAKE TIN",
    "TRINKET BOX",
    "COAT RACK",
    "ALARM CLOCK",
    "CANDLE",
    "NAPKINS",
    "BOWL",
    "TEACUP AND SAUCER",
    "SHOPPER",
    "STORAGE JAR",
    "DRAWER KNOB",
    "GIFT TAPE",
    "NOTEBOOK",
    "PENCILS",
    "HAND WARMER",
    "CUSHION",
    "WASHBAG",
    "LANTERN",
    "EGG CUPS",
    "RECIPE BOX",
    "JIGSAW BLOCKS",
    "WATERING CAN",
    "FIRST AID TIN",
    "KEY RING",
    "APRON",
];

/// An item of the stock.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) code: String,
    pub(super) description: String,
    pub(super) cents: u32,
}

/// All items; the first is the postage that foreign customers pay.
#[derive(Debug)]
pub(super) struct Stock {
    items: Vec<Item>,
}

impl Stock {
    /// Index of the postage.
    pub(super) const POSTAGE: u32 = 0;

    /// The stock for `rows` rows: 4,000 items at 540,000, growing with the square root.
    pub(super) fn new(rows: u64, seed: u64) -> Self {
        let count = scaled(4_000.0, rows, 540_000.0, 8).max(300) as u32;
        let mut dice = Dice::new(seed, PURPOSE, 0);
        let mut items =
            vec![Item { code: "POST".to_owned(), description: "POSTAGE".to_owned(), cents: 1_800 }];
        items.extend((0..count).map(|i| Item {
            code: code(i, &mut dice),
            description: description(i, &mut dice),
            cents: price(&mut dice),
        }));
        Self { items }
    }

    pub(super) fn item(&self, item: u32) -> &Item {
        &self.items[item as usize]
    }

    /// A family by popularity: the index of its first item.
    pub(super) fn family(&self, dice: &mut Dice) -> u32 {
        let families = (self.items.len() as u32 - 1).div_ceil(FAMILY);
        1 + dice.skewed(families as usize) as u32 * FAMILY
    }

    /// An item of a family by popularity.
    pub(super) fn pick(&self, family: u32, dice: &mut Dice) -> u32 {
        let size = FAMILY.min(self.items.len() as u32 - family);
        family + dice.skewed(size as usize) as u32
    }
}

/// Five digits or more, and a letter where an item comes in colours.
fn code(i: u32, dice: &mut Dice) -> String {
    let digits = 20_000 + i * 3 + dice.below(3) as u32;
    match dice.below(12) {
        0 => format!("{digits}A"),
        1 => format!("{digits}B"),
        2 => format!("{digits}{}", ["C", "D", "E", "F", "G", "L", "P", "S"][dice.below(8) as usize]),
        _ => digits.to_string(),
    }
}

fn description(i: u32, dice: &mut Dice) -> String {
    let family = i / FAMILY;
    let pattern = PATTERNS[family as usize % PATTERNS.len()];
    let thing = THINGS[(i % FAMILY + family) as usize % THINGS.len()];
    // As untidy as the original: commas, inches, blanks at the end.
    match dice.below(100) {
        0..6 => format!("{thing},{pattern} DESIGN"),
        6..9 => format!("{pattern} {thing} {}\" SIZE ", 5 + dice.below(8)),
        9..18 => format!("SET OF {} {pattern} {thing}", 3 + dice.below(4)),
        18..24 => format!("{pattern} {thing} "),
        24..30 => format!("{thing} {pattern} , LARGE"),
        _ => format!("{pattern} {thing}"),
    }
}

/// Log-normal around 1.65, ending as price tags end.
fn price(dice: &mut Dice) -> u32 {
    let exact = (165.0 * exponential(0.85 * dice.normal())).clamp(19.0, 16_500.0) as u32;
    let tag = [25, 45, 65, 85, 95][dice.below(5) as usize];
    if exact < 100 { exact / 10 * 10 + [2, 5, 9][dice.below(3) as usize] } else { exact / 100 * 100 + tag }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_some_descriptions_need_quotes() {
        let stock = Stock::new(540_000, 1);
        let codes: HashSet<&str> = stock.items.iter().map(|item| item.code.as_str()).collect();
        assert_eq!(codes.len(), stock.items.len());
        assert!(stock.items.iter().any(|item| item.description.contains('"')));
        assert!(stock.items.iter().any(|item| item.description.contains(',')));
        assert!(stock.items.iter().all(|item| item.cents > 0));
    }

    #[test]
    fn picks_stay_in_their_family() {
        let stock = Stock::new(1, 1);
        let mut dice = Dice::new(2, 2, 2);
        for _ in 0..2_000 {
            let family = stock.family(&mut dice);
            let item = stock.pick(family, &mut dice);
            assert!(item >= family && item < family + FAMILY && (item as usize) < stock.items.len());
            assert_ne!(item, Stock::POSTAGE);
        }
    }
}
