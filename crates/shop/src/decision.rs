//! What a policy may ask of the shop.

use crate::event::Money;

/// A decision that is to be carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Its id in the event model; events that it causes name it.
    pub id: String,
    /// What is to be done.
    pub act: Act,
}

/// What is to be done. Numbers are those of the world's ids: `sku-7` is 7.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// A new list price.
    Price {
        /// Of which SKU.
        sku: u32,
        /// In ten-thousandths; at least a penny.
        amount: Money,
    },
    /// Order more: for the warehouse (0) of its supplier, for a store of the warehouse.
    Replenish {
        /// Of which SKU.
        sku: u32,
        /// Where it is to come.
        location: u16,
        /// How many.
        quantity: i32,
    },
    /// A message with a discount on the next order.
    Offer {
        /// For whom.
        customer: u32,
        /// In thousandths: 200 is a fifth off.
        discount: u16,
    },
    /// A message.
    Contact {
        /// For whom.
        customer: u32,
    },
    /// What a customer is shown on visits from now on.
    Recommend {
        /// To whom.
        customer: u32,
        /// Which SKUs, the best first.
        skus: Vec<u32>,
    },
    /// What a campaign may spend a day.
    Budget {
        /// Which one.
        campaign: u32,
        /// In ten-thousandths.
        amount: Money,
    },
}
