// Which columns some records have, and which of their rows cannot be used as they are mapped.
import type { Row, Value } from '@/api/types';
import { connectorOf } from './connectors';
import { fieldOf, taken, type Draft, type Field } from './draft';

const COLUMNS_MAX = 200;

/** The fields of a line of CSV. */
export function cells(line: string, delimiter: string): string[] {
  const found: string[] = [];
  let [cell, isQuoted] = ['', false];
  for (let at = 0; at < line.length; at += 1) {
    const sign = line[at] ?? '';
    if (isQuoted) {
      if (sign !== '"') cell += sign;
      else if (line[at + 1] === '"') [cell, at] = [`${cell}"`, at + 1];
      else isQuoted = false;
    } else if (sign === '"' && cell === '') isQuoted = true;
    else if (sign === delimiter) {
      found.push(cell);
      cell = '';
    } else cell += sign;
  }
  return [...found, cell];
}

function typeOf(values: unknown[]): string {
  const there = values.filter((value) => value !== null && value !== undefined);
  if (there.length === 0) return 'STRING';
  if (there.every((value) => typeof value === 'boolean')) return 'BOOLEAN';
  if (there.every((value) => typeof value === 'number'))
    return there.every((value) => Number.isInteger(value)) ? 'BIGINT' : 'DOUBLE';
  return 'STRING';
}

/** What a text that comes in looks like it should be; empty: a text. */
function castOf(texts: string[]): string {
  const there = texts.filter((text) => text.trim() !== '');
  const all = (pattern: RegExp) => there.length > 0 && there.every((text) => pattern.test(text));
  // What begins with a zero is a number of something, as an article's, and no quantity.
  if (there.some((text) => /^0\d/.test(text))) return '';
  if (all(/^-?\d{1,9}$/)) return 'INT';
  if (all(/^-?\d{1,18}$/)) return 'BIGINT';
  if (all(/^-?\d+\.\d+$|^-?\d+$/)) return 'DECIMAL(18, 4)';
  if (all(/^\d{4}-\d\d-\d\d$/)) return 'DATE';
  if (all(/^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?Z$/)) return 'TIMESTAMP_LTZ(3)';
  if (all(/^\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d(\.\d+)?)?$/)) return 'TIMESTAMP(3)';
  return '';
}

/** The types of a database, by their names in its catalogue. All else can be read as its text. */
const TYPE_OF: Record<string, string> = {
  bool: 'BOOLEAN',
  int2: 'SMALLINT',
  int4: 'INT',
  int8: 'BIGINT',
  float4: 'FLOAT',
  float8: 'DOUBLE',
  date: 'DATE',
  time: 'TIME',
  timestamp: 'TIMESTAMP(3)',
  timestamptz: 'TIMESTAMP_LTZ(3)',
};

/** The columns of a database's table, as its catalogue has them. */
export function columnsOf(rows: Row[]): Field[] {
  const place = (row: Row) => Number(row.ordinal_position);
  const typeIn = ({ udt_name, numeric_precision, numeric_scale }: Row): string => {
    const name = String(udt_name);
    const element = name.startsWith('_') ? (TYPE_OF[name.slice(1)] ?? 'STRING') : null;
    if (element !== null) return `ARRAY<${element}>`;
    if (name !== 'numeric') return TYPE_OF[name] ?? 'STRING';
    return `DECIMAL(${numeric_precision ?? 38}, ${numeric_scale ?? 10})`;
  };
  const sorted = [...rows].sort((a, b) => place(a) - place(b));
  return sorted.map((row) => fieldOf(String(row.column_name), typeIn(row)));
}

/** The columns of some lines; what was said of one before stays said. */
export function fieldsOf(lines: string[], draft: Draft): Field[] {
  const before = new Map(draft.fields.map((field) => [field.name, field]));
  const known = (name: string, type: string, into = '') =>
    before.get(name) ?? { ...fieldOf(name, type), into };
  const some = lines.filter((line) => line.trim() !== '');
  if (connectorOf(draft.connector).formats.length > 0 && draft.format === 'csv') {
    const delimiter = draft.options['csv.field-delimiter'] || ',';
    const rows = some.map((line) => cells(line, delimiter === '\\t' ? '\t' : delimiter));
    const hasHeader =
      draft.connector === 'filesystem' && (draft.options['csv.header'] ?? 'true') === 'true';
    const names = hasHeader ? rows[0] : rows[0]?.map((_, at) => `column_${at + 1}`);
    const body = hasHeader ? rows.slice(1) : rows;
    return (names ?? [])
      .slice(0, COLUMNS_MAX)
      .map((name, at) => known(name.trim(), 'STRING', castOf(body.map((row) => row[at] ?? ''))));
  }
  const values = new Map<string, unknown[]>();
  for (const line of some) {
    const row = objectOf(line, draft.format);
    for (const [name, value] of Object.entries(row ?? {}))
      values.set(name, [...(values.get(name) ?? []), value]);
  }
  return [...values].slice(0, COLUMNS_MAX).map(([name, all]) => {
    const type = typeOf(all);
    const texts = all.filter((value): value is string => typeof value === 'string');
    return known(name, type, type === 'STRING' && texts.length > 0 ? castOf(texts) : '');
  });
}

function objectOf(line: string, format: string): Record<string, unknown> | null {
  try {
    const read = JSON.parse(line) as Record<string, unknown>;
    const row = format === 'debezium-json' ? (read.after ?? read.before) : read;
    return typeof row === 'object' ? (row as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}

export interface Bad {
  field: string;
  value: Value;
  why: 'cast' | 'code' | 'empty';
  into: string;
}
export interface Mapped {
  raw: Row;
  row: Row;
  bad: Bad[];
}

/** A row of the preview as it came in, as it is mapped, and what of it was lost on the way. */
export function mappedOf(rows: Row[], draft: Draft): Mapped[] {
  const fields = taken(draft);
  const places = new Map(draft.fields.map((field, at) => [field.name, `r${at}`]));
  return rows.map((both) => {
    const raw = Object.fromEntries(
      draft.fields.map(({ name }, at): [string, Value] => [name, both[`r${at}`] ?? null]),
    );
    const bad: Bad[] = [];
    const row = Object.fromEntries(
      fields.map((field, at): [string, Value] => {
        const [value, was] = [both[`m${at}`] ?? null, both[places.get(field.name) ?? ''] ?? null];
        const isLost = value === null && was !== null && was !== '';
        if (isLost) {
          const why = field.codes.trim() === '' ? 'cast' : 'code';
          bad.push({ field: field.name, value: was, why, into: field.into });
        } else if (field.required && (value === null || value === ''))
          bad.push({ field: field.name, value: null, why: 'empty', into: field.into });
        return [field.as, value];
      }),
    );
    return { raw, row, bad };
  });
}
