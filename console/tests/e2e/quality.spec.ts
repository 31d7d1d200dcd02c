// How fast the first screen is, and that a page that stays open does not grow.
import { readFileSync } from 'node:fs';
import { expect, test, type Page } from '@playwright/test';
import { within } from './load';
import { sale, send } from './rialto';

const page$ = () => process.env.TEST_PAGE!;
const ROUNDS = Number(process.env.CONSOLE_SOAK_ROUNDS ?? 6);
/** An object beside each row would be more than this. */
const MOVING_BYTES_MAX = 60 * 1024 * 1024;
const GROWTH_BYTES_MAX = 12 * 1024 * 1024;
/** So many sales come in between two looks at the overview, and so many looks there are. */
const UPDATES = 80;
const ROUNDS_OF_UPDATES = 4;
const SCREENS = ['/inventory', '/jobs', '/sql', '/lineage?view=sales_by_day', '/alerts', '/'];

test('the types are made from what the server says of itself', async () => {
  const answer = await fetch(`${process.env.TEST_RIALTO}/v1/openapi.json`);
  // Otherwise: npm run types -- http://127.0.0.1:8080
  expect(JSON.parse(readFileSync('openapi.json', 'utf8'))).toEqual(await answer.json());
});

test('the first screen is there soon', async ({ browser }) => {
  await within('first screen with its figures', 1500, async () => {
    const page = await (await browser.newContext()).newPage();
    const began = Date.now();
    await page.goto(page$());
    await page.waitForFunction(
      () => /\d/.test(document.querySelector('.figure .value')?.textContent ?? ''),
      null,
      { polling: 'raf' },
    );
    const took = Date.now() - began;
    await page.context().close();
    return took;
  });
});

/** What a page holds once all that nobody needs is gone, in bytes. */
async function heapOf(page: Page): Promise<() => Promise<number>> {
  const tools = await page.context().newCDPSession(page);
  return async () => {
    await tools.send('HeapProfiler.collectGarbage');
    const { usedSize } = (await tools.send('Runtime.getHeapUsage')) as { usedSize: number };
    return usedSize;
  };
}
const mb = (bytes: number) => (bytes / 1024 / 1024).toFixed(1);

test('a view of ten thousand rows that moves does not grow', async ({ page }) => {
  const rialto = process.env.TEST_RIALTO!;
  const parcels = (from: number, count: number) =>
    send(
      rialto,
      'parcel',
      Array.from({ length: count }, (_, at) => ({ no: (from + at) % 10_000, pieces: 1 })),
    );
  for (let from = 0; from < 10_000; from += 1000) await parcels(from, 1000);
  await page.goto(`${page$()}/catalogue?view=parcels&rows.sort=-pieces`);
  await expect(page.getByText('10,000 rows')).toBeVisible();
  const heap = await heapOf(page);
  const moved = async (times: number) => {
    for (let time = 0; time < times; time += 1) {
      await parcels(time * 37, 20);
      await page.waitForTimeout(100);
    }
  };
  await moved(10);
  const before = await heap();
  await moved(40);
  // Its parcels have moved often: they are on top.
  await expect(page.getByRole('grid', { name: 'parcels' }).getByText('2').first()).toBeVisible();
  const after = await heap();
  console.log(`heap over 10,000 rows: ${mb(before)} MB, after 40 changes ${mb(after)} MB`);
  expect(after - before).toBeLessThan(GROWTH_BYTES_MAX / 2);
  expect(before).toBeLessThan(MOVING_BYTES_MAX);
});

/** How many objects there are on a page, and how many parts of its document. */
async function countsOf(page: Page) {
  const tools = await page.context().newCDPSession(page);
  return async () => {
    const { result } = await tools.send('Runtime.evaluate', { expression: 'Object.prototype' });
    // Only what something still holds is found.
    const { objects } = await tools.send('Runtime.queryObjects', {
      prototypeObjectId: result.objectId!,
      objectGroup: 'counted',
    });
    const counted = await tools.send('Runtime.callFunctionOn', {
      objectId: objects.objectId!,
      functionDeclaration: 'function () { return this.length; }',
    });
    await tools.send('Runtime.releaseObjectGroup', { objectGroup: 'counted' });
    const { nodes, jsEventListeners } = await tools.send('Memory.getDOMCounters');
    return { objects: Number(counted.result.value), nodes, jsEventListeners };
  };
}

// Counted, not weighed: a heap also has the code that the browser compiles in the first minutes,
// and 288 bytes of each request ever sent where a tool, like this test, listens to the network.
test('the overview keeps nothing of the updates that it has drawn', async ({ page }) => {
  const rialto = process.env.TEST_RIALTO!;
  await page.goto(page$());
  const orders = page.locator('.figure', { hasText: 'Orders' }).locator('.value');
  const drawn = async (updates: number) => {
    for (let at = 0; at < updates; at += 1) {
      await send(rialto, 'sale_line', [sale('2026-03-04 12:00:00', `sku-${at % 7}`, 1, 5)]);
      await page.waitForTimeout(100);
    }
    await expect(orders).toHaveText(/\d+/);
  };
  const counts = await countsOf(page);
  const looks: Awaited<ReturnType<typeof counts>>[] = [];
  for (let round = 0; round <= ROUNDS_OF_UPDATES; round += 1) {
    await drawn(UPDATES);
    looks.push(await counts());
  }
  console.log(`overview, each ${UPDATES} updates later: ${JSON.stringify(looks)}`);
  // What a screen loads late comes once; what is kept of updates comes in every round.
  const leastGrowth = (count: keyof (typeof looks)[number]) =>
    Math.min(...looks.slice(1).map((look, at) => look[count] - looks[at]![count]));
  expect(leastGrowth('objects')).toBeLessThan(UPDATES / 2);
  expect(leastGrowth('nodes')).toBeLessThan(UPDATES / 2);
  expect(leastGrowth('jsEventListeners')).toBeLessThan(UPDATES / 2);
});

test('a page that stays open does not grow', async ({ page }) => {
  await page.goto(page$());
  const heap = await heapOf(page);
  const round = async () => {
    for (const screen of SCREENS) {
      // Within the page: a new one would begin with an empty heap.
      await page.evaluate((to) => {
        history.pushState({}, '', to);
        dispatchEvent(new PopStateEvent('popstate'));
      }, screen);
      await expect(page.locator('main h1')).toBeVisible();
      await expect(page.locator('main .panel').first()).toBeVisible();
    }
  };
  await round();
  await round();
  const before = await heap();
  for (let time = 0; time < ROUNDS; time += 1) await round();
  const after = await heap();
  console.log(`heap: ${mb(before)} MB, after ${ROUNDS} rounds ${mb(after)} MB`);
  expect(after - before).toBeLessThan(GROWTH_BYTES_MAX);
});
