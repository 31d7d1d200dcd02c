// A source by form: the SQL that it becomes, the columns that are found, the rows that are bad.
import { expect, test } from 'vitest';
import {
  EMPTY,
  expressionOf,
  fieldOf,
  plain,
  sourceSql,
  type Draft,
} from '@/screens/sources/add/draft';
import { columnRows } from '@/screens/sources/add/columns';
import { codesOf, columnsSql, previewSql, unitOf } from '@/screens/sources/add/draft';
import { cells, columnsOf, fieldsOf, mappedOf } from '@/screens/sources/add/infer';

const till: Draft = {
  ...EMPTY,
  name: 'till',
  view: 'till_rows',
  options: { path: 'till.csv' },
  fields: [
    { ...fieldOf('Receipt No', 'STRING'), required: true },
    { ...fieldOf('sold', 'STRING'), as: 'event_time', pattern: 'dd/MM/yyyy HH:mm' },
    { ...fieldOf('kind', 'STRING'), codes: "S = sale, R = customer's return" },
    { ...fieldOf('cents', 'STRING'), as: 'price', into: 'DECIMAL(18, 4)', unit: '/ 100' },
    { ...fieldOf('clerk', 'STRING'), as: '' },
  ],
  time: 'sold',
};

test('a source is a table and a view that says what is what', () => {
  expect(sourceSql(till)).toBe(`CREATE TABLE \`till\` (
  \`Receipt No\` STRING,
  \`sold\` STRING,
  \`kind\` STRING,
  \`cents\` STRING,
  \`clerk\` STRING,
  \`row_time\` AS TRY_CAST(TO_TIMESTAMP(\`sold\`, 'dd/MM/yyyy HH:mm') AS TIMESTAMP_LTZ(3)),
  WATERMARK FOR \`row_time\` AS \`row_time\` - INTERVAL '10' SECOND
) WITH (
  'connector' = 'filesystem',
  'format' = 'csv',
  'path' = 'till.csv',
  'source.monitor-interval' = '5 s',
  'csv.header' = 'true',
  'csv.field-delimiter' = ','
);

CREATE MATERIALIZED VIEW \`till_rows\` AS
SELECT
  \`Receipt No\` AS \`receipt_no\`,
  \`row_time\` AS \`event_time\`,
  CASE \`kind\` WHEN 'S' THEN 'sale' WHEN 'R' THEN 'customer''s return' END AS \`kind\`,
  TRY_CAST(\`cents\` AS DECIMAL(18, 4)) / 100 AS \`price\`
FROM \`till\`
WHERE \`Receipt No\` IS NOT NULL
  AND (\`kind\` IS NULL OR \`kind\` = '' OR CASE \`kind\` WHEN 'S' THEN 'sale' WHEN 'R' THEN 'customer''s return' END IS NOT NULL)
  AND (\`cents\` IS NULL OR \`cents\` = '' OR TRY_CAST(\`cents\` AS DECIMAL(18, 4)) / 100 IS NOT NULL);`);
  expect(previewSql(till)).toContain('`kind` AS r2');
  expect(previewSql(till)).toContain('`row_time` AS m1');
  const kafka = sourceSql({ ...till, connector: 'kafka', view: '', options: { topic: 'a' } });
  expect(kafka).not.toContain('csv.header');
  expect(kafka).not.toContain('VIEW');
});

test('names, units and codes are read as they are written', () => {
  expect(plain('Order ID')).toBe('order_id');
  expect(plain('unitPrice')).toBe('unit_price');
  expect(plain('2nd')).toBe('_2nd');
  expect(unitOf('/100')).toEqual(['/', '100']);
  expect(unitOf('× 12')).toEqual(['*', '12']);
  for (const none of ['', '/ 0', 'a', '1; DROP TABLE x']) expect(unitOf(none)).toBeNull();
  const cents = { ...fieldOf('cents', 'BIGINT'), unit: '/ 100' };
  for (const into of ['', 'INT', 'BIGINT'])
    expect(expressionOf({ ...cents, into })).toBe('TRY_CAST(`cents` AS DECIMAL(18, 4)) / 100');
  expect(expressionOf({ ...cents, type: 'DOUBLE' })).toBe('`cents` / 100');
  expect(codesOf('S=sale, R = return,\n=x, y')).toEqual([
    ['S', 'sale'],
    ['R', 'return'],
  ]);
  expect(expressionOf({ ...fieldOf('a`b', 'INT'), codes: "1='; x" })).toBe(
    "CASE CAST(`a``b` AS STRING) WHEN '1' THEN '''; x' END",
  );
});

test('the columns of records are found, with what they look like', () => {
  expect(cells('1,"a, ""b""",', ',')).toEqual(['1', 'a, "b"', '']);
  const csv = ['no,Sold at,sku,price', '1,2026-03-02 10:15,007,4.50', '2,2026-03-02 10:16,008,5'];
  const found = fieldsOf(csv, { ...EMPTY, options: {} });
  expect(found.map(({ name, as, type, into }) => [name, as, type, into])).toEqual([
    ['no', 'no', 'STRING', 'INT'],
    ['Sold at', 'sold_at', 'STRING', 'TIMESTAMP(3)'],
    ['sku', 'sku', 'STRING', ''],
    ['price', 'price', 'STRING', 'DECIMAL(18, 4)'],
  ]);
  const json = ['{"id": 1, "ok": true, "more": {"a": 1}}', 'no json', '{"id": 2.5, "new": "x"}'];
  const of = fieldsOf(json, { ...EMPTY, format: 'json', fields: [fieldOf('ok', 'STRING')] });
  expect(of.map(({ name, type }) => [name, type])).toEqual([
    ['id', 'DOUBLE'],
    ['ok', 'STRING'],
    ['more', 'STRING'],
    ['new', 'STRING'],
  ]);
});

test('a row is bad where a value is lost on the way, or one that is needed is not there', () => {
  const good = {
    r0: '1',
    r1: 't',
    r2: 'S',
    r3: '995',
    r4: 'x',
    m0: '1',
    m1: 't',
    m2: 'sale',
    m3: 9,
  };
  const bad = { ...good, r0: null, m0: null, r2: 'X', m2: null, r3: 'six', m3: null };
  const [first, second] = mappedOf([good, bad], till);
  expect(first?.bad).toEqual([]);
  expect(first?.row).toEqual({ receipt_no: '1', event_time: 't', kind: 'sale', price: 9 });
  expect(first?.raw.clerk).toBe('x');
  expect(second?.bad.map(({ field, why, value }) => [field, why, value])).toEqual([
    ['Receipt No', 'empty', null],
    ['kind', 'code', 'X'],
    ['cents', 'cast', 'six'],
  ]);
});

test('a table of a database is read by its own columns, its password by its variable', () => {
  const stock: Draft = {
    ...EMPTY,
    name: 'stock',
    connector: 'postgres',
    options: { url: 'postgresql://db/shop', 'table-name': 'Shop."My Stock"', password: 'pg' },
  };
  const { table, query } = columnsSql(stock, 0, 1600);
  expect(table).toContain("'table-name' = 'information_schema.columns'");
  expect(table).toContain("'password' = '${pg}'");
  expect(query).toContain("`table_name` = 'My Stock' AND `table_schema` = 'shop'");
  const column = (at: number, name: string, type: string, more: object = {}) => ({
    column_name: name,
    ordinal_position: at,
    udt_name: type,
    ...more,
  });
  const fields = columnsOf([
    column(2, 'price', 'numeric', { numeric_precision: 10, numeric_scale: 2 }),
    column(1, 'Sku', 'text'),
    column(3, 'tags', '_int4'),
    column(4, 'place', 'point'),
    column(5, 'any', 'numeric', { numeric_precision: null, numeric_scale: null }),
  ]);
  expect(fields.map(({ name, type, as }) => `${name} ${type} ${as}`)).toEqual([
    'Sku STRING sku',
    'price DECIMAL(10, 2) price',
    'tags ARRAY<INT> tags',
    'place STRING place',
    'any DECIMAL(38, 10) any',
  ]);
  const sql = sourceSql({ ...stock, fields });
  expect(sql).toContain("'connector' = 'postgres',\n  'url' = 'postgresql://db/shop'");
  expect(sql).not.toContain('format');
});

test('a table of a database may have more columns than a preview has rows', async () => {
  const stock: Draft = { ...EMPTY, connector: 'postgres', options: { 'table-name': 'wide' } };
  const row = (schema: string, at: number) => ({
    table_schema: schema,
    column_name: `${schema}_${at}`,
    ordinal_position: at,
    udt_name: 'text',
  });
  const count = (schema: string, columns: number) =>
    Array.from({ length: columns }, (_, at) => row(schema, at + 1));
  // A database in whose catalogue the rows lie in no order; at most fifty are shown.
  const answers = (all: ReturnType<typeof row>[]) => {
    const queries: string[] = [];
    const ask = ({ query }: { query: string }) => {
      queries.push(query);
      const after = Number(/> (\d+)/.exec(query)?.[1]);
      const upTo = Number(/<= (\d+)/.exec(query)?.[1]);
      const such = all.filter(
        (one) => one.ordinal_position > after && one.ordinal_position <= upTo,
      );
      const rows = such.reverse().slice(0, 50);
      return Promise.resolve({ columns: [], rows, refused: [], ended: true });
    };
    return { queries, ask };
  };
  const few = answers(count('public', 49));
  expect(await columnRows(stock, few.ask)).toHaveLength(49);
  expect(few.queries).toHaveLength(1);
  const many = answers(count('public', 120));
  const fields = columnsOf(await columnRows(stock, many.ask));
  expect(fields.map(({ name }) => name)).toEqual(
    Array.from({ length: 120 }, (_, at) => `public_${at + 1}`),
  );
  expect(many.queries).toHaveLength(5);
  // Another schema has a table of that name: its columns are not among them.
  const two = answers([...count('archive', 60), ...count('public', 60), ...count('test', 60)]);
  const ours = columnsOf(await columnRows(stock, two.ask));
  expect(ours).toHaveLength(60);
  expect(ours.every(({ name }) => name.startsWith('public_'))).toBe(true);
});
