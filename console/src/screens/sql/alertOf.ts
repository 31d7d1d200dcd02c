// A question as an alert: rows of one view that fulfil a condition.
import { parsePipeline } from '@/screens/editor/parse';
import { plainName } from '@/screens/editor/tokens';

/** The view and the condition of a question; none where it joins, groups or counts. */
export function alertOf(query: string): { view: string; condition: string } | null {
  const { statements } = parsePipeline(query);
  const [only] = statements;
  if (!only || statements.length !== 1 || only.is !== 'query') return null;
  const { from, joins, where, group, having, items } = only.select;
  const isPlain = from.item.is === 'relation' && from.item.rest.trim() === '';
  // What is computed of all rows is no row of the view: COUNT(*), SUM(x) OVER …
  const computes = /\(|^\s*distinct\b/i.test(items.body);
  if (!isPlain || joins.length > 0 || group || having || computes) return null;
  const view = from.item.is === 'relation' ? plainName(from.item.name) : '';
  return { view, condition: where?.body.trim() ?? 'TRUE' };
}
