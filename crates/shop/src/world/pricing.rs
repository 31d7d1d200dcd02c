//! Our prices and those of competitors.

use super::{World, next};
use crate::calendar::DAY;
use crate::catalog::{Catalog, pence};
use crate::config::Config;
use crate::event::{Body, CompetitorRow, Money, Price, PromotionRow};
use crate::random::Random;
use crate::table::Table;

/// What a SKU costs now.
#[derive(Debug)]
pub(super) struct PriceTag {
    pub list: Money,
    /// The price of a promotion, where there is one.
    pub promo: Option<Money>,
    pub promotion: Option<u32>,
    /// The decision that set the list price, where it was one.
    decision: Box<str>,
    /// The cheapest competitor who has it.
    rival: Option<Money>,
}

/// An article of a competitor that is one of ours.
#[derive(Debug)]
pub(super) struct Rival {
    competitor: u8,
    sku: u32,
    price: Money,
    in_stock: bool,
    confidence: f64,
    moves: u64,
}

pub(super) fn tags(catalog: &Catalog) -> Vec<PriceTag> {
    let tag = |sku: &crate::catalog::Sku| PriceTag {
        list: sku.price,
        promo: None,
        promotion: None,
        decision: "".into(),
        rival: None,
    };
    catalog.skus.iter().map(tag).collect()
}

pub(super) fn rivals(catalog: &Catalog, config: &Config) -> Vec<Rival> {
    let mut random = Random::new(config.seed, &[16]);
    let mut rivals = Vec::new();
    for competitor in 0..3 {
        for (number, sku) in catalog.skus.iter().enumerate() {
            if random.chance(0.4) {
                rivals.push(Rival {
                    competitor,
                    sku: number as u32,
                    price: pence(sku.price as f64 * random.lognormal(1.03, 0.09)),
                    in_stock: true,
                    confidence: (random.between(0.7, 1.0) * 1000.0).round() / 1000.0,
                    moves: 0,
                });
            }
        }
    }
    rivals
}

impl World {
    /// The list price, and what somebody with an offer pays.
    pub(super) fn price_for(&self, sku: u32, offer: Option<(u16, u64)>) -> (Money, Money) {
        let tag = &self.prices[sku as usize];
        let price = tag.promo.unwrap_or(tag.list).min(tag.list);
        let paid = match offer {
            Some((discount, _)) => pence(price as f64 * (1.0 - f64::from(discount) / 1000.0)),
            None => price,
        };
        (tag.list, paid)
    }

    /// The price of the cheapest competitor who has it.
    pub(super) fn rival_price(&self, sku: u32) -> Option<Money> {
        self.prices[sku as usize].rival
    }

    /// How much keener a price is than the cheapest competitor's.
    pub(super) fn against_rivals(&self, sku: u32, paid: Money) -> f64 {
        match self.prices[sku as usize].rival {
            Some(theirs) if theirs < paid => {
                let gap = theirs as f64 / paid as f64;
                gap.powf(0.5 * self.config.hidden.elasticity)
            }
            _ => 1.0,
        }
    }

    fn price_event(&mut self, time: i64, price: Price) {
        self.emit(Table::PriceEvent, time, || Body::Price(price));
    }

    pub(super) fn announce_prices(&mut self, time: i64) {
        let catalog = self.catalog.clone();
        for (number, sku) in catalog.skus.iter().enumerate() {
            for (price_type, amount) in [("list", sku.price), ("cost", sku.cost)] {
                self.price_event(time, plain(number as u32, price_type, amount, time));
            }
        }
        for rival in 0..self.rivals.len() {
            let Rival { competitor, sku, confidence, .. } = self.rivals[rival];
            let row = CompetitorRow { competitor, sku, confidence };
            self.emit(Table::CompetitorProduct, time, || Body::Competitor(row));
            self.see_rival(time, rival);
        }
    }

    fn see_rival(&mut self, time: i64, number: usize) {
        let rival = &self.rivals[number];
        let price = Price {
            competitor: Some(rival.competitor),
            in_stock: Some(rival.in_stock),
            confidence: Some(rival.confidence),
            ..plain(rival.sku, "competitor", rival.price, time)
        };
        let sku = rival.sku;
        self.price_event(time, price);
        let theirs = self.rivals.iter().filter(|r| r.sku == sku && r.in_stock).map(|r| r.price);
        self.prices[sku as usize].rival = theirs.min();
    }

    pub(super) fn rival_moves(&mut self, time: i64, number: u32) {
        let rival = &self.rivals[number as usize];
        let mut random = self.random(&[17, u64::from(number), rival.moves]);
        let usual = self.catalog.skus[rival.sku as usize].price as f64;
        let rival = &mut self.rivals[number as usize];
        rival.moves += 1;
        rival.in_stock = random.chance(0.93);
        // They come back to what is usual, and undercut from time to time.
        let aim = if random.chance(0.25) { 0.88 } else { 1.03 };
        rival.price = pence((rival.price as f64 * 0.4 + usual * aim * 0.6).max(1.0));
        self.see_rival(time, number as usize);
    }

    pub(super) fn promote(&mut self, time: i64, sku: u32, percent: u8) {
        if self.prices[sku as usize].promo.is_some() {
            return;
        }
        self.ids.promotions += 1;
        let promotion = self.ids.promotions;
        let tag = &mut self.prices[sku as usize];
        let amount = pence(tag.list as f64 * (1.0 - f64::from(percent) / 100.0));
        tag.promo = Some(amount);
        tag.promotion = Some(promotion);
        let row = PromotionRow { promotion, sku, percent, starts_at: time };
        self.emit(Table::Promotion, time, || Body::Promotion(row));
        let price = Price {
            valid_to: Some(time + 7 * DAY),
            promotion: Some(promotion),
            ..plain(sku, "promo", amount, time)
        };
        self.price_event(time, price);
        self.later(time + 7 * DAY, super::Action::EndPromotion(sku));
    }

    pub(super) fn end_promotion(&mut self, time: i64, sku: u32) {
        let tag = &mut self.prices[sku as usize];
        tag.promo = None;
        tag.promotion = None;
        let (amount, decision) = (tag.list, tag.decision.clone());
        self.price_event(time, Price { decision, ..plain(sku, "list", amount, time) });
    }

    /// A decision's price.
    pub(super) fn set_price(&mut self, time: i64, sku: u32, amount: Money, decision: &str) {
        let tag = &mut self.prices[sku as usize];
        (tag.list, tag.decision) = (amount, decision.into());
        let price = Price { decision: decision.into(), ..plain(sku, "list", amount, time) };
        self.price_event(time, price);
    }

    /// The number of a new offer.
    pub(super) fn new_offer(&mut self) -> u64 {
        next(&mut self.ids.offers)
    }
}

fn plain(sku: u32, price_type: &'static str, amount: Money, time: i64) -> Price {
    Price {
        sku,
        price_type,
        competitor: None,
        amount,
        valid_from: time,
        valid_to: None,
        in_stock: None,
        confidence: None,
        promotion: None,
        decision: "".into(),
    }
}
