// Graphs: lines that go between the boxes, and drawings that fit into their room.
import { expect, test } from 'vitest';
import { MARGINS, placed, READABLE } from '@/components/placed';
import { middleOf, pathOf } from '@/components/Routed';

const WIDTH = 200;
const HEIGHT = 60;
const chain = (count: number) => ({
  boxes: Array.from({ length: count }, (_, at) => ({
    id: `${at}`,
    width: WIDTH,
    height: HEIGHT,
  })),
  edges: Array.from({ length: count - 1 }, (_, at): [string, string] => [`${at}`, `${at + 1}`]),
});

test('a long chain is broken into lines that can be read', async () => {
  const { boxes, edges } = chain(20);
  const room = 1100;
  const { at, height } = await placed(boxes, edges, { gap: 60, room });
  const right = Math.max(...[...at.values()].map(({ x }) => x + WIDTH));
  expect(right * READABLE + MARGINS.left + MARGINS.right).toBeLessThanOrEqual(room);
  const rows = new Set([...at.values()].map(({ y }) => y));
  expect(rows.size).toBeGreaterThan(3);
  expect(height).toBeGreaterThan(rows.size * HEIGHT * READABLE);
});

test('a chain that fits stays one line, without bends', async () => {
  const { boxes, edges } = chain(3);
  const { at, bends } = await placed(boxes, edges, { gap: 60, room: 1100 });
  expect(new Set([...at.values()].map(({ y }) => y)).size).toBe(1);
  expect([...bends.values()]).toEqual([[], []]);
});

test('a line to the next row crosses no box', async () => {
  const { boxes, edges } = chain(12);
  const { at, bends } = await placed(boxes, edges, { gap: 60, room: 800 });
  const back = edges.filter(([from, to]) => at.get(to)!.x < at.get(from)!.x);
  expect(back.length).toBeGreaterThan(1);
  for (const [from, to] of edges) {
    const [start, end] = [at.get(from)!, at.get(to)!];
    const line = [
      { x: start.x + WIDTH, y: start.y + HEIGHT / 2 },
      ...bends.get(`${from}>${to}`)!,
      { x: end.x, y: end.y + HEIGHT / 2 },
    ];
    line.slice(1).forEach((b, index) => {
      const a = line[index]!;
      // Level or upright, but for what is rounded.
      expect(Math.min(Math.abs(a.x - b.x), Math.abs(a.y - b.y))).toBeLessThan(0.01);
      for (const { x, y } of at.values()) {
        const beside = Math.max(a.x, b.x) <= x + 0.01 || Math.min(a.x, b.x) >= x + WIDTH - 0.01;
        const above = Math.max(a.y, b.y) <= y || Math.min(a.y, b.y) >= y + HEIGHT;
        expect(beside || above, `${from}>${to}`).toBe(true);
      }
    });
  }
});

test('where two boxes have no room beside each other, a chain goes down', async () => {
  const { boxes, edges } = chain(6);
  const room = 330;
  const { at, bends, height, isUpright } = await placed(boxes, edges, { gap: 60, room });
  expect(isUpright).toBe(true);
  expect(new Set([...at.values()].map(({ x }) => x)).size).toBe(1);
  const tops = boxes.map(({ id }) => at.get(id)!.y);
  expect(tops).toEqual([...tops].sort((a, b) => a - b));
  expect([...bends.values()].flat()).toEqual([]);
  expect(height).toBeGreaterThan(6 * HEIGHT);
  const wide = await placed(boxes, edges, { gap: 60, room: 1100 });
  expect(wide.isUpright).toBe(false);
});

test('corners are rounded, and a line is written on where it is longest', () => {
  const points = [
    { x: 0, y: 0 },
    { x: 100, y: 0 },
    { x: 100, y: 40 },
  ];
  expect(pathOf(points)).toBe('M0,0 L93,0 Q100,0 100,7 L100,40');
  expect(middleOf(points)).toEqual({ x: 50, y: 0 });
});
