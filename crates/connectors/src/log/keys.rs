//! Rows as records: their bytes, their keys, their partitions.

use arrow::array::RecordBatch;
use rialto_engine::EngineError;

use super::options::LogOptions;
use crate::error::Result;
use crate::format::Encoder;
use crate::spec::TableSpec;

/// The bytes of rows, one after the other.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    bytes: Vec<u8>,
    /// Where each row ends, its line end included.
    ends: Vec<usize>,
}

impl Encoded {
    /// The bytes of a row, without the line end that the format put behind them.
    pub fn row(&self, row: usize) -> &[u8] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        let bytes = &self.bytes[start..self.ends[row]];
        bytes.strip_suffix(b"\n").unwrap_or(bytes)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Encodes rows that are added.
    pub fn rows(encoder: &mut dyn Encoder, batch: &RecordBatch) -> rialto_engine::Result<Self> {
        let rows = batch.num_rows();
        Self::of(rows, |range, out| encoder.encode(batch, range, out))
    }

    /// Encodes rows of which some are taken back.
    pub fn changes(
        encoder: &mut dyn Encoder,
        batch: &RecordBatch,
        retracts: &[bool],
    ) -> rialto_engine::Result<Self> {
        Self::of(batch.num_rows(), |range, out| {
            let part = batch.slice(range.start, range.len());
            encoder.encode_changes(&part, &retracts[range], out)
        })
    }

    fn of(
        rows: usize,
        mut encode: impl FnMut(std::ops::Range<usize>, &mut Vec<u8>) -> rialto_engine::Result<()>,
    ) -> rialto_engine::Result<Self> {
        let mut bytes = Vec::new();
        encode(0..rows, &mut bytes)?;
        let mut ends: Vec<usize> = memchr::memchr_iter(b'\n', &bytes).map(|end| end + 1).collect();
        if ends.len() != rows {
            // Some row holds a line end itself: one by one.
            (bytes, ends) = (Vec::with_capacity(bytes.len()), Vec::with_capacity(rows));
            for row in 0..rows {
                encode(row..row + 1, &mut bytes)?;
                ends.push(bytes.len());
            }
        }
        Ok(Self { bytes, ends })
    }
}

/// Makes the keys of rows, and chooses their partitions.
pub(super) struct Keys {
    key: Option<(Box<dyn Encoder>, Vec<usize>)>,
    partitions: u32,
    /// Rows without a key go to one partition after the other, a batch at a time.
    turn: u32,
}

impl Keys {
    pub fn new(spec: &TableSpec, options: &LogOptions<'_>, partitions: u32) -> Result<Self> {
        let key = match &options.key {
            None => None,
            Some((format, columns)) => {
                let fields: Vec<_> =
                    columns.iter().map(|&c| spec.schema.fields()[c].clone()).collect();
                let schema = std::sync::Arc::new(arrow::datatypes::Schema::new(fields));
                Some(((format.encoder)(&options.raw, schema)?, columns.clone()))
            }
        };
        Ok(Self { key, partitions, turn: 0 })
    }

    /// The keys of the rows of a batch; `None` where the table has none.
    pub fn of(&mut self, batch: &RecordBatch) -> rialto_engine::Result<Option<Encoded>> {
        self.turn = (self.turn + 1) % self.partitions;
        let Some((encoder, columns)) = &mut self.key else { return Ok(None) };
        let keys = batch.project(columns).map_err(EngineError::from)?;
        Encoded::rows(encoder.as_mut(), &keys).map(Some)
    }

    /// The partition of a row: by its key, or whose turn it is.
    pub fn partition(&self, key: Option<&[u8]>) -> u32 {
        match key {
            None => self.turn,
            // The same in every process and release: a key stays in its partition.
            Some(key) => {
                let hash = rialto_storage::log::id_of(key);
                (spread((hash >> 64) as u64 ^ hash as u64) % u64::from(self.partitions)) as u32
            }
        }
    }
}

/// Makes every bit of the result depend on every bit of a hash: short keys differ in few.
fn spread(hash: u64) -> u64 {
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}
