// Serves dist/ as the binary will, and passes the API on to a running Rialto:
// node scripts/serve.mjs PORT http://127.0.0.1:8080
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { extname, join, normalize } from 'node:path';

const [port = '8090', target = 'http://127.0.0.1:8080'] = process.argv.slice(2);
const dist = new URL('../dist', import.meta.url).pathname;
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
};
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
  "img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; " +
  "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

function pass(asked, answer) {
  const to = new URL(asked.url, target);
  // The host stays the page's: the server compares it with the page's origin.
  const on = request(to, { method: asked.method, headers: asked.headers }, (got) => {
    answer.writeHead(got.statusCode ?? 502, got.headers);
    got.pipe(answer);
    got.on('error', () => answer.destroy());
  });
  on.on('error', () => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end()));
  answer.on('close', () => on.destroy());
  asked.pipe(on);
}

createServer((asked, answer) => {
  const path = new URL(asked.url, 'http://x').pathname;
  if (/^\/(v1|metrics|livez|readyz)(\/|$)/.test(path)) return pass(asked, answer);
  const wanted = join(dist, normalize(path));
  const found = wanted.startsWith(dist) && existsSync(wanted) && statSync(wanted).isFile();
  const file = found ? wanted : join(dist, 'index.html');
  const packed = existsSync(`${file}.gz`);
  const headers = {
    'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
    'content-security-policy': POLICY,
    ...(packed ? { 'content-encoding': 'gzip' } : {}),
  };
  answer.writeHead(200, headers);
  // The page may be built anew meanwhile.
  const read = createReadStream(packed ? `${file}.gz` : file);
  read.on('error', () => answer.destroy());
  read.pipe(answer);
}).listen(Number(port), '127.0.0.1', () => console.log(`serving http://127.0.0.1:${port}`));
