//! `datagen`: rows out of nothing, by Flink's options.
//!
//! - `fields.rs`: what fills a column: random values or a sequence
//!
//! A row depends on the seed and its number alone. Two things are of the clock, as in Flink: random
//! times are the present minus up to `max-past`, unless `rialto.base-time` says when row 0 is, and
//! `rows-per-second` is a pace.

mod fields;

use std::sync::{Arc, Mutex};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use rialto_engine::{EngineError, Reader, Source};

use crate::error::Result;
use crate::generate::{Deal, Generate, GeneratorReader, Random};
use crate::nexmark::base_time;
use crate::options::Options;
use crate::registry::{Connector, no_metadata};
use crate::spec::{Environment, TableSpec};
use fields::{Field, Moment};

pub(crate) const CONNECTOR: Connector = Connector {
    name: "datagen",
    validate,
    source: Some(source),
    lookup: None,
    sink: None,
    accepts_changes: false,
    formats_take_changes: false,
    metadata: no_metadata,
};

const OPTIONS: &[&str] = &[
    "rows-per-second",
    "number-of-rows",
    "rialto.seed",
    "rialto.base-time",
    "fields.#.kind",
    "fields.#.min",
    "fields.#.max",
    "fields.#.max-past",
    "fields.#.length",
    "fields.#.var-len",
    "fields.#.start",
    "fields.#.end",
    "fields.#.null-rate",
];

/// Rows that are dealt to a reader at once.
const BLOCK: u64 = 1000;

/// The options, read and checked.
struct Settings {
    fields: Vec<Field>,
    per_second: u64,
    rows: Option<u64>,
    seed: u64,
    base_time: Option<i64>,
}

impl Settings {
    fn read(spec: &TableSpec) -> Result<Self> {
        let options = Options::new(spec);
        options.refuse_unknown("datagen", &[OPTIONS])?;
        fields::refuse_unknown_columns(spec, &options)?;
        let fields: Vec<Field> = spec
            .schema
            .fields()
            .iter()
            .map(|field| Field::new(&options, field.name(), field.data_type()))
            .collect::<Result<_>>()?;
        let per_second = match options.number::<u64>("rows-per-second")? {
            Some(0) => return Err(options.bad("rows-per-second", "0", "a positive number")),
            found => found.unwrap_or(10_000),
        };
        let asked: Option<u64> = options.number("number-of-rows")?;
        // The shortest sequence ends the table.
        let rows = fields.iter().filter_map(Field::sequence_length).chain(asked).min();
        let seed = options.number("rialto.seed")?.unwrap_or(0);
        Ok(Self { fields, per_second, rows, seed, base_time: base_time(&options)? })
    }
}

fn validate(spec: &TableSpec) -> Result<()> {
    Settings::read(spec).map(drop)
}

fn source(spec: &TableSpec, _: &Environment) -> Result<Box<dyn Source>> {
    Settings::read(spec)?;
    Ok(Box::new(Datagen { spec: spec.clone(), schema: spec.read_schema()? }))
}

struct Datagen {
    spec: TableSpec,
    schema: SchemaRef,
}

impl Source for Datagen {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn is_bounded(&self) -> bool {
        Settings::read(&self.spec).is_ok_and(|settings| settings.rows.is_some())
    }

    fn readers(&self, parallelism: usize) -> rialto_engine::Result<Vec<Box<dyn Reader>>> {
        let settings = Settings::read(&self.spec)?;
        let end = settings.rows.unwrap_or(u64::MAX);
        let deal = Deal::new(end, BLOCK, Some(settings.per_second));
        let deal = Arc::new(Mutex::new(deal));
        let mut readers: Vec<Box<dyn Reader>> = Vec::new();
        for _ in 0..parallelism.max(1) {
            readers.push(Box::new(GeneratorReader {
                table: self.spec.name.clone(),
                deal: deal.clone(),
                generator: Rows {
                    schema: self.schema.clone(),
                    projected: self.spec.projected(),
                    settings: Settings::read(&self.spec)?,
                },
                begun: Vec::new(),
            }));
        }
        Ok(readers)
    }
}

struct Rows {
    schema: SchemaRef,
    projected: Vec<usize>,
    settings: Settings,
}

impl Rows {
    /// The present of a row: the clock's, or the one that its number says.
    fn moment(&self, row: u64) -> Moment {
        match self.settings.base_time {
            Some(base) => {
                let past = u128::from(row) * 1000 / u128::from(self.settings.per_second);
                Moment(base.saturating_add(i64::try_from(past).unwrap_or(i64::MAX)))
            }
            None => Moment::now(),
        }
    }
}

impl Generate for Rows {
    fn rows(&mut self, from: u64, to: u64) -> rialto_engine::Result<RecordBatch> {
        let mut arrays = Vec::with_capacity(self.projected.len());
        let now = self.moment(from);
        for (place, &index) in self.projected.iter().enumerate() {
            let field = self.schema.field(place);
            let mut column = crate::format::column::Column::new(field.data_type())
                .map_err(|t| EngineError::Internal(format!("datagen column of type {t}")))?;
            for row in from..to {
                let moment = if self.settings.base_time.is_some() { self.moment(row) } else { now };
                let mut random = Random::new(self.settings.seed, row, index as u64 + 1);
                self.settings.fields[index].push(&mut column, row, &mut random, moment);
            }
            arrays.push(column.finish(field.data_type())?);
        }
        let count = usize::try_from(to - from).unwrap_or(usize::MAX);
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{
        DataType, Field as Arrow, Fields, Int32Type, Int64Type, Schema, TimeUnit,
        TimestampMillisecondType,
    };
    use rialto_engine::Poll;

    use super::*;

    fn spec(columns: &[(&str, DataType)], options: &[(&str, &str)]) -> TableSpec {
        let fields: Vec<Arrow> =
            columns.iter().map(|(n, t)| Arrow::new(*n, t.clone(), true)).collect();
        let connector = [("connector", "datagen"), ("rows-per-second", "100000000")];
        let options = connector.iter().chain(options).copied();
        TableSpec::new("t", Arc::new(Schema::new(fields)), options)
    }

    fn read(spec: &TableSpec) -> RecordBatch {
        let source = crate::source(spec, &Environment::new(".")).unwrap();
        assert!(source.is_bounded());
        let mut reader = source.readers(1).unwrap().remove(0);
        let mut batches = Vec::new();
        loop {
            match reader.poll(300).unwrap() {
                Poll::Rows(delta) => batches.push(delta.batch().clone()),
                Poll::Idle => std::thread::yield_now(),
                Poll::End => break,
            }
        }
        arrow::compute::concat_batches(&source.schema(), &batches).unwrap()
    }

    #[test]
    fn sequences_count_and_end_the_table() {
        let columns =
            [("id", DataType::Int64), ("x", DataType::Utf8), ("d", DataType::Decimal128(10, 2))];
        let spec = spec(
            &columns,
            &[
                ("fields.id.kind", "sequence"),
                ("fields.id.start", "5"),
                ("fields.id.end", "14"),
                ("fields.x.kind", "sequence"),
                ("fields.x.start", "1"),
                ("fields.x.end", "1000"),
                ("fields.d.min", "1.50"),
                ("fields.d.max", "2.50"),
            ],
        );
        let batch = read(&spec);
        let ids = batch.column(0).as_primitive::<Int64Type>();
        assert_eq!(ids.values().to_vec(), (5..15).collect::<Vec<_>>());
        assert_eq!(batch.column(1).as_string::<i32>().value(9), "10");
        let money = batch.column(2).as_primitive::<arrow::datatypes::Decimal128Type>();
        assert!(money.iter().flatten().all(|d| (150..=250).contains(&d)));
    }

    #[test]
    fn every_type_can_be_random() {
        let list = DataType::List(Arc::new(Arrow::new("item", DataType::Int32, true)));
        let entries = Fields::from(vec![
            Arrow::new("key", DataType::Utf8, false),
            Arrow::new("value", DataType::Int32, true),
        ]);
        let map =
            DataType::Map(Arc::new(Arrow::new("entries", DataType::Struct(entries), false)), false);
        let row = DataType::Struct(Fields::from(vec![Arrow::new("a", DataType::Int32, true)]));
        let ms = TimeUnit::Millisecond;
        let columns = [
            ("b", DataType::Boolean),
            ("t", DataType::Int8),
            ("s", DataType::Int16),
            ("i", DataType::Int32),
            ("f", DataType::Float32),
            ("g", DataType::Float64),
            ("x", DataType::Utf8),
            ("y", DataType::Binary),
            ("day", DataType::Date32),
            ("tm", DataType::Time32(ms)),
            ("ts", DataType::Timestamp(ms, None)),
            ("tz", DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))),
            ("l", list),
            ("m", map),
            ("r", row),
        ];
        let spec = spec(
            &columns,
            &[
                ("number-of-rows", "1000"),
                ("rialto.base-time", "2024-01-01 00:00:00"),
                ("fields.i.min", "-3"),
                ("fields.i.max", "3"),
                ("fields.i.null-rate", "0.5"),
                ("fields.x.length", "7"),
                ("fields.ts.max-past", "10 s"),
                ("fields.l.element.max", "9"),
                ("fields.l.element.min", "9"),
                ("fields.r.a.min", "1"),
                ("fields.r.a.max", "1"),
            ],
        );
        let batch = read(&spec);
        assert_eq!(batch, read(&spec));
        let ints = batch.column(3).as_primitive::<Int32Type>();
        let values: BTreeSet<i32> = ints.iter().flatten().collect();
        assert_eq!(values, (-3..=3).collect());
        assert!((400..600).contains(&ints.null_count()), "{}", ints.null_count());
        assert!(batch.column(6).as_string::<i32>().iter().flatten().all(|x| x.len() == 7));
        let times = batch.column(10).as_primitive::<TimestampMillisecondType>();
        let base = 1_704_067_200_000;
        assert!(times.values().iter().all(|t| (base - 10_000..=base + 1).contains(t)));
        let list = batch.column(12).as_list::<i32>();
        assert_eq!(list.value(0).as_primitive::<Int32Type>().values().to_vec(), [9, 9, 9]);
        let row = batch.column(14).as_struct();
        assert_eq!(row.column(0).as_primitive::<Int32Type>().value(999), 1);
        let mut seeded = spec.clone();
        seeded.options.push(("rialto.seed".into(), "1".into()));
        assert_ne!(batch, read(&seeded));
        let mut some = spec;
        some.projection = Some(vec![6]);
        assert_eq!(read(&some).column(0), batch.column(6));
    }

    #[test]
    fn mistakes_are_named() {
        let columns = [("id", DataType::Int64), ("b", DataType::Boolean)];
        let cases: [(&[(&str, &str)], &str); 6] = [
            (&[("fields.id.kind", "sequence")], "needs the option 'fields.id.start'"),
            (&[("fields.idd.kind", "random")], "'idd', which is no column"),
            (&[("fields.b.kind", "sequence")], "cannot be a sequence"),
            (&[("fields.id.min", "5"), ("fields.id.max", "4")], "is not valid"),
            (&[("fields.id.null-rate", "2")], "is not valid"),
            (&[("rows-per-second", "0")], "is not valid"),
        ];
        for (options, expected) in cases {
            let error = crate::validate(&spec(&columns, options)).unwrap_err();
            assert!(error.message.contains(expected), "{error}");
        }
    }
}
