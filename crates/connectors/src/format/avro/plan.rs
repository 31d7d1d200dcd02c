//! From the schema that a record was written with to the columns of a table.
//!
//! Fields are found by their names, as Avro resolves a writer's schema against a reader's: what the
//! table does not read is stepped over, what the writer did not have is null. What cannot be read
//! at all is known before the first record. Beyond Avro's own promotions a whole number goes into
//! any column of whole numbers that it fits, an enum into a STRING, a fixed into BYTES; and a
//! timestamp is read in the unit in which it was written.

use arrow::datatypes::TimeUnit;

use super::cursor::{Cursor, Fault, Taken};
use super::schema::{Id, Kind, Logical, Node, Schema};
use crate::format::column::{Column, List, Map, Row, Slot};
use crate::format::text;

/// Records within records go no deeper than this.
const DEPTH_MAX: usize = 128;

/// How the fields of a record become columns.
#[derive(Debug)]
pub(super) struct RecordPlan {
    /// The writer's fields in their order: what is skipped, or which column it becomes and how.
    steps: Vec<Step>,
    /// Columns that the writer does not have.
    missing: Vec<usize>,
}

#[derive(Debug)]
enum Step {
    Skip(Id),
    Read { slot: usize, plan: Plan },
}

/// How a value becomes one of a column.
#[derive(Debug)]
enum Plan {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    /// Bytes with a length; text where the column is.
    Bytes,
    Fixed(usize),
    Enum(Vec<String>),
    /// Microseconds of a day.
    TimeMicros,
    Timestamp(TimeUnit),
    /// A decimal of a scale, in so many bytes or in as many as its length says.
    Decimal(i32, Option<usize>),
    List(Box<Plan>),
    Map(Box<Plan>),
    Row(RecordPlan),
    /// For each branch a plan, or why its values fit no column.
    Union(Vec<Result<Plan, String>>),
}

impl RecordPlan {
    /// The plan for the records of a schema.
    pub fn new(schema: &Schema, slots: &[Slot]) -> Result<Self, String> {
        match &schema.node(schema.root()).kind {
            Kind::Record(fields) => Self::of_fields(schema, fields, slots, 0),
            other => Err(format!("the writer's schema is a {}, not a record", other.name())),
        }
    }

    fn of_fields(
        schema: &Schema,
        fields: &[(String, Id)],
        slots: &[Slot],
        depth: usize,
    ) -> Result<Self, String> {
        if depth > DEPTH_MAX {
            return Err("the columns are nested too deeply".into());
        }
        let mut steps = Vec::with_capacity(fields.len());
        for (name, id) in fields {
            steps.push(match slots.iter().position(|slot| slot.name() == name) {
                None => Step::Skip(*id),
                Some(slot) => {
                    let plan = plan(schema, *id, &slots[slot].column, depth + 1);
                    let plan = plan.map_err(|reason| format!("field '{name}': {reason}"))?;
                    Step::Read { slot, plan }
                }
            });
        }
        let has = |name: &str| fields.iter().any(|(field, _)| field == name);
        let missing: Vec<usize> = (0..slots.len()).filter(|&i| !has(slots[i].name())).collect();
        if let Some(slot) = missing.iter().map(|&i| &slots[i]).find(|s| !s.field.is_nullable()) {
            return Err(format!(
                "the writer's schema has no field '{}', which is NOT NULL in the table",
                slot.name()
            ));
        }
        Ok(Self { steps, missing })
    }

    /// Reads a record: appends one value to every column.
    pub fn read(&self, schema: &Schema, slots: &mut [Slot], cursor: &mut Cursor<'_>) -> Taken<()> {
        for step in &self.steps {
            match step {
                Step::Skip(id) => skip(schema, *id, cursor, 0)?,
                Step::Read { slot, plan } => {
                    let slot = &mut slots[*slot];
                    if let Err(fault) = plan.read(schema, &mut slot.column, cursor) {
                        return Err(match fault {
                            Fault::Ends => Fault::Ends,
                            Fault::Wrong(e) => format!("column '{}': {e}", slot.name()).into(),
                        });
                    }
                }
            }
        }
        for &slot in &self.missing {
            slots[slot].column.push_null();
        }
        Ok(())
    }
}

fn plan(schema: &Schema, id: Id, column: &Column, depth: usize) -> Result<Plan, String> {
    let node = schema.node(id);
    match (&node.kind, column) {
        (Kind::Null, _) => return Ok(Plan::Null),
        (Kind::Union(branches), _) => {
            let plans: Vec<_> =
                branches.iter().map(|b| plan(schema, *b, column, depth + 1)).collect();
            let fits = |p: &Result<Plan, String>| !matches!(p, Err(_) | Ok(Plan::Null));
            let only_null = branches.iter().all(|b| schema.node(*b).kind == Kind::Null);
            if !only_null && !plans.iter().any(fits) {
                let reason = plans.into_iter().find_map(Result::err);
                return Err(reason.unwrap_or_default());
            }
            return Ok(Plan::Union(plans));
        }
        (Kind::Array(items), Column::List(list)) => {
            let element = plan(schema, *items, &list.element.column, depth + 1)?;
            return Ok(Plan::List(Box::new(element)));
        }
        (Kind::Map(values), Column::Map(map)) => {
            if !matches!(map.key.column, Column::Utf8(_)) {
                return Err("keys of a map in Avro are strings".into());
            }
            let value = plan(schema, *values, &map.value.column, depth + 1)?;
            return Ok(Plan::Map(Box::new(value)));
        }
        (Kind::Record(fields), Column::Row(row)) => {
            return RecordPlan::of_fields(schema, fields, &row.fields, depth + 1).map(Plan::Row);
        }
        _ => {}
    }
    scalar(node, column)
        .ok_or_else(|| format!("a {} of the writer's schema fits no {}", named(node), word(column)))
}

fn named(node: &Node) -> String {
    match node.logical {
        Logical::None => node.kind.name().to_owned(),
        Logical::TimeMicros => "time-micros".to_owned(),
        Logical::Timestamp(_) => "timestamp".to_owned(),
        Logical::Decimal { .. } => "decimal".to_owned(),
    }
}

fn scalar(node: &Node, column: &Column) -> Option<Plan> {
    use Column as C;
    Some(match (&node.kind, column) {
        (Kind::Boolean, C::Bool(..)) => Plan::Boolean,
        (Kind::Int, C::I8(_) | C::I16(_) | C::I32(_) | C::I64(_) | C::F32(_) | C::F64(_)) => {
            Plan::Int
        }
        (Kind::Int, C::Date(_) | C::TimeMs(_)) => Plan::Int,
        (Kind::Long, C::TimeMs(_)) if node.logical == Logical::TimeMicros => Plan::TimeMicros,
        (Kind::Long, C::I8(_) | C::I16(_) | C::I32(_) | C::I64(_) | C::F32(_) | C::F64(_)) => {
            Plan::Long
        }
        // A long that says nothing of itself is one of milliseconds, as in Flink.
        (Kind::Long, C::Timestamp(_)) => match node.logical {
            Logical::Timestamp(unit) => Plan::Timestamp(unit),
            Logical::TimeMicros => return None,
            _ => Plan::Timestamp(TimeUnit::Millisecond),
        },
        (Kind::Float, C::F32(_) | C::F64(_)) => Plan::Float,
        (Kind::Double, C::F64(_)) => Plan::Double,
        (Kind::Bytes | Kind::Fixed(_), C::Decimal(_, _, scale)) => {
            let scale = match node.logical {
                Logical::Decimal { scale } => scale,
                _ => i32::from(*scale),
            };
            let size = if let Kind::Fixed(size) = node.kind { Some(size) } else { None };
            Plan::Decimal(scale, size)
        }
        (Kind::Bytes | Kind::String, C::Utf8(_) | C::Binary(_)) => Plan::Bytes,
        (Kind::Fixed(size), C::Binary(_)) => Plan::Fixed(*size),
        (Kind::Enum(symbols), C::Utf8(_)) => Plan::Enum(symbols.clone()),
        _ => return None,
    })
}

/// The type of a column, as it is declared.
fn word(column: &Column) -> &'static str {
    match column {
        Column::Null(_) => "NULL",
        Column::Bool(..) => "BOOLEAN",
        Column::I8(_) => "TINYINT",
        Column::I16(_) => "SMALLINT",
        Column::I32(_) => "INT",
        Column::I64(_) => "BIGINT",
        Column::F32(_) => "FLOAT",
        Column::F64(_) => "DOUBLE",
        Column::Decimal(..) => "DECIMAL",
        Column::Utf8(_) => "STRING",
        Column::Binary(_) => "BYTES",
        Column::Date(_) => "DATE",
        Column::TimeMs(_) => "TIME",
        Column::Timestamp(c) if c.zoned => "TIMESTAMP_LTZ",
        Column::Timestamp(_) => "TIMESTAMP",
        Column::List(_) => "ARRAY",
        Column::Map(_) => "MAP",
        Column::Row(_) => "ROW",
    }
}

impl Plan {
    #[inline]
    fn read(&self, schema: &Schema, column: &mut Column, cursor: &mut Cursor<'_>) -> Taken<()> {
        match (self, &mut *column) {
            (Self::Union(branches), _) => {
                return match &branches[cursor.branch(branches.len())?] {
                    Ok(plan) => plan.read(schema, column, cursor),
                    Err(reason) => Err(Fault::Wrong(reason.clone())),
                };
            }
            (Self::Null, column) => column.push_null(),
            (Self::Int | Self::Long, column) => read_number(column, cursor)?,
            (Self::Bytes, Column::Utf8(c)) => {
                c.push(cursor.string()?.as_bytes());
            }
            (Self::Bytes, Column::Binary(c)) => c.push(cursor.bytes()?),
            (Self::Timestamp(from), Column::Timestamp(c)) => {
                let value = cursor.long()?;
                let converted = in_unit(value, *from, c.unit);
                c.plain.push(converted.ok_or_else(|| format!("{value} is no TIMESTAMP"))?);
            }
            (Self::Double, Column::F64(c)) => c.push(cursor.double()?),
            (Self::Float, Column::F32(c)) => c.push(cursor.float()?),
            (Self::Float, Column::F64(c)) => c.push(cursor.float()?.into()),
            (Self::Boolean, Column::Bool(values, validity)) => {
                values.append(cursor.boolean()?);
                validity.valid();
            }
            (Self::Decimal(scale, size), Column::Decimal(c, precision, own)) => {
                let bytes = match size {
                    Some(size) => cursor.take(*size)?,
                    None => cursor.bytes()?,
                };
                match decimal(bytes, *scale, *precision, *own)? {
                    Some(value) => c.push(value),
                    // As in Flink a number that the column cannot hold is null.
                    None => column.push_null(),
                }
            }
            (Self::Fixed(size), Column::Binary(c)) => c.push(cursor.take(*size)?),
            (Self::Enum(symbols), Column::Utf8(c)) => {
                let index = cursor.int()?;
                let symbol = usize::try_from(index).ok().and_then(|i| symbols.get(i));
                let symbol = symbol.ok_or_else(|| format!("the enum has no symbol {index}"))?;
                c.push(symbol.as_bytes());
            }
            (Self::TimeMicros, Column::TimeMs(c)) => {
                let millis = cursor.long()?.div_euclid(1000);
                c.push(time_of_day(i32::try_from(millis).unwrap_or(-1))?);
            }
            (Self::List(element), Column::List(list)) => element.list(schema, list, cursor)?,
            (Self::Map(value), Column::Map(map)) => value.map(schema, map, cursor)?,
            (Self::Row(record), Column::Row(row)) => nested(record, schema, row, cursor)?,
            _ => return Err("the column is of another type than its plan".into()),
        }
        Ok(())
    }

    fn list(&self, schema: &Schema, list: &mut List, cursor: &mut Cursor<'_>) -> Taken<()> {
        loop {
            let count = cursor.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                self.read(schema, &mut list.element.column, cursor)?;
                if list.element.breaks_not_null() {
                    return Err("an element of the array is NOT NULL".into());
                }
            }
        }
        list.close(list.element.column.len());
        Ok(())
    }

    fn map(&self, schema: &Schema, map: &mut Map, cursor: &mut Cursor<'_>) -> Taken<()> {
        loop {
            let count = cursor.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                let key = cursor.string()?;
                if let Column::Utf8(keys) = &mut map.key.column {
                    keys.push(key.as_bytes());
                }
                self.read(schema, &mut map.value.column, cursor)?;
                if map.value.breaks_not_null() {
                    return Err("a value of the map is NOT NULL".into());
                }
            }
        }
        map.close(map.key.column.len());
        Ok(())
    }
}

fn nested(
    record: &RecordPlan,
    schema: &Schema,
    row: &mut Row,
    cursor: &mut Cursor<'_>,
) -> Taken<()> {
    record.read(schema, &mut row.fields, cursor)?;
    if let Some(field) = row.fields.iter().find(|f| f.breaks_not_null()) {
        return Err(format!("field '{}' is NOT NULL", field.name()).into());
    }
    row.close();
    Ok(())
}

/// A whole number, which Avro writes alike in both widths.
#[inline]
fn read_number(column: &mut Column, cursor: &mut Cursor<'_>) -> Taken<()> {
    let value = cursor.long()?;
    let small = |name: &str| Fault::Wrong(format!("{value} is no {name}"));
    match column {
        Column::I64(c) => c.push(value),
        Column::I32(c) => c.push(i32::try_from(value).map_err(|_| small("INT"))?),
        Column::I16(c) => c.push(i16::try_from(value).map_err(|_| small("SMALLINT"))?),
        Column::I8(c) => c.push(i8::try_from(value).map_err(|_| small("TINYINT"))?),
        Column::F64(c) => c.push(value as f64),
        Column::F32(c) => c.push(value as f32),
        Column::Date(c) => c.push(i32::try_from(value).map_err(|_| small("DATE"))?),
        Column::TimeMs(c) => {
            let millis = i32::try_from(value).map_err(|_| small("TIME"))?;
            c.push(time_of_day(millis)?);
        }
        _ => return Err("the column is of another type than its plan".into()),
    }
    Ok(())
}

fn time_of_day(millis: i32) -> Taken<i32> {
    match (0..86_400_000).contains(&millis) {
        true => Ok(millis),
        false => Err("a TIME is not within a day".into()),
    }
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// A timestamp in another unit, towards the past where it has to be cut.
fn in_unit(value: i64, from: TimeUnit, to: TimeUnit) -> Option<i64> {
    let (from, to) = (per_second(from), per_second(to));
    if from >= to { Some(value.div_euclid(from / to)) } else { value.checked_mul(to / from) }
}

/// A number of two's complement, the highest byte first, in the scale of the column.
fn decimal(bytes: &[u8], scale: i32, precision: u8, own: i8) -> Taken<Option<i128>> {
    let Some(&first) = bytes.first() else { return Err("a decimal has no bytes".into()) };
    let fill = if first >= 0x80 { 0xff } else { 0 };
    let spare = bytes.len().saturating_sub(16);
    let (head, tail) = bytes.split_at(spare);
    // What is beyond 16 bytes has to be signs only.
    let fits = head.iter().all(|&b| b == fill)
        && (spare == 0 || tail.first().is_some_and(|&b| (b >= 0x80) == (fill == 0xff)));
    if !fits {
        return Ok(None);
    }
    let mut wide = [fill; 16];
    wide[16 - tail.len()..].copy_from_slice(tail);
    let value = i128::from_be_bytes(wide);
    Ok(text::rescaled(value, i64::from(own) - i64::from(scale), precision))
}

/// Steps over a value that nobody reads.
pub(super) fn skip(schema: &Schema, id: Id, cursor: &mut Cursor<'_>, depth: usize) -> Taken<()> {
    if depth > DEPTH_MAX {
        return Err("the record is nested too deeply".into());
    }
    match &schema.node(id).kind {
        Kind::Null => {}
        Kind::Boolean => drop(cursor.boolean()?),
        Kind::Int | Kind::Long | Kind::Enum(_) => drop(cursor.long()?),
        Kind::Float => drop(cursor.take(4)?),
        Kind::Double => drop(cursor.take(8)?),
        Kind::Bytes | Kind::String => drop(cursor.bytes()?),
        Kind::Fixed(size) => drop(cursor.take(*size)?),
        Kind::Array(items) => loop {
            let count = cursor.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                skip(schema, *items, cursor, depth + 1)?;
            }
        },
        Kind::Map(values) => loop {
            let count = cursor.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                cursor.bytes()?;
                skip(schema, *values, cursor, depth + 1)?;
            }
        },
        Kind::Union(branches) => {
            let branch = cursor.branch(branches.len())?;
            skip(schema, branches[branch], cursor, depth + 1)?;
        }
        Kind::Record(fields) => {
            for (_, id) in fields {
                skip(schema, *id, cursor, depth + 1)?;
            }
        }
    }
    Ok(())
}
