// Whether the server answers, and since when it does not. One truth for the whole page.
import { useSyncExternalStore } from 'react';

export interface Connection {
  state: 'connecting' | 'live' | 'lost';
  since: number;
  heardAt: number;
}

let now: Connection = { state: 'connecting', since: Date.now(), heardAt: 0 };
const listeners = new Set<() => void>();
const healed = new Set<() => void>();

function set(next: Connection) {
  now = next;
  for (const listener of listeners) listener();
}

export function heard() {
  const at = Date.now();
  if (now.state === 'live') {
    now.heardAt = at;
    return;
  }
  const wasLost = now.state === 'lost';
  set({ state: 'live', since: at, heardAt: at });
  if (wasLost) for (const listener of healed) listener();
}

export function lost() {
  if (now.state !== 'lost') set({ ...now, state: 'lost', since: Date.now() });
}

export const connection = () => now;

/** Runs `listener` whenever the server answers again after it did not. */
export function onHealed(listener: () => void): () => void {
  healed.add(listener);
  return () => healed.delete(listener);
}

export function subscribeConnection(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useConnection = () => useSyncExternalStore(subscribeConnection, connection);
