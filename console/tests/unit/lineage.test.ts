// What is drawn of a lineage: all of it, or what one column is made of.
import { expect, test } from 'vitest';
import type { Lineage } from '@/api/project';
import { rowsBy, traced } from '@/screens/lineage/trace';
import { idOf } from '@/screens/alerts/Form';

const columns = (...names: string[]) => names.map((name) => ({ name, type: 'INT' }));
const lineage: Lineage = {
  name: 'top',
  query: null,
  members: [
    { name: 'top', kind: 'materialized view', distance: 0, columns: columns('sku', 'n') },
    { name: 'mid', kind: 'view', distance: 1, columns: columns('sku', 'pieces') },
    { name: 't', kind: 'table', distance: 2, columns: columns('sku', 'pieces', 'at') },
  ],
  edges: [
    { from: ['mid', 'sku'], to: ['top', 'sku'] },
    { from: ['mid', 'sku'], to: ['top', null] },
    { from: ['mid', 'pieces'], to: ['top', 'n'] },
    { from: ['t', 'sku'], to: ['mid', 'sku'] },
    { from: ['t', 'pieces'], to: ['mid', 'pieces'] },
    { from: ['t', 'at'], to: ['mid', null] },
  ],
  read_by: [],
  is_cut: false,
};

test('without a column every table and view is drawn once', () => {
  const { boxes, lines } = traced(lineage, '');
  expect(boxes.map((box) => box.name)).toEqual(['top', 'mid', 't']);
  expect(lines.map((line) => [line.from, line.to])).toEqual([
    ['mid', 'top'],
    ['t', 'mid'],
  ]);
  expect(rowsBy(lineage)).toEqual([['mid', 'sku']]);
});

test('a column is followed down to the columns of tables', () => {
  const { boxes, lines, origins } = traced(lineage, 'n');
  expect(boxes.map((box) => box.columns)).toEqual([['n'], ['pieces'], ['pieces']]);
  expect(lines.map((line) => line.columns)).toEqual([
    ['pieces', 'n'],
    ['pieces', 'pieces'],
  ]);
  expect(origins).toEqual([['t', 'pieces']]);
});

test('a table that the project fills is on the way, and not where a column comes from', () => {
  const table = { name: 'log', kind: 'table' as const, distance: 3, columns: columns('amount') };
  const { boxes, origins } = traced(
    {
      ...lineage,
      members: [...lineage.members, table],
      edges: [...lineage.edges, { from: ['log', 'amount'], to: ['t', 'pieces'] }],
    },
    'n',
  );
  expect(boxes.map((box) => box.name)).toEqual(['top', 'mid', 't', 'log']);
  expect(origins).toEqual([['log', 'amount']]);
});

test('an alert has a name of its own', () => {
  expect(idOf('Nearly gone!', [])).toBe('nearly_gone');
  expect(idOf('Nearly gone', ['nearly_gone'])).toBe('nearly_gone_2');
  expect(idOf('库存', [])).toBe('alert');
});
