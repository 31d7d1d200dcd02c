//! Receipts of the stores: what is on the shelf is sold, what is not is not.

use super::{Action, World, next};
use crate::calendar::{DAY, MINUTE, day_of, month};
use crate::event::{Body, Money, Movement, Ref, Sale, Tender};
use crate::random::{Random, Weighted};
use crate::table::Table;

/// A receipt that is being made.
struct Receipt {
    time: i64,
    store: u16,
    transaction: u64,
    till: u8,
    customer: Option<u32>,
    line_no: u32,
    total: Money,
    random: Random,
}

impl World {
    pub(super) fn receipt(&mut self, time: i64, store: u16) {
        let number = self.ids.transactions;
        let mut random = self.random(&[11, time as u64, u64::from(store)]);
        let season = month(day_of(time));
        let trend = &self.trend;
        let tastes = Weighted::new(
            self.catalog
                .categories
                .iter()
                .enumerate()
                .map(|(i, c)| c.weight * c.months[season] * trend.strength(day_of(time), i)),
        );
        let transaction = next(&mut self.ids.transactions);
        let till = 1 + (number % 3) as u8;
        let customer = self.who_is_it(&mut random, time, store);
        let lines = 1 + random.poisson(2.4);
        let mut receipt =
            Receipt { time, store, transaction, till, customer, line_no: 0, total: 0, random };
        for _ in 0..lines {
            let shelf = &self.catalog.categories[tastes.pick(&mut receipt.random)];
            if !shelf.skus.is_empty() {
                let sku = shelf.skus[shelf.popularity.pick(&mut receipt.random)];
                self.pick_up(&mut receipt, sku);
            }
        }
        if receipt.total > 0 {
            self.truth.receipts += 1;
            let tenders = ["card", "card", "card", "cash", "cash", "alipay"];
            let tender_type = receipt.random.pick(&tenders);
            let total = receipt.total;
            self.tender_at_till(time, transaction, store, customer, tender_type, total);
        }
    }

    /// Somebody sees an article on the shelf, or sees that it is not there.
    fn pick_up(&mut self, receipt: &mut Receipt, sku: u32) {
        let wanted = 1 + receipt.random.poisson(0.35) as i32;
        let (_, paid) = self.price_for(sku, None);
        let article = &self.catalog.skus[sku as usize];
        let ratio = paid as f64 / article.price as f64;
        if receipt.random.unit() >= 0.7 * ratio.powf(-article.elasticity) {
            return;
        }
        let quantity = wanted.min(self.stock.available(sku, receipt.store)).max(0);
        self.lose(sku, receipt.store, wanted - quantity, paid);
        if quantity > 0 {
            self.scan(receipt, sku, quantity);
        }
    }

    /// A line of the receipt, and sometimes one that takes it back.
    fn scan(&mut self, receipt: &mut Receipt, sku: u32, quantity: i32) {
        let Receipt { time, store, transaction, till, customer, .. } = *receipt;
        let (list_price, unit_price) = self.price_for(sku, None);
        receipt.line_no += 1;
        let sale = Sale {
            channel: "pos",
            transaction,
            line_no: receipt.line_no,
            txn_type: "sale",
            line_type: "item",
            order: None,
            location: store,
            till: Some(till),
            customer,
            session: None,
            campaign: None,
            sku: Some(sku),
            quantity,
            list_price,
            unit_price,
            promotion: self.prices[sku as usize].promotion,
            coupon: None,
            original: None,
            reason: "",
        };
        self.emit(Table::SaleLine, time, || Body::Sale(sale));
        if receipt.random.chance(0.004) {
            // Scanned by mistake: the cashier takes it back at once.
            receipt.line_no += 1;
            let line_no = receipt.line_no;
            let void = Sale { line_no, txn_type: "void", quantity: -quantity, ..sale };
            let reason = "scan_error";
            return self.emit(Table::SaleLine, time, || Body::Sale(Sale { reason, ..void }));
        }
        receipt.total += unit_price * i64::from(quantity);
        if let Some(customer) = customer {
            self.customers[customer as usize].spent += unit_price * i64::from(quantity);
        }
        self.count_sale(sku, store, quantity, unit_price);
        self.over_the_counter(time, sku, store, -quantity, Ref::Transaction(transaction));
        if receipt.random.chance(0.01) {
            let back = time + (receipt.random.between(1.0, 14.0) * DAY as f64) as i64;
            let price = unit_price;
            self.later(back, Action::BroughtBack { store, sku, price, transaction, customer });
        }
    }

    /// One in three shows the card of a customer of this store.
    fn who_is_it(&self, random: &mut Random, time: i64, store: u16) -> Option<u32> {
        if self.customers.is_empty() || !random.chance(0.35) {
            return None;
        }
        (0..8).find_map(|_| {
            let number = random.below(self.customers.len() as u64) as u32;
            let customer = &self.customers[number as usize];
            let comes = customer.store == store && customer.registered_at < time;
            (comes && random.unit() < 0.2 + 20.0 * customer.store_rate).then_some(number)
        })
    }

    fn over_the_counter(&mut self, time: i64, sku: u32, store: u16, quantity: i32, what: Ref) {
        let back = quantity > 0;
        self.move_stock(
            time,
            Movement {
                channel: "pos",
                biz_step: if back { "returning" } else { "selling" },
                disposition: if back { "sellable" } else { "sold" },
                sku,
                location: store,
                quantity,
                observed: false,
                epc: None,
                read_point: "till",
                reference: what,
            },
        );
    }

    fn tender_at_till(
        &mut self,
        time: i64,
        transaction: u64,
        location: u16,
        customer: Option<u32>,
        tender_type: &'static str,
        amount: Money,
    ) {
        self.emit(Table::TenderLine, time, || {
            Body::Tender(Tender {
                channel: "pos",
                transaction,
                tender_no: 1,
                location,
                customer,
                tender_type,
                amount,
                status: if amount < 0 { "refunded" } else { "captured" },
            })
        });
    }

    pub(super) fn store_return(
        &mut self,
        time: i64,
        store: u16,
        sku: u32,
        price: Money,
        original: u64,
        customer: Option<u32>,
    ) {
        let time = time.div_euclid(MINUTE) * MINUTE;
        let transaction = next(&mut self.ids.transactions);
        self.emit(Table::SaleLine, time, || {
            Body::Sale(Sale {
                channel: "pos",
                transaction,
                line_no: 1,
                txn_type: "return",
                line_type: "item",
                order: None,
                location: store,
                till: Some(1),
                customer,
                session: None,
                campaign: None,
                sku: Some(sku),
                quantity: -1,
                list_price: price,
                unit_price: price,
                promotion: None,
                coupon: None,
                original: Some(original),
                reason: "changed_mind",
            })
        });
        self.count_back(sku, 1, price);
        self.over_the_counter(time, sku, store, 1, Ref::Return(transaction));
        self.tender_at_till(time, transaction, store, customer, "card", -price);
    }
}
