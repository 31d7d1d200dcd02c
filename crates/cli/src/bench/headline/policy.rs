//! What is compared: a field of decisions, and who decides in it.

use rialto_runtime::connectors::shop::{Hidden, Truth};

/// Ten-thousandths.
const MONEY: f64 = 10_000.0;
const MICROS: f64 = 1_000_000.0;

/// A field in which something is decided.
pub struct Field {
    /// As a user names it.
    pub name: &'static str,
    /// What the baselines read.
    pub packs: &'static [&'static str],
    /// Naive first, then textbook, then the pack itself.
    pub policies: [Policy; 3],
    /// Days before the first decision: a policy needs a past to look at.
    pub warm_up_days: u32,
    /// What is looked at.
    pub metrics: &'static [Metric],
    /// Takes the cause away by which decisions of this field work, where it has one.
    pub null: Option<fn(&mut Hidden)>,
}

/// Who decides.
pub struct Policy {
    /// As it is printed.
    pub name: &'static str,
    /// The pack that decides, or the SQL of a baseline.
    pub decides: Decides,
    /// The view that has the decisions.
    pub view: &'static str,
}

/// Where a policy comes from.
pub enum Decides {
    /// A pack, with the settings that make it decide about everything.
    Pack(&'static str, &'static [(&'static str, &'static str)]),
    /// Views over those of the field's packs.
    Sql(&'static str),
}

/// A figure of a world.
pub struct Metric {
    /// As it is printed.
    pub name: &'static str,
    /// Whether more of it is better.
    pub more_is_better: bool,
    /// What the articles promise, in percent.
    pub claimed: Option<f64>,
    /// Whether it stays as it is in the null world of its field, whatever is decided.
    pub is_null: bool,
    /// From what is true at the beginning and at the end.
    pub value: fn(&Truth, &Truth) -> f64,
}

const STOCK_DAYS: Metric = Metric {
    name: "days of stock",
    more_is_better: false,
    claimed: Some(-20.0),
    is_null: false,
    value: |a, b| {
        (b.stock_value_days - a.stock_value_days) as f64 / ((b.cost - a.cost) as f64).max(1.0)
    },
};
const STOCK_OUTS: Metric = Metric {
    name: "wanted and not there",
    more_is_better: false,
    claimed: None,
    is_null: false,
    value: |a, b| {
        let lost = (b.units_lost - a.units_lost) as f64;
        lost / (lost + (b.units - a.units) as f64).max(1.0)
    },
};
const MARGIN: Metric = Metric {
    name: "margin after ads",
    more_is_better: true,
    claimed: None,
    is_null: false,
    value: |a, b| margin(a, b),
};
const CONVERSION: Metric = Metric {
    name: "conversion",
    more_is_better: true,
    claimed: Some(15.0),
    is_null: true,
    value: |a, b| (b.orders - a.orders) as f64 / ((b.visits - a.visits) as f64).max(1.0),
};
const ORDERS: Metric = Metric {
    name: "orders",
    more_is_better: true,
    claimed: None,
    is_null: true,
    value: |a, b| (b.orders - a.orders) as f64,
};
const UNITS: Metric = Metric {
    name: "pieces sold",
    more_is_better: true,
    claimed: None,
    is_null: true,
    value: |a, b| (b.units - a.units) as f64,
};
const BUYERS_BACK: Metric = Metric {
    name: "brought back",
    more_is_better: true,
    claimed: None,
    is_null: true,
    value: |a, b| (b.brought_back - a.brought_back) as f64,
};
const ROI: Metric = Metric {
    name: "margin of ad clicks, by ad spend",
    more_is_better: true,
    claimed: Some(30.0),
    is_null: false,
    value: |a, b| (b.ads_margin - a.ads_margin) as f64 / MONEY / ads(a, b).max(1.0),
};

fn ads(a: &Truth, b: &Truth) -> f64 {
    (b.ads_micros - a.ads_micros) as f64 / MICROS
}

fn margin(a: &Truth, b: &Truth) -> f64 {
    let gross = (b.revenue - a.revenue) as f64 - (b.cost - a.cost) as f64;
    gross / MONEY - ads(a, b)
}

const fn naive(sql: &'static str) -> Policy {
    Policy { name: "naive", decides: Decides::Sql(sql), view: "naive_decision" }
}

const fn textbook(sql: &'static str) -> Policy {
    Policy { name: "textbook", decides: Decides::Sql(sql), view: "textbook_decision" }
}

/// All fields.
pub const FIELDS: [Field; 5] = [
    Field {
        name: "stock",
        packs: &["inventory"],
        policies: [
            naive(include_str!("sql/stock_naive.sql")),
            textbook(include_str!("sql/stock_textbook.sql")),
            Policy {
                name: "pack replenishment",
                decides: Decides::Pack("replenishment", &[("REPLENISHMENT_HOLD_OUT", "0")]),
                view: "replenishment_decision",
            },
        ],
        warm_up_days: 28,
        metrics: &[STOCK_DAYS, STOCK_OUTS, MARGIN],
        null: None,
    },
    Field {
        name: "price",
        packs: &["pricing"],
        policies: [
            naive(include_str!("sql/price_naive.sql")),
            textbook(include_str!("sql/price_textbook.sql")),
            Policy {
                name: "pack pricing",
                decides: Decides::Pack("pricing", &[("PRICING_HOLD_OUT", "0")]),
                view: "pricing_decision",
            },
        ],
        warm_up_days: 28,
        metrics: &[MARGIN, CONVERSION, UNITS],
        null: Some(|hidden| hidden.elasticity = 0.0),
    },
    Field {
        name: "offers",
        packs: &["customers"],
        policies: [
            naive(include_str!("sql/offers_naive.sql")),
            textbook(include_str!("sql/offers_textbook.sql")),
            Policy {
                name: "pack customers",
                decides: Decides::Pack("customers", &[("CUSTOMERS_HOLD_OUT", "0")]),
                view: "customers_decision",
            },
        ],
        warm_up_days: 100,
        metrics: &[MARGIN, BUYERS_BACK, ORDERS],
        null: Some(|hidden| hidden.offers = 0.0),
    },
    Field {
        name: "ads",
        packs: &["ads"],
        policies: [
            naive(include_str!("sql/ads_naive.sql")),
            textbook(include_str!("sql/ads_textbook.sql")),
            Policy {
                name: "pack ads",
                decides: Decides::Pack("ads", &[("ADS_HOLD_OUT", "0")]),
                view: "ads_decision",
            },
        ],
        warm_up_days: 14,
        metrics: &[ROI, MARGIN, ORDERS],
        null: Some(|hidden| hidden.ads = 0.0),
    },
    Field {
        name: "lists",
        packs: &["recommend"],
        policies: [
            naive(include_str!("sql/lists_naive.sql")),
            textbook(include_str!("sql/lists_textbook.sql")),
            Policy {
                name: "pack recommend",
                decides: Decides::Pack("recommend", &[("RECOMMEND_HOLD_OUT", "0")]),
                view: "recommend_decision",
            },
        ],
        warm_up_days: 60,
        metrics: &[CONVERSION, ORDERS, MARGIN],
        null: Some(|hidden| hidden.lists = 0.0),
    },
];
