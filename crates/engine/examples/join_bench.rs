//! How many rows a CPU second an insert-only join takes in: orders joined with their lines.
//!
//! `cargo run -p rialto-engine --example join_bench [-- <million lines>]`

use std::error::Error;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use rialto_engine::operator::Emission;
use rialto_engine::operator::join::{Join, JoinKind, JoinSpec};
use rialto_engine::{Delta, Operator, Progress, StepContext};

const BATCH_ROWS: usize = 32 * 1024;
/// Lines of an order, on average.
const LINES: u64 = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let millions: f64 = std::env::args().nth(1).map_or(Ok(2.0), |a| a.parse())?;
    let lines = (millions * 1e6) as usize;
    for (kind, insert_only) in
        [(JoinKind::Inner, true), (JoinKind::Left, true), (JoinKind::Inner, false)]
    {
        run(kind, insert_only, lines)?;
    }
    Ok(())
}

fn schema(prefix: &str) -> SchemaRef {
    let field = |name: &str, data_type| Field::new(format!("{prefix}_{name}"), data_type, true);
    Arc::new(Schema::new(vec![
        field("order", DataType::Int64),
        field("amount", DataType::Int64),
        field("text", DataType::Utf8),
    ]))
}

/// A batch of `rows` rows whose keys `key` gives.
fn batch(
    schema: &SchemaRef,
    rows: usize,
    key: impl Fn(u64) -> u64,
) -> Result<Delta, Box<dyn Error>> {
    let rows = 0..rows as u64;
    let keys = Int64Array::from_iter_values(rows.clone().map(|i| key(i) as i64));
    let amounts = Int64Array::from_iter_values(rows.clone().map(|i| (i * 37 % 1000) as i64));
    let texts = StringArray::from_iter_values(rows.map(|i| format!("product {}", key(i) % 997)));
    let columns: Vec<arrow::array::ArrayRef> =
        vec![Arc::new(keys), Arc::new(amounts), Arc::new(texts)];
    Ok(Delta::insert_only(RecordBatch::try_new(schema.clone(), columns)?))
}

fn run(kind: JoinKind, insert_only: bool, lines: usize) -> Result<(), Box<dyn Error>> {
    let (left, right) = (schema("order"), schema("line"));
    let fields: Vec<_> = left.fields().iter().chain(right.fields()).cloned().collect();
    let output: Arc<Schema> = Arc::new(Schema::new(fields)).project(&[0, 1, 4, 5])?.into();
    let mut join = Join::new(&JoinSpec {
        kind,
        left_keys: vec![0],
        right_keys: vec![0],
        null_safe: vec![false],
        filter: None,
        left_schema: left.clone(),
        right_schema: right.clone(),
        output_schema: output,
        left_insert_only: insert_only,
        right_insert_only: insert_only,
        output: Some(vec![0, 1, 4, 5]),
        retention: None,
        emission: Emission::Updates,
    })?;
    let steps = lines.div_ceil(BATCH_ROWS) as u64;
    let (rows, orders) = (BATCH_ROWS as u64, BATCH_ROWS as u64 / LINES);
    let (mut busy_ns, mut taken, mut emitted) = (0, 0, 0);
    for step in 0..steps {
        let order = batch(&left, orders as usize, |i| step * orders + i)?;
        // Most lines follow their order soon, some much later.
        let line = batch(&right, BATCH_ROWS, |i| {
            let all = (step + 1) * orders;
            let mixed = (step * rows + i).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
            if i % 4 == 0 { mixed % all } else { all - 1 - mixed % orders.min(all) }
        })?;
        taken += order.num_rows() + line.num_rows();
        let mut late = Vec::new();
        let mut context = StepContext {
            step: step + 1,
            clock_ms: 0,
            shard: 0,
            shards: 1,
            inputs: &[Progress::NONE; 2],
            late: &mut late,
        };
        let before = cpu_ns()?;
        let out = join.step(vec![vec![order], vec![line]], &mut context)?;
        busy_ns += cpu_ns()? - before;
        emitted += out.iter().map(Delta::num_rows).sum::<usize>();
    }
    let input = if insert_only { "insert-only" } else { "retracting" };
    let rate = taken as f64 / busy_ns as f64 * 1e3;
    println!(
        "{kind:?} join, {input} inputs: {taken} rows in, {emitted} out, {:.2} CPU s, \
         {rate:.2} M rows in per CPU second, {} rows kept",
        busy_ns as f64 / 1e9,
        join.state_rows()
    );
    Ok(())
}

/// The CPU time of this thread.
fn cpu_ns() -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().ok_or("empty schedstat")?.parse()?)
}
