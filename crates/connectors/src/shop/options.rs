//! The options of a table of the simulated shop, and what its columns must be.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use rialto_shop::{Config, Kind, Table};

use crate::error::{ConnectorError, Result};
use crate::filesystem::paths::Location;
use crate::format::text::{TimestampStyle, timestamp};
use crate::options::{Options, nearest};
use crate::spec::{Environment, TableSpec};

use super::stage::Stage;

const OPTIONS: &[&str] = &[
    "table",
    "seed",
    "start",
    "days",
    "speed",
    "history",
    "customers",
    "products",
    "stores",
    "duplicates",
    "late",
    "decisions",
];

const CUSTOMERS_MAX: u32 = 10_000_000;
const PRODUCTS_MAX: u32 = 1_000_000;
const DAY_MS: i64 = 86_400_000;
const STORES_MAX: u16 = 1000;

/// What a table asks for.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub table: Table,
    pub world: Config,
    /// Seconds of the world in a second; `None` is as fast as its events are read.
    pub speed: Option<f64>,
    /// How much of the world's time has passed when the clock begins.
    pub history_ms: i64,
    /// The log that the world reads decisions from.
    pub decisions: Option<PathBuf>,
    /// The world that all tables read, whatever else is asked for.
    pub stage: Option<Arc<Stage>>,
    written_decisions: Option<String>,
}

impl Settings {
    pub fn read(spec: &TableSpec) -> Result<Self> {
        let options = Options::new(spec);
        options.refuse_unknown("shop", &[OPTIONS])?;
        let table = table(spec, &options)?;
        let default = Config::default();
        let world = Config {
            seed: options.number("seed")?.unwrap_or(default.seed),
            start_ms: start(&options)?.unwrap_or(default.start_ms),
            days: options.number("days")?.unwrap_or(default.days),
            customers: within(&options, "customers", default.customers, 1..=CUSTOMERS_MAX)?,
            products: within(&options, "products", default.products, 12..=PRODUCTS_MAX)?,
            stores: within(&options, "stores", default.stores, 1..=STORES_MAX)?,
            duplicates: share(&options, "duplicates", default.duplicates)?,
            late: share(&options, "late", default.late)?,
            hidden: default.hidden,
        };
        for field in spec.schema.fields() {
            check_column(spec, table, field)?;
        }
        let written_decisions = options.get("decisions").filter(|path| !path.is_empty());
        let written_decisions = written_decisions.map(str::to_owned);
        let speed = options.speed("speed")?;
        let history: u32 = options.number("history")?.unwrap_or(0);
        let history_ms = i64::from(history) * DAY_MS;
        Ok(Self {
            table,
            world,
            speed,
            history_ms,
            decisions: None,
            stage: None,
            written_decisions,
        })
    }

    /// Finds the folder of the decisions.
    pub fn place_decisions(&mut self, environment: &Environment) -> Result<()> {
        if let Some(written) = &self.written_decisions {
            self.decisions = Some(Location::new(written, None, environment)?.path);
        }
        Ok(())
    }

    /// Tables that say the same share a world.
    pub fn world_key(&self) -> String {
        if let Some(stage) = &self.stage {
            return format!("stage {:p}", Arc::as_ptr(stage));
        }
        format!("{:?} {:?} {} {:?}", self.world, self.speed, self.history_ms, self.decisions)
    }
}

fn table(spec: &TableSpec, options: &Options<'_>) -> Result<Table> {
    let name = options.get("table").unwrap_or(&spec.name);
    Table::named(name).ok_or_else(|| {
        let names: Vec<&str> = Table::ALL.iter().map(|t| t.name()).collect();
        let error = ConnectorError::new(format!(
            "table '{}' asks the simulated shop for '{name}', which is no table of the event model",
            spec.name
        ))
        .detail(format!("known are {}", names.join(", ")));
        match nearest(name, &names) {
            Some(near) => error.hint(format!("did you mean 'table' = '{near}'?")),
            None => error.hint("add 'table' = '…' to its WITH clause"),
        }
    })
}

fn start(options: &Options<'_>) -> Result<Option<i64>> {
    let Some(text) = options.get("start") else { return Ok(None) };
    let whole = match text.trim() {
        day if day.len() == 10 => format!("{day} 00:00:00"),
        time => time.to_owned(),
    };
    match timestamp(whole.as_bytes(), TimestampStyle::Sql, TimeUnit::Millisecond) {
        Some(ms) => Ok(Some(ms)),
        None => Err(options.bad("start", text, "a day or time such as '2025-09-01 08:00:00'")),
    }
}

fn within<T>(
    options: &Options<'_>,
    name: &str,
    default: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<T>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    match options.number::<T>(name)? {
        None => Ok(default),
        Some(value) if range.contains(&value) => Ok(value),
        Some(value) => {
            let wanted = format!("a number from {} to {}", range.start(), range.end());
            Err(options.bad(name, &value.to_string(), &wanted))
        }
    }
}

fn share(options: &Options<'_>, name: &str, default: f64) -> Result<f64> {
    match options.number::<f64>(name)? {
        None => Ok(default),
        Some(value) if (0.0..=1.0).contains(&value) => Ok(value),
        Some(value) => Err(options.bad(name, &value.to_string(), "a share between 0 and 1")),
    }
}

fn check_column(spec: &TableSpec, table: Table, field: &Field) -> Result<()> {
    let error = |what: String| {
        ConnectorError::new(format!("column '{}' of table '{}'", field.name(), spec.name))
            .detail(what)
    };
    let Some(column) = table.columns().find(|c| c.name == field.name()) else {
        let names: Vec<&str> = table.columns().map(|c| c.name).collect();
        let known = format!("'{}' of the event model has no such column", table.name());
        return Err(match nearest(field.name(), &names) {
            Some(near) => error(known).hint(format!("did you mean '{near}'?")),
            None => error(known).hint("declare it as a computed column, or leave it out"),
        });
    };
    let (fits, wanted) = match (column.kind, field.data_type()) {
        (Kind::Text, t) => (t == &DataType::Utf8, "STRING"),
        (Kind::Whole, t) => (matches!(t, DataType::Int32 | DataType::Int64), "INT or BIGINT"),
        (Kind::Decimal, t) => {
            (matches!(t, DataType::Decimal128(_, 4)), "a DECIMAL of four places: DECIMAL(18, 4)")
        }
        (Kind::Time, t) => {
            let utc =
                |zone: &Option<std::sync::Arc<str>>| zone.as_deref().is_none_or(|z| z == "UTC");
            (matches!(t, DataType::Timestamp(_, zone) if utc(zone)), "TIMESTAMP_LTZ(3)")
        }
        (Kind::Date, t) => (t == &DataType::Date32, "DATE"),
        (Kind::Flag, t) => (t == &DataType::Boolean, "BOOLEAN"),
        (Kind::Float, t) => (t == &DataType::Float64, "DOUBLE"),
    };
    match fits {
        true => Ok(()),
        false => {
            Err(error(format!("it is {wanted} in the event model, not {}", field.data_type()))
                .hint(format!("CREATE TABLE … LIKE model.{}", table.name())))
        }
    }
}
