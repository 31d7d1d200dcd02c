//! A stable 64-bit hash of key columns.
//!
//! Stable means: the same value has the same hash in every process and version of this format, so
//! that rows may be routed and state may be kept by it. DataFusion's own hashes are neither.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_row::{RowConverter, SortField};

use crate::{EngineError, Result};

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const NULL_WORD: u64 = 0x5bd1_e995_c6a4_a793;

/// Folds one word into a running hash: a 64×64→128 multiplication, both halves combined.
#[inline(always)]
fn mix(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ word) * u128::from(0xd6e8_feb8_6659_fd93_u64);
    (product as u64) ^ ((product >> 64) as u64) ^ word.rotate_left(32)
}

#[inline]
fn mix_bytes(mut hash: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = mix(hash, u64::from_le_bytes(*word));
    }
    let mut last = [0_u8; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(hash, u64::from_le_bytes(last) ^ ((bytes.len() as u64) << 56))
}

/// The hash of some bytes: of a row as it is encoded, say.
#[inline]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    mix_bytes(SEED, bytes)
}

/// One hash a row over all `columns`, into `hashes` (cleared first). Without columns every row has
/// the same hash.
pub fn hash_columns(columns: &[ArrayRef], rows: usize, hashes: &mut Vec<u64>) -> Result<()> {
    hashes.clear();
    hashes.resize(rows, SEED);
    for column in columns {
        assert_eq!(column.len(), rows);
        hash_column(column, hashes)?;
    }
    Ok(())
}

fn hash_column(column: &ArrayRef, hashes: &mut [u64]) -> Result<()> {
    macro_rules! words {
        ($type:ty, $word:expr) => {{
            let values = column.as_primitive::<$type>();
            let word = $word;
            if values.null_count() == 0 {
                for (hash, value) in hashes.iter_mut().zip(values.values().iter()) {
                    *hash = mix(*hash, word(*value));
                }
            } else {
                for (hash, value) in hashes.iter_mut().zip(values.iter()) {
                    *hash = mix(*hash, value.map_or(NULL_WORD, word));
                }
            }
        }};
    }
    macro_rules! bytes {
        ($values:expr) => {{
            for (hash, value) in hashes.iter_mut().zip($values.iter()) {
                *hash = match value {
                    Some(value) => mix_bytes(*hash, value.as_ref()),
                    None => mix(*hash, NULL_WORD),
                };
            }
        }};
    }
    match column.data_type() {
        DataType::Null => hashes.iter_mut().for_each(|h| *h = mix(*h, NULL_WORD)),
        DataType::Boolean => {
            for (hash, value) in hashes.iter_mut().zip(column.as_boolean().iter()) {
                *hash = mix(*hash, value.map_or(NULL_WORD, u64::from));
            }
        }
        DataType::Int8 => words!(Int8Type, |v: i8| v as u64),
        DataType::Int16 => words!(Int16Type, |v: i16| v as u64),
        DataType::Int32 => words!(Int32Type, |v: i32| v as u64),
        DataType::Int64 => words!(Int64Type, |v: i64| v as u64),
        DataType::UInt8 => words!(UInt8Type, u64::from),
        DataType::UInt16 => words!(UInt16Type, u64::from),
        DataType::UInt32 => words!(UInt32Type, u64::from),
        DataType::UInt64 => words!(UInt64Type, |v: u64| v),
        DataType::Float32 => words!(Float32Type, |v: f32| u64::from((v + 0.0).to_bits())),
        DataType::Float64 => words!(Float64Type, |v: f64| (v + 0.0).to_bits()),
        DataType::Date32 => words!(Date32Type, |v: i32| v as u64),
        DataType::Time32(TimeUnit::Millisecond) => words!(Time32MillisecondType, |v: i32| v as u64),
        DataType::Timestamp(TimeUnit::Second, _) => words!(TimestampSecondType, |v: i64| v as u64),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            words!(TimestampMillisecondType, |v: i64| v as u64)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            words!(TimestampMicrosecondType, |v: i64| v as u64)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            words!(TimestampNanosecondType, |v: i64| v as u64)
        }
        DataType::Decimal128(..) => {
            words!(Decimal128Type, |v: i128| mix(v as u64, (v >> 64) as u64))
        }
        DataType::Utf8 => bytes!(column.as_string::<i32>()),
        DataType::LargeUtf8 => bytes!(column.as_string::<i64>()),
        DataType::Utf8View => bytes!(column.as_string_view()),
        DataType::Binary => bytes!(column.as_binary::<i32>()),
        DataType::LargeBinary => bytes!(column.as_binary::<i64>()),
        other => {
            let converter = RowConverter::new(vec![SortField::new(other.clone())])
                .map_err(|e| EngineError::Data(format!("a {other} cannot be a key: {e}")))?;
            let rows = converter.convert_columns(std::slice::from_ref(column))?;
            for (hash, row) in hashes.iter_mut().zip(rows.iter()) {
                *hash = mix_bytes(*hash, row.as_ref());
            }
        }
    }
    Ok(())
}

/// The shard that owns a key with this hash. Uses the high bits: tables use the low ones.
#[inline]
pub fn shard_of(hash: u64, shards: usize) -> usize {
    ((u128::from(hash) * shards as u128) >> 64) as usize
}
