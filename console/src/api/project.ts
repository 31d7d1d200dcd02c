// The project behind the job: what it declares, where columns come from, views that are saved.
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getJson, request, sendJson } from './http';
import type { components } from './schema';

export interface Declared {
  name: string;
  kind: 'table' | 'view' | 'materialized view';
  columns: { name: string; type: string }[];
  key: string[];
  connector: string | null;
  comment: string | null;
  query: string | null;
  is_saved: boolean;
  is_running: boolean;
}
export function useProject() {
  return useQuery({
    queryKey: ['project'],
    queryFn: ({ signal }) => getJson<{ relations: Declared[] }>('/v1/catalogue', signal),
    staleTime: 30_000,
  });
}

export interface Member {
  name: string;
  kind: Declared['kind'];
  distance: number;
  columns: { name: string; type: string }[];
}
export interface Lineage {
  name: string;
  query: string | null;
  members: Member[];
  edges: { from: [string, string]; to: [string, string | null] }[];
  read_by: string[];
  is_cut: boolean;
}
export function useLineage(name: string) {
  return useQuery({
    queryKey: ['lineage', name],
    queryFn: ({ signal }) => getJson<Lineage>(`/v1/lineage/${encodeURIComponent(name)}`, signal),
    enabled: name !== '',
    staleTime: 60_000,
    placeholderData: keepPreviousData,
  });
}

export interface ExplainedStep {
  name: string;
  what: string;
  view: string | null;
  insert_only: boolean;
  key: string[];
  keeps: string | null;
  columns: string[];
  inputs: number[];
}
/** The steps that would keep a query right, the last one first. */
export function useExplained(query: string) {
  return useQuery({
    queryKey: ['explain', query],
    queryFn: ({ signal }) =>
      sendJson<{ steps: ExplainedStep[]; is_cut: boolean }>(
        'POST',
        '/v1/explain',
        { query },
        signal,
      ),
    enabled: query !== '',
    staleTime: 60_000,
    retry: false,
  });
}

export interface Restart {
  possible: boolean;
  reason: string | null;
}
export interface Saved {
  name: string;
  file: string;
  columns: { name: string; type: string }[];
  restart: Restart;
}
export function useSaveView() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (view: components['schemas']['ViewToSave']) =>
      sendJson<Saved>('POST', '/v1/views', view),
    onSuccess: () => void client.invalidateQueries({ queryKey: ['project'] }),
  });
}
export function useRemoveView() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (name: string) =>
      sendJson<{ restart: Restart }>('DELETE', `/v1/views/${encodeURIComponent(name)}`, {}),
    onSuccess: () => void client.invalidateQueries({ queryKey: ['project'] }),
  });
}
/** Has the job go on with the project as it is now; the server is away for a moment. */
export const useRestart = () =>
  useMutation({ mutationFn: () => request('/v1/restart', { method: 'POST' }).then(() => true) });
