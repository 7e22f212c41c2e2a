//! What is known of one user from the events before the cutoff, as far as the features ask for it.

use cip_core::{CoreError, DistinctCodes, DistinctIds, EventKind, Timestamp, check_sum, column};

use crate::feature::Feature;
use crate::features::Features;
use crate::input::Input;
use crate::service::ServiceUse;
use crate::texts::DistinctTexts;
use crate::window::KnownRows;

/// A longer gap starts a new session, where the source has none of its own.
const SESSION_TIMEOUT: u64 = 30 * 60 * 1_000_000;

/// The history of one user. It is given [`KnownRows`] and nothing else, so nothing in it can depend on what comes at or
/// behind the cutoff.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) events: i64,
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// Events in the first half of the window, which ends at `middle`.
    pub(crate) early: i64,
    middle: i64,
    pub(crate) kinds: Kinds,
    pub(crate) spend: i128,
    pub(crate) prices: Prices,
    pub(crate) active_days: i64,
    sessions: Sessions,
    products: Option<DistinctIds>,
    categories: Categories,
    brands: Option<DistinctTexts>,
    /// None where nobody asks how a service is used.
    pub(crate) service: Option<ServiceUse>,
    /// Which of those above that cost a pass over the rows are asked for.
    wants: Wants,
}

#[derive(Debug, Clone, Copy)]
struct Wants {
    early: bool,
    spend: bool,
    prices: bool,
    days: bool,
    last_of_kind: bool,
}

/// Events by type.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Kinds {
    pub(crate) views: i64,
    pub(crate) carts: i64,
    pub(crate) removes: i64,
    pub(crate) purchases: i64,
    pub(crate) last_cart: Option<i64>,
    pub(crate) last_purchase: Option<i64>,
}

/// The prices that are not null.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Prices {
    pub(crate) count: u64,
    pub(crate) sum: i128,
    pub(crate) max: i128,
}

#[derive(Debug)]
enum Sessions {
    Unasked,
    /// The source's own; codes of one session mostly come together.
    Source(DistinctCodes, Option<u32>),
    /// Cut by gaps.
    Gaps(usize),
}

#[derive(Debug)]
enum Categories {
    Unasked,
    Ids(DistinctIds),
    Codes(DistinctTexts),
}

impl History {
    pub(crate) fn new(features: &Features) -> Self {
        let asked = |any: &[Feature]| features.selected().iter().any(|feature| any.contains(feature));
        let (input, window) = (features.input(), features.window());
        let width = window.end().micros().wrapping_sub(window.start().micros()).cast_unsigned();
        Self {
            events: 0,
            first: 0,
            last: 0,
            early: 0,
            middle: window.start().micros().wrapping_add((width / 2).cast_signed()),
            kinds: Kinds::default(),
            spend: 0,
            prices: Prices::default(),
            active_days: 0,
            sessions: match asked(&[Feature::Sessions, Feature::EventsPerSession]) {
                false => Sessions::Unasked,
                true if input.has(column::SOURCE_SESSION) => Sessions::Source(DistinctCodes::default(), None),
                true => Sessions::Gaps(0),
            },
            products: input.products.map(DistinctIds::new),
            categories: match input.category_ids {
                Some(id_type) => Categories::Ids(DistinctIds::new(id_type)),
                None if input.has(column::CATEGORY_CODE) => {
                    Categories::Codes(DistinctTexts::new(column::CATEGORY_CODE))
                }
                None => Categories::Unasked,
            },
            brands: input.has(column::BRAND).then(|| DistinctTexts::new(column::BRAND)),
            service: (!features.selected().iter().all(|feature| feature.is_of_a_shop()))
                .then(|| ServiceUse::new(features)),
            wants: Wants {
                early: asked(&[Feature::ActivityTrend, Feature::ActivityVolatility]),
                spend: asked(&[Feature::Spend]),
                prices: asked(&[Feature::AvgPrice, Feature::MaxPrice]),
                days: asked(&[Feature::ActiveDays]),
                last_of_kind: asked(&[Feature::DaysSinceLastCart, Feature::DaysSinceLastPurchase]),
            },
        }
    }

    /// Begins a batch.
    pub(crate) fn begin(&mut self, input: &Input<'_>) -> Result<(), CoreError> {
        if let (Categories::Codes(distinct), Some(codes)) = (&mut self.categories, input.category_codes) {
            distinct.begin(codes)?;
        }
        if let (Some(distinct), Some(brands)) = (&mut self.brands, input.brands) {
            distinct.begin(brands)?;
        }
        self.service.as_mut().map_or(Ok(()), |service| service.begin(input))
    }

    /// Adds events of the window, in the order of time.
    pub(crate) fn extend(&mut self, known: &KnownRows<'_>) -> Result<(), CoreError> {
        let times = known.times();
        let (Some(&first), Some(&last)) = (times.first(), times.last()) else { return Ok(()) };
        let before = (self.events > 0).then_some(self.last);
        if before.is_none() {
            self.first = first;
        }
        if self.wants.days {
            self.active_days += new_days(before, times);
        }
        match &mut self.sessions {
            Sessions::Unasked => {}
            Sessions::Source(distinct, last) => known.add_sessions(distinct, last),
            Sessions::Gaps(sessions) => *sessions += new_sessions(before, times),
        }
        if self.wants.early {
            self.early += times.partition_point(|&time| time < self.middle) as i64;
        }
        self.events += times.len() as i64;
        self.last = last;
        let overflow = || CoreError::MoneyOverflow { column: column::PRICE };
        if let Some(kinds) = known.kinds() {
            let purchases = self.kinds.count(kinds);
            if self.wants.last_of_kind {
                self.kinds.find_last(kinds, times);
            }
            if self.wants.spend && purchases > 0 {
                let Some(spend) = known.add_spend(self.spend) else { return Err(overflow()) };
                self.spend = spend;
            }
        }
        if self.wants.prices && known.try_each_price(|price| self.prices.add(price)).is_none() {
            return Err(overflow());
        }
        if let Some(distinct) = &mut self.products {
            known.add_products(distinct);
        }
        match &mut self.categories {
            Categories::Unasked => {}
            Categories::Ids(distinct) => known.add_category_ids(distinct),
            Categories::Codes(distinct) => known.add_category_codes(distinct)?,
        }
        if let Some(distinct) = &mut self.brands {
            known.add_brands(distinct)?;
        }
        self.service.as_mut().map_or(Ok(()), |service| service.extend(known))
    }

    /// Checks the sums of money.
    pub(crate) fn check(&self) -> Result<(), CoreError> {
        check_sum(column::PRICE, Some(self.spend))?;
        check_sum(column::PRICE, Some(self.prices.sum))?;
        self.service.as_ref().map_or(Ok(()), ServiceUse::check)
    }

    pub(crate) fn sessions(&self) -> usize {
        match &self.sessions {
            Sessions::Unasked => 0,
            Sessions::Source(distinct, _) => distinct.count(),
            Sessions::Gaps(sessions) => *sessions,
        }
    }

    pub(crate) fn products(&self) -> usize {
        self.products.as_ref().map_or(0, DistinctIds::count)
    }

    pub(crate) fn categories(&self) -> usize {
        match &self.categories {
            Categories::Unasked => 0,
            Categories::Ids(distinct) => distinct.count(),
            Categories::Codes(distinct) => distinct.count(),
        }
    }

    pub(crate) fn brands(&self) -> usize {
        self.brands.as_ref().map_or(0, DistinctTexts::count)
    }

    /// Forgets the user.
    pub(crate) fn clear(&mut self) {
        (self.events, self.early, self.spend, self.active_days) = (0, 0, 0, 0);
        (self.kinds, self.prices) = (Kinds::default(), Prices::default());
        match &mut self.sessions {
            Sessions::Unasked => {}
            Sessions::Source(distinct, last) => {
                distinct.clear();
                *last = None;
            }
            Sessions::Gaps(sessions) => *sessions = 0,
        }
        if let Some(products) = &mut self.products {
            products.clear();
        }
        match &mut self.categories {
            Categories::Unasked => {}
            Categories::Ids(distinct) => distinct.clear(),
            Categories::Codes(distinct) => distinct.clear(),
        }
        if let Some(brands) = &mut self.brands {
            brands.clear();
        }
        if let Some(service) = &mut self.service {
            service.clear();
        }
    }
}

impl Kinds {
    /// Counts events by type; returns the purchases among them.
    fn count(&mut self, kinds: &[EventKind]) -> i64 {
        // Without a branch an event: their order is as good as random.
        let of = |kind: EventKind| kinds.iter().map(|&found| i64::from(found == kind)).sum::<i64>();
        let purchases = of(EventKind::Purchase);
        self.views += of(EventKind::View);
        self.carts += of(EventKind::Cart);
        self.removes += of(EventKind::RemoveFromCart);
        self.purchases += purchases;
        purchases
    }

    fn find_last(&mut self, kinds: &[EventKind], times: &[i64]) {
        let last_of = |kind| kinds.iter().rposition(|&found| found == kind).map(|row| times[row]);
        self.last_cart = last_of(EventKind::Cart).or(self.last_cart);
        self.last_purchase = last_of(EventKind::Purchase).or(self.last_purchase);
    }
}

impl Prices {
    /// Adds a price; none beyond the range of an i128.
    #[inline]
    fn add(&mut self, price: i128) -> Option<()> {
        self.max = if self.count == 0 { price } else { self.max.max(price) };
        self.count += 1;
        self.sum = self.sum.checked_add(price)?;
        Some(())
    }
}

/// Days of `times`, which ascend, other than that of `before`.
fn new_days(before: Option<i64>, times: &[i64]) -> i64 {
    let day = |time: i64| Timestamp::from_micros(time).day();
    let mut today = before.map(day);
    let mut days = 0;
    for &time in times {
        let this = Some(day(time));
        days += i64::from(this != today);
        today = this;
    }
    days
}

/// Sessions that start in `times`, which ascend from `before`.
fn new_sessions(before: Option<i64>, times: &[i64]) -> usize {
    // The difference of two i64 in order always fits a u64.
    let starts = |time: i64, next: i64| next.wrapping_sub(time).cast_unsigned() > SESSION_TIMEOUT;
    let first = usize::from(before.is_none_or(|before| starts(before, times[0])));
    first + times.windows(2).map(|pair| usize::from(starts(pair[0], pair[1]))).sum::<usize>()
}
