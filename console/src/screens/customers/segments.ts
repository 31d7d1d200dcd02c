// Tags and their values as they are chosen from, and the name of a segment out of its title.
import type { Row } from '@/api/types';
import { text } from '@/components/format';

/** Of each tag the values that somebody has, the most frequent first. */
export type Tags = Map<string, string[]>;

export function tagsOf(rows: Row[]): Tags {
  const sorted = [...rows].sort((a, b) => Number(b.n) - Number(a.n));
  const tags: Tags = new Map();
  for (const row of sorted) {
    const tag = text(row.tag_code);
    tags.set(tag, [...(tags.get(tag) ?? []), text(row.tag_value)]);
  }
  return new Map([...tags].sort(([a], [b]) => a.localeCompare(b)));
}

/** `Spends much, on the web` is `spends_much_on_the_web`; of a title in other letters, nothing. */
export const nameOf = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .slice(0, 64);
