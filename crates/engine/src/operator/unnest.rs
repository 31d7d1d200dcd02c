//! `CROSS JOIN UNNEST` and `LEFT JOIN UNNEST`: a row for every element of a collection.
//!
//! # Semantics
//! Every row appears once for each element of its array, map or multiset, with the element on its
//! right: an element that is a `ROW` as one column a field, a map's entry as key and value, a
//! multiset's element as often as it counts. `WITH ORDINALITY` appends the element's number, from
//! 1. A row whose collection is empty or null is left out by a cross join, and kept once with
//! nulls by a left join.
//!
//! # State
//! None: rows go through with their weights and arrival watermarks.
//!
//! # Emission
//! At once.
//!
//! # Retention
//! Nothing is kept.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, StructArray, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema, SchemaRef};

use super::rows::widen;
use crate::state::{StateReader, StateWriter};
use crate::{Delta, Deltas, EngineError, Operator, Result, StepContext};

/// What kind of collection is taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Collection {
    /// A list.
    Array,
    /// A map: key and value.
    Map,
    /// A map from elements to how often they are there.
    Multiset,
}

/// What becomes of a row without elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnnestJoin {
    /// It is left out.
    Cross,
    /// It is kept, with nulls.
    Left,
}

/// What is taken apart, and how.
#[derive(Debug, Clone)]
pub struct UnnestSpec {
    /// The column of the collection.
    pub column: usize,
    /// What kind it is.
    pub collection: Collection,
    /// What becomes of a row without elements.
    pub join: UnnestJoin,
    /// The names of the element's columns; missing ones are `f0`, `f1`, ….
    pub names: Vec<String>,
    /// The name of the element's number (`INT`), if it is wanted.
    pub ordinality: Option<String>,
}

/// The operator. See the module's documentation.
#[derive(Debug)]
pub struct Unnest {
    spec: UnnestSpec,
    output: SchemaRef,
    /// Whether the element is a struct whose fields become columns.
    flatten: bool,
}

/// The entries of a batch of collections: the range of each row, and the values.
struct Entries {
    offsets: Vec<usize>,
    columns: Vec<ArrayRef>,
}

impl Unnest {
    /// Takes apart a column of rows of `input`.
    pub fn new(input: &SchemaRef, spec: UnnestSpec) -> Result<Self> {
        let collection = input.field(spec.column).data_type();
        let entries = entry_fields(collection, spec.collection).ok_or_else(|| {
            EngineError::Data(format!(
                "UNNEST of a {collection} is not supported: it takes an ARRAY, MAP or MULTISET"
            ))
        })?;
        let (flatten, fields) = match (&entries[..], spec.collection) {
            ([element], Collection::Array | Collection::Multiset) => match element.data_type() {
                DataType::Struct(fields) => (true, fields.to_vec()),
                _ => (false, entries),
            },
            _ => (false, entries),
        };
        let mut all = input.fields().to_vec();
        for (at, field) in fields.iter().enumerate() {
            let name = spec.names.get(at).cloned().unwrap_or_else(|| format!("f{at}"));
            let field = Field::new(name, field.data_type().clone(), true);
            all.push(Arc::new(field));
        }
        if let Some(name) = &spec.ordinality {
            all.push(Arc::new(Field::new(name, DataType::Int32, spec.join == UnnestJoin::Left)));
        }
        let output = Arc::new(Schema::new_with_metadata(all, input.metadata().clone()));
        Ok(Self { spec, output, flatten })
    }

    /// The columns of the output.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.output)
    }

    /// A row for every element of the rows of `delta`.
    pub fn unnest(&self, delta: &Delta) -> Result<Delta> {
        let column = delta.column(self.spec.column);
        let mut entries = entries(column, self.spec.collection)?;
        let counts = match self.spec.collection {
            Collection::Multiset => entries.columns.pop(),
            _ => None,
        };
        let counts = counts.map(|c| cast(&c, &DataType::Int64)).transpose()?;
        let mut rows: Vec<u32> = Vec::new();
        let mut picks: Vec<Option<u32>> = Vec::new();
        let mut numbers: Vec<Option<i32>> = Vec::new();
        for row in 0..delta.num_rows() {
            let start = rows.len();
            if column.is_valid(row) {
                for at in entries.offsets[row]..entries.offsets[row + 1] {
                    let times = counts.as_ref().map_or(1, |counts| {
                        let counts = counts.as_primitive::<Int64Type>();
                        if counts.is_valid(at) { counts.value(at).max(0) } else { 0 }
                    });
                    for _ in 0..times {
                        numbers.push(i32::try_from(rows.len() - start + 1).ok());
                        rows.push(row as u32);
                        picks.push(Some(at as u32));
                    }
                }
            }
            if rows.len() == start && self.spec.join == UnnestJoin::Left {
                rows.push(row as u32);
                picks.push(None);
                numbers.push(None);
            }
        }
        let picks = UInt32Array::from(picks);
        let mut more = Vec::new();
        for column in &entries.columns {
            let values = take(column, &picks, None)?;
            match (self.flatten, values.data_type()) {
                (true, DataType::Struct(_)) => more.extend(struct_columns(values.as_struct())?),
                _ => more.push(values),
            }
        }
        if self.spec.ordinality.is_some() {
            more.push(Arc::new(Int32Array::from(numbers)));
        }
        let expanded = delta.take(&UInt32Array::from(rows))?;
        Ok(expanded.with_batch(widen(&self.output, expanded.batch(), more)?))
    }
}

impl Operator for Unnest {
    fn step(&mut self, inputs: Vec<Deltas>, _: &mut StepContext<'_>) -> Result<Deltas> {
        inputs.iter().flatten().filter(|d| !d.is_empty()).map(|d| self.unnest(d)).collect()
    }

    fn checkpoint(&mut self, _: &mut StateWriter) -> Result<()> {
        Ok(())
    }

    fn restore(&mut self, _: &StateReader<'_>) -> Result<()> {
        Ok(())
    }
}

/// The columns of an entry of a collection of this type, or `None` where it is none.
fn entry_fields(data_type: &DataType, collection: Collection) -> Option<Vec<FieldRef>> {
    match (data_type, collection) {
        (
            DataType::List(element)
            | DataType::LargeList(element)
            | DataType::FixedSizeList(element, _),
            Collection::Array,
        ) => Some(vec![Arc::clone(element)]),
        (DataType::Map(entry, _), Collection::Map | Collection::Multiset) => {
            let DataType::Struct(fields) = entry.data_type() else { return None };
            let wanted = if collection == Collection::Map { 2 } else { 1 };
            Some(fields.iter().take(wanted).cloned().collect())
        }
        _ => None,
    }
}

fn entries(column: &ArrayRef, collection: Collection) -> Result<Entries> {
    let wrong = || EngineError::Internal(format!("{} is no {collection:?}", column.data_type()));
    Ok(match column.data_type() {
        DataType::List(_) => {
            let list = column.as_list::<i32>();
            let offsets = list.offsets().iter().map(|&o| o as usize).collect();
            Entries { offsets, columns: vec![Arc::clone(list.values())] }
        }
        DataType::LargeList(_) => {
            let list = column.as_list::<i64>();
            let offsets = list.offsets().iter().map(|&o| o as usize).collect();
            Entries { offsets, columns: vec![Arc::clone(list.values())] }
        }
        DataType::FixedSizeList(_, length) => {
            let list = column.as_fixed_size_list();
            let offsets = (0..=list.len()).map(|row| row * *length as usize).collect();
            Entries { offsets, columns: vec![Arc::clone(list.values())] }
        }
        DataType::Map(..) => {
            let map = column.as_map_opt().ok_or_else(wrong)?;
            let offsets = map.offsets().iter().map(|&o| o as usize).collect();
            Entries { offsets, columns: vec![Arc::clone(map.keys()), Arc::clone(map.values())] }
        }
        _ => return Err(wrong()),
    })
}

/// The fields of a struct as columns; where the struct is null, so are they.
fn struct_columns(values: &StructArray) -> Result<Vec<ArrayRef>> {
    let Some(nulls) = values.nulls().filter(|n| n.null_count() > 0) else {
        return Ok(values.columns().to_vec());
    };
    let numbers = (0..values.len() as u32).collect::<Vec<_>>();
    let rows = UInt32Array::new(numbers.into(), Some(nulls.clone()));
    values.columns().iter().map(|c| Ok(take(c, &rows, None)?)).collect()
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        Int64Array, Int64Builder, ListArray, MapBuilder, StringArray, StringBuilder,
    };
    use arrow::datatypes::Fields;
    use proptest::prelude::*;

    use super::*;
    use crate::operator::testing_rank::{Bag, Harness, add, batch_of, delta_of};

    fn spec(collection: Collection, join: UnnestJoin) -> UnnestSpec {
        UnnestSpec {
            column: 1,
            collection,
            join,
            names: vec!["element".into()],
            ordinality: Some("n".into()),
        }
    }

    type Lists = Vec<(Option<Vec<Option<i64>>>, i64)>;

    fn lists() -> impl Strategy<Value = Lists> {
        let list = prop::collection::vec(prop::option::of(0_i64..9), 0..4);
        prop::collection::vec((prop::option::of(list), prop::sample::select(vec![-1, 1, 2])), 0..20)
    }

    fn batch(lists: &Lists) -> Delta {
        let ids = Int64Array::from_iter_values(0..lists.len() as i64);
        let values = lists.iter().map(|l| l.0.clone());
        let column = ListArray::from_iter_primitive::<Int64Type, _, _>(values);
        let batch = batch_of(vec![("id", Arc::new(ids)), ("list", Arc::new(column))]);
        delta_of(batch, &lists.iter().map(|l| l.1).collect::<Vec<_>>())
    }

    proptest! {
        #[test]
        fn an_array_gives_a_row_for_each_element(lists in lists(), left in any::<bool>()) {
            let join = if left { UnnestJoin::Left } else { UnnestJoin::Cross };
            let delta = batch(&lists);
            let operator = Unnest::new(&delta.schema(), spec(Collection::Array, join)).unwrap();
            let mut harness = Harness::new(Box::new(operator));
            let half = lists.len() / 2;
            harness.step(vec![delta.slice(0, half)], i64::MIN);
            harness.step(vec![delta.slice(half, lists.len() - half)], i64::MIN);
            let mut expected = Bag::new();
            let null = |v: Option<i64>| v.map_or("null".to_string(), |v| v.to_string());
            for (id, (list, weight)) in lists.iter().enumerate() {
                let shown = list.as_ref().map_or("null".to_string(), |list| {
                    let values = list.iter().map(|v| v.map_or(String::new(), |v| v.to_string()));
                    format!("[{}]", values.collect::<Vec<_>>().join(", "))
                });
                let elements = list.clone().unwrap_or_default();
                for (at, element) in elements.iter().enumerate() {
                    let row = format!("{id}|{shown}|{}|{}", null(*element), at + 1);
                    add(&mut expected, row, *weight);
                }
                if left && elements.is_empty() {
                    add(&mut expected, format!("{id}|{shown}|null|null"), *weight);
                }
            }
            prop_assert_eq!(harness.sum, expected);
        }
    }

    fn map() -> Delta {
        let mut builder = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
        for (key, value) in [("a", 2), ("b", 1)] {
            builder.keys().append_value(key);
            builder.values().append_value(value);
        }
        builder.append(true).unwrap();
        builder.append(false).unwrap();
        let ids = Int64Array::from(vec![1, 2]);
        Delta::insert_only(batch_of(vec![
            ("id", Arc::new(ids)),
            ("map", Arc::new(builder.finish())),
        ]))
    }

    #[test]
    fn a_map_gives_keys_and_values_and_a_multiset_its_elements_as_often_as_they_count() {
        let delta = map();
        let texts = |output: &Delta| -> Vec<Option<String>> {
            let column = output.column(2).as_string::<i32>();
            column.iter().map(|v| v.map(String::from)).collect()
        };
        let cross = spec(Collection::Map, UnnestJoin::Cross);
        let output = Unnest::new(&delta.schema(), cross).unwrap().unnest(&delta).unwrap();
        assert_eq!(texts(&output), [Some("a".into()), Some("b".into())]);
        assert_eq!(output.column(3).as_primitive::<Int64Type>().values(), &[2, 1]);
        let left = spec(Collection::Multiset, UnnestJoin::Left);
        let output = Unnest::new(&delta.schema(), left).unwrap().unnest(&delta).unwrap();
        let two_a = [Some("a".into()), Some("a".into()), Some("b".into()), None];
        assert_eq!(texts(&output), two_a);
        assert_eq!(output.schema().fields().len(), 4);
    }

    #[test]
    fn the_fields_of_a_row_become_columns() {
        let names: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
        let sizes: ArrayRef = Arc::new(Int64Array::from(vec![7, 8]));
        let fields = Fields::from(vec![
            Field::new("name", DataType::Utf8, true),
            Field::new("size", DataType::Int64, true),
        ]);
        let nulls = Some(vec![true, false].into());
        let rows = StructArray::new(fields, vec![names, sizes], nulls);
        let item = Arc::new(Field::new("item", rows.data_type().clone(), true));
        let offsets = arrow::buffer::OffsetBuffer::new(vec![0, 2].into());
        let list = ListArray::new(item, offsets, Arc::new(rows), None);
        let ids = Int64Array::from(vec![1]);
        let delta =
            Delta::insert_only(batch_of(vec![("id", Arc::new(ids)), ("list", Arc::new(list))]));
        let cross = spec(Collection::Array, UnnestJoin::Cross);
        let output = Unnest::new(&delta.schema(), cross).unwrap().unnest(&delta).unwrap();
        let names: Vec<_> = output.schema().fields().iter().map(|f| f.name().clone()).collect();
        assert_eq!(names, ["id", "list", "element", "f1", "n"]);
        assert_eq!(
            output.column(3).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(),
            [Some(7), None]
        );
    }

    #[test]
    fn what_is_no_collection_is_refused() {
        let delta = batch(&vec![]);
        let wrong = UnnestSpec { column: 0, ..spec(Collection::Array, UnnestJoin::Cross) };
        let error = Unnest::new(&delta.schema(), wrong).unwrap_err().to_string();
        assert!(error.contains("UNNEST of a Int64"), "{error}");
    }
}
