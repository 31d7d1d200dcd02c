// A real Rialto over ten packs and what decides, whose tables are filled by events of the tests.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** Fewer (CONSOLE_PACKS=sales,inventory) are there sooner, for the tests that need no more. */
const PACKS = process.env.CONSOLE_PACKS?.split(',') ?? [
  'sales',
  'inventory',
  'replenishment',
  'pricing',
  'customers',
  'recommend',
  'behavior',
  'ads',
  'loyalty',
  'market',
];
/** What keeps decisions, and hears what people say on them. */
const JOURNAL = [
  'decisions/journal.sql',
  'decisions/from_replenishment.sql',
  'decisions/from_pricing.sql',
  'decisions/sql',
];
const OWN = `
SET 'execution.checkpointing.interval' = '250 ms';
CREATE TABLE delivery_note (id BIGINT, sku STRING, pieces INT) WITH (
  'connector' = 'filesystem', 'path' = 'notes', 'format' = 'json',
  'source.monitor-interval' = '100 ms');
CREATE MATERIALIZED VIEW pieces_noted AS SELECT COUNT(*) AS notes, SUM(pieces) AS pieces
FROM delivery_note;
CREATE TABLE parcel (no INT, pieces INT) WITH ('connector' = 'http');
CREATE MATERIALIZED VIEW parcels AS SELECT no, SUM(pieces) AS pieces FROM parcel GROUP BY no;
`;
/** A record that cannot be read, among two that can. */
const NOTES = '{"id":1,"sku":"sku-1","pieces":4}\n{"id":2,"sku":"sku-2","pieces":"six"}\n';
const ROOT = resolve(import.meta.dirname, '../../..');
export const binary = () =>
  process.env.RIALTO ??
  `${process.env.CARGO_TARGET_DIR ?? `${process.env.HOME}/.cache/rialto/target`}/debug/rialto`;

export function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });
}

export async function until(what: string, ms: number, is: () => Promise<boolean>) {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    if (await is().catch(() => false)) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`${what}: not within ${ms / 1000} s`);
}

const alive = (url: string) => until(url, 400_000, async () => (await fetch(url)).ok);

export interface Running {
  url: string;
  stop: () => Promise<void>;
}

function stopper(child: ChildProcess, after = () => {}): () => Promise<void> {
  return () =>
    new Promise((done) => {
      if (child.exitCode !== null) return done();
      child.once('exit', () => (after(), done()));
      child.kill('SIGTERM');
    });
}

/** A Rialto of its own, and a way to put files into its project. */
export type OwnRialto = Running & { write: (path: string, text: string) => void };
export async function startRialto(packs = PACKS, settings = ''): Promise<OwnRialto> {
  const folder = mkdtempSync(join(tmpdir(), 'rialto-console-'));
  // A project with a folder `sql` reads no other file by itself: this one comes before the packs.
  mkdirSync(join(folder, 'sql'));
  writeFileSync(join(folder, 'sql/own.sql'), OWN);
  mkdirSync(join(folder, 'notes'));
  writeFileSync(join(folder, 'notes/a.json'), NOTES);
  writeFileSync(
    join(folder, 'decision.sql'),
    "CREATE TABLE decision WITH ('connector' = 'log') LIKE model.decision;\n",
  );
  const journal = packs.includes('replenishment') ? JOURNAL : [];
  const includes = [
    `${ROOT}/packs/model/sql`,
    `${ROOT}/packs/model/from_http.sql`,
    'decision.sql',
    ...packs.map((pack) => `${ROOT}/packs/${pack}/sql`),
    ...journal.map((file) => `${ROOT}/packs/${file}`),
  ];
  writeFileSync(join(folder, 'rialto.toml'), `include = ${JSON.stringify(includes)}\n${settings}`);
  const port = await freePort();
  const arguments_ = ['run', folder, '--state', join(folder, 'state')];
  const child = spawn(binary(), [...arguments_, '--serve', `127.0.0.1:${port}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const stop = stopper(child, () => rmSync(folder, { recursive: true, force: true }));
  const url = `http://127.0.0.1:${port}`;
  await Promise.race([
    alive(`${url}/readyz`),
    new Promise((_, fail) =>
      child.once('exit', (code) => fail(new Error(`${binary()} ended with ${code}`))),
    ),
  ]);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  return { url, stop, write };
}

/** The built page on a port of its own, the API behind it. */
export async function startPage(
  rialto: string,
  port?: number,
): Promise<Running & { port: number }> {
  const chosen = port ?? (await freePort());
  const child = spawn(
    process.execPath,
    [join(ROOT, 'console/scripts/serve.mjs'), String(chosen), rialto],
    { stdio: 'ignore' },
  );
  const url = `http://127.0.0.1:${chosen}`;
  await alive(`${url}/livez`);
  return { url, port: chosen, stop: stopper(child) };
}

/** The page as the binary has it, where it was built with the same one; else the built one on a
 * port of its own, so that not every change of the page needs another binary. */
export async function pageOf(rialto: string): Promise<Running> {
  const mine = readFileSync(join(ROOT, 'console/dist/index.html'), 'utf8');
  const its = await (await fetch(rialto)).text();
  if (its === mine) return { url: rialto, stop: () => Promise.resolve() };
  console.log('the binary has another page than console/dist: that one is served beside it');
  return startPage(rialto);
}

export async function send(rialto: string, table: string, rows: object[]) {
  const answer = await fetch(`${rialto}/v1/events/${table}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(rows),
  });
  if (!answer.ok) throw new Error(`${table}: ${answer.status} ${await answer.text()}`);
}

export async function ask(rialto: string, query: string): Promise<Record<string, unknown>[]> {
  const answer = await fetch(`${rialto}/v1/sql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  if (!answer.ok) throw new Error(await answer.text());
  return ((await answer.json()) as { rows: Record<string, unknown>[] }).rows;
}

let lines = 0;
/** A line of a receipt. */
export function sale(
  at: string,
  sku: string,
  quantity: number,
  price: number,
  more: object = {},
): object {
  lines += 1;
  return {
    event_id: `line-${process.pid}-${lines}`,
    event_time: `${at}Z`,
    transaction_id: `t-${process.pid}-${lines}`,
    line_no: 1,
    txn_type: 'sale',
    line_type: 'item',
    business_date: at.slice(0, 10),
    store_id: 'store-1',
    channel: 'pos',
    sku,
    description: `article ${sku}`,
    quantity,
    unit_price: price,
    line_total: quantity * price,
    currency: 'GBP',
    customer_id: `c-${lines % 5}`,
    ...more,
  };
}
