//! How the columns of the event model are had of events: one list a table, in the files' order of
//! `packs/model/sql`.

pub(crate) mod dimensions;
pub(crate) mod market;
pub(crate) mod people;
pub(crate) mod stock;
pub(crate) mod trade;

use crate::table::{Column, Kind, Value};

/// Declares the columns of a table: name, kind, value of the body.
macro_rules! columns {
    (
        $table:ident, $body:ident($x:ident), $catalog:ident:
        $($name:literal $kind:ident $value:expr;)*
    ) => {
        pub(crate) const $table: &[$crate::table::Column] = &[$($crate::table::Column {
            name: $name,
            kind: $crate::table::Kind::$kind,
            value: |event, $catalog| {

                let $crate::event::Body::$body($x) = &event.body else {
                    return $crate::table::Value::Null;
                };
                // Not every column needs both.
                let _ = (&$x, $catalog);
                $value
            },
        }),*];
    };
}
pub(crate) use columns;

/// What every row says of itself.
const SOURCE: Column =
    Column { name: "source", kind: Kind::Text, value: |_, _| Value::Text("simulated") };
const EXT: Column = Column { name: "ext", kind: Kind::Text, value: |_, _| Value::Null };

/// The columns that all event tables share.
pub(crate) const ENVELOPE: &[Column] = &[
    Column { name: "event_id", kind: Kind::Text, value: |e, _| Value::Id(e.table.prefix(), e.id) },
    Column { name: "event_time", kind: Kind::Time, value: |e, _| Value::Time(e.time) },
    Column { name: "ingest_time", kind: Kind::Time, value: |e, _| Value::Time(e.arrival) },
    SOURCE,
    EXT,
];

/// The columns that all dimensions share.
pub(crate) const DIMENSION: &[Column] = &[
    Column { name: "updated_at", kind: Kind::Time, value: |e, _| Value::Time(e.time) },
    SOURCE,
    EXT,
];

fn text(value: &str) -> Value<'_> {
    if value.is_empty() { Value::Null } else { Value::Text(value) }
}

fn id(prefix: &'static str, number: Option<u64>) -> Value<'static> {
    number.map_or(Value::Null, |n| Value::Id(prefix, n))
}

fn pieces(quantity: i32) -> Value<'static> {
    Value::Decimal(i64::from(quantity) * 10_000)
}

const CURRENCY: Value<'static> = Value::Text("GBP");
