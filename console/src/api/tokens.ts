// Tokens of the project, for whoever administers it.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getJson, sendJson } from './http';
import type { components } from './schema';

export const ROLES = ['admin', 'analyst', 'viewer', 'ingest'] as const;
export interface Token {
  name: string;
  role: string;
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
