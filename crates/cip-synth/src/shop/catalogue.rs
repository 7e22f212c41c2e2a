//! The shop's products: categories, themes of products that are looked at together, prices, brands.

use super::names::{CODED, FAMILIES, NAMELESS, NAMELESS_SHARE};
use crate::chance::{Alias, Dice, below, exponential, hash, scaled};
use crate::text::push_uint;

const PURPOSE: u64 = 0x0063_6174_616c_6f67;

/// Price limits of the real file, in cents.
const CHEAPEST: f64 = 77.0;
const DEAREST: f64 = 257_407.0;

/// A product, in 12 bytes: there are hundreds of thousands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product {
    pub(super) id: u32,
    pub(super) cents: u32,
    category: u16,
    brand: u16,
}

/// Products of one category that sessions tend to stay among.
#[derive(Debug, Clone, Copy)]
pub(super) struct Theme {
    first: u32,
    products: u32,
    /// The theme that sessions leave this one for most: bags with shoes, headphones with telephones.
    pub(super) partner: u32,
}

/// All products and themes. Nothing in it changes after [`Catalogue::new`].
#[derive(Debug)]
pub(super) struct Catalogue {
    products: Vec<Product>,
    themes: Vec<Theme>,
    popularity: Alias,
    /// `,category_id,category_code,` of every category.
    tails: Vec<Vec<u8>>,
    /// Every brand; the first is none.
    brands: Vec<&'static str>,
}

struct Category {
    id: u64,
    code: &'static str,
    weight: f64,
    price: f64,
    family: usize,
    first_brand: usize,
}

impl Catalogue {
    /// The catalogue for a shop of `events` events: 25,000 products at 2 million, growing with the square root.
    pub(super) fn new(events: u64, seed: u64) -> Self {
        let mut brands = vec![""];
        let mut first_brands = Vec::new();
        for family in &FAMILIES {
            first_brands.push(brands.len());
            brands.extend(family.brands);
        }
        let categories = categories(seed, &first_brands);
        let products = scaled(25_000.0, events, 2e6, 8).max(2_500);

        let mut dice = Dice::new(seed, PURPOSE, 1);
        let mut made = Self {
            products: Vec::new(),
            themes: Vec::new(),
            popularity: Alias::new(&[]),
            tails: Vec::new(),
            brands,
        };
        let mut weights = Vec::new();
        // Strong sellers have more products, but not in proportion.
        let roots: f64 = categories.iter().map(|category| category.weight.sqrt()).sum();
        let mut next_id = 1_000_000;
        for (number, category) in categories.iter().enumerate() {
            let share = (products as f64 * category.weight.sqrt() / roots) as u32;
            made.tails.push(tail(category));
            let first_theme = made.themes.len();
            let mut left = share.max(1);
            next_id = made.stock(category, number as u16, left, next_id, &mut dice);
            while left > 0 {
                let size = left.min(8 + dice.below(33) as u32);
                let first = made.products.len() as u32 - left;
                made.themes.push(Theme { first, products: size, partner: 0 });
                left -= size;
            }
            // Zipf among the themes of a category.
            let ranks = made.themes.len() - first_theme;
            let harmonic: f64 = (1..=ranks).map(|rank| 1.0 / (rank as f64 + 1.0)).sum();
            weights.extend((1..=ranks).map(|rank| category.weight / (rank as f64 + 1.0) / harmonic));
        }
        made.popularity = Alias::new(&weights);
        for theme in &mut made.themes {
            theme.partner = made.popularity.choose(dice.bits()) as u32;
        }
        made
    }

    /// Adds `count` products to a category, with ids from `next_id` on; returns the next category's first id.
    fn stock(&mut self, category: &Category, number: u16, count: u32, next_id: u32, dice: &mut Dice) -> u32 {
        let family = &FAMILIES[category.family];
        let mut id = next_id;
        for _ in 0..count {
            id += 1 + dice.below(4) as u32;
            let brand = if dice.chance(family.unbranded) {
                0
            } else {
                category.first_brand + dice.skewed(family.brands.len())
            };
            let price = category.price * 100.0 * exponential(0.6 * dice.normal());
            let cents = price.clamp(CHEAPEST, DEAREST) as u32;
            self.products.push(Product { id, cents, category: number, brand: brand as u16 });
        }
        (id / 100_000 + 1) * 100_000
    }

    /// A theme by popularity.
    #[inline]
    pub(super) fn theme(&self, bits: u64) -> u32 {
        self.popularity.choose(bits) as u32
    }

    /// The theme that sessions leave `theme` for most.
    #[inline]
    pub(super) fn partner(&self, theme: u32) -> u32 {
        self.themes[theme as usize].partner
    }

    /// A product of a theme by popularity.
    #[inline]
    pub(super) fn pick(&self, theme: u32, dice: &mut Dice) -> u32 {
        let theme = &self.themes[theme as usize];
        theme.first + dice.skewed(theme.products as usize) as u32
    }

    #[inline]
    pub(super) fn product(&self, product: u32) -> Product {
        self.products[product as usize]
    }

    /// `,category_id,category_code,` of a product.
    #[inline]
    pub(super) fn tail(&self, product: Product) -> &[u8] {
        &self.tails[usize::from(product.category)]
    }

    #[inline]
    pub(super) fn brand(&self, product: Product) -> &[u8] {
        self.brands[usize::from(product.brand)].as_bytes()
    }
}

fn categories(seed: u64, first_brands: &[usize]) -> Vec<Category> {
    let count = CODED.len() + NAMELESS;
    // Every category has a slot of ids of its own, so that no two are equal.
    let slot = 14_000_000_000 / count as u64;
    let id = |i: usize| {
        let place = (i * 101) % count;
        2_053_013_552_000_000_000 + place as u64 * slot + below(hash(seed, PURPOSE, i as u64), slot)
    };
    let coded_total: f64 = CODED.iter().map(|coded| f64::from(coded.weight)).sum();
    let nameless_total: f64 = (0..NAMELESS).map(|i| 1.0 / (i as f64 + 6.0)).sum();
    let coded = CODED.iter().enumerate().map(|(i, coded)| Category {
        id: id(i),
        code: coded.code,
        weight: (1.0 - NAMELESS_SHARE) * f64::from(coded.weight) / coded_total,
        price: coded.price,
        family: coded.family,
        first_brand: first_brands[coded.family],
    });
    let nameless = (0..NAMELESS).map(|i| {
        let mut dice = Dice::new(seed, PURPOSE, 1_000 + i as u64);
        // All families but telephones; the larger nameless categories of the real file are tyres, jewellery,
        // scent.
        let family = 1 + dice.below(FAMILIES.len() as u64 - 1) as usize;
        Category {
            id: id(CODED.len() + i),
            code: "",
            weight: NAMELESS_SHARE / (i as f64 + 6.0) / nameless_total,
            price: 90.0 * exponential(0.8 * dice.normal()),
            family,
            first_brand: first_brands[family],
        }
    });
    coded.chain(nameless).collect()
}

fn tail(category: &Category) -> Vec<u8> {
    let mut text = vec![b','];
    push_uint(&mut text, category.id);
    text.push(b',');
    text.extend_from_slice(category.code.as_bytes());
    text.push(b',');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn products_grow_below_linear_and_ids_are_unique() {
        let count = |events| Catalogue::new(events, 1).products.len();
        assert!((23_000..26_000).contains(&count(2_000_000)), "{}", count(2_000_000));
        assert!((170_000..220_000).contains(&count(110_000_000)), "{}", count(110_000_000));
        let catalogue = Catalogue::new(2_000_000, 1);
        let ids: HashSet<u32> = catalogue.products.iter().map(|product| product.id).collect();
        assert_eq!(ids.len(), catalogue.products.len());
        let categories: HashSet<&Vec<u8>> = catalogue.tails.iter().collect();
        assert_eq!(categories.len(), CODED.len() + NAMELESS);
    }

    #[test]
    fn themes_divide_the_products() {
        let catalogue = Catalogue::new(100_000, 5);
        let mut next = 0;
        for theme in &catalogue.themes {
            assert_eq!(theme.first, next);
            next += theme.products;
            let category = |at: u32| catalogue.product(at).category;
            assert_eq!(category(theme.first), category(next - 1));
        }
        assert_eq!(next as usize, catalogue.products.len());
    }
}
