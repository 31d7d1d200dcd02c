// What is made in the page: pipelines and views, alerts; and where numbers come from.
import { expect, test, type Page } from '@playwright/test';
import { complaints } from './page';
import { startPage, startRialto, until } from './rialto';

const page$ = () => process.env.TEST_PAGE!;
const rialto = () => process.env.TEST_RIALTO!;
const SHOTS = process.env.CONSOLE_SHOTS ?? 'shots';

const written = (page: Page) => page.getByTestId('pipeline').locator('.cm-content');
async function choose(page: Page, label: string, option: string) {
  await page.getByRole('combobox', { name: label }).click();
  await page.keyboard.type(option);
  await page.getByRole('option', { name: option, exact: true }).click();
}
const declared = async (url: string) => {
  const answer = await fetch(`${url}/v1/catalogue`);
  return ((await answer.json()) as { relations: { name: string; is_running: boolean }[] })
    .relations;
};

test('a pipeline is drawn, looked at, undone, written and saved', async ({ page }) => {
  const said = complaints(page);
  await page.goto(`${page$()}/editor`);
  await choose(page, 'Begin with a view or table', 'inventory_position');
  await expect(written(page)).toContainText('FROM inventory_position;');
  const graph = page.getByTestId('graph');
  await expect(graph.getByRole('button', { name: 'View: from_inventory_position' })).toBeVisible();
  await page.getByRole('toolbar').getByRole('button', { name: 'Filter' }).click();
  await page.getByRole('textbox', { name: 'Condition' }).fill('on_hand > 25');
  await page.getByRole('textbox', { name: 'Condition' }).press('Control+Enter');
  await expect(written(page)).toContainText('WHERE on_hand > 25');
  // A node is asked for some of its rows.
  await expect(page.getByTestId('sampled')).toContainText('rows of step');
  await expect(page.getByRole('gridcell', { name: 'sku-6' })).toBeVisible();
  await expect(page.getByRole('gridcell', { name: 'sku-2' })).toBeHidden();
  // The aggregate is drawn behind it, and taken back by keyboard.
  await graph.getByRole('button', { name: 'View: from_inventory_position' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('toolbar').getByRole('button', { name: 'Aggregate' }).click();
  await expect(written(page)).toContainText('GROUP BY');
  await graph.getByRole('button', { name: 'View: from_inventory_position' }).focus();
  await page.keyboard.press('Control+z');
  await expect(written(page)).not.toContainText('GROUP BY');
  await page.keyboard.press('Control+Shift+Z');
  await expect(written(page)).toContainText('GROUP BY');
  await page.getByRole('button', { name: 'Undo' }).click();
  // What is written by hand is drawn; what the graph cannot say is kept.
  await written(page).click();
  await page.keyboard.press('Control+End');
  await page.keyboard.type('\nCREATE VIEW two AS SELECT 1 AS a UNION SELECT 2 AS a;');
  await expect(graph.getByRole('button', { name: 'SQL: two' })).toBeVisible();
  await graph.getByRole('button', { name: 'View: from_inventory_position' }).click();
  await page.screenshot({ path: `${SHOTS}/story-editor.png` });
  await page.getByRole('button', { name: 'Save as view' }).click();
  const form = page.getByRole('dialog');
  await form.getByLabel('Name').fill('well_stocked');
  await form.getByRole('button', { name: 'Save into the project' }).click();
  await expect(form.getByTestId('saved')).toContainText('sql/zz_saved_0001_well_stocked.sql');
  expect((await declared(rialto())).map((one) => one.name)).toContain('well_stocked');
  // A link holds the whole drawing.
  await page.reload();
  await expect(written(page)).toContainText('WHERE on_hand > 25');
  await expect(graph.getByRole('button', { name: 'SQL: two' })).toBeVisible();
  await page.goto(`${page$()}/catalogue`);
  await page.getByRole('button', { name: 'Remove well_stocked' }).click();
  await expect(page.getByText('Its file is gone')).toBeVisible();
  expect(said).toEqual([]);
});

test('what cannot be a view is refused with the reason', async ({ page }) => {
  await page.goto(`${page$()}/sql?q=SELECT%20nothing%20FROM%20sales_by_day`);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('menuitem', { name: 'Save as view' }).click();
  const form = page.getByRole('dialog');
  await form.getByLabel('Name').fill('wrong');
  await form.getByRole('button', { name: 'Save into the project' }).click();
  await expect(form.getByRole('alert')).toContainText('nothing');
});

test('a column is followed down to the table that it comes from', async ({ page }) => {
  const said = complaints(page);
  await page.goto(`${page$()}/lineage?view=sales_by_day`);
  await expect(page.getByTestId('lineage')).toContainText('sale_line');
  await choose(page, 'Column', 'gmv');
  await expect(page.getByText('sale_line.line_total')).toBeVisible();
  await expect(page.getByText('sale_line.sku', { exact: true })).toBeHidden();
  await expect(page).toHaveURL(/column=gmv/);
  await page.screenshot({ path: `${SHOTS}/story-lineage.png` });
  expect(said).toEqual([]);
});

test('an alert is made, fires, is on the overview, and is forgotten', async ({ page }) => {
  await page.goto(`${page$()}/alerts`);
  await page.getByRole('button', { name: 'New alert' }).click();
  const form = page.getByRole('dialog');
  await form.getByLabel('Title').fill('Too much of it');
  await form.getByRole('combobox', { name: 'View' }).click();
  await page.keyboard.type('inventory_pos');
  await page.getByRole('option', { name: 'inventory_position' }).click();
  await form.getByLabel('Condition').fill('on_hand >>> 50');
  await expect(form.getByRole('alert')).toBeVisible();
  await form.getByLabel('Condition').fill('on_hand > 50');
  await expect(form.getByTestId('tried')).toContainText('1 row fulfils it now');
  await form.getByRole('button', { name: 'Save' }).click();
  const firing = page.getByTestId('firing-too_much_of_it');
  await expect(firing).toContainText('sku-6');
  await expect(firing).toContainText('since');
  await page.screenshot({ path: `${SHOTS}/story-alert.png` });
  await page.goto(page$());
  await expect(page.getByText('Too much of it')).toBeVisible();
  await page.goto(`${page$()}/alerts?open=too_much_of_it`);
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByText('No alert of your own yet')).toBeVisible();
});

test('a saved view begins at once where one asks for it', async ({ page }) => {
  const own = await startRialto(['sales']);
  const served = await startPage(own.url);
  try {
    await page.goto(`${served.url}/sql?q=SELECT%20COUNT(*)%20AS%20n%20FROM%20sales_by_day`);
    await expect(page.getByTestId('answered')).toBeVisible();
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.getByRole('menuitem', { name: 'Save as view' }).click();
    const form = page.getByRole('dialog');
    await form.getByLabel('Name').fill('how_many_days');
    await form.getByRole('button', { name: 'Save into the project' }).click();
    await form.getByRole('button', { name: 'Go on with it now' }).click();
    await expect(form.getByText('The project is planned anew')).toBeVisible({ timeout: 120_000 });
    await until('the view', 120_000, async () =>
      (await declared(own.url)).some((one) => one.name === 'how_many_days' && one.is_running),
    );
    await page.goto(`${served.url}/catalogue?view=how_many_days`);
    await expect(page.getByRole('grid', { name: 'how_many_days' })).toBeVisible();
  } finally {
    await served.stop();
    await own.stop();
  }
});
