// What all tests of the page use.
import type { Page } from '@playwright/test';

/** What a browser complains about; nothing may. */
export function complaints(page: Page): string[] {
  const said: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) said.push(message.text());
  });
  page.on('pageerror', (error) => said.push(error.message));
  return said;
}

/** Waits until nothing fades or moves: a color in between has no contrast of its own. */
export async function atRest(page: Page) {
  await page.waitForFunction(() =>
    document
      .getAnimations()
      .every((one) => one.playState !== 'running' || !(one instanceof CSSTransition)),
  );
}
