// Every screen, in both languages, light and dark: no error, nothing serious for axe, a picture.
import AxeBuilder from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
import { atRest, complaints } from './page';
import { SCREENS } from './screens';

const page$ = () => process.env.TEST_PAGE!;
const SHOTS = process.env.CONSOLE_SHOTS ?? 'shots';
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
