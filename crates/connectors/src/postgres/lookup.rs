//! A table that is asked for the rows of keys, one query for all keys that come together.
//!
//! The keys go as arrays, so a query has one text however many keys there are, and is prepared once
//! a connection. A key that PostgreSQL has no form for (a text with U+0000, a date before its
//! first) is not asked for: no row can have it.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::BytesMut;
use futures_util::TryStreamExt;
use rialto_engine::{CacheLimits, EngineError, Lookup, LookupTable};
use tokio_postgres::Statement;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::catalog::PgTable;
use super::client::{Session, Trouble};
use super::decode::RowDecoder;
use super::encode::RowEncoder;
use super::options::{OnNull, PgOptions};
use super::scan::{of_table, select};
use super::types::{self, Wire};
use crate::error::{ConnectorError, Result};
use crate::spec::{Environment, TableSpec};

/// The pause before the first retry; each further one waits so much longer, as in Flink.
const PAUSE: Duration = Duration::from_secs(1);

/// Opens a table for lookups; none where its options have it read whole.
pub(super) fn open(
    spec: &TableSpec,
    keys: &[(usize, DataType)],
    _: &Environment,
) -> Result<Option<Arc<dyn LookupTable>>> {
    let options = PgOptions::read(spec)?;
    if options.lookup.whole {
        return Ok(None);
    }
    RowDecoder::new(spec)?;
    let mut fields = Vec::with_capacity(keys.len());
    for (column, data_type) in keys {
        let field = spec.schema.fields().get(*column).ok_or_else(|| {
            ConnectorError::new(format!("table '{}' has no column {column}", spec.name))
        })?;
        fields.push(Field::new(field.name(), data_type.clone(), true));
    }
    let keys = Arc::new(Schema::new(fields));
    Ok(Some(Arc::new(PgLookupTable { spec: spec.clone(), options, keys })))
}

/// A table of a database, to be asked.
#[derive(Debug)]
struct PgLookupTable {
    spec: TableSpec,
    options: PgOptions,
    /// The columns that it is asked by, in the types in which their values come.
    keys: SchemaRef,
}

impl LookupTable for PgLookupTable {
    fn cache(&self) -> Option<CacheLimits> {
        self.options.lookup.cache
    }

    fn open(&self) -> rialto_engine::Result<Box<dyn Lookup>> {
        let encoder = RowEncoder::new(&self.keys, OnNull::Fail);
        let encoder = encoder.map_err(|(name, data_type)| {
            let reason = format!("a {data_type}, as column '{name}' is, has no form in PostgreSQL");
            EngineError::source(self.options.place(), reason)
        })?;
        let mut lookup = PgLookup {
            spec: self.spec.clone(),
            options: self.options.clone(),
            keys: Arc::clone(&self.keys),
            encoder,
            open: None,
        };
        // What does not fit is told when the job starts.
        lookup.retried(PgLookup::connect)?;
        Ok(Box::new(lookup))
    }
}

/// Asks, over a connection of its own.
struct PgLookup {
    spec: TableSpec,
    options: PgOptions,
    keys: SchemaRef,
    encoder: RowEncoder,
    open: Option<Open>,
}

struct Open {
    session: Session,
    statement: Statement,
}

/// An array on its way.
#[derive(Debug)]
struct Values(Vec<u8>);

impl ToSql for Values {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl PgLookup {
    fn connect(&mut self) -> std::result::Result<(), Trouble> {
        if self.open.is_none() {
            let session = Session::open(&self.options)?;
            let statement = session.run(async {
                let table = PgTable::find(&session.client, &self.options.target).await?;
                let sql = query(&table, &self.spec, &self.keys).map_err(Trouble::Refused)?;
                Ok::<_, Trouble>(session.client.prepare(&sql).await?)
            })?;
            self.open = Some(Open { session, statement });
        }
        Ok(())
    }

    /// Calls until it is done, as often as the table allows.
    fn retried<T>(
        &mut self,
        call: impl Fn(&mut Self) -> std::result::Result<T, Trouble>,
    ) -> rialto_engine::Result<T> {
        let mut retries = 0;
        loop {
            let trouble = match call(self) {
                Ok(done) => return Ok(done),
                Err(trouble) => trouble,
            };
            let place = self.options.place();
            if matches!(trouble, Trouble::Refused(_)) {
                return Err(EngineError::source(place, trouble.text()));
            }
            if retries == self.options.lookup.retries_max {
                let text = trouble.text();
                let reason = format!("a lookup failed after {retries} retries: {text}");
                return Err(EngineError::source(place, reason));
            }
            self.open = None;
            retries += 1;
            tracing::warn!("{place}: {}; looking up again", trouble.text());
            std::thread::sleep(PAUSE * retries);
        }
    }

    fn ask(&mut self, values: &[Values]) -> std::result::Result<RecordBatch, Trouble> {
        self.connect()?;
        let refused = |e: &dyn std::fmt::Display| Trouble::Refused(e.to_string());
        let Some(Open { session, statement }) = &self.open else {
            return Err(Trouble::Away("no connection".into()));
        };
        let mut decoder = RowDecoder::new(&self.spec).map_err(|e| refused(&e))?;
        session.run(async {
            let values = values.iter().map(|value| value as &(dyn ToSql + Sync));
            let rows = session.client.query_raw(statement, values).await?;
            let mut rows = std::pin::pin!(rows);
            while let Some(row) = rows.try_next().await? {
                decoder.push(&row).map_err(|reason| {
                    let shown = decoder.shown(&row);
                    let shown = String::from_utf8_lossy(&shown);
                    Trouble::Refused(format!("a row that was looked up: {reason} ({shown})"))
                })?;
            }
            Ok::<_, Trouble>(())
        })?;
        decoder.finish().map_err(|e| refused(&e))
    }

    /// The keys as an array a column; none where there is no key that the database could have.
    fn values(&self, keys: &[ArrayRef]) -> std::result::Result<Option<Vec<Values>>, String> {
        let batch = RecordBatch::try_new(Arc::clone(&self.keys), keys.to_vec());
        let batch = batch.map_err(|e| e.to_string())?;
        let rows = self.encoder.open(&batch)?;
        let mut columns = vec![Vec::new(); keys.len()];
        let mut count = 0_i32;
        for row in 0..batch.num_rows() {
            let ends: Vec<usize> = columns.iter().map(Vec::len).collect();
            let mut cells = columns.iter_mut().enumerate();
            match cells.all(|(at, out)| self.encoder.cell(&rows, at, row, out).is_ok()) {
                true => count += 1,
                false => {
                    columns.iter_mut().zip(ends).for_each(|(column, end)| column.truncate(end))
                }
            }
        }
        let array = |(elements, field): (Vec<u8>, &Arc<Field>)| {
            let oid = Wire::of(field.data_type()).map_or(0, |wire| wire.oid());
            // One dimension, no null, the type of the elements, how many, the first number.
            let mut bytes = Vec::with_capacity(elements.len() + 20);
            bytes.extend([1, 0].map(i32::to_be_bytes).as_flattened());
            bytes.extend(oid.to_be_bytes());
            bytes.extend([count, 1].map(i32::to_be_bytes).as_flattened());
            bytes.extend(elements);
            Values(bytes)
        };
        Ok((count > 0).then(|| columns.into_iter().zip(self.keys.fields()).map(array).collect()))
    }
}

impl Lookup for PgLookup {
    fn find(&mut self, keys: &[ArrayRef]) -> rialto_engine::Result<RecordBatch> {
        let place = || self.options.place();
        match self.values(keys).map_err(|reason| EngineError::source(place(), reason))? {
            Some(values) => self.retried(|lookup| lookup.ask(&values)),
            None => Ok(RecordBatch::new_empty(self.spec.read_schema()?)),
        }
    }
}

/// The query for the rows of all keys; each key column is a parameter.
fn query(table: &PgTable, spec: &TableSpec, keys: &Schema) -> std::result::Result<String, String> {
    let mut columns = select(table, spec)?;
    if columns.is_empty() {
        columns.push("1::int4".into());
    }
    let (mut conditions, mut arrays, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for (at, field) in keys.fields().iter().enumerate() {
        let column = table.column(field.name())?;
        let (name, value) = (of_table(&column.name), format!("k.k{at}"));
        let condition = types::asked(column, field.data_type(), (&name, &value));
        conditions.push(condition.map_err(|e| format!("column '{}': {e}", field.name()))?);
        let wire = Wire::of(field.data_type()).ok_or("a key without a form in PostgreSQL")?;
        arrays.push(format!("${}::{}[]", at + 1, wire.sql()));
        names.push(format!("k{at}"));
    }
    let condition = match (conditions.as_slice(), arrays.as_slice()) {
        ([one], [array]) if one.ends_with(" = k.k0") => {
            format!("{}= ANY({array})", one.trim_end_matches("= k.k0"))
        }
        _ => format!(
            "EXISTS (SELECT FROM unnest({}) AS k({}) WHERE {})",
            arrays.join(", "),
            names.join(", "),
            conditions.join(" AND ")
        ),
    };
    Ok(format!("SELECT {} FROM {} t WHERE {condition}", columns.join(", "), table.sql()))
}
