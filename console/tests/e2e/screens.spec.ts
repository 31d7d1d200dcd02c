// Every screen, in both languages, light and dark: no error, nothing serious for axe, a picture.
import AxeBuilder from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
import { atRest, complaints } from './page';

const page$ = () => process.env.TEST_PAGE!;
const SHOTS = process.env.CONSOLE_SHOTS ?? 'shots';
const PIPELINE = `CREATE VIEW by_sku AS
SELECT p.sku, SUM(p.on_hand) AS pieces, COUNT(*) AS places
FROM inventory_position AS p
LEFT JOIN inventory_stock_out_risk AS r ON p.sku = r.sku AND p.location_id = r.location_id
WHERE p.on_hand > 0
GROUP BY p.sku;
CREATE MATERIALIZED VIEW fullest AS
SELECT sku, pieces FROM by_sku ORDER BY pieces DESC LIMIT 5;`;
const SCREENS: [string, string, RegExp][] = [
  ['overview', '/', /Sales so far|今日累计销售/],
  ['inventory', '/inventory', /sku-1/],
  ['pricing', '/pricing', /Price changes|价格变动/],
  ['customers', '/customers', /c-1/],
  ['customer', '/customers/c-1', /What is known|已知的标签/],
  ['recommendations', '/recommendations', /Discover|发现/],
  ['funnel', '/funnel', /Steps of a visit|访问的步骤/],
  ['ads', '/ads', /ad-1/],
  ['decisions', '/decisions', /What came of it|结果如何/],
  ['sql', '/sql?q=SELECT%20sku%2C%20on_hand%20FROM%20inventory_position', /sku-3/],
  ['catalogue', '/catalogue?view=sales_by_day', /gmv_day_before/],
  ['jobs', '/jobs', /From the sources to a view|从数据源到视图/],
  ['sources', '/sources', /sale_line/],
  ['wall', '/wall', /Best sellers|今日畅销/],
  ['alerts', '/alerts', /No alert of your own yet|还没有自定义告警/],
  ['lineage', '/lineage?view=sales_by_day&column=gmv', /sale_line\.line_total/],
  ['editor', `/editor?node=0%3A%3Aend&text=${encodeURIComponent(PIPELINE)}`, /rows of step|行，第/],
  ['settings', '/settings', /Tokens|令牌/],
];

for (const [language, scheme] of [
  ['en', 'light'],
  ['zh-CN', 'dark'],
] as const) {
  for (const [name, path, shows] of SCREENS) {
    test(`${name} in ${language}, ${scheme}`, async ({ browser }) => {
      const viewport =
        name === 'wall' ? { width: 1920, height: 1080 } : { width: 1440, height: 900 };
      const context = await browser.newContext({
        viewport,
        colorScheme: scheme,
        locale: language,
        // A color that fades has no contrast of its own.
        reducedMotion: 'reduce',
      });
      const page = await context.newPage();
      const said = complaints(page);
      await page.goto(page$() + path);
      await expect(page.getByText(shows).first()).toBeVisible();
      await expect(page.locator('html')).toHaveAttribute('lang', language);
      if (name !== 'wall')
        await expect(page.getByTestId('moment')).toHaveAttribute('data-state', 'live');
      await page.waitForLoadState('load');
      await atRest(page);
      const found = await new AxeBuilder({ page }).analyze();
      const serious = found.violations.filter((one) =>
        ['serious', 'critical'].includes(one.impact ?? ''),
      );
      expect(
        serious.map((one) => `${one.id}: ${one.nodes[0]?.html} ${one.nodes[0]?.failureSummary}`),
      ).toEqual([]);
      await page.screenshot({ path: `${SHOTS}/${name}-${language}-${scheme}.png` });
      expect(said).toEqual([]);
      await context.close();
    });
  }
}

test('the overview on a phone', async ({ browser }) => {
  const page = await browser.newPage({ viewport: { width: 390, height: 844 } });
  await page.goto(page$());
  await expect(page.getByText('Sales so far')).toBeVisible();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(wide).toBeLessThanOrEqual(390);
  await page.getByRole('button', { name: 'Open the menu' }).click();
  await page.getByRole('link', { name: 'Inventory' }).click();
  await expect(page.getByRole('heading', { name: 'Inventory' })).toBeVisible();
  await page.close();
});
