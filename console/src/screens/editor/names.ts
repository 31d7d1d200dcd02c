// The tables and views that a SELECT names.
import type { Item, Select } from './model';
import { plainName, tokensOf } from './tokens';

const plain = (name: string) => name.split('.').map(plainName).join('.');

export function itemRelations(item: Item): string[] {
  if (item.is === 'relation') return [plain(item.name)];
  return item.is === 'window' ? [plain(item.relation)] : relationsOf(item.select);
}

/** All of them; of a text, or of what stands in conditions: every word might be one. */
export function relationsOf(select: Select | string): string[] {
  if (typeof select === 'string') return tokensOf(select).map((token) => plainName(token.text));
  const conditions = [select.where, select.having, select.items, ...select.joins.map((j) => j.on)];
  const asked = conditions.filter((part) => part !== null && /\bSELECT\b/i.test(part.body));
  return [
    ...itemRelations(select.from.item),
    ...select.joins.flatMap((join) => itemRelations(join.item)),
    ...asked.flatMap((part) => relationsOf(part?.body ?? '')),
  ];
}

/** Puts another name in the place of a table or view, wherever a SELECT reads it. */
export function renamed(select: Select, from: string, to: string): Select {
  const item = (one: Item): Item => {
    if (one.is === 'query') return { ...one, select: renamed(one.select, from, to) };
    if (one.is === 'relation') return plain(one.name) === from ? { ...one, name: to } : one;
    if (plain(one.relation) !== from) return one;
    return { ...one, relation: to, text: one.text.replace(one.relation, to) };
  };
  return {
    ...select,
    from: { ...select.from, item: item(select.from.item) },
    joins: select.joins.map((join) => ({ ...join, item: item(join.item) })),
  };
}
