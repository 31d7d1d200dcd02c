//! Filters, orders and pages over a view of a snapshot.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, BooleanArray, Datum, RecordBatch, Scalar, UInt32Array};
use arrow::compute::kernels::cmp;
use arrow::compute::{
    SortColumn as ArrowSort, SortOptions, and, concat_batches, filter_record_batch, is_not_null,
    is_null, lexsort_to_indices, or, take_record_batch,
};
use rialto_engine::EngineError;

use super::shape::Rows;
use super::{ReadError, Reading, Serving, Shape, Snapshot};

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 4096;

/// How a column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// Equal to the value.
    Eq,
    /// Not equal to it.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Equal to one of several values.
    In,
    /// NULL.
    IsNull,
    /// Not NULL.
    IsNotNull,
}

/// A condition on a column.
#[derive(Debug, Clone)]
pub struct Filter {
    /// The column, by number.
    pub column: usize,
    /// How it is compared.
    pub compare: Compare,
    /// With what, as text.
    pub values: Vec<String>,
}

/// A column to order by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortBy {
    /// The column, by number.
    pub column: usize,
    /// Highest first.
    pub descending: bool,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// At the first row.
    First,
    /// Behind the row with this encoding, of which so many were shown.
    Behind(Vec<u8>, usize),
    /// Behind so many rows.
    At(usize),
}

/// Which rows are wanted.
#[derive(Debug, Clone)]
pub struct PageRequest {
    /// All of these must hold.
    pub filters: Vec<Filter>,
    /// The order; empty: that of the key.
    pub order: Vec<SortBy>,
    /// So many rows at most.
    pub limit: usize,
    /// Where to begin.
    pub page: Page,
    /// When to give up.
    pub deadline: Instant,
}

/// A filter whose values have the type of its column.
struct Bound {
    column: usize,
    compare: Compare,
    values: Vec<ArrayRef>,
}

impl Bound {
    fn new(shape: &Shape, filter: &Filter) -> Reading<Self> {
        let values = filter.values.iter().map(|text| shape.value(filter.column, text));
        let values = values.collect::<Reading<_>>()?;
        Ok(Self { column: filter.column, compare: filter.compare, values })
    }

    fn mask(&self, rows: &RecordBatch) -> Result<BooleanArray, arrow::error::ArrowError> {
        let column = rows.column(self.column);
        let with = |op: fn(&dyn Datum, &dyn Datum) -> _| match self.values.first() {
            Some(value) => op(column, &Scalar::new(Arc::clone(value))),
            None => Ok(BooleanArray::from(vec![false; rows.num_rows()])),
        };
        match self.compare {
            Compare::Eq => with(cmp::eq),
            Compare::Ne => with(cmp::neq),
            Compare::Lt => with(cmp::lt),
            Compare::Lte => with(cmp::lt_eq),
            Compare::Gt => with(cmp::gt),
            Compare::Gte => with(cmp::gt_eq),
            Compare::IsNull => is_null(column),
            Compare::IsNotNull => is_not_null(column),
            Compare::In => {
                let mut any = BooleanArray::from(vec![false; rows.num_rows()]);
                for value in &self.values {
                    any = or(&any, &cmp::eq(column, &Scalar::new(Arc::clone(value)))?)?;
                }
                Ok(any)
            }
        }
    }
}

fn mask_of(bound: &[Bound], rows: &RecordBatch) -> Reading<Option<BooleanArray>> {
    let mut mask: Option<BooleanArray> = None;
    for filter in bound {
        let one = filter.mask(rows).map_err(EngineError::from)?;
        mask = Some(match mask {
            Some(mask) => and(&mask, &one).map_err(EngineError::from)?,
            None => one,
        });
    }
    Ok(mask)
}

impl Shape {
    /// Which rows of a batch of the view's columns pass the filters; `None`: all.
    ///
    /// # Errors
    /// Where a value is none of its column's type.
    pub fn passes(&self, filters: &[Filter], rows: &RecordBatch) -> Reading<Option<BooleanArray>> {
        let bound = filters.iter().map(|filter| Bound::new(self, filter));
        mask_of(&bound.collect::<Reading<Vec<_>>>()?, rows)
    }
}

impl Serving {
    /// All rows of a view, some at a time.
    pub fn scan(&self, snapshot: &Snapshot, view: usize) -> Rows {
        Rows::new(&self.shapes[view], &snapshot.trees[view], Vec::new(), &[])
    }

    /// The row of a key, whose values are given as text; none where there is none.
    ///
    /// # Errors
    /// Where the view has no key, or another one.
    pub fn row(
        &self,
        snapshot: &Snapshot,
        view: usize,
        key: &[&str],
    ) -> Reading<Option<RecordBatch>> {
        let shape = &self.shapes[view];
        let columns = || {
            let names = shape.key().iter().map(|&c| shape.schema().field(c).name().as_str());
            names.collect::<Vec<_>>().join(",")
        };
        if shape.key().is_empty() {
            return Err(ReadError::Wrong {
                what: format!("'{}' has no key by which a row could be read", shape.name()),
                hint: format!("filter it: /v1/views/{}?COLUMN=VALUE", shape.name()),
            });
        }
        if key.len() != shape.key().len() {
            return Err(ReadError::Wrong {
                what: format!(
                    "the key of '{}' has {} values, here are {}",
                    shape.name(),
                    shape.key().len(),
                    key.len()
                ),
                hint: format!("give the values of {}, separated by commas", columns()),
            });
        }
        let prefix = shape.prefix(key)?;
        Ok(Rows::new(shape, &snapshot.trees[view], prefix, &[]).next(1)?)
    }

    /// A page of a view, and where the next one begins, if there is one.
    ///
    /// # Errors
    /// Where a filter cannot be meant, or the deadline has passed.
    pub fn page(
        &self,
        snapshot: &Snapshot,
        view: usize,
        request: &PageRequest,
    ) -> Reading<(RecordBatch, Option<Page>)> {
        let shape = &self.shapes[view];
        let bound = request.filters.iter().map(|filter| Bound::new(shape, filter));
        let bound = bound.collect::<Reading<Vec<_>>>()?;
        let equal = |column: &usize| {
            let mut all = request.filters.iter();
            let filter = all.find(|f| f.column == *column && f.compare == Compare::Eq)?;
            Some(filter.values.first()?.as_str())
        };
        let leading: Vec<&str> = shape.key().iter().map_while(equal).collect();
        let prefix = if leading.is_empty() { Vec::new() } else { shape.prefix(&leading)? };
        let tree = &snapshot.trees[view];
        if request.order.is_empty() {
            let (from, skip): (&[u8], _) = match &request.page {
                Page::Behind(row, shown) => (row, *shown),
                _ => (&[], 0),
            };
            let rows = Rows::new(shape, tree, prefix, from);
            return in_key_order(shape, rows, &bound, request, (from, skip));
        }
        let rows = Rows::new(shape, tree, prefix, &[]);
        in_order(shape, rows, &bound, request)
    }
}

fn in_time(request: &PageRequest) -> Reading<()> {
    if Instant::now() < request.deadline {
        return Ok(());
    }
    let what = "reading the view took too long: filter by the first columns of its key";
    Err(ReadError::TooMuch(what.into()))
}

fn in_key_order(
    shape: &Shape,
    mut rows: Rows,
    bound: &[Bound],
    request: &PageRequest,
    (from, mut skip): (&[u8], usize),
) -> Reading<(RecordBatch, Option<Page>)> {
    let mut parts = Vec::new();
    let mut left = request.limit;
    // The last row that is shown, and how many like it were.
    let mut last: (Vec<u8>, usize) = (from.to_vec(), skip);
    let size = if bound.is_empty() { request.limit.clamp(1, BATCH_ROWS) } else { BATCH_ROWS };
    while let Some(batch) = rows.next(size)? {
        in_time(request)?;
        let mask = mask_of(bound, &batch)?;
        let mut taken = Vec::new();
        for row in 0..batch.num_rows() {
            if mask.as_ref().is_some_and(|m| m.is_null(row) || !m.value(row)) {
                continue;
            }
            let encoded = rows.encoded(row);
            if skip > 0 && encoded == from {
                skip -= 1;
                continue;
            }
            if left == 0 {
                let (row, shown) = last;
                parts.push(take(&batch, taken)?);
                return Ok((whole(shape, &parts)?, Some(Page::Behind(row, shown))));
            }
            left -= 1;
            if last.0 == encoded {
                last.1 += 1;
            } else {
                last = (encoded.to_vec(), 1);
            }
            taken.push(row as u32);
        }
        parts.push(take(&batch, taken)?);
    }
    Ok((whole(shape, &parts)?, None))
}

fn in_order(
    shape: &Shape,
    mut rows: Rows,
    bound: &[Bound],
    request: &PageRequest,
) -> Reading<(RecordBatch, Option<Page>)> {
    let mut parts = Vec::new();
    while let Some(batch) = rows.next(BATCH_ROWS)? {
        in_time(request)?;
        parts.push(match mask_of(bound, &batch)? {
            Some(mask) => filter_record_batch(&batch, &mask).map_err(EngineError::from)?,
            None => batch,
        });
    }
    let all = whole(shape, &parts)?;
    let start = match request.page {
        Page::At(start) => start.min(all.num_rows()),
        _ => 0,
    };
    let end = start.saturating_add(request.limit).min(all.num_rows());
    let next = (end < all.num_rows()).then_some(Page::At(end));
    let mut columns: Vec<ArrowSort> = request
        .order
        .iter()
        .map(|by| ArrowSort {
            values: Arc::clone(all.column(by.column)),
            options: Some(SortOptions { descending: by.descending, nulls_first: !by.descending }),
        })
        .collect();
    // Rows that compare equal keep the order of the key, so that pages fit together.
    let position = UInt32Array::from_iter_values(0..all.num_rows() as u32);
    columns.push(ArrowSort { values: Arc::new(position), options: None });
    let indices = lexsort_to_indices(&columns, Some(end)).map_err(EngineError::from)?;
    let wanted = indices.slice(start, end - start);
    Ok((take_record_batch(&all, &wanted).map_err(EngineError::from)?, next))
}

fn take(batch: &RecordBatch, rows: Vec<u32>) -> Reading<RecordBatch> {
    if rows.len() == batch.num_rows() {
        return Ok(batch.clone());
    }
    Ok(take_record_batch(batch, &UInt32Array::from(rows)).map_err(EngineError::from)?)
}

fn whole(shape: &Shape, parts: &[RecordBatch]) -> Reading<RecordBatch> {
    if let [one] = parts {
        return Ok(one.clone());
    }
    Ok(concat_batches(shape.schema(), parts).map_err(EngineError::from)?)
}
