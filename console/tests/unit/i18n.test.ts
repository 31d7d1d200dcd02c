// Both languages say the same things, and the screens ask only for what is said.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { en } from '@/i18n/en';
import { zh } from '@/i18n/zh';

type Tree = { [key: string]: string | Tree };
function keys(tree: Tree, before = ''): string[] {
  return Object.entries(tree).flatMap(([name, value]) =>
    typeof value === 'string' ? [before + name] : keys(value, `${before}${name}.`),
  );
}
const at = (tree: Tree, key: string): unknown =>
  key.split('.').reduce<unknown>((found, name) => (found as Tree | undefined)?.[name], tree);

function* sources(folder: string): Generator<string> {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* sources(path);
    else if (/\.tsx?$/.test(name)) yield path;
  }
}

test('both languages have the same keys', () => {
  expect(keys(zh)).toEqual(keys(en));
});

test('a text has the same variables in both languages', () => {
  const variables = (text: unknown) =>
    [...String(text).matchAll(/\{\{(\w+)\}\}/g)].map((m) => m[1]).sort();
  for (const key of keys(en)) expect(variables(at(zh, key)), key).toEqual(variables(at(en, key)));
});

test('every text that a screen asks for is there', () => {
  const known = new Set(keys(en));
  const asked: string[] = [];
  for (const path of sources(join(__dirname, '../../src'))) {
    for (const [, key] of readFileSync(path, 'utf8').matchAll(/\bt\('([\w.]+)'/g)) asked.push(key!);
  }
  expect(asked.length).toBeGreaterThan(150);
  const missing = asked.filter((key) => !known.has(key) && !known.has(`${key}_other`));
  expect(missing).toEqual([]);
});
