//! One session of the shop: who comes, what they look at, what they put into the cart and buy.

use super::catalogue::Catalogue;
use super::people::People;
use crate::calendar::DAY;
use crate::chance::{Dice, LogLogistic, hash};
use crate::treatment::{ShopEvent, Treatment};

const EXPERIMENT: u64 = 0x6578_7065_7269;

/// One row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    /// Seconds since the shop's start.
    pub(super) time: u32,
    pub(super) product: u32,
    pub(super) user: u32,
    pub(super) kind: ShopEvent,
    /// Whether the row lacks its price, as a few real ones do.
    pub(super) priceless: bool,
    /// What the session's UUID is made of.
    pub(super) session: u64,
}

/// The rates of what happens in a session.
///
/// # Method
/// After a view the next event is a cart, or an outright purchase, at a rate in proportion to the user's
/// propensity; after a cart it is a purchase at a rate that all users share. They are of the product just seen;
/// other events are views. The constants were fitted so that 94.9 % of the rows are views, 3.6 % carts and 1.5
/// % purchases.
#[derive(Debug)]
pub(super) struct Habits {
    length: LogLogistic,
    gap: LogLogistic,
}

/// Rate of a cart after a view, at the average propensity.
const CART: f64 = 0.077;
/// Rate of a purchase after a view, without a cart, at the average propensity.
const OUTRIGHT: f64 = 0.0064;
/// No user puts more than this share of views into the cart.
const MOST: f64 = 0.45;
/// Rate of a purchase after a cart.
const CHECKOUT: f64 = 0.42;
/// Rate of looking at the same product again.
const AGAIN: f64 = 0.18;
/// Rate of moving on to another theme.
const WANDER: f64 = 0.08;
/// Rate of a session in one of the user's favourite themes.
const FAVOURITE: f64 = 0.6;
/// Rate of rows that stand twice in the file, and of views without a price: about one in a thousand in the real
/// file.
const DUPLICATE: f64 = 0.001;
const PRICELESS: f64 = 0.0008;

impl Habits {
    pub(super) fn new() -> Self {
        Self {
            // Events of a session: 4.8 on average, as in the real file; every third has one.
            length: LogLogistic::new(2.2, 10, 1.0, 200.0).with_mean(4.81),
            // Seconds between events: half below 30, one in 400 above half an hour.
            gap: LogLogistic::new(30.0, 11, 1.0, 10_800.0),
        }
    }

    /// Makes the session number `session`, which starts at `start`, and gives its rows to `push` until that is
    /// full.
    pub(super) fn visit(
        &self,
        world: Setting<'_>,
        session: u64,
        start: u32,
        dice: &mut Dice,
        push: &mut dyn FnMut(Event) -> Flow,
    ) {
        let Setting { catalogue, people, treatment, seed, end } = world;
        let user = people.visitor(start / DAY, dice);
        let user_id = people.id(user);
        let propensity = people.propensity(user);
        let (cart, outright) = ((CART * propensity).min(MOST), (OUTRIGHT * propensity).min(0.1));
        let mut theme =
            catalogue.theme(if dice.chance(FAVOURITE) { people.favourite(user, dice) } else { dice.bits() });
        let length = (self.length.value(dice.bits()) + dice.unit()) as u64;
        let mut time = start;
        let mut product = catalogue.pick(theme, dice);
        let mut kind = ShopEvent::View;
        for position in 0..length.max(1) {
            let priceless = kind == ShopEvent::View && dice.chance(PRICELESS);
            let written = match treatment {
                Some(treatment) => {
                    treatment.outcome(kind, user_id, hash(seed ^ EXPERIMENT, session, position))
                }
                None => kind,
            };
            let event = Event { time, product, user: user_id, kind: written, priceless, session };
            let twice = dice.chance(DUPLICATE);
            if push(event) == Flow::Full || (twice && push(event) == Flow::Full) {
                return;
            }
            let next = match kind {
                ShopEvent::View if dice.chance(cart) => ShopEvent::Cart,
                ShopEvent::View if dice.chance(outright) => ShopEvent::Purchase,
                ShopEvent::Cart if dice.chance(CHECKOUT) => ShopEvent::Purchase,
                _ => ShopEvent::View,
            };
            if next == ShopEvent::View && !dice.chance(AGAIN) {
                if dice.chance(WANDER) {
                    theme = if dice.chance(0.5) {
                        catalogue.partner(theme)
                    } else {
                        catalogue.theme(dice.bits())
                    };
                }
                product = catalogue.pick(theme, dice);
            }
            kind = next;
            time += self.gap.value(dice.bits()) as u32;
            if time >= end {
                return;
            }
        }
    }
}

/// Where a session takes place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) people: &'a People,
    pub(super) treatment: Option<Treatment<'a>>,
    pub(super) seed: u64,
    /// The first second after the shop's time: sessions are cut there.
    pub(super) end: u32,
}

/// Whether more rows are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    More,
    Full,
}
