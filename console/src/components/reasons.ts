// The reasons that packs write, in the language of the reader as far as their form is known.
import i18n from 'i18next';
import type { Row, Value } from '@/api/types';
import { REASONS } from '@/i18n/zh/reasons';
import { text } from './format';

const escaped = (plain: string) => plain.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const HOLE = /\{\d+\}/;

/** Sentences as patterns, and what they are in the other language. */
const patterns = Object.entries(REASONS).map(([sentence, translated]) => ({
  pattern: new RegExp(`^${sentence.split(HOLE).map(escaped).join('(.+?)')}$`),
  translated,
}));

/** A reason in a language; one of an unknown form stays as it is written. */
export function reasonIn(reason: string, language: string): string {
  if (!language.startsWith('zh')) return reason;
  for (const { pattern, translated } of patterns) {
    const found = pattern.exec(reason);
    const put = (at: string) => reasonIn(found?.[Number(at)] ?? '', language);
    if (found) return translated.replace(/\{(\d+)\}/g, (_, at: string) => put(at));
  }
  return reason;
}

/** A JSON text as a value; what is no JSON stays text. */
export function parsed(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** `23.0000 pieces` is 23 pieces: the policies write decimals with all their digits. */
const tidied = (reason: string) =>
  reason.replace(/\b(\d+\.\d{4})\b/g, (digits) => String(Number(digits)));

/** A reason as a screen shows it. */
export const reasonSaid = (reason: Value | undefined): string =>
  reasonIn(tidied(text(reason)), i18n.language);

/** All reasons of a decision. */
export function reasonsOf(row: Row): string[] {
  const found = parsed(row.reasons);
  const said = Array.isArray(found) ? found : found ? [found] : [];
  return said.map((one) => reasonSaid(one as Value));
}
