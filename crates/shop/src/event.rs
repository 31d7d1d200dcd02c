//! What happens, as plain data. Strings of the event model are made of it column by column, by
//! whoever reads a column (`columns`), so that what nobody reads costs nothing.

use std::sync::Arc;

use crate::table::Table;

/// An amount of money in ten-thousandths.
pub type Money = i64;

/// An event, or a row of a dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When it happened, in epoch milliseconds.
    pub time: i64,
    /// When it was taken in; tables are in this order.
    pub arrival: i64,
    /// Its number within its table.
    pub id: u64,
    /// Its table.
    pub table: Table,
    pub(crate) body: Body,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    Behavior(Behavior),
    Sale(Sale),
    Tender(Tender),
    Order(OrderStep),
    Movement(Movement),
    Reservation(Reservation),
    Price(Price),
    Ad(Ad),
    Signal(Box<Signal>),
    Feedback(Box<Feedback>),
    Loyalty(Loyalty),
    Contact(Box<Contact>),
    Identity(Identity),
    Customer(CustomerRow),
    Product(u32),
    Sku(u32),
    Location(u16),
    Supplier(u16),
    SkuSupplier(u32),
    Promotion(PromotionRow),
    Campaign(CampaignRow),
    Competitor(CompetitorRow),
}

/// Who is in the shop, and how they came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Visit {
    pub channel: &'static str,
    pub anonymous: u64,
    pub customer: Option<u32>,
    pub session: u64,
    pub campaign: Option<u32>,
    pub click: Option<u64>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Behavior {
    pub visit: Visit,
    pub action: &'static str,
    pub sku: Option<u32>,
    pub category: Option<u8>,
    pub list: &'static str,
    pub position: u16,
    pub query: Option<u8>,
    pub in_cart: bool,
    pub quantity: i32,
    pub price: Money,
    pub coupon: Option<u64>,
    pub step: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sale {
    pub channel: &'static str,
    pub transaction: u64,
    pub line_no: u32,
    pub txn_type: &'static str,
    pub line_type: &'static str,
    pub order: Option<u64>,
    pub location: u16,
    pub till: Option<u8>,
    pub customer: Option<u32>,
    pub session: Option<u64>,
    pub campaign: Option<u32>,
    pub sku: Option<u32>,
    pub quantity: i32,
    pub list_price: Money,
    pub unit_price: Money,
    pub promotion: Option<u32>,
    pub coupon: Option<u64>,
    pub original: Option<u64>,
    pub reason: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tender {
    pub channel: &'static str,
    pub transaction: u64,
    pub tender_no: u32,
    pub location: u16,
    pub customer: Option<u32>,
    pub tender_type: &'static str,
    pub amount: Money,
    pub status: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct OrderStep {
    pub channel: &'static str,
    pub order: u64,
    pub customer: Option<u32>,
    pub cart: Option<u64>,
    pub status: &'static str,
    pub lines: u32,
    pub amount: Money,
    pub promised_at: Option<i64>,
    pub carrier: &'static str,
    pub reason: &'static str,
}

/// What a movement of stock belongs to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ref {
    Transaction(u64),
    Return(u64),
    Purchase(u64),
    Transfer(u64),
    /// A decision that was carried out: goods come under its number.
    Decision {
        id: Arc<str>,
        is_transfer: bool,
    },
    Adjust(u64),
    Count(u64),
    Opening,
}

impl Ref {
    pub fn kind(&self) -> &'static str {
        match self {
            Ref::Transaction(_) => "sale",
            Ref::Return(_) => "return",
            Ref::Purchase(_) | Ref::Decision { is_transfer: false, .. } => "po",
            Ref::Transfer(_) | Ref::Decision { .. } => "transfer",
            Ref::Adjust(_) => "adjust",
            Ref::Count(_) => "count",
            Ref::Opening => "opening",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Movement {
    pub channel: &'static str,
    pub biz_step: &'static str,
    pub disposition: &'static str,
    pub sku: u32,
    pub location: u16,
    pub quantity: i32,
    pub observed: bool,
    pub epc: Option<u64>,
    pub read_point: &'static str,
    pub reference: Ref,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reservation {
    pub reservation: u64,
    pub version: u32,
    pub op: &'static str,
    pub sku: u32,
    pub quantity: i32,
    pub cart: u64,
    pub order: Option<u64>,
    pub expires_at: Option<i64>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Price {
    pub sku: u32,
    pub price_type: &'static str,
    pub competitor: Option<u8>,
    pub amount: Money,
    pub valid_from: i64,
    pub valid_to: Option<i64>,
    pub in_stock: Option<bool>,
    pub confidence: Option<f64>,
    pub promotion: Option<u32>,
    pub decision: Box<str>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ad {
    pub kind: &'static str,
    pub campaign: u32,
    pub creative: u32,
    pub placement: &'static str,
    pub auction: Option<u64>,
    pub impression: Option<u64>,
    pub click: Option<u64>,
    pub anonymous: Option<u64>,
    pub customer: Option<u32>,
    pub bid: i64,
    /// Negative: none.
    pub price: i64,
    pub value: Money,
    pub order: Option<u64>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Signal {
    pub kind: &'static str,
    pub category: u8,
    pub value: Option<f64>,
    pub text: String,
    pub lang: &'static str,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Feedback {
    pub channel: &'static str,
    pub customer: u32,
    pub kind: &'static str,
    pub rating: u8,
    pub text: String,
    pub lang: &'static str,
    pub sku: Option<u32>,
    pub order: u64,
}

/// What points are for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum PointsRef {
    Sale(u64),
    Entry(u64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Loyalty {
    pub entry: u64,
    pub customer: u32,
    pub entry_type: &'static str,
    pub points: i64,
    pub state: &'static str,
    pub available_at: Option<i64>,
    pub expires_at: Option<i64>,
    pub reference: PointsRef,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Contact {
    pub channel: &'static str,
    pub customer: u32,
    pub kind: &'static str,
    pub message: u64,
    pub decision: Box<str>,
    pub campaign: &'static str,
    pub reason: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Identity {
    pub channel: &'static str,
    pub op: &'static str,
    pub id_type: &'static str,
    pub id: u64,
    pub customer: u32,
    pub target: Option<u32>,
    pub purpose: &'static str,
    pub evidence: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CustomerRow {
    pub customer: u32,
    pub chinese: bool,
    pub female: bool,
    pub birth_year: u16,
    pub channel: &'static str,
    pub registered_at: i64,
    pub city: &'static str,
    pub consent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PromotionRow {
    pub promotion: u32,
    pub sku: u32,
    pub percent: u8,
    pub starts_at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CampaignRow {
    pub campaign: u32,
    pub category: u8,
    pub medium: &'static str,
    pub budget: Money,
    pub bid: i64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CompetitorRow {
    pub competitor: u8,
    pub sku: u32,
    pub confidence: f64,
}

impl Ad {
    /// An event of a campaign of which nothing else is known yet.
    pub fn of(campaign: u32) -> Self {
        Self {
            kind: "cost",
            campaign,
            creative: campaign * 10,
            placement: "top",
            auction: None,
            impression: None,
            click: None,
            anonymous: None,
            customer: None,
            bid: 0,
            price: -1,
            value: 0,
            order: None,
        }
    }
}
