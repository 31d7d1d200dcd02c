//! Movements and reservations.

use super::{CURRENCY, columns, pieces, text};
use crate::catalog::location_id;
use crate::event::Ref;
use crate::table::Value;

columns! { MOVEMENT, Movement(x), c:
    "channel" Text Value::Text(x.channel);
    "action" Text Value::Text(match x.quantity {
        _ if x.observed => "observe",
        q if q < 0 => "delete",
        _ => "add",
    });
    "biz_step" Text Value::Text(x.biz_step);
    "disposition" Text Value::Text(x.disposition);
    "sku" Text Value::Id("sku-", u64::from(x.sku));
    "location_id" Text location_id(x.location);
    "quantity" Decimal pieces(x.quantity);
    "uom" Text Value::Text("ea");
    "epc" Text x.epc.map_or(Value::Null, |n| Value::Id("epc-", n));
    "read_point" Text text(x.read_point);
    "ref_type" Text Value::Text(x.reference.kind());
    "ref_id" Text match &x.reference {
        Ref::Decision { id, .. } => Value::Text(id),
        &(Ref::Transaction(n) | Ref::Return(n)) => Value::Id("t-", n),
        &Ref::Purchase(n) => Value::Id("po-", n),
        &Ref::Transfer(n) => Value::Id("tr-", n),
        &Ref::Adjust(n) => Value::Id("adj-", n),
        &Ref::Count(n) => Value::Id("count-", n),
        Ref::Opening => Value::Text("opening"),
    };
    "unit_cost" Decimal match x.reference {
        Ref::Purchase(_) | Ref::Opening | Ref::Decision { is_transfer: false, .. } =>
            Value::Decimal(c.skus[x.sku as usize].cost),
        _ => Value::Null,
    };
    "currency" Text match x.reference {
        Ref::Purchase(_) | Ref::Opening | Ref::Decision { is_transfer: false, .. } => CURRENCY,
        _ => Value::Null,
    };
}

columns! { RESERVATION, Reservation(x), c:
    "reservation_id" Text Value::Id("r-", x.reservation);
    "version" Whole Value::Whole(i64::from(x.version));
    "op" Text Value::Text(x.op);
    "sku" Text Value::Id("sku-", u64::from(x.sku));
    "location_id" Text location_id(0);
    "quantity" Decimal pieces(x.quantity);
    "owner_type" Text Value::Text(if x.order.is_some() { "order" } else { "cart" });
    "owner_id" Text match x.order {
        Some(order) => Value::Id("o-", order),
        None => Value::Id("cart-", x.cart),
    };
    "expires_at" Time x.expires_at.map_or(Value::Null, Value::Time);
}
