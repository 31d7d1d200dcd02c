// Tokens of the project, for whoever administers it.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getJson, sendJson } from './http';
import type { components } from './schema';

export const ROLES = ['admin', 'analyst', 'viewer', 'ingest'] as const;
export interface Token {
  name: string;
  role: string;
  /** Who has it; none: a program. */
  person: string | null;
  created_ms: number;
  expires_ms: number | null;
  holds: boolean;
}
export function useTokens(enabled: boolean) {
  return useQuery({
    queryKey: ['tokens'],
    queryFn: ({ signal }) => getJson<{ tokens: Token[]; own: string | null }>('/v1/tokens', signal),
    enabled,
  });
}
export function useCreateToken() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (token: components['schemas']['NewToken']) =>
      sendJson<Token & { token: string }>('POST', '/v1/tokens', token),
    onSuccess: () => void client.invalidateQueries({ queryKey: ['tokens'] }),
  });
}
export function useRevokeToken() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (name: string) => sendJson('DELETE', `/v1/tokens/${encodeURIComponent(name)}`, {}),
    onSuccess: () => void client.invalidateQueries({ queryKey: ['tokens'] }),
  });
}

export interface Person {
  name: string;
  title: string;
  role: string;
  created_ms: number;
}
export function usePeople(enabled: boolean) {
  return useQuery({
    queryKey: ['people'],
    queryFn: ({ signal }) => getJson<{ people: Person[] }>('/v1/people', signal),
    enabled,
  });
}
/** Makes somebody known, changes what they may do, or takes them out with all of their tokens. */
export function useKeepPerson() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({
      name,
      person,
    }: {
      name: string;
      person: Pick<Person, 'title' | 'role'> | null;
    }) => {
      const path = `/v1/people/${encodeURIComponent(name)}`;
      return person === null ? sendJson('DELETE', path, {}) : sendJson('PUT', path, person);
    },
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['people'] });
      void client.invalidateQueries({ queryKey: ['tokens'] });
    },
  });
}
/** A name for one more token of somebody. */
export function tokenName(person: string, taken: string[]): string {
  for (let at = 1; ; at += 1) if (!taken.includes(`${person}.${at}`)) return `${person}.${at}`;
}
