//! What is true of a world, for what judges policies and packs. No table has any of it.

use crate::event::Money;

/// Sums since the world began.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Truth {
    /// Visits of the web shop.
    pub visits: u64,
    /// Orders that were paid.
    pub orders: u64,
    /// Receipts of the stores.
    pub receipts: u64,
    /// Lines of orders and receipts.
    pub lines: u64,
    /// Pieces that were sold.
    pub units: i64,
    /// What was paid, without shipping, in ten-thousandths.
    pub revenue: i64,
    /// What the sold pieces had cost.
    pub cost: i64,
    /// Pieces that somebody wanted and that were not there.
    pub units_lost: i64,
    /// What they would have brought.
    pub revenue_lost: i64,
    /// The sum over all days of the stock's value at cost.
    pub stock_value_days: i64,
    /// What ads cost, in millionths.
    pub ads_micros: i64,
    /// What orders earned that were made on a visit which began with the click of an ad, in
    /// ten-thousandths. Without the ad there is no such visit.
    pub ads_margin: i64,
    /// Customers who came back because of an offer or a message.
    pub brought_back: u64,
    /// Discounts that offers cost.
    pub offers_cost: i64,
    /// The category that is in fashion or will be next, as topics have it, and on which day since
    /// 1970 that begins. It is searched for two days earlier.
    pub fashion: Option<(&'static str, i64)>,
}

/// What is true of single customers, places and campaigns at a moment, in the order of their ids:
/// customer `c-7` is the eighth.
#[derive(Debug, Clone, PartialEq)]
pub struct Secrets {
    /// Everybody who is a customer or will be one.
    pub customers: Vec<Person>,
    /// Every SKU.
    pub articles: Vec<Article>,
    /// Every SKU at every location that has stock.
    pub places: Vec<Place>,
    /// What the orders of each campaign's clicks brought: without the click there is no such visit.
    pub campaigns: Vec<Money>,
}

/// What is true of a customer.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// How much they care for each category, by its id.
    pub tastes: Vec<(&'static str, f64)>,
    /// How many times as much as others they heed prices.
    pub sensitivity: f64,
    /// Whether they will ever order on the web again by themselves.
    pub is_alive: bool,
    /// Points that they may spend.
    pub points: i64,
    /// Whether they have agreed to advertising by now.
    pub agrees: bool,
    /// Messages that were sent to them since the world began.
    pub messages: u64,
    /// What they have paid since then, on the web and in stores, whatever came back.
    pub spent: Money,
}

/// What is true of a SKU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Article {
    /// The id of its category.
    pub category: &'static str,
    /// What a piece costs the shop.
    pub cost: Money,
    /// The least price that its maker lets the shop advertise.
    pub price_min: Money,
    /// The cheapest competitor who has it.
    pub rival: Option<Money>,
    /// Half of what its supplier sends takes longer than so many days.
    pub lead_days: f64,
}

/// What is true of a SKU at a location: 0 is the warehouse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Which SKU: `sku-7` is 7.
    pub sku: u32,
    /// Where.
    pub location: u16,
    /// Pieces that are there.
    pub on_hand: i64,
    /// Pieces that somebody has wanted there since the world began, whether they were there or not.
    pub wanted: i64,
}
