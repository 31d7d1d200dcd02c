// A source by form: from records to columns, from columns to a mapping, from there to the project.
import { expect, test } from '@playwright/test';
import { complaints } from './page';
import { ask, startPage, startRialto, until } from './rialto';

const page$ = () => process.env.TEST_PAGE!;
const SHOTS = process.env.CONSOLE_SHOTS ?? 'shots';
const TILL = [
  'receipt,kind,sold,article,pieces,cents',
  '4711,S,02/03/2026 10:15,TEA,2,995',
  '4712,R,02/03/2026 10:20,POT,1,2450',
  '4713,X,02/03/2026 10:25,CUP,six,300',
].join('\n');

test('a source is added by form: looked at, mapped, saved and read', async ({ page }) => {
  const said = complaints(page);
  const own = await startRialto(['sales']);
  const served = await startPage(own.url);
  try {
    own.write('till/a.csv', `${TILL}\n`);
    await page.goto(`${served.url}/sources`);
    await page.getByRole('button', { name: 'Add a source' }).click();
    await page.getByLabel('Path').fill('till');
    await page.getByRole('button', { name: 'Find the columns' }).click();
    // What looks like a number is one from then on; "six" is none.
    const field = (name: string) => page.locator(`tr[data-field="${name}"]`);
    await expect(field('cents')).toBeVisible();
    await page.getByLabel('Code list of kind').fill('S = sale, R = return');
    await page.getByRole('combobox', { name: 'Becomes of sold' }).click();
    await page.getByRole('option', { name: 'TIMESTAMP(3)', exact: true }).click();
    await page.getByLabel('Form of a time of sold').fill('dd/MM/yyyy HH:mm');
    await page.getByRole('combobox', { name: 'Becomes of pieces' }).click();
    await page.getByRole('option', { name: 'INT', exact: true }).click();
    await page.getByLabel('Unit of cents').fill('/ 100');
    await page.getByLabel('Is called of cents').fill('price');
    await page.getByRole('button', { name: 'Look at the first rows' }).click();
    const rows = page.getByTestId('source-rows');
    await expect(rows).toContainText('1 cannot be used as it is');
    await expect(rows.getByRole('gridcell', { name: '9.95' })).toBeVisible();
    await expect(rows.getByRole('gridcell', { name: 'return', exact: true })).toBeVisible();
    await expect(rows.getByRole('gridcell', { name: /2026-03-02 10:15/ })).toBeVisible();
    await rows.scrollIntoViewIfNeeded();
    await page.screenshot({ path: `${SHOTS}/story-source-mapped.png` });
    await rows.getByText(/^Cannot be used/).click();
    await expect(rows).toContainText('‘X’ is not in the code list');
    await expect(rows).toContainText('‘six’ is no INT');
    await page.getByLabel('Name of the table').fill('till');
    await expect(page.getByTestId('source-sql')).toContainText(
      'CREATE MATERIALIZED VIEW `till_rows`',
    );
    await page.screenshot({ path: `${SHOTS}/story-source.png`, fullPage: true });
    await page.getByRole('button', { name: 'Save into the project' }).click();
    await expect(page.getByTestId('saved')).toContainText('sql/zz_saved_0001_till.sql');
    await page.getByRole('button', { name: 'Go on with it now' }).click();
    await until('its rows', 120_000, async () => {
      const found = await ask(
        own.url,
        'SELECT receipt, kind, price FROM till_rows ORDER BY receipt',
      );
      return JSON.stringify(found.map((row) => row.kind)) === '["sale","return"]';
    });
    await page.goto(`${served.url}/sources`);
    await expect(page.getByRole('gridcell', { name: 'till' }).first()).toBeVisible();
    await page.goto(`${served.url}/catalogue`);
    await page.getByRole('button', { name: 'Remove till', exact: true }).click();
    await expect(page.getByText('Its file is gone')).toBeVisible();
    // While the server goes on with the project the page says that it is away: that is no mistake.
    expect(said.filter((one) => !/Failed to load resource|ERR_/.test(one))).toEqual([]);
  } finally {
    await served.stop();
    await own.stop();
  }
});

test('a sample stands for a source that has no rows yet', async ({ page }) => {
  await page.goto(`${page$()}/sources?add=source`);
  await page.getByText('Events over HTTP', { exact: true }).click();
  await expect(page.getByRole('button', { name: 'Find the columns' })).toBeDisabled();
  const sample = '{"id": 1, "sku": "tea", "pieces": 2}\n{"id": "x", "sku": "pot"}\nno record';
  await page.getByLabel('Or a sample').fill(sample);
  await page.getByRole('button', { name: 'Find the columns' }).click();
  await page.getByRole('combobox', { name: 'Type of id' }).click();
  await page.getByRole('option', { name: 'BIGINT' }).click();
  await page.getByRole('button', { name: 'Look at the first rows' }).click();
  const rows = page.getByTestId('source-rows');
  await expect(rows).toContainText('2 cannot be used as they are');
  await rows.getByText(/^Cannot be used/).click();
  await expect(rows.getByRole('gridcell', { name: 'no record', exact: true })).toBeVisible();
});

test('files of the machine are not read, and what is wrong is said', async ({ page }) => {
  await page.goto(`${page$()}/sources?add=source`);
  await page.getByLabel('Path').fill('/etc/hostname');
  await page.getByRole('button', { name: 'Find the columns' }).click();
  await expect(page.getByRole('alert')).toContainText('not allowed');
  await page.getByLabel('Path').fill('nothing/here.csv');
  await page.getByRole('button', { name: 'Find the columns' }).click();
  await expect(page.getByRole('alert')).toContainText('nothing/here.csv');
});
