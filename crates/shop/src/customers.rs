//! Who buys: tastes, sensitivities and life cycles that no table shows.

use crate::calendar::{DAY, day_of};
use crate::config::Config;
use crate::event::Money;
use crate::random::Random;
use crate::words;

/// Somebody who is a customer, or will be one.
#[derive(Debug)]
pub(crate) struct Customer {
    /// When they register; before that nobody knows them.
    pub registered_at: i64,
    pub channel: &'static str,
    pub chinese: bool,
    pub female: bool,
    pub birth_year: u16,
    pub city: &'static str,
    pub consent: bool,
    pub member: bool,
    /// The store they go to, and how often they buy there, a day.
    pub store: u16,
    pub store_rate: f64,
    /// Web orders a day while they are alive, and the chance to leave after each.
    pub rate: f64,
    pub leaves: f64,
    pub alive: bool,
    /// Lines of their orders are so many times those of others.
    pub size: f64,
    /// How much they care for each category.
    pub tastes: [f64; words::CATEGORIES.len()],
    /// Times the elasticity of an article.
    pub sensitivity: f64,
    /// The chance that an offer brings an order; for some it is below zero: they are annoyed.
    pub offer_response: f64,
    /// Points that may be spent.
    pub points: i64,
    /// A discount on the next order, in thousandths, and the number of the offer.
    pub offer: Option<(u16, u64)>,
    /// What they are shown on every visit, the best first.
    pub shown: Vec<u32>,
    pub last_order: i64,
    /// Messages that were sent to them, and what they have paid.
    pub messages: u64,
    pub spent: Money,
}

/// All customers of a configuration.
pub(crate) fn customers(config: &Config) -> Vec<Customer> {
    (0..config.customers).map(|number| customer(number, config)).collect()
}

fn customer(number: u32, config: &Config) -> Customer {
    let mut random = Random::new(config.seed, &[2, u64::from(number)]);
    let r = &mut random;
    let opening = day_of(config.start_ms) * DAY;
    // Seven of ten are there when the world begins, the others come within two years.
    let registered_at = if r.chance(0.7) {
        opening - (r.unit() * 700.0 * DAY as f64) as i64
    } else {
        opening + (r.unit() * 730.0 * DAY as f64) as i64
    };
    let mut tastes = [0.0; words::CATEGORIES.len()];
    for taste in &mut tastes {
        // A few categories matter, and differ from customer to customer.
        *taste = r.lognormal(1.0, 1.3 * config.hidden.affinity);
    }
    let channel = match r.unit() {
        u if u < 0.55 => "web",
        u if u < 0.8 => "app",
        _ => "miniprogram",
    };
    let stores = u64::from(config.stores.max(1));
    Customer {
        registered_at,
        channel,
        chinese: r.chance(if channel == "miniprogram" { 0.8 } else { 0.15 }),
        female: r.chance(0.62),
        birth_year: 1945 + r.below(60) as u16,
        city: r.pick(&words::CITIES),
        consent: r.chance(0.6),
        member: r.chance(0.6),
        store: 1 + r.below(stores) as u16,
        store_rate: r.lognormal(0.012, 0.8),
        rate: r.lognormal(2.2, 1.4) / 365.0,
        leaves: r.between(0.0, 0.16),
        alive: true,
        size: r.lognormal(1.0, 0.55),
        tastes,
        sensitivity: r.lognormal(1.0, 0.35),
        offer_response: r.between(-0.06, 0.30) * config.hidden.offers,
        points: 0,
        offer: None,
        shown: Vec::new(),
        last_order: 0,
        messages: 0,
        spent: 0,
    }
}
