// The circuit behind a view: which operators, what flows between them, and how fast.
import { expect, test } from 'vitest';
import type { OperatorStatus, Status } from '@/api/types';
import { BOXES_MAX, lookOf, rateOf, runningOf } from '@/screens/jobs/lineage';

const operator = (node: number, inputs: number[], more: Partial<OperatorStatus> = {}) => ({
  node,
  name: `op ${node}`,
  kind: 'operator',
  outputs: ['v'],
  inputs,
  share: 0.1,
  rows: 10 * node,
  state_rows: 0,
  state_bytes: 1,
  ...more,
});
const output = (name: string, node: number | null) => ({
  name,
  kind: 'view',
  rows: 5,
  backlog_epochs: 0,
  backlog_bytes: 0,
  away: null,
  behind: false,
  watermark_ms: null,
  held_back_by: 'till',
  node,
});
const status = (operators: OperatorStatus[], more: Partial<Status> = {}) =>
  ({
    at_ms: 1000,
    sources: [{ name: 'till', held_by: ['v'] }],
    outputs: [output('v', 3), output('other', 9)],
    operators,
    ...more,
  }) as unknown as Status;

const four = [
  operator(0, [], { kind: 'source', name: 'till' }),
  operator(1, [0], { share: 0.6 }),
  operator(2, [0]),
  operator(3, [1, 2]),
  operator(9, [0], { outputs: ['other'] }),
];

test('a view is made by the operators that its rows go through, and no others', () => {
  const { boxes, lines } = runningOf(status(four), 'v');
  expect(boxes.map((box) => box.id).sort()).toEqual(['0', '1', '2', '3', 'output:v']);
  expect(lines.map(({ from, to }) => `${from}>${to}`).sort()).toEqual([
    '0>1',
    '0>2',
    '1>3',
    '2>3',
    '3>output:v',
  ]);
  expect(boxes.filter((box) => box.isSlowest).map((box) => box.id)).toEqual(['1']);
  expect(boxes.find((box) => box.kind === 'source')?.note).toBe('v');
  expect(boxes.at(-1)?.note).toBe('till');
});

test('of a long way the far part is one box, and its sources are seen', () => {
  const chain = [operator(0, [], { kind: 'source', name: 'till' })];
  for (let node = 1; node <= 100; node += 1) chain.push(operator(node, [node - 1]));
  const long = status(chain, { outputs: [output('v', 100)] as Status['outputs'] });
  const { boxes, lines } = runningOf(long, 'v');
  expect(boxes).toHaveLength(BOXES_MAX + 3);
  const rest = boxes.find((box) => box.kind === 'rest');
  expect(rest?.operators).toBe(100 - BOXES_MAX);
  const ends = lines.map(({ from, to }) => [from, to]);
  expect(ends).toContainEqual(['0', 'rest']);
  expect(ends).toContainEqual(['rest', String(100 - BOXES_MAX + 1)]);
  expect(ends.some(([from, to]) => from === to)).toBe(false);
});

test('rows a second are those of two looks', () => {
  const before = lookOf(status(four));
  const later = four.map((one) => ({ ...one, rows: one.rows + 8 }));
  const now = lookOf(status(later, { at_ms: 3000 }));
  expect(rateOf([1, 2], before, now)).toBe(8);
  expect(rateOf([1], null, now)).toBeNull();
  expect(rateOf([77], before, now)).toBeNull();
  expect(rateOf([1], now, now)).toBeNull();
});
