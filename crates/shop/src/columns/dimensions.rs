//! Customers, the catalogue, campaigns, competitors.

use super::{CURRENCY, columns, id, pieces};
use crate::calendar::DAY;
use crate::catalog::location_id;
use crate::table::Value;
use crate::words;

columns! { CUSTOMER, Customer(x), c:
    "customer_id" Text Value::Id("c-", u64::from(x.customer));
    "name" Text Value::Made(words::person(x.customer, x.chinese));
    "gender" Text Value::Text(if x.female { "f" } else { "m" });
    "birth_year" Whole Value::Whole(i64::from(x.birth_year));
    "reg_channel" Text Value::Text(x.channel);
    "reg_time" Time Value::Time(x.registered_at);
    "city" Text Value::Text(x.city);
    "country" Text Value::Text("GB");
    "lang" Text Value::Text(if x.chinese { "zh" } else { "en" });
    "phone_hash" Text Value::Made(hash(3, x.customer));
    "email_hash" Text Value::Made(hash(2, x.customer));
    "marketing_consent" Flag Value::Flag(x.consent);
}

/// The hash of an id that a customer has, the same as identity events have.
pub(crate) fn hash(kind: u64, customer: u32) -> String {
    format!("{:016x}", crate::random::mix(id_number(kind, customer)))
}

/// The number that stands for an e-mail address (2), a phone (3) or a card (4) of a customer.
pub(crate) fn id_number(kind: u64, customer: u32) -> u64 {
    (kind << 40) | u64::from(customer)
}

columns! { PRODUCT, Product(x), c:
    "product_id" Text Value::Id("p-", u64::from(*x));
    "name" Text Value::Text(&c.products[*x as usize].name);
    "brand" Text Value::Text(c.products[*x as usize].brand);
    "category_id" Text Value::Text(c.categories[c.products[*x as usize].category as usize].id);
    "category_name" Text Value::Text(c.categories[c.products[*x as usize].category as usize].name);
    "parent_category_id" Text Value::Text("gifts");
    "launched_on" Date Value::Date(c.products[*x as usize].launched);
}

columns! { SKU, Sku(x), c:
    "sku" Text Value::Id("sku-", u64::from(*x));
    "product_id" Text Value::Id("p-", u64::from(c.skus[*x as usize].product));
    "gtin" Text Value::Made(format!("{:013}", 5_000_000_000_000_u64 + u64::from(*x) * 10));
    "variant" Text Value::Text(c.skus[*x as usize].variant);
    "description" Text Value::Text(&c.skus[*x as usize].name);
    "category_id" Text Value::Text(c.category_of(*x).id);
    "uom" Text Value::Text("ea");
    "list_price" Decimal Value::Decimal(c.skus[*x as usize].price);
    "unit_cost" Decimal Value::Decimal(c.skus[*x as usize].cost);
    "minimum_advertised_price" Decimal Value::Decimal(c.skus[*x as usize].price_min());
    "currency" Text CURRENCY;
    "rfid_tagged" Flag Value::Flag(c.skus[*x as usize].tagged);
}

columns! { LOCATION, Location(x), c:
    "location_id" Text location_id(*x);
    "kind" Text Value::Text(match *x { 0 => "dc", l if l == c.web() => "web", _ => "store" });
    "name" Text Value::Text(c.location_name(*x).0);
    "city" Text Value::Text(c.location_name(*x).1);
    "country" Text Value::Text("GB");
    "gln" Text Value::Made(format!("{:013}", 5_060_000_000_000_u64 + u64::from(*x)));
    "time_zone" Text Value::Text("UTC");
    "lat" Float Value::Float(c.location_name(*x).2);
    "lon" Float Value::Float(c.location_name(*x).3);
    "supplied_from" Text if *x == 0 { Value::Null } else { location_id(0) };
}

columns! { SUPPLIER, Supplier(x), c:
    "supplier_id" Text Value::Id("sup-", u64::from(*x));
    "name" Text
        Value::Made(format!("{} Trading", words::SURNAMES[*x as usize % words::SURNAMES.len()]));
    "country" Text Value::Text(c.suppliers[*x as usize].country);
}

columns! { SKU_SUPPLIER, SkuSupplier(x), c:
    "sku" Text Value::Id("sku-", u64::from(*x));
    "supplier_id" Text Value::Id("sup-", u64::from(c.skus[*x as usize].supplier));
    "lead_time_days" Whole {
        let supplier = c.skus[*x as usize].supplier;
        Value::Whole(i64::from(c.suppliers[supplier as usize].promised_days))
    };
    "minimum_order" Decimal pieces(c.skus[*x as usize].pack);
    "pack_size" Decimal pieces(c.skus[*x as usize].pack);
    "unit_cost" Decimal Value::Decimal(c.skus[*x as usize].cost);
    "currency" Text CURRENCY;
}

columns! { PROMOTION, Promotion(x), c:
    "promotion_id" Text Value::Id("promo-", u64::from(x.promotion));
    "name" Text Value::Made(format!("{}% off {}", x.percent, c.skus[x.sku as usize].name));
    "sku" Text Value::Id("sku-", u64::from(x.sku));
    "category_id" Text Value::Text(c.category_of(x.sku).id);
    "discount_rate" Float Value::Float(f64::from(x.percent) / 100.0);
    "starts_at" Time Value::Time(x.starts_at);
    "ends_at" Time Value::Time(x.starts_at + 7 * DAY);
}

columns! { CAMPAIGN, Campaign(x), c:
    "campaign_id" Text Value::Id("ad-", u64::from(x.campaign));
    "name" Text Value::Made(format!("{} on {}", c.categories[x.category as usize].name, x.medium));
    "medium" Text Value::Text(x.medium);
    "category_id" Text Value::Text(c.categories[x.category as usize].id);
    "daily_budget" Decimal Value::Decimal(x.budget);
    "bid_micros" Whole Value::Whole(x.bid);
    "currency" Text CURRENCY;
}

columns! { COMPETITOR, Competitor(x), c:
    "competitor_id" Text Value::Id("rival-", u64::from(x.competitor));
    "sku" Text Value::Id("sku-", u64::from(x.sku));
    "competitor_name" Text Value::Text(words::RIVALS[x.competitor as usize % words::RIVALS.len()]);
    "competitor_sku" Text id("x", Some(u64::from(x.sku) * 7 + u64::from(x.competitor)));
    "match_confidence" Float Value::Float(x.confidence);
}
