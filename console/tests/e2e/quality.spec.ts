// How fast the first screen is, and that a page that stays open does not grow.
import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';

const page$ = () => process.env.TEST_PAGE!;
const ROUNDS = Number(process.env.CONSOLE_SOAK_ROUNDS ?? 6);
const GROWTH_BYTES_MAX = 12 * 1024 * 1024;
const SCREENS = ['/inventory', '/jobs', '/sql', '/lineage?view=sales_by_day', '/alerts', '/'];

test('the types are made from what the server says of itself', async () => {
  const answer = await fetch(`${process.env.TEST_RIALTO}/v1/openapi.json`);
  // Otherwise: npm run types -- http://127.0.0.1:8080
  expect(JSON.parse(readFileSync('openapi.json', 'utf8'))).toEqual(await answer.json());
});

test('the first screen is there soon', async ({ browser }) => {
  const took: number[] = [];
  for (let time = 0; time < 3; time += 1) {
    const page = await (await browser.newContext()).newPage();
    const began = Date.now();
    await page.goto(page$());
    await expect(page.locator('.figure .value').first()).toHaveText(/\d/);
    took.push(Date.now() - began);
    await page.context().close();
  }
  console.log(`first screen with its figures: ${took.join(', ')} ms`);
  // Loosely: a compiler may be running beside.
  expect(Math.min(...took)).toBeLessThan(6000);
});

test('a page that stays open does not grow', async ({ page }) => {
  test.setTimeout(300_000);
  await page.goto(page$());
  const tools = await page.context().newCDPSession(page);
  const heap = async () => {
    await tools.send('HeapProfiler.collectGarbage');
    const { usedSize } = (await tools.send('Runtime.getHeapUsage')) as { usedSize: number };
    return usedSize;
  };
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
  const mb = (bytes: number) => (bytes / 1024 / 1024).toFixed(1);
  console.log(`heap: ${mb(before)} MB, after ${ROUNDS} rounds ${mb(after)} MB`);
  expect(after - before).toBeLessThan(GROWTH_BYTES_MAX);
});
