//! A visit of the web shop.
//!
//! Somebody looks at articles of the categories they care for, the popular ones first, and puts
//! some into the cart: the cheaper an article is against its usual price and against competitors,
//! the more often and the more of it, by its hidden elasticity and theirs.

use super::checkout::Line;
use super::{World, next};
use crate::calendar::{MINUTE, day_of, month};
use crate::event::{Behavior, Body, Money, Visit};
use crate::random::{Random, Weighted};
use crate::table::Table;

/// Why somebody comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Buy,
    Look,
}

/// Somebody who is about to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visiting {
    pub customer: Option<u32>,
    pub anonymous: u64,
    pub intent: Intent,
    pub campaign: Option<u32>,
    pub click: Option<u64>,
    /// What an ad has shown them.
    pub category: Option<u8>,
}

/// How often the first article of a list is looked at by who cares for it as for any other.
const LIST_CLICK: f64 = 0.06;

/// An article that somebody looks at, and where it was shown.
struct Glance {
    sku: u32,
    category: u8,
    list: &'static str,
    position: u16,
}

/// Somebody on their way through the shop.
pub(super) struct Walk {
    pub visit: Visit,
    pub time: i64,
    pub random: Random,
    pub lines: Vec<Line>,
    /// In thousandths, and the number of the offer.
    pub offer: Option<(u16, u64)>,
    pub sensitivity: f64,
}

impl Walk {
    pub fn wait(&mut self, mean_s: f64) {
        self.time += 500 + (self.random.exponential(mean_s).min(mean_s * 5.0) * 1000.0) as i64;
    }

    fn step(&self, action: &'static str) -> Behavior {
        Behavior {
            visit: self.visit,
            action,
            sku: None,
            category: None,
            list: "",
            position: 0,
            query: None,
            in_cart: !self.lines.is_empty(),
            quantity: 0,
            price: 0,
            coupon: None,
            step: "",
        }
    }
}

impl World {
    pub(super) fn behave(
        &mut self,
        walk: &Walk,
        action: &'static str,
        fill: impl FnOnce(&mut Behavior),
    ) {
        self.emit(Table::BehaviorEvent, walk.time, || {
            let mut step = walk.step(action);
            fill(&mut step);
            Body::Behavior(step)
        });
    }

    pub(super) fn visit(&mut self, time: i64, visiting: Visiting) {
        self.truth.visits += 1;
        let session = next(&mut self.ids.sessions);
        let known = visiting.customer.unwrap_or(u32::MAX);
        let dice = [7, time as u64, visiting.anonymous, u64::from(known)];
        let mut random = self.random(&dice);
        let tastes = self.tastes(time, visiting);
        let mut walk = Walk {
            visit: Visit {
                channel: "web",
                anonymous: visiting.anonymous,
                customer: None,
                session,
                campaign: visiting.campaign,
                click: visiting.click,
            },
            time,
            lines: Vec::new(),
            offer: None,
            sensitivity: 1.0,
            random: random.clone(),
        };
        let mut wanted = 1 + random.poisson(0.4);
        if let Some(number) = visiting.customer {
            let customer = &self.customers[number as usize];
            walk.visit.channel = customer.channel;
            walk.offer = customer.offer;
            walk.sensitivity = customer.sensitivity;
            // Most are logged in from the beginning, the others log in to pay.
            walk.visit.customer = random.chance(0.7).then_some(number);
            if visiting.intent == Intent::Buy {
                let single = random.chance(0.05);
                let lines = random.lognormal(19.5 * customer.size, 0.95);
                wanted = if single { 1 } else { (lines.round() as u64).clamp(1, 400) };
            }
        }
        walk.random = random;
        self.behave(&walk, "page_viewed", |b| b.list = "/");
        self.heed_list(&mut walk, visiting.intent);
        self.look_around(&mut walk, &tastes, visiting.intent, wanted as usize);
        if !walk.lines.is_empty() {
            self.go_to_checkout(walk, visiting);
        }
    }

    /// How much somebody cares for each category today.
    fn tastes(&self, time: i64, visiting: Visiting) -> Weighted {
        let customer = visiting.customer.map(|c| &self.customers[c as usize]);
        let today = day_of(time);
        Weighted::new(self.catalog.categories.iter().enumerate().map(|(index, category)| {
            let taste = customer.map_or(1.0, |c| c.tastes[index]);
            let shown = if visiting.category == Some(index as u8) { 6.0 } else { 1.0 };
            let season = category.months[month(today)];
            taste * shown * season * category.weight * self.trend.strength(today, index)
        }))
    }

    /// Who is logged in and is shown a list looks at what it has of the categories that they care
    /// for, and less often the further down it stands. It throws dice of its own: the rest of the
    /// visit is as it would have been.
    fn heed_list(&mut self, walk: &mut Walk, intent: Intent) {
        let Some(number) = walk.visit.customer else { return };
        let shown = self.customers[number as usize].shown.clone();
        if shown.is_empty() {
            return;
        }
        let of_visit = self.random(&[25, walk.time as u64, u64::from(number)]);
        let of_visit = std::mem::replace(&mut walk.random, of_visit);
        self.behave(walk, "list_viewed", |b| b.list = "recommended");
        let tastes = self.customers[number as usize].tastes;
        let usual = tastes.iter().sum::<f64>() / tastes.len() as f64;
        let mut drawn = LIST_CLICK * self.config.hidden.lists;
        for (place, sku) in shown.into_iter().enumerate() {
            let category = self.catalog.category_index(sku);
            let liking = (tastes[usize::from(category)] / usual).min(5.0);
            if walk.random.chance((drawn * liking).min(0.5)) {
                let glance =
                    Glance { sku, category, list: "recommended", position: place as u16 + 1 };
                self.look_at(walk, glance, intent);
            }
            drawn *= 0.9;
        }
        walk.random = of_visit;
    }

    fn look_around(&mut self, walk: &mut Walk, tastes: &Weighted, intent: Intent, wanted: usize) {
        let views_max = match intent {
            Intent::Buy => wanted * 4 + 8,
            Intent::Look => 1 + walk.random.poisson(4.0) as usize,
        };
        let (mut category, mut position) = (0, 0);
        for view in 0..views_max {
            if walk.lines.len() >= wanted && intent == Intent::Buy {
                break;
            }
            if view == 0 || walk.random.chance(0.15) {
                category = tastes.pick(&mut walk.random);
                position = 0;
                self.open_list(walk, category as u8);
            }
            position += 1 + walk.random.below(3) as u16;
            let shelf = &self.catalog.categories[category];
            if shelf.skus.is_empty() {
                continue;
            }
            let sku = shelf.skus[shelf.popularity.pick(&mut walk.random)];
            let glance = Glance { sku, category: category as u8, list: "category", position };
            self.look_at(walk, glance, intent);
        }
        if walk.lines.len() > 1 && walk.random.chance(0.06) {
            if let Some(line) = walk.lines.pop() {
                walk.wait(20.0);
                self.behave(walk, "cart_removed", |b| {
                    b.sku = Some(line.sku);
                    b.quantity = line.quantity;
                });
            }
        }
    }

    fn open_list(&mut self, walk: &mut Walk, category: u8) {
        walk.wait(8.0);
        if walk.random.chance(0.3) {
            self.behave(walk, "search", |b| {
                b.query = Some(category);
                b.list = "search";
            });
        } else {
            self.behave(walk, "list_viewed", |b| {
                b.category = Some(category);
                b.list = "category";
            });
        }
    }

    fn look_at(&mut self, walk: &mut Walk, glance: Glance, intent: Intent) {
        let Glance { sku, category, list: of_list, position } = glance;
        let (list, paid) = self.price_for(sku, walk.offer);
        walk.wait(4.0);
        self.behave(walk, "product_clicked", |b| {
            b.sku = Some(sku);
            b.category = Some(category);
            b.list = of_list;
            b.position = position;
            b.price = list;
        });
        walk.wait(1.0);
        self.behave(walk, "product_viewed", |b| {
            b.sku = Some(sku);
            b.category = Some(category);
            b.price = list;
        });
        if walk.random.chance(0.02) {
            self.behave(walk, "wishlist_added", |b| b.sku = Some(sku));
        }
        let elasticity = self.catalog.skus[sku as usize].elasticity * walk.sensitivity;
        let ratio = paid as f64 / self.catalog.skus[sku as usize].price as f64;
        let keen = if intent == Intent::Buy { 0.6 } else { 0.07 };
        let likes = keen * ratio.powf(-0.6 * elasticity) * self.against_rivals(sku, paid);
        // Both dice are thrown in any case, so that another price does not shift those that follow.
        let (yes, pieces) = (walk.random.unit(), walk.random.lognormal(3.1, 1.55));
        let spare = walk.random.unit();
        if yes >= likes.min(0.97) || walk.lines.iter().any(|line| line.sku == sku) {
            return;
        }
        let pieces = (pieces * ratio.powf(-0.4 * elasticity) + spare - 0.5).round();
        let quantity = packed(pieces.clamp(1.0, 600.0) as i32);
        self.put_into_cart(walk, sku, category, quantity, (list, paid));
    }

    fn put_into_cart(
        &mut self,
        walk: &mut Walk,
        sku: u32,
        category: u8,
        quantity: i32,
        (list, paid): (Money, Money),
    ) {
        let there = self.stock.available(sku, 0);
        let quantity = if there <= 0 {
            self.lose(sku, 0, quantity, paid);
            // Some take what is next on the shelf.
            if walk.random.chance(0.45) {
                let shelf = &self.catalog.categories[category as usize];
                let other = shelf.skus[shelf.popularity.pick(&mut walk.random)];
                let taken = walk.lines.iter().any(|line| line.sku == other);
                if other != sku && !taken && self.stock.available(other, 0) > quantity {
                    let price = self.price_for(other, walk.offer);
                    self.put_into_cart(walk, other, category, quantity, price);
                }
            }
            return;
        } else if there < quantity {
            self.lose(sku, 0, quantity - there, paid);
            there
        } else {
            quantity
        };
        walk.wait(10.0);
        let (promotion, offer) = (self.prices[sku as usize].promotion, walk.offer);
        walk.lines.push(Line { sku, quantity, list, paid, promotion, reservation: 0 });
        self.behave(walk, "cart_added", |b| {
            b.sku = Some(sku);
            b.category = Some(category);
            b.quantity = quantity;
            b.price = paid;
            b.coupon = offer.map(|(_, number)| number);
        });
        if walk.time % 7 == 0 {
            walk.time += MINUTE / 2;
        }
    }
}

/// Those who want many take whole packs.
fn packed(pieces: i32) -> i32 {
    match pieces {
        0..=5 => pieces.max(1),
        6..=9 => 6,
        10..=18 => 12,
        19..=32 => 24,
        many => (many + 6) / 12 * 12,
    }
}
