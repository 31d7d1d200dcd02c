// A followed view is at every step what the server's view is: changes are applied as deltas.
import { expect, test } from 'vitest';
import { Collection } from '@/api/collection';
import type { Row } from '@/api/types';

/** Numbers that are the same in every run. */
function dice(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state % below;
  };
}
const sorted = (rows: Row[]) => rows.map((row) => JSON.stringify(row)).sort();

test.each([[['id']], [[]]])(
  'after any changes it is what was computed from scratch (key %j)',
  (key) => {
    const roll = dice(7);
    const collection = new Collection(key);
    let rows: Row[] = [];
    collection.reset([], 0);
    for (let step = 1; step <= 400; step += 1) {
      const remove: Row[] = [];
      const add: Row[] = [];
      for (let change = roll(4); change >= 0; change -= 1) {
        const row: Row = { id: roll(12), value: roll(3) };
        const there =
          key.length > 0 ? rows.find((one) => one.id === row.id) : rows[roll(rows.length + 1)];
        if (there) {
          remove.push(there);
          rows = rows.filter((_, at) => at !== rows.indexOf(there));
        }
        if (roll(3) > 0) {
          if (key.length > 0 && add.some((one) => one.id === row.id)) continue;
          add.push(row);
          rows.push(row);
        }
      }
      if (new Set(add.map((row) => row.id)).size !== add.length && key.length > 0) continue;
      const gone = remove.filter((row) => !add.includes(row));
      const come = add.filter((row) => rows.includes(row));
      collection.apply(gone, come, step);
      expect(sorted(collection.list()), `step ${step}`).toEqual(sorted(rows));
    }
  },
);

test('a row that changes keeps its place', () => {
  const collection = new Collection(['id']);
  collection.reset(
    [
      { id: 1, value: 'a' },
      { id: 2, value: 'b' },
    ],
    1,
  );
  collection.apply([{ id: 1, value: 'a' }], [{ id: 1, value: 'c' }], 2);
  expect(collection.list()).toEqual([
    { id: 1, value: 'c' },
    { id: 2, value: 'b' },
  ]);
  expect(collection.step).toBe(2);
});
