//! Behavior, sales, payments, orders.

use super::{CURRENCY, columns, id, pieces, text};
use crate::calendar::day_of;
use crate::catalog::location_id;
use crate::event::Event;
use crate::table::Value;

columns! { BEHAVIOR, Behavior(x), c:
    "channel" Text Value::Text(x.visit.channel);
    "anonymous_id" Text Value::Id("a-", x.visit.anonymous);
    "customer_id" Text id("c-", x.visit.customer.map(u64::from));
    "device_id" Text Value::Id("d-", x.visit.anonymous);
    "session_id" Text Value::Id("v-", x.visit.session);
    "store_id" Text location_id(c.web());
    "campaign_id" Text id("ad-", x.visit.campaign.map(u64::from));
    "click_id" Text id("k-", x.visit.click);
    "action" Text Value::Text(x.action);
    "product_id" Text id("p-", x.sku.map(|s| u64::from(c.skus[s as usize].product)));
    "sku" Text id("sku-", x.sku.map(u64::from));
    "category_id" Text x.category.map_or(Value::Null, |g| Value::Text(c.categories[g as usize].id));
    "list_id" Text text(x.list);
    "position" Whole if x.position > 0 { Value::Whole(i64::from(x.position)) } else { Value::Null };
    "query" Text x.query.map_or(Value::Null, |g| Value::Text(c.categories[g as usize].name));
    "cart_id" Text if x.in_cart { Value::Id("cart-", x.visit.session) } else { Value::Null };
    "quantity" Decimal if x.quantity != 0 { pieces(x.quantity) } else { Value::Null };
    "unit_price" Decimal if x.price > 0 { Value::Decimal(x.price) } else { Value::Null };
    "currency" Text if x.price > 0 { CURRENCY } else { Value::Null };
    "coupon" Text id("offer-", x.coupon);
    "step" Text text(x.step);
    "url" Text match x.sku {
        Some(s) => Value::Id("/product/", u64::from(c.skus[s as usize].product)),
        None => text(x.list),
    };
}

fn date(event: &Event) -> Value<'static> {
    Value::Date(day_of(event.time) as i32)
}

const BUSINESS_DATE: crate::table::Column = crate::table::Column {
    name: "business_date",
    kind: crate::table::Kind::Date,
    value: |event, _| date(event),
};

columns! { SALE_BODY, Sale(x), c:
    "channel" Text Value::Text(x.channel);
    "transaction_id" Text Value::Id("t-", x.transaction);
    "line_no" Whole Value::Whole(i64::from(x.line_no));
    "txn_type" Text Value::Text(x.txn_type);
    "line_type" Text Value::Text(x.line_type);
    "order_id" Text id("o-", x.order);
    "store_id" Text location_id(x.location);
    "workstation_id" Text id("till-", x.till.map(u64::from));
    "customer_id" Text id("c-", x.customer.map(u64::from));
    "session_id" Text id("v-", x.session);
    "campaign_id" Text id("ad-", x.campaign.map(u64::from));
    "sku" Text id("sku-", x.sku.map(u64::from));
    "product_id" Text id("p-", x.sku.map(|s| u64::from(c.skus[s as usize].product)));
    "category_id" Text match x.sku {
        Some(s) => Value::Text(c.category_of(s).id),
        None => Value::Null,
    };
    "description" Text x.sku.map_or(Value::Null, |s| Value::Text(&c.skus[s as usize].name));
    "quantity" Decimal pieces(x.quantity);
    "uom" Text Value::Text("ea");
    "list_price" Decimal Value::Decimal(x.list_price);
    "unit_price" Decimal Value::Decimal(x.unit_price);
    "discount_amount" Decimal
        Value::Decimal((x.list_price - x.unit_price) * i64::from(x.quantity));
    "tax_amount" Decimal Value::Decimal(x.unit_price * i64::from(x.quantity) / 6);
    "line_total" Decimal Value::Decimal(x.unit_price * i64::from(x.quantity));
    "currency" Text CURRENCY;
    "promotion_id" Text id("promo-", x.promotion.map(u64::from));
    "coupon" Text id("offer-", x.coupon);
    "original_transaction_id" Text id("t-", x.original);
    "reason_code" Text text(x.reason);
}

/// A sale's columns: those of its body, and the day of its time.
pub(crate) const SALE: &[crate::table::Column] = &{
    let mut all = [BUSINESS_DATE; SALE_BODY.len() + 1];
    let mut at = 0;
    while at < SALE_BODY.len() {
        let column = &SALE_BODY[at];
        all[at] =
            crate::table::Column { name: column.name, kind: column.kind, value: column.value };
        at += 1;
    }
    all
};

columns! { TENDER, Tender(x), c:
    "channel" Text Value::Text(x.channel);
    "transaction_id" Text Value::Id("t-", x.transaction);
    "tender_no" Whole Value::Whole(i64::from(x.tender_no));
    "store_id" Text location_id(x.location);
    "customer_id" Text id("c-", x.customer.map(u64::from));
    "tender_type" Text Value::Text(x.tender_type);
    "amount" Decimal Value::Decimal(x.amount);
    "currency" Text CURRENCY;
    "status" Text Value::Text(x.status);
}

columns! { ORDER, Order(x), c:
    "channel" Text Value::Text(x.channel);
    "order_id" Text Value::Id("o-", x.order);
    "customer_id" Text id("c-", x.customer.map(u64::from));
    "cart_id" Text id("cart-", x.cart);
    "status" Text Value::Text(x.status);
    "node_id" Text location_id(0);
    "line_count" Whole Value::Whole(i64::from(x.lines));
    "amount" Decimal Value::Decimal(x.amount);
    "currency" Text CURRENCY;
    "promised_at" Time x.promised_at.map_or(Value::Null, Value::Time);
    "carrier" Text text(x.carrier);
    "tracking_no" Text id("track-", (!x.carrier.is_empty()).then_some(x.order));
    "reason" Text text(x.reason);
}
