//! Positions, purchase orders, transfers, tags and counts.
//!
//! A shelf that nobody decides about is refilled by habit: at five in the morning the shop orders
//! up to what it sells in the lead time and two weeks more. From the first decision about a SKU at
//! a location on, its orders are those of the decisions alone.

use super::checkout::Line;
use super::orders::Order;
use super::{Action, World, next};
use crate::calendar::{DAY, HOUR};
use crate::catalog::Catalog;
use crate::event::{Body, Money, Movement, Ref};
use crate::table::Table;
use crate::truth::Place;

/// What is where. Locations are the warehouse (0) and the stores.
#[derive(Debug)]
pub(super) struct Stock {
    positions: Vec<Position>,
    skus: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Position {
    on_hand: i32,
    reserved: i32,
    on_order: i32,
    sold_today: i32,
    /// What somebody has wanted, whether it was there or not.
    wanted: i64,
    /// What is sold in a day, as the shop has it in its habit.
    rate: f32,
    decided: bool,
}

impl Stock {
    pub fn new(catalog: &Catalog) -> Self {
        let skus = catalog.skus.len();
        let locations = usize::from(catalog.stores) + 1;
        Self { positions: vec![Position::default(); skus * locations], skus }
    }

    fn at(&mut self, sku: u32, location: u16) -> &mut Position {
        let index = usize::from(location) * self.skus + sku as usize;
        &mut self.positions[index]
    }

    /// What is true of all positions.
    pub fn places(&self) -> impl Iterator<Item = Place> + '_ {
        self.positions.iter().enumerate().map(|(index, position)| Place {
            sku: (index % self.skus) as u32,
            location: (index / self.skus) as u16,
            on_hand: i64::from(position.on_hand),
            wanted: position.wanted,
        })
    }

    /// What may be sold.
    pub fn available(&self, sku: u32, location: u16) -> i32 {
        let position = &self.positions[usize::from(location) * self.skus + sku as usize];
        position.on_hand - position.reserved
    }

    /// Keeps pieces, or lets them go again.
    pub fn reserve(&mut self, sku: u32, location: u16, quantity: i32) {
        self.at(sku, location).reserved += quantity;
    }

    /// From now on only decisions order.
    pub fn decide(&mut self, sku: u32, location: u16) {
        self.at(sku, location).decided = true;
    }
}

impl World {
    /// Something moves, and the position with it.
    pub(super) fn move_stock(&mut self, time: i64, movement: Movement) {
        if !movement.observed {
            self.stock.at(movement.sku, movement.location).on_hand += movement.quantity;
        }
        self.emit(Table::StockMovement, time, || Body::Movement(movement));
    }

    pub(super) fn count_sale(&mut self, sku: u32, location: u16, quantity: i32, paid: Money) {
        let position = self.stock.at(sku, location);
        position.sold_today += quantity;
        position.wanted += i64::from(quantity);
        self.truth.lines += 1;
        self.truth.units += i64::from(quantity);
        self.truth.revenue += i64::from(quantity) * paid;
        self.truth.cost += i64::from(quantity) * self.catalog.skus[sku as usize].cost;
    }

    /// Somebody wants pieces that are not there.
    pub(super) fn lose(&mut self, sku: u32, location: u16, quantity: i32, price: Money) {
        self.stock.at(sku, location).wanted += i64::from(quantity);
        self.truth.units_lost += i64::from(quantity);
        self.truth.revenue_lost += i64::from(quantity) * price;
    }

    pub(super) fn count_back(&mut self, sku: u32, quantity: i32, paid: Money) {
        self.truth.units -= i64::from(quantity);
        self.truth.revenue -= i64::from(quantity) * paid;
        self.truth.cost -= i64::from(quantity) * self.catalog.skus[sku as usize].cost;
    }

    /// What pieces earn, or take back, of an order that is owed to an ad.
    pub(super) fn count_ad(&mut self, order: &Order, line: &Line, quantity: i32) {
        if order.visit.click.is_some() {
            let earned = line.paid - self.catalog.skus[line.sku as usize].cost;
            self.truth.ads_margin += i64::from(quantity) * earned;
        }
    }

    /// The end of a day: what was sold becomes habit.
    pub(super) fn close_books(&mut self) {
        for location in 0..=self.catalog.stores {
            for sku in 0..self.catalog.skus.len() as u32 {
                let position = self.stock.at(sku, location);
                let sold = std::mem::take(&mut position.sold_today);
                position.rate += (sold as f32 - position.rate) * 0.08;
                let value = i64::from(position.on_hand.max(0));
                self.truth.stock_value_days += value * self.catalog.skus[sku as usize].cost;
            }
        }
    }

    /// Fills the shelves for the first time.
    pub(super) fn fill_shelves(&mut self, time: i64) {
        let catalog = self.catalog.clone();
        let all: f64 = catalog.skus.iter().map(|sku| sku.popularity).sum();
        let people = f64::from(self.config.customers);
        for (number, article) in catalog.skus.iter().enumerate() {
            let share = article.popularity / all.max(f64::MIN_POSITIVE);
            for location in 0..=catalog.stores {
                let mut random = self.random(&[12, number as u64, u64::from(location)]);
                let (daily, days) = match location {
                    0 => (people * 3.2 * share, 30.0),
                    _ => (people * 0.1 / f64::from(catalog.stores) * share, 15.0),
                };
                let quantity = (daily * days * random.between(0.6, 1.6)).ceil() as i32 + 2;
                self.stock.at(number as u32, location).rate = daily as f32;
                self.move_stock(
                    time,
                    Movement {
                        channel: "wms",
                        biz_step: "stocking",
                        disposition: "sellable",
                        sku: number as u32,
                        location,
                        quantity,
                        observed: false,
                        epc: None,
                        read_point: "",
                        reference: Ref::Opening,
                    },
                );
            }
        }
    }

    /// What the shop orders by habit.
    pub(super) fn reorder(&mut self, time: i64) {
        let catalog = self.catalog.clone();
        for (number, article) in catalog.skus.iter().enumerate() {
            let sku = number as u32;
            let promised = catalog.suppliers[usize::from(article.supplier)].promised_days;
            for location in 0..=catalog.stores {
                let days = if location == 0 { f32::from(promised) } else { 2.0 };
                let position = self.stock.at(sku, location);
                let there = position.on_hand - position.reserved + position.on_order;
                let (low, high) = (position.rate * (days + 4.0), position.rate * (days + 14.0));
                if !position.decided && (there as f32) < low.max(1.0) {
                    let quantity = (high.ceil() as i32 + 1 - there).max(1);
                    self.order_stock(time, sku, location, quantity, None);
                }
            }
        }
        self.count_shelves(time);
    }

    /// Orders of the supplier, or has the warehouse send.
    pub(super) fn order_stock(
        &mut self,
        time: i64,
        sku: u32,
        location: u16,
        quantity: i32,
        decision: Option<&str>,
    ) {
        let decided = decision.map(|id| Ref::Decision { id: id.into(), is_transfer: location > 0 });
        let article = &self.catalog.skus[sku as usize];
        if location == 0 {
            let supplier = &self.catalog.suppliers[usize::from(article.supplier)];
            let packs = (quantity + article.pack - 1) / article.pack;
            let quantity = packs.clamp(1, 1_000_000) * article.pack;
            let (days, spread) = (supplier.days, supplier.spread);
            let purchase = next(&mut self.ids.purchases);
            let reference = decided.unwrap_or(Ref::Purchase(purchase));
            let mut random = self.random(&[13, time as u64, u64::from(sku)]);
            let days = (days * random.lognormal(1.0, spread)).max(1.0);
            self.stock.at(sku, location).on_order += quantity;
            let time = time + (days * DAY as f64) as i64;
            self.later(time, Action::Arrive { sku, location, quantity, reference });
            return;
        }
        let quantity = quantity.min(self.stock.available(sku, 0));
        if quantity <= 0 {
            return;
        }
        let transfer = next(&mut self.ids.transfers);
        let reference = decided.unwrap_or(Ref::Transfer(transfer));
        self.stock.at(sku, location).on_order += quantity;
        self.move_stock(
            time + HOUR,
            Movement {
                channel: "wms",
                biz_step: "shipping",
                disposition: "in_progress",
                sku,
                location: 0,
                quantity: -quantity,
                observed: false,
                epc: None,
                read_point: "dock",
                reference: reference.clone(),
            },
        );
        let time = time + 26 * HOUR;
        self.later(time, Action::Arrive { sku, location, quantity, reference });
    }

    /// Goods arrive. At a store's gate tagged pieces are read one by one, some more than once.
    pub(super) fn arrive(
        &mut self,
        time: i64,
        sku: u32,
        location: u16,
        quantity: i32,
        reference: Ref,
    ) {
        self.stock.at(sku, location).on_order -= quantity;
        let whole = Movement {
            channel: "wms",
            biz_step: "receiving",
            disposition: "sellable",
            sku,
            location,
            quantity,
            observed: false,
            epc: None,
            read_point: "dock",
            reference,
        };
        if location == 0 || !self.catalog.skus[sku as usize].tagged {
            return self.move_stock(time, whole);
        }
        let mut random = self.random(&[14, time as u64, u64::from(sku), u64::from(location)]);
        for piece in 0..quantity {
            let epc = Some(next(&mut self.ids.tags));
            let read =
                Movement { channel: "iot", quantity: 1, epc, read_point: "gate", ..whole.clone() };
            let at = time + i64::from(piece) * 40;
            self.move_stock(at, read.clone());
            if random.chance(0.15) {
                // Read again: the same piece, another event. The shop knows better and counts one.
                let again = at + 50 + random.below(2500) as i64;
                self.emit(Table::StockMovement, again, || Body::Movement(read));
            }
        }
    }

    /// A few shelves are counted every morning; sometimes a piece is missing.
    fn count_shelves(&mut self, time: i64) {
        let mut random = self.random(&[15, time as u64]);
        let skus = self.catalog.skus.len() as u64;
        for location in 1..=self.catalog.stores {
            for _ in 0..4.min(skus) {
                let sku = random.below(skus) as u32;
                let shelf = self.stock.at(sku, location);
                let (on_hand, missing) = (shelf.on_hand, random.chance(0.05));
                let number = next(&mut self.ids.adjustments);
                let count = Movement {
                    channel: "iot",
                    biz_step: "counting",
                    disposition: "sellable",
                    sku,
                    location,
                    quantity: on_hand,
                    observed: true,
                    epc: None,
                    read_point: "shelf",
                    reference: Ref::Count(number),
                };
                if missing && on_hand > 0 {
                    let observed = Movement { quantity: on_hand - 1, ..count.clone() };
                    self.move_stock(time, observed);
                    self.move_stock(
                        time + HOUR,
                        Movement {
                            biz_step: "adjusting",
                            disposition: "damaged",
                            quantity: -1,
                            observed: false,
                            reference: Ref::Adjust(number),
                            ..count.clone()
                        },
                    );
                } else {
                    self.move_stock(time, count);
                }
            }
        }
    }
}
