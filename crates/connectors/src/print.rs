//! `print`: one line a change, as Flink prints it: `+I[1, a]`.
//!
//! Lines are written when the step is, not when the epoch commits: after a crash a line may be
//! printed again (at least once).

use std::fmt::Write as _;

use rialto_engine::{Delta, EngineError, Sink};

use crate::changelog::changes;
use crate::error::Result;
use crate::options::Options;
use crate::registry::{Connector, no_metadata};
use crate::spec::{Environment, FormatValue, Output, TableSpec};

pub(crate) const CONNECTOR: Connector = Connector {
    name: "print",
    validate,
    source: None,
    lookup: None,
    sink: Some(sink),
    accepts_changes: true,
    formats_take_changes: false,
    metadata: no_metadata,
};

fn validate(spec: &TableSpec) -> Result<()> {
    let options = Options::new(spec);
    options.refuse_unknown("print", &[&["print-identifier", "standard-error"]])?;
    options.boolean("standard-error", false)?;
    Ok(())
}

fn sink(spec: &TableSpec, environment: &Environment) -> Result<Box<dyn Sink>> {
    let options = Options::new(spec);
    let error = options.boolean("standard-error", false)?;
    let prefix = match options.get("print-identifier").filter(|id| !id.is_empty()) {
        Some(identifier) => format!("{identifier}> "),
        None => String::new(),
    };
    let output = if error { &environment.stderr } else { &environment.stdout };
    Ok(Box::new(Print {
        table: spec.name.clone(),
        prefix,
        upsert_key: spec.changelog.upsert_key.clone(),
        output: output.clone(),
        format_value: environment.format_value.clone(),
    }))
}

struct Print {
    table: String,
    prefix: String,
    upsert_key: Option<Vec<usize>>,
    output: Output,
    format_value: FormatValue,
}

impl Sink for Print {
    fn write(&mut self, delta: &Delta, _: u64) -> rialto_engine::Result<()> {
        let mut text = String::new();
        for (kind, row) in changes(delta, self.upsert_key.as_deref())? {
            let _ = write!(text, "{}{kind}[", self.prefix);
            for (index, column) in delta.batch().columns().iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                text.push_str(&(self.format_value)(column.as_ref(), row));
            }
            text.push_str("]\n");
        }
        // A poisoned lock means that another writer panicked; the stream itself is still whole.
        let mut output = self.output.lock().unwrap_or_else(|e| e.into_inner());
        output
            .write_all(text.as_bytes())
            .and_then(|()| output.flush())
            .map_err(|e| EngineError::sink(format!("table '{}'", self.table), e))
    }

    fn prepare(&mut self, _: u64) -> rialto_engine::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn commit(&mut self, _: u64) -> rialto_engine::Result<()> {
        Ok(())
    }

    fn recover(&mut self, _: u64, _: &[u8]) -> rialto_engine::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use arrow::array::{Int64Array, RecordBatch, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn rows_are_printed_with_kind_and_identifier() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("name", DataType::Utf8, true),
        ]));
        let mut spec = TableSpec::new(
            "t",
            schema.clone(),
            [("connector", "print"), ("print-identifier", "shop")],
        );
        spec.changelog.upsert_key = Some(vec![0]);
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut environment = Environment::new(".");
        environment.stdout = Arc::new(Mutex::new(Shared(written.clone())));
        let mut sink = crate::sink(&spec, &environment).unwrap();
        let batch = RecordBatch::try_new(
            schema,
            vec![
                Arc::new(Int64Array::from(vec![1, 1, 2])),
                Arc::new(StringArray::from(vec![Some("a"), Some("b"), None])),
            ],
        )
        .unwrap();
        sink.write(&Delta::weighted(batch, Int64Array::from(vec![-1, 1, 1])), 1).unwrap();
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert_eq!(text, "shop> -U[1, a]\nshop> +U[1, b]\nshop> +I[2, null]\n");
    }
}
