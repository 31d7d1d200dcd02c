// Reasons are data of the packs: they are translated as far as their form is known.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { articlesOf } from '@/components/Why';
import { reasonIn } from '@/components/reasons';
import { en } from '@/i18n/en';
import { zh } from '@/i18n/zh';
import { REASONS } from '@/i18n/zh/reasons';

function* queries(folder: string): Generator<string> {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* queries(path);
    else if (path.endsWith('.sql')) yield readFileSync(path, 'utf8');
  }
}

test('a reason is said in Chinese, and with its numbers', () => {
  const said = (reason: string) => reasonIn(reason, 'zh-CN');
  expect(said('12 pieces here and on order are at or below the reorder point of 20')).toBe(
    '现有与在途订货共 12 件，已不高于再订货点 20',
  );
  expect(said('Refused: no consent to advertising (never asked).')).toContain('never asked');
  expect(said('the floor is 2.10')).toBe('底价为 2.10');
  expect(said('refused: the newest price is 50 hours old')).toBe(
    '已拒绝：最新的价格已是 50 小时前',
  );
});

test('one that nobody knows, or another language, stays as it is', () => {
  expect(reasonIn('because I say so', 'zh-CN')).toBe('because I say so');
  expect(reasonIn('the floor is 2.10', 'en')).toBe('the floor is 2.10');
});

test('every sentence is one that a pack writes, with all that the pack puts there', () => {
  const packs = [...queries(join(__dirname, '../../../packs'))].join('\n');
  // What the packs put together of several texts and of settings, as one.
  const texts = packs.replace(/'\s*\|\|\s*'/g, '').replace(/\$\{[^}]*\}/g, "'");
  const isWritten = (sentence: string) =>
    sentence.split(/\{\d+\}/).every((part) => texts.includes(part));
  expect(Object.keys(REASONS).filter((sentence) => !isWritten(sentence))).toEqual([]);
  for (const [sentence, translated] of Object.entries(REASONS)) {
    const holes = (of: string) => [...of.matchAll(/\{\d+\}/g)].map(String).sort();
    expect(holes(translated), sentence).toEqual(holes(sentence));
  }
});

test('what a decision wants is said for every kind that a pack makes', () => {
  const packs = [...queries(join(__dirname, '../../../packs'))].join('\n');
  const kinds = new Set(
    [...packs.matchAll(/'([a-z]+)'(?: END)?\s+AS decision_type/g)].map((m) => m[1]!),
  );
  expect([...kinds].sort()).toContain('recommend');
  // The clock of the journal is a row of it, and wants nothing.
  kinds.delete('clock');
  for (const wanted of [en.wanted, zh.wanted])
    expect([...kinds].filter((kind) => !(kind in wanted))).toEqual([]);
});

test('the articles of a list are said by their places', () => {
  expect(articlesOf({ '02': 'pot', '01': 'tea', '10': 'cup' })).toEqual(['tea', 'pot', 'cup']);
  expect(articlesOf({ template: 'hello' })).toEqual([]);
  expect(articlesOf(null)).toEqual([]);
});
