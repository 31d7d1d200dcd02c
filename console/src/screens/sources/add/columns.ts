// The columns of a database's table, asked of the database itself.
import { tryRows, type Preview } from '@/api/sources';
import type { Row } from '@/api/types';
import { columnsSql, type Draft } from './draft';

/** So many rows a preview has at most, in no order. */
const PREVIEW_ROWS_MAX = 50;
/** A table of PostgreSQL has no more columns than this. */
const COLUMNS_MAX = 1600;

type Ask = (asked: { table: string; query: string }) => Promise<Preview>;
const asked: Ask = (sql) => tryRows({ ...sql, sample: null });

/** Where several schemas have a table of that name: the one that PostgreSQL takes, as a rule. */
function ofOneSchema(rows: Row[]): Row[] {
  const schemas = [...new Set(rows.map((row) => String(row.table_schema)))].sort();
  const chosen = schemas.includes('public') ? 'public' : schemas[0];
  return rows.filter((row) => String(row.table_schema) === chosen);
}

/** All columns, however many: what does not fit into a preview is asked for in two parts. */
export async function columnRows(draft: Draft, ask: Ask = asked): Promise<Row[]> {
  async function between(after: number, upTo: number): Promise<Row[]> {
    const { rows } = await ask(columnsSql(draft, after, upTo));
    if (rows.length < PREVIEW_ROWS_MAX || upTo - after === 1) return rows;
    // As many places as fit if one schema has such a table; fewer and fewer if many have.
    const middle = Math.min(after + PREVIEW_ROWS_MAX - 1, Math.floor((after + upTo) / 2));
    return [...(await between(after, middle)), ...(await between(middle, upTo))];
  }
  return ofOneSchema(await between(0, COLUMNS_MAX));
}
