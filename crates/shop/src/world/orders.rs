//! From a paid order to the doorstep, and back.

use super::checkout::Line;
use super::{Action, World, next};
use crate::calendar::{DAY, HOUR, MINUTE};
use crate::event::{
    Body, Feedback, Money, Movement, OrderStep, PointsRef, Ref, Sale, Tender, Visit,
};
use crate::random::Random;
use crate::table::Table;
use crate::words;

/// An order that is under way.
#[derive(Debug)]
pub(super) struct Order {
    pub number: u64,
    pub transaction: u64,
    pub visit: Visit,
    pub lines: Vec<Line>,
    pub goods: Money,
    pub shipping: Money,
    /// The entry of the points that it earned, and how many.
    pub points: Option<(u64, i64)>,
    pub paid_at: i64,
}

/// What comes next for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Cancel,
    Pick,
    Pack,
    Ship,
    HandOver,
    Deliver,
    AskReturn,
    Return,
}

impl Order {
    pub fn step(&self, status: &'static str) -> OrderStep {
        OrderStep {
            channel: self.visit.channel,
            order: self.number,
            customer: self.visit.customer,
            cart: None,
            status,
            lines: self.lines.len() as u32,
            amount: self.goods + self.shipping,
            promised_at: None,
            carrier: "",
            reason: "",
        }
    }

    pub fn sale(&self, index: usize, line: &Line) -> Sale {
        Sale {
            channel: self.visit.channel,
            transaction: self.transaction,
            line_no: index as u32 + 1,
            txn_type: "sale",
            line_type: "item",
            order: Some(self.number),
            location: u16::MAX,
            till: None,
            customer: self.visit.customer,
            session: Some(self.visit.session),
            campaign: self.visit.campaign,
            sku: Some(line.sku),
            quantity: line.quantity,
            list_price: line.list,
            unit_price: line.paid,
            promotion: line.promotion,
            coupon: None,
            original: None,
            reason: "",
        }
    }

    pub fn shipping_line(&self) -> Sale {
        Sale {
            channel: self.visit.channel,
            transaction: self.transaction,
            line_no: self.lines.len() as u32 + 1,
            txn_type: "sale",
            line_type: "shipping",
            order: Some(self.number),
            location: u16::MAX,
            till: None,
            customer: self.visit.customer,
            session: Some(self.visit.session),
            campaign: self.visit.campaign,
            sku: None,
            quantity: 1,
            list_price: self.shipping,
            unit_price: self.shipping,
            promotion: None,
            coupon: None,
            original: None,
            reason: "",
        }
    }
}

impl World {
    pub(super) fn order_step(&mut self, time: i64, order: Box<Order>, stage: Stage) {
        let mut random =
            self.random(&[8, order.visit.anonymous, order.paid_at as u64, stage as u64]);
        let r = &mut random;
        let (status, next, after) = match stage {
            Stage::Cancel => return self.cancel_paid(time, &order),
            Stage::AskReturn => ("return_requested", Some(Stage::Return), r.between(2.0, 6.0)),
            Stage::Return => return self.take_back(time, order, r),
            Stage::Pick => {
                let allocated = order.step("allocated");
                self.emit(Table::OrderEvent, time, || Body::Order(allocated));
                ("picked", Some(Stage::Pack), r.between(0.01, 0.05))
            }
            Stage::Pack => ("packed", Some(Stage::Ship), r.between(0.02, 0.3)),
            Stage::Ship => {
                self.send_off(time, &order);
                ("shipped", Some(Stage::HandOver), r.between(0.5, 2.5))
            }
            Stage::HandOver => ("out_for_delivery", Some(Stage::Deliver), r.between(0.1, 0.4)),
            Stage::Deliver => {
                self.delivered(time, &order, r);
                let returns = r.chance(0.03).then_some(Stage::AskReturn);
                ("delivered", returns, r.between(2.0, 12.0))
            }
        };
        let mut step = order.step(status);
        if matches!(stage, Stage::Ship | Stage::HandOver | Stage::Deliver) {
            step.carrier = ["Redline", "Swiftpost"][(order.number % 2) as usize];
        }
        if stage == Stage::AskReturn {
            step.reason = r.pick(&["damaged", "changed_mind", "not_as_described"]);
        }
        // Goods are allocated when the picking begins, and picked ten minutes later.
        let done = if stage == Stage::Pick { time + 10 * MINUTE } else { time };
        self.emit(Table::OrderEvent, done, || Body::Order(step));
        if let Some(next) = next {
            let time = time + (after * DAY as f64) as i64;
            self.later(time, Action::Order(order, next));
        }
    }

    /// An order that was never paid.
    pub(super) fn cancel(&mut self, time: i64, order: &Order, reason: &'static str) {
        let step = OrderStep { reason, ..order.step("cancelled") };
        self.emit(Table::OrderEvent, time, || Body::Order(step));
        for line in &order.lines {
            self.stock.reserve(line.sku, 0, -line.quantity);
            let cart = order.visit.session;
            self.reservation(time, line, 3, "release", cart, Some(order.number));
        }
    }

    fn cancel_paid(&mut self, time: i64, order: &Order) {
        self.cancel(time, order, "changed_mind");
        let back = order.goods + order.shipping;
        let lines: Vec<(usize, Line)> = order.lines.iter().cloned().enumerate().collect();
        self.book_back(time, order, &lines, "cancel", "changed_mind");
        self.refund(time, order, back);
        if order.shipping > 0 {
            let sale = Sale { txn_type: "cancel", quantity: -1, ..order.shipping_line() };
            let sale = Sale { original: Some(order.transaction), ..sale };
            let transaction = self.ids.transactions;
            self.emit(Table::SaleLine, time, || Body::Sale(Sale { transaction, ..sale }));
        }
        if let (Some(customer), Some((entry, points))) = (order.visit.customer, order.points) {
            // Nobody may spend them yet: they come with the parcel.
            self.points(time, customer, "reverse", -points, "pending", PointsRef::Entry(entry));
        }
    }

    fn send_off(&mut self, time: i64, order: &Order) {
        for line in &order.lines {
            self.stock.reserve(line.sku, 0, -line.quantity);
            self.move_stock(
                time,
                Movement {
                    channel: "wms",
                    biz_step: "shipping",
                    disposition: "sold",
                    sku: line.sku,
                    location: 0,
                    quantity: -line.quantity,
                    observed: false,
                    epc: None,
                    read_point: "dock",
                    reference: Ref::Transaction(order.transaction),
                },
            );
        }
    }

    fn delivered(&mut self, time: i64, order: &Order, random: &mut Random) {
        let Some(customer) = order.visit.customer else { return };
        if let Some((entry, points)) = order.points {
            self.customers[customer as usize].points += points;
            self.points(time, customer, "release", points, "active", PointsRef::Entry(entry));
        }
        for line in order.lines.iter().take(3) {
            if random.chance(0.06) {
                let at = time + (random.between(0.1, 8.0) * DAY as f64) as i64;
                let action = Action::Review { order: order.number, customer, sku: line.sku };
                self.later(at, action);
            }
        }
    }

    fn take_back(&mut self, time: i64, order: Box<Order>, random: &mut Random) {
        let mut lines: Vec<(usize, Line)> = order.lines.iter().cloned().enumerate().collect();
        // Mostly it is a line or two that come back.
        if random.chance(0.8) {
            let first = random.below(lines.len() as u64) as usize;
            lines = lines.split_off(first).into_iter().take(1 + random.below(2) as usize).collect();
        }
        let reason = random.pick(&["damaged", "changed_mind", "not_as_described"]);
        let returned = OrderStep { reason, ..order.step("returned") };
        self.emit(Table::OrderEvent, time, || Body::Order(returned));
        let amount = lines.iter().map(|(_, l)| l.paid * i64::from(l.quantity)).sum();
        self.book_back(time, &order, &lines, "return", reason);
        let transaction = self.ids.transactions;
        for (_, line) in &lines {
            self.move_stock(
                time,
                Movement {
                    channel: "wms",
                    biz_step: "returning",
                    disposition: "returned",
                    sku: line.sku,
                    location: 0,
                    quantity: line.quantity,
                    observed: false,
                    epc: None,
                    read_point: "dock",
                    reference: Ref::Return(transaction),
                },
            );
        }
        self.refund(time, &order, amount);
        let refunded = OrderStep { amount, ..order.step("refunded") };
        self.emit(Table::OrderEvent, time + HOUR, || Body::Order(refunded));
        self.reverse_points(time, &order);
    }

    /// Lines of a new transaction that take lines of an order back.
    fn book_back(
        &mut self,
        time: i64,
        order: &Order,
        lines: &[(usize, Line)],
        txn_type: &'static str,
        reason: &'static str,
    ) {
        let transaction = next(&mut self.ids.transactions);
        for (index, line) in lines {
            let sale = order.sale(*index, line);
            let quantity = -line.quantity;
            let original = Some(order.transaction);
            self.emit(Table::SaleLine, time, || {
                Body::Sale(Sale { transaction, txn_type, quantity, original, reason, ..sale })
            });
            self.count_back(line.sku, line.quantity, line.paid);
            self.count_ad(order, line, -line.quantity);
        }
    }

    fn refund(&mut self, time: i64, order: &Order, amount: Money) {
        let transaction = self.ids.transactions;
        let tender = Tender {
            channel: order.visit.channel,
            transaction,
            tender_no: 1,
            location: u16::MAX,
            customer: order.visit.customer,
            tender_type: "card",
            amount: -amount,
            status: "refunded",
        };
        self.emit(Table::TenderLine, time, || Body::Tender(tender));
    }

    fn reverse_points(&mut self, time: i64, order: &Order) {
        let (Some(customer), Some((entry, points))) = (order.visit.customer, order.points) else {
            return;
        };
        let held = &mut self.customers[customer as usize].points;
        *held = (*held - points).max(0);
        self.points(time, customer, "reverse", -points, "active", PointsRef::Entry(entry));
    }

    pub(super) fn review(&mut self, time: i64, order: u64, customer: u32, sku: u32) {
        let mut random = self.random(&[9, time as u64, u64::from(customer), u64::from(sku)]);
        let chinese = self.customers[customer as usize].chinese;
        let rating = match random.unit() {
            u if u < 0.62 => 5,
            u if u < 0.80 => 4,
            u if u < 0.88 => 3,
            u if u < 0.94 => 2,
            _ => 1,
        };
        let article = &self.catalog.products[self.catalog.skus[sku as usize].product as usize].name;
        let text = words::review(&mut random, chinese, rating, article);
        let complains = rating == 1 && random.chance(0.4);
        self.emit(Table::FeedbackEvent, time, || {
            Body::Feedback(Box::new(Feedback {
                channel: "web",
                customer,
                kind: if complains { "complaint" } else { "review" },
                rating,
                text,
                lang: if chinese { "zh" } else { "en" },
                sku: Some(sku),
                order,
            }))
        });
    }
}
