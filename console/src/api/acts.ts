// What people do: approve, change rules, build segments, put refused records right; and who may.
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getJson, sendJson } from './http';
import type { components } from './schema';
import type { Row } from './types';

export type Rule = components['schemas']['Rule'];
export type Kind = components['schemas']['Kind'];
export type Condition = components['schemas']['Condition'];
export type Verdict = components['schemas']['Verdict'];

export interface Who {
  token: string | null;
  person: string | null;
  role: string;
  may: { read: boolean; sql: boolean; send: boolean; administer: boolean };
}
/** Who the server takes this page for; it says itself what it refuses, this only spares the try. */
export function useWho() {
  return useQuery({
    queryKey: ['whoami'],
    queryFn: ({ signal }) => getJson<Who>('/v1/whoami', signal),
    staleTime: 60_000,
  }).data;
}
export const useMayAct = () => useWho()?.may.administer ?? false;

export function useReview() {
  return useMutation({
    mutationFn: (said: { id: string; verdict: Verdict; note: string }) =>
      sendJson('POST', `/v1/decisions/${encodeURIComponent(said.id)}`, {
        verdict: said.verdict,
        note: said.note || null,
      }),
  });
}

export interface Warning {
  rule_id: string;
  what: 'beyond_step' | 'same_priority';
  step?: number;
  with?: string;
}
export interface KnownRules {
  step: number;
  rules: (Rule & { actor: string | null; changed_at: string | null })[];
  guards: Record<string, number>;
  warnings: Warning[];
}
export interface Simulated {
  step: number;
  now_changes: number;
  changes: number;
  differ: number;
  rows: Row[];
  effects: { currency: string; margin_a_day: number }[];
  guards: Record<string, number>;
  warnings: Warning[];
}
export function useRules(enabled: boolean) {
  return useQuery({
    queryKey: ['rules'],
    queryFn: ({ signal }) => getJson<KnownRules>('/v1/rules', signal),
    enabled,
    refetchInterval: 5000,
  });
}
export const useSimulate = () =>
  useMutation({
    mutationFn: (rules: Rule[]) => sendJson<Simulated>('POST', '/v1/rules/simulate', { rules }),
  });
/** Changes rules; answers when the job has them, so that the table shows what holds. */
export function useChangeRules() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (rules: Rule[]) => {
      const said = await sendJson<{ changed_at: string }>('PUT', '/v1/rules', { rules });
      for (let look = 0; look < 20; look += 1) {
        const known = await getJson<KnownRules>('/v1/rules');
        client.setQueryData(['rules'], known);
        if (rules.every(({ rule_id }) => holds(known, rule_id, said.changed_at))) return known;
        await new Promise((done) => setTimeout(done, 150));
      }
      return null;
    },
  });
}
const holds = (known: KnownRules, id: string, since: string) =>
  known.rules.some((rule) => rule.rule_id === id && (rule.changed_at ?? '') >= since);

export interface Segment {
  segment_id: string;
  title: string;
  conditions: Required<Condition>[];
  actor: string | null;
  changed_at: string;
  members: number;
}
export interface Counted {
  step: number;
  members: number;
  of: number;
  some: Row[];
}
export function useSegments(enabled: boolean) {
  return useQuery({
    queryKey: ['segments'],
    queryFn: async ({ signal }) =>
      (await getJson<{ segments: Segment[] }>('/v1/segments', signal)).segments,
    enabled,
    refetchInterval: 2000,
    placeholderData: keepPreviousData,
  });
}
/** How many fit, counted again as the shop moves. */
export function useCount(conditions: Condition[]) {
  return useQuery({
    queryKey: ['count', conditions],
    queryFn: ({ signal }) =>
      sendJson<Counted>('POST', '/v1/segments/count', { conditions }, signal),
    enabled: conditions.some((one) => !one.is_excluded),
    refetchInterval: 2000,
    placeholderData: keepPreviousData,
  });
}
export function useSaveSegment() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (segment: { id: string; title: string; conditions: Condition[] | null }) => {
      const path = `/v1/segments/${encodeURIComponent(segment.id)}`;
      const { title, conditions } = segment;
      return conditions === null
        ? sendJson('DELETE', path, {})
        : sendJson('PUT', path, { title, conditions });
    },
    onSuccess: () => void client.invalidateQueries({ queryKey: ['segments'] }),
  });
}

export interface Letter {
  id: string;
  table: string;
  status: 'open' | 'waiting' | 'redriven' | 'discarded';
  attempts: number;
  refused_ms: number;
  last_ms: number;
  bytes: number;
  position: string;
  reason: string;
  earlier_run: boolean;
  record?: string;
  base64?: string;
  whole?: boolean;
}
export interface Letters {
  letters: Letter[];
  count: number;
  by_status: Record<Letter['status'], number>;
}
export function useLetters(table: string, enabled: boolean) {
  return useQuery({
    queryKey: ['letters', table],
    queryFn: ({ signal }) =>
      getJson<Letters>(`/v1/dead-letters?table=${encodeURIComponent(table)}`, signal),
    enabled,
    refetchInterval: 2000,
    placeholderData: keepPreviousData,
  });
}
export function useLetter(id: string) {
  return useQuery({
    queryKey: ['letter', id],
    queryFn: ({ signal }) => getJson<Letter>(`/v1/dead-letters/${encodeURIComponent(id)}`, signal),
    enabled: id !== '',
  });
}
export function useLetterAct() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (act: { act: 'redrive' | 'discard'; ids: string[]; record?: string }) => {
      const { ids, record } = act;
      const body = act.act === 'redrive' ? { ids, record: record ?? null } : { ids };
      return sendJson('POST', `/v1/dead-letters/${act.act}`, body);
    },
    onSettled: () => void client.invalidateQueries({ queryKey: ['letters'] }),
  });
}
