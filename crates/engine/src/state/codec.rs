//! Values as bytes: fixed-width integers little-endian, lengths in front of what varies.

use std::collections::{BTreeMap, VecDeque};

use crate::{EngineError, Result};

/// Bytes that are read from the front.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// Reads these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n).ok_or_else(short)?;
        self.0 = rest;
        Ok(head)
    }

    /// Bytes with their length in front.
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let n = u32::get(self)? as usize;
        self.take(n)
    }

    /// A value.
    pub fn get<T: Persist>(&mut self) -> Result<T> {
        T::get(self)
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.0.len()
    }
}

fn short() -> EngineError {
    EngineError::State("it ends in the middle of a value".into())
}

/// Writes bytes with their length in front.
pub(crate) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    (bytes.len() as u32).put(out);
    out.extend_from_slice(bytes);
}

/// A value that can be written to a checkpoint and read back.
pub trait Persist: Sized {
    /// Appends the value's bytes.
    fn put(&self, out: &mut Vec<u8>);

    /// Reads the value back.
    fn get(input: &mut Input<'_>) -> Result<Self>;
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Persist for $type {
            #[inline]
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            #[inline]
            fn get(input: &mut Input<'_>) -> Result<Self> {
                let bytes = input.take(size_of::<$type>())?;
                Ok(<$type>::from_le_bytes(bytes.try_into().map_err(|_| short())?))
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, i8, i16, i32, i64, i128, f64);

impl Persist for usize {
    fn put(&self, out: &mut Vec<u8>) {
        (*self as u64).put(out);
    }

    fn get(input: &mut Input<'_>) -> Result<Self> {
        let value = u64::get(input)?;
        value.try_into().map_err(|_| EngineError::State(format!("{value} is not a length")))
    }
}

impl Persist for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn get(input: &mut Input<'_>) -> Result<Self> {
        match u8::get(input)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(EngineError::State(format!("{other} is not true or false"))),
        }
    }
}

impl<T: Persist> Persist for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn get(input: &mut Input<'_>) -> Result<Self> {
        Ok(if bool::get(input)? { Some(T::get(input)?) } else { None })
    }
}

impl Persist for Box<[u8]> {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self, out);
    }

    fn get(input: &mut Input<'_>) -> Result<Self> {
        Ok(input.bytes()?.into())
    }
}

/// A sequence: its length, then its values. `collect` bounds what it reserves by what is there.
fn get_all<T: Persist, C: FromIterator<T>>(input: &mut Input<'_>) -> Result<C> {
    let n = u32::get(input)?;
    (0..n).map(|_| T::get(input)).collect()
}

macro_rules! sequences {
    ($($type:ident),*) => {$(
        impl<T: Persist> Persist for $type<T> {
            fn put(&self, out: &mut Vec<u8>) {
                (self.len() as u32).put(out);
                self.iter().for_each(|value| value.put(out));
            }

            fn get(input: &mut Input<'_>) -> Result<Self> {
                get_all(input)
            }
        }
    )*};
}

sequences!(Vec, VecDeque);

impl<K: Persist + Ord, V: Persist> Persist for BTreeMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }

    fn get(input: &mut Input<'_>) -> Result<Self> {
        get_all::<(K, V), _>(input)
    }
}

impl<A: Persist, B: Persist> Persist for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn get(input: &mut Input<'_>) -> Result<Self> {
        Ok((A::get(input)?, B::get(input)?))
    }
}

impl<T: Persist + Copy + Default, const N: usize> Persist for [T; N] {
    fn put(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|value| value.put(out));
    }

    fn get(input: &mut Input<'_>) -> Result<Self> {
        let mut all = [T::default(); N];
        for value in &mut all {
            *value = T::get(input)?;
        }
        Ok(all)
    }
}

/// Writes a struct as its fields, in the order given; all of them must be named.
macro_rules! persist_struct {
    ($type:ident { $($field:ident),* $(,)? }) => {
        impl $crate::state::Persist for $type {
            fn put(&self, out: &mut Vec<u8>) {
                let Self { $($field),* } = self;
                $($crate::state::Persist::put($field, out);)*
            }

            fn get(input: &mut $crate::state::Input<'_>) -> $crate::Result<Self> {
                Ok(Self { $($field: input.get()?),* })
            }
        }
    };
}
pub(crate) use persist_struct;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Sample {
        numbers: Vec<(i64, u32)>,
        text: Option<Box<[u8]>>,
        by_key: BTreeMap<u64, bool>,
    }
    persist_struct!(Sample { numbers, text, by_key });

    #[test]
    fn a_value_comes_back_and_a_torn_one_is_an_error() {
        let sample = Sample {
            numbers: vec![(-1, 2), (i64::MAX, 0)],
            text: Some(b"caf\xc3\xa9".as_slice().into()),
            by_key: BTreeMap::from([(3, true), (9, false)]),
        };
        let mut bytes = Vec::new();
        sample.put(&mut bytes);
        let mut input = Input::new(&bytes);
        assert_eq!(Sample::get(&mut input).unwrap(), sample);
        assert_eq!(input.remaining(), 0);
        for end in 0..bytes.len() {
            assert!(Sample::get(&mut Input::new(&bytes[..end])).is_err());
        }
    }
}
