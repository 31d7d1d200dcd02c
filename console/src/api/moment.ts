// As of when the page is read: the newest step, or one that the reader holds on to.
import { useSyncExternalStore } from 'react';

let asOf: number | null = null;
const listeners = new Set<() => void>();

export const moment = () => asOf;

export function hold(step: number | null) {
  asOf = step;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useMoment = () => useSyncExternalStore(subscribe, moment);
