//! What is true of the world, for what judges policies and packs: no event has it.

use super::World;
use crate::truth::{Person, Secrets, Truth};

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
        });
        let skus = 0..self.catalog.skus.len() as u32;
        Secrets {
            customers: customers.collect(),
            categories: skus.map(|sku| self.catalog.category_of(sku).id).collect(),
            places: self.stock.places().collect(),
            campaigns: self.campaigns.iter().map(|campaign| campaign.brought).collect(),
        }
    }
}
