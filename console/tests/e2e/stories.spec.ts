// What people do with the page, from the first look to what comes of it in the running job.
import { expect, test } from '@playwright/test';
import { ask, sale, send, until } from './rialto';
import { complaints } from './page';

const page$ = () => process.env.TEST_PAGE!;
const rialto = () => process.env.TEST_RIALTO!;
const one = async (query: string) => (await ask(rialto(), query))[0] ?? {};
const SHOTS = process.env.CONSOLE_SHOTS ?? 'shots';

test('a restock is approved, and is then an order', async ({ page }) => {
  const said = complaints(page);
  const state = () =>
    one("SELECT * FROM decision_state WHERE sku = 'sku-2' AND decision_type = 'replenish'");
  // The journal takes a first word when its log has gone on by a second, as a shop's always does.
  await send(rialto(), 'sale_line', [sale('2026-03-04 10:20:00', 'sku-2', 1, 10)]);
  await until('the journal', 60_000, async () => (await state()).status === 'proposed');
  await page.goto(`${page$()}/inventory?state=proposed`);
  await page.getByRole('gridcell', { name: 'sku-2' }).click();
  const panel = page.getByRole('dialog');
  await expect(panel).toContainText('at or below the reorder point');
  await panel.getByLabel('Note (why)').fill('the fair is next week');
  await panel.getByRole('button', { name: 'Approve' }).click();
  await expect(panel.getByTestId('reviewed')).toContainText('said by local');
  await expect(panel.getByTestId('reviewed')).toContainText('the fair is next week');
  await page.screenshot({ path: `${SHOTS}/story-approve.png` });
  // Whoever carries it out reads it in the journal: it is an order now.
  await until('the order', 60_000, async () => (await state()).status === 'applied');
  await page.goto(`${page$()}/decisions?type=replenish&status=applied`);
  await expect(page.getByRole('gridcell', { name: 'sku-2' }).first()).toBeVisible();
  expect(said).toEqual([]);
});

test('a rule of prices is tried, and then changed', async ({ page }) => {
  const price = async () =>
    Number((await one("SELECT new_price FROM pricing_proposal WHERE sku = 'sku-3'")).new_price);
  expect(await price()).toBeCloseTo(7.8);
  await page.goto(`${page$()}/pricing`);
  const share = page.getByLabel('Share of competitor in percent');
  await share.fill('10');
  await page.getByRole('button', { name: 'Simulate' }).click();
  const found = page.getByTestId('simulated');
  await expect(found).toContainText('prices would be others');
  await expect(found.getByRole('gridcell', { name: 'sku-3' })).toBeVisible();
  await expect(found).toContainText('£7.00');
  await found.scrollIntoViewIfNeeded();
  await page.screenshot({ path: `${SHOTS}/story-simulate.png` });
  // Nothing has happened yet.
  expect(await price()).toBeCloseTo(7.8);
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Saved. The job goes on with it.')).toBeVisible();
  await expect(page.getByTestId('rule-competitor')).toContainText('local');
  await until('the price', 60_000, async () => Math.abs((await price()) - 7) < 1e-9);
  // What is no rule is said, and not saved.
  await share.fill('80');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('alert')).toContainText('0.8');
});

test('a segment is built, and a customer enters it', async ({ page }) => {
  await page.goto(`${page$()}/customers`);
  await page.getByRole('button', { name: 'Build a segment' }).click();
  const form = page.getByRole('dialog');
  await form.getByLabel('Title').fill('Spends a lot');
  await form.getByRole('combobox', { name: 'Tag', exact: true }).click();
  await page.keyboard.type('lifetime_v');
  await page.getByRole('option', { name: 'lifetime_value' }).click();
  await form.getByRole('combobox', { name: 'Values of lifetime_value' }).click();
  await page.getByRole('option', { name: 'high' }).click();
  await page.keyboard.press('Escape');
  await expect(form.getByTestId('count')).toContainText(/\d+ of \d+ customers/);
  // Until then it is the count of the tag without its values.
  await expect(form.getByTestId('count')).toHaveAttribute('aria-busy', 'false');
  const before = Number((await form.getByTestId('count').textContent())!.split(' ')[0]);
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(form.getByText('Saved: members enter')).toBeVisible();
  const rich = { customer_id: 'c-rich' };
  await send(rialto(), 'sale_line', [sale('2026-03-04 10:30:00', 'sku-2', 1, 900, rich)]);
  await expect(form.getByTestId('count')).toContainText(`${before + 1} of`);
  await expect(form.getByRole('link', { name: 'c-rich' })).toBeVisible();
  await page.screenshot({ path: `${SHOTS}/story-segment.png` });
  await form.getByRole('button', { name: 'Close' }).click();
  const own = page.getByRole('button', { name: 'Spends a lot' });
  await own.click();
  await expect(page.getByRole('gridcell', { name: 'c-rich' })).toBeVisible();
});

test('a refused record is put right, and taken', async ({ page }) => {
  await page.goto(`${page$()}/sources?open=delivery_note`);
  const panel = page.getByRole('dialog');
  await panel.getByRole('button', { name: /Open/ }).first().click();
  const record = panel.getByRole('textbox', { name: 'Record' });
  await expect(record).toHaveValue('{"id":2,"sku":"sku-2","pieces":"six"}');
  await page.screenshot({ path: `${SHOTS}/story-letter.png` });
  await record.fill('{"id":2,"sku":"sku-2","pieces":6}');
  await panel.getByRole('button', { name: 'Send again' }).click();
  await until(
    'the pieces',
    60_000,
    async () => Number((await one('SELECT pieces FROM pieces_noted')).pieces) === 10,
  );
  await expect(panel.getByText('Taken')).toBeVisible();
});
