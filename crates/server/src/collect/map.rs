//! Which rows of the event model a call is.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::value::{Sent, amount, decimal, product, text, text_of, timestamp};
use crate::access::random_id;

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody did something.
    Track,
    /// Somebody says who they are.
    Identify,
    /// A page was looked at.
    Page,
    /// A screen of an app was looked at.
    Screen,
    /// An id is another name of somebody.
    Alias,
}

impl Kind {
    /// Of the last part of a path; none for a batch.
    pub fn of_path(path: &str) -> Option<Self> {
        Self::named(path.rsplit('/').next().unwrap_or_default())
    }

    /// Of the `type` of a call within a batch.
    pub fn of_type(name: &Value) -> Option<Self> {
        Self::named(name.as_str()?)
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "track" => Self::Track,
            "identify" => Self::Identify,
            "page" => Self::Page,
            "screen" => Self::Screen,
            "alias" => Self::Alias,
            _ => return None,
        })
    }
}

/// A table of the event model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Steps of somebody's way through the shop.
    Behavior,
    /// Who is who.
    Identity,
    /// Steps of orders.
    Order,
    /// Lines of what was paid.
    Sale,
}

/// All of them, in the order of their numbers.
pub const TABLES: [Table; 4] = [Table::Behavior, Table::Identity, Table::Order, Table::Sale];

impl Table {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Behavior => "behavior_event",
            Self::Identity => "identity_event",
            Self::Order => "order_event",
            Self::Sale => "sale_line",
        }
    }
}

/// What a call is.
#[derive(Debug, PartialEq)]
pub enum Mapped {
    /// These rows.
    Rows(Vec<(Table, Value)>),
    /// Nothing that the model knows.
    Ignored(String),
    /// It lacks something.
    Refused(String),
}

/// Names of Segment's commerce events, and the model's words for them.
const ACTIONS: [(&str, &str); 19] = [
    ("Products Searched", "search"),
    ("Product List Viewed", "list_viewed"),
    ("Product List Filtered", "list_filtered"),
    ("Promotion Viewed", "promo_viewed"),
    ("Promotion Clicked", "promo_clicked"),
    ("Product Clicked", "product_clicked"),
    ("Product Viewed", "product_viewed"),
    ("Product Added", "cart_added"),
    ("Product Removed", "cart_removed"),
    ("Cart Viewed", "cart_viewed"),
    ("Checkout Started", "checkout_started"),
    ("Checkout Step Viewed", "checkout_step"),
    ("Payment Info Entered", "checkout_step"),
    ("Product Added to Wishlist", "wishlist_added"),
    ("Wishlist Product Added to Cart", "cart_added"),
    ("Product Shared", "shared"),
    ("Cart Shared", "shared"),
    ("Reviews Opened", "review_opened"),
    ("Store Visited", "store_visited"),
];

/// And those about orders.
const STATUSES: [(&str, &str); 3] =
    [("Order Completed", "paid"), ("Order Cancelled", "cancelled"), ("Order Refunded", "refunded")];

/// Members that have a column; the others of `properties` go into `ext`.
const COLUMNS: [&str; 22] = [
    "product_id",
    "sku",
    "category_id",
    "category",
    "list_id",
    "position",
    "query",
    "cart_id",
    "quantity",
    "price",
    "currency",
    "coupon",
    "coupon_id",
    "step",
    "url",
    "session_id",
    "store_id",
    "order_id",
    "total",
    "revenue",
    "products",
    "promotion_id",
];

/// What a call is, as rows.
pub fn map(kind: Kind, call: &Value, sent: &Sent) -> Mapped {
    if !call.is_object() {
        return refused("it is no object");
    }
    let (user, anonymous) = (text(&call["userId"]), text(&call["anonymousId"]));
    if user.is_none() && anonymous.is_none() {
        return refused("it has neither userId nor anonymousId");
    }
    let at = match sent.moment(call) {
        Ok(at) => at,
        Err(why) => return Mapped::Refused(why),
    };
    let call = Call {
        id: text(&call["messageId"]).unwrap_or_else(random_id),
        at: timestamp(at),
        day: Value::String(at.format("%Y-%m-%d").to_string()),
        now: timestamp(sent.now()),
        kind,
        user,
        anonymous,
        call,
    };
    match kind {
        Kind::Track => call.track(),
        Kind::Page | Kind::Screen => Mapped::Rows(vec![call.behavior("page_viewed")]),
        Kind::Identify => call.identify(),
        Kind::Alias => call.alias(),
    }
}

fn refused(why: &str) -> Mapped {
    Mapped::Refused(why.to_owned())
}

struct Call<'c> {
    id: String,
    at: Value,
    day: Value,
    now: Value,
    kind: Kind,
    user: Option<String>,
    anonymous: Option<String>,
    call: &'c Value,
}

/// A row without what is not known.
fn row(columns: Value) -> Value {
    match columns {
        Value::Object(columns) => {
            Value::Object(columns.into_iter().filter(|(_, v)| !v.is_null()).collect())
        }
        other => other,
    }
}

impl Call<'_> {
    fn said(&self, names: &[&str]) -> Option<String> {
        text_of(&self.call["properties"], names)
    }

    fn amount(&self, names: &[&str]) -> Option<i128> {
        names.iter().find_map(|name| amount(&self.call["properties"][*name]))
    }

    fn channel(&self) -> Option<&'static str> {
        match (self.kind, self.call["channel"].as_str(), &self.call["context"]["channel"]) {
            (Kind::Screen, ..) => Some("app"),
            (_, Some("browser"), _) => Some("web"),
            (_, Some("mobile"), _) => Some("app"),
            (_, _, context) if context == "browser" => Some("web"),
            (_, _, context) if context == "mobile" => Some("app"),
            (Kind::Page, ..) => Some("web"),
            _ => None,
        }
    }

    /// The columns that all tables have.
    fn envelope(&self, suffix: &str) -> Value {
        let source = text(&self.call["context"]["library"]["name"]);
        json!({
            "event_id": format!("{}{suffix}", self.id),
            "event_time": self.at, "ingest_time": self.now,
            "source": source.unwrap_or_else(|| "collector".into()), "channel": self.channel(),
        })
    }

    fn with(&self, suffix: &str, columns: Value) -> Value {
        let mut all = self.envelope(suffix);
        if let (Value::Object(all), Value::Object(columns)) = (&mut all, columns) {
            all.extend(columns);
        }
        row(all)
    }

    /// What of the properties has no column, as JSON.
    fn ext(&self) -> Option<String> {
        let mut rest: Map<String, Value> = Map::new();
        let properties = self.call["properties"].as_object().into_iter().flatten();
        let known = |name: &str| COLUMNS.contains(&name);
        rest.extend(properties.filter(|(n, _)| !known(n)).map(|(n, v)| (n.clone(), v.clone())));
        let named = |kind| matches!(kind, Kind::Page | Kind::Screen);
        if let Some(name) = text(&self.call["name"]).filter(|_| named(self.kind)) {
            rest.insert("name".into(), name.into());
        }
        (!rest.is_empty()).then(|| Value::Object(rest).to_string())
    }

    fn behavior(&self, action: &str) -> (Table, Value) {
        let context = &self.call["context"];
        let quantity = self.amount(&["quantity"]).filter(|q| *q >= 0).map(decimal);
        let position = self.call["properties"]["position"].as_i64();
        let position = position.filter(|p| (1..=i64::from(i32::MAX)).contains(p));
        let session = self.said(&["session_id"]).or_else(|| text(&context["sessionId"]));
        let columns = json!({
            "anonymous_id": self.anonymous, "customer_id": self.user,
            "device_id": text(&context["device"]["id"]), "session_id": session,
            "store_id": self.said(&["store_id"]),
            "campaign_id": text_of(&context["campaign"], &["id", "name"]),
            "click_id": text(&context["referrer"]["id"]),
            "action": action, "product_id": self.said(&["product_id"]), "sku": self.said(&["sku"]),
            "category_id": self.said(&["category_id", "category"]),
            "list_id": self.said(&["list_id"]), "position": position,
            "query": self.said(&["query"]), "cart_id": self.said(&["cart_id"]),
            "quantity": quantity, "unit_price": self.amount(&["price"]).map(decimal),
            "currency": self.said(&["currency"]), "coupon": self.said(&["coupon", "coupon_id"]),
            "step": self.said(&["step"]),
            "url": self.said(&["url"]).or_else(|| text(&context["page"]["url"])),
            "ext": self.ext(),
        });
        (Table::Behavior, self.with("", columns))
    }

    fn track(&self) -> Mapped {
        let Some(event) = text(&self.call["event"]) else { return refused("it has no 'event'") };
        let is_event = |name: &str| name.eq_ignore_ascii_case(event.trim());
        if let Some((_, action)) = ACTIONS.iter().find(|(name, _)| is_event(name)) {
            let (table, mut row) = self.behavior(action);
            if is_event("Payment Info Entered") && row["step"].is_null() {
                row["step"] = "payment".into();
            }
            return Mapped::Rows(vec![(table, row)]);
        }
        match STATUSES.iter().find(|(name, _)| is_event(name)) {
            Some((_, status)) => self.order(status),
            None => Mapped::Ignored(format!("the model has no event '{event}'")),
        }
    }

    fn order(&self, status: &str) -> Mapped {
        let Some(order) = self.said(&["order_id"]) else {
            return refused("it has no properties.order_id");
        };
        let products = self.call["properties"]["products"].as_array();
        let products = products.map_or(&[][..], Vec::as_slice);
        let currency = self.said(&["currency"]);
        let columns = json!({
            "order_id": order, "customer_id": self.user, "cart_id": self.said(&["cart_id"]),
            "status": status, "line_count": (!products.is_empty()).then_some(products.len()),
            "amount": self.amount(&["total", "revenue"]).map(decimal), "currency": currency,
            "reason": self.said(&["reason"]),
        });
        let mut rows = vec![(Table::Order, self.with("", columns))];
        if status != "paid" {
            return Mapped::Rows(rows);
        }
        for (at, product) in products.iter().enumerate() {
            match self.line(&order, currency.as_deref(), at + 1, product) {
                Ok(line) => rows.push((Table::Sale, line)),
                Err(why) => {
                    return Mapped::Refused(format!("properties.products[{at}] {why}"));
                }
            }
        }
        Mapped::Rows(rows)
    }

    /// A line of an order that is paid.
    fn line(
        &self,
        order: &str,
        currency: Option<&str>,
        number: usize,
        of: &Value,
    ) -> Result<Value, String> {
        let price = amount(&of["price"]).ok_or("has no price")?;
        let quantity = match &of["quantity"] {
            Value::Null => 10_000,
            said => amount(said).filter(|q| *q > 0).ok_or("has a quantity that is none")?,
        };
        let currency = text(&of["currency"]).or_else(|| currency.map(str::to_owned));
        let currency = currency.ok_or("has no currency, and properties.currency says none")?;
        let columns = json!({
            "transaction_id": order, "line_no": number, "txn_type": "sale", "line_type": "item",
            "order_id": order, "store_id": self.said(&["store_id"]), "business_date": self.day,
            "customer_id": self.user, "session_id": self.said(&["session_id"]),
            "campaign_id": text_of(&self.call["context"]["campaign"], &["id", "name"]),
            "sku": text_of(of, &["sku", "product_id"]), "product_id": text(&of["product_id"]),
            "category_id": text_of(of, &["category_id", "category"]),
            "description": text(&of["name"]), "quantity": decimal(quantity), "uom": "ea",
            "unit_price": decimal(price), "line_total": decimal(product(quantity, price)),
            "currency": currency,
        });
        Ok(self.with(&format!("/{number}"), columns))
    }

    fn identify(&self) -> Mapped {
        let Some(user) = &self.user else {
            return Mapped::Ignored("nobody is known by an anonymousId alone".into());
        };
        let traits = &self.call["traits"];
        let traits = if traits.is_null() { &self.call["context"]["traits"] } else { traits };
        let identity = |suffix: &str, id_type: &str, hash: String| {
            let columns = json!({
                "op": "identify", "id_type": id_type, "id_hash": hash, "customer_id": user,
                "evidence": "login",
            });
            (Table::Identity, self.with(suffix, columns))
        };
        let mut rows = Vec::new();
        if let Some(anonymous) = &self.anonymous {
            rows.push(identity("", "anonymous_id", anonymous.clone()));
        }
        if let Some(email) = text(&traits["email"]) {
            rows.push(identity("/email", "email", hashed(&email.trim().to_lowercase())));
        }
        if let Some(phone) = text(&traits["phone"]) {
            let digits: String =
                phone.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
            rows.push(identity("/phone", "phone", hashed(&digits)));
        }
        if rows.is_empty() {
            return Mapped::Ignored("it says nothing but the userId".into());
        }
        Mapped::Rows(rows)
    }

    fn alias(&self) -> Mapped {
        let previous = text(&self.call["previousId"]);
        let (Some(previous), Some(user)) = (previous, &self.user) else {
            return refused("it has no previousId or no userId");
        };
        let columns = json!({
            "op": "alias", "id_type": "anonymous_id", "id_hash": previous, "customer_id": user,
        });
        Mapped::Rows(vec![(Table::Identity, self.with("", columns))])
    }
}

/// What is kept of an address or a number: the SHA-256, in hexadecimal.
fn hashed(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(kind: Kind, call: Value) -> Mapped {
        map(kind, &call, &Sent::of(&json!({})))
    }

    fn rows(kind: Kind, call: Value) -> Vec<(Table, Value)> {
        match mapped(kind, call) {
            Mapped::Rows(rows) => rows,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_step_of_the_way_to_a_purchase_is_a_behavior_event() {
        let rows = rows(
            Kind::Track,
            json!({
                "messageId": "m1", "anonymousId": "a", "userId": 7, "event": "product added",
                "timestamp": "2026-03-02T10:15:00.123+01:00",
                "context": { "library": { "name": "analytics.js" }, "page": { "url": "/tea" } },
                "properties": { "product_id": 12, "sku": "t-1", "price": "4.5", "quantity": 2,
                    "position": 3, "color": "green" },
            }),
        );
        let [(table, row)] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!(*table, Table::Behavior);
        for (column, value) in [
            ("event_id", json!("m1")),
            ("event_time", json!("2026-03-02 09:15:00.123Z")),
            ("action", json!("cart_added")),
            ("customer_id", json!("7")),
            ("product_id", json!("12")),
            ("unit_price", json!("4.5000")),
            ("quantity", json!("2")),
            ("position", json!(3)),
            ("url", json!("/tea")),
            ("source", json!("analytics.js")),
            ("ext", json!("{\"color\":\"green\"}")),
            ("coupon", Value::Null),
        ] {
            assert_eq!(row[column], value, "{column}");
        }
    }

    #[test]
    fn an_order_is_its_step_and_its_lines() {
        let order = json!({
            "messageId": "m", "userId": "u", "event": "Order Completed",
            "timestamp": "2026-03-02T10:15:00Z",
            "properties": { "order_id": "o1", "total": 21.5, "currency": "GBP", "products": [
                { "product_id": "p1", "sku": "s1", "price": 4.5, "quantity": 3, "name": "tea" },
                { "product_id": "p2", "price": 8 },
            ] },
        });
        let all = rows(Kind::Track, order.clone());
        assert_eq!(
            all.iter().map(|(t, _)| *t).collect::<Vec<_>>(),
            [Table::Order, Table::Sale, Table::Sale]
        );
        assert_eq!((&all[0].1["status"], &all[0].1["amount"]), (&json!("paid"), &json!("21.5000")));
        assert_eq!(all[1].1["line_total"], "13.5000");
        assert_eq!(all[1].1["business_date"], "2026-03-02");
        assert_eq!((&all[2].1["event_id"], &all[2].1["sku"]), (&json!("m/2"), &json!("p2")));
        let mut poor = order;
        poor["properties"]["currency"] = Value::Null;
        assert!(
            matches!(mapped(Kind::Track, poor), Mapped::Refused(why) if why.contains("currency"))
        );
    }

    #[test]
    fn who_somebody_is_is_kept_by_hashes() {
        let rows = rows(
            Kind::Identify,
            json!({
                "messageId": "m", "userId": "u", "anonymousId": "a",
                "traits": { "email": " Ann@Example.com ", "name": "Ann" },
            }),
        );
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].1["id_hash"], "a");
        assert_eq!(rows[1].1["id_hash"], hashed("ann@example.com"));
        assert!(!rows.iter().any(|(_, row)| row.to_string().to_lowercase().contains("ann@")));
    }

    #[test]
    fn what_is_not_of_the_model_is_said() {
        let track = |call: Value| mapped(Kind::Track, call);
        assert!(matches!(track(json!({ "event": "x" })), Mapped::Refused(_)));
        assert!(matches!(track(json!({ "userId": "u" })), Mapped::Refused(_)));
        let other = track(json!({ "userId": "u", "event": "Signed Up" }));
        assert_eq!(other, Mapped::Ignored("the model has no event 'Signed Up'".into()));
        let late = json!({ "userId": "u", "event": "Cart Viewed", "timestamp": "soon" });
        assert!(matches!(track(late), Mapped::Refused(_)));
        assert!(matches!(
            mapped(Kind::Identify, json!({ "anonymousId": "a" })),
            Mapped::Ignored(_)
        ));
        assert!(matches!(mapped(Kind::Page, json!([1])), Mapped::Refused(_)));
    }
}
