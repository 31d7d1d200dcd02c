// Screens that are read: every number comes from the few rows that this test sends, and moves when
// another one comes.
import { readFileSync } from 'node:fs';
import { expect, test, type Locator, type Page } from '@playwright/test';
import { ad, bought, cost, DAY, fillFigures, PACKS, SETTINGS, step } from './figures';
import { complaints } from './page';
import { ask, pageOf, send, startRialto, until, type OwnRialto, type Running } from './rialto';

const SHOTS = process.env.CONSOLE_SHOTS ?? 'shots';
let rialto: OwnRialto;
let own: Running;

test.beforeAll(async () => {
  rialto = await startRialto(PACKS, SETTINGS);
  await fillFigures(rialto.url);
  own = await pageOf(rialto.url);
});
test.afterAll(async () => {
  await own?.stop();
  await rialto?.stop();
});

const figure = (page: Page, label: string) =>
  page.locator('.figure').filter({ has: page.getByText(label, { exact: true }) });
const row = (table: Locator, name: string) =>
  table.getByRole('row').filter({ has: table.page().getByText(name, { exact: true }) });
/** The values of a row of a table, from left to right. */
const cells = (table: Locator, name: string) => row(table, name).getByRole('gridcell');
/** Switches a chart to its table, by keyboard. */
async function asTable(panel: Locator) {
  await panel.getByRole('radio', { name: 'Chart' }).focus();
  await panel.page().keyboard.press('ArrowRight');
}
/** Lines of a file that the page hands over, without the mark that tells Excel its encoding. */
async function taken(page: Page, act: () => Promise<void>) {
  const [file] = await Promise.all([page.waitForEvent('download'), act()]);
  const content = readFileSync(await file.path(), 'utf8').replace('\ufeff', '');
  return { name: file.suggestedFilename(), content, lines: content.split('\r\n') };
}

test('the funnel counts who got how far, and a purchase moves it', async ({ page }) => {
  const said = complaints(page);
  await page.goto(`${own.url}/funnel?day=${DAY}`);
  await expect(figure(page, 'Sessions')).toContainText('10');
  await expect(figure(page, 'Into the cart')).toContainText('40.0 %');
  await expect(figure(page, 'Conversion')).toContainText('10.0 %');
  await expect(figure(page, 'Most are lost before')).toContainText('Bought');
  await expect(figure(page, 'Most are lost before')).toContainText('only 33.3 % go on');
  const steps = page.getByRole('region', { name: 'Steps of a visit' }).getByRole('listitem');
  await expect(steps).toHaveText([
    /Looked at something.*10.*100\.0 %/,
    /40\.0 %.*Put into the cart.*4.*40\.0 %/,
    /75\.0 %.*Went to pay.*3.*30\.0 %/,
    /33\.3 %.*Bought.*1.*10\.0 %/,
  ]);
  const campaigns = page.getByRole('grid', { name: 'Campaigns of the day' });
  // Sessions, visitors, views, with cart, orders, conversion, revenue, per session.
  const spring = ['spring', '6', '6', '6', '4', '1', '16.7 %', '30.00', '5.00'];
  await expect(cells(campaigns, 'spring')).toHaveText(spring);
  await expect(cells(campaigns, 'without a campaign').nth(3)).toHaveText('5');
  const carts = page.getByRole('grid', { name: 'Carts left behind' });
  await expect(cells(carts, 'c-left').last()).toHaveText('12.50');
  await page.screenshot({ path: `${SHOTS}/story-funnel.png` });
  // One who went to pay buys: nobody loads the page anew.
  await send(rialto.url, 'sale_line', [
    bought('b-8', 1, `${DAY} 12:01:00`, null, 'cup', 45, { session_id: 'visit-1' }),
  ]);
  await expect(figure(page, 'Conversion')).toContainText('20.0 %');
  await expect(figure(page, 'Conversion')).toContainText('2 sessions with an order');
  await expect(cells(campaigns, 'spring').nth(7)).toHaveText('75.00');
  // Who left a cart is one click away.
  await carts.getByRole('link', { name: 'c-left' }).click();
  await expect(page).toHaveURL(/customers\/c-left/);
  expect(said).toEqual([]);
});

test('what a chart shows is a table, and both can be taken away', async ({ page }) => {
  const title = 'Share of sessions that got there';
  await page.goto(`${own.url}/funnel?day=${DAY}`);
  const panel = page.getByRole('region', { name: title });
  const picture = panel.getByRole('img', { name: title });
  await expect(picture.locator('svg')).toBeVisible();
  const take = async (kind: string) => {
    await panel.getByRole('button', { name: `Export ${title}` }).press('Enter');
    await page.getByRole('menuitem', { name: kind }).press('Enter');
  };
  const svg = await taken(page, () => take('SVG'));
  expect(svg.name).toBe('conversion.svg');
  expect(svg.content).toMatch(/^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  expect(svg.content).toContain('Went to pay');
  // By keyboard, as all else; the address keeps it.
  await asTable(panel);
  const table = panel.getByRole('grid', { name: title });
  await expect(row(table, 'Put into the cart').getByRole('gridcell')).toHaveText([
    DAY,
    'Put into the cart',
    '4',
    '40.0 %',
  ]);
  await expect(page).toHaveURL(/conversion\.as=table/);
  await page.reload();
  await expect(table).toBeVisible();
  await expect(picture).toBeHidden();
  const { name, lines } = await taken(page, () => take('CSV'));
  expect(name).toBe('conversion.csv');
  expect(lines[0]).toBe('Day,Step,Sessions,Conversion');
  expect(lines.slice(1).sort()).toContain(`${DAY},cart,4,40`);
  expect(lines).toHaveLength(5);
  await panel.getByRole('radio', { name: 'Table' }).focus();
  await page.keyboard.press('ArrowLeft');
  await expect(picture.locator('svg')).toBeVisible();
});

test('a table is taken away as it is seen: found rows, in their order', async ({ page }) => {
  await page.goto(`${own.url}/catalogue?view=recommend_bought_with`);
  const table = page.getByRole('grid', { name: 'recommend_bought_with' });
  await expect(table.getByRole('row')).not.toHaveCount(1);
  const tools = page
    .locator('.table-tools')
    .filter({ has: page.getByPlaceholder('Find') })
    .last();
  await tools.getByRole('textbox', { name: 'Find in recommend_bought_with' }).fill('milk');
  await expect(page.getByText('2 of 4')).toBeVisible();
  await table.getByRole('columnheader', { name: 'sku', exact: true }).getByRole('button').click();
  await expect(page).toHaveURL(/sort=sku/);
  const { name, lines } = await taken(page, () =>
    tools.getByRole('button', { name: 'Export as CSV' }).click(),
  );
  expect(name).toMatch(/\.csv$/);
  expect(lines[0]).toBe('sku,with_sku,baskets,place');
  expect(lines.slice(1)).toEqual(['milk,tea,2,1', 'tea,milk,2,1']);
});

test('ads: what they cost and bring, to whom it is owed, and a budget that is gone', async ({
  page,
}) => {
  const said = complaints(page);
  await page.goto(`${own.url}/ads?day=${DAY}`);
  await expect(figure(page, 'Cost')).toContainText('15.00');
  await expect(figure(page, 'Revenue')).toContainText('40.00');
  await expect(figure(page, 'ROAS')).toContainText('2.67');
  await expect(figure(page, 'CTR')).toContainText('60.00 %');
  await expect(figure(page, 'Conversions')).toContainText('of 3 clicks');
  const day = page.getByRole('grid', { name: /^Campaigns on/ });
  const search = ['search', '4', '2', '0', '1', '50.00 %', '50.00 %', '5.00', '10.00', '40.00'];
  await expect(cells(day, 'search')).toHaveText([...search, '4.00']);
  await expect(cells(day, 'social').nth(8)).toHaveText('5.00');
  // The customer came by `search` first and by `social` last: each model divides the 100.00.
  const owed = page.getByRole('region', { name: 'Revenue owed to campaigns, by model' });
  await asTable(owed);
  await expect(cells(owed, 'search')).toHaveText(['search', '100.00', '–', '50.00', '50.00']);
  await expect(cells(owed, 'social')).toHaveText(['social', '–', '100.00', '50.00', '50.00']);
  // What nobody came to by an ad is owed to none, by every model the same.
  const others = cells(owed, 'without a campaign');
  const rest = (await others.nth(1).textContent())!;
  await expect(others).toHaveText(['without a campaign', rest, rest, rest, rest]);
  const budgets = page.getByRole('region', { name: 'Budgets today' });
  await expect(budgets.getByRole('listitem').first()).toContainText('On course');
  await expect(budgets.getByRole('img', { name: 'search: 50 % spent, 50 % of' })).toBeVisible();
  await page.screenshot({ path: `${SHOTS}/story-ads.png` });
  await send(rialto.url, 'ad_event', [
    ad('shown-6', '11:59:40', 'impression', 'search', { imp_id: 'i-6', ...cost(12) }),
  ]);
  await expect(budgets.getByRole('listitem').first()).toContainText('Used up');
  await expect(cells(day, 'search').nth(8)).toHaveText('22.00');
  await expect(figure(page, 'Cost')).toContainText('27.00');
  expect(said).toEqual([]);
});

test('recommendations: what is shown to whom and why, until it is bought', async ({ page }) => {
  const said = complaints(page);
  await page.goto(`${own.url}/recommendations?for=c-tea`);
  const list = (name: string) => page.getByRole('region', { name }).getByRole('listitem');
  await expect(list('Buy again').first()).toHaveText(/1.*tea.*Bought 3 times.*2026-04-01/);
  await expect(list('Discover')).toHaveText([/1.*jam.*[Pp]opular.*2/]);
  await page.screenshot({ path: `${SHOTS}/story-recommendations.png` });
  // An article leads on to what goes with it.
  await page.getByRole('region', { name: 'Buy again' }).getByText('tea', { exact: true }).click();
  await expect(page).toHaveURL(/by=sku.*for=tea|for=tea.*by=sku/);
  await expect(list('Bought together with')).toHaveText([
    /1.*milk.*2 baskets/,
    /2.*cake.*1 basket/,
  ]);
  await expect(page.getByText('Popular: place 1', { exact: true })).toBeVisible();
  await page.goBack();
  await expect(list('Discover')).toHaveText([/jam/]);
  // A session that looks at tea right now.
  await page.getByText('Session', { exact: true }).click();
  const subject = page.getByRole('combobox', { name: 'Customer, session or article' });
  await subject.fill('visit-9');
  await subject.press('Enter');
  const goes = list('Goes with what was looked at');
  await expect(goes.nth(0)).toHaveText(/1.*milk.*tea/);
  await expect(goes.nth(1)).toHaveText(/2.*cake.*tea/);
  // What was bought a moment ago is offered no more.
  await page.goto(`${own.url}/recommendations?for=c-tea`);
  await expect(list('Buy again').first()).toContainText('tea');
  await send(rialto.url, 'sale_line', [bought('b-9', 1, `${DAY} 12:05:00`, 'c-tea', 'tea', 4)]);
  await expect(list('Buy again').first()).toContainText('milk');
  await expect(page.getByRole('region', { name: 'Buy again' })).not.toContainText('tea');
  // Somebody whom nobody knows.
  await subject.fill('nobody');
  await subject.press('Enter');
  await expect(page.getByText('it has bought and looked at nothing yet')).toBeVisible();
  expect(said).toEqual([]);
});

test('jobs: what a view is made of, what flowed, and a checkpoint', async ({ page }) => {
  const said = complaints(page);
  const parcels = (from: number, count: number) =>
    send(
      rialto.url,
      'parcel',
      Array.from({ length: count }, (_, at) => ({ no: from + at, pieces: 1 })),
    );
  await parcels(0, 30);
  await until('parcels', 60_000, async () =>
    (await ask(rialto.url, 'SELECT COUNT(*) AS n FROM parcels')).some(({ n }) => Number(n) === 30),
  );
  await page.goto(`${own.url}/jobs`);
  await page.getByRole('combobox', { name: 'Name' }).fill('parcels');
  await page.getByRole('option', { name: 'parcels', exact: true }).click();
  await expect(page).toHaveURL(/view=parcels/);
  const graph = page.getByRole('region', { name: 'From the sources to a view' });
  await expect(graph.locator('.box[data-kind=source]')).toContainText('parcel30 rows');
  await expect(graph.locator('.box[data-kind=output]')).toContainText('parcels30 changes');
  const rows = async () =>
    Number(
      (await figure(page, 'Rows taken in').locator('.value').textContent())!.replace(/,/g, ''),
    );
  const before = await rows();
  await parcels(30, 12);
  await expect(graph.locator('.box[data-kind=source]')).toContainText('parcel42 rows');
  await expect.poll(rows).toBe(before + 12);
  const outputs = page.getByRole('grid', { name: 'Views and sinks' });
  await page.getByRole('textbox', { name: 'Find in Views and sinks' }).fill('parcels');
  await expect(cells(outputs, 'parcels').nth(2)).toHaveText('42');
  // What is late is counted, and not hidden.
  const late = { event_time: '2026-03-01 10:00:00Z', session_id: 'visit-late' };
  await send(rialto.url, 'behavior_event', [step(99, 0, 'product_viewed', late)]);
  await expect(figure(page, 'Late rows').locator('.value')).not.toHaveText('0');
  await page.getByRole('button', { name: 'Take one now' }).click();
  await expect(page.getByText(/Checkpoint \d+ is durable\./)).toBeVisible();
  await page.screenshot({ path: `${SHOTS}/story-jobs.png` });
  const operators = page.getByRole('grid', { name: 'Operators' });
  await page.getByRole('textbox', { name: 'Find in Operators' }).fill('parcels');
  await expect(operators.getByRole('row').nth(1)).toContainText('parcels');
  expect(said).toEqual([]);
});

test('the big screen shows the newest day, and a sale on it at once', async ({ browser }) => {
  const today = '2026-04-03';
  const sold = (receipt: string, at: string, sku: string, price: number) =>
    bought(receipt, 1, `${today} ${at}`, 'c-wall', sku, price, { description: `A ${sku}` });
  await send(rialto.url, 'sale_line', [
    sold('w-1', '09:00:00', 'lamp', 90),
    sold('w-2', '09:30:00', 'cup', 30),
  ]);
  const page = await browser.newPage({ viewport: { width: 1920, height: 1080 } });
  const said = complaints(page);
  await page.goto(`${own.url}/wall`);
  const big = (label: string) => page.locator('.big').filter({ hasText: label });
  await expect(big('Sold today').locator('strong')).toHaveText('£120');
  await expect(big('Orders').locator('strong')).toHaveText('2');
  await expect(big('Basket').locator('strong')).toHaveText('£60.00');
  await expect(big('Of the target').locator('strong')).toHaveText('60 %');
  const best = page.locator('.panel').filter({ hasText: 'Best sellers today' });
  await expect(best.getByRole('listitem')).toHaveText([/1.*A lamp.*£90/, /2.*A cup.*£30/]);
  await send(rialto.url, 'sale_line', [sold('w-3', '09:40:00', 'cup', 80)]);
  await expect(big('Sold today').locator('strong')).toHaveText('£200');
  await expect(big('Orders').locator('strong')).toHaveText('3');
  await expect(big('Of the target').locator('strong')).toHaveText('100 %');
  await expect(best.getByRole('listitem')).toHaveText([/1.*A cup.*£110/, /2.*A lamp.*£90/]);
  // Nobody stands before it with a mouse: nothing is cut, nothing has to be scrolled.
  const high = await page.evaluate(() => document.documentElement.scrollHeight);
  expect(high).toBeLessThanOrEqual(1080);
  await page.screenshot({ path: `${SHOTS}/story-wall.png` });
  expect(said).toEqual([]);
  await page.close();
});
