// Rules as they are edited: what is different from what holds, and what a new one is.
import type { Kind, KnownRules, Rule } from '@/api/acts';

export const KINDS: Kind[] = ['stock_age', 'demand', 'competitor', 'margin'];
export const hasDays = (kind: Kind) => kind === 'stock_age' || kind === 'demand';
export const isName = (name: string) => /^[a-z0-9_]{1,64}$/.test(name);

type Known = KnownRules['rules'][number];

/** A rule as it is sent: without who changed it, and when. */
export const editable = (rule: Rule): Rule => ({
  rule_id: rule.rule_id,
  kind: rule.kind,
  is_active: rule.is_active,
  priority: rule.priority,
  days: rule.days ?? null,
  rate: Number(rule.rate),
  note: rule.note ?? null,
});

export const newRule = (rule_id: string, priority: number): Rule => ({
  rule_id,
  kind: 'competitor',
  is_active: true,
  priority,
  days: null,
  rate: 0.05,
  note: null,
});

const SAID = ['kind', 'is_active', 'priority', 'days', 'rate'] as const;

/** The rules that are not as they hold. */
export function changed(rules: Rule[], saved: Map<string, Known>): Rule[] {
  return rules.filter((rule) => {
    const holds = saved.get(rule.rule_id);
    if (!holds) return true;
    const now = editable(holds);
    return SAID.some((name) => now[name] !== rule[name]);
  });
}
