//! The events of one table as rows.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{SchemaRef, TimeUnit};
use rialto_engine::{Delta, EngineError, Poll, Position, Reader};
use rialto_shop::{Catalog, Column as ShopColumn, Event, Table, Value};
use serde_json::json;

use super::feed::{Found, Known, Seat};
use crate::format::column::{Column, Slot};
use crate::spec::TableSpec;

/// Reads one table of a world.
pub(super) struct EventReader {
    table: String,
    schema: SchemaRef,
    seat: Seat,
    catalog: Option<Arc<Catalog>>,
    columns: Vec<(Slot, &'static ShopColumn)>,
}

impl EventReader {
    pub fn new(spec: &TableSpec, schema: SchemaRef, seat: Seat) -> rialto_engine::Result<Self> {
        let table = seat.place().map_or(Table::SaleLine, |(place, _)| place.table);
        let mut columns = Vec::new();
        for field in schema.fields() {
            let slot = Slot::new(field)
                .map_err(|t| EngineError::Internal(format!("a shop's column of type {t}")))?;
            let column = table.columns().find(|c| c.name == field.name()).ok_or_else(|| {
                EngineError::Internal(format!("'{}' has no column {}", spec.name, field.name()))
            })?;
            columns.push((slot, column));
        }
        Ok(Self { table: spec.name.clone(), schema, seat, catalog: None, columns })
    }

    fn failed(&self, reason: impl ToString) -> EngineError {
        EngineError::source(format!("table '{}'", self.table), reason)
    }

    fn rows(
        &mut self,
        catalog: &Catalog,
        parts: &[(Arc<Vec<Event>>, Range<usize>)],
        count: usize,
    ) -> rialto_engine::Result<RecordBatch> {
        let mut arrays = Vec::with_capacity(self.columns.len());
        for (slot, column) in &mut self.columns {
            for event in parts.iter().flat_map(|(events, rows)| &events[rows.clone()]) {
                push(&mut slot.column, (column.value)(event, catalog));
            }
            arrays.push(slot.finish()?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)?)
    }
}

/// Appends a value; what kinds meet is checked when the table is declared.
fn push(column: &mut Column, value: Value<'_>) {
    match (column, value) {
        (Column::Utf8(c), Value::Text(text)) => c.push(text.as_bytes()),
        (Column::Utf8(c), Value::Made(text)) => c.push(text.as_bytes()),
        (Column::Utf8(c), Value::Id(prefix, number)) => {
            c.bytes.extend_from_slice(prefix.as_bytes());
            digits(number, &mut c.bytes);
            c.close();
        }
        (Column::I32(c), Value::Whole(n)) => c.push(i32::try_from(n).unwrap_or(i32::MAX)),
        (Column::I64(c), Value::Whole(n)) => c.push(n),
        (Column::Decimal(c, _, _), Value::Decimal(n)) => c.push(i128::from(n)),
        (Column::Timestamp(c), Value::Time(ms)) => c.plain.push(match c.unit {
            TimeUnit::Second => ms.div_euclid(1000),
            TimeUnit::Millisecond => ms,
            TimeUnit::Microsecond => ms.saturating_mul(1000),
            TimeUnit::Nanosecond => ms.saturating_mul(1_000_000),
        }),
        (Column::Date(c), Value::Date(day)) => c.push(day),
        (Column::F64(c), Value::Float(number)) => c.push(number),
        (Column::Bool(values, validity), Value::Flag(flag)) => {
            values.append(flag);
            validity.valid();
        }
        (column, _) => column.push_null(),
    }
}

/// Appends a number in decimal.
fn digits(mut number: u64, into: &mut Vec<u8>) {
    let mut text = [0; 20];
    let mut at = text.len();
    loop {
        at -= 1;
        text[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    into.extend_from_slice(&text[at..]);
}

impl Reader for EventReader {
    fn poll(&mut self, rows_max: usize) -> rialto_engine::Result<Poll> {
        // Hours are short: several make a batch, as who gets less than a batch may wait for more.
        let (mut parts, mut count) = (Vec::new(), 0);
        while count < rows_max.max(1) {
            match self.seat.next(rows_max.max(1) - count).map_err(|e| self.failed(e))? {
                Found::Rows { events, from, to } => {
                    count += to - from;
                    parts.push((events, from..to));
                }
                Found::Nothing | Found::End if count > 0 => break,
                Found::Nothing => return Ok(Poll::Idle),
                Found::End => return Ok(Poll::End),
            }
        }
        if self.catalog.is_none() {
            self.catalog = self.seat.catalog();
        }
        let catalog = self.catalog.clone();
        let catalog = catalog.ok_or_else(|| self.failed("the simulated shop has not begun"))?;
        let batch = self.rows(&catalog, &parts, count)?;
        Ok(Poll::Rows(Delta::insert_only(batch)))
    }

    fn watermark(&self) -> Option<i64> {
        self.seat.watermark()
    }

    fn position(&self) -> Position {
        let Some((place, known)) = self.seat.place() else { return json!({}) };
        let told: Vec<_> = known.hours.iter().map(|(hour, at)| json!([hour, at])).collect();
        json!({
            "hour": place.hour, "row": place.row, "time": place.time,
            "made": known.made, "decisions": told,
        })
    }

    fn seek(&mut self, position: &Position) -> rialto_engine::Result<()> {
        let strange =
            || self.failed(format!("the position {position} is not one of a simulated shop"));
        let hour = position["hour"].as_u64().ok_or_else(strange)?;
        let row = position["row"].as_u64().ok_or_else(strange)?;
        let time = position["time"].as_i64().ok_or_else(strange)?;
        let made = position["made"].as_u64().ok_or_else(strange)?;
        let mut known = Known { made, ..Known::default() };
        for entry in position["decisions"].as_array().ok_or_else(strange)? {
            let hour = entry[0].as_u64().ok_or_else(strange)?;
            let mut offsets = BTreeMap::new();
            for (partition, offset) in entry[1].as_object().ok_or_else(strange)? {
                let partition = partition.parse::<u32>().map_err(|_| strange())?;
                offsets.insert(partition, offset.as_u64().ok_or_else(strange)?);
            }
            known.hours.insert(hour, offsets);
        }
        let row = usize::try_from(row).map_err(|_| strange())?;
        self.seat.seek(hour, row, time, known).map_err(|e| self.failed(e))
    }
}
