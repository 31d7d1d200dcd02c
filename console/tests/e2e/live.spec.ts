// The page is live: an event is seen within a second; a lost connection is said, and heals.
import { expect, test } from '@playwright/test';
import { within } from './load';
import { sale, send, startPage, startRialto, until } from './rialto';

test('a sale is seen within a second of its event', async ({ page }) => {
  const rialto = process.env.TEST_RIALTO!;
  await page.goto(process.env.TEST_PAGE!);
  const orders = page.locator('.figure', { hasText: 'Orders' }).locator('.value');
  await expect(orders).toHaveText(/\d+/);
  await within('event to screen', 1000, async () => {
    const before = Number(await orders.textContent());
    const seen = page.waitForFunction(
      (expected) => {
        const figure = [...document.querySelectorAll('.figure')].find((one) =>
          one.textContent?.startsWith('Orders'),
        );
        return figure?.querySelector('.value')?.textContent === String(expected);
      },
      before + 1,
      { polling: 'raf' },
    );
    const began = Date.now();
    await send(rialto, 'sale_line', [sale('2026-03-03 17:00:00', 'sku-2', 1, 10)]);
    await seen;
    return Date.now() - began;
  });
});

test('a chart whose drawing did not come is drawn when it does', async ({ page }) => {
  let asked = 0;
  await page.route(/assets\/echarts-[^/]*\.js/, (route) =>
    ++asked === 1 ? route.abort() : route.continue(),
  );
  await page.goto(process.env.TEST_PAGE!);
  await expect(page.locator('.panel [role="img"] svg').first()).toBeVisible();
  expect(asked).toBeGreaterThan(1);
});

test('a lost connection is said, the last rows stay, and it heals by itself', async ({ page }) => {
  const rialto = process.env.TEST_RIALTO!;
  const own = await startPage(rialto);
  await page.goto(`${own.url}/catalogue?view=sales_by_day`);
  await expect(
    page.getByRole('grid', { name: 'sales_by_day' }).getByText('GBP').first(),
  ).toBeVisible();
  await own.stop();
  await expect(page.getByTestId('lost')).toBeVisible();
  await expect(page.getByTestId('moment')).toHaveAttribute('data-state', 'lost');
  await expect(
    page.getByRole('grid', { name: 'sales_by_day' }).getByText('GBP').first(),
  ).toBeVisible();
  await send(rialto, 'sale_line', [sale('2026-03-04 09:00:00', 'sku-2', 1, 10)]);
  const again = await startPage(rialto, own.port);
  await expect(page.getByTestId('lost')).toBeHidden();
  await expect(
    page.getByRole('grid', { name: 'sales_by_day' }).getByText('2026-03-04'),
  ).toBeVisible();
  await again.stop();
});

test('a step that is held stays, and is let go', async ({ page }) => {
  const rialto = process.env.TEST_RIALTO!;
  await page.goto(process.env.TEST_PAGE!);
  const orders = page.locator('.figure', { hasText: 'Orders' }).locator('.value');
  await expect(orders).toHaveText(/\d+/);
  await page.getByTestId('moment').click();
  await page.getByRole('button', { name: 'Hold this step' }).click();
  await expect(page.getByText('You are looking at step')).toBeVisible();
  const held = await orders.textContent();
  const step = async () =>
    ((await (await fetch(`${rialto}/v1/views`)).json()) as { step: number }).step;
  const before = await step();
  // The page keeps asking as of the step that it holds, also after others have ended.
  await send(rialto, 'sale_line', [sale('2026-03-04 10:00:00', 'sku-2', 1, 10)]);
  await until('another step', 60_000, async () => (await step()) > before);
  await page.waitForResponse((answer) => answer.url().includes('/v1/views'));
  await expect(orders).toHaveText(held!);
  await page.getByRole('button', { name: 'Back to live' }).first().click();
  await expect(orders).not.toHaveText(held!);
});

test('a project without packs is told which one to add', async ({ page }) => {
  const bare = await startRialto(['sales']);
  const own = await startPage(bare.url);
  await page.goto(`${own.url}/inventory`);
  await expect(page.getByText('They come with the pack “inventory”')).toBeVisible();
  await own.stop();
  await bare.stop();
});
