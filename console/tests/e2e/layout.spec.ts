// What people look at fits: from a small laptop to a wide screen, and on a phone; and long tables
// are scrolled as fast as short ones.
import { expect, test, type Page } from '@playwright/test';
import { within } from './load';
import { SCREENS } from './screens';

const page$ = () => process.env.TEST_PAGE!;
const SHOTS = process.env.CONSOLE_SHOTS ?? 'shots';

/** 60 frames a second. */
const FRAME_MS = 1000 / 60;

/** What sticks out of the page, and how far; a box that scrolls by itself may hold more. */
const sticksOut = (page: Page) =>
  page.evaluate(() => {
    const wide = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= wide) return [];
    return [...document.querySelectorAll('body *')]
      .filter((one) => one.getBoundingClientRect().right > wide + 1)
      .slice(0, 5)
      .map((one) => `${one.tagName}.${one.className} to ${one.getBoundingClientRect().right}`);
  });

for (const width of [1280, 2560]) {
  test(`every screen fits into ${width} pixels`, async ({ browser }) => {
    const page = await browser.newPage({ viewport: { width, height: 900 } });
    for (const [name, path, shows] of SCREENS) {
      await page.goto(page$() + path);
      await expect(page.getByText(shows).first(), name).toBeVisible();
      expect(await sticksOut(page), name).toEqual([]);
      const heading = page.locator('h1').first();
      expect((await heading.boundingBox())?.x, name).toBeLessThan(width / 2);
    }
    await page.close();
  });
}

test('the overview, the big screen and what one answers there fit on a phone', async ({
  browser,
}) => {
  const page = await browser.newPage({ viewport: { width: 390, height: 844 } });
  for (const [name, path, shows] of SCREENS.filter(([one]) =>
    ['overview', 'wall', 'alerts', 'settings', 'sources', 'decisions'].includes(one),
  )) {
    await page.goto(page$() + path);
    await expect(page.getByText(shows).first(), name).toBeVisible();
    expect(await sticksOut(page), name).toEqual([]);
    await page.screenshot({ path: `${SHOTS}/${name}-phone.png` });
  }
  await page.close();
});

/** Which boxes of a graph are not seen whole within its frame. */
const beyond = (page: Page) =>
  page.locator('.react-flow').evaluate((frame) => {
    const { left, right, top, bottom } = frame.getBoundingClientRect();
    return [...frame.querySelectorAll('.react-flow__node')]
      .filter((node) => {
        const at = node.getBoundingClientRect();
        return at.left < left || at.right > right || at.top < top || at.bottom > bottom;
      })
      .map((node) => node.textContent ?? '');
  });

test('graphs go downwards on a phone, and what is beyond the frame is dragged into it', async ({
  browser,
}) => {
  const page = await browser.newPage({ viewport: { width: 390, height: 844 } });
  const boxes = page.locator('.react-flow__node');
  await page.goto(`${page$()}/jobs?view=parcels`);
  await expect(boxes).toHaveCount(5);
  await expect.poll(() => beyond(page)).toEqual([]);
  await expect(page.getByText('There is more: drag to see it.')).toBeHidden();
  expect(await sticksOut(page)).toEqual([]);
  await page.locator('.react-flow').scrollIntoViewIfNeeded();
  await page.screenshot({ path: `${SHOTS}/graph-phone.png` });
  const question = 'SELECT location_id, COUNT(*) AS n FROM inventory_position GROUP BY location_id';
  await page.goto(`${page$()}/sql?as=plan&q=${encodeURIComponent(question)}`);
  await expect(boxes.first()).toBeVisible();
  await expect.poll(() => beyond(page)).toEqual([]);
  await page.screenshot({ path: `${SHOTS}/plan-phone.png`, fullPage: true });
  // Dozens of tables with their columns fit into no phone.
  await page.goto(`${page$()}/lineage?view=sales_by_day`);
  const more = page.getByText('There is more: drag to see it.');
  await expect(more).toBeVisible();
  await page.screenshot({ path: `${SHOTS}/lineage-phone.png`, fullPage: true });
  const frame = page.locator('.react-flow__pane');
  await frame.scrollIntoViewIfNeeded();
  const first = boxes.first();
  const was = (await first.boundingBox())!;
  const { x, y, width, height } = (await frame.boundingBox())!;
  await page.mouse.move(x + width - 8, y + height - 60);
  await page.mouse.down();
  await page.mouse.move(x + width - 108, y + height - 90, { steps: 4 });
  await page.mouse.up();
  await expect.poll(async () => (await first.boundingBox())!.x).toBeLessThan(was.x - 60);
  await page.close();
});

test('ten thousand rows are scrolled without a halt', async ({ page }) => {
  // The answer is made up; the table, its rows and the browser's frames are the real ones.
  const rows = Array.from({ length: 10_000 }, (_, at) => ({
    no: at,
    sku: `sku-${at}`,
    name: `article number ${at} of ten thousand`,
    price: at / 7,
    sold: at % 2 === 0,
  }));
  const columns = [
    { name: 'no', type: 'BIGINT' },
    { name: 'sku', type: 'STRING' },
    { name: 'name', type: 'STRING' },
    { name: 'price', type: 'DOUBLE' },
    { name: 'sold', type: 'BOOLEAN' },
  ];
  await page.route('**/v1/sql', (route) => route.fulfill({ json: { step: 1, columns, rows } }));
  await page.goto(`${page$()}/sql?q=SELECT%201`);
  await expect(page.getByTestId('answered')).toContainText('10,000');
  // How long the page itself works for a frame: what others of the machine do is not in it.
  const tools = await page.context().newCDPSession(page);
  await tools.send('Performance.enable', { timeDomain: 'threadTicks' });
  const worked = async () => {
    const { metrics } = await tools.send('Performance.getMetrics');
    return (metrics.find((one) => one.name === 'TaskDuration')?.value ?? NaN) * 1000;
  };
  const scrolled = () =>
    page.getByRole('grid', { name: 'Answer' }).evaluate(async (box) => {
      const frames: number[] = [];
      let drawn = 0;
      const frame = () => new Promise<number>((done) => requestAnimationFrame(done));
      let last = await frame();
      for (let at = 0; at < 120; at += 1) {
        // From the first row to the last, 80 rows and more at a time.
        box.scrollTop = (box.scrollHeight * (at + 1)) / 120;
        const now = await frame();
        frames.push(now - last);
        last = now;
        drawn = Math.max(drawn, box.querySelectorAll('[role=row]').length);
      }
      return { frames: frames.sort((a, b) => a - b), drawn, text: box.textContent ?? '' };
    });
  await within('work of the page for a frame', FRAME_MS, async () => {
    const before = await worked();
    const { frames, drawn, text } = await scrolled();
    const each = ((await worked()) - before) / frames.length;
    const [half, most] = [frames[60]!, frames[114]!];
    console.log(`frames: half within ${half.toFixed(0)} ms, 95 % within ${most.toFixed(0)} ms`);
    // Only what is in sight is drawn; the last row is there.
    expect(drawn).toBeLessThan(90);
    expect(text).toContain('sku-9999');
    expect(each).toBeGreaterThan(0);
    return each;
  });
});
