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
    await page.getByRole('button', { name: 'Forget the token' }).click();
    await expect(form).toBeVisible();
  } finally {
    await own.stop();
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});
