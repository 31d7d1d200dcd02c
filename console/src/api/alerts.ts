// Alerts of one's own: a view and a condition, kept by the project and watched by the server.
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getJson, sendJson } from './http';
import type { components } from './schema';
import type { Row } from './types';

export const SEVERITIES = ['critical', 'warning', 'notice'] as const;
export type Severity = (typeof SEVERITIES)[number];
export type NewAlert = components['schemas']['NewAlert'] & { severity: Severity };
export interface OwnAlert extends NewAlert {
  id: string;
  actor: string;
  changed_ms: number;
  step: number | null;
  is_firing: boolean;
  since_ms: number | null;
  rows: number;
  some: Row[];
  error: string | null;
}
export interface OwnAlerts {
  now_ms: number;
  firing: number;
  alerts: OwnAlert[];
  error: string | null;
}
export function useOwnAlerts() {
  return useQuery({
    queryKey: ['alerts'],
    queryFn: ({ signal }) => getJson<OwnAlerts>('/v1/alerts', signal),
    refetchInterval: 1000,
    placeholderData: keepPreviousData,
  });
}
/** How many rows a condition would find now. */
export function useTried(view: string, condition: string) {
  return useQuery({
    queryKey: ['alert', view, condition],
    queryFn: ({ signal }) =>
      sendJson<{ rows: number; some: Row[] }>(
        'POST',
        '/v1/alerts/try',
        { view, condition },
        signal,
      ),
    enabled: view !== '' && condition.trim() !== '',
    placeholderData: keepPreviousData,
  });
}
export function useKeepAlert() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, alert }: { id: string; alert: NewAlert | null }) => {
      const path = `/v1/alerts/${encodeURIComponent(id)}`;
      return alert === null ? sendJson('DELETE', path, {}) : sendJson('PUT', path, alert);
    },
    onSuccess: () => void client.invalidateQueries({ queryKey: ['alerts'] }),
  });
}
