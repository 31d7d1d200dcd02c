//! Keys whose columns all have a fixed width, packed into a few machine words.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Time32MillisecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};

use crate::{EngineError, Result};

/// How many words a value of this type takes, or `None` where it has no fixed width.
pub(super) fn words_of(data_type: &DataType) -> Option<usize> {
    Some(match data_type {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Date32
        | DataType::Time32(TimeUnit::Millisecond)
        | DataType::Timestamp(..) => 1,
        DataType::Decimal128(..) => 2,
        _ => return None,
    })
}

macro_rules! with_type {
    ($data_type:expr, $call:ident) => {
        match $data_type {
            DataType::Int8 => $call!(Int8Type),
            DataType::Int16 => $call!(Int16Type),
            DataType::Int32 => $call!(Int32Type),
            DataType::Int64 => $call!(Int64Type),
            DataType::Float32 => $call!(Float32Type),
            DataType::Float64 => $call!(Float64Type),
            DataType::Date32 => $call!(Date32Type),
            DataType::Time32(TimeUnit::Millisecond) => $call!(Time32MillisecondType),
            DataType::Timestamp(TimeUnit::Second, _) => $call!(TimestampSecondType),
            DataType::Timestamp(TimeUnit::Millisecond, _) => $call!(TimestampMillisecondType),
            DataType::Timestamp(TimeUnit::Microsecond, _) => $call!(TimestampMicrosecondType),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => $call!(TimestampNanosecondType),
            other => Err(EngineError::Internal(format!("{other} is not a packed key type"))),
        }
    };
}

/// A native value as a word. Floats are normalised so that `-0.0` and `0.0` are one key.
trait Word: Copy {
    fn to_word(self) -> u64;
    fn from_word(word: u64) -> Self;
}

macro_rules! integer_word {
    ($($native:ty),*) => {$(
        impl Word for $native {
            #[inline(always)]
            fn to_word(self) -> u64 { self as u64 }
            #[inline(always)]
            fn from_word(word: u64) -> Self { word as $native }
        }
    )*};
}
integer_word!(i8, i16, i32, i64);

impl Word for f32 {
    fn to_word(self) -> u64 {
        u64::from((self + 0.0).to_bits())
    }
    fn from_word(word: u64) -> Self {
        f32::from_bits(word as u32)
    }
}

impl Word for f64 {
    fn to_word(self) -> u64 {
        (self + 0.0).to_bits()
    }
    fn from_word(word: u64) -> Self {
        f64::from_bits(word)
    }
}

/// Writes the words of `column` at `offset` of each row's key; a null leaves its words zero and
/// sets bit `bit` of the key's last word.
pub(super) fn pack<const N: usize>(
    column: &ArrayRef,
    offset: usize,
    bit: usize,
    keys: &mut [[u64; N]],
) -> Result<()> {
    macro_rules! pack_words {
        ($type:ty) => {{
            let values = column.as_primitive::<$type>();
            for (key, value) in keys.iter_mut().zip(values.values().iter()) {
                key[offset] = value.to_word();
            }
            Ok(())
        }};
    }
    match column.data_type() {
        DataType::Boolean => {
            for (key, value) in keys.iter_mut().zip(column.as_boolean().values()) {
                key[offset] = u64::from(value);
            }
        }
        DataType::Decimal128(..) => {
            let values = column.as_primitive::<Decimal128Type>();
            for (key, value) in keys.iter_mut().zip(values.values().iter()) {
                key[offset] = *value as u64;
                key[offset + 1] = (*value >> 64) as u64;
            }
        }
        data_type => with_type!(data_type, pack_words)?,
    }
    if let Some(nulls) = column.nulls().filter(|n| n.null_count() > 0) {
        let words = words_of(column.data_type()).unwrap_or(1);
        for (row, key) in keys.iter_mut().enumerate() {
            if nulls.is_null(row) {
                key[offset..offset + words].fill(0);
                key[N - 1] |= 1 << bit;
            }
        }
    }
    Ok(())
}

/// The column that [`pack`] packed, for the given keys.
pub(super) fn unpack<const N: usize>(
    data_type: &DataType,
    offset: usize,
    bit: usize,
    keys: &[[u64; N]],
) -> Result<ArrayRef> {
    let valid = BooleanBuffer::collect_bool(keys.len(), |i| keys[i][N - 1] & (1 << bit) == 0);
    let nulls = Some(NullBuffer::new(valid)).filter(|n| n.null_count() > 0);
    macro_rules! unpack_words {
        ($type:ty) => {{
            type Native = <$type as ArrowPrimitiveType>::Native;
            let values = keys.iter().map(|k| Native::from_word(k[offset])).collect::<Vec<_>>();
            let array = PrimitiveArray::<$type>::new(values.into(), nulls);
            Ok(Arc::new(array.with_data_type(data_type.clone())) as ArrayRef)
        }};
    }
    match data_type {
        DataType::Boolean => {
            let values = BooleanBuffer::collect_bool(keys.len(), |i| keys[i][offset] != 0);
            Ok(Arc::new(BooleanArray::new(values, nulls)))
        }
        DataType::Decimal128(..) => {
            let value =
                |k: &[u64; N]| i128::from(k[offset + 1] as i64) << 64 | i128::from(k[offset]);
            let values = keys.iter().map(value).collect::<Vec<_>>();
            let array = PrimitiveArray::<Decimal128Type>::new(values.into(), nulls);
            Ok(Arc::new(array.with_data_type(data_type.clone())))
        }
        _ => with_type!(data_type, unpack_words),
    }
}
