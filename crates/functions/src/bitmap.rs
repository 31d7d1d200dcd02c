//! Bitmaps: sets of 32-bit numbers, as Flink's `BITMAP_*` functions make them.
//!
//! A bitmap is a byte string in the portable form of Roaring bitmaps, which other systems read:
//! numbers are taken as unsigned, and those that share their upper 16 bits are in one container,
//! an array of the lower halves or, where there are many, a field of bits. Reading also takes
//! containers of runs.

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type};
use datafusion_common::{Result, exec_err, plan_err};

use super::call::{Call, Def, Nulls, Ret, some};

/// Marks the form without containers of runs.
const PLAIN: u32 = 12346;
/// Marks the form with them; the upper half is the number of containers less one.
const WITH_RUNS: u32 = 12347;
/// The largest container that is an array.
const ARRAY_MAX: usize = 4096;
/// The form with runs has offsets from so many containers on.
const OFFSETS_FROM: usize = 4;

/// Sorted and without repetition.
type Numbers = Vec<u32>;

/// The functions of this group.
pub(crate) fn defs() -> Vec<Def> {
    use DataType::{Binary, Int64, Utf8};
    let ints = DataType::List(std::sync::Arc::new(Field::new("item", DataType::Int32, true)));
    vec![
        Def::custom("BITMAP_BUILD", build_args, Ret::Is(Binary), build).nulls(Nulls::Propagate),
        Def::new("BITMAP_FROM_BYTES", "Y", Binary, |c| each(c, |numbers| Ok(to_bytes(&numbers))))
            .nulls(Nulls::Propagate),
        Def::new("BITMAP_TO_BYTES", "Y", Binary, |c| each(c, |numbers| Ok(to_bytes(&numbers))))
            .nulls(Nulls::Propagate),
        Def::new("BITMAP_CARDINALITY", "Y", Int64, |c| {
            let bitmap = c.bytes(0)?;
            c.prims::<Int64Type>(|i| {
                let numbers = from_bytes(c.name, some!(bitmap.get(i)))?;
                Ok(Some(numbers.len() as i64))
            })
        })
        .nulls(Nulls::Propagate),
        Def::new("BITMAP_TO_STRING", "Y", Utf8, |c| {
            let bitmap = c.bytes(0)?;
            c.strings(|i| {
                let numbers = from_bytes(c.name, some!(bitmap.get(i)))?;
                let texts: Vec<String> = numbers.iter().map(u32::to_string).collect();
                Ok(Some(format!("{{{}}}", texts.join(","))))
            })
        })
        .nulls(Nulls::Propagate),
        Def::new("BITMAP_TO_ARRAY", "Y", ints, to_array).nulls(Nulls::Propagate),
        Def::new("BITMAP_AND", "YY", Binary, |c| pair(c, and)).nulls(Nulls::Propagate),
        Def::new("BITMAP_OR", "YY", Binary, |c| pair(c, or)).nulls(Nulls::Propagate),
        Def::new("BITMAP_XOR", "YY", Binary, |c| pair(c, xor)).nulls(Nulls::Propagate),
        Def::new("BITMAP_ANDNOT", "YY", Binary, |c| pair(c, and_not)).nulls(Nulls::Propagate),
        Def::custom("$BITMAP_BUILD_ALL", build_args, Ret::Is(Binary), build_all),
        // Of the bitmaps that an aggregate has gathered; see the planner's dialect.
        Def::new("$BITMAP_AND_ALL", "A", Binary, |c| fold(c, and)),
        Def::new("$BITMAP_OR_ALL", "A", Binary, |c| fold(c, or)),
        Def::new("$BITMAP_XOR_ALL", "A", Binary, |c| fold(c, xor)),
    ]
}

fn build_args(types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [DataType::List(item)] if item.data_type().is_integer() || item.data_type().is_null() => {
            let item = Field::new("item", DataType::Int32, true);
            Ok(vec![DataType::List(std::sync::Arc::new(item))])
        }
        _ => plan_err!("BITMAP_BUILD takes an ARRAY<INT>"),
    }
}

fn build(call: &Call) -> Result<ArrayRef> {
    built(call, true)
}

/// Of what an aggregate has gathered: without any number there is no bitmap.
fn build_all(call: &Call) -> Result<ArrayRef> {
    built(call, false)
}

fn built(call: &Call, empty: bool) -> Result<ArrayRef> {
    let lists = call.full(0)?;
    let lists = lists.as_list::<i32>();
    call.binaries(|i| {
        if lists.is_null(i) {
            return Ok(None);
        }
        let items = lists.value(i);
        let items = items.as_primitive::<Int32Type>();
        let numbers = sorted(items.iter().flatten().map(|v| v as u32).collect());
        Ok((empty || !numbers.is_empty()).then(|| to_bytes(&numbers)))
    })
}

fn sorted(mut numbers: Numbers) -> Numbers {
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn each(call: &Call, f: impl Fn(Numbers) -> Result<Vec<u8>>) -> Result<ArrayRef> {
    let bitmap = call.bytes(0)?;
    call.binaries(|i| f(from_bytes(call.name, some!(bitmap.get(i)))?).map(Some))
}

fn to_array(call: &Call) -> Result<ArrayRef> {
    let bitmap = call.bytes(0)?;
    let mut lists = Vec::with_capacity(call.rows);
    for i in 0..call.rows {
        lists.push(match bitmap.get(i) {
            Some(bytes) => Some(from_bytes(call.name, bytes)?.into_iter().map(|v| Some(v as i32))),
            None => None,
        });
    }
    Ok(std::sync::Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists)))
}

fn pair(call: &Call, f: fn(&[u32], &[u32]) -> Numbers) -> Result<ArrayRef> {
    let (left, right) = (call.bytes(0)?, call.bytes(1)?);
    call.binaries(|i| {
        let (left, right) = (some!(left.get(i)), some!(right.get(i)));
        let both = f(&from_bytes(call.name, left)?, &from_bytes(call.name, right)?);
        Ok(Some(to_bytes(&both)))
    })
}

/// All bitmaps of an array together; nulls are left out.
fn fold(call: &Call, f: fn(&[u32], &[u32]) -> Numbers) -> Result<ArrayRef> {
    let lists = call.full(0)?;
    let lists = lists.as_list::<i32>();
    call.binaries(|i| {
        if lists.is_null(i) {
            return Ok(None);
        }
        let items = lists.value(i);
        let mut all: Option<Numbers> = None;
        for bytes in items.as_binary::<i32>().iter().flatten() {
            let next = from_bytes(call.name, bytes)?;
            all = Some(match all {
                Some(all) => f(&all, &next),
                None => next,
            });
        }
        Ok(all.map(|numbers| to_bytes(&numbers)))
    })
}

fn and(left: &[u32], right: &[u32]) -> Numbers {
    merge(left, right, [false, true, false])
}

fn or(left: &[u32], right: &[u32]) -> Numbers {
    merge(left, right, [true, true, true])
}

fn xor(left: &[u32], right: &[u32]) -> Numbers {
    merge(left, right, [true, false, true])
}

fn and_not(left: &[u32], right: &[u32]) -> Numbers {
    merge(left, right, [true, false, false])
}

/// Walks over two sets; `keep` says whether to keep what only the left, both, only the right have.
fn merge(left: &[u32], right: &[u32], keep: [bool; 3]) -> Numbers {
    let (mut l, mut r) = (left.iter().peekable(), right.iter().peekable());
    let mut out = Vec::new();
    loop {
        let (number, kept) = match (l.peek(), r.peek()) {
            (Some(a), Some(b)) if a == b => (**a, keep[1]),
            (Some(a), Some(b)) if a > b => (**b, keep[2]),
            (Some(a), _) => (**a, keep[0]),
            (None, Some(b)) => (**b, keep[2]),
            (None, None) => return out,
        };
        l.next_if(|a| **a == number);
        r.next_if(|b| **b == number);
        if kept {
            out.push(number);
        }
    }
}

fn to_bytes(numbers: &[u32]) -> Vec<u8> {
    let containers: Vec<&[u32]> = numbers.chunk_by(|a, b| a >> 16 == b >> 16).collect();
    let mut out = Vec::new();
    out.extend(PLAIN.to_le_bytes());
    out.extend((containers.len() as u32).to_le_bytes());
    for container in &containers {
        out.extend(((container[0] >> 16) as u16).to_le_bytes());
        out.extend(((container.len() - 1) as u16).to_le_bytes());
    }
    let mut offset = out.len() + 4 * containers.len();
    for container in &containers {
        out.extend((offset as u32).to_le_bytes());
        offset += if container.len() <= ARRAY_MAX { 2 * container.len() } else { 8192 };
    }
    for container in containers {
        if container.len() <= ARRAY_MAX {
            container.iter().for_each(|n| out.extend((*n as u16).to_le_bytes()));
            continue;
        }
        let mut bits = [0_u8; 8192];
        for number in container {
            let low = (*number & 0xffff) as usize;
            bits[low / 8] |= 1 << (low % 8);
        }
        out.extend(bits);
    }
    out
}

fn from_bytes(name: &str, bytes: &[u8]) -> Result<Numbers> {
    match read(bytes) {
        Some(numbers) => Ok(numbers),
        None => exec_err!("{name}: these {} bytes are no bitmap", bytes.len()),
    }
}

/// Takes little-endian numbers from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }
}

fn read(bytes: &[u8]) -> Option<Numbers> {
    let mut reader = Reader(bytes);
    let cookie = reader.u32()?;
    let (size, runs) = match cookie & 0xffff {
        WITH_RUNS => {
            let size = (cookie >> 16) as usize + 1;
            (size, reader.take(size.div_ceil(8))?)
        }
        PLAIN if cookie == PLAIN => (reader.u32()? as usize, &[][..]),
        _ => return None,
    };
    if size > 1 << 16 {
        return None;
    }
    let mut heads = Vec::with_capacity(size);
    for _ in 0..size {
        heads.push((reader.u16()?, reader.u16()?));
    }
    if runs.is_empty() || size >= OFFSETS_FROM {
        reader.take(4 * size)?;
    }
    let mut numbers = Vec::new();
    for (at, (high, last)) in heads.into_iter().enumerate() {
        let is_run = runs.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1);
        container(&mut reader, u32::from(high) << 16, usize::from(last) + 1, is_run, &mut numbers)?;
    }
    let ordered = numbers.windows(2).all(|pair| pair[0] < pair[1]);
    (ordered && reader.0.is_empty()).then_some(numbers)
}

fn container(
    reader: &mut Reader<'_>,
    high: u32,
    len: usize,
    is_run: bool,
    out: &mut Numbers,
) -> Option<()> {
    if is_run {
        for _ in 0..reader.u16()? {
            let (start, more) = (u32::from(reader.u16()?), u32::from(reader.u16()?));
            if start + more > 0xffff {
                return None;
            }
            out.extend((start..=start + more).map(|low| high | low));
        }
    } else if len <= ARRAY_MAX {
        for _ in 0..len {
            out.push(high | u32::from(reader.u16()?));
        }
    } else {
        let bits = reader.take(8192)?;
        let set = (0..1_u32 << 16).filter(|low| bits[*low as usize / 8] >> (low % 8) & 1 == 1);
        out.extend(set.map(|low| high | low));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers() -> impl Strategy<Value = Numbers> {
        let sparse = prop::collection::vec(any::<u32>(), 0..50);
        let dense = (0_u32..3, 4000_u32..6000).prop_map(|(high, len)| {
            (0..len).map(|n| high << 16 | n * 7 % 0xffff).collect::<Vec<u32>>()
        });
        prop_oneof![sparse, dense].prop_map(sorted)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn what_is_written_is_read_back(numbers in numbers()) {
            prop_assert_eq!(read(&to_bytes(&numbers)), Some(numbers));
        }

        #[test]
        fn strange_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some(numbers) = read(&bytes) {
                prop_assert_eq!(read(&to_bytes(&numbers)), Some(numbers));
            }
        }

        #[test]
        fn operations_are_those_of_sets(a in numbers(), b in numbers()) {
            let has = |set: &Numbers, n: &u32| set.binary_search(n).is_ok();
            for (f, keeps) in [
                (and as fn(&[u32], &[u32]) -> Numbers, [false, true, false]),
                (or, [true, true, true]),
                (xor, [true, false, true]),
                (and_not, [true, false, false]),
            ] {
                let all = sorted(a.iter().chain(&b).copied().collect());
                let kept = all.into_iter().filter(|n| match (has(&a, n), has(&b, n)) {
                    (true, true) => keeps[1],
                    (true, false) => keeps[0],
                    _ => keeps[2],
                });
                prop_assert_eq!(f(&a, &b), kept.collect::<Numbers>());
            }
        }
    }

    #[test]
    fn containers_of_runs_are_read() {
        // One container, its only run from 5 to 7.
        let bytes = [0x3b, 0x30, 0, 0, 1, 0, 0, 2, 0, 1, 0, 5, 0, 2, 0];
        assert_eq!(read(&bytes), Some(vec![5, 6, 7]));
        assert_eq!(read(&bytes[..14]), None);
    }
}
