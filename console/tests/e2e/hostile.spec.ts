// Data is text, whatever it says: markup, a megabyte, emoji, right-to-left.
import { expect, test } from '@playwright/test';
import { HOSTILE } from './setup';
import { complaints } from './page';

test('a product name with markup is shown as it is written', async ({ page }) => {
  const said = complaints(page);
  await page.goto(`${process.env.TEST_PAGE}/catalogue?view=sales_top_products&rows.q=hostile`);
  const cell = page.getByRole('gridcell', { name: /img src=x/ }).first();
  await expect(cell).toHaveText(HOSTILE);
  await page.goto(process.env.TEST_PAGE!);
  await expect(page.getByText('<b>bold</b>').first()).toBeVisible();
  expect(
    await page.evaluate(() => (window as unknown as { hacked?: number }).hacked),
  ).toBeUndefined();
  expect(await page.locator('main img').count()).toBe(0);
  expect(said).toEqual([]);
});

test('a megabyte in a cell neither breaks the table nor slows it', async ({ page }) => {
  await page.goto(`${process.env.TEST_PAGE}/catalogue?view=sales_top_products&rows.q=sku-large`);
  const cell = page.getByRole('gridcell', { name: /^MMMM/ }).first();
  await expect(cell).toBeVisible();
  expect((await cell.textContent())!.length).toBeLessThan(300);
  await page.goto(process.env.TEST_PAGE!);
  await expect(page.getByText('Sales so far')).toBeVisible();
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  expect(height).toBeLessThan(4000);
});

test('a question is completed, run by keyboard, answered, drawn, and kept in the address', async ({
  page,
}) => {
  await page.goto(`${process.env.TEST_PAGE}/sql`);
  await page.getByTestId('editor').locator('.cm-content').click();
  await page.keyboard.type('select sku, on_hand from inventory_pos');
  await page.getByRole('option', { name: 'inventory_position' }).click();
  await page.keyboard.press('Control+Enter');
  await expect(page.getByTestId('answered')).toContainText('rows of step');
  await expect(page.getByRole('gridcell', { name: '<b>sku</b>' })).toBeVisible();
  await expect(page).toHaveURL(/inventory_position/);
  await page.getByText('Chart', { exact: true }).click();
  await expect(page.locator('.panel svg path').first()).toBeVisible();
});

test('an error says what is wrong', async ({ page }) => {
  await page.goto(`${process.env.TEST_PAGE}/sql?q=SELECT%20nothing%20FROM%20nowhere`);
  await expect(page.getByRole('alert')).toContainText('nowhere');
});

test('why a proposal was made: by keyboard from the row to its reasons', async ({ page }) => {
  await page.goto(`${process.env.TEST_PAGE}/inventory?stock.q=sku-0`);
  await expect(page.getByRole('gridcell', { name: 'sku-0' })).toBeVisible();
  await page.getByRole('grid').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog')).toContainText('sku-0');
  await expect(page).toHaveURL(/open=sku-0/);
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toBeHidden();
});
