//! Feedback, points, messages, identities.

use super::{columns, id, text};
use crate::event::PointsRef;
use crate::table::Value;

columns! { FEEDBACK, Feedback(x), c:
    "channel" Text Value::Text(x.channel);
    "customer_id" Text Value::Id("c-", u64::from(x.customer));
    "kind" Text Value::Text(x.kind);
    "rating" Whole Value::Whole(i64::from(x.rating));
    "text" Text Value::Text(&x.text);
    "lang" Text Value::Text(x.lang);
    "product_id" Text id("p-", x.sku.map(|s| u64::from(c.skus[s as usize].product)));
    "order_id" Text Value::Id("o-", x.order);
    "author_ref" Text Value::Null;
    "parent_id" Text Value::Null;
}

columns! { LOYALTY, Loyalty(x), c:
    "entry_id" Text Value::Id("entry-", x.entry);
    "customer_id" Text Value::Id("c-", u64::from(x.customer));
    "entry_type" Text Value::Text(x.entry_type);
    "wallet" Text Value::Text("points");
    "points" Decimal Value::Decimal(x.points * 10_000);
    "state" Text Value::Text(x.state);
    "available_at" Time x.available_at.map_or(Value::Null, Value::Time);
    "expires_at" Time x.expires_at.map_or(Value::Null, Value::Time);
    "rule_id" Text Value::Text("one_per_pound");
    "rule_version" Whole Value::Whole(1);
    "ref_type" Text Value::Text(match x.reference {
        PointsRef::Sale(_) => "sale",
        PointsRef::Entry(_) => "entry",
    });
    "ref_id" Text match x.reference {
        PointsRef::Sale(n) => Value::Id("t-", n),
        PointsRef::Entry(n) => Value::Id("entry-", n),
    };
}

columns! { CONTACT, Contact(x), c:
    "channel" Text Value::Text(x.channel);
    "customer_id" Text Value::Id("c-", u64::from(x.customer));
    "kind" Text Value::Text(x.kind);
    "message_id" Text Value::Id("msg-", x.message);
    "decision_id" Text text(&x.decision);
    "campaign_id" Text Value::Text(x.campaign);
    "template_id" Text Value::Text(x.campaign);
    "variant" Text Value::Null;
    "reason" Text text(x.reason);
}

columns! { IDENTITY, Identity(x), c:
    "channel" Text Value::Text(x.channel);
    "op" Text Value::Text(x.op);
    "id_type" Text text(x.id_type);
    "id_hash" Text match (x.id_type, x.id) {
        ("", _) => Value::Null,
        ("anonymous_id", number) => Value::Id("a-", number),
        (_, number) => Value::Made(format!("{:016x}", crate::random::mix(number))),
    };
    "customer_id" Text Value::Id("c-", u64::from(x.customer));
    "target_customer_id" Text id("c-", x.target.map(u64::from));
    "purpose" Text text(x.purpose);
    "evidence" Text Value::Text(x.evidence);
}
