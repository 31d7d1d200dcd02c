// A source that somebody adds: tried first, then saved into the project.
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { sendJson } from './http';
import type { Restart } from './project';
import type { components } from './schema';
import type { Column, Row } from './types';

export interface RefusedRecord {
  position: string;
  reason: string;
  record: string;
}
export interface Preview {
  columns: Column[];
  rows: Row[];
  refused: RefusedRecord[];
  ended: boolean;
}
export interface SavedSource {
  name: string;
  view: string | null;
  file: string;
  restart: Restart;
}
export const tryRows = (asked: components['schemas']['SourceToTry'], signal?: AbortSignal) =>
  sendJson<Preview>('POST', '/v1/sources/preview', asked, signal);

export function useSaveSource() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (source: components['schemas']['SourceToSave']) =>
      sendJson<SavedSource>('POST', '/v1/sources', source),
    onSuccess: () => void client.invalidateQueries({ queryKey: ['project'] }),
  });
}
