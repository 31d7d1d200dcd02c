//! Records of some partitions into rows.
//!
//! Where the plan reads no metadata column, the values of a batch, which stand in the log as lines,
//! go to the decoder as they are. Otherwise, and where a value holds a line end itself, they go one
//! by one, so that it is known which record a row is from.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::{
    ArrayRef, BinaryBuilder, Int32Array, Int64Array, RecordBatch, RecordBatchOptions,
    TimestampMillisecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{Field, SchemaRef};
use rialto_engine::{DeadLetter, Delta, EngineError, Poll, Position, Reader};
use rialto_storage::log::{Block, LogReader, Topic};
use serde_json::{Map, Value, json};

use super::options::Offsets;
use crate::beside;
use crate::format::{BadRecord, Decoder, ReadColumns};
use crate::shown::shown_partitions;

/// A poll that met only bad records comes back after so many bytes.
const POLL_BYTES_MAX: usize = 64 << 20;

/// A record of this size may be refused only because the batch has no room for it.
const RECORD_BYTES_LARGE: usize = 1 << 20;

/// What the table's columns are made of.
pub(super) struct Columns {
    /// What the format decodes.
    pub read: ReadColumns,
    /// Metadata columns, which follow them: the key and the column.
    pub metadata: Vec<(String, Field)>,
    /// The columns of the rows.
    pub schema: SchemaRef,
    /// Whether every byte of a value counts, also one that could be a part of a line's end.
    pub exact: bool,
}

/// Records that were read and are not all decoded.
struct Open {
    block: Block,
    /// The places of the values.
    ranges: Vec<Range<usize>>,
    /// The next record to decode.
    at: usize,
    /// The first record that is not ours any more.
    end: usize,
}

/// Where the decoded rows are from; empty where no metadata column is read.
#[derive(Default)]
struct Origins {
    partitions: Vec<i32>,
    offsets: Vec<i64>,
    times: Vec<i64>,
    keys: Vec<Option<Vec<u8>>>,
}

/// Which reader goes on with which partition where an earlier run stood: with another number of
/// readers that is not the one whose share it would be at a first start.
pub(super) type Owners = Arc<Mutex<BTreeMap<u32, usize>>>;

fn locked(owners: &Owners) -> MutexGuard<'_, BTreeMap<u32, usize>> {
    // A map of numbers is whole between any two calls.
    owners.lock().unwrap_or_else(|e| e.into_inner())
}

/// Reads one share of the partitions.
pub(super) struct RecordReader {
    table: String,
    topic: Arc<Topic>,
    log: LogReader,
    decoder: Box<dyn Decoder>,
    columns: Columns,
    /// The next offset of each partition.
    next: Offsets,
    /// The offsets at which reading ends.
    stop: Option<Offsets>,
    open: Option<Open>,
    origins: Origins,
    fail_on_error: bool,
    dead: Vec<DeadLetter>,
    number: usize,
    owners: Owners,
    /// It has given up the partitions that another reader goes on with.
    settled: bool,
    /// It goes on where an earlier run stood.
    sought: bool,
    /// How many bytes of records it has read.
    bytes: u64,
}

impl RecordReader {
    pub fn new(
        table: &str,
        topic: Arc<Topic>,
        decoder: Box<dyn Decoder>,
        columns: Columns,
        next: Offsets,
        stop: Option<Offsets>,
        fail_on_error: bool,
        (number, owners): (usize, Owners),
    ) -> Self {
        Self {
            table: table.to_owned(),
            log: LogReader::new(Arc::clone(&topic), next.clone()),
            topic,
            decoder,
            columns,
            next,
            stop,
            open: None,
            origins: Origins::default(),
            fail_on_error,
            dead: Vec::new(),
            number,
            owners,
            settled: false,
            sought: false,
            bytes: 0,
        }
    }

    /// Gives up what another reader goes on with. All readers have been sought before the first of
    /// them is polled.
    fn settle(&mut self) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        let owners = locked(&self.owners).clone();
        let before = self.next.len();
        self.next.retain(|p, _| owners.get(p).is_none_or(|&owner| owner == self.number));
        if self.next.len() < before {
            self.log = LogReader::new(Arc::clone(&self.topic), self.next.clone());
        }
    }

    fn failed(&self, reason: impl ToString) -> EngineError {
        EngineError::source(format!("table '{}'", self.table), reason)
    }

    fn has_ended(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| {
            self.next.iter().all(|(p, next)| stop.get(p).is_some_and(|stop| next >= stop))
        })
    }

    /// Makes sure that records are open; `false` if there are none now.
    fn fill(&mut self) -> rialto_engine::Result<bool> {
        while self.open.is_none() {
            if self.has_ended() {
                return Ok(false);
            }
            let Some(block) = self.log.next().map_err(|e| self.failed(e))? else {
                return Ok(false);
            };
            let next = self.next.get(&block.partition).copied().unwrap_or(block.first);
            let stop = self.stop.as_ref().and_then(|s| s.get(&block.partition)).copied();
            let count = u64::from(block.count);
            let end = stop.map_or(count, |s| s.saturating_sub(block.first).min(count)) as usize;
            let at = next.saturating_sub(block.first) as usize;
            if at >= end {
                continue;
            }
            let ranges = block.ranges();
            if ranges.len() != block.count as usize {
                let place = format!("partition {} offset {}", block.partition, block.first);
                let reason = format!("{} records, {} expected", ranges.len(), block.count);
                return Err(self.failed(format!("{place}: the batch is damaged: {reason}")));
            }
            self.open = Some(Open { block, ranges, at, end });
        }
        Ok(true)
    }

    /// Decodes from the open records until enough rows wait or they end; answers the bytes taken.
    fn advance(&mut self, rows_max: usize) -> rialto_engine::Result<usize> {
        let Some(mut open) = self.open.take() else { return Ok(0) };
        let result =
            if self.columns.metadata.is_empty() && open.block.is_lines() && !self.columns.exact {
                self.decode_lines(&mut open, rows_max)
            } else {
                self.decode_each(&mut open, rows_max)
            };
        self.next.insert(open.block.partition, open.block.first + open.at as u64);
        if open.at < open.end {
            self.open = Some(open);
        }
        result
    }

    fn decode_lines(&mut self, open: &mut Open, rows: usize) -> rialto_engine::Result<usize> {
        let start = open.ranges[open.at].start;
        let input = &open.block.values[start..open.ranges[open.end - 1].end + 1];
        let mut bad = Vec::new();
        let step = self.decoder.decode(input, true, rows, &mut bad);
        let step = step.map_err(|e| self.failed(e))?;
        for record in bad {
            let offset = open.block.first + open.at as u64 + record.line;
            self.bury(open.block.partition, offset, record, None)?;
        }
        open.at = match step.consumed == input.len() {
            true => open.end,
            false => (open.at + step.lines as usize).min(open.end),
        };
        Ok(step.consumed)
    }

    fn decode_each(&mut self, open: &mut Open, rows: usize) -> rialto_engine::Result<usize> {
        let keys: Vec<Option<Vec<u8>>> = match self.wants("key") {
            true => open.block.keys().into_iter().map(|k| k.map(<[u8]>::to_vec)).collect(),
            false => Vec::new(),
        };
        let mut taken = 0;
        while open.at < open.end && self.decoder.rows() < rows && taken < POLL_BYTES_MAX {
            let range = open.ranges[open.at].clone();
            let offset = open.block.first + open.at as u64;
            let before = self.decoder.rows();
            let value = &open.block.values[range.clone()];
            if let Err(reason) = self.decoder.decode_record(value) {
                if let Some(failure) = self.decoder.take_failure() {
                    let place = format!("partition {} offset {offset}", open.block.partition);
                    return Err(self.failed(format!("{place}: {failure}")));
                }
                if before > 0 && self.decoder.rows() == before && value.len() > RECORD_BYTES_LARGE {
                    // The batch may be full: its rows go first, and the record again.
                    break;
                }
                let (bytes, line) = (value.to_vec(), 0);
                let record = BadRecord { offset: 0, line, reason, bytes };
                let key = keys.get(open.at).and_then(Option::as_deref);
                let beside = self.beside(open.block.time, key);
                self.bury(open.block.partition, offset, record, beside)?;
            }
            taken += range.len() + 1;
            let made = self.decoder.rows() - before;
            let key = keys.get(open.at).cloned().flatten();
            self.origins.add(made, open.block.partition, offset, open.block.time, key);
            open.at += 1;
        }
        Ok(taken)
    }

    fn wants(&self, key: &str) -> bool {
        self.columns.metadata.iter().any(|(k, _)| k == key)
    }

    /// What the table reads of a record, and its position does not say.
    fn beside(&self, time: i64, key: Option<&[u8]>) -> Option<Value> {
        let mut said = Map::new();
        if self.wants("timestamp") {
            said.insert("timestamp".into(), beside::time(time));
        }
        if let Some(key) = key.filter(|_| self.wants("key")) {
            said.insert("key".into(), beside::bytes(key));
        }
        (!said.is_empty()).then_some(Value::Object(said))
    }

    /// Keeps a record that could not be decoded, or fails, as the table asks for.
    fn bury(
        &mut self,
        partition: u32,
        offset: u64,
        record: BadRecord,
        beside: Option<Value>,
    ) -> rialto_engine::Result<()> {
        let position = format!("{} partition {partition} offset {offset}", self.table);
        if self.fail_on_error {
            return Err(EngineError::source(position, record.reason));
        }
        let (reason, bytes) = (record.reason, record.bytes);
        self.dead.push(DeadLetter { position, reason, bytes, beside });
        Ok(())
    }

    fn take_rows(&mut self) -> rialto_engine::Result<Delta> {
        let decoded = self.decoder.finish()?;
        let weights = self.decoder.take_weights();
        let origins = std::mem::take(&mut self.origins);
        let rows = decoded.num_rows();
        let mut arrays = decoded.columns().to_vec();
        for (key, field) in &self.columns.metadata {
            let array = origins.column(key);
            arrays.push(match array.data_type() == field.data_type() {
                true => array,
                false => cast(&array, field.data_type())?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = Arc::clone(&self.columns.schema);
        let batch = RecordBatch::try_new_with_options(schema, arrays, &options)?;
        Ok(match weights {
            Some(weights) => Delta::weighted(batch, Int64Array::from(weights)),
            None => Delta::insert_only(batch),
        })
    }
}

impl Origins {
    fn add(&mut self, rows: usize, partition: u32, offset: u64, time: i64, key: Option<Vec<u8>>) {
        for _ in 0..rows {
            self.partitions.push(partition as i32);
            self.offsets.push(offset as i64);
            self.times.push(time);
            self.keys.push(key.clone());
        }
    }

    fn column(&self, key: &str) -> ArrayRef {
        match key {
            "partition" => Arc::new(Int32Array::from(self.partitions.clone())),
            "offset" => Arc::new(Int64Array::from(self.offsets.clone())),
            "timestamp" => {
                let times = TimestampMillisecondArray::from(self.times.clone());
                Arc::new(times.with_timezone("UTC"))
            }
            _ => {
                let mut keys = BinaryBuilder::new();
                self.keys.iter().for_each(|key| keys.append_option(key.as_ref()));
                Arc::new(keys.finish())
            }
        }
    }
}

impl Reader for RecordReader {
    fn poll(&mut self, rows_max: usize) -> rialto_engine::Result<Poll> {
        self.settle();
        let rows_max = rows_max.max(1);
        let mut bytes = 0;
        while self.decoder.rows() < rows_max && bytes < POLL_BYTES_MAX && self.fill()? {
            let taken = self.advance(rows_max)?;
            if taken == 0 {
                break;
            }
            bytes += taken;
            self.bytes += taken as u64;
        }
        if self.decoder.rows() > 0 {
            return self.take_rows().map(Poll::Rows);
        }
        if bytes == 0 && self.open.is_none() {
            return Ok(if self.has_ended() { Poll::End } else { Poll::Idle });
        }
        // Only records that were no rows: there may be more behind them.
        self.take_rows().map(Poll::Rows)
    }

    fn has_share(&self) -> bool {
        !self.next.is_empty()
    }

    fn reads(&self) -> Option<String> {
        Some(shown_partitions(self.next.keys().map(u32::to_string)))
    }

    fn bytes_read(&self) -> Option<u64> {
        Some(self.bytes)
    }

    fn position(&self) -> Position {
        let object = |offsets: &Offsets| -> Value {
            let pairs = offsets.iter().map(|(p, o)| (p.to_string(), json!(o)));
            Value::Object(pairs.collect::<Map<_, _>>())
        };
        match &self.stop {
            Some(stop) => json!({ "offsets": object(&self.next), "stop": object(stop) }),
            None => json!({ "offsets": object(&self.next) }),
        }
    }

    fn seek(&mut self, position: &Position) -> rialto_engine::Result<()> {
        let parse = |name: &str| -> Option<Offsets> {
            let object = position.get(name)?.as_object()?;
            object.iter().map(|(p, o)| Some((p.parse().ok()?, o.as_u64()?))).collect()
        };
        let Some(offsets) = parse("offsets") else {
            return Err(self.failed(format!("the position {position} is not one of a log")));
        };
        let partitions = self.topic.partitions();
        if let Some(partition) = offsets.keys().find(|p| **p >= partitions) {
            return Err(self.failed(format!(
                "the position {position} speaks of partition {partition}, the log has {partitions}"
            )));
        }
        let stop = self.stop.is_some().then(|| parse("stop")).flatten();
        // One reader may go on where several stood.
        if !std::mem::replace(&mut self.sought, true) {
            self.next.clear();
        }
        locked(&self.owners).extend(offsets.keys().map(|&partition| (partition, self.number)));
        self.next.extend(offsets);
        self.settled = false;
        if let (Some(all), Some(stop)) = (&mut self.stop, stop) {
            all.extend(stop);
        }
        self.log = LogReader::new(Arc::clone(&self.topic), self.next.clone());
        self.open = None;
        self.origins = Origins::default();
        Ok(())
    }

    fn take_dead_letters(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.dead)
    }
}
