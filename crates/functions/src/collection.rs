//! Arrays, maps and rows: building, access, set operations.
//!
//! Values are compared through their row format, so that every element type works alike.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, UInt32Array, make_comparator,
    new_empty_array, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{SortOptions, concat, take};
use arrow::datatypes::{DataType, Field, Fields, Int32Type};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};

use super::call::{Call, Def, Nulls, Ret, some};
use super::cast::Caster;
use super::typing::{common_type, list_of, map_of, map_types, type_name};
use super::variant::{self, VARIANT};

/// The functions of this group.
pub(crate) fn defs() -> Vec<Def> {
    use DataType::{Boolean, Int32, Utf8};
    let element: super::call::Returns = |t, _| match t.first() {
        Some(t) => element_type(t),
        None => plan_err!("an ARRAY is missing"),
    };
    let arg = || Ret::Arg(0);
    let mut defs = vec![
        Def::custom("ARRAY", array_args, Ret::Of(|t, _| Ok(list_of(first(t)))), array),
        Def::custom("MAP", map_args, Ret::Of(map_type), map),
        Def::of("ROW", "X*", Ret::Of(row_type), row).nulls(Nulls::Never),
        Def::of("$NAMED_ROW", "X*", Ret::Of(named_row_type), named_row).nulls(Nulls::Never),
        Def::of("$FIELD", "XX", Ret::Of(field_type), field),
        Def::custom("$ITEM", item_args, Ret::Of(item_type), item),
        Def::new("CARDINALITY", "X", Int32, cardinality).nulls(Nulls::Propagate),
        Def::of("ELEMENT", "A", Ret::Of(element), sole_element),
        Def::custom("ARRAY_CONTAINS", needle_args, Ret::Is(Boolean), |c| {
            search(c, |found| i32::from(found.is_some()), true)
        }),
        Def::custom("ARRAY_POSITION", needle_args, Ret::Is(Int32), |c| {
            search(c, |found| found.map_or(0, |i| i as i32 + 1), false)
        }),
        Def::custom("ARRAY_REMOVE", needle_args, arg(), remove),
        Def::custom("ARRAY_APPEND", needle_args, arg(), |c| extend(c, false)),
        Def::custom("ARRAY_PREPEND", needle_args, arg(), |c| extend(c, true)),
        Def::of("ARRAY_DISTINCT", "A", arg(), |c| pick(c, |r| distinct(r, r.all()))),
        Def::of("ARRAY_REVERSE", "A", arg(), |c| pick(c, |r| r.all().rev().collect())),
        Def::of("ARRAY_SLICE", "AIi", arg(), slice),
        Def::of("ARRAY_SORT", "Abb", arg(), sort),
        Def::of("ARRAY_MAX", "A", Ret::Of(element), |c| extreme(c, Ordering::Greater)),
        Def::of("ARRAY_MIN", "A", Ret::Of(element), |c| extreme(c, Ordering::Less)),
        Def::new("ARRAY_JOIN", "ASs", Utf8, join),
        Def::custom("ARRAY_CONCAT", same_args, arg(), array_concat),
        Def::custom("ARRAY_UNION", same_args, arg(), |c| sets(c, SetOp::Union)),
        Def::custom("ARRAY_EXCEPT", same_args, arg(), |c| sets(c, SetOp::Except)),
        Def::custom("ARRAY_INTERSECT", same_args, arg(), |c| sets(c, SetOp::Intersect)),
    ];
    defs.extend(map_defs());
    defs
}

/// The functions on maps.
fn map_defs() -> Vec<Def> {
    vec![
        Def::of("MAP_KEYS", "M", Ret::Of(|t, _| Ok(list_of(key_value(&first(t))?.0))), |c| {
            map_side(c, 0)
        }),
        Def::of("MAP_VALUES", "M", Ret::Of(|t, _| Ok(list_of(key_value(&first(t))?.1))), |c| {
            map_side(c, 1)
        }),
        Def::of("MAP_ENTRIES", "M", Ret::Of(entries_type), map_entries),
        Def::of("MAP_FROM_ARRAYS", "AA", Ret::Of(from_arrays_type), map_from_arrays),
        Def::custom("MAP_UNION", same_args, Ret::Arg(0), map_union),
    ]
}

fn first(types: &[DataType]) -> DataType {
    types.first().cloned().unwrap_or(DataType::Null)
}

fn element_type(list: &DataType) -> Result<DataType> {
    match list {
        DataType::List(f) => Ok(f.data_type().clone()),
        t => plan_err!("an ARRAY is wanted, not {}", type_name(t)),
    }
}

fn key_value(map: &DataType) -> Result<(DataType, DataType)> {
    match map {
        DataType::Map(e, _) => match map_types(e) {
            Some((k, v)) => Ok((k.data_type().clone(), v.data_type().clone())),
            None => plan_err!("the MAP's entries are not pairs"),
        },
        t => plan_err!("a MAP is wanted, not {}", type_name(t)),
    }
}

fn common(what: &str, types: &[DataType]) -> Result<DataType> {
    match common_type(types) {
        Some(t) => Ok(t),
        None => {
            let types: Vec<String> = types.iter().map(type_name).collect();
            plan_err!("{what} have no common type: {}", types.join(", "))
        }
    }
}

fn array_args(types: &[DataType]) -> Result<Vec<DataType>> {
    if types.is_empty() {
        return plan_err!("ARRAY[] needs at least one element; its type would be unknown");
    }
    Ok(vec![common("The elements of ARRAY", types)?; types.len()])
}

fn map_args(types: &[DataType]) -> Result<Vec<DataType>> {
    if types.is_empty() || types.len() % 2 != 0 {
        return plan_err!("MAP takes pairs of a key and a value");
    }
    let side = |s: usize| types.iter().skip(s).step_by(2).cloned().collect::<Vec<_>>();
    let key = common("The keys of MAP", &side(0))?;
    let value = common("The values of MAP", &side(1))?;
    Ok((0..types.len()).map(|i| if i % 2 == 0 { key.clone() } else { value.clone() }).collect())
}

fn map_type(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    match types {
        [k, v, ..] => Ok(map_of(k.clone(), v.clone())),
        _ => plan_err!("MAP takes pairs of a key and a value"),
    }
}

/// An array and something of its element's type.
fn needle_args(types: &[DataType]) -> Result<Vec<DataType>> {
    let [list, needle] = types else {
        return plan_err!("an ARRAY and an element are wanted");
    };
    let element = element_type(list)?;
    let common = common("The array's elements and the value", &[element, needle.clone()])?;
    Ok(vec![list_of(common.clone()), common])
}

/// Collections of one type.
fn same_args(types: &[DataType]) -> Result<Vec<DataType>> {
    let ok = |t: &DataType| matches!(t, DataType::List(_) | DataType::Map(_, _) | DataType::Null);
    if types.is_empty() || !types.iter().all(ok) {
        let types: Vec<String> = types.iter().map(type_name).collect();
        return plan_err!("arrays or maps are wanted, not {}", types.join(", "));
    }
    Ok(vec![common("The collections", types)?; types.len()])
}

fn item_args(types: &[DataType]) -> Result<Vec<DataType>> {
    let [base, key] = types else {
        return plan_err!("a subscript takes one value");
    };
    match base {
        DataType::List(_) if key.is_integer() || key.is_null() => {
            Ok(vec![base.clone(), DataType::Int32])
        }
        DataType::LargeUtf8 if key.is_integer() || key.is_null() => {
            Ok(vec![VARIANT, DataType::Int32])
        }
        DataType::LargeUtf8 if key == &DataType::Utf8 => Ok(vec![VARIANT, DataType::Utf8]),
        DataType::Map(_, _) => {
            let k = common("The map's keys and the subscript", &[key_value(base)?.0, key.clone()])?;
            Ok(vec![map_of(k.clone(), key_value(base)?.1), k])
        }
        t => plan_err!("{} has no element with a {} subscript", type_name(t), type_name(key)),
    }
}

fn item_type(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    match types.first() {
        Some(DataType::List(f)) => Ok(f.data_type().clone()),
        Some(DataType::LargeUtf8) => Ok(VARIANT),
        Some(t) => Ok(key_value(t)?.1),
        None => plan_err!("a subscript needs an ARRAY or MAP"),
    }
}

/// Puts arrays behind each other and interleaves them row by row.
fn interleaved(columns: &[ArrayRef], rows: usize, dtype: &DataType) -> Result<ArrayRef> {
    if columns.is_empty() || rows == 0 {
        return Ok(new_empty_array(dtype));
    }
    let refs: Vec<&dyn Array> = columns.iter().map(|a| a.as_ref()).collect();
    let all = concat(&refs)?;
    let n = columns.len();
    let order: UInt32Array = (0..rows * n).map(|k| ((k % n) * rows + k / n) as u32).collect();
    Ok(take(&all, &order, None)?)
}

fn even_offsets(rows: usize, n: usize) -> OffsetBuffer<i32> {
    OffsetBuffer::from_lengths(std::iter::repeat_n(n, rows))
}

fn array(call: &Call) -> Result<ArrayRef> {
    let columns = (0..call.len()).map(|i| call.full(i)).collect::<Result<Vec<_>>>()?;
    let element = element_type(&call.ret)?;
    let values = interleaved(&columns, call.rows, &element)?;
    let DataType::List(f) = &call.ret else {
        return exec_err!("ARRAY must answer an array");
    };
    let offsets = even_offsets(call.rows, columns.len());
    Ok(Arc::new(ListArray::try_new(Arc::clone(f), offsets, values, None)?))
}

/// Builds maps from keys and values that lie in `order`, where a later key wins.
fn build_map(
    ret: &DataType,
    keys: &ArrayRef,
    values: &ArrayRef,
    rows: Vec<Option<Vec<(u32, u32)>>>,
) -> Result<ArrayRef> {
    let DataType::Map(entries, sorted) = ret else {
        return exec_err!("a MAP is wanted, not {}", type_name(ret));
    };
    let DataType::Struct(fields) = entries.data_type() else {
        return exec_err!("a MAP's entries must be a ROW");
    };
    let converted = to_rows(keys)?;
    let (mut key_at, mut value_at, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    let mut valid = Vec::with_capacity(rows.len());
    for row in rows {
        valid.push(row.is_some());
        let mut seen: HashMap<&[u8], usize> = HashMap::new();
        let start = key_at.len();
        for (k, v) in row.unwrap_or_default() {
            if keys.is_null(k as usize) {
                return exec_err!("a MAP's key must not be NULL");
            }
            match seen.get(converted.row(k as usize).data()) {
                Some(at) => value_at[*at] = v,
                None => {
                    seen.insert(converted.row(k as usize).data(), key_at.len());
                    key_at.push(k);
                    value_at.push(v);
                }
            }
        }
        lengths.push(key_at.len() - start);
    }
    let columns = vec![
        take(keys, &UInt32Array::from(key_at), None)?,
        take(values, &UInt32Array::from(value_at), None)?,
    ];
    let pairs = StructArray::try_new(fields.clone(), columns, None)?;
    Ok(Arc::new(MapArray::try_new(
        Arc::clone(entries),
        OffsetBuffer::from_lengths(lengths),
        pairs,
        nulls_of(valid),
        *sorted,
    )?))
}

fn nulls_of(valid: Vec<bool>) -> Option<NullBuffer> {
    if valid.iter().all(|v| *v) { None } else { Some(NullBuffer::from(valid)) }
}

fn map(call: &Call) -> Result<ArrayRef> {
    let side = |s: usize| -> Result<ArrayRef> {
        let columns =
            (s..call.len()).step_by(2).map(|i| call.full(i)).collect::<Result<Vec<_>>>()?;
        let (k, v) = key_value(&call.ret)?;
        interleaved(&columns, call.rows, if s == 0 { &k } else { &v })
    };
    let (keys, values) = (side(0)?, side(1)?);
    let n = (call.len() / 2) as u32;
    let rows = (0..call.rows as u32)
        .map(|r| Some((r * n..(r + 1) * n).map(|i| (i, i)).collect()))
        .collect();
    build_map(&call.ret, &keys, &values, rows)
}

fn row_type(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    let field = |(i, t): (usize, &DataType)| Field::new(format!("EXPR${i}"), t.clone(), true);
    Ok(DataType::Struct(types.iter().enumerate().map(field).collect::<Fields>()))
}

fn row(call: &Call) -> Result<ArrayRef> {
    struct_of(call, (0..call.len()).collect())
}

fn struct_of(call: &Call, arguments: Vec<usize>) -> Result<ArrayRef> {
    let DataType::Struct(fields) = &call.ret else {
        return exec_err!("ROW must answer a row");
    };
    let columns = arguments.into_iter().map(|i| call.full(i)).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, None, call.rows)?))
}

fn named_row_type(types: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    let mut fields = Vec::new();
    for (name, t) in scalars.iter().step_by(2).zip(types.iter().skip(1).step_by(2)) {
        match name {
            Some(ScalarValue::Utf8(Some(n))) => fields.push(Field::new(n, t.clone(), true)),
            _ => return plan_err!("a row's field names must be constants"),
        }
    }
    Ok(DataType::Struct(fields.into()))
}

fn named_row(call: &Call) -> Result<ArrayRef> {
    struct_of(call, (1..call.len()).step_by(2).collect())
}

fn field_at(fields: &Fields, name: &ScalarValue) -> Option<usize> {
    match name {
        ScalarValue::Utf8(Some(n)) => fields.iter().position(|f| f.name() == n),
        ScalarValue::Int64(Some(i)) => usize::try_from(*i - 1).ok().filter(|i| *i < fields.len()),
        ScalarValue::Int32(Some(i)) => usize::try_from(*i - 1).ok().filter(|i| *i < fields.len()),
        _ => None,
    }
}

fn field_type(types: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    let (base, name) = match (types.first(), scalars.get(1)) {
        (Some(base), Some(Some(name))) => (base, *name),
        _ => return plan_err!("a field's name must be a constant"),
    };
    match base {
        DataType::Struct(fields) => match field_at(fields, name) {
            Some(i) => Ok(fields[i].data_type().clone()),
            None => {
                let known: Vec<&str> = fields.iter().map(|f| f.name().as_str()).collect();
                plan_err!("the row has no field {name}; it has {}", known.join(", "))
            }
        },
        DataType::LargeUtf8 => Ok(VARIANT),
        t => Ok(key_value(t)?.1),
    }
}

fn field(call: &Call) -> Result<ArrayRef> {
    if matches!(call.dtype(0), DataType::Map(_, _) | DataType::LargeUtf8) {
        return item(call);
    }
    let base = call.full(0)?;
    let base = base.as_struct();
    let name = ScalarValue::try_from_array(call.array(1), 0)?;
    let Some(i) = field_at(base.fields(), &name) else {
        return exec_err!("the row has no field {name}");
    };
    let column = base.column(i);
    let Some(outer) = base.nulls() else {
        return Ok(Arc::clone(column));
    };
    // A NULL row has NULL fields, whatever lies below.
    let missing: arrow::array::BooleanArray =
        (0..base.len()).map(|i| Some(outer.is_null(i))).collect();
    Ok(arrow::compute::nullif(column, &missing)?)
}

/// `array[i]`, counted from 1, `map[key]`, and a part of a VARIANT.
fn item(call: &Call) -> Result<ArrayRef> {
    if *call.dtype(0) == VARIANT {
        return variant::item(call);
    }
    let picks: UInt32Array = if matches!(call.dtype(0), DataType::List(_)) {
        let list = call.list(0)?;
        let at = call.prim::<Int32Type>(1)?;
        (0..call.rows)
            .map(|i| {
                let (row, at) = (call.row(0, i), at.get(i)?);
                if list.is_null(row) {
                    return None;
                }
                let offset = list.value_offsets()[row];
                let inside = at >= 1 && at <= list.value_length(row);
                inside.then(|| (offset + at - 1) as u32)
            })
            .collect()
    } else {
        let map = call.map(0)?;
        let compare = make_comparator(map.keys(), call.array(1), SortOptions::default())?;
        (0..call.rows)
            .map(|i| {
                let (row, key) = (call.row(0, i), call.row(1, i));
                if map.is_null(row) || call.array(1).is_null(key) {
                    return None;
                }
                let (from, to) = (map.value_offsets()[row], map.value_offsets()[row + 1]);
                (from..to).find(|k| compare(*k as usize, key) == Ordering::Equal).map(|k| k as u32)
            })
            .collect()
    };
    let values = match call.dtype(0) {
        DataType::List(_) => call.list(0)?.values(),
        _ => call.map(0)?.values(),
    };
    if values.is_empty() {
        return Ok(new_null_array(&call.ret, call.rows));
    }
    Ok(take(values, &picks, None)?)
}

fn cardinality(call: &Call) -> Result<ArrayRef> {
    let offsets = match call.dtype(0) {
        DataType::List(_) => call.list(0)?.value_offsets(),
        DataType::Map(_, _) => call.map(0)?.value_offsets(),
        t => return exec_err!("CARDINALITY takes an ARRAY or MAP, not {}", type_name(t)),
    };
    let array = call.array(0);
    call.prims::<Int32Type>(|i| {
        let i = call.row(0, i);
        Ok(array.is_valid(i).then(|| offsets[i + 1] - offsets[i]))
    })
}

fn sole_element(call: &Call) -> Result<ArrayRef> {
    let list = call.list(0)?;
    let mut picks = Vec::with_capacity(call.rows);
    for i in 0..call.rows {
        let row = call.row(0, i);
        let (from, to) = (list.value_offsets()[row], list.value_offsets()[row + 1]);
        picks.push(match to - from {
            _ if list.is_null(row) => None,
            0 => None,
            1 => Some(from as u32),
            n => return exec_err!("ELEMENT: the array has {n} elements, not one"),
        });
    }
    if list.values().is_empty() {
        return Ok(new_null_array(&call.ret, call.rows));
    }
    Ok(take(list.values(), &UInt32Array::from(picks), None)?)
}

fn to_rows(values: &ArrayRef) -> Result<Rows> {
    let converter = RowConverter::new(vec![SortField::new(values.data_type().clone())])?;
    Ok(converter.convert_columns(&[Arc::clone(values)])?)
}

/// The elements of one row of an array, as positions in the array's values.
struct Span<'a> {
    rows: &'a Rows,
    from: usize,
    to: usize,
}

impl Span<'_> {
    fn all(&self) -> std::ops::Range<usize> {
        self.from..self.to
    }
}

fn distinct(span: &Span, positions: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut seen = HashSet::new();
    positions.filter(|i| seen.insert(span.rows.row(*i))).collect()
}

/// Arrays made of picked elements of `values`.
fn picked(ret: &DataType, values: &ArrayRef, rows: Vec<Option<Vec<usize>>>) -> Result<ArrayRef> {
    let DataType::List(f) = ret else {
        return exec_err!("an ARRAY is wanted, not {}", type_name(ret));
    };
    let valid: Vec<bool> = rows.iter().map(Option::is_some).collect();
    let lengths: Vec<usize> = rows.iter().map(|r| r.as_ref().map_or(0, Vec::len)).collect();
    let at: UInt32Array = rows.into_iter().flatten().flatten().map(|i| Some(i as u32)).collect();
    let values = take(values, &at, None)?;
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(f),
        OffsetBuffer::from_lengths(lengths),
        values,
        nulls_of(valid),
    )?))
}

fn pick(call: &Call, f: impl Fn(&Span) -> Vec<usize>) -> Result<ArrayRef> {
    let list = call.list(0)?;
    let rows = to_rows(list.values())?;
    let picks = (0..call.rows)
        .map(|i| {
            let row = call.row(0, i);
            let offsets = list.value_offsets();
            let span =
                Span { rows: &rows, from: offsets[row] as usize, to: offsets[row + 1] as usize };
            list.is_valid(row).then(|| f(&span))
        })
        .collect();
    picked(&call.ret, list.values(), picks)
}

/// The position of the needle in each array.
fn search(call: &Call, f: fn(Option<usize>) -> i32, with_null: bool) -> Result<ArrayRef> {
    let list = call.list(0)?;
    let needle = call.array(1);
    let compare = make_comparator(list.values(), needle, SortOptions::default())?;
    let ints = (0..call.rows)
        .map(|i| {
            let (row, n) = (call.row(0, i), call.row(1, i));
            if list.is_null(row) || needle.is_null(n) && !with_null {
                return None;
            }
            let (from, to) = (list.value_offsets()[row], list.value_offsets()[row + 1]);
            let found = (from..to).position(|k| compare(k as usize, n) == Ordering::Equal);
            Some(f(found))
        })
        .collect::<arrow::array::Int32Array>();
    if matches!(call.ret, DataType::Boolean) {
        return call.bools(|i| Ok(ints.is_valid(i).then(|| ints.value(i) != 0)));
    }
    Ok(Arc::new(ints))
}

fn remove(call: &Call) -> Result<ArrayRef> {
    let list = call.list(0)?;
    let compare = make_comparator(list.values(), call.array(1), SortOptions::default())?;
    let picks = (0..call.rows)
        .map(|i| {
            let (row, n) = (call.row(0, i), call.row(1, i));
            let (from, to) = (list.value_offsets()[row], list.value_offsets()[row + 1]);
            let keep = |k: &usize| compare(*k, n) != Ordering::Equal;
            list.is_valid(row).then(|| (from as usize..to as usize).filter(keep).collect())
        })
        .collect();
    picked(&call.ret, list.values(), picks)
}

/// Appends or prepends one element.
fn extend(call: &Call, front: bool) -> Result<ArrayRef> {
    let list = call.list(0)?;
    let base = list.values().len();
    let values = concat(&[list.values().as_ref(), call.array(1).as_ref()])?;
    let picks = (0..call.rows)
        .map(|i| {
            let row = call.row(0, i);
            let (from, to) = (list.value_offsets()[row], list.value_offsets()[row + 1]);
            let own = from as usize..to as usize;
            let new = std::iter::once(base + call.row(1, i));
            list.is_valid(row)
                .then(|| if front { new.chain(own).collect() } else { own.chain(new).collect() })
        })
        .collect();
    picked(&call.ret, &values, picks)
}

fn slice(call: &Call) -> Result<ArrayRef> {
    let list = call.list(0)?;
    let (start, end) = (call.prim::<Int32Type>(1)?, call.prim_opt::<Int32Type>(2)?);
    let picks = (0..call.rows)
        .map(|i| {
            let row = call.row(0, i);
            if list.is_null(row) {
                return None;
            }
            let (offset, len) = (list.value_offsets()[row], list.value_length(row));
            let end = match &end {
                Some(e) => e.get(i)?,
                None => len,
            };
            let start = start.get(i)?;
            let wrap = |p: i32| if p < 0 { p + len + 1 } else { p };
            let (start, end) = (wrap(start).max(1), wrap(end));
            let end = if end == 0 { 1 } else { end.min(len) };
            Some((start..=end).map(|k| (offset + k - 1) as usize).collect())
        })
        .collect();
    picked(&call.ret, list.values(), picks)
}

/// `ARRAY_SORT(array[, ascending[, null_first]])`.
fn sort(call: &Call) -> Result<ArrayRef> {
    let list = call.list(0)?;
    let flag = |i: usize, row: usize| -> Result<Option<Option<bool>>> {
        if i >= call.len() { Ok(None) } else { Ok(Some(call.bool(i)?.get(row))) }
    };
    let values = Arc::clone(list.values());
    let compare = make_comparator(&values, &values, SortOptions::default())?;
    let mut picks = Vec::with_capacity(call.rows);
    for i in 0..call.rows {
        let row = call.row(0, i);
        let (ascending, nulls_first) = (flag(1, i)?, flag(2, i)?);
        if list.is_null(row) || ascending == Some(None) || nulls_first == Some(None) {
            picks.push(None);
            continue;
        }
        let ascending = ascending.flatten().unwrap_or(true);
        let nulls_first = nulls_first.flatten().unwrap_or(ascending);
        let (from, to) = (list.value_offsets()[row], list.value_offsets()[row + 1]);
        let (mut missing, mut present): (Vec<usize>, Vec<usize>) =
            (from as usize..to as usize).partition(|k| values.is_null(*k));
        present.sort_by(|a, b| if ascending { compare(*a, *b) } else { compare(*b, *a) });
        picks.push(Some(if nulls_first {
            missing.extend(present);
            missing
        } else {
            present.extend(missing);
            present
        }));
    }
    picked(&call.ret, &values, picks)
}

fn extreme(call: &Call, wanted: Ordering) -> Result<ArrayRef> {
    let list = call.list(0)?;
    let values = list.values();
    if values.is_empty() {
        return Ok(new_null_array(&call.ret, call.rows));
    }
    let compare = make_comparator(values, values, SortOptions::default())?;
    let picks: UInt32Array = (0..call.rows)
        .map(|i| {
            let row = call.row(0, i);
            let (from, to) = (list.value_offsets()[row], list.value_offsets()[row + 1]);
            let best = (from as usize..to as usize)
                .filter(|k| values.is_valid(*k) && list.is_valid(row))
                .reduce(|a, b| if compare(b, a) == wanted { b } else { a });
            best.map(|b| b as u32)
        })
        .collect();
    Ok(take(values, &picks, None)?)
}

fn join(call: &Call) -> Result<ArrayRef> {
    let list = call.list(0)?;
    let (sep, null) = (call.str(1)?, call.str_opt(2)?);
    let texts = Caster::plain(call.settings, true).cast(list.values(), &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    call.strings(|i| {
        let row = call.row(0, i);
        let sep = some!(sep.get(i));
        if list.is_null(row) {
            return Ok(None);
        }
        let null = match &null {
            Some(n) => Some(some!(n.get(i))),
            None => None,
        };
        let (from, to) =
            (list.value_offsets()[row] as usize, list.value_offsets()[row + 1] as usize);
        let parts: Vec<&str> = (from..to)
            .filter_map(|k| if texts.is_valid(k) { Some(texts.value(k)) } else { null })
            .collect();
        Ok(Some(parts.join(sep)))
    })
}

/// The values of several arrays behind each other, and where each begins.
fn pooled(call: &Call) -> Result<(ArrayRef, Vec<usize>)> {
    let mut starts = Vec::with_capacity(call.len());
    let mut parts = Vec::with_capacity(call.len());
    let mut total = 0;
    for i in 0..call.len() {
        let values = call.list(i)?.values();
        starts.push(total);
        total += values.len();
        parts.push(values.as_ref());
    }
    Ok((concat(&parts)?, starts))
}

fn positions(call: &Call, i: usize, row: usize, start: usize) -> Result<Option<Vec<usize>>> {
    let list = call.list(i)?;
    let row = call.row(i, row);
    let (from, to) = (list.value_offsets()[row] as usize, list.value_offsets()[row + 1] as usize);
    Ok(list.is_valid(row).then(|| (from..to).map(|k| start + k).collect()))
}

fn array_concat(call: &Call) -> Result<ArrayRef> {
    let (values, starts) = pooled(call)?;
    let mut picks = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let mut all = Some(Vec::new());
        for (i, start) in starts.iter().enumerate() {
            match (positions(call, i, row, *start)?, &mut all) {
                (Some(p), Some(all)) => all.extend(p),
                _ => all = None,
            }
        }
        picks.push(all);
    }
    picked(&call.ret, &values, picks)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SetOp {
    Union,
    Except,
    Intersect,
}

fn sets(call: &Call, op: SetOp) -> Result<ArrayRef> {
    let (values, starts) = pooled(call)?;
    let rows = to_rows(&values)?;
    let span = Span { rows: &rows, from: 0, to: values.len() };
    let mut picks = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let a = positions(call, 0, row, starts[0])?;
        let b = positions(call, 1, row, starts[1])?;
        let (Some(a), Some(b)) = (a, b) else {
            picks.push(None);
            continue;
        };
        picks.push(Some(match op {
            SetOp::Union => distinct(&span, a.into_iter().chain(b)),
            _ => {
                let other: HashSet<_> = b.iter().map(|k| rows.row(*k)).collect();
                let inside = op == SetOp::Intersect;
                let kept = a.into_iter().filter(|k| other.contains(&rows.row(*k)) == inside);
                distinct(&span, kept)
            }
        }));
    }
    picked(&call.ret, &values, picks)
}

fn map_side(call: &Call, side: usize) -> Result<ArrayRef> {
    let map = call.full(0)?;
    let map = map.as_map();
    let DataType::List(f) = &call.ret else {
        return exec_err!("an ARRAY is wanted");
    };
    let values = Arc::clone(map.entries().column(side));
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(f),
        map.offsets().clone(),
        values,
        map.nulls().cloned(),
    )?))
}

fn entries_type(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    let (k, v) = key_value(&first(types))?;
    let fields = vec![Field::new("key", k, true), Field::new("value", v, true)];
    Ok(list_of(DataType::Struct(fields.into())))
}

fn map_entries(call: &Call) -> Result<ArrayRef> {
    let map = call.full(0)?;
    let map = map.as_map();
    let DataType::List(f) = &call.ret else {
        return exec_err!("an ARRAY is wanted");
    };
    let DataType::Struct(fields) = f.data_type() else {
        return exec_err!("an ARRAY of ROW is wanted");
    };
    let columns = map.entries().columns().to_vec();
    let entries =
        StructArray::try_new_with_length(fields.clone(), columns, None, map.entries().len())?;
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(f),
        map.offsets().clone(),
        Arc::new(entries),
        map.nulls().cloned(),
    )?))
}

fn from_arrays_type(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    match types {
        [k, v] => Ok(map_of(element_type(k)?, element_type(v)?)),
        _ => plan_err!("MAP_FROM_ARRAYS takes two arrays"),
    }
}

fn map_from_arrays(call: &Call) -> Result<ArrayRef> {
    let (k, v) = (call.list(0)?, call.list(1)?);
    let mut rows = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let (a, b) = (positions(call, 0, row, 0)?, positions(call, 1, row, 0)?);
        rows.push(match (a, b) {
            (Some(a), Some(b)) if a.len() == b.len() => {
                Some(a.into_iter().zip(b).map(|(a, b)| (a as u32, b as u32)).collect())
            }
            (Some(a), Some(b)) => {
                return exec_err!(
                    "Invalid function MAP_FROM_ARRAYS call: The length of the keys array {} is \
                     not equal to the length of the values array {}",
                    a.len(),
                    b.len()
                );
            }
            _ => None,
        });
    }
    build_map(&call.ret, k.values(), v.values(), rows)
}

fn map_union(call: &Call) -> Result<ArrayRef> {
    let mut starts = Vec::new();
    let (mut keys, mut values): (Vec<&dyn Array>, Vec<&dyn Array>) = (vec![], vec![]);
    let mut total = 0;
    for i in 0..call.len() {
        let map = call.map(i)?;
        starts.push(total);
        total += map.keys().len();
        keys.push(map.keys().as_ref());
        values.push(map.values().as_ref());
    }
    let (keys, values) = (concat(&keys)?, concat(&values)?);
    let mut rows = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let mut all = Some(Vec::new());
        for (i, start) in starts.iter().enumerate() {
            let map = call.map(i)?;
            let at = call.row(i, row);
            let (from, to) =
                (map.value_offsets()[at] as usize, map.value_offsets()[at + 1] as usize);
            match &mut all {
                Some(all) if map.is_valid(at) => {
                    all.extend((from..to).map(|k| ((start + k) as u32, (start + k) as u32)));
                }
                _ => all = None,
            }
        }
        rows.push(all);
    }
    build_map(&call.ret, &keys, &values, rows)
}
