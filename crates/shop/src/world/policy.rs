//! What decisions do. What cannot be done (an article that is not there) is not done.

use super::messages::Letter;
use super::{Action, World};
use crate::decision::{Act, Decision};

/// Nobody looks further down a list.
const SHOWN_MAX: usize = 10;

impl World {
    pub(super) fn carry_out(&mut self, time: i64, decision: &Decision) {
        let sku_is_there = |sku: u32| (sku as usize) < self.catalog.skus.len();
        let customer_is_there = |customer: u32| {
            self.customers.get(customer as usize).is_some_and(|c| c.registered_at < time)
        };
        match decision.act {
            Act::Price { sku, amount } if sku_is_there(sku) && amount >= 100 => {
                self.set_price(time, sku, amount, &decision.id);
            }
            Act::Replenish { sku, location, quantity }
                if sku_is_there(sku) && location <= self.catalog.stores && quantity > 0 =>
            {
                self.stock.decide(sku, location);
                let quantity = quantity.min(1_000_000);
                self.order_stock(time, sku, location, quantity, Some(&decision.id));
            }
            Act::Offer { customer, discount } if customer_is_there(customer) && discount < 900 => {
                let offer = self.new_offer();
                let person = &mut self.customers[customer as usize];
                person.offer = Some((discount, offer));
                // More than a fifth off brings no more than a fifth does twice.
                let response = person.offer_response * (f64::from(discount) / 200.0).min(2.0);
                self.write_to(time, customer, "offer", &decision.id, response);
            }
            Act::Contact { customer } if customer_is_there(customer) => {
                let response = self.customers[customer as usize].offer_response * 0.2;
                self.write_to(time, customer, "reminder", &decision.id, response);
            }
            Act::Budget { campaign, amount }
                if (campaign as usize) < self.campaigns.len() && amount >= 0 =>
            {
                self.set_budget(time, campaign, amount);
            }
            Act::Recommend { customer, ref skus } if customer_is_there(customer) => {
                let shown = skus.iter().copied().filter(|sku| sku_is_there(*sku));
                self.customers[customer as usize].shown = shown.take(SHOWN_MAX).collect();
            }
            _ => {}
        }
    }

    fn write_to(
        &mut self,
        time: i64,
        customer: u32,
        campaign: &'static str,
        decision: &str,
        response: f64,
    ) {
        let letter = Letter { customer, campaign, decision: decision.into(), response };
        self.later(time + 1000, Action::Letter(Box::new(letter)));
    }
}
