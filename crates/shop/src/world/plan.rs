//! The first day, and what each day will bring.

use super::browse::{Intent, Visiting};
use super::{Action, World};
use crate::calendar::{DAY, HOUR, HOURS_STORE, HOURS_WEB, MINUTE, day_of, store, web, weekday};
use crate::event::Body;
use crate::random::{Random, Weighted};
use crate::table::Table;

/// A moment of a day at a busy hour.
fn moment(day: i64, hours: &Weighted, random: &mut Random) -> i64 {
    day * DAY + hours.pick(random) as i64 * HOUR + random.below(HOUR as u64) as i64
}

impl World {
    /// What is there before the first hour: dimensions, prices, stock.
    pub(super) fn open(&mut self) {
        let time = self.opening;
        let catalog = self.catalog.clone();
        for sku in 0..catalog.skus.len() as u32 {
            self.emit(Table::Sku, time, || Body::Sku(sku));
            self.emit(Table::SkuSupplier, time, || Body::SkuSupplier(sku));
        }
        for product in 0..catalog.products.len() as u32 {
            self.emit(Table::Product, time, || Body::Product(product));
        }
        for location in (0..=catalog.stores).chain([catalog.web()]) {
            self.emit(Table::Location, time, || Body::Location(location));
        }
        for supplier in 0..catalog.suppliers.len() as u16 {
            self.emit(Table::Supplier, time, || Body::Supplier(supplier));
        }
        self.announce_campaigns(time);
        self.announce_prices(time);
        self.fill_shelves(time);
        for number in 0..self.customers.len() as u32 {
            let at = self.customers[number as usize].registered_at;
            self.later(at.max(time), Action::Register(number));
        }
    }

    /// Puts what a day will bring on the agenda.
    pub(super) fn plan_day(&mut self, day: i64) {
        self.close_books();
        self.plan_visits(day);
        self.plan_receipts(day);
        self.later(day * DAY + 5 * HOUR, Action::Reorder);
        self.plan_prices(day);
        self.plan_ads(day);
        self.signals(day);
        if weekday(day) == 1 {
            self.plan_newsletter(day);
        }
    }

    fn plan_visits(&mut self, day: i64) {
        let hours = Weighted::new(HOURS_WEB);
        let busy = web(day);
        for number in 0..self.customers.len() as u32 {
            let customer = &self.customers[number as usize];
            if day_of(customer.registered_at) > day || !customer.alive {
                continue;
            }
            let mut random = self.random(&[3, day as u64, u64::from(number)]);
            let buys = random.chance(customer.rate * busy);
            let looks = !buys && random.chance((customer.rate * 3.0 + 0.004) * busy);
            if !buys && !looks {
                continue;
            }
            let intent = if buys { Intent::Buy } else { Intent::Look };
            let anonymous = u64::from(number) * 2 + u64::from(random.chance(0.15));
            let time = moment(day, &hours, &mut random);
            let visiting = Visiting {
                customer: Some(number),
                anonymous,
                intent,
                campaign: None,
                click: None,
                category: None,
            };
            self.later(time, Action::Visit(visiting));
        }
        let mut random = self.random(&[4, day as u64]);
        for _ in 0..random.poisson(f64::from(self.config.customers) * 0.03 * busy) {
            self.ids.strangers += 1;
            let visiting = Visiting {
                customer: None,
                anonymous: self.ids.strangers,
                intent: Intent::Look,
                campaign: None,
                click: None,
                category: None,
            };
            self.later(moment(day, &hours, &mut random), Action::Visit(visiting));
        }
    }

    fn plan_receipts(&mut self, day: i64) {
        let hours = Weighted::new(HOURS_STORE);
        let people = f64::from(self.config.customers) / f64::from(self.catalog.stores.max(1));
        for number in 1..=self.catalog.stores {
            let mut random = self.random(&[5, day as u64, u64::from(number)]);
            for _ in 0..random.poisson(people * 0.045 * store(day)) {
                let time = moment(day, &hours, &mut random).min(day * DAY + 20 * HOUR - MINUTE);
                self.later(time, Action::Receipt { store: number });
            }
        }
    }

    fn plan_prices(&mut self, day: i64) {
        let mut random = self.random(&[6, day as u64]);
        let skus = self.catalog.skus.len() as u64;
        if weekday(day) == 0 && skus > 0 {
            for _ in 0..(skus / 40).max(1) {
                let sku = random.below(skus) as u32;
                let percent = 10 + 5 * random.below(5) as u8;
                self.later(day * DAY + 6 * HOUR, Action::Promote { sku, percent });
            }
        }
        for rival in 0..self.rivals.len() as u32 {
            if random.chance(0.05) {
                let time = day * DAY + random.below(DAY as u64) as i64;
                self.later(time, Action::RivalMoves(rival));
            }
        }
    }
}
