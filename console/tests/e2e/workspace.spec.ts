// The SQL workspace: an answer as it changes, its plan, and what becomes of a good question.
import { expect, test } from '@playwright/test';
import { complaints } from './page';
import { sale, send } from './rialto';

const page$ = () => process.env.TEST_PAGE!;
const rialto = () => process.env.TEST_RIALTO!;
const SHOTS = process.env.CONSOLE_SHOTS ?? 'shots';
const asked = (query: string, as: string) => `/sql?as=${as}&q=${encodeURIComponent(query)}`;

test('what changes in an answer comes on top, with its op and step', async ({ page }) => {
  const said = complaints(page);
  const query =
    'SELECT business_date, SUM(orders) AS orders FROM sales_by_day GROUP BY business_date';
  await page.goto(page$() + asked(query, 'changes'));
  await expect(page.getByTestId('followed')).toContainText('asked again');
  const log = page.getByRole('grid', { name: 'Changes' });
  await send(rialto(), 'sale_line', [sale('2026-03-04 11:00:00', 'sku-2', 1, 10)]);
  // A day that was there is another row of the same key; a new day comes.
  await expect(log.getByRole('row').nth(1)).toContainText(/\+U|\+I/);
  await send(rialto(), 'sale_line', [sale('2026-03-04 11:05:00', 'sku-2', 1, 10)]);
  await expect(log.getByRole('row').nth(1)).toContainText('+U');
  await expect(log.getByRole('row').nth(2)).toContainText('-U');
  await page.screenshot({ path: `${SHOTS}/story-changes.png` });
  await page.getByRole('button', { name: 'Pause' }).click();
  const before = await log.getByRole('row').count();
  await send(rialto(), 'sale_line', [sale('2026-03-04 11:10:00', 'sku-2', 1, 10)]);
  await page.waitForResponse((answer) => answer.url().endsWith('/v1/views'));
  await page.waitForResponse((answer) => answer.url().endsWith('/v1/views'));
  expect(await log.getByRole('row').count()).toBe(before);
  expect(said).toEqual([]);
});

test('a view is followed step by step', async ({ page }) => {
  await page.goto(page$() + asked('SELECT * FROM sales_by_day', 'changes'));
  await expect(page.getByTestId('followed')).toContainText('every step');
  await send(rialto(), 'sale_line', [sale('2026-03-04 11:20:00', 'sku-2', 1, 10)]);
  const log = page.getByRole('grid', { name: 'Changes' });
  // The view has no key: a row goes, and another comes.
  await expect(log.getByRole('row').nth(1)).toContainText('+I');
});

test('a question is explained as a graph, by keyboard too', async ({ page }) => {
  const said = complaints(page);
  const query =
    'SELECT p.location_id, COUNT(*) AS skus FROM inventory_position AS p ' +
    'JOIN inventory_stock_out_risk AS r ON p.sku = r.sku GROUP BY p.location_id';
  await page.goto(page$() + asked(query, 'plan'));
  const plan = page.getByTestId('plan');
  await expect(plan.getByRole('button', { name: /^View inventory_position/ })).toBeVisible();
  await expect(plan.getByRole('button', { name: /^View inventory_stock_out_risk/ })).toBeVisible();
  await plan.getByRole('button', { name: /^Join/ }).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('plan-step')).toContainText('rows of both sides');
  await page.screenshot({ path: `${SHOTS}/story-plan.png` });
  expect(said).toEqual([]);
  await page.goto(page$() + asked('SELECT nothing FROM inventory_position', 'plan'));
  await expect(page.getByRole('alert')).toContainText('nothing');
});

test('a question becomes an address, with a filter and lines to copy', async ({
  page,
  request,
}) => {
  await page.goto(page$() + asked('SELECT * FROM inventory_position', 'table'));
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('menuitem', { name: 'Save as API' }).click();
  const api = page.getByTestId('api');
  await api.getByRole('combobox', { name: 'Filter by' }).click();
  await page.getByRole('option', { name: 'on_hand' }).click();
  await api.getByRole('combobox', { name: 'Is', exact: true }).click();
  await page.getByRole('option', { name: '≥ (gte)' }).click();
  await api.getByLabel('Value').fill('50');
  const line = api.getByText(/curl .*on_hand=gte\.50/);
  await expect(line).toBeVisible();
  await page.screenshot({ path: `${SHOTS}/story-api.png` });
  // The line is one that is answered.
  const url = /'(http[^']+)'/.exec((await line.textContent())!)![1]!;
  const { rows } = (await (await request.get(url)).json()) as { rows: { on_hand: number }[] };
  expect(rows.length).toBeGreaterThan(0);
  expect(rows.every((row) => Number(row.on_hand) >= 50)).toBe(true);
  // What is no view yet is saved as one first.
  await page.goto(page$() + asked('SELECT COUNT(*) AS n FROM inventory_position', 'table'));
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('menuitem', { name: 'Save as API' }).click();
  const form = page.getByRole('dialog');
  await form.getByLabel('Name').fill('how_many_positions');
  await form.getByRole('button', { name: 'Save into the project' }).click();
  await expect(form.getByText(/v1\/views\/how_many_positions\?/)).toBeVisible();
  await request.delete(`${rialto()}/v1/views/how_many_positions`);
});

test('a question becomes an alert over its view', async ({ page }) => {
  await page.goto(
    page$() + asked('SELECT sku FROM inventory_position WHERE on_hand > 50', 'table'),
  );
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('menuitem', { name: 'Save as alert' }).click();
  const form = page.getByRole('dialog');
  await expect(form.getByLabel('Condition')).toHaveValue('on_hand > 50');
  await expect(form.getByRole('combobox', { name: 'View' })).toHaveValue('inventory_position');
  await expect(form.getByTestId('tried')).toContainText('1 row fulfils it now');
  // What counts is no row of a view: it becomes one first.
  await page.goto(page$() + asked('SELECT COUNT(*) AS n FROM inventory_position', 'table'));
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('menuitem', { name: 'Save as alert' }).click();
  await expect(page.getByRole('dialog')).toContainText('save it as a view');
});
