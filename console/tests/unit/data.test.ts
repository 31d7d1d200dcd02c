// What comes over the wire and what goes out: events, exact numbers, CSV, problems.
import { expect, test } from 'vitest';
import { sorted } from '@/components/ordered';
import { parseExact } from '@/api/http';
import { problemOf } from '@/api/problem';
import { EventCutter } from '@/api/sse';
import { toCsv } from '@/components/csv';
import { clipped, money, number, percent, signedPercent, timeOf } from '@/components/format';
import '@/i18n';

test('events are cut wherever the pieces end', () => {
  const text =
    'event: snapshot\ndata: {"step":1,\ndata: "rows":[]}\nid: 1\n\n: still here\n\nevent: change\ndata: {"step":2}\n\n';
  const whole = new EventCutter().cut(text);
  expect(whole).toEqual([
    { event: 'snapshot', id: '1', data: { step: 1, rows: [] } },
    { event: 'change', id: '', data: { step: 2 } },
  ]);
  const cutter = new EventCutter();
  const pieces = [...text].flatMap((letter) => cutter.cut(letter));
  expect(pieces).toEqual(whole);
});

test('a number that a double cannot hold stays the text that was sent', () => {
  expect(
    parseExact(
      '{"a":12.5000,"b":9007199254740993,"c":1234567890123456.7891,"d":0.1000000000000000}',
    ),
  ).toEqual({ a: 12.5, b: '9007199254740993', c: '1234567890123456.7891', d: 0.1 });
});

test('CSV quotes what must be quoted, and no cell is a formula', () => {
  expect(
    toCsv(
      ['a', 'b'],
      [
        ['x,"y"', null],
        ['=1+1', -5],
        ['two\nlines', { k: 1 }],
      ],
    ),
  ).toBe('a,b\r\n"x,""y""",\r\n\'=1+1,-5\r\n"two\nlines","{""k"":1}"');
});

test('a refusal keeps what to do; an answer of something else is told as it is', async () => {
  const body = JSON.stringify({ title: 'Gone', detail: 'step 3 is gone', hint: 'ask for 7' });
  const said = await problemOf(new Response(body, { status: 410 }));
  expect(said.problem).toEqual({
    status: 410,
    title: 'Gone',
    detail: 'step 3 is gone',
    hint: 'ask for 7',
  });
  const foreign = await problemOf(new Response('<html>', { status: 500, statusText: 'Broken' }));
  expect(foreign.problem.detail).toBe('500 Broken');
});

test('numbers are written for people, nothing as a dash', () => {
  expect(number('1234.5', 1)).toBe('1,234.5');
  expect(money(12, 'GBP')).toBe('£12.00');
  expect(money(12, '<b>')).toBe('12.00');
  expect(percent(null)).toBe('–');
  expect(signedPercent(-3.21)).toBe('−3.2 %');
  expect(timeOf('2025-09-03 10:04:15.542Z')).toBe('2025-09-03 10:04');
  expect(clipped('x'.repeat(1_000_000)).length).toBe(241);
});

test('rows are sorted with empty ones last, equal ones as they came', () => {
  const rows = [
    { n: 2, at: 'a' },
    { n: null, at: 'b' },
    { n: 10, at: 'c' },
    { n: 2, at: 'd' },
  ];
  const places = (isDescending: boolean) =>
    sorted(rows, (row) => row.n, isDescending).map((row) => row.at);
  expect(places(false)).toEqual(['a', 'd', 'c', 'b']);
  expect(places(true)).toEqual(['c', 'a', 'd', 'b']);
  const texts = ['sku-10', 'sku-2', 'Sku-1'].map((sku) => ({ sku }));
  expect(sorted(texts, (row) => row.sku, false).map((row) => row.sku)).toEqual([
    'Sku-1',
    'sku-2',
    'sku-10',
  ]);
});
