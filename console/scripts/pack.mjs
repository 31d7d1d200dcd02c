// After the build: a `.gz` beside every file that shrinks, and the size of the first screen.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const FIRST_SCREEN_MAX = 600 * 1000;
const dist = new URL('../dist', import.meta.url).pathname;

function* files(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* files(path);
    else yield path;
  }
}
const sizes = new Map();
for (const path of [...files(dist)]) {
  if (path.endsWith('.gz')) continue;
  const packed = gzipSync(readFileSync(path), { level: 9 });
  if (/\.(js|css|html|svg|json)$/.test(path) && packed.length < statSync(path).size)
    writeFileSync(`${path}.gz`, packed);
  sizes.set(path.slice(dist.length + 1), packed.length);
}

// The first screen is what the entry imports, and the chunks that the overview itself asks for.
const manifest = JSON.parse(readFileSync(join(dist, '.vite/manifest.json'), 'utf8'));
const first = new Set(['index.html']);
function take(key) {
  const chunk = manifest[key];
  if (!chunk || first.has(chunk.file)) return;
  first.add(chunk.file);
  for (const style of chunk.css ?? []) first.add(style);
  for (const next of chunk.imports ?? []) take(next);
}
take('index.html');
take('src/components/echarts.ts');
let total = 0;
for (const name of first) total += sizes.get(name) ?? 0;
for (const [name, size] of sizes) if (/inter-latin-wght-normal.*woff2$/.test(name)) total += size;
console.log(
  `first screen: ${Math.round(total / 1000)} kB gzip of ${FIRST_SCREEN_MAX / 1000} kB, ` +
    `in ${first.size} files`,
);
if (total > FIRST_SCREEN_MAX) {
  console.error('the first screen is too large: load what it does not need with import()');
  process.exit(1);
}
