//! From the cart to a paid order, or to none.

use super::browse::{Intent, Visiting, Walk};
use super::orders::{Order, Stage};
use super::{Action, World, next};
use crate::calendar::{DAY, HOUR, MINUTE};
use crate::event::{Ad, Body, Loyalty, Money, OrderStep, PointsRef, Reservation, Sale, Tender};
use crate::table::Table;

/// An article in a cart or an order.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub sku: u32,
    pub quantity: i32,
    pub list: Money,
    pub paid: Money,
    pub promotion: Option<u32>,
    pub reservation: u64,
}

/// Goods of a cart are kept so long.
const KEPT_MS: i64 = 30 * MINUTE;
/// Shipping, and from what amount on it is free.
const SHIPPING: Money = 39_500;
const SHIPPING_FREE_FROM: Money = 500_000;

impl World {
    pub(super) fn go_to_checkout(&mut self, mut walk: Walk, visiting: Visiting) {
        walk.wait(30.0);
        self.behave(&walk, "cart_viewed", |_| ());
        let buys = match visiting.intent {
            Intent::Buy => !walk.random.chance(0.12),
            Intent::Look => visiting.customer.is_some() && walk.random.chance(0.12),
        };
        if !buys {
            return;
        }
        walk.wait(15.0);
        if let (Some(customer), None) = (visiting.customer, walk.visit.customer) {
            walk.visit.customer = Some(customer);
            self.identify(walk.time, walk.visit, customer);
        }
        self.behave(&walk, "checkout_started", |_| ());
        self.reserve(&mut walk);
        if walk.lines.is_empty() {
            return;
        }
        for step in ["address", "shipping", "payment"] {
            walk.wait(35.0);
            self.behave(&walk, "checkout_step", |b| b.step = step);
            if walk.random.chance(0.04) {
                // They leave; what was kept for them is kept until its time is over.
                let (lines, cart) = (walk.lines, walk.visit.session);
                self.later(walk.time + KEPT_MS, Action::GiveUp(lines, cart));
                return;
            }
        }
        walk.wait(40.0);
        self.order(walk);
    }

    /// Keeps the goods of a cart, as far as they are still there.
    fn reserve(&mut self, walk: &mut Walk) {
        let mut lines = std::mem::take(&mut walk.lines);
        for line in &mut lines {
            let there = self.stock.available(line.sku, 0).max(0);
            if there < line.quantity {
                self.lose(line.sku, 0, line.quantity - there, line.paid);
                line.quantity = there;
            }
            if line.quantity > 0 {
                line.reservation = next(&mut self.ids.reservations);
                self.stock.reserve(line.sku, 0, line.quantity);
                let cart = walk.visit.session;
                self.reservation(walk.time, line, 1, "reserve", cart, None);
            }
        }
        lines.retain(|line| line.quantity > 0);
        walk.lines = lines;
    }

    pub(super) fn reservation(
        &mut self,
        time: i64,
        line: &Line,
        version: u32,
        op: &'static str,
        cart: u64,
        order: Option<u64>,
    ) {
        self.emit(Table::ReservationEvent, time, || {
            Body::Reservation(Reservation {
                reservation: line.reservation,
                version,
                op,
                sku: line.sku,
                quantity: line.quantity,
                cart,
                order,
                expires_at: (op == "reserve").then_some(time + KEPT_MS),
            })
        });
    }

    pub(super) fn give_up(&mut self, time: i64, lines: &[Line], cart: u64) {
        for line in lines {
            self.stock.reserve(line.sku, 0, -line.quantity);
            self.reservation(time, line, 2, "expire", cart, None);
        }
    }

    fn order(&mut self, mut walk: Walk) {
        let goods: Money = walk.lines.iter().map(|l| l.paid * i64::from(l.quantity)).sum();
        let shipping = if goods < SHIPPING_FREE_FROM { SHIPPING } else { 0 };
        let mut order = Box::new(Order {
            number: next(&mut self.ids.orders),
            transaction: 0,
            visit: walk.visit,
            lines: walk.lines,
            goods,
            shipping,
            points: None,
            paid_at: 0,
        });
        let created = OrderStep {
            cart: Some(walk.visit.session),
            promised_at: Some(walk.time + 4 * DAY),
            ..order.step("created")
        };
        self.emit(Table::OrderEvent, walk.time, || Body::Order(created));
        for line in &order.lines {
            let cart = walk.visit.session;
            self.reservation(walk.time, line, 2, "confirm", cart, Some(order.number));
        }
        order.paid_at = walk.time + 2000 + (walk.random.exponential(8.0) * 1000.0) as i64;
        if walk.random.chance(0.015) {
            self.cancel(order.paid_at, &order, "payment_failed");
            return;
        }
        order.transaction = next(&mut self.ids.transactions);
        self.pay(&mut order, walk.offer.map(|(_, number)| number), &mut walk.random);
        let working = order.paid_at + HOUR + (walk.random.unit() * 6.0 * HOUR as f64) as i64;
        let stage = if walk.random.chance(0.012) { Stage::Cancel } else { Stage::Pick };
        self.later(working, Action::Order(order, stage));
    }

    fn pay(&mut self, order: &mut Order, coupon: Option<u64>, random: &mut crate::random::Random) {
        let time = order.paid_at;
        let paid = order.step("paid");
        self.emit(Table::OrderEvent, time, || Body::Order(paid));
        for (index, line) in order.lines.iter().enumerate() {
            let sale = Sale { coupon, ..order.sale(index, line) };
            self.emit(Table::SaleLine, time, || Body::Sale(sale));
            self.count_sale(line.sku, 0, line.quantity, line.paid);
            self.count_ad(order, line, line.quantity);
        }
        if order.shipping > 0 {
            let sale = order.shipping_line();
            self.emit(Table::SaleLine, time, || Body::Sale(sale));
        }
        self.truth.orders += 1;
        if let Some((discount, _)) =
            order.visit.customer.and_then(|c| self.customers[c as usize].offer.take())
        {
            let full = order.goods * 1000 / (1000 - i64::from(discount)).max(1);
            self.truth.offers_cost += full - order.goods;
        }
        self.tender(time, order, random);
        self.earn(time, order);
        if let (Some(campaign), Some(click)) = (order.visit.campaign, order.visit.click) {
            let (value, number) = (order.goods, order.number);
            self.campaigns[campaign as usize].brought += value;
            let visit = order.visit;
            self.emit(Table::AdEvent, time, || {
                let ad = Ad { click: Some(click), value, order: Some(number), ..Ad::of(campaign) };
                Body::Ad(Ad {
                    kind: "conversion",
                    anonymous: Some(visit.anonymous),
                    customer: visit.customer,
                    ..ad
                })
            });
        }
        if let Some(number) = order.visit.customer {
            let leaves = random.unit();
            let customer = &mut self.customers[number as usize];
            customer.last_order = time;
            customer.spent += order.goods;
            customer.alive = leaves >= customer.leaves;
        }
    }

    fn tender(&mut self, time: i64, order: &Order, random: &mut crate::random::Random) {
        let mut due = order.goods + order.shipping;
        let mut number = 0;
        let mut pay = |world: &mut Self, tender_type: &'static str, amount: Money| {
            number += 1;
            let tender = Tender {
                channel: order.visit.channel,
                transaction: order.transaction,
                tender_no: number,
                location: u16::MAX,
                customer: order.visit.customer,
                tender_type,
                amount,
                status: "captured",
            };
            world.emit(Table::TenderLine, time, || Body::Tender(tender));
        };
        let customer = order.visit.customer.map(|c| c as usize);
        let points = customer.map_or(0, |c| self.customers[c].points);
        if points >= 500 && random.chance(0.3) {
            // A point is a penny.
            let spent = points.min(due / 200);
            pay(self, "points", spent * 100);
            due -= spent * 100;
            if let Some(customer) = customer {
                self.customers[customer].points -= spent;
                let transaction = PointsRef::Sale(order.transaction);
                self.points(time, customer as u32, "burn", -spent, "active", transaction);
            }
        }
        let types = ["card", "card", "card", "voucher"];
        let tender_type = match order.visit.channel {
            "miniprogram" => "wechat",
            "app" if random.chance(0.3) => "alipay",
            _ => random.pick(&types),
        };
        pay(self, tender_type, due);
    }

    fn earn(&mut self, time: i64, order: &mut Order) {
        let Some(number) = order.visit.customer else { return };
        let points = order.goods / 10_000;
        if !self.customers[number as usize].member || points == 0 {
            return;
        }
        let sale = PointsRef::Sale(order.transaction);
        let entry = self.points(time, number, "earn", points, "pending", sale);
        order.points = Some((entry, points));
    }

    /// An entry of the ledger; its number.
    pub(super) fn points(
        &mut self,
        time: i64,
        customer: u32,
        entry_type: &'static str,
        points: i64,
        state: &'static str,
        reference: PointsRef,
    ) -> u64 {
        let entry = next(&mut self.ids.points);
        let earned = entry_type == "earn";
        self.emit(Table::LoyaltyEntry, time, || {
            Body::Loyalty(Loyalty {
                entry,
                customer,
                entry_type,
                points,
                state,
                available_at: earned.then_some(time + 30 * DAY),
                expires_at: (points > 0).then_some(time + 365 * DAY),
                reference,
            })
        });
        entry
    }
}
