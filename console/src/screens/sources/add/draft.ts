// A source as it is drafted, and the SQL that it becomes: a table as rows come in, and a view that
// says what is what (rename, cast, unit, code list), as `rialto init --map` drafts one.
import { connectorOf, optionsOf } from './connectors';

export interface Field {
  /** As it comes in. */
  name: string;
  type: string;
  /** What it is called from then on; empty: it is left out. */
  as: string;
  /** The type that it is cast to; empty: it stays as it is. */
  into: string;
  /** How a time is written: `dd/MM/yyyy HH:mm`. */
  pattern: string;
  /** `* 12` or `/ 100`. */
  unit: string;
  /** `S = sale, R = return`. */
  codes: string;
  required: boolean;
}
export interface Draft {
  name: string;
  connector: string;
  format: string;
  options: Record<string, string>;
  fields: Field[];
  /** The field that is the time of its events; empty: there is none. */
  time: string;
  /** Seconds that rows may be late. */
  late: number;
  view: string;
  isKept: boolean;
  withoutBad: boolean;
  comment: string;
}

export const EMPTY: Draft = {
  name: '',
  connector: 'filesystem',
  format: 'csv',
  options: {},
  fields: [],
  time: '',
  late: 10,
  view: '',
  isKept: true,
  withoutBad: true,
  comment: '',
};
export const fieldOf = (name: string, type: string): Field => ({
  name,
  type,
  as: plain(name),
  into: '',
  pattern: '',
  unit: '',
  codes: '',
  required: false,
});

/** `Order ID` as a name of SQL: `order_id`. */
export const plain = (name: string): string =>
  name
    .normalize('NFKD')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .replace(/^(\d)/, '_$1');

const id = (name: string) => `\`${name.replaceAll('`', '``')}\``;
const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
const isTime = (type: string) => /^(TIMESTAMP|DATE)/.test(type);

/** `S = sale, R = return` as pairs. */
export function codesOf(text: string): [string, string][] {
  return text
    .split(/[,\n]/)
    .map((pair) => pair.split('=').map((side) => side.trim()))
    .filter((pair) => pair.length === 2 && pair[0] !== '')
    .map(([from, to]) => [from ?? '', to ?? '']);
}
/** `/ 100` as an operator and a number; none: it says nothing of the kind. */
export function unitOf(text: string): [string, string] | null {
  const found = /^\s*([*/×÷])?\s*(\d+(?:\.\d+)?)\s*$/.exec(text);
  if (!found?.[2] || Number(found[2]) === 0) return null;
  return [found[1] === '/' || found[1] === '÷' ? '/' : '*', found[2]];
}

/** What a field becomes. */
export function expressionOf(field: Field): string {
  const own = id(field.name);
  const codes = codesOf(field.codes);
  let value = own;
  if (codes.length > 0) {
    const text = field.type === 'STRING' ? own : `CAST(${own} AS STRING)`;
    const cases = codes.map(([from, to]) => `WHEN ${literal(from)} THEN ${literal(to)}`);
    value = `CASE ${text} ${cases.join(' ')} END`;
  } else if (field.pattern.trim() !== '' && isTime(field.into)) {
    value = `TO_TIMESTAMP(${own}, ${literal(field.pattern.trim())})`;
  }
  if (field.into !== '' && field.into !== (codes.length > 0 ? 'STRING' : field.type)) {
    value = `TRY_CAST(${value} AS ${field.into})`;
  }
  const unit = unitOf(field.unit);
  // Whole numbers are divided into whole numbers, and a text by nothing: 995 cents are 9.95.
  const type = field.into || (codes.length > 0 ? 'STRING' : field.type);
  if (unit && /^(STRING|INT|BIGINT)$/.test(type)) value = `TRY_CAST(${own} AS DECIMAL(18, 4))`;
  return unit ? `${value} ${unit[0]} ${unit[1]}` : value;
}
/** A field whose value may be lost on the way. */
export const canFail = (field: Field): boolean => expressionOf(field) !== id(field.name);

export const taken = (draft: Draft): Field[] => draft.fields.filter((field) => field.as !== '');

function withOptions(draft: Draft, format: string): string {
  const connector = connectorOf(draft.connector);
  const pairs: [string, string][] = [['connector', draft.connector]];
  if (connector.formats.length > 0) pairs.push(['format', format]);
  for (const { key, otherwise, isVariable } of optionsOf(draft.connector, format)) {
    // A header is a matter of files: of a record of a topic there is none.
    if (key === 'csv.header' && draft.connector !== 'filesystem') continue;
    const value = draft.options[key] ?? otherwise ?? '';
    if (value !== '') pairs.push([key, isVariable ? `\${${value}}` : value]);
  }
  return pairs.map(([key, value]) => `  ${literal(key)} = ${literal(value)}`).join(',\n');
}

const table = (name: string, lines: string[], options: string) =>
  `CREATE TABLE ${id(name)} (\n  ${lines.join(',\n  ')}\n) WITH (\n${options}\n)`;

/** The table as its rows come in. */
export function tableSql(draft: Draft): string {
  const lines = draft.fields.map(({ name, type }) => `${id(name)} ${type}`);
  const time = draft.fields.find((field) => field.name === draft.time);
  if (time) {
    const cast = expressionOf({ ...time, into: 'TIMESTAMP_LTZ(3)', unit: '', codes: '' });
    lines.push(`\`row_time\` AS ${cast}`);
    lines.push(`WATERMARK FOR \`row_time\` AS \`row_time\` - INTERVAL '${draft.late}' SECOND`);
  }
  return table(draft.name || 'source', lines, withOptions(draft, draft.format));
}

/** What is the time of the events is that column, and not another reading of it. */
const valueOf = (draft: Draft, field: Field) =>
  field.name === draft.time ? '`row_time`' : expressionOf(field);

/** The view over it. */
export function viewSql(draft: Draft): string {
  const fields = taken(draft);
  const columns = fields.map((field) => `  ${valueOf(draft, field)} AS ${id(field.as)}`);
  const kind = draft.isKept ? 'MATERIALIZED VIEW' : 'VIEW';
  const sound = fields.flatMap((field) => {
    const value = valueOf(draft, field);
    if (field.required) return [`${value} IS NOT NULL`];
    if (!canFail(field)) return [];
    // An empty field of a file is no bad value: there is none.
    const none = field.type === 'STRING' ? ` OR ${id(field.name)} = ''` : '';
    return [`(${id(field.name)} IS NULL${none} OR ${value} IS NOT NULL)`];
  });
  const where = draft.withoutBad && sound.length > 0 ? `\nWHERE ${sound.join('\n  AND ')}` : '';
  const from = id(draft.name || 'source');
  return `CREATE ${kind} ${id(draft.view)} AS\nSELECT\n${columns.join(',\n')}\nFROM ${from}${where}`;
}

/** All that is saved. */
export const sourceSql = (draft: Draft): string =>
  [tableSql(draft), ...(draft.view === '' ? [] : [viewSql(draft)])]
    .map((one) => `${one};`)
    .join('\n\n');

/** Each row as it comes in (`r0`, …) and what becomes of it (`m0`, …), side by side. */
export function previewSql(draft: Draft): string {
  const raw = draft.fields.map(({ name }, at) => `${id(name)} AS r${at}`);
  const mapped = taken(draft).map((field, at) => `${valueOf(draft, field)} AS m${at}`);
  return `SELECT ${[...raw, ...mapped].join(', ')} FROM ${id(draft.name || 'source')}`;
}

/** The columns of a database's table, which the database itself has as a table: those behind a
 * place, up to another one. */
export function columnsSql(
  draft: Draft,
  after: number,
  upTo: number,
): { table: string; query: string } {
  const options = { ...draft.options, 'table-name': 'information_schema.columns' };
  const named = (draft.options['table-name'] ?? '').split('.').map((part) => part.trim());
  // As it is written between quotes; else in small letters, as SQL reads names.
  const plainOf = (part: string) =>
    /^".*"$/.test(part) ? part.slice(1, -1).replaceAll('""', '"') : part.toLowerCase();
  const [name = '', schema] = named.map(plainOf).reverse();
  const lines = Object.entries(CATALOGUE).map(([column, type]) => `${id(column)} ${type}`);
  const own = schema
    ? `\`table_schema\` = ${literal(schema)}`
    : "`table_schema` NOT IN ('information_schema', 'pg_catalog')";
  const places = `\`ordinal_position\` > ${after} AND \`ordinal_position\` <= ${upTo}`;
  const where = [`\`table_name\` = ${literal(name)}`, own, places].join(' AND ');
  return {
    table: table('columns', lines, withOptions({ ...draft, options }, draft.format)),
    query: `SELECT * FROM \`columns\` WHERE ${where}`,
  };
}
const CATALOGUE = {
  table_schema: 'STRING',
  table_name: 'STRING',
  column_name: 'STRING',
  ordinal_position: 'INT',
  data_type: 'STRING',
  udt_name: 'STRING',
  numeric_precision: 'INT',
  numeric_scale: 'INT',
};

/** The same place, read line by line, to see what it is made of. */
export const linesSql = (draft: Draft): string =>
  table('lines', ['`line` STRING'], withOptions({ ...draft, format: 'raw' }, 'raw'));
