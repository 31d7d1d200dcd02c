// Sources by form that are not files: a real PostgreSQL, a real Kafka, a server that sends lines.
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test, type Page } from '@playwright/test';
import { complaints } from './page';
import { ask, binary, startPage, startRialto, until } from './rialto';

const page$ = () => process.env.TEST_PAGE!;
const SHOTS = process.env.CONSOLE_SHOTS ?? 'shots';
const SCRIPTS = resolve(import.meta.dirname, '../../../scripts');
/** What a script answers where there can be no such server on this machine. */
const UNAVAILABLE = 3;

/** A server by its script, gone with this process; what it says of itself, or null. */
function started(script: string, ...settings: string[]): Record<string, string> | null {
  const path = join(SCRIPTS, script);
  const up = ['up', '--for', String(process.pid), ...settings];
  const made = spawnSync(path, up, { encoding: 'utf8' });
  if (made.status === UNAVAILABLE) {
    console.log(`SKIPPED: ${made.stderr.trim()}`);
    return null;
  }
  if (made.status !== 0) throw new Error(`${script}: ${made.stderr}`);
  const pairs = made.stdout.matchAll(/^(\w+)=(.*)$/gm);
  return Object.fromEntries(
    [...pairs].map(([, name, value]) => [name!, value!.replace(/^['"]|['"]$/g, '')]),
  );
}
const ended = (script: string, folder: string) =>
  spawnSync(join(SCRIPTS, script), ['down', folder], { stdio: 'ignore' });

/** Runs SQL in a Rialto of its own until it ends. */
async function run(folder: string, sql: string) {
  writeFileSync(join(folder, 'job.sql'), sql);
  await promisify(execFile)(binary(), ['run', join(folder, 'job.sql')]);
}

async function opened(page: Page, connector: string, base = page$()) {
  await page.goto(`${base}/sources?add=source`);
  await page.getByText(connector, { exact: true }).click();
}
const field = (page: Page, name: string) => page.locator(`tr[data-field="${name}"]`);
const typeOf = (page: Page, name: string) =>
  page.getByRole('combobox', { name: `Type of ${name}` });

test('a table of PostgreSQL is found, looked at, saved and read', async ({ page }) => {
  const server = started('postgres.sh');
  test.skip(server === null, 'no PostgreSQL on this machine');
  const said = complaints(page);
  const url = new URL(server!.POSTGRES_URL!);
  const psql = (sql: string) => {
    const { status, stderr } = spawnSync('psql', [url.href, '-qc', sql], { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
  };
  psql('CREATE TABLE "Stock" (sku text PRIMARY KEY, pieces int, price numeric(10,2), since date)');
  psql(`INSERT INTO "Stock" VALUES ('tea', 4, 9.95, '2026-03-02'), ('pot', NULL, 24.5, NULL)`);
  const wide = Array.from({ length: 120 }, (_, at) => `c${at + 1} int`);
  psql(`CREATE TABLE wide (${wide.join(', ')})`);
  psql('CREATE SCHEMA archive; CREATE TABLE archive.wide (c1 text, old text)');
  const own = await startRialto(['sales'], `[variables]\ndatabase_password = "${url.password}"\n`);
  const served = await startPage(own.url);
  try {
    await opened(page, 'PostgreSQL', served.url);
    await page.getByLabel('Address').fill(`postgresql://${url.host}${url.pathname}`);
    await page.getByRole('textbox', { name: 'Table', exact: true }).fill('"Stock"');
    await page.getByLabel('User').fill(url.username);
    // What is no variable of the project is said, and what to do.
    await page.getByLabel('Variable with the password').fill('other');
    await page.getByRole('button', { name: 'Find the columns' }).click();
    await expect(page.getByRole('alert')).toContainText("no variable 'other'");
    await page.getByLabel('Variable with the password').fill('database_password');
    await page.getByRole('button', { name: 'Find the columns' }).click();
    await expect(typeOf(page, 'price')).toHaveValue('DECIMAL(10, 2)');
    await expect(typeOf(page, 'since')).toHaveValue('DATE');
    const rows = page.getByTestId('source-rows');
    await expect(rows.getByRole('gridcell', { name: '24.5' }).first()).toBeVisible();
    await page.screenshot({ path: `${SHOTS}/story-source-postgres.png`, fullPage: true });
    // One with more columns than a preview has rows, and a namesake in another schema.
    const table = page.getByRole('textbox', { name: 'Table', exact: true });
    await table.fill('wide');
    await page.getByRole('button', { name: 'Find the columns' }).click();
    await expect(page.locator('tr[data-field]')).toHaveCount(120);
    await expect(typeOf(page, 'c120')).toHaveValue('INT');
    await expect(field(page, 'old')).toHaveCount(0);
    await table.fill('"Stock"');
    await page.getByRole('button', { name: 'Find the columns' }).click();
    await expect(page.locator('tr[data-field]')).toHaveCount(4);
    await page.getByLabel('Name of the table').fill('stock');
    const sql = page.getByTestId('source-sql');
    await expect(sql).toContainText("'password' = '${database_password}'");
    await page.getByRole('button', { name: 'Save into the project' }).click();
    await expect(page.getByTestId('saved')).toContainText('sql/zz_saved_0001_stock.sql');
    await page.getByRole('button', { name: 'Go on with it now' }).click();
    await until('its rows', 120_000, async () => {
      const found = await ask(own.url, 'SELECT sku FROM stock_rows ORDER BY sku');
      return JSON.stringify(found.map((row) => row.sku)) === '["pot","tea"]';
    });
    expect(said.filter((one) => !/Failed to load resource|ERR_/.test(one))).toEqual([]);
  } finally {
    await served.stop();
    await own.stop();
    ended('postgres.sh', server!.POSTGRES_DIR!);
  }
});

test('a topic of Kafka is looked at', async ({ page }) => {
  const server = started('kafka.sh', 'auto.create.topics.enable=true');
  test.skip(server === null, 'no Apache Kafka on this machine');
  const said = complaints(page);
  const folder = mkdtempSync(join(tmpdir(), 'rialto-kafka-'));
  const brokers = server!.KAFKA_BOOTSTRAP!;
  try {
    const lines = ['{"id":1,"sku":"tea","cents":995}', '{"id":2,"sku":"pot","cents":2450}'];
    writeFileSync(join(folder, 'sold.json'), `${lines.join('\n')}\n`);
    const columns = '(id INT, sku STRING, cents INT)';
    await run(
      folder,
      `CREATE TABLE here ${columns} WITH
         ('connector' = 'filesystem', 'path' = 'sold.json', 'format' = 'json');
       CREATE TABLE there ${columns} WITH ('connector' = 'kafka', 'topic' = 'sold',
         'properties.bootstrap.servers' = '${brokers}', 'format' = 'json');
       INSERT INTO there SELECT * FROM here;`,
    );
    await opened(page, 'Kafka');
    await page.getByLabel('Topic').fill('sold');
    await page.getByLabel('Brokers').fill(brokers);
    await page.getByRole('button', { name: 'Find the columns' }).click();
    await expect(field(page, 'cents')).toBeVisible();
    await page.getByLabel('Unit of cents').fill('/ 100');
    await page.getByRole('button', { name: 'Look at the first rows' }).click();
    const rows = page.getByTestId('source-rows');
    await expect(rows.getByRole('gridcell', { name: '24.5' })).toBeVisible();
    await expect(rows).toContainText('all of them can be used');
    // A topic that is not there is said by its name.
    await page.getByLabel('Topic').fill('nothing_here');
    await page.getByRole('button', { name: 'Look at the first rows' }).click();
    await expect(page.getByRole('alert')).toContainText('nothing_here');
    expect(said.filter((one) => !/Failed to load resource/.test(one))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    ended('kafka.sh', server!.KAFKA_DIR!);
  }
});

test('lines that a server sends are looked at', async ({ page }) => {
  const said = complaints(page);
  const lines = ['{"till":7,"sku":"tea"}', '{"till":8,"sku":"pot"}', 'no record'];
  const server = createServer((line) => {
    line.on('error', () => line.destroy());
    line.write(`${lines.join('\n')}\n`);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  try {
    await opened(page, 'Lines over TCP');
    await page.getByLabel('Port').fill(String(port));
    await page.getByRole('button', { name: 'Find the columns' }).click();
    await expect(field(page, 'till')).toBeVisible();
    const rows = page.getByTestId('source-rows');
    await expect(rows.getByRole('gridcell', { name: 'pot' }).first()).toBeVisible();
    await expect(rows).toContainText('1 cannot be used as it is');
    expect(said).toEqual([]);
  } finally {
    server.close();
  }
});
