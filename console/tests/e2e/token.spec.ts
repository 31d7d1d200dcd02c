// A server that needs tokens: the page asks for one, and goes on with it.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { binary, freePort, startPage, until } from './rialto';

test('a token is asked for, and forgotten', async ({ page }) => {
  const folder = mkdtempSync(join(tmpdir(), 'rialto-token-'));
  const job =
    "CREATE TABLE s (id INT) WITH ('connector' = 'http');\n" +
    'CREATE MATERIALIZED VIEW how_many AS SELECT COUNT(*) AS n FROM s;\n';
  writeFileSync(join(folder, 'job.sql'), job);
  const port = await freePort();
  const serve = ['--serve', `127.0.0.1:${port}`, '--require-tokens'];
  const child = spawn(binary(), ['run', join(folder, 'job.sql'), ...serve]);
  let said = '';
  child.stderr.on('data', (part: Buffer) => (said += part.toString()));
  const secret = () => /shown this once: (\S+)/.exec(said)?.[1];
  await until('the token', 60_000, async () => secret() !== undefined);
  const own = await startPage(`http://127.0.0.1:${port}`);
  try {
    await page.goto(`${own.url}/catalogue`);
    const form = page.getByTestId('token');
    await form.getByLabel('Token', { exact: true }).fill(secret()!);
    await form.getByRole('button', { name: 'Use it' }).click();
    await expect(page.getByText('how_many').first()).toBeVisible();
    await expect(form).toBeHidden();
    // The administrator makes a token for somebody else, sees it once, and takes it back.
    await page.goto(`${own.url}/settings`);
    await page.getByLabel('Whose it is').fill('grafana');
    await page.getByRole('button', { name: 'Make a token' }).click();
    const shown = page.getByTestId('made').getByText(/^rialto_\S+$/);
    await expect(shown).toBeVisible();
    const made = await shown.textContent();
    const asked = () =>
      fetch(`http://127.0.0.1:${port}/v1/views`, { headers: { Authorization: `Bearer ${made}` } });
    await until('the new token', 60_000, async () => (await asked()).ok);
    await page.getByRole('button', { name: 'Take back grafana' }).click();
    await until('its end', 60_000, async () => (await asked()).status === 401);
    // Somebody has a role and a token; with another role the same token is good for more.
    const adding = page.getByRole('form', { name: 'Add somebody' });
    await adding.getByLabel('Name').fill('ann');
    await adding.getByLabel('Is called').fill('Ann Lee');
    await page.getByRole('button', { name: 'Add somebody' }).click();
    const ann = page.getByTestId('person-ann');
    await ann.getByRole('button', { name: 'Make a token for ann' }).click();
    const anns = await ann.getByText(/^rialto_\S+$/).textContent();
    const query = { method: 'POST', body: JSON.stringify({ query: 'SELECT n FROM how_many' }) };
    const headers = { Authorization: `Bearer ${anns}`, 'Content-Type': 'application/json' };
    const sql = async () =>
      (await fetch(`http://127.0.0.1:${port}/v1/sql`, { ...query, headers })).status;
    await until('their token', 60_000, async () => (await sql()) === 403);
    await ann.getByRole('combobox', { name: 'Role of ann' }).click();
    await page.getByRole('option', { name: 'Analyst' }).click();
    await until('their role', 60_000, async () => (await sql()) === 200);
    await page.screenshot({ path: `${process.env.CONSOLE_SHOTS ?? 'shots'}/story-people.png` });
    await ann.getByRole('button', { name: 'Take out ann' }).click();
    await ann.getByRole('button', { name: 'Yes, take out' }).click();
    await until('their end', 60_000, async () => (await sql()) === 401);
    await page.getByRole('button', { name: 'Take back admin' }).click();
    await expect(page.getByRole('alert')).toContainText('last token of an admin');
    await page.getByRole('button', { name: 'Forget the token' }).click();
    await expect(form).toBeVisible();
  } finally {
    await own.stop();
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});
