// What people do: what is different is sent, what somebody said is shown.
import { expect, test } from 'vitest';
import type { KnownRules } from '@/api/acts';
import type { Row } from '@/api/types';
import { withReviews } from '@/components/Review';
import { nameOf, tagsOf } from '@/screens/customers/segments';
import { once } from '@/screens/decisions';
import { changed, editable, isName, newRule } from '@/screens/pricing/rules';

const known: KnownRules['rules'][number] = {
  ...newRule('competitor', 3),
  actor: 'ann',
  changed_at: '2026-03-02 10:00:00.000Z',
};

test('only rules that are not as they hold are sent, without who changed them', () => {
  const saved = new Map([[known.rule_id, known]]);
  expect(changed([editable(known)], saved)).toEqual([]);
  const dearer = { ...editable(known), rate: 0.1 };
  expect(changed([dearer], saved)).toEqual([dearer]);
  expect(changed([editable(known), newRule('more', 5)], saved)).toEqual([newRule('more', 5)]);
  expect(Object.keys(editable(known))).not.toContain('actor');
  expect(isName('cheap_2') && !isName('') && !isName('Cheap') && !isName("a'")).toBe(true);
});

test('what somebody said is the state of a decision, unless it went further', () => {
  const said: Row = { decision_id: 'a', verdict: 'approve', actor: 'ann', note: 'go' };
  const rows: Row[] = [
    { decision_id: 'a', status: 'proposed' },
    { decision_id: 'b', status: 'proposed' },
  ];
  expect(withReviews(rows, [])).toBe(rows);
  const [first, second] = withReviews(rows, [said]);
  expect(first).toMatchObject({ status: 'approved', reviewed_by: 'ann', review_note: 'go' });
  expect(second).toBe(rows[1]);
  const applied = withReviews([{ decision_id: 'a', status: 'applied' }], [said]);
  expect(applied[0]).toMatchObject({ status: 'applied', reviewed_by: 'ann' });
  const rejected = withReviews(rows, [{ ...said, verdict: 'reject' }]);
  expect(rejected[0]!.status).toBe('rejected');
});

test('a decision that its pack and the journal both have is there once', () => {
  const pack: Row = { decision_id: 'a', status: 'proposed' };
  const journal: Row = { decision_id: 'a', status: 'applied', review_note: null };
  const other: Row = { decision_id: 'b', status: 'proposed' };
  expect(once([pack, journal, other])).toEqual([journal, other]);
  expect(once([journal, other, pack])).toEqual([journal, other]);
});

test('tags are chosen by name, their values by how many have them', () => {
  const tags = tagsOf([
    { tag_code: 'value', tag_value: 'low', n: 2 },
    { tag_code: 'value', tag_value: 'high', n: 5 },
    { tag_code: 'city', tag_value: 'Oslo', n: 1 },
  ]);
  expect([...tags]).toEqual([
    ['city', ['Oslo']],
    ['value', ['high', 'low']],
  ]);
  expect(nameOf(' Spends much, on the web! ')).toBe('spends_much_on_the_web');
  expect(nameOf('大客户')).toBe('');
});
