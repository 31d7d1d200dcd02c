// A part of the page that does not come is asked for again.
import { expect, test } from 'vitest';
import { insist } from '@/components/insist';

const failing = (times: number) => {
  let asked = 0;
  return () => (++asked <= times ? Promise.reject(new Error(`${asked}`)) : Promise.resolve(asked));
};

test('what does not come is asked for again, and not for ever', async () => {
  expect(await insist(failing(0), [1, 1])).toBe(1);
  expect(await insist(failing(2), [1, 1])).toBe(3);
  await expect(insist(failing(3), [1, 1])).rejects.toThrow('3');
});
