// The rows of a table as one has found and sorted them.
//
// Nothing is made for a row that is not looked at: a view of ten thousand rows comes anew six times
// a second, and an object beside each of them would be most of the page's memory.
import { useMemo } from 'react';
import type { Row, Value } from '@/api/types';
import { clipped, text } from './format';

type ValueOf = (row: Row) => Value | undefined;

/** What is searched of a row, so much of each cell. */
const SEARCHED_MAX = 2000;
const searched = new WeakMap<Row, string>();

function textOf(row: Row, values: ValueOf[]): string {
  let all = searched.get(row);
  if (all === undefined) {
    const texts = values.map((value) => clipped(text(value(row)), SEARCHED_MAX));
    all = texts.join('\u0000').toLowerCase();
    searched.set(row, all);
  }
  return all;
}

const collator = new Intl.Collator(undefined, { numeric: true });
/** Numbers by size, texts as people sort them. */
function compare(left: Value, right: Value): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  if (typeof left === 'boolean' && typeof right === 'boolean') return Number(left) - Number(right);
  return collator.compare(clipped(text(left)), clipped(text(right)));
}

/** Rows by a value; equal ones as they came, empty ones last whichever way one sorts. */
export function sorted(rows: Row[], value: ValueOf, isDescending: boolean): Row[] {
  const [there, empty]: [[Row, Value][], Row[]] = [[], []];
  for (const row of rows) {
    const own = value(row) ?? null;
    if (own === null) empty.push(row);
    else there.push([row, own]);
  }
  const direction = isDescending ? -1 : 1;
  there.sort(([, left], [, right]) => direction * compare(left, right));
  return [...there.map(([row]) => row), ...empty];
}

interface Column {
  id: string;
  value: ValueOf;
}
/** The rows in which something is found, in the order of a column. */
export function useOrdered(
  rows: Row[],
  columns: Column[],
  sort: { id: string; isDescending: boolean } | null,
  search: string,
): Row[] {
  const found = useMemo(() => {
    const wanted = search.toLowerCase();
    if (wanted === '') return rows;
    const values = columns.map(({ value }) => value);
    return rows.filter((row) => textOf(row, values).includes(wanted));
  }, [rows, columns, search]);
  const by = sort && columns.find(({ id }) => id === sort.id);
  const isDescending = sort?.isDescending ?? false;
  return useMemo(
    () => (by ? sorted(found, by.value, isDescending) : found),
    [found, by, isDescending],
  );
}
