//! Prices, ads, signals.

use super::{CURRENCY, columns, id, text};
use crate::table::Value;

columns! { PRICE, Price(x), c:
    "channel" Text Value::Null;
    "sku" Text Value::Id("sku-", u64::from(x.sku));
    "price_type" Text Value::Text(x.price_type);
    "competitor_id" Text id("rival-", x.competitor.map(u64::from));
    "location_id" Text Value::Null;
    "amount" Decimal Value::Decimal(x.amount);
    "currency" Text CURRENCY;
    "valid_from" Time Value::Time(x.valid_from);
    "valid_to" Time x.valid_to.map_or(Value::Null, Value::Time);
    "in_stock" Flag x.in_stock.map_or(Value::Null, Value::Flag);
    "match_confidence" Float x.confidence.map_or(Value::Null, Value::Float);
    "promotion_id" Text id("promo-", x.promotion.map(u64::from));
    "decision_id" Text text(&x.decision);
}

columns! { AD, Ad(x), c:
    "channel" Text Value::Text("ads");
    "kind" Text Value::Text(x.kind);
    "campaign_id" Text Value::Id("ad-", u64::from(x.campaign));
    "ad_group_id" Text Value::Id("adg-", u64::from(x.campaign));
    "creative_id" Text Value::Id("creative-", u64::from(x.creative));
    "placement" Text Value::Text(x.placement);
    "auction_id" Text id("auction-", x.auction);
    "imp_id" Text id("imp-", x.impression);
    "click_id" Text id("k-", x.click);
    "anonymous_id" Text id("a-", x.anonymous);
    "customer_id" Text id("c-", x.customer.map(u64::from));
    "bid_micros" Whole if x.bid > 0 { Value::Whole(x.bid) } else { Value::Null };
    "price_micros" Whole if x.price >= 0 { Value::Whole(x.price) } else { Value::Null };
    "currency" Text CURRENCY;
    "conversion_value" Decimal if x.value > 0 { Value::Decimal(x.value) } else { Value::Null };
    "order_id" Text id("o-", x.order);
}

columns! { SIGNAL, Signal(x), c:
    "kind" Text Value::Text(x.kind);
    "topic" Text Value::Text(c.categories[x.category as usize].name);
    "brand" Text Value::Null;
    "product_id" Text Value::Null;
    "category_id" Text Value::Text(c.categories[x.category as usize].id);
    "value" Float x.value.map_or(Value::Null, Value::Float);
    "text" Text text(&x.text);
    "url" Text Value::Null;
    "lang" Text text(x.lang);
}
