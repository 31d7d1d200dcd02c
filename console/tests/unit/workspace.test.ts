// The SQL workspace: what changes in an answer, and what becomes of a question.
import { expect, test } from 'vitest';
import { curlOf, rowsPath } from '@/components/ApiLines';
import { alertOf } from '@/screens/sql/alertOf';
import { difference, opsOf, wholeView } from '@/screens/sql/changelog';
import { bodyOf } from '@/screens/sql/Plan';

const row = (sku: string, n: number) => ({ sku, n });

test('two answers differ by rows, however often a row is there', () => {
  const before = [row('a', 1), row('a', 1), row('b', 2)];
  const after = [row('b', 2), row('a', 1), row('c', 3)];
  expect(difference(before, after)).toEqual({ remove: [row('a', 1)], add: [row('c', 3)] });
  expect(difference(after, after)).toEqual({ remove: [], add: [] });
});

test('a row that comes back with its key is an update, any other goes or comes', () => {
  const [remove, add] = [
    [row('a', 1), row('b', 2)],
    [row('c', 3), row('a', 5)],
  ];
  expect(opsOf(remove, add, ['sku'])).toEqual([
    { op: '-U', row: row('a', 1) },
    { op: '+U', row: row('a', 5) },
    { op: '-D', row: row('b', 2) },
    { op: '+I', row: row('c', 3) },
  ]);
  const ops = opsOf(remove, add, []).map(({ op }) => op);
  expect(ops).toEqual(['-D', '-D', '+I', '+I']);
});

test('a question for a whole view is followed by the stream of the view', () => {
  expect(wholeView('SELECT * FROM by_sku ;')).toBe('by_sku');
  expect(wholeView('select *\nfrom `by_sku`')).toBe('by_sku');
  expect(wholeView('SELECT sku FROM by_sku')).toBeNull();
  expect(wholeView('SELECT * FROM by_sku WHERE n > 1')).toBeNull();
});

test('rows of one view that fulfil a condition are an alert, a count is none', () => {
  const alert = { view: 'by_sku', condition: "n > 3 AND sku <> 'a'" };
  expect(alertOf("SELECT sku, n FROM by_sku WHERE n > 3 AND sku <> 'a' ORDER BY n")).toEqual(alert);
  expect(alertOf('SELECT * FROM by_sku')).toEqual({ view: 'by_sku', condition: 'TRUE' });
  for (const none of [
    'SELECT COUNT(*) AS n FROM by_sku',
    'SELECT DISTINCT sku FROM by_sku',
    'SELECT sku FROM by_sku GROUP BY sku',
    'SELECT * FROM by_sku AS b WHERE b.n > 1',
    'SELECT * FROM a JOIN b ON a.x = b.x',
    'SELECT * FROM a; SELECT * FROM b',
    'SELECT 1 AS a UNION SELECT 2 AS a',
    '',
  ])
    expect(alertOf(none), none).toBeNull();
});

test('the address of rows says the filter, and survives a shell', () => {
  const asked = { column: 'name', comparison: 'eq', value: "O'Hara & co", order: '-n' };
  const path = rowsPath('by_sku', asked);
  expect(path).toBe('/v1/views/by_sku?name=eq.O%27Hara+%26+co&order=-n&limit=100');
  expect(rowsPath('v', { ...asked, value: '', order: null })).toBe('/v1/views/v?limit=100');
  expect(curlOf("/a'b", true)).toMatch(/^curl -H "Authorization: Bearer \$TOKEN" '.*\/a'\\''b'$/);
});

test('a step of a plan is said without its name twice', () => {
  const step = {
    name: 'Join',
    view: null,
    insert_only: false,
    key: [],
    keeps: null,
    columns: [],
    inputs: [],
  };
  expect(bodyOf({ ...step, what: 'Join(kind=Inner, on=[(a) = (b)])' })).toBe(
    'kind=Inner, on=[(a) = (b)]',
  );
  expect(bodyOf({ ...step, name: 'Union', what: 'Union' })).toBe('');
  expect(bodyOf({ ...step, view: 'by_sku', what: 'View(by_sku)' })).toBe('by_sku');
});
