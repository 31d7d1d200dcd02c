//! The tables that a world fills, and their columns as they are named in the event model.

use crate::catalog::Catalog;
use crate::columns;
use crate::event::Event;

/// A table of the event model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "they are the tables of docs/event-model.md")]
pub enum Table {
    BehaviorEvent,
    SaleLine,
    TenderLine,
    OrderEvent,
    StockMovement,
    ReservationEvent,
    PriceEvent,
    AdEvent,
    MarketSignal,
    FeedbackEvent,
    LoyaltyEntry,
    ContactEvent,
    IdentityEvent,
    Customer,
    Product,
    Sku,
    Location,
    Supplier,
    SkuSupplier,
    Promotion,
    Campaign,
    CompetitorProduct,
}

/// How many tables there are.
pub const TABLES: usize = 22;

impl Table {
    /// All tables.
    pub const ALL: [Table; TABLES] = [
        Table::BehaviorEvent,
        Table::SaleLine,
        Table::TenderLine,
        Table::OrderEvent,
        Table::StockMovement,
        Table::ReservationEvent,
        Table::PriceEvent,
        Table::AdEvent,
        Table::MarketSignal,
        Table::FeedbackEvent,
        Table::LoyaltyEntry,
        Table::ContactEvent,
        Table::IdentityEvent,
        Table::Customer,
        Table::Product,
        Table::Sku,
        Table::Location,
        Table::Supplier,
        Table::SkuSupplier,
        Table::Promotion,
        Table::Campaign,
        Table::CompetitorProduct,
    ];

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        self.parts().0
    }

    /// What the ids of its events begin with.
    pub(crate) fn prefix(self) -> &'static str {
        self.parts().1
    }

    /// Whether its rows are the newest word on a key, and not events.
    pub fn is_dimension(self) -> bool {
        self >= Table::Customer
    }

    /// Whether all its rows are there from the first hour on.
    pub fn is_fixed(self) -> bool {
        matches!(
            self,
            Table::Product
                | Table::Sku
                | Table::Location
                | Table::Supplier
                | Table::SkuSupplier
                | Table::CompetitorProduct
        )
    }

    /// The table of a name.
    pub fn named(name: &str) -> Option<Table> {
        Table::ALL.into_iter().find(|table| table.name() == name)
    }

    /// Its columns.
    pub fn columns(self) -> impl Iterator<Item = &'static Column> {
        let shared = if self.is_dimension() { columns::DIMENSION } else { columns::ENVELOPE };
        shared.iter().chain(self.parts().2)
    }

    fn parts(self) -> (&'static str, &'static str, &'static [Column]) {
        use columns::{dimensions, market, people, stock, trade};
        match self {
            Table::BehaviorEvent => ("behavior_event", "b-", trade::BEHAVIOR),
            Table::SaleLine => ("sale_line", "s-", trade::SALE),
            Table::TenderLine => ("tender_line", "p-", trade::TENDER),
            Table::OrderEvent => ("order_event", "oe-", trade::ORDER),
            Table::StockMovement => ("stock_movement", "m-", stock::MOVEMENT),
            Table::ReservationEvent => ("reservation_event", "re-", stock::RESERVATION),
            Table::PriceEvent => ("price_event", "pe-", market::PRICE),
            Table::AdEvent => ("ad_event", "ae-", market::AD),
            Table::MarketSignal => ("market_signal", "ms-", market::SIGNAL),
            Table::FeedbackEvent => ("feedback_event", "f-", people::FEEDBACK),
            Table::LoyaltyEntry => ("loyalty_entry", "le-", people::LOYALTY),
            Table::ContactEvent => ("contact_event", "ce-", people::CONTACT),
            Table::IdentityEvent => ("identity_event", "ie-", people::IDENTITY),
            Table::Customer => ("customer", "", dimensions::CUSTOMER),
            Table::Product => ("product", "", dimensions::PRODUCT),
            Table::Sku => ("sku", "", dimensions::SKU),
            Table::Location => ("location", "", dimensions::LOCATION),
            Table::Supplier => ("supplier", "", dimensions::SUPPLIER),
            Table::SkuSupplier => ("sku_supplier", "", dimensions::SKU_SUPPLIER),
            Table::Promotion => ("promotion", "", dimensions::PROMOTION),
            Table::Campaign => ("campaign", "", dimensions::CAMPAIGN),
            Table::CompetitorProduct => ("competitor_product", "", dimensions::COMPETITOR),
        }
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// STRING.
    Text,
    /// INT or BIGINT.
    Whole,
    /// DECIMAL(18, 4).
    Decimal,
    /// TIMESTAMP_LTZ(3).
    Time,
    /// DATE.
    Date,
    /// BOOLEAN.
    Flag,
    /// DOUBLE.
    Float,
}

/// A column of a table, and how its value is had of an event.
#[derive(Debug)]
pub struct Column {
    /// Its name in the event model.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Its value in an event of the table, in the words of the world's catalogue.
    pub value: for<'a> fn(&'a Event, &'a Catalog) -> Value<'a>,
}

/// A value of a column. Nothing here is allocated but texts that are made up.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// A text that is there.
    Text(&'a str),
    /// A text that is made.
    Made(String),
    /// An id: what it begins with, and its number.
    Id(&'static str, u64),
    /// A whole number.
    Whole(i64),
    /// Ten-thousandths.
    Decimal(i64),
    /// Epoch milliseconds.
    Time(i64),
    /// Days since 1970-01-01.
    Date(i32),
    /// True or false.
    Flag(bool),
    /// A number.
    Float(f64),
}
