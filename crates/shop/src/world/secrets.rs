//! What is true of the world, for what judges policies and packs: no event has it.

use super::World;
use crate::truth::{Article, Person, Secrets, Truth};

impl World {
    /// What is true, and not for the policy that is judged.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// What is true of single customers, places and campaigns.
    pub fn secrets(&self) -> Secrets {
        let categories = &self.catalog.categories;
        let customers = self.customers.iter().map(|customer| Person {
            tastes: categories.iter().map(|c| c.id).zip(customer.tastes).collect(),
            sensitivity: customer.sensitivity,
            is_alive: customer.alive,
            points: customer.points,
            agrees: customer.consent && customer.registered_at < self.now,
            messages: customer.messages,
            spent: customer.spent,
        });
        let articles = (0..).zip(&self.catalog.skus).map(|(number, sku)| Article {
            category: self.catalog.category_of(number).id,
            cost: sku.cost,
            price_min: sku.price_min(),
            rival: self.rival_price(number),
            lead_days: self.catalog.suppliers[usize::from(sku.supplier)].days,
        });
        Secrets {
            customers: customers.collect(),
            articles: articles.collect(),
            places: self.stock.places().collect(),
            campaigns: self.campaigns.iter().map(|campaign| campaign.brought).collect(),
        }
    }
}
